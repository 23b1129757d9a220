//! Virtual time: the clock and the armed timers.
//!
//! # Invariant
//!
//! The deadline of every armed timer is in the future: whoever arms one looks at the clock under the
//! same lock, and whoever moves the clock takes out what is due.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::task::Waker;
use std::time::{Duration, Instant};

use kumi_core::util::deadline_after;

/// What a clock must be able to count beyond its start: twice what [`deadline_after`] adds, and more.
const ROOM: Duration = Duration::from_secs(86_400 * 366 * 100);

/// The name of an armed timer: when it is due, and a number that keeps the order of arming.
pub(crate) type Key = (Instant, u64);

/// The clock of a simulator.
#[derive(Debug)]
pub(crate) struct Time {
    now: Instant,
    /// The clock never gets here: what is due then is due never.
    end: Instant,
    armed: BTreeMap<Key, Waker>,
    number: u64,
}

impl Time {
    /// A clock that starts `offset` after the base.
    pub(crate) fn starting_at(offset: Duration) -> Self {
        // One base for the process, so that equal runs see equal instants.
        static BASE: OnceLock<Instant> = OnceLock::new();
        let start = BASE.get_or_init(Instant::now).checked_add(offset);
        let room = start.filter(|start| start.checked_add(ROOM).is_some());
        let now = room.unwrap_or_else(|| {
            panic!("`start_offset({offset:?})` is farther than this machine's clock can count")
        });
        Self {
            now,
            end: deadline_after(now, Duration::MAX),
            armed: BTreeMap::new(),
            number: 0,
        }
    }

    pub(crate) fn now(&self) -> Instant {
        self.now
    }

    /// Arms a timer, whose deadline is in the future.
    pub(crate) fn arm(&mut self, at: Instant, waker: Waker) -> Key {
        debug_assert!(at > self.now, "what is due is woken, not armed");
        self.number += 1;
        let key = (at, self.number);
        self.armed.insert(key, waker);
        key
    }

    /// Takes a timer out; its waker, if it has not fired, is for the caller to drop, not under a lock.
    pub(crate) fn disarm(&mut self, key: Key) -> Option<Waker> {
        self.armed.remove(&key)
    }

    /// Exchanges the waker of a timer whose deadline is in the future; it keeps its place in the order.
    /// The old one is for the caller to drop, not under a lock.
    pub(crate) fn exchange(&mut self, key: Key, waker: Waker) -> Waker {
        let armed = self.armed.get_mut(&key);
        std::mem::replace(armed.expect("it is armed until it is due"), waker)
    }

    /// Moves the clock to the earliest deadline and takes out what is due then, in the order of arming;
    /// none if no timer will ever be due.
    pub(crate) fn advance(&mut self) -> Option<Vec<Waker>> {
        let &(at, _) = self.next()?;
        self.now = at;
        let later = self.armed.split_off(&(at, u64::MAX));
        let due = std::mem::replace(&mut self.armed, later);
        Some(due.into_values().collect())
    }

    /// The timer that is due first, if one ever will be.
    pub(crate) fn next(&self) -> Option<&Key> {
        let (key, _) = self.armed.first_key_value()?;
        (key.0 < self.end).then_some(key)
    }

    /// How many timers will never be due.
    pub(crate) fn endless(&self) -> usize {
        self.armed.range((self.end, 0)..).count()
    }
}
