//! Every value, for every receiver; a bounded number of them is kept.
//!
//! [`channel`] makes a [`Sender`] and a [`Receiver`]; there may be more of both. Each receiver gets all values that
//! are sent after it was made, in their order.
//!
//! # Who is slow
//!
//! A sender never waits: if the channel is full, the oldest value goes to make room. A receiver that has
//! not seen it is told so before it gets the next one: [`RecvError::Lagged`] with the number of values
//! that it missed. So a slow receiver disturbs nobody, and nothing is lost in silence. (tokio's
//! `broadcast`, whose names these are. Where a sender is to wait for the slowest, give each receiver its own
//! [`bounded`](super::bounded) channel and [`gather`](crate::combine::gather) the sends.)
//!
//! # Structure
//!
//! One ring of values, each in an `Arc` with the number of receivers that have yet to get it, and the
//! number of the first value in the ring; a receiver knows the number of the value that it gets next. A
//! value is taken out when the last of them has got it: that one gets the value itself, the others clones, which
//! are made while no lock is held. Values that are in the ring were either got by nobody, or are behind
//! such a one: receivers get them in order.
//!
//! # Examples
//!
//! ```
//! use kumi_core::channel::broadcast::{self, RecvError};
//! use kumi_core::runtime::Runtime;
//!
//! kumi_sim::Sim::new().block_on(async {
//!     let (sender, mut one) = broadcast::channel(2);
//!     let mut two = sender.subscribe();
//!     sender.send("a").unwrap();
//!     assert_eq!(one.recv().await, Ok("a"));
//!     sender.send("b").unwrap();
//!     sender.send("c").unwrap();
//!     assert_eq!(one.recv().await, Ok("b"));
//!     assert_eq!(two.recv().await, Err(RecvError::Lagged(1)));
//!     assert_eq!(two.recv().await, Ok("b"));
//! });
//! ```

use std::collections::VecDeque;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::stream::Stream;

use super::error::SendError;
use super::listeners::{Listeners, change, leave, poll_look};
use super::shared::{Key, block_on};
use super::store::AT_ONCE;
use super::wakes::Wakes;
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted};
use crate::loom::{Lock, fault};

/// Why nothing was received.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecvError {
    /// So many values went by that this receiver did not get; the next one is the oldest that is left.
    Lagged(u64),
    /// All senders are gone, and this receiver got all values.
    Closed,
}

/// Why nothing could be received at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TryRecvError {
    /// There is nothing now.
    Empty,
    /// So many values went by that this receiver did not get; the next one is the oldest that is left.
    Lagged(u64),
    /// All senders are gone, and this receiver got all values.
    Closed,
}

impl fmt::Display for RecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lagged(missed) => write!(f, "too slow for a broadcast: {missed} values missed"),
            Self::Closed => f.write_str("receiving from an empty and closed channel"),
        }
    }
}

impl fmt::Display for TryRecvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Empty => f.write_str("receiving from an empty channel"),
            Self::Lagged(missed) => RecvError::Lagged(missed).fmt(f),
            Self::Closed => RecvError::Closed.fmt(f),
        }
    }
}

impl Error for RecvError {}
impl Error for TryRecvError {}

impl From<RecvError> for TryRecvError {
    fn from(error: RecvError) -> Self {
        match error {
            RecvError::Lagged(missed) => Self::Lagged(missed),
            RecvError::Closed => Self::Closed,
        }
    }
}

struct Shared<T>(Lock<State<T>>);

struct State<T> {
    ring: VecDeque<Sent<T>>,
    /// The number of the first value in the ring.
    first: u64,
    capacity: usize,
    senders: usize,
    receivers: usize,
    /// Receivers, for a value.
    listeners: Listeners,
}

struct Sent<T> {
    value: Arc<T>,
    /// How many receivers have yet to get it.
    left: usize,
}

impl<T> State<T> {
    /// The number of the value that is sent next.
    fn end(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    /// Adds a value, for which there is a receiver; gives the one that had to go for it.
    fn push(&mut self, value: Arc<T>, wakes: &mut Wakes) -> Option<Sent<T>> {
        let old = match self.ring.len() == self.capacity {
            true => self.ring.pop_front(),
            false => None,
        };
        self.first += u64::from(old.is_some());
        let left = self.receivers;
        self.ring.push_back(Sent { value, left });
        if !fault("a_broadcast_wakes_nobody") {
            self.listeners.tell(wakes);
        }
        old
    }

    /// Gives what is next for a receiver whose next value has the number `next`.
    fn get(&mut self, next: &mut u64) -> Result<Arc<T>, TryRecvError> {
        if *next < self.first {
            let missed = self.first - *next;
            *next = self.first;
            return Err(TryRecvError::Lagged(missed));
        }
        let place = (*next - self.first) as usize;
        let Some(sent) = self.ring.get_mut(place) else {
            return Err(match self.senders {
                0 => TryRecvError::Closed,
                _ => TryRecvError::Empty,
            });
        };
        *next += 1;
        sent.left -= 1;
        if sent.left > 0 {
            return Ok(Arc::clone(&sent.value));
        }
        // Who has yet to get one in front has yet to get this one.
        debug_assert_eq!(place, 0, "values are got in order");
        self.first += 1;
        let sent = self.ring.pop_front().expect("it is there");
        Ok(sent.value)
    }

    /// A receiver goes that has not got the values from number `next` on; gives those that nobody wants any
    /// more.
    fn leave(&mut self, next: u64) -> Vec<Sent<T>> {
        self.receivers -= 1;
        let from = (next.max(self.first) - self.first) as usize;
        for sent in self.ring.range_mut(from..) {
            sent.left -= 1;
        }
        if fault("a_broadcast_is_kept_for_nobody") {
            return Vec::new();
        }
        let unwanted = self.ring.iter().take_while(|sent| sent.left == 0).count();
        self.first += unwanted as u64;
        self.ring.drain(..unwanted).collect()
    }
}

impl<T> Shared<T> {
    fn subscribe(self: &Arc<Self>) -> Receiver<T> {
        let next = self.0.with(|state| {
            state.receivers += 1;
            state.end()
        });
        let (shared, key) = (Arc::clone(self), None);
        Receiver { shared, next, key }
    }
}

/// A channel that keeps at most `capacity` values for receivers that have not got them.
///
/// # Panics
///
/// If the capacity is zero or `usize::MAX`.
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    assert!(
        capacity > 0 && capacity < usize::MAX,
        "a broadcast needs a bound that a value fits into: take one such as 16"
    );
    let shared = Arc::new(Shared(Lock::new(State {
        ring: VecDeque::with_capacity(capacity.min(AT_ONCE)),
        first: 0,
        capacity,
        senders: 1,
        receivers: 0,
        listeners: Listeners::new(),
    })));
    let receiver = shared.subscribe();
    (Sender(shared), receiver)
}

/// The end that sends; clones send to the same receivers.
///
/// When the last one is dropped, receivers get the values that are left, and then
/// [`RecvError::Closed`].
pub struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Sends to all receivers, without waiting, and returns how many there are.
    ///
    /// If the channel is full, the oldest value goes: see [the module](self).
    ///
    /// # Errors
    ///
    /// The value, if there is no receiver; [`subscribe`](Self::subscribe) makes one.
    pub fn send(&self, value: T) -> Result<usize, SendError<T>> {
        // Not under the lock.
        let value = Arc::new(value);
        let sent = change(&self.0.0, |state, wakes| match state.receivers {
            0 => Err(value),
            receivers => Ok((receivers, state.push(value, wakes))),
        });
        match sent {
            Ok((receivers, _)) => Ok(receivers),
            Err(value) => {
                let value = Arc::into_inner(value).expect("nobody else has seen it");
                Err(SendError(value))
            }
        }
    }

    /// One more receiver, for all that is sent from now on.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        self.0.subscribe()
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.0.0.with(|state| state.receivers)
    }

    /// How many values are kept for receivers that have not got them.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.with(|state| state.ring.len())
    }

    /// Whether all receivers have got all values.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether both send to the same receivers.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        self.0.0.with(|state| state.senders += 1);
        Self(Arc::clone(&self.0))
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        change(&self.0.0, |state, wakes| {
            state.senders -= 1;
            if state.senders == 0 && !fault("the_last_broadcaster_goes_in_silence") {
                state.listeners.tell(wakes);
            }
        });
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("len", &self.len())
            .field("receiver_count", &self.receiver_count())
            .finish_non_exhaustive()
    }
}

/// The end that receives: every value that is sent after it was made.
///
/// It is a [`Stream`] of values and of what was missed.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    /// The number of the value that it gets next.
    next: u64,
    /// This handle as a stream waits.
    key: Key,
}

impl<T> Receiver<T> {
    /// How many values it has yet to get, less those that it missed.
    #[must_use]
    pub fn len(&self) -> usize {
        let left = |state: &mut State<T>| state.end() - self.next.max(state.first);
        self.shared.0.with(left) as usize
    }

    /// Whether it has got all that were sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One more receiver, for all that is sent from now on.
    #[must_use]
    pub fn resubscribe(&self) -> Self {
        self.shared.subscribe()
    }

    /// Whether both receive from the same senders.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }
}

impl<T: Clone> Receiver<T> {
    /// Receives the next value; waits for one if there is none.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped. In a scope that was cancelled nothing is taken.
    ///
    /// # Errors
    ///
    /// How many values this receiver missed, once for each time; or that no more will come.
    pub fn recv(&mut self) -> Recv<'_, T> {
        Recv {
            receiver: self,
            key: None,
        }
    }

    /// Receives a value if there is one at once.
    ///
    /// # Errors
    ///
    /// Whether there is none now, or none ever, or how many this receiver missed.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        let next = &mut self.next;
        let value = self.shared.0.with(|state| state.get(next))?;
        Ok(own(value))
    }

    /// Receives the next value on a thread that runs no tasks, blocking it.
    ///
    /// # Errors
    ///
    /// As for [`recv`](Self::recv).
    ///
    /// # Panics
    ///
    /// Inside a task, where it would block others: `recv().await` there.
    #[track_caller]
    pub fn recv_blocking(&mut self) -> Result<T, RecvError> {
        let mut recv = self.recv();
        block_on("broadcast::Receiver::recv_blocking", |cx| {
            recv.poll_recv(cx)
        })
    }

    fn poll_recv(&mut self, key: &mut Key, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        let Self { shared, next, .. } = self;
        let look = |state: &mut State<T>| match state.get(next) {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Lagged(missed)) => Some(Err(RecvError::Lagged(missed))),
            Err(TryRecvError::Closed) => Some(Err(RecvError::Closed)),
            Err(TryRecvError::Empty) => None,
        };
        let got = poll_look(&shared.0, |state| &mut state.listeners, key, cx, look);
        got.map(|got| got.map(own))
    }
}

/// What a receiver waits for.
fn item() -> WaitsFor {
    WaitsFor::Other("an item of a broadcast channel")
}

/// The value itself if nobody else has it, or a clone.
fn own<T: Clone>(value: Arc<T>) -> T {
    Arc::unwrap_or_clone(value)
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        leave(&self.shared.0, |state| &mut state.listeners, &mut self.key);
        let unwanted = self.shared.0.with(|state| state.leave(self.next));
        drop(unwanted);
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("len", &self.len())
            .finish_non_exhaustive()
    }
}

/// The values as they come; `Err` is the number of those that were missed.
impl<T: Clone> Stream for Receiver<T> {
    type Item = Result<T, u64>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        ready!(poll_checkpoint(cx));
        let this = self.get_mut();
        let mut key = this.key.take();
        let got = noted(this.poll_recv(&mut key, cx), item);
        this.key = key;
        got.map(|got| match got {
            Ok(value) => Some(Ok(value)),
            Err(RecvError::Lagged(missed)) => Some(Err(missed)),
            Err(RecvError::Closed) => None,
        })
    }
}

/// The future of [`Receiver::recv`].
#[must_use = "futures do nothing unless polled"]
pub struct Recv<'a, T> {
    receiver: &'a mut Receiver<T>,
    key: Key,
}

impl<T: Clone> Recv<'_, T> {
    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        self.receiver.poll_recv(&mut self.key, cx)
    }
}

impl<T: Clone> Future for Recv<'_, T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_checkpoint(cx));
        noted(self.poll_recv(cx), item)
    }
}

impl<T> Drop for Recv<'_, T> {
    fn drop(&mut self) {
        let state = &self.receiver.shared.0;
        leave(state, |state| &mut state.listeners, &mut self.key);
    }
}

impl<T> fmt::Debug for Recv<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recv").finish_non_exhaustive()
    }
}
