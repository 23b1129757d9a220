//! A channel with its lock: the polls of those who put, take and reserve.
//!
//! Each poll takes the lock once, and once more if it has to wait: its waker is cloned between the two,
//! since that is foreign code. Everything that is woken or dropped is, once the lock is free.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};

use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use super::line::Stage;
use super::state::{State, Wakes};
use super::store::Store;
use crate::context::assert_may_block;
use crate::loom::{Mutex, assert_unlocked};
use crate::util::{drop_foreign, wake_contained};

/// See the module.
pub(crate) struct Shared<T, S>(Mutex<State<T, S>>);

/// The number of a waiter, while it is one.
pub(crate) type Key = Option<usize>;

impl<T, S: Store<T>> Shared<T, S> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Mutex::new(State::new(capacity)))
    }

    /// Looks at the state.
    pub(crate) fn see<R>(&self, f: impl FnOnce(&State<T, S>) -> R) -> R {
        f(&self.0.lock())
    }

    /// Changes the state, and wakes whom that concerns.
    #[inline]
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut State<T, S>, &mut Wakes) -> R) -> R {
        let mut wakes = Wakes::default();
        let result = f(&mut self.0.lock(), &mut wakes);
        wake_contained(wakes);
        result
    }

    pub(crate) fn try_put(&self, value: T) -> Result<(), TrySendError<T>> {
        self.change(|state, wakes| state.try_put(value, wakes))
    }

    pub(crate) fn try_get(&self) -> Result<T, TryRecvError> {
        self.change(State::try_get)
    }

    /// Puts the value, or waits for a place with it.
    #[inline]
    pub(crate) fn poll_put(
        &self,
        value: &mut Option<T>,
        key: &mut Key,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        if key.is_some() {
            return Poll::Ready(match ready!(self.poll_served(key, cx)) {
                Stage::Refused(value) => Err(SendError(value)),
                _ => Ok(()),
            });
        }
        let unsent = value
            .take()
            .expect("a send is not polled after it was ready");
        let unsent = match self.try_put(unsent) {
            Ok(()) => return Poll::Ready(Ok(())),
            Err(TrySendError::Closed(value)) => return Poll::Ready(Err(SendError(value))),
            Err(TrySendError::Full(value)) => value,
        };
        let mut waker = Some(clone(cx));
        let outcome = self.change(|state, wakes| match state.try_put(unsent, wakes) {
            Ok(()) => Poll::Ready(Ok(())),
            Err(TrySendError::Closed(value)) => Poll::Ready(Err(SendError(value))),
            Err(TrySendError::Full(value)) => {
                let waker = waker.take().expect("it is used once");
                *key = Some(state.wait(Stage::Put(value), waker, wakes));
                Poll::Pending
            }
        });
        drop_foreign(waker);
        outcome
    }

    /// Is promised a place, or waits for one.
    pub(crate) fn poll_reserve(
        &self,
        key: &mut Key,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError<()>>> {
        if key.is_some() {
            return Poll::Ready(match ready!(self.poll_served(key, cx)) {
                Stage::Reserved => Ok(()),
                _ => Err(SendError(())),
            });
        }
        let mut waker = Some(clone(cx));
        let outcome = self.change(|state, wakes| match state.try_reserve() {
            None => Poll::Ready(Err(SendError(()))),
            Some(true) => Poll::Ready(Ok(())),
            Some(false) => {
                let waker = waker.take().expect("it is used once");
                *key = Some(state.wait(Stage::Reserve, waker, wakes));
                Poll::Pending
            }
        });
        drop_foreign(waker);
        outcome
    }

    /// Takes a value, or waits for one.
    #[inline]
    pub(crate) fn poll_get(&self, key: &mut Key, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        if key.is_some() {
            match ready!(self.poll_served(key, cx)) {
                Stage::Got(_, value) => return Poll::Ready(Ok(value)),
                Stage::Ended => return Poll::Ready(Err(RecvError)),
                // Another handle took what this one was given: ask again.
                _ => {}
            }
        }
        match self.try_get() {
            Ok(value) => return Poll::Ready(Ok(value)),
            Err(TryRecvError::Closed) => return Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) => {}
        }
        let mut waker = Some(clone(cx));
        let outcome = self.change(|state, wakes| match state.try_get(wakes) {
            Ok(value) => Poll::Ready(Ok(value)),
            Err(TryRecvError::Closed) => Poll::Ready(Err(RecvError)),
            Err(TryRecvError::Empty) => {
                let waker = waker.take().expect("it is used once");
                *key = Some(state.wait(Stage::Get, waker, wakes));
                Poll::Pending
            }
        });
        drop_foreign(waker);
        outcome
    }

    /// Waits until no value is unfinished.
    pub(crate) fn poll_join(&self, key: &mut Key, cx: &Context<'_>) -> Poll<()> {
        if key.is_some() {
            return self.poll_served(key, cx).map(drop);
        }
        let mut waker = Some(clone(cx));
        let outcome = self.change(|state, wakes| match state.unfinished() {
            0 => Poll::Ready(()),
            _ => {
                let waker = waker.take().expect("it is used once");
                *key = Some(state.wait(Stage::Join, waker, wakes));
                Poll::Pending
            }
        });
        drop_foreign(waker);
        outcome
    }

    /// The stage of a waiter that was served; it is none any more then.
    fn poll_served(&self, slot: &mut Key, cx: &Context<'_>) -> Poll<Stage<T>> {
        let Some(key) = *slot else {
            unreachable!("it waits")
        };
        {
            let mut state = self.0.lock();
            if !state.waits(key) {
                *slot = None;
                return Poll::Ready(state.finish(key));
            }
            if state.is_known(key, cx.waker()) {
                return Poll::Pending;
            }
        }
        let mut waker = Some(clone(cx));
        let served = {
            let mut state = self.0.lock();
            if state.waits(key) {
                std::mem::swap(&mut waker, state.waker_of(key));
                None
            } else {
                *slot = None;
                Some(state.finish(key))
            }
        };
        drop_foreign(waker);
        served.map_or(Poll::Pending, Poll::Ready)
    }

    /// A waiter goes.
    pub(crate) fn leave(&self, key: &mut Key) {
        if let Some(key) = key.take() {
            let left = self.change(|state, wakes| state.leave(key, wakes));
            drop_foreign(left.waker);
            drop(left.value);
        }
    }
}

fn clone(cx: &Context<'_>) -> Waker {
    assert_unlocked();
    cx.waker().clone()
}

/// Wakes a thread.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

/// Waits on this thread, which runs no task, for what `poll` says.
#[track_caller]
pub(crate) fn block_on<T>(what: &str, mut poll: impl FnMut(&Context<'_>) -> Poll<T>) -> T {
    assert_may_block(what);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let cx = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(value) = poll(&cx) {
            return value;
        }
        // A wake that was missed leaves a token, and one that was for something else is harmless.
        thread::park();
    }
}
