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

use std::time::Instant;

use kumi_core::debug;

use crate::handle::Loop;
use crate::turn::Turn;

/// What is known of one `block_on`.
#[derive(Debug, Default)]
pub(crate) struct Quiet {
    /// The report was made, and nothing has happened since.
    told: bool,
}

impl Quiet {
    /// Looks at the kernel, and says so if there was nothing to wait for.
    #[cold]
    pub(crate) fn kernel(&mut self, lp: &Loop, turn: &mut Turn<'_>) {
        let (began, limit) = (Instant::now(), debug::blocked_after());
        turn.kernel((!self.told).then_some(limit));
        // Before the look at what is ready: a closure that is listed no more has woken who waits for it.
        let is_quiet = !self.told && began.elapsed() >= limit && !is_waiting(lp);
        if turn.has_more() {
            self.told = false;
        } else if is_quiet {
            debug::report_deadlock(lp);
            // The hook may have woken somebody.
            self.told = !turn.has_more();
        }
    }
}

/// Whether the loop waits for something of its own, timers apart, which its caller knows.
fn is_waiting(lp: &Loop) -> bool {
    let mut closures = false;
    lp.0.blocking.for_each(&mut |_| closures = true);
    closures || lp.0.registry.is_waited_for()
}
