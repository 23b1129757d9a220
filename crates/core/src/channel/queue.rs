//! Queues that know when all that was taken is done: [`Queue`], [`LifoQueue`], [`PriorityQueue`].

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::error::{RecvError, SendError, TryRecvError, TrySendError};
use super::shared::{Key, Shared};
use super::state::State;
use super::store::{Fifo, Heap, Lifo, Store};
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, note_wait};

/// The queue was shut down; the value that could not be put, if there was one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ShutDown<T = ()>(pub T);

/// Why a value could not be put at once, with the value.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PutError<T> {
    /// There is no place for it now, or others wait for one.
    Full(T),
    /// The queue was shut down.
    ShutDown(T),
}

/// Why no value could be taken at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GetError {
    /// There is nothing now.
    Empty,
    /// The queue was shut down, and has nothing left.
    ShutDown,
}

impl<T> fmt::Debug for ShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ShutDown(..)")
    }
}

impl<T> fmt::Debug for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "Full(..)",
            Self::ShutDown(_) => "ShutDown(..)",
        })
    }
}

impl<T> fmt::Display for ShutDown<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the queue was shut down")
    }
}

impl<T> fmt::Display for PutError<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full(_) => "the queue is full",
            Self::ShutDown(_) => "the queue was shut down",
        })
    }
}

impl fmt::Display for GetError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the queue is empty",
            Self::ShutDown => "the queue was shut down",
        })
    }
}

impl<T> Error for ShutDown<T> {}
impl<T> Error for PutError<T> {}
impl Error for GetError {}

/// One who waits; goes from its line when it is dropped.
struct Waiting<'a, T, S: Store<T>> {
    shared: &'a Shared<T, S>,
    key: Key,
}

impl<'a, T, S: Store<T>> Waiting<'a, T, S> {
    const fn new(shared: &'a Shared<T, S>) -> Self {
        Self { shared, key: None }
    }

    /// Polls until it is ready, except in a scope that was cancelled; `what` says what it waits for.
    async fn until<R>(
        mut self,
        what: impl Fn() -> WaitsFor,
        mut poll: impl FnMut(&Shared<T, S>, &mut Key, &Context<'_>) -> Poll<R>,
    ) -> R {
        poll_fn(|cx| {
            ready!(poll_checkpoint(cx));
            let poll = poll(self.shared, &mut self.key, cx);
            if self.key.is_some() {
                note_wait(&what);
            }
            poll
        })
        .await
    }
}

impl<T, S: Store<T>> Drop for Waiting<'_, T, S> {
    fn drop(&mut self) {
        self.shared.leave(&mut self.key);
    }
}

async fn put<T, S: Store<T>>(shared: &Shared<T, S>, value: T) -> Result<(), ShutDown<T>> {
    let mut value = Some(value);
    let put = |shared: &Shared<T, S>, key: &mut Key, cx: &Context<'_>| {
        shared.poll_put(&mut value, key, cx)
    };
    let put = Waiting::new(shared).until(|| WaitsFor::Other("a place in a queue"), put);
    put.await.map_err(|SendError(value)| ShutDown(value))
}

async fn get<T, S: Store<T>>(shared: &Shared<T, S>) -> Result<T, ShutDown> {
    let item = || WaitsFor::Other("an item of a queue");
    let get = Waiting::new(shared).until(item, Shared::poll_get);
    get.await.map_err(|RecvError| ShutDown(()))
}

fn put_nowait<T, S: Store<T>>(shared: &Shared<T, S>, value: T) -> Result<(), PutError<T>> {
    shared.try_put(value).map_err(|error| match error {
        TrySendError::Full(value) => PutError::Full(value),
        TrySendError::Closed(value) => PutError::ShutDown(value),
    })
}

fn get_nowait<T, S: Store<T>>(shared: &Shared<T, S>) -> Result<T, GetError> {
    shared.try_get().map_err(|error| match error {
        TryRecvError::Empty => GetError::Empty,
        TryRecvError::Closed => GetError::ShutDown,
    })
}

fn shutdown<T, S: Store<T>>(shared: &Shared<T, S>, immediate: bool) {
    let dropped = shared.change(|state, wakes| {
        state.close(wakes);
        match immediate {
            true => state.clear(wakes),
            false => Vec::new(),
        }
    });
    drop(dropped);
}

/// A value taken from a queue, which counts as done when this is dropped: after the work, after a panic
/// and after a cancel.
#[must_use = "dropping it says that its work is done"]
pub struct Work<T> {
    value: T,
    _done: Done,
}

/// Says that one more is done when it is dropped.
struct Done(Arc<dyn TaskDone>);

/// What [`Done`] needs of a queue, whatever its order.
trait TaskDone: Send + Sync {
    fn task_done(&self) -> bool;
}

impl<T: Send, S: Store<T> + Send> TaskDone for Shared<T, S> {
    fn task_done(&self) -> bool {
        self.change(State::task_done)
    }
}

impl Drop for Done {
    fn drop(&mut self) {
        // False only if somebody has called `task_done` for it as well.
        self.0.task_done();
    }
}

impl<T> Work<T> {
    /// Says that the work is done, and gives the value.
    pub fn done(self) -> T {
        self.value
    }
}

impl<T> Deref for Work<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for Work<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

impl<T: fmt::Debug> fmt::Debug for Work<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Work").field(&self.value).finish()
    }
}

macro_rules! queue {
    ($(#[$doc:meta])* $name:ident, $store:ident $(, $bound:path)?) => {
        $(#[$doc])*
        pub struct $name<T $(: $bound)?>(Arc<Shared<T, $store<T>>>);

        impl<T $(: $bound)?> $name<T> {
            /// A queue that holds at most `maxsize` values.
            ///
            /// # Panics
            ///
            /// If it is zero: take [`unbounded`](Self::unbounded) for no bound (asyncio's `maxsize=0`), or
            /// a channel of capacity 0 for values that are handed over in person.
            #[must_use]
            pub fn bounded(maxsize: usize) -> Self {
                assert!(
                    maxsize > 0,
                    "a queue for no values: use `unbounded()` for one without a bound, or \
                     `channel::bounded(0)` to hand values over in person"
                );
                Self(Arc::new(Shared::new(maxsize)))
            }

            /// A queue without a bound: `put` never waits, and memory is the limit.
            #[must_use]
            pub fn unbounded() -> Self {
                Self(Arc::new(Shared::new(usize::MAX)))
            }

            /// Puts `value`; waits for a place if there is none.
            ///
            /// # Cancel safety
            ///
            /// If it is dropped, the value was either put or is dropped with it; and it loses its place
            /// in the line.
            ///
            /// # Errors
            ///
            /// The value, if the queue was shut down, also if that happens while it waits.
            pub async fn put(&self, value: T) -> Result<(), ShutDown<T>> {
                put(&self.0, value).await
            }

            /// Puts `value` if that is possible at once: if there is a place, and nobody waits for one.
            ///
            /// # Errors
            ///
            /// The value, and whether the queue is full or was shut down.
            pub fn put_nowait(&self, value: T) -> Result<(), PutError<T>> {
                put_nowait(&self.0, value)
            }

            /// Takes the next value; waits for one if there is none. When its work is done, call
            /// [`task_done`](Self::task_done), or use [`take`](Self::take), which does.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when it is dropped but its place in the line.
            ///
            /// # Errors
            ///
            /// If the queue was shut down and has nothing left.
            pub async fn get(&self) -> Result<T, ShutDown> {
                get(&self.0).await
            }

            /// Takes a value if there is one at once.
            ///
            /// # Errors
            ///
            /// Whether there is none now, or none ever.
            pub fn get_nowait(&self) -> Result<T, GetError> {
                get_nowait(&self.0)
            }

            /// Takes the next value, as work that is done when it is dropped.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when it is dropped but its place in the line.
            ///
            /// # Errors
            ///
            /// If the queue was shut down and has nothing left.
            pub async fn take(&self) -> Result<Work<T>, ShutDown>
            where
                T: Send + 'static,
            {
                let value = self.get().await?;
                let _done = Done(Arc::clone(&self.0) as Arc<dyn TaskDone>);
                Ok(Work { value, _done })
            }

            /// The work for one value that was taken is done.
            ///
            /// # Panics
            ///
            /// If it is called more often than values were put (asyncio's `ValueError`).
            #[track_caller]
            pub fn task_done(&self) {
                let fits = self.0.change(State::task_done);
                assert!(fits, "`task_done` was called more often than values were put");
            }

            /// Waits until all values that were put are done with.
            ///
            /// It returns for the first moment in which that is so, although more may have been put by the
            /// time that it is polled. At once if nothing was put.
            ///
            /// # Cancel safety
            ///
            /// Nothing is lost when it is dropped.
            pub async fn join(&self) {
                let done = || WaitsFor::Other("the items of a queue to be done");
                Waiting::new(&self.0).until(done, Shared::poll_join).await;
            }

            /// Takes no more values. What is in the queue can still be taken; or, if `immediate`, is
            /// dropped now and counts as done.
            ///
            /// Those who wait to put a value get it back; those who wait to take one are told when
            /// nothing is left. It may be called again, also to make it immediate. A value whose `put`
            /// waited and was let in before, stays in, although its `put` may not have returned yet.
            pub fn shutdown(&self, immediate: bool) {
                shutdown(&self.0, immediate);
            }

            /// Whether it was shut down.
            #[must_use]
            pub fn is_shut_down(&self) -> bool {
                self.0.see(State::is_closed)
            }

            /// How many values are in it (asyncio's `qsize`).
            #[must_use]
            pub fn len(&self) -> usize {
                self.0.see(State::len)
            }

            /// Whether no value is in it.
            #[must_use]
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }

            /// Whether there is no place for a value now; never without a bound.
            #[must_use]
            pub fn is_full(&self) -> bool {
                !self.0.see(State::has_room)
            }

            /// How many values it holds at most; none for no bound.
            #[must_use]
            pub fn maxsize(&self) -> Option<usize> {
                Some(self.0.see(State::capacity)).filter(|bound| *bound < usize::MAX)
            }

            /// How many values were put and are not done with.
            #[must_use]
            pub fn unfinished(&self) -> u64 {
                self.0.see(State::unfinished)
            }
        }

        impl<T $(: $bound)?> Clone for $name<T> {
            fn clone(&self) -> Self {
                Self(Arc::clone(&self.0))
            }
        }

        impl<T $(: $bound)?> fmt::Debug for $name<T> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("len", &self.len())
                    .field("maxsize", &self.maxsize())
                    .field("unfinished", &self.unfinished())
                    .field("is_shut_down", &self.is_shut_down())
                    .finish_non_exhaustive()
            }
        }
    };
}

queue! {
    /// A queue that is first in, first out, and knows when all that was taken is done. (asyncio's
    /// `Queue`.)
    ///
    /// Clones are handles of the same queue. Those who wait are served in the order in which they came;
    /// nobody who comes later is served before them (in asyncio a newcomer may be).
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::channel::Queue;
    /// use kumi_core::group::{TaskGroup, task_group};
    /// use kumi_core::runtime::Runtime;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// sim.block_on(async {
    ///     let queue = Queue::bounded(2);
    ///     let group = task_group(&rt, async |group: TaskGroup<&'static str, _>| {
    ///         for _ in 0..3 {
    ///             let queue = queue.clone();
    ///             group.spawn(async move {
    ///                 while let Ok(page) = queue.take().await {
    ///                     let _: u32 = *page; // work
    ///                 } // and it is done
    ///                 Ok(())
    ///             });
    ///         }
    ///         for page in 0..10 {
    ///             queue.put(page).await.unwrap();
    ///         }
    ///         queue.join().await;
    ///         queue.shutdown(false);
    ///         Ok(())
    ///     });
    ///     group.await.unwrap();
    ///     assert_eq!(queue.unfinished(), 0);
    /// });
    /// ```
    Queue, Fifo
}

queue! {
    /// A [`Queue`] that is last in, first out. (asyncio's `LifoQueue`.)
    LifoQueue, Lifo
}

queue! {
    /// A [`Queue`] that gives the smallest value first; of equal ones, any. (asyncio's `PriorityQueue`.)
    ///
    /// Values are compared while the queue is locked: their `Ord` must not use the queue. If it panics,
    /// that goes to whoever puts or takes, and the order of what is in the queue may be wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::channel::PriorityQueue;
    /// use kumi_core::runtime::Runtime;
    ///
    /// kumi_sim::Sim::new().block_on(async {
    ///     let queue = PriorityQueue::unbounded();
    ///     for number in [3, 1, 2] {
    ///         queue.put(number).await.unwrap();
    ///     }
    ///     assert_eq!(queue.get().await, Ok(1));
    /// });
    /// ```
    PriorityQueue, Heap, Ord
}
