//! A lock for a few instructions: [`Spin`].
//!
//! A free [`Mutex`](super::Mutex) costs two read-modify-writes, one to take it and one to see at the
//! release whether somebody sleeps. This one costs one: its release is a plain store, so whoever waits
//! cannot sleep until woken. It spins, then sleeps for short times; the holder is never more than some
//! moves of values away from the release, and runs no foreign code but the `Ord` of a priority queue.
//! If it does not free the lock within some microseconds, it was put aside by the system, and gets its
//! turn when others sleep. To yield would be no help: where more threads want to run than there are
//! cores, whoever yields comes last, and waits for milliseconds.
//!
//! # Invariants
//!
//! `taken` is true from the exchange of the one who took the lock to its store; between the two nobody
//! else touches `value`. The store releases what was done under the lock to the exchange that acquires
//! it.
#![allow(
    unsafe_code,
    reason = "the value of a lock; measured: see ARCHITECTURE.md"
)]
#![allow(unreachable_pub, reason = "it is reachable for its model")]

use super::{AtomicBool, Ordering, UnsafeCell, order_unless};

/// How often it looks, with growing pauses, before it gives its thread away.
const SPINS: u32 = 7;

/// See the module. What is touched together lies together.
#[repr(C)]
pub struct Spin<T> {
    taken: AtomicBool,
    value: UnsafeCell<T>,
}

// SAFETY: the value is only touched by the thread that has taken the lock, so it goes from thread to
// thread but is never shared.
unsafe impl<T: Send> Sync for Spin<T> {}

/// Frees the lock, also if what was done under it panics.
struct Release<'a>(&'a AtomicBool);

impl Drop for Release<'_> {
    #[inline(always)]
    fn drop(&mut self) {
        #[cfg(debug_assertions)]
        super::count_lock(-1);
        let order = order_unless("lock_is_freed_too_early", Ordering::Release);
        self.0.store(false, order);
    }
}

impl<T> Spin<T> {
    /// A free lock around `value`.
    pub fn new(value: T) -> Self {
        Self {
            taken: AtomicBool::new(false),
            value: UnsafeCell::new(value),
        }
    }

    /// Takes the lock for `f`.
    #[inline(always)]
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        if !self.try_take() {
            self.wait();
        }
        #[cfg(debug_assertions)]
        super::count_lock(1);
        let _release = Release(&self.taken);
        // SAFETY: the lock is taken, by this call, until `_release` is dropped.
        self.value.with_mut(|value| f(unsafe { &mut *value }))
    }

    #[inline(always)]
    fn try_take(&self) -> bool {
        let (acquire, relaxed) = (Ordering::Acquire, Ordering::Relaxed);
        self.taken
            .compare_exchange(false, true, acquire, relaxed)
            .is_ok()
    }

    #[cold]
    fn wait(&self) {
        let mut round = 0;
        loop {
            pause(round);
            round += 1;
            // A look first: an exchange would take the line of the cache from the holder.
            if !self.taken.load(Ordering::Relaxed) && self.try_take() {
                return;
            }
        }
    }
}

#[cfg(not(loom))]
#[allow(
    clippy::disallowed_methods,
    reason = "whoever waits for a lock has no runtime"
)]
fn pause(round: u32) {
    if round < SPINS {
        for _ in 0..1 << round {
            std::hint::spin_loop();
        }
    } else {
        #[cfg(test)]
        tests::SLEEPS.fetch_add(1, Ordering::Relaxed);
        // Not `park_timeout`: that would take a token of `unpark` that is meant for somebody else.
        std::thread::sleep(std::time::Duration::from_micros(50));
    }
}

#[cfg(loom)]
fn pause(_: u32) {
    const { assert!(SPINS > 0) };
    loom::thread::yield_now();
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::atomic::AtomicUsize;
    use std::thread;

    use super::*;

    /// How often somebody who waited for a lock slept.
    pub(super) static SLEEPS: AtomicUsize = AtomicUsize::new(0);

    /// Whoever waits here may have been unparked for something else, and parks for that later.
    #[test]
    fn to_wait_takes_no_token_of_unpark() {
        let lock = Spin::new(());
        thread::scope(|s| {
            lock.with(|()| {
                let before = SLEEPS.load(Ordering::Relaxed);
                s.spawn(|| {
                    thread::current().unpark();
                    lock.with(|()| {});
                    thread::park();
                });
                while SLEEPS.load(Ordering::Relaxed) == before {
                    thread::yield_now();
                }
            });
        });
    }

    #[test]
    fn one_at_a_time() {
        let lock = Spin::new(0_u64);
        thread::scope(|s| {
            for _ in 0..4 {
                s.spawn(|| {
                    for _ in 0..20_000 {
                        lock.with(|value| *value += 1);
                    }
                });
            }
        });
        assert_eq!(lock.with(|value| *value), 80_000);
    }

    #[test]
    fn it_is_free_after_a_panic_of_its_holder() {
        let lock = Spin::new(1);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            lock.with(|_| panic!("holder"));
        }));
        assert_eq!(lock.with(|value| *value), 1);
        crate::loom::assert_unlocked();
    }
}
