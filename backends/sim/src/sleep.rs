//! Virtual sleeps.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use kumi_core::runtime::Sleep;

use crate::handle::Shared;
use crate::world::Key;

/// A sleep in virtual time.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped; its timer is gone at once.
pub struct SimSleep {
    shared: Arc<Shared>,
    at: Instant,
    armed: Option<Key>,
}

impl SimSleep {
    pub(crate) fn new(shared: Arc<Shared>, at: Instant) -> Self {
        Self {
            shared,
            at,
            armed: None,
        }
    }

    /// Takes the timer out; its waker, if it has not fired, is for the caller to drop.
    fn disarm(&mut self) -> Option<Waker> {
        let key = self.armed.take()?;
        self.shared.world().timers.remove(&key)
    }

    fn arm(&mut self, waker: Waker) {
        let key = self.shared.world().arm(self.at, waker);
        self.armed = Some(key);
        self.shared.changed.notify_one();
    }
}

impl Future for SimSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let old = self.disarm();
        let due = self.shared.world().now >= self.at;
        if !due {
            self.arm(cx.waker().clone());
        }
        drop(old);
        if due { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Sleep for SimSleep {
    fn deadline(&self) -> Instant {
        self.at
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at = at;
        if let Some(waker) = self.disarm() {
            self.arm(waker);
        }
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        let old = self.disarm();
        drop(old);
    }
}

impl fmt::Debug for SimSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSleep")
            .field("at", &self.at)
            .finish_non_exhaustive()
    }
}
