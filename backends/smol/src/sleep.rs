//! Time: `async-io`'s timers.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use async_io::Timer;
use kumi_core::debug::{WaitsFor, noted};
use kumi_core::runtime::Sleep;

/// A sleep on `async-io`'s reactor.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped; its timer is gone at once.
pub struct SmolSleep {
    timer: Timer,
    at: Instant,
    /// The timer has fired and was seen to: it cannot be set again.
    fired: bool,
}

impl SmolSleep {
    pub(crate) fn new(at: Instant) -> Self {
        Self {
            timer: Timer::at(at),
            at,
            fired: false,
        }
    }
}

impl Future for SmolSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let poll = Pin::new(&mut self.timer).poll(cx).map(drop);
        self.fired = poll.is_ready();
        noted(poll, || WaitsFor::Sleep(self.at))
    }
}

impl Sleep for SmolSleep {
    fn deadline(&self) -> Instant {
        self.at
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at = at;
        if std::mem::take(&mut self.fired) {
            self.timer = Timer::at(at);
        } else {
            self.timer.set_at(at);
        }
    }
}

impl fmt::Debug for SmolSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmolSleep")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
