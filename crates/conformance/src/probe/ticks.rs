//! Time that is moved by hand: [`Ticks`], a clock of which a tick is a second.

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kumi_core::runtime::{Clock, Sleep};

use super::lock;

/// A clock that stands still until it is moved; clones are the same one.
#[derive(Clone)]
pub(crate) struct Ticks(Arc<Mutex<State>>);

struct State {
    start: Instant,
    tick: u32,
    /// Who waits, and for when.
    waiting: BTreeMap<u64, (Instant, Waker)>,
    next: u64,
}

impl Ticks {
    /// A clock that stands at tick 0, which is `start`.
    pub(crate) fn new(start: Instant) -> Self {
        let state = State {
            start,
            tick: 0,
            waiting: BTreeMap::new(),
            next: 0,
        };
        Self(Arc::new(Mutex::new(state)))
    }

    /// The present tick.
    pub(crate) fn tick(&self) -> u32 {
        lock(&self.0).tick
    }

    /// The time of a tick.
    pub(crate) fn time(&self, tick: u32) -> Instant {
        lock(&self.0).start + Duration::from_secs(tick.into())
    }

    /// Waits for a tick.
    pub(crate) fn at(&self, tick: u32) -> TickSleep {
        self.sleep_until(self.time(tick))
    }

    /// Waits for so many ticks, from now on.
    pub(crate) fn wait(&self, ticks: u32) -> TickSleep {
        self.at(self.tick() + ticks)
    }

    /// Moves the clock, and wakes those who have waited for it.
    pub(crate) fn go_to(&self, tick: u32) {
        let now = self.time(tick);
        let due = {
            let mut state = lock(&self.0);
            state.tick = tick;
            let waiting = std::mem::take(&mut state.waiting);
            let (due, later) = waiting.into_iter().partition(|(_, (at, _))| *at <= now);
            state.waiting = later;
            due
        };
        let due: BTreeMap<u64, (Instant, Waker)> = due;
        due.into_values().for_each(|(_, waker)| waker.wake());
    }
}

impl Clock for Ticks {
    type Sleep = TickSleep;

    fn now(&self) -> Instant {
        self.time(self.tick())
    }

    fn sleep_until(&self, at: Instant) -> TickSleep {
        TickSleep {
            ticks: self.clone(),
            at,
            place: None,
        }
    }
}

/// A sleep on [`Ticks`].
pub(crate) struct TickSleep {
    ticks: Ticks,
    at: Instant,
    place: Option<u64>,
}

impl TickSleep {
    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            let gone = lock(&self.ticks.0).waiting.remove(&place);
            drop(gone);
        }
    }
}

impl Future for TickSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.leave();
        if self.ticks.now() >= self.at {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        let place = {
            let mut state = lock(&self.ticks.0);
            state.next += 1;
            let place = state.next;
            state.waiting.insert(place, (self.at, waker));
            place
        };
        self.place = Some(place);
        Poll::Pending
    }
}

impl Sleep for TickSleep {
    fn deadline(&self) -> Instant {
        self.at
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at = at;
        let due = self.ticks.now() >= at;
        let woken = {
            let mut state = lock(&self.ticks.0);
            let Some(place) = self.place else { return };
            if let Some(waiting) = state.waiting.get_mut(&place) {
                waiting.0 = at;
            }
            due.then(|| state.waiting.remove(&place)).flatten()
        };
        woken.into_iter().for_each(|(_, waker)| waker.wake());
    }
}

impl Drop for TickSleep {
    fn drop(&mut self) {
        self.leave();
    }
}
