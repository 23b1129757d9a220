//! Channels and queues: values handed from tasks to tasks, with a bound.
//!
//! | to | take |
//! |---|---|
//! | hand values from many senders to many receivers | [`bounded`] |
//! | hand over in person: a sender waits for its receiver | [`bounded`] with capacity 0 |
//! | the same between tasks of one thread, at less than half the price | [`local::bounded`] |
//! | know when all work that was handed out is done | [`Queue`], [`LifoQueue`], [`PriorityQueue`] |
//! | give one value to one who waits for it | [`oneshot`] |
//! | let many watch a value that changes | [`watch`] |
//! | tell everything to everybody | [`broadcast`] |
//!
//! # Order
//!
//! Values are received in the order in which they were sent, and those who wait are served in the order
//! in which they came: nobody who comes later is served before them, not even with the `try` methods.
//! (tokio's mpsc does the same for senders; in asyncio and async-channel a newcomer may overtake.)
//!
//! # Nothing is lost
//!
//! A `send` that is dropped has either sent its value, or drops it. A `recv` that is dropped has taken
//! nothing: a value that was already meant for it goes to the next receiver, before all that came later.
//! A place that was promised to a [`reserve`](Sender::reserve) that is dropped goes to the next sender.
//! In a scope that was cancelled nothing is sent and nothing is taken. A future that is *forgotten*
//! (`mem::forget`) keeps what it was given.
//!
//! # Close
//!
//! When the last sender is gone, or somebody called `close`, receivers get what is left, and then
//! [`RecvError`]; not before those who were given a value have looked at it, since it comes back if they
//! go without. When the last receiver is gone, values that are left are dropped at once, and senders
//! get theirs back in a [`SendError`].
//!
//! # Runtimes
//!
//! A channel belongs to no runtime: its ends may be in tasks of different ones, and in threads without
//! any ([`send_blocking`](Sender::send_blocking), [`recv_blocking`](Receiver::recv_blocking)).
//!
//! # Structure
//!
//! `state` is what is under the lock: values, places, and who waits; its docs have the invariants. It is
//! the same for channels and queues, which differ in their `store`: first in first out, last in first
//! out, or by order. `line` links those who wait, in a slab: a waiter is an entry of it and has no
//! allocation of its own. `shared` has the lock and the polls; above it are the handles.
//!
//! While nobody waits and nothing is over, a value only goes into the store or out of it: the *quick
//! way*, for which `state` keeps two bounds that say whether it may be taken.

pub mod broadcast;
mod error;
mod line;
mod listeners;
pub mod local;
pub mod oneshot;
mod permit;
mod queue;
mod receiver;
mod sender;
mod shared;
mod sharing;
mod sink;
mod state;
mod store;
mod wakes;
pub mod watch;

pub use error::{RecvError, SendError, TryRecvError, TrySendError};
pub use permit::{Permit, Reserve};
pub use queue::{GetError, LifoQueue, PriorityQueue, PutError, Queue, ShutDown, Work};
pub use receiver::{Receiver, Recv, RecvMany, WeakReceiver};
pub use sender::{SendFuture, Sender, WeakSender};
pub use sharing::{OneThread, Sharing, Threads};
pub use sink::SendSink;

use std::sync::Arc;

use self::shared::Shared;
use self::store::Fifo;
use crate::loom::{AtomicUsize, Ordering, fault};

/// What the handles of a channel share.
struct Channel<T, S: Sharing> {
    values: Shared<T, Fifo<T>, S>,
    senders: AtomicUsize,
    receivers: AtomicUsize,
}

/// Counts one handle more, unless there are none left.
fn upgrade(handles: &AtomicUsize) -> bool {
    if fault("upgrade_in_two_steps") {
        let open = handles.load(Ordering::Acquire) > 0;
        handles.fetch_add(usize::from(open), Ordering::AcqRel);
        return open;
    }
    let more = |count: usize| count.checked_add(1).filter(|_| count > 0);
    handles
        .fetch_update(Ordering::AcqRel, Ordering::Acquire, more)
        .is_ok()
}

/// A channel for many senders and many receivers, that holds at most `capacity` values.
///
/// With capacity 0 each value is handed over in person: `send` returns when a receiver has taken it, or
/// was given it. Each value is received once, by one receiver. See [the module](self) for the order and
/// for what is lost when (nothing).
///
/// # Panics
///
/// If the capacity is `usize::MAX`: a channel without a bound hides that its receivers are too slow
/// until memory is used up.
///
/// # Examples
///
/// ```
/// use kumi_core::channel::bounded;
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::SpawnExt;
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// sim.block_on(async {
///     let (sender, receiver) = bounded(2);
///     let producer = rt.spawn(async move {
///         for number in 0..5 {
///             sender.send(number).await.unwrap();
///         }
///     });
///     let mut sum = 0;
///     while let Ok(number) = receiver.recv().await {
///         sum += number;
///     }
///     producer.await.unwrap();
///     assert_eq!(sum, 10);
/// });
/// ```
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    make(capacity)
}

#[track_caller]
fn make<T, S: Sharing>(capacity: usize) -> (Sender<T, S>, Receiver<T, S>) {
    assert!(
        capacity < usize::MAX,
        "a channel needs a bound: take one that its values fit into, such as 1 000"
    );
    let channel = Arc::new(Channel {
        values: Shared::new(capacity),
        senders: AtomicUsize::new(1),
        receivers: AtomicUsize::new(1),
    });
    (Sender::new(Arc::clone(&channel)), Receiver::new(channel))
}

/// The methods that both ends have.
macro_rules! both_ends {
    () => {
        /// Closes the channel: nothing more can be sent; what is in it can still be received. True if
        /// it was open.
        ///
        /// Those who wait for a place get their values back. A [`Permit`](super::Permit) that was
        /// given before can still be used, and receivers wait for it.
        pub fn close(&self) -> bool {
            self.channel.values.change(super::state::State::close)
        }

        /// Whether nothing more can be sent: it was closed, or one end is gone.
        #[must_use]
        pub fn is_closed(&self) -> bool {
            self.channel.values.see(super::state::State::is_closed)
        }

        /// How many values are in it. Those that were handed to a receiver which has not looked yet are
        /// not.
        #[must_use]
        pub fn len(&self) -> usize {
            self.channel.values.see(super::state::State::len)
        }

        /// Whether no value is in it.
        #[must_use]
        pub fn is_empty(&self) -> bool {
            self.len() == 0
        }

        /// Whether there is no place for a value; always, at a rendezvous for which nobody waits.
        #[must_use]
        pub fn is_full(&self) -> bool {
            !self.channel.values.see(super::state::State::has_room)
        }

        /// How many values it holds at most.
        #[must_use]
        pub fn capacity(&self) -> usize {
            self.channel.values.see(super::state::State::capacity)
        }

        /// How many senders there are.
        #[must_use]
        pub fn sender_count(&self) -> usize {
            self.channel.senders.load(crate::loom::Ordering::Acquire)
        }

        /// How many receivers there are.
        #[must_use]
        pub fn receiver_count(&self) -> usize {
            self.channel.receivers.load(crate::loom::Ordering::Acquire)
        }
    };
}
use both_ends;
