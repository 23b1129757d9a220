//! Callbacks that come from any thread.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use kumi_core::task::SpawnExt;

use crate::handle::Loop;

enum State {
    Waits(Box<dyn FnOnce() + Send>),
    Runs(ThreadId),
    Called,
    Cancelled,
}

struct Call {
    state: Mutex<State>,
    called: Condvar,
}

impl Call {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state, after a call that is under way on another thread.
    fn settled(&self) -> MutexGuard<'_, State> {
        let here = thread::current().id();
        let runs = |state: &mut State| matches!(state, State::Runs(there) if *there != here);
        self.called
            .wait_while(self.lock(), runs)
            .unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) {
        /// Also after a panic, nobody waits for ever.
        struct End<'a>(&'a Call);
        impl Drop for End<'_> {
            fn drop(&mut self) {
                *self.0.lock() = State::Called;
                self.0.called.notify_all();
            }
        }
        let mut state = self.lock();
        if !matches!(*state, State::Waits(_)) {
            return;
        }
        let runs = State::Runs(thread::current().id());
        let State::Waits(callback) = std::mem::replace(&mut *state, runs) else {
            unreachable!("it was just seen to wait");
        };
        drop(state);
        let _end = End(self);
        callback();
    }

    fn cancel(&self) -> bool {
        let mut state = self.settled();
        if !matches!(*state, State::Waits(_)) {
            return matches!(*state, State::Cancelled);
        }
        let callback = std::mem::replace(&mut *state, State::Cancelled);
        drop(state);
        drop(callback);
        true
    }
}

/// The task of a callback. If it is dropped before its poll, so is the callback.
struct Task(Arc<Call>);

impl Future for Task {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        self.0.call();
        Poll::Ready(())
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

/// A callback that was handed to [`Loop::call_soon_threadsafe`].
///
/// Dropping it changes nothing.
#[derive(Clone)]
pub struct ThreadsafeHandle(Arc<Call>);

impl ThreadsafeHandle {
    /// Keeps the callback from being called, and drops it now; true if it will not be called.
    ///
    /// If it is being called on another thread, this blocks until that is over. So when this returns, the
    /// callback does not run. Inside of the callback itself it does nothing.
    pub fn cancel(&self) -> bool {
        self.0.cancel()
    }

    /// Whether the callback was cancelled before it was called, by this or by the end of the loop.
    ///
    /// If it is being called on another thread, this blocks until that is over.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        matches!(*self.0.settled(), State::Cancelled)
    }
}

impl fmt::Debug for ThreadsafeHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ThreadsafeHandle").finish_non_exhaustive()
    }
}

impl Loop {
    /// Queues `callback` from any thread, to be called once on the loop's, and wakes the loop.
    ///
    /// On the loop's own thread it is queued in order with [`call_soon`](Loop::call_soon). On a loop that
    /// has been shut down it is dropped at once, and the handle says that it was cancelled.
    #[track_caller]
    pub fn call_soon_threadsafe(
        &self,
        callback: impl FnOnce() + Send + 'static,
    ) -> ThreadsafeHandle {
        let call = Arc::new(Call {
            state: Mutex::new(State::Waits(Box::new(callback))),
            called: Condvar::new(),
        });
        self.spawn(Task(Arc::clone(&call))).detach();
        ThreadsafeHandle(call)
    }
}
