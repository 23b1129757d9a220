//! Futures that become tasks one by one: streams of outcomes, `wait`, and limits.
//!
//! # Shape
//!
//! An [`AsTask`] is a spawned combinator over one future, so it is a region, and what is said of those
//! holds for it. [`AsTasks`] makes one of each future of a source, and the combinators in place do the
//! rest: they poll only who was woken, never have more than so many in flight, and draw on demand. So a
//! spawned stream has the type and the methods of the one in place.
//!
//! # What ends what
//!
//! The task begins with the first poll. Nobody polls the members of a stream while the body of a
//! loop over it runs, nor the `pending` of a `wait`. They go on, because they are tasks; and when
//! a scope around them is cancelled, each is told at once, and stops to count as a region with its last
//! step. So nobody has to poll them for the scope to end.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::crew::Spawnable;
use super::error::SpawnedError;
use super::future::{Spawned, SpawnedOf};
use crate::combine::set::Shape;
use crate::combine::source::{Finite, FromIter, FromStream, Limit, Source};
use crate::combine::{All, Gather, Limited, Named, NoErr, TryGather};
use crate::runtime::Spawn;
use crate::task::{JoinError, JoinHandle};

/// A future that runs as a task from its first poll on; what [`Combine`](super::Combine) makes of each
/// future where they are waited for one by one.
///
/// `K` is what it returns, or `S` what decides; `P`, `F`, `H` are those of [`Spawned`].
///
/// # Cancel safety
///
/// Dropping it cancels the task, which cleans up by itself.
///
/// # Panics
///
/// With the panic of the task.
#[must_use = "futures do nothing unless polled"]
pub struct AsTask<P, F, H, K, S, R>(Spawned<P, (F,), H, (K,), S, R>);

impl<F, H, K, R> Future for AsTask<All, F, H, K, Infallible, R> {
    type Output = K;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<K> {
        let (outcome,) = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(outcome)
    }
}

impl<F, H, K, S, R> Future for AsTask<NoErr, F, H, K, S, R> {
    type Output = Result<K, S>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<K, S>> {
        let ended = ready!(Pin::new(&mut self.0).poll(cx));
        Poll::Ready(ended.map(|(value,)| value))
    }
}

impl<P: Named, F, H, K, S, R> fmt::Debug for AsTask<P, F, H, K, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsTask").field(&self.0).finish()
    }
}

/// The futures of a source, each as a task.
///
/// As [`Spawned`] does, it keeps what their types have to fulfil as a function, and asks nothing of them.
#[must_use = "it does nothing unless it is drawn from"]
pub struct AsTasks<P, Src: Source, H, K, S, R> {
    source: Src,
    runtime: R,
    location: &'static Location<'static>,
    make: Make<P, Src::Child, H, K, S, R>,
}

type Make<P, F, H, K, S, R> = fn(&R, F, &'static Location<'static>) -> AsTask<P, F, H, K, S, R>;

/// The child of a source.
type Child<Src> = <Src as Source>::Child;

/// What a child of a source returns.
type Output<Src> = <Child<Src> as Future>::Output;

/// [`AsTasks`] whose outcomes are all the same to whoever waits.
pub type Outcomes<Src, R> = AsTasks<
    All,
    Src,
    (JoinHandle<Option<Output<Src>>>,),
    Result<Output<Src>, JoinError>,
    Infallible,
    R,
>;

/// [`AsTasks`] for futures that return a `Result<T, E>`, whose error decides.
pub type Values<Src, T, E, R> =
    AsTasks<NoErr, Src, (JoinHandle<Option<T>>,), T, SpawnedError<E>, R>;

impl<Src, R> Outcomes<Src, R>
where
    Src: Source<Child: Send + 'static>,
    Output<Src>: Send + 'static,
    R: Spawn,
{
    pub(super) fn outcomes(source: Src, runtime: R, location: &'static Location<'static>) -> Self {
        Self {
            source,
            runtime,
            location,
            make: |runtime, future, location| {
                AsTask(SpawnedOf::left_alone(runtime, (future,), location))
            },
        }
    }
}

impl<Src, T, E, R> Values<Src, T, E, R>
where
    Src: Source<Child: Future<Output = Result<T, E>> + Send + 'static>,
    T: Send + 'static,
    E: Send + 'static,
    R: Spawn,
{
    fn values(source: Src, runtime: R, location: &'static Location<'static>) -> Self {
        Self {
            source,
            runtime,
            location,
            make: |runtime, future, location| {
                AsTask(SpawnedOf::left_alone(runtime, (future,), location))
            },
        }
    }
}

impl<P, Src: Source, H, K, S, R> AsTasks<P, Src, H, K, S, R> {
    fn make(&self, future: Src::Child) -> AsTask<P, Src::Child, H, K, S, R> {
        (self.make)(&self.runtime, future, self.location)
    }
}

impl<P, Src, H, K, S, R> Source for AsTasks<P, Src, H, K, S, R>
where
    Src: Source,
    AsTask<P, Src::Child, H, K, S, R>: Future,
{
    type Child = AsTask<P, Src::Child, H, K, S, R>;

    fn poll_draw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Child>> {
        let drawn = ready!(self.source.poll_draw(cx));
        Poll::Ready(drawn.map(|future| self.make(future)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.size_hint()
    }
}

impl<P, Src, H, K, S, R> Finite for AsTasks<P, Src, H, K, S, R>
where
    Src: Finite,
    AsTask<P, Src::Child, H, K, S, R>: Future,
{
}

/// For [`limited`](crate::combine::limited) and all combinators in place.
impl<P, I, H, K, S, R> Iterator for AsTasks<P, FromIter<I>, H, K, S, R>
where
    I: Iterator<Item: Future>,
{
    type Item = AsTask<P, I::Item, H, K, S, R>;

    fn next(&mut self) -> Option<Self::Item> {
        let future = self.source.draw()?;
        Some(self.make(future))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.size_hint()
    }
}

impl<P: Named, Src: Source, H, K, S, R> fmt::Debug for AsTasks<P, Src, H, K, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsTasks")
            .field("combinator", &P::NAME)
            .field("left", &self.source.size_hint())
            .finish_non_exhaustive()
    }
}

// Nothing in it is pinned.
impl<P, Src: Source, H, K, S, R> Unpin for AsTasks<P, Src, H, K, S, R> {}

/// For [`limited`](crate::combine::limited), which takes streams too.
impl<P, St, H, K, S, R> Stream for AsTasks<P, FromStream<St>, H, K, S, R>
where
    St: Stream<Item: Future> + Unpin,
{
    type Item = AsTask<P, St::Item, H, K, S, R>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let drawn = ready!(this.source.poll_draw(cx));
        Poll::Ready(drawn.map(|future| this.make(future)))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.source.size_hint()
    }
}

/// The source over the futures of a container.
type Line<C> = FromIter<<C as IntoIterator>::IntoIter>;

/// The futures of a container as tasks, with a limit, where an error decides.
type LimitedValues<C, T, E, R, Kind> = Limited<Values<Line<C>, T, E, R>, Kind, NoErr>;

impl<C, H, K, R: Spawn> Spawned<All, C, H, K, Infallible, R> {
    /// Has never more than `limit` tasks alive; the next one begins when one has ended.
    ///
    /// For `Vec`, arrays, boxed slices and iterators. All futures are there from the beginning;
    /// [`as_tasks`](super::Combine::as_tasks) draws them on demand. In a scope that is cancelled no more
    /// begin.
    ///
    /// # Panics
    ///
    /// If `limit` is zero: nothing would ever run. If it was polled before.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::spawned::Combine;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// let squares = rt.gather((1..=5_u32).map(|n| async move { n * n })).limit(2);
    /// let squares = sim.block_on(squares).into_iter().map(Result::unwrap);
    /// assert_eq!(squares.collect::<Vec<_>>(), [1, 4, 9, 16, 25]);
    /// ```
    #[track_caller]
    pub fn limit<Kind>(self, limit: usize) -> Gather<Limited<Outcomes<Line<C>, R>, Kind, All>>
    where
        Kind: Shape,
        C: Spawnable<Kind, Crew = C>,
        C: IntoIterator<Item: Future<Output: Send + 'static> + Send + 'static>,
    {
        let limit = Limit::new(limit);
        let (crew, runtime, location) = self.into_parts();
        let source = FromIter::new(crew.into_iter());
        Gather::of(Limited::new(
            Outcomes::outcomes(source, runtime, location),
            limit,
        ))
    }
}

impl<C, H, K, E, R: Spawn> Spawned<NoErr, C, H, K, SpawnedError<E>, R> {
    /// Has never more than `limit` tasks alive; after an error no more begin. Otherwise it is the `limit`
    /// of [`gather`](super::Combine::gather).
    ///
    /// # Panics
    ///
    /// If `limit` is zero: nothing would ever run. If it was polled before.
    #[track_caller]
    pub fn limit<Kind, T>(
        self,
        limit: usize,
    ) -> TryGather<LimitedValues<C, T, E, R, Kind>, SpawnedError<E>>
    where
        Kind: Shape,
        C: Spawnable<Kind, Crew = C>,
        C: IntoIterator<Item: Future<Output = Result<T, E>> + Send + 'static>,
        T: Send + 'static,
        E: Send + 'static,
    {
        let limit = Limit::new(limit);
        let (crew, runtime, location) = self.into_parts();
        let source = FromIter::new(crew.into_iter());
        TryGather::of(Limited::new(
            Values::values(source, runtime, location),
            limit,
        ))
    }
}
