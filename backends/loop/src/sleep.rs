//! The word that says whether the loop sleeps in the kernel, or its host waits for it.
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
//! All three are swaps of one word, so they have an order, and each acquires what the earlier ones
//! released. If the loop's announcement is later than the other thread's swap, its look (2) sees what was
//! left. If it is earlier, the other thread finds a sleep, and interrupts; or it finds that another
//! has done so, and then it is the look before the next sleep that sees what was left. Of a burst only
//! the first thread finds a sleep, so there is one system call, and none while the loop is awake.
//!
//! A loop that is a guest sleeps in the same way between two turns, only that it is its host that
//! waits: whoever takes that sleep calls the host besides. See [`guest`](crate::guest).
#![allow(unreachable_pub, reason = "it is reachable for its model")]

use crate::loom::{AtomicU8, Ordering, fault};

const AWAKE: u8 = 0;
const ASLEEP: u8 = 1;
const AWAY: u8 = 2;

/// What a loop that sleeps waits in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Waits {
    /// The kernel.
    InKernel,
    /// Its host's loop.
    InHost,
}

/// See the module.
#[derive(Debug)]
pub struct Sleep(AtomicU8);

impl Sleep {
    /// The word of a loop that is awake.
    #[allow(
        clippy::new_without_default,
        reason = "`Default` of this would say nothing"
    )]
    pub fn new() -> Self {
        Self(AtomicU8::new(AWAKE))
    }

    /// Step 1 of the loop's side.
    pub fn announce(&self, waits: Waits) {
        let word = match waits {
            Waits::InKernel => ASLEEP,
            Waits::InHost => AWAY,
        };
        if fault("a_sleep_is_announced_by_a_store") {
            return self.0.store(word, Ordering::SeqCst);
        }
        // AcqRel: pairs with `take`.
        self.0.swap(word, Ordering::AcqRel);
    }

    /// Step 4 of the loop's side.
    pub fn end(&self) {
        // Only the loop makes itself sleep. If somebody took the sleep, the next `announce` is a swap
        // after that one, and acquires what was left.
        if self.0.load(Ordering::Relaxed) == AWAKE {
            return;
        }
        if fault("a_sleep_ends_by_a_store") {
            return self.0.store(AWAKE, Ordering::Release);
        }
        // Acquire: pairs with `take`. A store would come between a thread that found no sleep and the
        // next `announce`, which would then not acquire what that thread left.
        self.0.swap(AWAKE, Ordering::Acquire);
    }

    /// Step 2 of another thread's side: says what the caller has to interrupt.
    pub fn take(&self) -> Option<Waits> {
        let word = match fault("every_thread_finds_the_sleep") {
            true => self.0.load(Ordering::Acquire),
            // AcqRel: pairs with `announce`.
            false => self.0.swap(AWAKE, Ordering::AcqRel),
        };
        match word {
            ASLEEP => Some(Waits::InKernel),
            AWAY => Some(Waits::InHost),
            _ => None,
        }
    }
}
