//! What a clean-up may return.

use std::fmt::Display;

/// What a clean-up may return: nothing, or an error that is [reported](crate::report).
pub trait CleanUpOutput {
    /// The text of the error, if it is one.
    fn into_error(self) -> Option<String>;
}

impl CleanUpOutput for () {
    fn into_error(self) -> Option<String> {
        None
    }
}

impl<E: Display> CleanUpOutput for Result<(), E> {
    fn into_error(self) -> Option<String> {
        self.err().map(|error| error.to_string())
    }
}
