//! Combinators whose children are tasks, so that they run in parallel on a backend with several threads.
//!
//! The ambient form of the methods of [`Combine`]: they find their runtime by themselves.
//!
//! | to | use |
//! |---|---|
//! | have all outcomes | [`gather`] |
//! | have all values, or the first error | [`try_gather`] |
//! | have the first output | [`race`] |
//! | have the first success | [`race_ok`] |
//! | have outcomes as they come, from children that go on meanwhile | [`as_completed`] |
//! | wait for some of many, and end none | [`wait`] |
//! | have never more than so many | `limit` on [`gather`], [`try_gather`], [`as_completed`]; [`as_tasks`] |
//!
//! The futures are `Send + 'static`. No child outlives what the first four return: what decides cancels the
//! others and waits for their clean-ups first.
//!
//! ```
//! # #[cfg(feature = "sim")]
//! kumi::run_on(kumi::BackendKind::Sim, async {
//!     let squares = kumi::spawned::gather((1..=3).map(|n| async move { n * n })).await;
//!     let sum: i32 = squares.into_iter().map(|square| square.unwrap()).sum();
//!     assert_eq!(sum, 14);
//! });
//! ```

use std::convert::Infallible;

use kumi_core::combine::source::{FromIter, IntoSource, Source};
use kumi_core::combine::{All, AsCompleted, First, FirstOk, NoErr, Waiting, When};
use kumi_core::spawned::{Crew, Outcomes, Spawnable};
use kumi_core::task::JoinError;

pub use kumi_core::spawned::{Combine, Spawned, SpawnedError, SpawnedOf};

use crate::backend::Backend;

/// Runs all futures in `container` as tasks and returns their outcomes in their order; see
/// [`Combine::gather`].
///
/// # Cancel safety
///
/// A cancel goes to the children at once, and waits for their clean-ups. When this future is dropped from
/// outside, its children are cancelled and clean up by themselves; what they have returned is lost.
///
/// # Panics
///
/// When called outside of any runtime; with the first panic of a child, when all have ended.
#[track_caller]
pub fn gather<C, Kind>(container: C) -> SpawnedOf<All, C::Crew, Backend>
where
    C: Spawnable<Kind, Crew: Crew<All, Stop = Infallible>>,
{
    Backend::current().gather(container)
}

/// Runs all futures in `container` as tasks and returns their values in their order, or the first
/// error; see [`Combine::try_gather`].
///
/// # Cancel safety
///
/// As [`gather`].
///
/// # Errors
///
/// [`SpawnedError`]: the error of the child that failed first, or that somebody else cancelled it.
///
/// # Panics
///
/// As [`gather`].
#[track_caller]
pub fn try_gather<C, Kind>(container: C) -> SpawnedOf<NoErr, C::Crew, Backend>
where
    C: Spawnable<Kind, Crew: Crew<NoErr>>,
{
    Backend::current().try_gather(container)
}

/// Runs all futures in `container` as tasks until the first is ready, and returns its output; see
/// [`Combine::race`].
///
/// # Cancel safety
///
/// As [`gather`].
///
/// # Errors
///
/// [`RaceError`](kumi_core::combine::RaceError) if there is no future, or somebody else has cancelled
/// all of them.
///
/// # Panics
///
/// As [`gather`].
#[track_caller]
pub fn race<C, Kind>(container: C) -> SpawnedOf<First, C::Crew, Backend>
where
    C: Spawnable<Kind, Crew: Crew<First>>,
{
    Backend::current().race(container)
}

/// Runs all futures in `container` as tasks until the first succeeds, and returns its value; see
/// [`Combine::race_ok`].
///
/// # Cancel safety
///
/// As [`gather`].
///
/// # Errors
///
/// With what became of each, if none succeeds.
///
/// # Panics
///
/// As [`gather`].
#[track_caller]
pub fn race_ok<C, Kind>(container: C) -> SpawnedOf<FirstOk, C::Crew, Backend>
where
    C: Spawnable<Kind, Crew: Crew<FirstOk>>,
{
    Backend::current().race_ok(container)
}

/// Runs all futures of `members` as tasks and gives their outcomes as they finish; see
/// [`Combine::as_completed`].
///
/// # Cancel safety
///
/// Nothing is lost when the future of `next` is dropped. When the stream is dropped, the children that are
/// left are cancelled and clean up by themselves.
///
/// # Panics
///
/// When called outside of any runtime; with the panic of a child.
#[track_caller]
pub fn as_completed<C, Kind>(members: C) -> AsCompleted<Outcomes<C::Source, Backend>>
where
    C: IntoSource<Kind, Source: Source<Child: Future<Output: Send + 'static> + Send + 'static>>,
{
    Backend::current().as_completed(members)
}

/// Runs all futures of `members` as tasks, waits until enough of them have finished, and gives back
/// those that have not, which go on; see [`Combine::wait`].
///
/// # Cancel safety
///
/// A cancel of a scope around it, or dropping it or `pending`, cancels the tasks.
///
/// # Panics
///
/// When called outside of any runtime; with the panic of a member.
#[track_caller]
pub fn wait<C, W, Kind, I>(
    members: C,
    when: W,
) -> Waiting<<Outcomes<C::Source, Backend> as Source>::Child, W>
where
    C: IntoSource<Kind, Source = FromIter<I>>,
    I: Iterator<Item: Future<Output: Send + 'static> + Send + 'static>,
    W: When<Result<<I::Item as Future>::Output, JoinError>>,
{
    Backend::current().wait(members, when)
}

/// The futures of `source`, each of which becomes a task when it is polled first, for the combinators in
/// place; see [`Combine::as_tasks`].
///
/// # Panics
///
/// When called outside of any runtime.
#[track_caller]
pub fn as_tasks<C, Kind>(source: C) -> Outcomes<C::Source, Backend>
where
    C: IntoSource<Kind, Source: Source<Child: Future<Output: Send + 'static> + Send + 'static>>,
{
    Backend::current().as_tasks(source)
}
