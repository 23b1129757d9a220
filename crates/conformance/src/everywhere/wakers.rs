//! The wakers around a body: counted, and, if wanted, another one for each poll.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

use pin_project_lite::pin_project;

use crate::probe::lock;

/// The wakers of one run.
#[derive(Debug, Default)]
pub(super) struct Wakers {
    /// Each poll gets a waker of its own, and only that of the last poll counts.
    fresh: bool,
    /// The present waker.
    number: AtomicUsize,
    polls: AtomicUsize,
    woken: AtomicBool,
    /// How many have not been dropped.
    live: AtomicUsize,
    /// How many times an old one was woken.
    stale: AtomicUsize,
    /// Who polls.
    outer: Mutex<Option<Waker>>,
}

impl Wakers {
    pub(super) fn new(fresh: bool) -> Arc<Self> {
        Arc::new(Self {
            fresh,
            // The first poll needs no wake.
            woken: AtomicBool::new(true),
            ..Self::default()
        })
    }

    /// How many wakers have not been dropped, all clones of one together.
    pub(super) fn live(&self) -> usize {
        self.live.load(Ordering::SeqCst)
    }

    /// How many times a waker was woken after a poll with a newer one.
    pub(super) fn stale(&self) -> usize {
        self.stale.load(Ordering::SeqCst)
    }

    /// How many times the future was polled.
    pub(super) fn polls(&self) -> usize {
        self.polls.load(Ordering::SeqCst)
    }

    fn next(self: &Arc<Self>) -> Waker {
        let number = self.number.fetch_add(1, Ordering::SeqCst) + 1;
        self.live.fetch_add(1, Ordering::SeqCst);
        Waker::from(Arc::new(Counted {
            wakers: Arc::clone(self),
            number,
        }))
    }
}

/// One of the wakers.
struct Counted {
    wakers: Arc<Wakers>,
    number: usize,
}

impl Wake for Counted {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let wakers = &self.wakers;
        if wakers.fresh && wakers.number.load(Ordering::SeqCst) != self.number {
            wakers.stale.fetch_add(1, Ordering::SeqCst);
            return;
        }
        wakers.woken.store(true, Ordering::SeqCst);
        let outer = lock(&wakers.outer).clone();
        if let Some(outer) = outer {
            outer.wake();
        }
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.wakers.live.fetch_sub(1, Ordering::SeqCst);
    }
}

pin_project! {
    /// A future that is polled with these wakers.
    pub(super) struct Supplied<F> {
        #[pin]
        future: F,
        wakers: Arc<Wakers>,
        // The one that is in use, if it is kept.
        kept: Option<Waker>,
        // The future is not polled unless it was woken, so that a lost wake is seen.
        strict: bool,
    }
}

impl<F> Supplied<F> {
    pub(super) fn new(future: F, wakers: Arc<Wakers>, strict: bool) -> Self {
        Self {
            future,
            wakers,
            kept: None,
            strict,
        }
    }
}

impl<F: Future> Future for Supplied<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let waker = cx.waker().clone();
        let old = lock(&this.wakers.outer).replace(waker);
        drop(old);
        if !this.wakers.woken.swap(false, Ordering::SeqCst) && *this.strict {
            return Poll::Pending;
        }
        if this.wakers.fresh || this.kept.is_none() {
            *this.kept = Some(this.wakers.next());
        }
        this.wakers.polls.fetch_add(1, Ordering::SeqCst);
        let waker = this.kept.as_ref().expect("it was just put there");
        let poll = this.future.poll(&mut Context::from_waker(waker));
        if poll.is_ready() {
            *this.kept = None;
        }
        poll
    }
}
