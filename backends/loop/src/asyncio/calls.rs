//! Callbacks of the loop's own thread: called once, or never.

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use kumi_core::task::SpawnLocalExt;

use crate::handle::Loop;

/// A callback, until it is called or cancelled.
pub(super) struct Call<F> {
    callback: Cell<Option<F>>,
    cancelled: Cell<bool>,
}

impl<F: FnOnce()> Call<F> {
    pub(super) fn new(callback: F) -> Rc<Self> {
        Rc::new(Self {
            callback: Cell::new(Some(callback)),
            cancelled: Cell::new(false),
        })
    }
}

/// A callback of any type.
pub(super) trait AnyCall {
    /// Calls it, unless it was called or cancelled.
    fn call(&self);
    /// Drops it, unless it was called.
    fn cancel(&self);
    fn is_cancelled(&self) -> bool;
}

impl<F: FnOnce()> AnyCall for Call<F> {
    fn call(&self) {
        if let Some(callback) = self.callback.take() {
            callback();
        }
    }

    fn cancel(&self) {
        if let Some(callback) = self.callback.take() {
            self.cancelled.set(true);
            drop(callback);
        }
    }

    fn is_cancelled(&self) -> bool {
        self.cancelled.get()
    }
}

/// The task of a callback. If it is dropped before its poll, so is the callback.
struct Task<C: AnyCall>(Rc<C>);

impl<C: AnyCall> Future for Task<C> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.call();
        Poll::Ready(())
    }
}

impl<C: AnyCall> Drop for Task<C> {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A callback that was handed to [`Loop::call_soon`].
///
/// Dropping it changes nothing.
pub struct Handle {
    pub(super) call: Rc<dyn AnyCall>,
}

impl Handle {
    /// Keeps the callback from being called, and drops it now, with what it captured.
    ///
    /// Does nothing if it has been called, or is being called.
    pub fn cancel(&self) {
        self.call.cancel();
    }

    /// Whether the callback was cancelled before it was called, by this or by the end of the loop.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.call.is_cancelled()
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handle")
            .field("cancelled", &self.cancelled())
            .finish_non_exhaustive()
    }
}

impl Loop {
    /// Queues `callback`, to be called once, behind all callbacks and tasks that are ready.
    ///
    /// It is called while the loop is driven, never inside this call. On a loop that has been shut down it is
    /// dropped at once, and the handle says that it was cancelled.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's: use [`call_soon_threadsafe`](Loop::call_soon_threadsafe) there.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_loop::Loop;
    ///
    /// let lp = Loop::new()?;
    /// let stop = lp.handle();
    /// lp.call_soon(move || stop.stop());
    /// lp.run_forever();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn call_soon(&self, callback: impl FnOnce() + 'static) -> Handle {
        self.0.own("call_soon");
        let call = Call::new(callback);
        self.spawn_local(Task(Rc::clone(&call))).detach();
        Handle { call }
    }
}
