//! A channel with its lock: the polls of those who put, take and reserve.
//!
//! Each poll takes the lock once, and once more if it has to wait with a foreign waker, which is cloned
//! between the two. Everything that is woken or dropped is, once the lock is free.

use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::thread::{self, Thread};

use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use super::line::Stage;
use super::sharing::{Exclusive, Sharing, Threads};
use super::state::State;
use super::store::Store;
use super::wakes::Wakes;
use crate::context::assert_may_block;
use crate::loom::{assert_unlocked, fault};
use crate::runtime::header;
use crate::util::{drop_foreign, wake_contained};

/// See the module.
pub(crate) struct Shared<T, S, M: Sharing = Threads>(M::Lock<State<T, S>>);

/// The number of a waiter, while it is one.
pub(crate) type Key = Option<usize>;

/// What came of a value that was to be put.
enum Put<T> {
    /// It was put; and whom to wake for it.
    Done(Option<Waker>),
    /// It is in the line, with this number.
    Waits(usize),
    Closed(T),
    /// It is to wait, and is not in the line yet.
    Full(T),
}

/// What came of looking for a value.
enum Get<T> {
    /// It was taken; and whom to wake for it.
    Done(T, Option<Waker>),
    /// One waits for it in the line, with this number.
    Waits(usize),
    Over,
    /// One is to wait, and is not in the line yet.
    Empty,
}

impl<T, S: Store<T>, M: Sharing> Shared<T, S, M> {
    pub(crate) fn new(capacity: usize) -> Self {
        Self(Exclusive::new(State::new(capacity)))
    }

    /// Looks at the state.
    pub(crate) fn see<R>(&self, f: impl FnOnce(&State<T, S>) -> R) -> R {
        self.0.with(|state| f(state))
    }

    /// Changes the state, and wakes whom that concerns.
    #[inline]
    pub(crate) fn change<R>(&self, f: impl FnOnce(&mut State<T, S>, &mut Wakes) -> R) -> R {
        let mut wakes = Wakes::default();
        let result = self.alter(|state| f(state, &mut wakes));
        wakes.wake();
        result
    }

    /// Changes the state in any way, and reckons afterwards what may be done the quick way.
    #[inline]
    fn alter<R>(&self, f: impl FnOnce(&mut State<T, S>) -> R) -> R {
        self.0.with(|state| {
            let result = f(state);
            state.reckon();
            result
        })
    }

    pub(crate) fn try_put(&self, value: T) -> Result<(), TrySendError<T>> {
        let waker = self.alter(|state| state.try_put(value))?;
        wake(waker);
        Ok(())
    }

    pub(crate) fn try_get(&self) -> Result<T, TryRecvError> {
        let (value, waker) = self.alter(State::try_get)?;
        wake(waker);
        Ok(value)
    }

    /// Puts the value, or waits for a place with it.
    #[inline(always)]
    pub(crate) fn poll_put(
        &self,
        value: &mut Option<T>,
        key: &mut Key,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        if let Some(waiter) = *key {
            if self.0.with(|state| state.finish_sent(waiter)) {
                *key = None;
                return Poll::Ready(Ok(()));
            }
            return self.poll_put_again(key, cx);
        }
        let unsent = value
            .take()
            .expect("a send is not polled after it was ready");
        let put = self.0.with(|state| match state.quick_put(unsent) {
            Ok(()) => Put::Done(None),
            Err(unsent) => Self::put_or_line_up(state, unsent, cx),
        });
        match put {
            Put::Done(waker) => {
                wake(waker);
                Poll::Ready(Ok(()))
            }
            Put::Waits(waiter) => {
                *key = Some(waiter);
                Poll::Pending
            }
            Put::Closed(value) => Poll::Ready(Err(SendError(value))),
            Put::Full(value) => self.wait_to_put(value, key, cx),
        }
    }

    #[inline(never)]
    fn put_or_line_up(state: &mut State<T, S>, value: T, cx: &Context<'_>) -> Put<T> {
        let put = match state.try_put(value) {
            Ok(waker) => Put::Done(waker),
            Err(TrySendError::Closed(value)) => Put::Closed(value),
            Err(TrySendError::Full(value)) if state.capacity() > 0 && is_own(cx) => {
                Put::Waits(state.line_up(Stage::Put(value), cx.waker().clone()))
            }
            Err(TrySendError::Full(value)) => Put::Full(value),
        };
        state.reckon();
        put
    }

    #[inline(never)]
    fn poll_put_again(&self, key: &mut Key, cx: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        Poll::Ready(match ready!(self.poll_served(key, cx)) {
            Stage::Refused(value) => Err(SendError(value)),
            _ => Ok(()),
        })
    }

    /// With a foreign waker, which is cloned while the lock is free.
    #[inline(never)]
    fn wait_to_put(
        &self,
        value: T,
        key: &mut Key,
        cx: &Context<'_>,
    ) -> Poll<Result<(), SendError<T>>> {
        let mut waker = Some(clone(cx));
        let outcome = self.change(|state, wakes| {
            let again = match fault("a_sender_waits_without_a_second_look") {
                true => Err(TrySendError::Full(value)),
                false => state.try_put(value),
            };
            match again {
                Ok(waker) => {
                    wakes.add(waker);
                    Poll::Ready(Ok(()))
                }
                Err(TrySendError::Closed(value)) => Poll::Ready(Err(SendError(value))),
                Err(TrySendError::Full(value)) => {
                    let waker = waker.take().expect("it is used once");
                    *key = Some(state.wait(Stage::Put(value), waker, wakes));
                    Poll::Pending
                }
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
    #[inline(always)]
    pub(crate) fn poll_get(&self, key: &mut Key, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        if let Some(waiter) = *key {
            if let Some(value) = self.0.with(|state| state.finish_got(waiter)) {
                *key = None;
                return Poll::Ready(Ok(value));
            }
            match ready!(self.poll_served(key, cx)) {
                Stage::Got(_, value) => return Poll::Ready(Ok(value)),
                Stage::Ended => return Poll::Ready(Err(RecvError)),
                // Another handle took what this one was given: ask again.
                _ => {}
            }
        }
        let get = self.0.with(|state| match state.quick_get() {
            Some(value) => Get::Done(value, None),
            None => Self::get_or_line_up(state, cx),
        });
        match get {
            Get::Done(value, waker) => {
                wake(waker);
                Poll::Ready(Ok(value))
            }
            Get::Waits(waiter) => {
                *key = Some(waiter);
                Poll::Pending
            }
            Get::Over => Poll::Ready(Err(RecvError)),
            Get::Empty => self.wait_to_get(key, cx),
        }
    }

    #[inline(never)]
    fn get_or_line_up(state: &mut State<T, S>, cx: &Context<'_>) -> Get<T> {
        let get = match state.try_get() {
            Ok((value, waker)) => Get::Done(value, waker),
            Err(TryRecvError::Closed) => Get::Over,
            Err(TryRecvError::Empty) if state.capacity() > 0 && is_own(cx) => {
                Get::Waits(state.line_up(Stage::Get, cx.waker().clone()))
            }
            Err(TryRecvError::Empty) => Get::Empty,
        };
        state.reckon();
        get
    }

    /// With a foreign waker, which is cloned while the lock is free.
    #[inline(never)]
    fn wait_to_get(&self, key: &mut Key, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        let mut waker = Some(clone(cx));
        let outcome = self.change(|state, wakes| {
            let again = match fault("a_receiver_waits_without_a_second_look") {
                true => Err(TryRecvError::Empty),
                false => state.try_get(),
            };
            match again {
                Ok((value, waker)) => {
                    wakes.add(waker);
                    Poll::Ready(Ok(value))
                }
                Err(TryRecvError::Closed) => Poll::Ready(Err(RecvError)),
                Err(TryRecvError::Empty) => {
                    let waker = waker.take().expect("it is used once");
                    *key = Some(state.wait(Stage::Get, waker, wakes));
                    Poll::Pending
                }
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
    #[inline(never)]
    fn poll_served(&self, slot: &mut Key, cx: &Context<'_>) -> Poll<Stage<T>> {
        let Some(key) = *slot else {
            unreachable!("it waits")
        };
        let mut is_last = false;
        let looked = self.0.with(|state| match state.finish(key) {
            Some(stage) => {
                is_last = state.may_be_over();
                Err(stage)
            }
            None => Ok(state.is_known(key, cx.waker())),
        });
        let served = match looked {
            Ok(true) => return Poll::Pending,
            Ok(false) => self.change_waker(key, cx, &mut is_last),
            Err(stage) => Some(stage),
        };
        let Some(stage) = served else {
            return Poll::Pending;
        };
        *slot = None;
        if is_last {
            self.change(State::end_gets);
        }
        Poll::Ready(stage)
    }

    /// The stage of a waiter that was served after all; otherwise it waits with another waker now.
    #[cold]
    fn change_waker(&self, key: usize, cx: &Context<'_>, is_last: &mut bool) -> Option<Stage<T>> {
        let mut waker = Some(clone(cx));
        let served = self.0.with(|state| {
            let served = match fault("a_waker_comes_after_the_wake") {
                true => None,
                false => state.finish(key),
            };
            match &served {
                None => std::mem::swap(&mut waker, state.waker_of(key)),
                Some(_) => *is_last = state.may_be_over(),
            }
            served
        });
        drop_foreign(waker);
        served
    }

    /// A waiter goes, if it is one.
    #[inline(always)]
    pub(crate) fn leave(&self, key: &mut Key) {
        if key.is_some() {
            self.leave_line(key);
        }
    }

    #[cold]
    fn leave_line(&self, key: &mut Key) {
        if let Some(key) = key.take() {
            let left = self.change(|state, wakes| state.leave(key, wakes));
            drop_foreign(left.waker);
            drop(left.value);
        }
    }
}

/// Whether the waker is core's own, which may be cloned under the lock.
fn is_own(cx: &Context<'_>) -> bool {
    header::is_own(cx.waker())
}

/// Wakes one, if there is one; the lock is free.
#[inline(always)]
fn wake(waker: Option<Waker>) {
    if waker.is_some() {
        wake_contained(waker);
    }
}

/// The waker, cloned while the lock is free.
pub(super) fn clone(cx: &Context<'_>) -> Waker {
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
