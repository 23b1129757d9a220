//! What becomes of the outcome of a child task, for each combinator.

use std::convert::Infallible;
use std::ops::ControlFlow;

use super::error::SpawnedError;
use crate::combine::{All, First, FirstOk, Named, NoErr};
use crate::task::JoinError;

/// Judges what a child task with the output `O` ends with.
///
/// The rules have the names of the policies of the forms in place.
pub trait Rule<O>: Named + 'static {
    /// What the task hands over if it does not decide.
    type Value: Send + 'static;
    /// What decides for all.
    type Stop: Send + 'static;
    /// What is made of a child's outcome if nothing decides.
    type Kept;

    /// Whether a child can decide at all.
    const DECIDES: bool = true;

    /// Hands an output over, or lets it decide.
    fn judge(output: O) -> ControlFlow<Self::Stop, Self::Value>;

    /// What a child that was cancelled decides, if anything.
    fn cut(error: JoinError) -> Option<Self::Stop> {
        let _ = error;
        None
    }

    /// Makes of an outcome what the combinator returns.
    fn keep(outcome: Result<Self::Value, JoinError>) -> Self::Kept;
}

impl<T: Send + 'static> Rule<T> for All {
    type Value = T;
    type Stop = Infallible;
    type Kept = Result<T, JoinError>;

    const DECIDES: bool = false;

    #[inline(always)]
    fn judge(output: T) -> ControlFlow<Infallible, T> {
        ControlFlow::Continue(output)
    }

    #[inline(always)]
    fn keep(outcome: Result<T, JoinError>) -> Self::Kept {
        outcome
    }
}

impl<T: Send + 'static, E: Send + 'static> Rule<Result<T, E>> for NoErr {
    type Value = T;
    type Stop = SpawnedError<E>;
    type Kept = T;

    #[inline(always)]
    fn judge(output: Result<T, E>) -> ControlFlow<SpawnedError<E>, T> {
        match output {
            Ok(value) => ControlFlow::Continue(value),
            Err(error) => ControlFlow::Break(SpawnedError::Failed(error)),
        }
    }

    fn cut(error: JoinError) -> Option<SpawnedError<E>> {
        Some(SpawnedError::Cancelled(error))
    }

    #[inline(always)]
    fn keep(outcome: Result<T, JoinError>) -> T {
        match outcome {
            Ok(value) => value,
            Err(error) => unreachable!("a child that was cancelled decides: {error}"),
        }
    }
}

impl<T: Send + 'static> Rule<T> for First {
    type Value = Infallible;
    type Stop = T;
    type Kept = ();

    #[inline(always)]
    fn judge(output: T) -> ControlFlow<T, Infallible> {
        ControlFlow::Break(output)
    }

    #[inline(always)]
    fn keep(_: Result<Infallible, JoinError>) {}
}

impl<T: Send + 'static, E: Send + 'static> Rule<Result<T, E>> for FirstOk {
    type Value = E;
    type Stop = T;
    type Kept = SpawnedError<E>;

    #[inline(always)]
    fn judge(output: Result<T, E>) -> ControlFlow<T, E> {
        match output {
            Ok(value) => ControlFlow::Break(value),
            Err(error) => ControlFlow::Continue(error),
        }
    }

    #[inline(always)]
    fn keep(outcome: Result<E, JoinError>) -> SpawnedError<E> {
        match outcome {
            Ok(error) => SpawnedError::Failed(error),
            Err(error) => SpawnedError::Cancelled(error),
        }
    }
}
