//! Locks, permits, events and barriers, poll by poll: the facts of asyncio's and Trio's that `kumi::sync` keeps,
//! also of those types that come from elsewhere.
//!
//! No runtime is needed, so no backend is: futures are polled by hand.

#[path = "sync/barrier.rs"]
mod barrier;
#[path = "sync/condition.rs"]
mod condition;
#[path = "sync/event.rs"]
mod event;
#[path = "sync/limiter.rs"]
mod limiter;
#[path = "sync/lock.rs"]
mod lock;
#[path = "sync/scopes.rs"]
mod scopes;
#[path = "sync/semaphore.rs"]
mod semaphore;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// Counts wakes.
#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that is polled by hand, and its wakes.
struct Hand<'a, T> {
    future: Pin<Box<dyn Future<Output = T> + 'a>>,
    wakes: Arc<Wakes>,
}

impl<'a, T> Hand<'a, T> {
    fn new(future: impl Future<Output = T> + 'a) -> Self {
        Self {
            future: Box::pin(future),
            wakes: Arc::default(),
        }
    }

    /// One that was polled, and waits.
    fn waiting(future: impl Future<Output = T> + 'a) -> Self {
        let mut hand = Self::new(future);
        assert!(hand.poll().is_none(), "it does not wait");
        hand
    }

    fn poll(&mut self) -> Option<T> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match self.future.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        }
    }

    fn is_woken(&self) -> bool {
        self.wakes.0.load(Ordering::Relaxed) > 0
    }

    /// What it gives; it was woken for it.
    #[track_caller]
    fn given(mut self) -> T {
        assert!(self.is_woken(), "it was not woken");
        self.poll().expect("it was woken for nothing")
    }
}

/// What a future gives that does not wait.
#[track_caller]
fn now<T>(future: impl Future<Output = T>) -> T {
    Hand::new(future).poll().expect("it waits")
}
