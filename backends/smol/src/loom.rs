//! The one place where the backend gets the atomics that a model is to see.
//!
//! Under `--cfg loom` they are loom's, otherwise the standard library's. What is modelled stands in `model` (in
//! `lib.rs`), and its models in `tests/loom/`.

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, Ordering};

/// Whether the fault `name` is seeded: a step is to be skipped, or an ordering to be weakened.
///
/// In models only, and there for one fault at a time: `tests/loom/teeth.txt` says which model has to
/// notice it.
#[cfg(loom)]
pub(crate) fn fault(name: &str) -> bool {
    static SEEDED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let seeded = SEEDED.get_or_init(|| std::env::var("KUMI_SEEDED_FAULT").ok());
    seeded.as_deref() == Some(name)
}

/// There is none outside of models.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn fault(_: &str) -> bool {
    false
}
