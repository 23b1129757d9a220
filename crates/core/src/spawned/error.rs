//! Why a child task gave no value.

use std::error::Error;
use std::fmt;

use crate::task::JoinError;

/// A child of [`try_gather`](super::Combine::try_gather) or [`race_ok`](super::Combine::race_ok) gave no value.
#[derive(Debug)]
pub enum SpawnedError<E> {
    /// It returned this error.
    Failed(E),
    /// Somebody else cancelled it, or its runtime was shut down.
    Cancelled(JoinError),
}

impl<E> SpawnedError<E> {
    /// Returns the error of the child's own, if that is what it was.
    #[must_use]
    pub fn into_failed(self) -> Option<E> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Cancelled(_) => None,
        }
    }

    /// Whether somebody else cancelled the child.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl<E: fmt::Display> fmt::Display for SpawnedError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Cancelled(error) => error.fmt(f),
        }
    }
}

/// Shows and explains itself as the error inside.
impl<E: Error> Error for SpawnedError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => error.source(),
            Self::Cancelled(error) => error.source(),
        }
    }
}
