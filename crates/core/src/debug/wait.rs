//! What a task waits for, told by whoever makes it wait.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use pin_project_lite::pin_project;

use super::{is_debug, registry};
use crate::runtime::TaskInfo;

/// What a task, or main, waits for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The end of a task.
    Task(TaskInfo),
    /// A point in time.
    Sleep(Instant),
    /// Something else, in words: "an item of a channel".
    Other(&'static str),
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => {
                write!(f, "task {}", task.id())?;
                task.name().map_or(Ok(()), |name| write!(f, " `{name}`"))
            }
            Self::Sleep(_) => f.write_str("a sleep"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Notes what the poll that is going on on this thread waits for; called by whoever is about to return
/// "pending".
///
/// For primitives: a lock, a channel, a sleep. Does nothing, and does not call `wait`, unless debug mode
/// is on. The notes of a poll replace those of the task's poll before; so of a task that waits
/// for many things through a combinator that polls only what was woken, only these are known.
///
/// # Examples
///
/// ```
/// use kumi_core::debug::{self, WaitsFor};
///
/// debug::note_wait(|| WaitsFor::Other("a permit"));
/// ```
#[inline]
pub fn note_wait(wait: impl FnOnce() -> WaitsFor) {
    if is_debug() {
        registry::note(wait());
    }
}

/// [Notes](note_wait) what is waited for if `poll` is pending, and returns it.
///
/// # Examples
///
/// ```
/// use std::task::Poll;
/// use kumi_core::debug::{WaitsFor, noted};
///
/// fn poll_take(items: &mut Vec<u32>) -> Poll<u32> {
///     let poll = items.pop().map_or(Poll::Pending, Poll::Ready);
///     noted(poll, || WaitsFor::Other("an item"))
/// }
/// ```
#[inline]
pub fn noted<T>(poll: Poll<T>, wait: impl FnOnce() -> WaitsFor) -> Poll<T> {
    if poll.is_pending() {
        note_wait(wait);
    }
    poll
}

/// Names what `future` waits for whenever it is pending, for debug mode: "a connection of the pool".
///
/// For futures of others, or of your own, that [note](note_wait) nothing. Otherwise it changes nothing.
///
/// # Cancel safety
///
/// That of `future`.
///
/// # Examples
///
/// ```
/// use kumi_core::debug;
/// use kumi_core::runtime::Runtime;
///
/// kumi_sim::Sim::new().block_on(debug::waiting_for("the answer", async { 42 }));
/// ```
pub fn waiting_for<F: Future>(what: &'static str, future: F) -> WaitingFor<F> {
    WaitingFor { what, future }
}

pin_project! {
    /// The future of [`waiting_for`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct WaitingFor<F> {
        what: &'static str,
        #[pin]
        future: F,
    }
}

impl<F: Future> Future for WaitingFor<F> {
    type Output = F::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        noted(this.future.poll(cx), || WaitsFor::Other(this.what))
    }
}
