//! A value that is set once, and that many wait for.
//!
//! [`Promise`] sets, [`Promised`] waits; both are cheap to clone and may be anywhere. It is settled once, by
//! the first of: a value, a cancel, the drop of the last [`Promise`]. One lock guards everything, and no
//! foreign code (a waker, a callback, a value's clone or destructor) runs under it.

use std::collections::BTreeMap;
use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use kumi_core::util::wake_all;
use slab::Slab;

use crate::handle::Loop;

type Outcome<T> = Result<Arc<T>, PromiseError>;
type Callback<T> = Box<dyn FnOnce(Promised<T>) + Send>;

struct Inner<T> {
    lp: Loop,
    state: Mutex<State<T>>,
}

struct State<T> {
    outcome: Option<Outcome<T>>,
    waiters: Slab<Waker>,
    callbacks: BTreeMap<u64, Callback<T>>,
    /// How many callbacks there were.
    numbers: u64,
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn outcome(&self) -> Option<Outcome<T>> {
        self.lock().outcome.clone()
    }
}

impl<T: Send + Sync + 'static> Inner<T> {
    /// Settles it, or gives `with` back.
    fn settle<V>(
        self: &Arc<Self>,
        with: V,
        outcome: impl FnOnce(V) -> Outcome<T>,
    ) -> Result<(), V> {
        let mut state = self.lock();
        if state.outcome.is_some() {
            return Err(with);
        }
        state.outcome = Some(outcome(with));
        let waiters = std::mem::take(&mut state.waiters);
        let callbacks = std::mem::take(&mut state.callbacks);
        drop(state);
        for callback in callbacks.into_values() {
            self.queue(callback);
        }
        wake_all(waiters.into_iter().map(|(_, waker)| waker));
        Ok(())
    }

    fn queue(self: &Arc<Self>, callback: Callback<T>) {
        let settled = Promised(Arc::clone(self));
        self.lp.call_soon_threadsafe(move || callback(settled));
    }
}

/// Why there is no value.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromiseError {
    /// It was cancelled, perhaps with a message.
    Cancelled(Option<Arc<str>>),
    /// The last [`Promise`] was dropped.
    Dropped,
}

impl fmt::Display for PromiseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cancelled(None) => f.write_str("the promise was cancelled"),
            Self::Cancelled(Some(message)) => write!(f, "the promise was cancelled: {message}"),
            Self::Dropped => f.write_str("the promise was dropped before it was kept"),
        }
    }
}

impl std::error::Error for PromiseError {}

/// The side that sets the value; see [`Loop::create_future`].
pub struct Promise<T: Send + Sync + 'static>(Arc<Setters<T>>);

/// What all clones of a promise share.
struct Setters<T: Send + Sync + 'static>(Arc<Inner<T>>);

impl<T: Send + Sync + 'static> Drop for Setters<T> {
    fn drop(&mut self) {
        let _ = self.0.settle((), |()| Err(PromiseError::Dropped));
    }
}

impl<T: Send + Sync + 'static> Promise<T> {
    /// Sets the value, wakes everybody who waits, and queues the callbacks, none of which runs in this call.
    ///
    /// # Errors
    ///
    /// Gives the value back if there is one already, or if it was cancelled.
    pub fn set_result(&self, value: T) -> Result<(), T> {
        self.0.0.settle(value, |value| Ok(Arc::new(value)))
    }

    /// Returns another handle of the side that waits.
    #[must_use]
    pub fn promised(&self) -> Promised<T> {
        Promised(Arc::clone(&self.0.0))
    }
}

impl<T, E> Promise<Result<T, E>>
where
    T: Send + Sync + 'static,
    E: Send + Sync + 'static,
{
    /// Sets an error, which is a value like another: asyncio's `set_exception`.
    ///
    /// # Errors
    ///
    /// Gives the error back if there is a value already, or if it was cancelled.
    pub fn set_exception(&self, error: E) -> Result<(), E> {
        self.0.0.settle(error, |error| Ok(Arc::new(Err(error))))
    }
}

impl<T: Send + Sync + 'static> Clone for Promise<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T: Send + Sync + 'static> fmt::Debug for Promise<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Promise")
            .field("done", &self.promised().done())
            .finish()
    }
}

/// Says which callback to remove.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallbackKey(u64);

/// The side that waits for the value; see [`Loop::create_future`].
///
/// Await it, or a clone of it, or a reference.
pub struct Promised<T>(Arc<Inner<T>>);

impl<T> Promised<T> {
    /// Waits for the value; each who waits gets a clone.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped; the value stays for others.
    ///
    /// # Errors
    ///
    /// [`PromiseError`] if there will be no value.
    pub fn wait(&self) -> Wait<T> {
        Wait {
            inner: Arc::clone(&self.0),
            place: None,
        }
    }

    /// Whether there is a value, or there will be none.
    #[must_use]
    pub fn done(&self) -> bool {
        self.0.outcome().is_some()
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        matches!(self.0.outcome(), Some(Err(PromiseError::Cancelled(_))))
    }
}

impl<T: Clone> Promised<T> {
    /// Returns the value if it is there, or why it will not come; none if that is open.
    ///
    /// # Errors
    ///
    /// [`PromiseError`] if there will be no value.
    pub fn result(&self) -> Option<Result<T, PromiseError>> {
        let outcome = self.0.outcome()?;
        Some(outcome.map(|value| T::clone(&value)))
    }
}

impl<T: Send + Sync + 'static> Promised<T> {
    /// Settles it without a value; false if it was settled.
    pub fn cancel(&self) -> bool {
        self.cancel_for(None)
    }

    /// As [`cancel`](Self::cancel), with a message for those who wait.
    pub fn cancel_with(&self, message: impl Into<Arc<str>>) -> bool {
        self.cancel_for(Some(message.into()))
    }

    fn cancel_for(&self, message: Option<Arc<str>>) -> bool {
        let cancelled = |message| Err(PromiseError::Cancelled(message));
        self.0.settle(message, cancelled).is_ok()
    }

    /// Queues `callback` on the loop when this is settled; at once, if it is. It never runs in this call.
    ///
    /// Callbacks are queued in the order in which they were added.
    pub fn add_done_callback(
        &self,
        callback: impl FnOnce(Promised<T>) + Send + 'static,
    ) -> CallbackKey {
        let callback = Box::new(callback);
        let mut state = self.0.lock();
        let number = state.numbers;
        state.numbers += 1;
        if state.outcome.is_none() {
            state.callbacks.insert(number, callback);
        } else {
            drop(state);
            self.0.queue(callback);
        }
        CallbackKey(number)
    }

    /// Drops a callback that has not been queued; false if it has, or was removed before.
    pub fn remove_done_callback(&self, key: CallbackKey) -> bool {
        let removed = self.0.lock().callbacks.remove(&key.0);
        removed.is_some()
    }
}

impl<T> Clone for Promised<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> fmt::Debug for Promised<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Promised")
            .field("done", &state.outcome.is_some())
            .field("waiters", &state.waiters.len())
            .field("callbacks", &state.callbacks.len())
            .finish()
    }
}

impl<T: Clone> IntoFuture for Promised<T> {
    type Output = Result<T, PromiseError>;
    type IntoFuture = Wait<T>;

    fn into_future(self) -> Wait<T> {
        self.wait()
    }
}

impl<T: Clone> IntoFuture for &Promised<T> {
    type Output = Result<T, PromiseError>;
    type IntoFuture = Wait<T>;

    fn into_future(self) -> Wait<T> {
        self.wait()
    }
}

/// The future of [`Promised::wait`].
#[must_use = "futures do nothing unless polled"]
pub struct Wait<T> {
    inner: Arc<Inner<T>>,
    /// Where the waker is, while this is not settled.
    place: Option<usize>,
}

impl<T> Wait<T> {
    /// The outcome, or a place for `waker`, or neither: then there is none for it yet.
    fn look(&self, waker: &Waker) -> Option<Poll<Outcome<T>>> {
        let state = self.inner.lock();
        if let Some(outcome) = &state.outcome {
            return Some(Poll::Ready(outcome.clone()));
        }
        let same = state.waiters.get(self.place?)?.will_wake(waker);
        same.then_some(Poll::Pending)
    }

    fn register(&mut self, waker: Waker) -> Poll<Outcome<T>> {
        let mut state = self.inner.lock();
        if let Some(outcome) = &state.outcome {
            let outcome = outcome.clone();
            drop(state);
            return Poll::Ready(outcome);
        }
        let old = match self.place {
            Some(place) => Some(std::mem::replace(&mut state.waiters[place], waker)),
            None => {
                self.place = Some(state.waiters.insert(waker));
                None
            }
        };
        drop(state);
        drop(old);
        Poll::Pending
    }
}

impl<T: Clone> Future for Wait<T> {
    type Output = Result<T, PromiseError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let poll = match self.look(cx.waker()) {
            Some(poll) => poll,
            None => self.register(cx.waker().clone()),
        };
        poll.map(|outcome| outcome.map(|value| T::clone(&value)))
    }
}

impl<T> Drop for Wait<T> {
    fn drop(&mut self) {
        let Some(place) = self.place else { return };
        let waker = self.inner.lock().waiters.try_remove(place);
        drop(waker);
    }
}

impl<T> fmt::Debug for Wait<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wait").finish_non_exhaustive()
    }
}

impl Loop {
    /// Makes a value that is set later, by whoever has the [`Promise`], for all who wait for the
    /// [`Promised`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::runtime::Runtime;
    /// use kumi_loop::Loop;
    ///
    /// let lp = Loop::new()?;
    /// let (promise, promised) = lp.create_future();
    /// lp.call_soon(move || assert!(promise.set_result(42).is_ok()));
    /// assert_eq!(lp.block_on(async { promised.await }), Ok(42));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[must_use]
    pub fn create_future<T: Send + Sync + 'static>(&self) -> (Promise<T>, Promised<T>) {
        let state = State {
            outcome: None,
            waiters: Slab::new(),
            callbacks: BTreeMap::new(),
            numbers: 0,
        };
        let inner = Arc::new(Inner {
            lp: self.clone(),
            state: Mutex::new(state),
        });
        (
            Promise(Arc::new(Setters(Arc::clone(&inner)))),
            Promised(inner),
        )
    }
}
