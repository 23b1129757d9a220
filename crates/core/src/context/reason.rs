//! Why something was cancelled.

use std::fmt;
use std::sync::Arc;

/// Why a scope was cancelled; the first reason stays.
///
/// (Trio's `CancelReason`.)
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CancelReason {
    /// Somebody asked for it.
    Requested,
    /// Somebody asked for it and said why.
    Message(Arc<str>),
    /// Its deadline was reached.
    Deadline,
    /// A task of its group, or the group's body, failed or panicked.
    Failure,
    /// Ctrl-C.
    Interrupt,
}

impl fmt::Display for CancelReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Requested => "on request",
            Self::Message(text) => text,
            Self::Deadline => "its deadline was reached",
            Self::Failure => "another task of the group failed",
            Self::Interrupt => "interrupted by Ctrl-C",
        })
    }
}

impl From<&str> for CancelReason {
    fn from(text: &str) -> Self {
        Self::Message(text.into())
    }
}

impl From<String> for CancelReason {
    fn from(text: String) -> Self {
        Self::Message(text.into())
    }
}
