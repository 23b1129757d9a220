//! Timers: a table of wakers in the order in which they are due.
//!
//! Under one lock, so that a [`LoopSleep`] may be polled, moved and dropped on any thread.
//! Arming, moving and dropping cost O(log n); equal deadlines fire in the order of arming.

use std::collections::BTreeMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use kumi_core::runtime::Sleep;

use crate::shared::Shared;

/// When a timer is due, and a number that tells equal times apart.
type Key = (Instant, u64);

/// The armed timers of a loop.
#[derive(Debug, Default)]
pub(crate) struct Timers {
    armed: BTreeMap<Key, Waker>,
    number: u64,
}

impl Timers {
    /// When the earliest timer is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.armed.first_key_value().map(|((at, _), _)| *at)
    }

    /// Takes the wakers of all timers that are due at `now`, in their order.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<Waker> {
        let later = self.armed.split_off(&(now, u64::MAX));
        std::mem::replace(&mut self.armed, later)
            .into_values()
            .collect()
    }

    fn arm(&mut self, at: Instant, waker: Waker) -> Key {
        self.number += 1;
        let key = (at, self.number);
        self.armed.insert(key, waker);
        key
    }
}

/// A sleep on a [`Loop`](crate::Loop).
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped; its timer is gone at once.
pub struct LoopSleep {
    shared: Arc<Shared>,
    at: Instant,
    /// The timer, if one was armed and has not been seen to fire.
    armed: Option<Key>,
}

impl LoopSleep {
    pub(crate) fn new(shared: Arc<Shared>, at: Instant) -> Self {
        Self {
            shared,
            at,
            armed: None,
        }
    }

    fn timers(&self) -> MutexGuard<'_, Timers> {
        self.shared
            .timers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the timer out; its waker, if it has not fired, is for the caller to drop.
    fn disarm(&mut self) -> Option<Waker> {
        let key = self.armed.take()?;
        self.timers().armed.remove(&key)
    }

    fn arm(&mut self, waker: Waker) {
        let mut timers = self.timers();
        let key = timers.arm(self.at, waker);
        let earliest = timers.next() == Some(self.at);
        drop(timers);
        self.armed = Some(key);
        if earliest {
            self.shared.interrupt_from_elsewhere();
        }
    }

    /// Whether the timer is armed for this task already.
    fn is_armed_for(&self, waker: &Waker) -> bool {
        self.armed.is_some_and(|key| {
            self.timers()
                .armed
                .get(&key)
                .is_some_and(|armed| armed.will_wake(waker))
        })
    }
}

impl Future for LoopSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.at {
            drop(self.disarm());
            return Poll::Ready(());
        }
        if !self.is_armed_for(cx.waker()) {
            drop(self.disarm());
            self.arm(cx.waker().clone());
        }
        Poll::Pending
    }
}

impl Sleep for LoopSleep {
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

impl Drop for LoopSleep {
    fn drop(&mut self) {
        drop(self.disarm());
    }
}

impl fmt::Debug for LoopSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopSleep")
            .field("at", &self.at)
            .field("armed", &self.armed.is_some())
            .finish_non_exhaustive()
    }
}
