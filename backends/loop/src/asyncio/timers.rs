//! Callbacks that are due at a time.
//!
//! Each is a task that waits to be told. They stand in a table in the order in which they are due, and one
//! more task, which lives while the table is not empty, sleeps until the first is due and tells it. So those
//! that are due together are called in their order, also if they were due before they were made; and
//! behind what was ready by then, since each has to be queued once more.
//!
//! The table belongs to that task, so it goes with it; the thread knows where it is.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kumi_core::runtime::{Clock, Sleep};
use kumi_core::task::SpawnLocalExt;
use kumi_core::util::{deadline_after, wake_all};

use super::calls::{AnyCall, Call, Handle};
use crate::handle::Loop;

/// When a callback is due, and a number that tells those of the same time apart.
type Key = (Instant, u64);

/// What a callback and the table share.
#[derive(Default)]
struct Entry {
    due: Cell<bool>,
    waker: Cell<Option<Waker>>,
}

#[derive(Default)]
struct Table {
    entries: RefCell<BTreeMap<Key, Rc<Entry>>>,
    numbers: Cell<u64>,
    /// The waker of the task that sleeps.
    sleeper: Cell<Option<Waker>>,
}

thread_local! {
    /// The tables of the loops of this thread, by the number of the loop.
    static TABLES: RefCell<BTreeMap<u64, Weak<Table>>> = const { RefCell::new(BTreeMap::new()) };
}

impl Table {
    /// The table of `lp`; makes it, and its task, if there is none.
    fn of(lp: &Loop) -> Rc<Self> {
        let found = TABLES.with_borrow(|tables| tables.get(&lp.0.id).and_then(Weak::upgrade));
        if let Some(table) = found {
            return table;
        }
        let table = Rc::new(Self::default());
        TABLES.with_borrow_mut(|tables| {
            tables.retain(|_, table| table.strong_count() > 0);
            tables.insert(lp.0.id, Rc::downgrade(&table));
        });
        table
    }

    fn first(&self) -> Option<Instant> {
        let entries = self.entries.borrow();
        entries.first_key_value().map(|((at, _), _)| *at)
    }

    fn insert(&self, at: Instant, entry: Rc<Entry>) -> Key {
        let number = self.numbers.get();
        self.numbers.set(number + 1);
        self.entries.borrow_mut().insert((at, number), entry);
        let sleeper = self.sleeper.take();
        if let Some(sleeper) = sleeper {
            sleeper.wake();
        }
        (at, number)
    }

    fn remove(&self, key: Key) -> Option<Rc<Entry>> {
        let mut entries = self.entries.borrow_mut();
        let entry = entries.remove(&key);
        let empty = entries.is_empty();
        drop(entries);
        if let Some(sleeper) = self.sleeper.take() {
            match empty {
                // There is nothing to sleep for.
                true => sleeper.wake(),
                false => self.sleeper.set(Some(sleeper)),
            }
        }
        entry
    }

    /// Tells those who are due, in their order; false if one of them, whose task was not polled yet, is to be
    /// told first in a moment.
    fn fire(&self, now: Instant) -> bool {
        let mut due = Vec::new();
        let mut entries = self.entries.borrow_mut();
        let all = loop {
            let Some(first) = entries.first_entry() else {
                break true;
            };
            if first.key().0 > now {
                break true;
            }
            let Some(waker) = first.get().waker.take() else {
                break false;
            };
            first.remove().due.set(true);
            due.push(waker);
        };
        drop(entries);
        wake_all(due);
        all
    }

    /// The task: tells who is due, until nobody is left.
    async fn run(self: Rc<Self>, lp: Loop) {
        let mut sleep = pin!(lp.sleep_until(lp.now()));
        poll_fn(|cx: &mut Context<'_>| {
            loop {
                let Some(first) = self.first() else {
                    return Poll::Ready(());
                };
                let now = lp.now();
                if first <= now {
                    if self.fire(now) {
                        continue;
                    }
                    // The task is queued, so it comes before this one.
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                sleep.as_mut().reset(first);
                if sleep.as_mut().poll(cx).is_pending() {
                    self.sleeper.set(Some(cx.waker().clone()));
                    return Poll::Pending;
                }
            }
        })
        .await;
    }
}

/// A callback that was handed to [`Loop::call_later`] or [`Loop::call_at`].
///
/// Dropping it changes nothing.
pub struct TimerHandle {
    handle: Handle,
    key: Key,
    table: Weak<Table>,
}

impl TimerHandle {
    /// Keeps the callback from being called, and drops it now, with what it captured.
    ///
    /// Does nothing if it has been called, or is being called.
    pub fn cancel(&self) {
        let entry = self
            .table
            .upgrade()
            .and_then(|table| table.remove(self.key));
        self.handle.cancel();
        if let Some(waker) = entry.and_then(|entry| entry.waker.take()) {
            // Its task ends.
            waker.wake();
        }
    }

    /// Whether the callback was cancelled before it was called, by this or by the end of the loop.
    #[must_use]
    pub fn cancelled(&self) -> bool {
        self.handle.cancelled()
    }

    /// When the callback is due, on the clock of [`Loop::time`].
    #[must_use]
    pub fn when(&self) -> Instant {
        self.key.0
    }
}

impl fmt::Debug for TimerHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimerHandle")
            .field("when", &self.when())
            .field("cancelled", &self.cancelled())
            .finish()
    }
}

/// If the task of a callback is dropped before it was called, so is the callback.
struct Guard(Rc<dyn AnyCall>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.cancel();
    }
}

impl Loop {
    /// Returns the time of the loop's clock, by which [`call_at`](Loop::call_at) goes.
    #[must_use]
    pub fn time(&self) -> Instant {
        self.now()
    }

    /// Queues `callback` after `delay`; as [`call_at`](Loop::call_at).
    ///
    /// A delay of zero is one too: what is ready by now comes first.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    #[track_caller]
    pub fn call_later(&self, delay: Duration, callback: impl FnOnce() + 'static) -> TimerHandle {
        self.call_at(deadline_after(self.now(), delay), callback)
    }

    /// Queues `callback` at the time `when`, to be called once, behind what is ready by then.
    ///
    /// Those that are due together are called in the order of their times, and of equal times in the order
    /// in which they were made. None is called early.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    #[track_caller]
    pub fn call_at(&self, when: Instant, callback: impl FnOnce() + 'static) -> TimerHandle {
        self.0.own("call_at");
        let call: Rc<dyn AnyCall> = Call::new(callback);
        let entry = Rc::new(Entry::default());
        let (guard, waits) = (Guard(Rc::clone(&call)), Rc::clone(&entry));
        let called = poll_fn(move |cx: &mut Context<'_>| {
            if waits.due.get() || guard.0.is_cancelled() {
                guard.0.call();
                return Poll::Ready(());
            }
            waits.waker.set(Some(cx.waker().clone()));
            Poll::Pending
        });
        self.spawn_local(called).detach();
        let table = Table::of(self);
        let key = table.insert(when, entry);
        if Rc::strong_count(&table) == 1 {
            // Its first entry.
            self.spawn_local(Rc::clone(&table).run(self.clone()))
                .detach();
        }
        TimerHandle {
            handle: Handle { call },
            key,
            table: Rc::downgrade(&table),
        }
    }
}
