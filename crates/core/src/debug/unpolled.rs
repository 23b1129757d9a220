//! Futures that are dropped and were never polled.

use std::panic::Location;
use std::thread;

use super::is_debug;
use crate::context::is_cancelled;
use crate::report::{Report, report};

/// A field of a future that is reported if it is dropped and was never polled.
///
/// One word, empty unless debug mode was on when the future was made; and nothing at all in builds without
/// debug assertions: the word, its destructor and what they keep the compiler from doing make a `gather`,
/// `race` or `timeout` of what is ready cost 25 to 38 % more instructions. A future that remembers its place for
/// other reasons calls [`never_polled`] itself, in any build.
#[derive(Debug)]
pub(crate) struct Unpolled(#[cfg(debug_assertions)] Option<Box<Made>>);

#[cfg(debug_assertions)]
#[derive(Debug)]
struct Made {
    what: &'static str,
    location: &'static Location<'static>,
}

#[cfg(debug_assertions)]
impl Unpolled {
    /// The mark of a future that `what` makes here.
    #[track_caller]
    #[inline]
    pub(crate) fn new(what: &'static str) -> Self {
        let location = Location::caller();
        Self(is_debug().then(|| Box::new(Made { what, location })))
    }

    /// The future is polled.
    #[inline]
    pub(crate) fn polled(&mut self) {
        self.0 = None;
    }
}

#[cfg(debug_assertions)]
impl Drop for Unpolled {
    fn drop(&mut self) {
        if let Some(made) = self.0.take() {
            never_polled(made.what, made.location);
        }
    }
}

#[cfg(not(debug_assertions))]
impl Unpolled {
    #[inline(always)]
    pub(crate) fn new(_: &'static str) -> Self {
        Self()
    }

    #[inline(always)]
    pub(crate) fn polled(&mut self) {}
}

/// A future that `what` made at `location` is dropped, and was never polled.
///
/// Not reported if the code around it was cancelled, or panics: the future may have been made for later.
#[cold]
pub(crate) fn never_polled(what: &'static str, location: &'static Location<'static>) {
    if is_debug() && !thread::panicking() && !is_cancelled() {
        report(&Report::NeverPolled { what, location });
    }
}
