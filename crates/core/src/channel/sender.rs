//! The end that sends.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, ready};

use super::error::{SendError, TrySendError};
use super::permit::{Permit, Reserve};
use super::shared::{Key, block_on};
use super::sharing::{Sharing, Threads};
use super::sink::SendSink;
use super::state::State;
use super::{Channel, both_ends, upgrade};
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted};
use crate::loom::{Ordering, count_off, fault};

/// The end of a channel that sends; clones send into the same one. Made by
/// [`bounded`](super::bounded).
///
/// The channel closes when the last one is dropped.
pub struct Sender<T, S: Sharing = Threads> {
    pub(super) channel: Arc<Channel<T, S>>,
}

impl<T, S: Sharing> Sender<T, S> {
    pub(super) fn new(channel: Arc<Channel<T, S>>) -> Self {
        Self { channel }
    }

    both_ends!();

    /// Sends `value`; waits for a place if there is none.
    ///
    /// # Cancel safety
    ///
    /// If it is dropped, the value was either sent or is dropped with it; and it loses its place in the
    /// line. [`reserve`](Self::reserve) waits without a value.
    ///
    /// # Errors
    ///
    /// The value, if the channel is closed, also if that happens while it waits.
    ///
    /// # Panics
    ///
    /// When polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::channel::{SendError, bounded};
    /// use kumi_core::runtime::Runtime;
    ///
    /// kumi_sim::Sim::new().block_on(async {
    ///     let (sender, receiver) = bounded(1);
    ///     sender.send("hello").await.unwrap();
    ///     assert_eq!(receiver.recv().await, Ok("hello"));
    ///     drop(receiver);
    ///     assert_eq!(sender.send("anybody?").await, Err(SendError("anybody?")));
    /// });
    /// ```
    #[inline]
    pub fn send(&self, value: T) -> SendFuture<'_, T, S> {
        SendFuture {
            channel: &self.channel,
            value: Some(value),
            key: None,
        }
    }

    /// Sends `value` if that is possible at once: if there is a place, and nobody waits for one.
    ///
    /// # Errors
    ///
    /// The value, and whether the channel is full or closed.
    pub fn try_send(&self, value: T) -> Result<(), TrySendError<T>> {
        self.channel.values.try_put(value)
    }

    /// Waits for a place, and keeps it for a value that is made later.
    ///
    /// A place counts as taken until the [`Permit`] is used or dropped. The value comes behind all that
    /// are sent before it. At a rendezvous there is a place once a receiver waits; if that one goes, the
    /// value is kept for the next.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped but its place in the line.
    ///
    /// # Errors
    ///
    /// If the channel is closed, also if that happens while it waits.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::channel::bounded;
    /// use kumi_core::runtime::Runtime;
    ///
    /// kumi_sim::Sim::new().block_on(async {
    ///     let (sender, receiver) = bounded(1);
    ///     let permit = sender.reserve().await.unwrap();
    ///     assert!(sender.try_send(1).is_err());
    ///     permit.send(2).unwrap();
    ///     assert_eq!(receiver.recv().await, Ok(2));
    /// });
    /// ```
    pub fn reserve(&self) -> Reserve<'_, T, S> {
        Reserve::new(&self.channel)
    }

    /// A place, if there is one at once and nobody waits for one.
    ///
    /// # Errors
    ///
    /// Whether the channel is full or closed.
    pub fn try_reserve(&self) -> Result<Permit<'_, T, S>, TrySendError<()>> {
        match self.channel.values.change(|state, _| state.try_reserve()) {
            Some(true) => Ok(Permit::new(&self.channel)),
            Some(false) => Err(TrySendError::Full(())),
            None => Err(TrySendError::Closed(())),
        }
    }

    /// The same end as a [`Sink`](futures_sink::Sink).
    pub fn into_sink(self) -> SendSink<T, S> {
        SendSink::new(self)
    }

    /// A handle that does not keep the channel open.
    #[must_use]
    pub fn downgrade(&self) -> WeakSender<T, S> {
        WeakSender(Arc::downgrade(&self.channel))
    }

    /// Whether both send into the same channel.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.channel, &other.channel)
    }
}

impl<T> Sender<T> {
    /// Sends `value` from a thread that runs no tasks; waits for a place, blocking the thread.
    ///
    /// # Errors
    ///
    /// The value, if the channel is closed.
    ///
    /// # Panics
    ///
    /// Inside a task, where it would block others: `send(..).await` there.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::channel::bounded;
    ///
    /// let (sender, receiver) = bounded(1);
    /// let thread = std::thread::spawn(move || {
    ///     for number in 0..10 {
    ///         sender.send_blocking(number).unwrap();
    ///     }
    /// });
    /// let sum: u32 = std::iter::from_fn(|| receiver.recv_blocking().ok()).sum();
    /// thread.join().unwrap();
    /// assert_eq!(sum, 45);
    /// ```
    #[track_caller]
    pub fn send_blocking(&self, value: T) -> Result<(), SendError<T>> {
        let mut send = self.send(value);
        block_on("Sender::send_blocking", |cx| send.poll_put(cx))
    }
}

impl<T, S: Sharing> Clone for Sender<T, S> {
    fn clone(&self) -> Self {
        self.channel.senders.fetch_add(1, Ordering::Relaxed);
        Self::new(Arc::clone(&self.channel))
    }
}

impl<T, S: Sharing> Drop for Sender<T, S> {
    fn drop(&mut self) {
        let in_two_steps = fault("handles_counted_off_in_two_steps");
        if count_off(&self.channel.senders, in_two_steps) {
            self.channel.values.change(State::last_sender_went);
        }
    }
}

impl<T, S: Sharing> fmt::Debug for Sender<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("capacity", &self.capacity())
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// A [`Sender`] that does not keep its channel open.
pub struct WeakSender<T, S: Sharing = Threads>(Weak<Channel<T, S>>);

impl<T, S: Sharing> WeakSender<T, S> {
    /// A sender, if there still is one.
    #[must_use]
    pub fn upgrade(&self) -> Option<Sender<T, S>> {
        let channel = self.0.upgrade()?;
        upgrade(&channel.senders).then(|| Sender::new(channel))
    }
}

impl<T, S: Sharing> Clone for WeakSender<T, S> {
    fn clone(&self) -> Self {
        Self(Weak::clone(&self.0))
    }
}

impl<T, S: Sharing> fmt::Debug for WeakSender<T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WeakSender")
    }
}

/// The future of [`Sender::send`].
#[must_use = "futures do nothing unless polled"]
pub struct SendFuture<'a, T, S: Sharing = Threads> {
    channel: &'a Channel<T, S>,
    /// None once it was sent, or put into the line.
    value: Option<T>,
    key: Key,
}

impl<T, S: Sharing> SendFuture<'_, T, S> {
    #[inline(always)]
    fn poll_put(&mut self, cx: &Context<'_>) -> Poll<Result<(), SendError<T>>> {
        let Self {
            channel,
            value,
            key,
        } = self;
        channel.values.poll_put(value, key, cx)
    }
}

// The value is never pinned.
impl<T, S: Sharing> Unpin for SendFuture<'_, T, S> {}

impl<T, S: Sharing> Future for SendFuture<'_, T, S> {
    type Output = Result<(), SendError<T>>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_checkpoint(cx));
        noted(self.poll_put(cx), || {
            WaitsFor::Other("a place in a channel")
        })
    }
}

impl<T, S: Sharing> Drop for SendFuture<'_, T, S> {
    #[inline]
    fn drop(&mut self) {
        self.channel.values.leave(&mut self.key);
    }
}

impl<T, S: Sharing> fmt::Debug for SendFuture<'_, T, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendFuture").finish_non_exhaustive()
    }
}
