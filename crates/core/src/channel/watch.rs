//! The newest value, for many who watch it.
//!
//! [`channel`] makes a [`Sender`], whose clones may replace the value, and a [`Receiver`], of which each clone knows
//! which value it has seen. Who is slow misses values, never the last one. (tokio's `watch`, whose names
//! these are.)
//!
//! # Structure
//!
//! The value is in an `Arc`, which is replaced as a whole: so nobody holds a lock while a value is looked
//! at, a [`Ref`] may be kept as long as one likes, also across an `.await`, and a value that nobody looks at
//! any more is dropped by who sees that last. Each replacement has a version, one more than that
//! before; a receiver waits until the version is not the one that it has seen.
//!
//! # Examples
//!
//! ```
//! use kumi_core::channel::watch;
//! use kumi_core::runtime::Runtime;
//! use kumi_core::task::SpawnExt;
//!
//! let sim = kumi_sim::Sim::new();
//! let rt = sim.handle();
//! sim.block_on(async {
//!     let (level, mut watched) = watch::channel(0);
//!     let task = rt.spawn(async move { *watched.wait_for(|level| *level > 1).await.unwrap() });
//!     level.send(1).unwrap();
//!     level.send(2).unwrap();
//!     assert_eq!(task.await.unwrap(), 2);
//! });
//! ```

use std::fmt;
use std::future::Future;
use std::mem;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::error::{RecvError, SendError};
use super::listeners::{Listeners, change, leave, poll_look};
use super::shared::Key;
use super::wakes::Wakes;
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted};
use crate::loom::{Lock, fault};

struct Shared<T>(Lock<State<T>>);

struct State<T> {
    value: Arc<T>,
    version: u64,
    senders: usize,
    receivers: usize,
    /// Receivers, for a version.
    changes: Listeners,
    /// Senders, for the last receiver to go.
    ends: Listeners,
}

impl<T> State<T> {
    /// Replaces the value; gives the old one.
    fn replace(&mut self, value: Arc<T>, wakes: &mut Wakes) -> Arc<T> {
        self.version += 1;
        if !fault("a_change_is_told_to_nobody") {
            self.changes.tell(wakes);
        }
        mem::replace(&mut self.value, value)
    }
}

impl<T> Shared<T> {
    fn now(&self) -> (u64, Ref<T>) {
        self.0
            .with(|state| (state.version, Ref(Arc::clone(&state.value))))
    }
}

/// A channel that begins with `value`, which its receiver counts as seen.
#[must_use]
pub fn channel<T>(value: T) -> (Sender<T>, Receiver<T>) {
    let shared = Arc::new(Shared(Lock::new(State {
        value: Arc::new(value),
        version: 0,
        senders: 1,
        receivers: 1,
        changes: Listeners::new(),
        ends: Listeners::new(),
    })));
    let receiver = Receiver {
        shared: Arc::clone(&shared),
        seen: 0,
    };
    (Sender(shared), receiver)
}

/// A value that was the newest when it was looked at. Keeping it stops nobody.
pub struct Ref<T>(Arc<T>);

impl<T> Deref for Ref<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> Clone for Ref<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: fmt::Debug> fmt::Debug for Ref<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The end that replaces the value; clones replace the same one.
pub struct Sender<T>(Arc<Shared<T>>);

impl<T> Sender<T> {
    /// Replaces the value, and wakes all who wait for that.
    ///
    /// # Errors
    ///
    /// The value, if there is no receiver; it is not stored then. [`send_replace`](Self::send_replace)
    /// stores it all the same.
    pub fn send(&self, value: T) -> Result<(), SendError<T>> {
        // Not under the lock.
        let value = Arc::new(value);
        let replaced = change(&self.0.0, |state, wakes| match state.receivers {
            0 => Err(value),
            _ => Ok(state.replace(value, wakes)),
        });
        match replaced {
            Ok(_) => Ok(()),
            Err(value) => {
                let value = Arc::into_inner(value).expect("nobody else has seen it");
                Err(SendError(value))
            }
        }
    }

    /// Replaces the value, also if nobody watches, and returns the old one.
    pub fn send_replace(&self, value: T) -> Ref<T> {
        let value = Arc::new(value);
        Ref(change(&self.0.0, |state, wakes| {
            state.replace(value, wakes)
        }))
    }

    /// Changes a copy of the value, and replaces the value by it.
    ///
    /// If somebody else replaces the value meanwhile, `modify` is called again with a copy of the new one:
    /// so no change is lost.
    pub fn send_modify(&self, mut modify: impl FnMut(&mut T))
    where
        T: Clone,
    {
        self.send_if_modified(|value| {
            modify(value);
            true
        });
    }

    /// The same if `modify` returns true; otherwise its changes are forgotten. Returns the same.
    pub fn send_if_modified(&self, mut modify: impl FnMut(&mut T) -> bool) -> bool
    where
        T: Clone,
    {
        loop {
            let (version, old) = self.0.now();
            let mut value = T::clone(&old);
            if !modify(&mut value) {
                return false;
            }
            let value = Arc::new(value);
            let replaced = change(&self.0.0, |state, wakes| {
                match state.version == version || fault("a_change_of_another_is_lost") {
                    true => Ok(state.replace(value, wakes)),
                    false => Err(value),
                }
            });
            // Either is dropped here, while the lock is free.
            if replaced.is_ok() {
                return true;
            }
        }
    }

    /// The newest value.
    #[must_use]
    pub fn borrow(&self) -> Ref<T> {
        self.0.now().1
    }

    /// One more receiver, which counts the newest value as seen.
    #[must_use]
    pub fn subscribe(&self) -> Receiver<T> {
        let seen = self.0.0.with(|state| {
            state.receivers += 1;
            state.version
        });
        Receiver {
            shared: Arc::clone(&self.0),
            seen,
        }
    }

    /// How many receivers there are.
    #[must_use]
    pub fn receiver_count(&self) -> usize {
        self.0.0.with(|state| state.receivers)
    }

    /// Whether there is no receiver.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.receiver_count() == 0
    }

    /// Waits until there is no receiver.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub fn closed(&self) -> Closed<'_, T> {
        Closed {
            shared: &self.0,
            key: None,
        }
    }

    /// Whether both replace the same value.
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
            if state.senders == 0 && !fault("the_last_watched_goes_in_silence") {
                state.changes.tell(wakes);
            }
        });
    }
}

impl<T: fmt::Debug> fmt::Debug for Sender<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender")
            .field("value", &self.borrow())
            .finish_non_exhaustive()
    }
}

/// The end that watches the value; each clone knows what it has seen.
pub struct Receiver<T> {
    shared: Arc<Shared<T>>,
    seen: u64,
}

impl<T> Receiver<T> {
    /// Waits for a value that this receiver has not seen, and counts it as seen.
    ///
    /// # Cancel safety
    ///
    /// When it is dropped before it is ready, nothing counts as seen. In a scope that was cancelled nothing
    /// does, either.
    ///
    /// # Errors
    ///
    /// If all senders are gone, and the last value was seen.
    pub fn changed(&mut self) -> Changed<'_, T> {
        Changed {
            receiver: self,
            key: None,
        }
    }

    /// Waits for a value for which `condition` holds, and counts it as seen; it looks at the newest at
    /// once.
    ///
    /// # Cancel safety
    ///
    /// As for [`changed`](Self::changed); values that it has looked at count as seen.
    ///
    /// # Errors
    ///
    /// If all senders are gone, and it does not hold for the last value.
    pub async fn wait_for(
        &mut self,
        mut condition: impl FnMut(&T) -> bool,
    ) -> Result<Ref<T>, RecvError> {
        loop {
            let value = self.borrow_and_update();
            if condition(&value) {
                return Ok(value);
            }
            drop(value);
            self.changed().await?;
        }
    }

    /// The newest value; whether it counts as seen stays as it is.
    #[must_use]
    pub fn borrow(&self) -> Ref<T> {
        self.shared.now().1
    }

    /// The newest value, which counts as seen from now on.
    pub fn borrow_and_update(&mut self) -> Ref<T> {
        let (version, value) = self.shared.now();
        self.seen = version;
        value
    }

    /// Whether there is a value that this receiver has not seen.
    ///
    /// # Errors
    ///
    /// If all senders are gone, and the last value was seen.
    pub fn has_changed(&self) -> Result<bool, RecvError> {
        match self.shared.0.with(|state| self.look(state)) {
            Some(seen) => seen.map(|_| true),
            None => Ok(false),
        }
    }

    /// Counts the newest value as not seen.
    pub fn mark_changed(&mut self) {
        let version = self.shared.0.with(|state| state.version);
        // Never the version of a value.
        self.seen = version.wrapping_sub(1);
    }

    /// Counts the newest value as seen.
    pub fn mark_unchanged(&mut self) {
        self.seen = self.shared.0.with(|state| state.version);
    }

    /// Whether both watch the same value.
    #[must_use]
    pub fn same_channel(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    /// The version that is new, or that none will come.
    fn look(&self, state: &State<T>) -> Option<Result<u64, RecvError>> {
        match state.version {
            version if version != self.seen => Some(Ok(version)),
            _ if state.senders == 0 => Some(Err(RecvError)),
            _ => None,
        }
    }
}

/// A receiver that has seen the same.
impl<T> Clone for Receiver<T> {
    fn clone(&self) -> Self {
        self.shared.0.with(|state| state.receivers += 1);
        Self {
            shared: Arc::clone(&self.shared),
            seen: self.seen,
        }
    }
}

impl<T> Drop for Receiver<T> {
    fn drop(&mut self) {
        change(&self.shared.0, |state, wakes| {
            state.receivers -= 1;
            if state.receivers == 0 {
                state.ends.tell(wakes);
            }
        });
    }
}

impl<T: fmt::Debug> fmt::Debug for Receiver<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receiver")
            .field("value", &self.borrow())
            .finish_non_exhaustive()
    }
}

/// The future of [`Receiver::changed`].
#[must_use = "futures do nothing unless polled"]
pub struct Changed<'a, T> {
    receiver: &'a mut Receiver<T>,
    key: Key,
}

impl<T> Future for Changed<'_, T> {
    type Output = Result<(), RecvError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        ready!(poll_checkpoint(cx));
        let Self { receiver, key } = &mut *self;
        let state = &receiver.shared.0;
        let look = |state: &mut State<T>| receiver.look(state);
        let seen = poll_look(state, |state| &mut state.changes, key, cx, look);
        let seen = ready!(noted(seen, || WaitsFor::Other(
            "a change of a watched value"
        )));
        Poll::Ready(seen.map(|seen| receiver.seen = seen))
    }
}

impl<T> Drop for Changed<'_, T> {
    fn drop(&mut self) {
        leave(
            &self.receiver.shared.0,
            |state| &mut state.changes,
            &mut self.key,
        );
    }
}

impl<T> fmt::Debug for Changed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Changed").finish_non_exhaustive()
    }
}

/// The future of [`Sender::closed`].
#[must_use = "futures do nothing unless polled"]
pub struct Closed<'a, T> {
    shared: &'a Shared<T>,
    key: Key,
}

impl<T> Future for Closed<'_, T> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        ready!(poll_checkpoint(cx));
        let Self { shared, key } = &mut *self;
        let gone = |state: &mut State<T>| (state.receivers == 0).then_some(());
        let gone = poll_look(&shared.0, |state| &mut state.ends, key, cx, gone);
        noted(gone, || {
            WaitsFor::Other("the receivers of a watched value to go")
        })
    }
}

impl<T> Drop for Closed<'_, T> {
    fn drop(&mut self) {
        leave(&self.shared.0, |state| &mut state.ends, &mut self.key);
    }
}

impl<T> fmt::Debug for Closed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}
