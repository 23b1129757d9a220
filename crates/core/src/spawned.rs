//! Combinators whose children are tasks: the trait [`Combine`].
//!
//! The free functions of [`combine`](crate::combine) poll their children in place, in the task that awaits them.
//! The methods here make each child a task of the runtime, so that on one with several threads
//! they run in parallel; in exchange the children are `Send + 'static`. The containers, the order of the
//! outputs and the names are the same.
//!
//! # What ends what
//!
//! ```text
//!   first poll ─── all children are spawned
//!   children ───── each ends: future gone, output stored, no longer listed
//!   a decision ─── an error of `try_gather`, the winner of a race, a panic: the others are cancelled
//!                      ▼
//!                once every child has ended, the combinator is ready
//! ```
//!
//! # Invariants
//!
//! 1. A combinator is ready only when every child has ended, clean-ups included, whatever decided. So
//!    no child outlives what it returned. One that is dropped instead (the hard way) cancels its
//!    children as a [`JoinHandle`](crate::task::JoinHandle) does: they clean up, and the runtime waits for
//!    them at the end of the run.
//! 2. It is a region: the scopes around it wait for it, and a cancel of one of them reaches the
//!    children at once, however deep.
//! 3. A child that somebody else cancels ([`Task::cancel`](crate::runtime::Task::cancel), the runtime's shutdown)
//!    is an outcome among the others: an `Err`, or in a race one runner less. It never looks
//!    as if the code that awaits were cancelled.
//! 4. Of what there is to say the most urgent is said: a panic of a child goes on; else, if a cancel from
//!    outside is in force and a child was cut by it, nothing, as in any cancelled region; else the
//!    decision; else the outputs.
//! 5. A child wakes the one who awaits only if it is the last; so a thousand children cost one wake.

mod as_task;
mod crew;
mod error;
mod future;
mod rule;
mod shared;
mod tuple;

use std::convert::Infallible;
use std::panic::Location;

use crate::channel::{Receiver, Sender, bounded};
use crate::combine::source::{FromIter, IntoSource, Source};
use crate::combine::{All, AsCompleted, First, FirstOk, NoErr, Waiting, When};
use crate::runtime::Runtime;
use crate::task::JoinError;

pub use as_task::{AsTask, AsTasks, Outcomes, Values};
pub use crew::{Crew, Handles, Spawnable};
pub use error::SpawnedError;
pub use future::{Spawned, SpawnedOf};
pub use rule::Rule;
pub use shared::Recruiter;

/// The combinators in their parallel form: each child is a task.
///
/// Every runtime has it. It is not made to be overridden: children are cells of core, spawned as jobs as any
/// task is, and no backend has a part of its own that would be faster (measured in
/// `ARCHITECTURE.md`).
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::Runtime;
/// use kumi_core::spawned::Combine;
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// let squares = sim.block_on(async {
///     let outcomes = rt.gather((1..=3).map(|n| async move { n * n })).await;
///     outcomes.into_iter().map(|outcome| outcome.unwrap()).collect::<Vec<_>>()
/// });
/// assert_eq!(squares, [1, 4, 9]);
/// ```
pub trait Combine: Runtime {
    /// Runs all futures in `container` as tasks and returns their outcomes in their order.
    ///
    /// Each outcome is a `Result`: a child that somebody else cancelled is an `Err` in its place,
    /// and disturbs nobody. So is what a child returns, an error of its own included: this is asyncio's
    /// `gather(return_exceptions=True)`; see [`try_gather`](Self::try_gather) for the other one.
    /// The shape is that of the container, as in [`gather`](crate::combine::gather) in place; no futures give
    /// no outcomes, at once.
    ///
    /// # Cancel safety
    ///
    /// A cancel goes to the children at once; when all have cleaned up and ended, the scope that was
    /// cancelled goes on. When this future is dropped from outside, its children are cancelled and clean
    /// up by themselves; the end of the run waits for them. What they have returned so far is lost.
    ///
    /// # Panics
    ///
    /// With the first panic of a child, when the others were cancelled and have ended. When polled after it
    /// was ready.
    #[track_caller]
    fn gather<C, Kind>(&self, container: C) -> SpawnedOf<All, C::Crew, Self>
    where
        C: Spawnable<Kind, Crew: Crew<All, Stop = Infallible>>,
    {
        Spawned::new(self, container.into_crew(), Location::caller())
    }

    /// Runs all futures in `container` as tasks and returns their values in their order, or the first
    /// error.
    ///
    /// At the first error the others are cancelled, their clean-ups (`finally`, `bracket`, ...) run to
    /// their end, and only then does this return. A child that somebody else cancels is an
    /// error, too. (asyncio's `gather` without `return_exceptions`, but for the others, which asyncio lets
    /// run on.)
    ///
    /// # Cancel safety
    ///
    /// As [`gather`](Self::gather).
    ///
    /// # Errors
    ///
    /// [`SpawnedError`]: the error of the child that failed first, or that it was cancelled.
    ///
    /// # Panics
    ///
    /// As [`gather`](Self::gather).
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::spawned::{Combine, SpawnedError};
    ///
    /// async fn half(number: u32) -> Result<u32, String> {
    ///     match number % 2 {
    ///         0 => Ok(number / 2),
    ///         _ => Err(format!("{number} is odd")),
    ///     }
    /// }
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// sim.block_on(async {
    ///     assert_eq!(rt.try_gather([half(2), half(4)]).await.unwrap(), [1, 2]);
    ///     let failed = rt.try_gather([half(2), half(3)]).await.unwrap_err();
    ///     assert!(matches!(failed, SpawnedError::Failed(text) if text == "3 is odd"));
    /// });
    /// ```
    #[track_caller]
    fn try_gather<C, Kind>(&self, container: C) -> SpawnedOf<NoErr, C::Crew, Self>
    where
        C: Spawnable<Kind, Crew: Crew<NoErr>>,
    {
        Spawned::new(self, container.into_crew(), Location::caller())
    }

    /// Runs all futures in `container`, which have one type of output, as tasks, until the first is
    /// ready, and returns its output.
    ///
    /// The losers are cancelled, their clean-ups run to their end, and only then does this return. A
    /// child that somebody else cancels is out of the race.
    ///
    /// # Cancel safety
    ///
    /// As [`gather`](Self::gather).
    ///
    /// # Errors
    ///
    /// [`RaceError`](crate::combine::RaceError) if there is no future, or somebody else has cancelled
    /// all of them.
    ///
    /// # Panics
    ///
    /// As [`gather`](Self::gather).
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::runtime::{Clock, Runtime};
    /// use kumi_core::spawned::Combine;
    /// use std::time::Duration;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// let after = |seconds| {
    ///     let sleep = rt.sleep(Duration::from_secs(seconds));
    ///     async move {
    ///         sleep.await;
    ///         seconds
    ///     }
    /// };
    /// assert_eq!(sim.block_on(rt.race([after(3), after(1), after(2)])), Ok(1));
    /// ```
    #[track_caller]
    fn race<C, Kind>(&self, container: C) -> SpawnedOf<First, C::Crew, Self>
    where
        C: Spawnable<Kind, Crew: Crew<First>>,
    {
        Spawned::new(self, container.into_crew(), Location::caller())
    }

    /// Runs all futures in `container`, which return `Result`s, as tasks, until the first succeeds, and
    /// returns its value.
    ///
    /// Otherwise it is [`race`](Self::race). (`Promise.any` of JavaScript.)
    ///
    /// # Cancel safety
    ///
    /// As [`gather`](Self::gather).
    ///
    /// # Errors
    ///
    /// With what became of each, in the order of the futures and the shape of the container, if none
    /// succeeds; so with nothing if there is no future.
    ///
    /// # Panics
    ///
    /// As [`gather`](Self::gather).
    #[track_caller]
    fn race_ok<C, Kind>(&self, container: C) -> SpawnedOf<FirstOk, C::Crew, Self>
    where
        C: Spawnable<Kind, Crew: Crew<FirstOk>>,
    {
        Spawned::new(self, container.into_crew(), Location::caller())
    }

    /// Runs all futures of `members` as tasks and gives their outcomes as they finish.
    ///
    /// The stream of [`as_completed`](crate::combine::as_completed) in place, with its methods: `next`,
    /// `indexed`, `limit` (never more tasks than so many, drawn on demand; a stream of futures needs
    /// it), `for_each`, `try_for_each`. But the children go on while nobody polls the stream, so a loop
    /// whose body waits cannot stall them, whatever it waits for. An outcome is a `Result`: a
    /// child that somebody else cancelled is an `Err`. They begin when the stream is polled first.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when the future of `next` is dropped. A cancel goes to the children at once, and
    /// the scope waits for their clean-ups, whether the stream is polled or not. When the stream is
    /// dropped, the children that are left are cancelled and clean up by themselves; the end of the run waits
    /// for them.
    ///
    /// # Panics
    ///
    /// With the panic of a child; it cannot be polled any more after that.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::yield_now;
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::spawned::Combine;
    ///
    /// async fn steps(count: u32) -> u32 {
    ///     for _ in 0..count {
    ///         yield_now().await;
    ///     }
    ///     count
    /// }
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// sim.block_on(async {
    ///     let mut outcomes = rt.as_completed([steps(5), steps(1)]);
    ///     assert_eq!(outcomes.next().await.unwrap().unwrap(), 1);
    ///     // Meanwhile the other one goes on.
    ///     steps(9).await;
    ///     assert_eq!(outcomes.next().await.unwrap().unwrap(), 5);
    ///     assert!(outcomes.next().await.is_none());
    /// });
    /// ```
    #[track_caller]
    fn as_completed<C, Kind>(&self, members: C) -> AsCompleted<Outcomes<C::Source, Self>>
    where
        C: IntoSource<Kind, Source: Source<Child: Future<Output: Send + 'static> + Send + 'static>>,
    {
        AsCompleted::of(self.as_tasks(members))
    }

    /// Runs all futures of `members` as tasks, waits until enough of them have finished, and gives
    /// back those that have not: none is ended.
    ///
    /// [`wait`](crate::combine::wait) in place, of outcomes: `FirstError` means the first that somebody
    /// else cancelled. What is [`pending`](crate::combine::Wait::pending) goes on meanwhile, and can be waited
    /// on again with the `wait` in place. They begin when this is polled first.
    ///
    /// # Cancel safety
    ///
    /// As [`as_completed`](Self::as_completed): a cancel of a scope around it, or dropping it or `pending`,
    /// cancels the tasks.
    ///
    /// # Panics
    ///
    /// With the panic of a member. When polled after it was ready.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::{ReturnWhen, wait, yield_now};
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::spawned::Combine;
    ///
    /// async fn steps(count: u32) -> u32 {
    ///     for _ in 0..count {
    ///         yield_now().await;
    ///     }
    ///     count
    /// }
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// sim.block_on(async {
    ///     let first = rt.wait([steps(9), steps(1)], ReturnWhen::FirstCompleted).await;
    ///     assert!(matches!(first.done[..], [(1, Ok(1))]));
    ///     let rest = wait(first.pending, ReturnWhen::AllCompleted).await;
    ///     assert!(matches!(rest.done[..], [(0, Ok(9))]));
    /// });
    /// ```
    #[track_caller]
    fn wait<C, W, Kind, I>(
        &self,
        members: C,
        when: W,
    ) -> Waiting<<Outcomes<C::Source, Self> as Source>::Child, W>
    where
        C: IntoSource<Kind, Source = FromIter<I>>,
        I: Iterator<Item: Future<Output: Send + 'static> + Send + 'static>,
        W: When<Result<<I::Item as Future>::Output, JoinError>>,
    {
        crate::combine::wait(self.as_tasks(members), when)
    }

    /// The futures of `source`, each of which becomes a task when it is polled first.
    ///
    /// For the combinators in place: with [`limited`](crate::combine::limited), tasks are drawn on demand
    /// from an iterator or a stream that is long or has no end.
    ///
    /// # Cancel safety
    ///
    /// A cancel goes to the tasks at once, and the scope waits for their clean-ups. One that is dropped
    /// cleans up by itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::{gather, limited};
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::spawned::Combine;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// let numbers = (0..100_u64).map(|number| async move { number });
    /// let outcomes = sim.block_on(gather(limited(4, rt.as_tasks(numbers))));
    /// assert_eq!(outcomes.into_iter().map(Result::unwrap).sum::<u64>(), 4950);
    /// ```
    #[track_caller]
    fn as_tasks<C, Kind>(&self, source: C) -> Outcomes<C::Source, Self>
    where
        C: IntoSource<Kind, Source: Source<Child: Future<Output: Send + 'static> + Send + 'static>>,
    {
        Outcomes::outcomes(source.into_source(), self.clone(), Location::caller())
    }

    /// A [`bounded`] channel, for tasks of this runtime and of any other.
    ///
    /// It is the same on each: no runtime has a channel of its own that would do better (measured in
    /// `ARCHITECTURE.md`), so its ends have one type everywhere. Tasks that stay on one thread have a quicker
    /// one in [`channel::local`](crate::channel::local).
    ///
    /// # Panics
    ///
    /// As [`bounded`].
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::spawned::Combine;
    /// use kumi_core::task::SpawnExt;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// sim.block_on(async {
    ///     let (sender, receiver) = rt.channel(10);
    ///     rt.spawn(async move { sender.send("hello").await.unwrap() }).detach();
    ///     assert_eq!(receiver.recv().await, Ok("hello"));
    /// });
    /// ```
    #[must_use]
    fn channel<T>(&self, capacity: usize) -> (Sender<T>, Receiver<T>) {
        bounded(capacity)
    }
}

impl<R: Runtime> Combine for R {}
