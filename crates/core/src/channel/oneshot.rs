//! One value, from one to one.
//!
//! [`channel`] makes the two ends: [`Sender::send`] never waits, and the [`Receiver`] is a future. What a
//! task returns needs none: its [`JoinHandle`](crate::task::JoinHandle) gives it.
//!
//! # Structure
//!
//! One allocation with the value, whether each end is there, and a place for a waker of each end. Whoever
//! goes says so under the lock, and then wakes the other end. Whoever waits leaves its waker, and then looks
//! once more. The value is in the allocation from the send until it is received, or until the receiver
//! goes: it is dropped then, so who has sent it need not wait for that.
//!
//! # Examples
//!
//! ```
//! use kumi_core::channel::oneshot;
//! use kumi_core::runtime::Runtime;
//! use kumi_core::task::SpawnExt;
//!
//! let sim = kumi_sim::Sim::new();
//! let rt = sim.handle();
//! sim.block_on(async {
//!     let (sender, receiver) = oneshot::channel();
//!     rt.spawn(async move { sender.send("ready").unwrap() }).detach();
//!     assert_eq!(receiver.await, Ok("ready"));
//! });
//! ```

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::error::{RecvError, SendError, TryRecvError};
use super::shared::block_on;
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted};
use crate::loom::{Lock, fault};
use crate::util::{WakerSlot, drop_foreign};

struct Shared<T> {
    state: Lock<State<T>>,
    /// The receiver, which waits for the value.
    receiver: WakerSlot,
    /// The sender, which waits for the receiver to go.
    sender: WakerSlot,
}

struct State<T> {
    value: Option<T>,
    /// A value may come.
    sends: bool,
    /// A value is wanted.
    receives: bool,
}

impl<T> Shared<T> {
    fn is_closed(&self) -> bool {
        self.state.with(|state| !state.receives)
    }

    fn poll_closed(&self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(poll_checkpoint(cx));
        if !self.is_closed() {
            self.sender.register(cx.waker());
            if fault("a_oneshot_waits_without_a_second_look") || !self.is_closed() {
                let gone = || WaitsFor::Other("the receiver of a oneshot channel to go");
                return noted(Poll::Pending, gone);
            }
        }
        Poll::Ready(())
    }
}

/// A channel for one value.
pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared {
        state: Lock::new(State {
            value: None,
            sends: true,
            receives: true,
        }),
        receiver: WakerSlot::new(),
        sender: WakerSlot::new(),
    });
    let receiver = Receiver {
        shared: Arc::clone(&shared),
        done: false,
    };
    let shared = Some(shared);
    (Sender { shared }, receiver)
}

/// The end that sends.
///
/// When it is dropped without having sent, the receiver gets an error.
pub struct Sender<T> {
    /// None once it has sent.
    shared: Option<Arc<Shared<T>>>,
}

impl<T> Sender<T> {
    fn shared(&self) -> &Shared<T> {
        self.shared.as_ref().expect("it has not sent")
    }

    /// Sends the value, without waiting.
    ///
    /// `Ok` says that there was a receiver. If that goes without having received, it drops the value.
    ///
    /// # Errors
    ///
    /// The value, if the receiver was dropped or closed.
    pub fn send(mut self, value: T) -> Result<(), SendError<T>> {
        let shared = self.shared.take().expect("it has not sent");
        let refused = shared.state.with(|state| {
            if !state.receives && !fault("a_oneshot_is_closed_and_sends") {
                return Some(value);
            }
            state.value = Some(value);
            state.sends = false;
            None
        });
        match refused {
            Some(value) => Err(SendError(value)),
            None => {
                if !fault("a_oneshot_tells_nobody") {
                    shared.receiver.wake();
                }
                Ok(())
            }
        }
    }

    /// Whether nobody wants the value any more.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared().is_closed()
    }

    /// Waits until nobody wants the value any more.
    ///
    /// For work that is not worth going on with then: `race` it with this.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub async fn closed(&mut self) {
        /// Takes the waker away when the wait is over, or given up.
        struct Leave<'a>(&'a WakerSlot);

        impl Drop for Leave<'_> {
            fn drop(&mut self) {
                drop_foreign(self.0.take());
            }
        }

        let shared = self.shared();
        let _leave = Leave(&shared.sender);
        poll_fn(|cx| shared.poll_closed(cx)).await;
    }

    /// The same, to be polled.
    pub fn poll_closed(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.shared().poll_closed(cx)
    }
}

impl<T> Drop for Sender<T> {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.state.with(|state| state.sends = false);
            drop_foreign(shared.sender.take());
            if !fault("a_oneshot_tells_nobody") {
                shared.receiver.wake();
            }
        }
    }
}

impl<T> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("is_closed", &self.is_closed())
            .finish_non_exhaustive()
    }
}

/// The end that receives: a future, whose output is the value, or an error if the sender goes without one.
///
/// # Cancel safety
///
/// Nothing is lost when `&mut receiver` is dropped: it may be awaited again. When the receiver itself is
/// dropped, so is a value that was sent. In a scope that was cancelled nothing is taken.
///
/// # Panics
///
/// When polled after it was ready.
#[must_use = "futures do nothing unless polled"]
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    done: bool,
}

impl<T> Receiver<T> {
    /// The value, if it is there.
    ///
    /// # Errors
    ///
    /// Whether it may still come.
    pub fn try_recv(&mut self) -> Result<T, TryRecvError> {
        self.shared.state.with(|state| match state.value.take() {
            Some(value) => {
                state.receives = false;
                Ok(value)
            }
            None if state.sends && state.receives => Err(TryRecvError::Empty),
            None => Err(TryRecvError::Closed),
        })
    }

    /// Waits for the value on a thread that runs no tasks, blocking it.
    ///
    /// # Errors
    ///
    /// If the sender went without a value.
    ///
    /// # Panics
    ///
    /// Inside a task, where it would block others: `.await` there.
    #[track_caller]
    pub fn recv_blocking(mut self) -> Result<T, RecvError> {
        block_on("oneshot::Receiver::recv_blocking", |cx| self.poll_recv(cx))
    }

    /// Wants no value any more; one that was sent before can still be received.
    pub fn close(&mut self) {
        self.shared.state.with(|state| state.receives = false);
        if !fault("a_oneshot_tells_nobody") {
            self.shared.sender.wake();
        }
    }

    /// The value, or that none will come.
    fn look(&mut self) -> Option<Result<T, RecvError>> {
        match self.try_recv() {
            Ok(value) => Some(Ok(value)),
            Err(TryRecvError::Closed) => Some(Err(RecvError)),
            Err(TryRecvError::Empty) => None,
        }
    }

    fn poll_recv(&mut self, cx: &Context<'_>) -> Poll<Result<T, RecvError>> {
        if let Some(found) = self.look() {
            return Poll::Ready(found);
        }
        self.shared.receiver.register(cx.waker());
        let again = match fault("a_oneshot_waits_without_a_second_look") {
            true => None,
            false => self.look(),
        };
        again.map_or(Poll::Pending, Poll::Ready)
    }
}

impl<T> Future for Receiver<T> {
    type Output = Result<T, RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.done, "a oneshot is not polled after it was ready");
        ready!(poll_checkpoint(cx));
        let found = noted(self.poll_recv(cx), || {
            WaitsFor::Other("the value of a oneshot channel")
        });
        let found = ready!(found);
        self.done = true;
        Poll::Ready(found)
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        self.shared.state.with(|state| state.receives = false);
        drop_foreign(self.shared.receiver.take());
        if !fault("a_oneshot_tells_nobody") {
            self.shared.sender.wake();
        }
    }
}

impl<T> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver").finish_non_exhaustive()
    }
}
