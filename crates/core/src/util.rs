//! Small helpers without state that every layer may use.

mod biased;
mod once_arc;
mod waker;

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Waker;
use std::time::{Duration, Instant};

#[cfg(loom)]
#[doc(hidden)]
pub use crate::loom::Spin;
use crate::loom::thread_local;
pub use biased::{Bias, BiasedArc, BiasedWake, Spare};
pub(crate) use once_arc::OnceArc;
pub(crate) use waker::{WakerSlot, drop_foreign, wake_contained};

/// No deadline lies further ahead than this: about a thousand years.
const LONGEST: Duration = Duration::from_secs(86_400 * 365 * 1_000);

/// How far ahead a deadline lies that the platform's clock cannot represent: about thirty years.
const FAR: Duration = Duration::from_secs(86_400 * 365 * 30);

/// Returns `now + delay`, but a point that everybody can still reckon with if `delay` is enormous:
/// about a thousand years ahead, or thirty where the platform's clock ends earlier.
///
/// [`Duration::MAX`] is how people write "never", so it must not panic.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, Instant};
///
/// let now = Instant::now();
/// assert!(kumi_core::util::deadline_after(now, Duration::MAX) > now);
/// ```
#[must_use]
pub fn deadline_after(now: Instant, delay: Duration) -> Instant {
    now.checked_add(delay.min(LONGEST))
        .unwrap_or_else(|| now + FAR)
}

/// Wakes every one of `wakers`, also if one of them panics; that panic goes on at the end.
///
/// For backends: a batch of due timers, of ready descriptors. Not to be called under a lock.
///
/// # Panics
///
/// With the first panic of a waker, after all were woken.
pub fn wake_all(wakers: impl IntoIterator<Item = Waker>) {
    let mut first = None;
    for waker in wakers {
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
            match first {
                None => first = Some(panic),
                Some(_) => discard(panic),
            }
        }
    }
    if let Some(panic) = first {
        resume_unwind(panic);
    }
}

/// The number of the calling thread: unique in this process, never used again.
///
/// Cheaper than `std::thread::current().id()`, which clones a reference count.
#[inline]
pub(crate) fn thread_number() -> u64 {
    #[cold]
    fn fresh() -> u64 {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        NEXT.fetch_add(1, Ordering::Relaxed)
    }
    thread_local! {
        static NUMBER: Cell<u64> = const { Cell::new(0) };
    }
    NUMBER
        .try_with(|number| {
            if number.get() == 0 {
                number.set(fresh());
            }
            number.get()
        })
        // The thread is being torn down: no number it had before, so it is home to nothing.
        .unwrap_or_else(|_| fresh())
}

/// A mark of the calling thread that no other thread has while this one runs; zero if the thread is
/// being torn down.
///
/// Cheaper than [`thread_number`]: it is the address of a thread-local variable. A thread that starts
/// after another has ended may have the same mark.
#[inline(always)]
pub(crate) fn thread_mark() -> usize {
    thread_local! {
        static MARK: Cell<u8> = const { Cell::new(0) };
    }
    MARK.try_with(|mark| std::ptr::from_ref(mark).addr())
        .unwrap_or(0)
}

/// Drops what somebody panicked with; if that panics too, what it panics with, and so on.
pub(crate) fn discard(mut payload: Box<dyn Any + Send>) {
    for _ in 0..8 {
        match catch_unwind(AssertUnwindSafe(|| drop(payload))) {
            Ok(()) => return,
            Err(again) => payload = again,
        }
    }
    // This has no end.
    std::mem::forget(payload);
}

/// The text of a panic, if it has one.
pub(crate) fn panic_message(payload: &(dyn Any + Send)) -> &str {
    if let Some(text) = payload.downcast_ref::<&'static str>() {
        text
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text
    } else {
        "a panic without a text"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any point in time will do")]
    fn a_deadline_never_overflows() {
        let now = Instant::now();
        assert_eq!(deadline_after(now, Duration::ZERO), now);
        assert_eq!(
            deadline_after(now, Duration::from_secs(1)),
            now + Duration::from_secs(1)
        );
        for huge in [Duration::MAX, Duration::from_secs(1 << 62), LONGEST] {
            let at = deadline_after(now, huge);
            assert!(at > now + FAR / 2);
            assert!(at.checked_add(FAR).is_some());
        }
    }

    #[test]
    fn threads_have_different_marks() {
        let here = thread_mark();
        assert_eq!(here, thread_mark());
        let there = std::thread::scope(|s| s.spawn(thread_mark).join().expect("no panic"));
        assert!(here != 0 && there != 0 && here != there);
    }

    #[test]
    fn threads_have_different_numbers() {
        let here = thread_number();
        assert_eq!(here, thread_number());
        let there = std::thread::scope(|s| s.spawn(thread_number).join().expect("no panic"));
        assert_ne!(here, there);
    }
}
