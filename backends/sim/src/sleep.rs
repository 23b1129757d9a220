//! The sleep of a simulator: [`SimSleep`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use kumi_core::debug::{WaitsFor, noted};
use kumi_core::runtime::Sleep;

use crate::state::Shared;
use crate::time::Key;

/// A sleep on a [`Sim`](crate::Sim), in virtual time.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped; its timer is gone at once.
#[must_use = "futures do nothing unless polled"]
pub struct SimSleep {
    shared: Arc<Shared>,
    at: Instant,
    /// Who waits: the waker of the last poll, if that was pending. It stays here when the timer fires,
    /// so that a deadline which is moved before the next poll wakes the task once more.
    waiting: Option<Waker>,
    /// The timer, if one was armed and not taken out; it may have fired.
    armed: Option<Key>,
}

impl SimSleep {
    pub(crate) fn new(shared: Arc<Shared>, at: Instant) -> Self {
        Self {
            shared,
            at,
            waiting: None,
            armed: None,
        }
    }

    /// Takes the timer out; what it held is for the caller to drop.
    fn disarm(&mut self) -> Option<Waker> {
        let key = self.armed.take()?;
        self.shared.lock().time.disarm(key)
    }

    /// Arms a timer for `waker`, or wakes it if it is due already.
    fn arm(&mut self, waker: Waker) {
        let mut state = self.shared.lock();
        if state.time.now() >= self.at {
            drop(state);
            return waker.wake();
        }
        self.armed = Some(state.time.arm(self.at, waker));
        self.shared.ring(state);
    }
}

impl Future for SimSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let known = |waker: &Waker| waker.will_wake(cx.waker());
        let known = this.waiting.as_ref().is_some_and(known);
        // Cloned before the lock is taken: wakers are foreign code.
        let for_me = (!known).then(|| cx.waker().clone());
        let for_timer = (!known || this.armed.is_none()).then(|| cx.waker().clone());

        let mut state = this.shared.lock();
        if state.time.now() >= this.at {
            drop(state);
            drop(this.disarm());
            drop(this.waiting.take());
            return Poll::Ready(());
        }
        let pending = |at| noted(Poll::Pending, || WaitsFor::Sleep(at));
        let Some(for_timer) = for_timer else {
            drop(state);
            return pending(this.at);
        };
        let old = match this.armed {
            Some(key) => Some(state.time.exchange(key, for_timer)),
            None => {
                this.armed = Some(state.time.arm(this.at, for_timer));
                None
            }
        };
        this.shared.ring(state);
        drop(old);
        if for_me.is_some() {
            drop(std::mem::replace(&mut this.waiting, for_me));
        }
        pending(this.at)
    }
}

impl Sleep for SimSleep {
    fn deadline(&self) -> Instant {
        self.at
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at = at;
        drop(self.disarm());
        if let Some(waker) = self.waiting.clone() {
            self.arm(waker);
        }
    }
}

impl Drop for SimSleep {
    fn drop(&mut self) {
        drop(self.disarm());
    }
}

impl fmt::Debug for SimSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSleep")
            .field("at", &self.at)
            .field("waiting", &self.waiting.is_some())
            .finish_non_exhaustive()
    }
}
