//! Futures that are polled by hand.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts wakes.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn waker(self: &Arc<Self>) -> Waker {
        Waker::from(Arc::clone(self))
    }

    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that is polled by hand, and its wakes.
pub(crate) struct Hand<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    wakes: Arc<Wakes>,
}

impl<'a, T> Hand<'a, T> {
    pub(crate) fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self {
            future: Box::pin(future),
            wakes: Arc::default(),
        }
    }

    /// One that was polled, and waits.
    pub(crate) fn waiting(future: impl Future<Output = T> + 'a) -> Self {
        let mut hand = Self::new(future);
        assert!(hand.poll().is_none(), "it does not wait");
        hand
    }

    pub(crate) fn poll(&mut self) -> Option<T> {
        let waker = self.wakes.waker();
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    pub(crate) fn is_woken(&self) -> bool {
        self.wakes.count() > 0
    }

    pub(crate) fn wakes(&self) -> Arc<Wakes> {
        Arc::clone(&self.wakes)
    }

    /// What it gives; it was woken for it.
    #[track_caller]
    pub(crate) fn given(mut self) -> T {
        assert!(self.is_woken(), "it was not woken");
        self.poll().expect("it was woken for nothing")
    }
}

/// What a future gives that does not wait.
#[track_caller]
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    Hand::new(future).poll().expect("it waits")
}
