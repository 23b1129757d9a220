//! What goes wrong in a group.

use std::any::Any;
use std::error::Error;
use std::fmt;

use crate::context::CancelReason;

/// Why a group gave no value.
///
/// (asyncio's `ExceptionGroup`, with its first error typed and in its place.)
#[derive(Debug)]
pub enum GroupError<E> {
    /// Children or the body failed.
    Failed {
        /// The error that came first.
        first: E,
        /// The others, in the order in which they came.
        rest: Vec<E>,
    },
    /// The group was cancelled by [`TaskGroup::cancel`](super::TaskGroup::cancel) before its body
    /// returned; nothing failed.
    Cancelled(CancelReason),
}

impl<E> GroupError<E> {
    /// Returns the first error; none if the group was cancelled.
    #[must_use]
    pub fn first(&self) -> Option<&E> {
        self.iter().next()
    }

    /// Returns the first error, and drops the others.
    #[must_use]
    pub fn into_first(self) -> Option<E> {
        match self {
            Self::Failed { first, .. } => Some(first),
            Self::Cancelled(_) => None,
        }
    }

    /// Returns all errors, in the order in which they came.
    #[must_use]
    pub fn into_vec(self) -> Vec<E> {
        match self {
            Self::Failed { first, mut rest } => {
                rest.insert(0, first);
                rest
            }
            Self::Cancelled(_) => Vec::new(),
        }
    }

    /// Returns all errors, one after the other, in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &E> {
        let (first, rest) = match self {
            Self::Failed { first, rest } => (Some(first), &rest[..]),
            Self::Cancelled(_) => (None, &[][..]),
        };
        first.into_iter().chain(rest)
    }

    /// Whether the group was cancelled, and nothing failed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        matches!(self, Self::Cancelled(_))
    }
}

impl<E: fmt::Display> fmt::Display for GroupError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed { first, rest } if rest.is_empty() => first.fmt(f),
            Self::Failed { first, rest } => write!(f, "{first} (and {} more)", rest.len()),
            Self::Cancelled(reason) => write!(f, "the task group was cancelled: {reason}"),
        }
    }
}

impl<E: Error + 'static> Error for GroupError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.first().map(|first| first as _)
    }
}

/// What a supervisor is told of a child that failed.
pub enum Failure<E> {
    /// It returned an error.
    Error(E),
    /// It panicked, with this.
    Panic(Box<dyn Any + Send>),
}

impl<E: fmt::Debug> fmt::Debug for Failure<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Error(error) => f.debug_tuple("Error").field(error).finish(),
            Self::Panic(panic) => {
                let text = crate::util::panic_message(&**panic);
                f.debug_tuple("Panic").field(&text).finish()
            }
        }
    }
}

/// The group has ended, so nothing can be spawned into it; here is the future.
pub struct Closed<F>(pub F);

impl<F> fmt::Debug for Closed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Closed").finish_non_exhaustive()
    }
}

impl<F> fmt::Display for Closed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(CLOSED)
    }
}

impl<F> Error for Closed<F> {}

pub(super) const CLOSED: &str = "the task group has ended: spawn while its body or one of its \
     children is still running";
