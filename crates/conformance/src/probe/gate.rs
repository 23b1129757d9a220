//! Things to wait for: [`Gate`] for an event, [`Slot`] for a value.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::{lock, until};

/// An event that happens once and is seen by any number of waiters.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    open: bool,
    wakers: Vec<Waker>,
}

impl Gate {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Opens it and wakes who waits; from any thread.
    pub(crate) fn open(&self) {
        let wakers = {
            let mut state = lock(&self.0);
            state.open = true;
            std::mem::take(&mut state.wakers)
        };
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Waits until somebody waits: a poll has found it closed, and needs another one to go on.
    pub(crate) async fn awaited(&self) {
        until(|| !lock(&self.0).wakers.is_empty()).await;
    }

    /// Waits until it is open.
    pub(crate) fn wait(&self) -> Wait {
        Wait(self.clone())
    }
}

/// The future of [`Gate::wait`].
pub(crate) struct Wait(Gate);

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.0.0);
        if state.open {
            drop(state);
            return Poll::Ready(());
        }
        if !state.wakers.iter().any(|known| known.will_wake(&waker)) {
            state.wakers.push(waker);
        }
        Poll::Pending
    }
}

/// A place for a value that one side puts there and one other takes.
pub(crate) struct Slot<T>(Arc<Mutex<Option<T>>>, Gate);

impl<T> Clone for Slot<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), self.1.clone())
    }
}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Self(Arc::default(), Gate::new())
    }

    /// Puts the value there; from any thread.
    pub(crate) fn put(&self, value: T) {
        *lock(&self.0) = Some(value);
        self.1.open();
    }

    /// Waits for the value and takes it.
    pub(crate) async fn take(&self) -> T {
        self.1.wait().await;
        let value = lock(&self.0).take();
        value.expect("it is taken once")
    }
}
