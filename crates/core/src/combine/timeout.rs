//! A time limit on a future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::runtime::{Clock, Sleep};
use crate::util::deadline_after;

/// Runs `future`, but no longer than `limit` of `clock`'s time.
///
/// `future` is polled first: a value beats an expiry in the same poll, and a limit of zero still
/// polls once. [`Duration::MAX`] is a legal way to write "no limit". Nothing is allocated.
///
/// # Cancel safety
///
/// Dropping it drops `future`.
///
/// # Errors
///
/// [`Elapsed`] if the time is over before `future` is ready; `future` is dropped before that is
/// returned.
///
/// # Examples
///
/// ```
/// use std::{future, time::Duration};
/// use kumi_core::combine::timeout;
/// use kumi_core::runtime::Runtime;
///
/// let sim = kumi_sim::Sim::new();
/// let hour = Duration::from_secs(3600);
/// let never = sim.block_on(timeout(&*sim, hour, future::pending::<()>()));
/// assert!(never.is_err());
/// ```
pub fn timeout<C: Clock, F: Future>(clock: &C, limit: Duration, future: F) -> Timeout<F, C::Sleep> {
    timeout_at(clock, deadline_after(clock.now(), limit), future)
}

/// Runs `future`, but not beyond `deadline` of `clock`'s time; see [`timeout`].
///
/// # Cancel safety
///
/// Dropping it drops `future`.
///
/// # Errors
///
/// [`Elapsed`] if the deadline is reached before `future` is ready.
pub fn timeout_at<C: Clock, F: Future>(
    clock: &C,
    deadline: Instant,
    future: F,
) -> Timeout<F, C::Sleep> {
    Timeout {
        future: Some(future),
        sleep: clock.sleep_until(deadline),
    }
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F, S> {
        #[pin]
        future: Option<F>,
        #[pin]
        sleep: S,
    }
}

impl<F, S: Sleep> Timeout<F, S> {
    /// Returns the time at which the limit is reached.
    pub fn deadline(&self) -> Instant {
        self.sleep.deadline()
    }

    /// Moves the deadline, earlier or later, while it runs (asyncio's `Timeout.reschedule`).
    pub fn reschedule(self: Pin<&mut Self>, at: Instant) {
        self.project().sleep.reset(at);
    }
}

impl<F: Future, S: Sleep> Future for Timeout<F, S> {
    type Output = Result<F::Output, Elapsed>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let future = this.future.as_mut().as_pin_mut();
        if let Poll::Ready(value) = future
            .expect("`timeout` polled after it was ready")
            .poll(cx)
        {
            this.future.set(None);
            return Poll::Ready(Ok(value));
        }
        match this.sleep.poll(cx) {
            Poll::Ready(()) => {
                this.future.set(None);
                Poll::Ready(Err(Elapsed(())))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}

impl<F, S> fmt::Debug for Timeout<F, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("done", &self.future.is_none())
            .finish_non_exhaustive()
    }
}

/// The time limit was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Elapsed(());

impl fmt::Display for Elapsed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the time limit was reached")
    }
}

impl std::error::Error for Elapsed {}

/// `TimedOut`, with this error inside.
impl From<Elapsed> for std::io::Error {
    fn from(error: Elapsed) -> Self {
        Self::new(std::io::ErrorKind::TimedOut, error)
    }
}
