//! The ambient clock, for what has no runtime of its own.

use std::fmt;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use crate::context;
use crate::runtime::{BoxSleep, DynRuntime, Sleep};
use crate::util::deadline_after;

/// A sleep on the ambient clock.
///
/// `what` needs it, in messages.
pub(crate) struct AmbientSleep(BoxSleep);

impl AmbientSleep {
    /// Until `at`.
    ///
    /// # Panics
    ///
    /// If there is no ambient runtime.
    pub(crate) fn until(at: Instant, what: &str) -> Self {
        Self(clock(what, |clock| clock.sleep_until(at)))
    }

    /// For `delay`, from now on.
    ///
    /// # Panics
    ///
    /// As [`until`](Self::until).
    pub(crate) fn after(delay: Duration, what: &str) -> Self {
        Self::until(deadline_after(ambient_now(what), delay), what)
    }

    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(cx)
    }

    pub(crate) fn reset(&mut self, at: Instant) {
        self.0.as_mut().reset(at);
    }
}

impl fmt::Debug for AmbientSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.deadline().fmt(f)
    }
}

/// The ambient time.
///
/// # Panics
///
/// If there is no ambient runtime; `what` needs it.
pub(crate) fn ambient_now(what: &str) -> Instant {
    clock(what, |clock| clock.now())
}

/// Lends the ambient clock to `f`.
fn clock<T>(what: &str, f: impl FnOnce(&dyn DynRuntime) -> T) -> T {
    context::with_current(|ambient| match ambient {
        Some(ambient) => f(ambient.runtime()),
        None => panic!(
            "{what} needs a clock: poll it inside a Kumi runtime (`kumi::run`, a task, \
             `Runtime::block_on`)"
        ),
    })
}
