//! Probes that count polls, drops and wakes, and are woken by hand.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// A waker that counts.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let wakes = Arc::new(Self::default());
        (Arc::clone(&wakes), Waker::from(wakes))
    }

    /// How often it was woken since the last call.
    pub(crate) fn take(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future by hand.
pub(crate) fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(waker))
}

/// Polls until it is ready, without waiting for wakes; returns how many polls that took.
pub(crate) fn drive<F: Future>(future: F) -> (F::Output, usize) {
    let mut future = std::pin::pin!(future);
    for polls in 1.. {
        if let Poll::Ready(output) = poll(future.as_mut(), Waker::noop()) {
            return (output, polls);
        }
    }
    unreachable!()
}

/// What is seen of all probes of a test, in order: polls as `p3`, drops as `d3`.
#[derive(Clone, Default)]
pub(crate) struct Log(Rc<RefCell<Vec<String>>>);

impl Log {
    pub(crate) fn add(&self, what: char, index: usize) {
        self.0.borrow_mut().push(format!("{what}{index}"));
    }

    /// What was seen since the last call.
    pub(crate) fn take(&self) -> String {
        self.0.take().join(" ")
    }
}

/// What a probe does within a poll.
type Action = Box<dyn FnOnce()>;

/// The hand that ends or wakes a probe.
#[derive(Clone, Default)]
pub(crate) struct Hand {
    value: Rc<Cell<Option<u32>>>,
    waker: Rc<RefCell<Option<Waker>>>,
    action: Rc<RefCell<Option<Action>>>,
}

impl Hand {
    /// Runs `action` within the next poll.
    pub(crate) fn on_poll(&self, action: impl FnOnce() + 'static) {
        *self.action.borrow_mut() = Some(Box::new(action));
    }

    /// Makes the probe ready, without a wake.
    pub(crate) fn set(&self, value: u32) {
        self.value.set(Some(value));
    }

    /// Wakes the probe through the waker of its last poll.
    pub(crate) fn wake(&self) {
        let waker = self.waker.borrow().clone();
        waker.expect("it was polled").wake();
    }

    /// Makes the probe ready, and wakes it.
    pub(crate) fn end(&self, value: u32) {
        self.set(value);
        self.wake();
    }

    /// The waker of its last poll.
    pub(crate) fn waker(&self) -> Waker {
        self.waker.borrow().clone().expect("it was polled")
    }
}

/// A child that is pending until its hand ends it.
pub(crate) struct Probe {
    index: usize,
    log: Log,
    hand: Hand,
    ended: bool,
}

/// So many probes, and their hands.
pub(crate) fn probes(count: usize, log: &Log) -> (Vec<Probe>, Vec<Hand>) {
    let hands: Vec<_> = (0..count).map(|_| Hand::default()).collect();
    let probe = |(index, hand): (usize, &Hand)| Probe {
        index,
        log: log.clone(),
        hand: hand.clone(),
        ended: false,
    };
    (hands.iter().enumerate().map(probe).collect(), hands)
}

impl Future for Probe {
    type Output = u32;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<u32> {
        assert!(!self.ended, "a finished child was polled");
        self.log.add('p', self.index);
        let action = self.hand.action.take();
        if let Some(action) = action {
            action();
        }
        if let Some(value) = self.hand.value.take() {
            self.ended = true;
            return Poll::Ready(value);
        }
        *self.hand.waker.borrow_mut() = Some(cx.waker().clone());
        Poll::Pending
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.log.add('d', self.index);
    }
}
