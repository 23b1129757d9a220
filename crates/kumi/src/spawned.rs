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
//!
//! The futures are `Send + 'static`. No child outlives what these return: what decides cancels the others
//! and waits for their clean-ups first.
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

use kumi_core::combine::{All, First, FirstOk, NoErr};
use kumi_core::spawned::{Crew, Spawnable};

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
