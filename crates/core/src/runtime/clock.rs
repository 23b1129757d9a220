//! Time: the clock of a runtime and its sleeps.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, Instant};

use crate::util::deadline_after;

/// A monotonic clock that can be slept on.
///
/// The clock may be virtual: in the simulator an hour passes at once, and on tokio `pause` works.
/// So code that is generic over a runtime asks the runtime for the time, never the system.
pub trait Clock: Clone + 'static {
    /// The future of [`sleep_until`](Clock::sleep_until).
    type Sleep: Sleep;

    /// Returns the present time of this clock.
    ///
    /// Never earlier than any value it returned before.
    fn now(&self) -> Instant;

    /// Returns a future that is ready once [`now`](Clock::now) has reached `at`.
    ///
    /// Ready at its first poll if `at` is not in the future.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped; its timer is gone at once.
    fn sleep_until(&self, at: Instant) -> Self::Sleep;

    /// [`sleep_until`](Clock::sleep_until) for a caller who has just asked for the time and was told
    /// `now`: a backend may save a look at the clock with that.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped; its timer is gone at once.
    fn sleep_from(&self, now: Instant, at: Instant) -> Self::Sleep {
        let _ = now;
        self.sleep_until(at)
    }

    /// Returns a future that is ready after `delay`.
    ///
    /// [`Duration::MAX`] is a legal way to write "never".
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped; its timer is gone at once.
    fn sleep(&self, delay: Duration) -> Self::Sleep {
        let now = self.now();
        self.sleep_from(now, deadline_after(now, delay))
    }
}

/// A sleep whose deadline can be moved while it runs.
pub trait Sleep: Future<Output = ()> + 'static {
    /// Returns the time at which this sleep is due.
    fn deadline(&self) -> Instant;

    /// Moves the deadline to `at`, earlier or later, in place.
    ///
    /// A task that has polled the sleep and found it pending is woken at the new deadline without
    /// polling it once more. A sleep that was ready before is pending again until `at`, and has to
    /// be polled again, like any future whose waker was used up.
    fn reset(self: Pin<&mut Self>, at: Instant);
}

impl<S: Sleep + ?Sized> Sleep for Pin<Box<S>> {
    fn deadline(&self) -> Instant {
        self.as_ref().get_ref().deadline()
    }

    fn reset(self: Pin<&mut Self>, at: Instant) {
        self.get_mut().as_mut().reset(at);
    }
}
