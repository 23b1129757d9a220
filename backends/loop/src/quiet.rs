//! Debug mode: a loop that has nothing left to wait for says so.
//!
//! A loop that sleeps without a limit waits for descriptors, for closures on blocking threads, and for
//! other threads, which may hold wakers and handles. What is on its own side can be known: whether a job
//! is ready, a timer armed, a descriptor waited for, a closure running. What another thread is going to do
//! cannot. So in debug mode a loop that has been asleep for
//! [`blocked_after`](debug::blocked_after), and has nothing of its own to wait for, reports who waits for
//! what, once, and goes on waiting: it is a suspicion. (In the simulator, where other threads are the
//! exception, the same is a panic.)
//!
//! A turn of a guest is not looked at: what it waits for is its host's business.

use std::time::{Duration, Instant};

use kumi_core::debug;

use crate::handle::Loop;

/// What is known of the sleep of one `block_on`.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// When the sleep began, and its limit, if it is watched.
    asleep: Option<(Instant, Duration)>,
    /// The report was made, and nothing has happened since.
    told: bool,
}

impl Quiet {
    /// The loop is about to look at the kernel; returns for how long it may sleep there.
    #[inline]
    pub(crate) fn limit(&mut self) -> Option<Duration> {
        if !debug::is_debug() || self.told {
            self.asleep = None;
            return None;
        }
        let limit = debug::blocked_after();
        self.asleep = Some((Instant::now(), limit));
        Some(limit)
    }

    /// It has looked; `ready` says whether there is something to run.
    #[inline]
    pub(crate) fn look(&mut self, lp: &Loop, ready: impl Fn() -> bool) {
        if self.asleep.is_some() || self.told {
            self.suspect(lp, ready);
        }
    }

    #[cold]
    fn suspect(&mut self, lp: &Loop, ready: impl Fn() -> bool) {
        if ready() {
            self.told = false;
            return;
        }
        let Some((began, limit)) = self.asleep else {
            return;
        };
        if began.elapsed() >= limit && !is_waiting(lp) {
            debug::report_deadlock(lp);
            // The hook may have woken somebody.
            self.told = !ready();
        }
    }
}

/// Whether the loop waits for something of its own, timers apart, which its caller knows.
fn is_waiting(lp: &Loop) -> bool {
    let mut closures = false;
    lp.0.blocking.for_each(&mut |_| closures = true);
    closures || lp.0.registry.is_waited_for()
}
