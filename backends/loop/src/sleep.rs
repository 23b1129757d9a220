//! The flag that says whether the loop sleeps in the kernel.
//!
//! # PROTOCOL of sleeping
//!
//! The loop, before it waits for the kernel:
//!
//! 1. [announces](Sleep::announce) that it sleeps;
//! 2. looks once more at everything that another thread may have left for it;
//! 3. waits only if there was nothing, and no longer than until the earliest timer;
//! 4. is [awake](Sleep::end) again.
//!
//! Another thread that leaves something there:
//!
//! 1. leaves it;
//! 2. [takes the sleep](Sleep::take), and if there was one, interrupts the wait with one system call.
//!
//! All three are swaps of one flag, so they have an order, and each acquires what the earlier ones
//! released. If the loop's announcement is later than the other thread's swap, its look (2) sees what was
//! left. If it is earlier, the other thread finds the flag set, and interrupts; or it finds that another
//! has done so, and then it is the look before the next sleep that sees what was left. Of a burst only
//! the first thread finds the flag set, so there is one system call, and none while the loop is awake.
#![allow(unreachable_pub, reason = "it is reachable for its model")]

use crate::loom::{AtomicBool, Ordering, fault};

/// See the module.
#[derive(Debug)]
pub struct Sleep(AtomicBool);

impl Sleep {
    /// The flag of a loop that is awake.
    #[allow(
        clippy::new_without_default,
        reason = "`Default` of this would say nothing"
    )]
    pub fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Step 1 of the loop's side.
    pub fn announce(&self) {
        if fault("a_sleep_is_announced_by_a_store") {
            return self.0.store(true, Ordering::SeqCst);
        }
        // AcqRel: pairs with `take`.
        self.0.swap(true, Ordering::AcqRel);
    }

    /// Step 4 of the loop's side.
    pub fn end(&self) {
        if fault("a_sleep_ends_by_a_store") {
            return self.0.store(false, Ordering::Release);
        }
        // Acquire: pairs with `take`. A store would come between a thread that found no sleep and the
        // next `announce`, which would then not acquire what that thread left.
        self.0.swap(false, Ordering::Acquire);
    }

    /// Step 2 of another thread's side: true if the wait is to be interrupted, by the caller.
    pub fn take(&self) -> bool {
        if fault("every_thread_finds_the_sleep") {
            return self.0.load(Ordering::Acquire);
        }
        // AcqRel: pairs with `announce`.
        self.0.swap(false, Ordering::AcqRel)
    }
}
