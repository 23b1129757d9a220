//! The end that receives.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use futures_core::stream::{FusedStream, Stream};

use super::error::{RecvError, TryRecvError};
use super::shared::{Key, block_on};
use super::sharing::{Sharing, Threads};
use super::state::State;
use super::{Channel, both_ends, upgrade};
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted};
use crate::loom::{Ordering, count_off, fault};
use crate::util::drop_foreign;

/// The end of a channel that receives; clones receive from the same one, each value only once. Made by
/// [`bounded`](super::bounded).
///
/// It is a [`Stream`] too. When the last one is dropped, values that are left are dropped at once, and
/// senders get theirs back.
pub struct Receiver<T, S: Sharing = Threads> {
    channel: Arc<Channel<T, S>>,
    /// This handle as a stream waits; it may have been given a value that it was not asked for since.
    key: Key,
}

impl<T, S: Sharing> Receiver<T, S> {
    pub(super) fn new(channel: Arc<Channel<T, S>>) -> Self {
        Self { channel, key: None }
    }

    both_ends!();

    /// Receives the next value; waits for one if there is none.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped but its place in the line: a value that was meant for it goes
    /// to the next receiver, before all that were sent later.
    ///
    /// # Errors
    ///
    /// If the channel is closed and all its values were received.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::channel::{RecvError, bounded};
    /// use kumi_core::runtime::Runtime;
    ///
    /// kumi_sim::Sim::new().block_on(async {
    ///     let (sender, receiver) = bounded(2);
    ///     sender.try_send(1).unwrap();
    ///     sender.try_send(2).unwrap();
    ///     drop(sender);
    ///     assert_eq!(receiver.recv().await, Ok(1));
    ///     assert_eq!(receiver.recv().await, Ok(2));
    ///     assert_eq!(receiver.recv().await, Err(RecvError));
    /// });
    /// ```
    #[inline]
    pub fn recv(&self) -> Recv<'_, T, S> {
        Recv {
            receiver: self,
            key: None,
        }
    }

    /// Receives a value if there is one at once.
    ///
    /// # Errors
    ///
    /// Whether there is none now, or none ever.
    pub fn try_recv(&self) -> Result<T, TryRecvError> {
        match self.take_over() {
            Some(value) => Ok(value),
            None => self.channel.values.try_get(),
        }
    }

    /// Waits for a value, and adds it to `buffer` with those that came meanwhile, `limit` at most;
    /// returns how many. None if the channel is closed and all its values were received, or if `limit`
    /// is zero.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: the buffer is added to only when it is ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::channel::bounded;
    /// use kumi_core::runtime::Runtime;
    ///
    /// kumi_sim::Sim::new().block_on(async {
    ///     let (sender, receiver) = bounded(8);
    ///     for number in 0..5 {
    ///         sender.send(number).await.unwrap();
    ///     }
    ///     let mut some = Vec::new();
    ///     assert_eq!(receiver.recv_many(&mut some, 3).await, 3);
    ///     assert_eq!(some, [0, 1, 2]);
    /// });
    /// ```
    pub fn recv_many<'a>(&'a self, buffer: &'a mut Vec<T>, limit: usize) -> RecvMany<'a, T, S> {
        RecvMany {
            recv: self.recv(),
            buffer,
            limit,
        }
    }

    /// A handle that keeps no values alive: the channel closes although there is one.
    #[must_use]
    pub fn downgrade(&self) -> WeakReceiver<T, S> {
        WeakReceiver(Arc::downgrade(&self.channel))
    }

    /// Whether both receive from the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }

    /// What this handle was given as a stream; as a stream it waits no more.
    #[inline(always)]
    fn take_over(&self) -> Option<T> {
        self.take_over_from(self.key?)
    }

    #[inline(never)]
    fn take_over_from(&self, key: usize) -> Option<T> {
        let take = |state: &mut State<_, _>, wakes: &mut _| state.take_over(key, wakes);
        let (value, waker) = self.channel.values.change(take);
        drop_foreign(waker);
        value
    }
}

impl<T> Receiver<T> {
    /// Receives the next value on a thread that runs no tasks; waits for one, blocking the thread.
    ///
    /// # Errors
    ///
    /// If the channel is closed and all its values were received.
    ///
    /// # Panics
    ///
    /// Inside a task, where it would block others: `recv().await` there.
    #[track_caller]
    pub fn recv_blocking(&self) -> Result<T, RecvError> {
        let mut recv = self.recv();
        block_on("Receiver::recv_blocking", |cx| recv.poll_get(cx))
    }
}

impl<T, S: Sharing> Clone for Receiver<T, S> {
    fn clone(&self) -> Self {
        self.channel.receivers.fetch_add(1, Ordering::Relaxed);
        Self::new(Arc::clone(&self.channel))
    }
}

impl<T, S: Sharing> Drop for Receiver<T, S> {
    fn drop(&mut self) {
        self.channel.values.leave(&mut self.key);
        let in_two_steps = fault("handles_counted_off_in_two_steps");
        if count_off(&self.channel.receivers, in_two_steps) {
            let left = self.channel.values.change(State::last_receiver_went);
            drop(left);
        }
    }
}

impl<T, S: Sharing> fmt::Debug for Receiver<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The values as they come. A value that a stream was given when it waited stays with this handle until
/// the stream is polled again, the handle receives, or it is dropped.
impl<T, S: Sharing> Stream for Receiver<T, S> {
    type Item = T;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        ready!(poll_checkpoint(cx));
        let Self { channel, key } = self.get_mut();
        noted(channel.values.poll_get(key, cx), item).map(Result::ok)
    }
}

impl<T, S: Sharing> FusedStream for Receiver<T, S> {
    fn is_terminated(&self) -> bool {
        self.key.is_none() && self.channel.values.see(State::is_over)
    }
}

/// What a receiver waits for.
fn item() -> WaitsFor {
    WaitsFor::Other("an item of a channel")
}

/// A [`Receiver`] that keeps no values alive.
pub struct WeakReceiver<T, S: Sharing = Threads>(Weak<Channel<T, S>>);

impl<T, S: Sharing> WeakReceiver<T, S> {
    /// A receiver, if there still is one.
    #[must_use]
    pub fn upgrade(&self) -> Option<Receiver<T, S>> {
        let channel = self.0.upgrade()?;
        upgrade(&channel.receivers).then(|| Receiver::new(channel))
    }
}

impl<T, S: Sharing> Clone for WeakReceiver<T, S> {
    fn clone(&self) -> Self {
        Self(Weak::clone(&self.0))
    }
}

impl<T, S: Sharing> fmt::Debug for WeakReceiver<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakReceiver")
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless polled"]
pub struct Recv<'a, T, S: Sharing = Threads> {
    receiver: &'a Receiver<T, S>,
    key: Key,
}

impl<T, S: Sharing> Recv<'_, T, S> {
    #[inline(always)]
    fn poll_get(&mut self, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        if self.key.is_none() {
            if let Some(value) = self.receiver.take_over() {
                return Poll::Ready(Ok(value));
            }
        }
        let values = &self.receiver.channel.values;
        values.poll_get(&mut self.key, cx)
    }
}

impl<T, S: Sharing> Future for Recv<'_, T, S> {
    type Output = Result<T, RecvError>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_checkpoint(cx));
        noted(self.poll_get(cx), item)
    }
}

impl<T, S: Sharing> Drop for Recv<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        self.receiver.channel.values.leave(&mut self.key);
    }
}

impl<T, S: Sharing> fmt::Debug for Recv<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}

/// The future of [`Receiver::recv_many`].
#[must_use = "futures do nothing unless polled"]
pub struct RecvMany<'a, T, S: Sharing = Threads> {
    recv: Recv<'a, T, S>,
    buffer: &'a mut Vec<T>,
    limit: usize,
}

impl<T, S: Sharing> Future for RecvMany<'_, T, S> {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        let Self {
            recv,
            buffer,
            limit,
        } = &mut *self;
        if *limit == 0 {
            return Poll::Ready(0);
        }
        let Ok(first) = ready!(Pin::new(&mut *recv).poll(cx)) else {
            return Poll::Ready(0);
        };
        let values = &recv.receiver.channel.values;
        // Not under the lock: memory for those that are there now.
        let more = values.see(State::len).min(*limit - 1);
        buffer.reserve(more + 1);
        buffer.push(first);
        let taken = values.change(|state, wakes| {
            let next = |_| {
                let (value, waker) = state.try_get().ok()?;
                wakes.add(waker);
                Some(value)
            };
            let taken = buffer.len();
            buffer.extend((0..more).map_while(next));
            buffer.len() - taken
        });
        Poll::Ready(taken + 1)
    }
}

impl<T, S: Sharing> fmt::Debug for RecvMany<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RecvMany").finish_non_exhaustive()
    }
}
