//! Asking whether a cancel is wanted, and points at which one takes effect.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use crate::context::{self, Node};
use crate::debug::{WaitsFor, note_wait};

/// Whether the scope that this code runs in was asked to end.
///
/// True as well inside of [`uncancellable`](crate::cleanup::uncancellable) when the cancel waits for
/// it; false inside a clean-up, which the cancel does not concern.
///
/// # Examples
///
/// ```
/// use kumi_core::cancel::{CancelScope, cancel_requested};
/// use kumi_core::runtime::Runtime;
///
/// kumi_sim::Sim::new().block_on(async {
///     let scope = CancelScope::new();
///     let handle = scope.handle();
///     let seen = scope.run(async move {
///         handle.cancel();
///         cancel_requested()
///     });
///     // It returned without waiting for anything: the value wins.
///     assert_eq!(seen.await, Ok(true));
/// });
/// ```
#[must_use]
pub fn cancel_requested() -> bool {
    context::is_requested()
}

/// Returns the earliest deadline of the scopes around this code, up to the nearest shield.
///
/// Of a scope that was cancelled by its deadline it has passed; a scope that was cancelled otherwise
/// tells by [`cancel_requested`]. (Trio's `current_effective_deadline`.)
#[must_use]
pub fn effective_deadline() -> Option<Instant> {
    context::effective_deadline()
}

/// Waits until the scope that this code runs in is asked to end.
///
/// This is how code can end early by itself: the scope's body is polled once more when it is asked to
/// end, and if it returns a value then, the value wins. What is awaited *after* this in an ordinary
/// scope takes nothing any more; inside of [`uncancellable`](crate::cleanup::uncancellable) there is
/// time to finish.
///
/// Outside of all scopes it waits for ever.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped.
///
/// # Examples
///
/// ```
/// use kumi_core::cancel::{CancelScope, cancelled};
/// use kumi_core::runtime::Runtime;
///
/// kumi_sim::Sim::new().block_on(async {
///     let scope = CancelScope::new();
///     let handle = scope.handle();
///     handle.cancel();
///     let told = scope.run(async {
///         cancelled().await;
///         "told"
///     });
///     assert_eq!(told.await, Ok("told"));
/// });
/// ```
pub fn cancelled() -> WaitCancelled {
    WaitCancelled { place: None }
}

/// The future of [`cancelled`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct WaitCancelled {
    place: Option<(Arc<Node>, usize)>,
}

impl WaitCancelled {
    fn leave(&mut self) {
        if let Some((node, place)) = self.place.take() {
            node.remove(place);
        }
    }
}

impl Future for WaitCancelled {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if context::is_requested() {
            self.leave();
            return Poll::Ready(());
        }
        match &self.place {
            Some((node, place)) if context::is_here(node) => node.listen(*place, cx.waker()),
            _ => {
                self.leave();
                self.place = context::add_here(|node| {
                    let place = node.add_listener(cx.waker());
                    (node, place)
                });
            }
        }
        note_wait(|| WaitsFor::Other("a cancel"));
        Poll::Pending
    }
}

impl Drop for WaitCancelled {
    fn drop(&mut self) {
        self.leave();
    }
}

/// Gives way to the other tasks once; a cancel takes effect here.
///
/// In a scope that was asked to end, code after it does not run. (Trio's `checkpoint`.)
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped.
///
/// # Examples
///
/// ```
/// use kumi_core::cancel::{CancelScope, checkpoint};
/// use kumi_core::runtime::Runtime;
///
/// kumi_sim::Sim::new().block_on(async {
///     let scope = CancelScope::new();
///     let handle = scope.handle();
///     let ended = scope.run(async move {
///         handle.cancel();
///         checkpoint().await;
///         unreachable!()
///     });
///     assert!(ended.await.is_err());
/// });
/// ```
#[inline]
pub fn checkpoint() -> Checkpoint {
    Checkpoint { yielded: false }
}

/// The future of [`checkpoint`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Checkpoint {
    yielded: bool,
}

impl Future for Checkpoint {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if context::is_cancelled() {
            return Poll::Pending;
        }
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Whether an operation may go on: pending if a cancel is in force, or if the task has to give way.
///
/// For primitives of your own, at the start of a poll that could take something: so that a loop over
/// something that is always ready can be cancelled, and starves nobody. In a cancelled scope it is
/// pending for good, since the code after the await is not to run. Otherwise a task may do 128 such
/// operations in one poll; then it is woken at once and has to give way to the others.
/// Outside of Kumi's tasks there is no such limit.
///
/// # Examples
///
/// ```
/// use std::task::{Context, Poll};
/// use kumi_core::cancel::poll_checkpoint;
///
/// fn poll_take(items: &mut Vec<u32>, cx: &mut Context<'_>) -> Poll<Option<u32>> {
///     std::task::ready!(poll_checkpoint(cx));
///     Poll::Ready(items.pop())
/// }
/// ```
#[inline]
pub fn poll_checkpoint(cx: &mut Context<'_>) -> Poll<()> {
    if context::is_cancelled() {
        return Poll::Pending;
    }
    if context::spend() {
        return Poll::Ready(());
    }
    cx.waker().wake_by_ref();
    Poll::Pending
}
