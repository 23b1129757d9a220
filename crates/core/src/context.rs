//! The frame: which task, which runtime and which scopes the code that runs right now belongs to.
//!
//! Around every poll of a task, of a scope, of the future of `block_on`, and around every blocking
//! closure, core sets a thread-local pointer to a frame on its stack, and puts the old one back
//! afterwards, also when the poll panics.
//! So ambient functions (`kumi::spawn`) find the runtime, and a cancel finds the scopes, through any
//! foreign combinator, and two runtimes in one process never see each other's frames.
//!
//! | file | subject |
//! |---|---|
//! | `frame` | the frame and the pointer to it, the one place with `unsafe` |
//! | `node` | the shared record of a scope: who is below, who waits, what was asked |
//! | `panics` | where the panics of destructors and clean-ups go |
//! | `vars` | values that children inherit |
//!
//! A safe form of the pointer needs a reference count per poll (measured in `ARCHITECTURE.md`).

mod frame;
mod node;
mod panics;
mod reason;
mod vars;

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::debug::{self, Manner};
use crate::runtime::{Ambient, Spawn, Task};

pub(crate) use frame::{
    Base, Frame, Kind, add_here, effective_deadline, enter_cut, enter_poll, enter_scope,
    is_cancelled, is_cut, is_here, is_outer_due, is_requested, mark_task, spend, tie_here,
    wake_running,
};
pub(crate) use node::{Members, Node, Wall};
pub(crate) use panics::{drop_then, go_on, report_panic};
pub use reason::CancelReason;
pub use vars::{LocalKey, WithLocal};
pub(crate) use vars::{Vars, inherit};

/// Lends the ambient runtime of the code that runs right now to `f`, if there is one.
///
/// There is one inside every poll of a Kumi task, inside `block_on` of a Kumi runtime and inside a
/// closure that such a runtime runs on a blocking thread.
pub fn with_current<T>(f: impl FnOnce(Option<Ambient<'_>>) -> T) -> T {
    frame::with_source(|source| f(source.and_then(|source| source.ambient())))
}

/// Returns the task that is being polled on this thread, if there is one.
///
/// `None` outside of Kumi tasks; the future of `block_on` is no task either.
#[must_use]
pub fn current_task() -> Option<Task> {
    frame::with_task(|task| task.map(Task::of))
}

/// Panics if the code that runs right now is inside a poll, where blocking would stop everything.
///
/// A backend calls it first thing in `block_on`, `what` being the name of the function for the
/// message.
///
/// # Panics
///
/// If this thread is inside a poll by Kumi.
#[track_caller]
pub fn assert_may_block(what: &str) {
    let inside = frame::kind() == Some(Kind::Async);
    assert!(
        !inside,
        "`{what}` was called inside a task: it would block the thread that has to run the task it \
         waits for. Use `.await` here, or move the call into `to_thread(...)`"
    );
}

/// Runs `f` with `runtime` as the ambient one.
///
/// For threads that a backend did not start: callbacks, tests, foreign event loops. The code may
/// block.
///
/// # Examples
///
/// ```
/// use kumi_core::{context, task::SpawnExt};
///
/// let sim = kumi_sim::Sim::new();
/// let found = context::enter_runtime(&*sim, || context::with_current(|rt| rt.is_some()));
/// assert!(found);
/// ```
pub fn enter_runtime<R: Spawn, T>(runtime: &R, f: impl FnOnce() -> T) -> T {
    frame::enter_source(runtime, Kind::Blocking, f)
}

/// Runs `f`, a poll, with `runtime` as the ambient one, in the scopes around it.
///
/// For futures that find their runtime by other means than a frame, such as the host's thread-local
/// handle. See [`within`].
pub fn enter_poll_of<R: Spawn, T>(runtime: &R, f: impl FnOnce() -> T) -> T {
    frame::enter_source(runtime, Kind::Async, f)
}

/// Makes `runtime` the ambient one around every poll of `future`.
///
/// A backend wraps the future of `block_on` in it; tasks have it built in.
///
/// # Cancel safety
///
/// Dropping it drops `future`; nothing else is lost.
pub fn within<R: Spawn, F: Future>(runtime: R, future: F) -> Within<R, F> {
    Within { runtime, future }
}

pin_project! {
    /// The future of [`within`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Within<R, F> {
        runtime: R,
        #[pin]
        future: F,
    }
}

impl<R: Spawn, F: Future> Future for Within<R, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let mut polling = debug::poll_begins(None, Manner::Brief);
        let poll = || this.future.poll(cx);
        let poll = frame::with_budget(|| frame::enter_source(&*this.runtime, Kind::Async, poll));
        if let Some(polling) = polling.as_mut().filter(|_| poll.is_ready()) {
            polling.done();
        }
        poll
    }
}
