//! A future that is moved by hand: when it is ready, and whether anybody is told, are two things.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use super::lock;

/// The hand that moves a future.
pub(crate) struct Manual<T>(Arc<Mutex<State<T>>>);

struct State<T> {
    value: Option<T>,
    polls: usize,
    waker: Option<Waker>,
}

impl<T> Clone for Manual<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Manual<T> {
    pub(crate) fn new() -> Self {
        let state = State {
            value: None,
            polls: 0,
            waker: None,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The future; polls of all futures of one hand are counted together.
    pub(crate) fn future(&self) -> ManualFuture<T> {
        ManualFuture(self.clone())
    }

    /// Makes the next poll ready, and tells nobody.
    pub(crate) fn set(&self, value: T) {
        lock(&self.0).value = Some(value);
    }

    /// Wakes the waker of the last poll, which stays.
    pub(crate) fn wake(&self) {
        if let Some(waker) = self.waker() {
            waker.wake();
        }
    }

    /// Returns the waker of the last poll, which stays.
    pub(crate) fn waker(&self) -> Option<Waker> {
        lock(&self.0).waker.clone()
    }

    /// Makes it ready and wakes.
    pub(crate) fn finish(&self, value: T) {
        self.set(value);
        self.wake();
    }

    /// How many times it was polled.
    pub(crate) fn polls(&self) -> usize {
        lock(&self.0).polls
    }
}

/// The future of [`Manual::future`].
pub(crate) struct ManualFuture<T>(Manual<T>);

impl<T> Future for ManualFuture<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.0.0);
        state.polls += 1;
        let old = state.waker.replace(waker);
        let value = state.value.take();
        drop(state);
        drop(old);
        value.map_or(Poll::Pending, Poll::Ready)
    }
}
