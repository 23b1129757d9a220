//! The frame: which task and which runtime the code that runs right now belongs to.
//!
//! Around every poll of a task, every poll of the future of `block_on` and every blocking closure,
//! core sets a thread-local pointer to a frame on its stack, and puts the old one back afterwards,
//! also when the poll panics.
//! So ambient functions (`kumi::spawn`) find the runtime, through any foreign combinator, and two
//! runtimes in one process never see each other's frames.
//!
//! # Invariants
//!
//! 1. The pointer is null, or points to a frame that a caller further up this thread's stack keeps
//!    alive: `enter` sets it, holds the frame by reference and restores before it returns.
//! 2. A frame is lent out only for the length of a closure ([`with_current`]), so nobody can keep
//!    it longer than `enter` runs.
//!
//! This is the one `unsafe` of the file: a safe form needs a reference count per poll (measured in
//! `ARCHITECTURE.md`).
#![allow(
    unsafe_code,
    reason = "a pointer to the frame on the stack; see the invariants"
)]

use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::ptr::{self, NonNull};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use crate::loom::thread_local;
use crate::runtime::{Ambient, AmbientSource, Header, Spawn, Task};

/// What kind of code a frame surrounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A poll: it must not block.
    Async,
    /// A closure on a thread that may block.
    Blocking,
}

/// What surrounds a poll; lives on the stack of whoever polls.
pub(crate) struct Frame<'a> {
    source: &'a dyn AmbientSource,
    task: Option<&'a NonNull<Header>>,
    kind: Kind,
}

impl<'a> Frame<'a> {
    /// A frame for a poll of `task`, whose runtime is found through `source`.
    #[inline]
    pub(crate) fn new(
        source: &'a dyn AmbientSource,
        task: Option<&'a NonNull<Header>>,
        kind: Kind,
    ) -> Self {
        Self { source, task, kind }
    }
}

thread_local! {
    static CURRENT: Cell<*const Frame<'static>> = const { Cell::new(ptr::null()) };
}

/// Puts the frame back that was current before.
struct Restore(*const Frame<'static>);

impl Drop for Restore {
    #[inline]
    fn drop(&mut self) {
        let _ = CURRENT.try_with(|current| current.set(self.0));
    }
}

/// Runs `f` with `frame` as the current one.
#[inline]
pub(crate) fn enter<T>(frame: &Frame<'_>, f: impl FnOnce() -> T) -> T {
    let erased = ptr::from_ref(frame).cast::<Frame<'static>>();
    // In a thread that is being torn down there is no slot: code then finds no runtime.
    let _restore = CURRENT.try_with(|current| Restore(current.replace(erased)));
    f()
}

/// Lends the current frame to `f`.
fn with_frame<T>(f: impl FnOnce(Option<&Frame<'_>>) -> T) -> T {
    let current = CURRENT.try_with(Cell::get).unwrap_or(ptr::null());
    // SAFETY: invariant 1: null, or a live frame further up this thread's stack, shared and not
    // written to. The reference cannot leave the closure (`f` is generic over its lifetime), and
    // the frame outlives the closure because the `enter` that set it is still running.
    f(unsafe { current.as_ref() })
}

/// Lends the ambient runtime of the code that runs right now to `f`, if there is one.
///
/// There is one inside every poll of a Kumi task, inside `block_on` of a Kumi runtime and inside a
/// closure that such a runtime runs on a blocking thread.
pub fn with_current<T>(f: impl FnOnce(Option<Ambient<'_>>) -> T) -> T {
    with_frame(|frame| f(frame.and_then(|frame| frame.source.ambient())))
}

/// Returns the task that is being polled on this thread, if there is one.
///
/// `None` outside of Kumi tasks; the future of `block_on` is no task either.
#[must_use]
pub fn current_task() -> Option<Task> {
    with_frame(|frame| frame.and_then(|frame| frame.task).map(Task::of))
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
    let inside = with_frame(|frame| frame.is_some_and(|frame| frame.kind == Kind::Async));
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
    enter(&Frame::new(runtime, None, Kind::Blocking), f)
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
        let frame = Frame::new(&*this.runtime, None, Kind::Async);
        enter(&frame, || this.future.poll(cx))
    }
}
