//! A time limit on a future.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use crate::cancel::{Alarms, Ended, ScopeState};
use crate::context::{self, Wall};
use crate::debug::Unpolled;
use crate::runtime::{Clock, Sleep};
use crate::util::deadline_after;

/// Runs `future`, but no longer than `limit` of `clock`'s time, counted from the first poll.
///
/// `future` is polled first: a value beats an expiry in the same poll, and a limit of zero still
/// polls once. When the time is over, the clean-ups inside (`finally`, `bracket`, ...) run to their
/// end, then `future` is dropped, and only then does this return. [`Duration::MAX`] is a legal way to
/// write "no limit". Of nested limits that are due together only the outermost reports, and the
/// code between them does not run; a cancel from outside beats an expiry. Nothing is allocated.
///
/// (asyncio's `timeout`, Trio's `fail_after`.)
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
/// # Panics
///
/// Polled again after it was ready.
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
#[track_caller]
pub fn timeout<C: Clock, F: Future>(clock: &C, limit: Duration, future: F) -> Timeout<F, C> {
    Timeout::new(clock.clone(), When::After(limit), future)
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
#[track_caller]
pub fn timeout_at<C: Clock, F: Future>(clock: &C, deadline: Instant, future: F) -> Timeout<F, C> {
    Timeout::new(clock.clone(), When::At(deadline), future)
}

/// When a limit is reached.
#[derive(Debug, Clone, Copy)]
enum When {
    /// So long after the first poll.
    After(Duration),
    At(Instant),
    /// Never; set by [`Timeout::reschedule`].
    Never,
}

pin_project! {
    /// The future of [`timeout`] and [`timeout_at`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Timeout<F, C: Clock> {
        #[pin]
        future: Option<F>,
        // Made when the future is pending for the first time.
        #[pin]
        sleep: Option<C::Sleep>,
        clock: C,
        when: When,
        // The sleep was ready.
        due: bool,
        state: ScopeState,
        unpolled: Unpolled,
    }

    impl<F, C: Clock> PinnedDrop for Timeout<F, C> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            context::drop_then(|| this.future.set(None), || this.state.dropped());
        }
    }
}

impl<F, C: Clock> Timeout<F, C> {
    #[track_caller]
    fn new(clock: C, when: When, future: F) -> Self {
        Self {
            future: Some(future),
            sleep: None,
            clock,
            when,
            due: false,
            state: ScopeState::default(),
            unpolled: Unpolled::new("timeout"),
        }
    }

    /// Returns the time at which the limit is reached; none before the first poll of a limit that
    /// counts from there, and if there is no limit.
    pub fn deadline(&self) -> Option<Instant> {
        match self.when {
            When::At(at) => Some(at),
            When::After(_) | When::Never => None,
        }
    }

    /// Whether the limit was reached.
    ///
    /// Also true when a value came all the same, from code that took notice and still returned one.
    pub fn is_expired(&self) -> bool {
        self.state.own
    }

    /// Moves the deadline, earlier, later, into the past, or to never, while it runs (asyncio's
    /// `Timeout.reschedule`).
    ///
    /// Returns whether it was in time: once the limit was reached it stays reached.
    pub fn reschedule(self: Pin<&mut Self>, at: Option<Instant>) -> bool {
        let mut this = self.project();
        if this.state.own || this.future.is_none() {
            return false;
        }
        *this.due = false;
        match at {
            Some(at) => {
                *this.when = When::At(at);
                if let Some(sleep) = this.sleep.as_pin_mut() {
                    sleep.reset(at);
                }
            }
            None => {
                *this.when = When::Never;
                this.sleep.set(None);
            }
        }
        true
    }
}

/// The sleep of a timeout during one poll.
struct Alarm<'a, C: Clock> {
    sleep: Pin<&'a mut Option<C::Sleep>>,
    clock: &'a C,
    /// The time at the beginning of the first poll, if that is this one.
    began: Option<Instant>,
    deadline: Option<Instant>,
    due: &'a mut bool,
}

impl<C: Clock> Alarms for Alarm<'_, C> {
    #[inline]
    fn poll_due(&mut self, _: Wall, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        if !*self.due {
            if self.sleep.is_none() {
                let sleep = match self.began {
                    Some(now) => self.clock.sleep_from(now, deadline),
                    None => self.clock.sleep_until(deadline),
                };
                self.sleep.set(Some(sleep));
            }
            let sleep = self.sleep.as_mut().as_pin_mut();
            *self.due = sleep.is_some_and(|sleep| sleep.poll(cx).is_ready());
        }
        // A limit around this one that is due as well is the one that reports.
        *self.due && !context::is_outer_due(self.clock.now())
    }
}

impl<F: Future, C: Clock> Future for Timeout<F, C> {
    type Output = Result<F::Output, Elapsed>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.unpolled.polled();
        let mut began = None;
        if let When::After(limit) = *this.when {
            let now = this.clock.now();
            *this.when = When::At(deadline_after(now, limit));
            began = Some(now);
        }
        let deadline = match *this.when {
            When::At(at) => Some(at),
            When::After(_) | When::Never => None,
        };
        let mut alarm = Alarm {
            sleep: this.sleep,
            clock: this.clock,
            began,
            deadline,
            due: this.due,
        };
        match ready!(this.state.poll(this.future, deadline, &mut alarm, cx)) {
            Ended::Value(value) => Poll::Ready(Ok(value)),
            Ended::Cancelled => Poll::Ready(Err(Elapsed(()))),
        }
    }
}

impl<F, C: Clock> fmt::Debug for Timeout<F, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Timeout")
            .field("when", &self.when)
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
