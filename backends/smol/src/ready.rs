//! Whether a drainer is ready: what those who push jobs and those who run them agree on.
//!
//! *Ready* means that a drainer has been told to look at the queue and has not begun to.
//! Whoever has put something into the queue [claims](Ready::claim), and tells a drainer if that gives "yes"; a
//! drainer [begins](Ready::begin) before it looks. Both are one read-modify-write of the same place, so one of the
//! two comes first: if the claim does, then the drainer sees what was put there, and if the beginning does, then
//! the claim finds nobody ready and tells the next. A look that only loads could find "ready" of a drainer that has
//! looked already.
#![allow(
    unreachable_pub,
    reason = "public for the models, under `--cfg loom` only"
)]

use crate::loom::{AtomicBool, Ordering, fault};

/// Whether a drainer is ready.
#[derive(Debug, Default)]
pub struct Ready(AtomicBool);

impl Ready {
    /// Nobody is.
    pub fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// After something was put into the queue: whether the caller has to tell a drainer.
    #[must_use = "if nobody is told, what is in the queue stays there"]
    pub fn claim(&self) -> bool {
        if fault("a_claim_looks_first") && self.0.load(Ordering::Acquire) {
            return false;
        }
        !self.0.swap(true, Ordering::AcqRel)
    }

    /// A drainer begins to look at the queue.
    pub fn begin(&self) {
        if fault("a_drainer_begins_by_a_store") {
            return self.0.store(false, Ordering::Release);
        }
        self.0.swap(false, Ordering::AcqRel);
    }
}
