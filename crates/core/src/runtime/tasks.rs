//! The table of live tasks.
//!
//! A backend holds a [`Tasks`] and returns it from [`Spawn::tasks`](super::Spawn::tasks); core enters
//! each task when it is spawned and takes it out when its future is gone. So the end of a run can
//! find, cancel and name what is left, also on an executor whose own list cannot be read.
//!
//! Sharded by task number, each shard one short lock around a slab: no allocation per task once the
//! slab has grown, and next to no contention.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use slab::Slab;

use super::{Header, Task, header};
use crate::loom::{AtomicBool, AtomicUsize, Mutex, Ordering, assert_unlocked, fault};
use crate::util::{WakerSlot, discard};

/// How many locks the table is spread over; a power of two.
const SHARDS: usize = if cfg!(loom) { 2 } else { 8 };

/// An empty shard with more room than this gives its memory back.
const KEEP: usize = 1024;

/// A part of the table, on cache lines of its own: threads that use different shards do not disturb
/// each other.
#[repr(align(128))]
struct Shard(Mutex<Slab<Task>>);

/// The live tasks of one runtime.
pub struct Tasks {
    shards: [Shard; SHARDS],
    /// Woken when a task is added and when a shard becomes empty, while somebody watches.
    watcher: WakerSlot,
    watched: AtomicBool,
    /// How many tasks were added while somebody watched.
    added: AtomicUsize,
}

impl Tasks {
    /// Returns an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Shard(Mutex::new(Slab::new()))),
            watcher: WakerSlot::new(),
            watched: AtomicBool::new(false),
            added: AtomicUsize::new(0),
        }
    }

    /// Lists `task`, and notes its place in its tag.
    #[inline]
    pub(crate) fn insert(&self, task: Task) {
        let number = task.id().get() as usize % SHARDS;
        let mut shard = self.shards[number].0.lock();
        let entry = shard.vacant_entry();
        let place = entry.key() * SHARDS + number;
        task.set_tag(u32::try_from(place).expect("fewer than 2^32 tasks live"));
        entry.insert(task);
        drop(shard);
        if self.is_watched() {
            // Release: pairs with `added`. It is counted before the task can begin.
            if !fault("new_task_is_not_counted") {
                self.added.fetch_add(1, Ordering::Release);
            }
            if !fault("new_task_wakes_nobody") {
                self.wake();
            }
        }
    }

    /// Takes the task with this header out, if it is listed here.
    #[inline]
    pub(crate) fn remove(&self, header: &NonNull<Header>) -> Option<Task> {
        let place = header::deref(header).tag() as usize;
        let mut shard = self.shards[place % SHARDS].0.lock();
        // Nothing keeps a backend from setting the tag, or from naming another table than before.
        if !shard.get(place / SHARDS)?.is(header) {
            return None;
        }
        let task = shard.remove(place / SHARDS);
        let empty = shard.is_empty();
        if empty && shard.capacity() > KEEP {
            *shard = Slab::new();
        }
        drop(shard);
        if empty && self.is_watched() {
            self.wake();
        }
        Some(task)
    }

    /// Calls `visit` for each live task.
    pub fn for_each(&self, visit: &mut dyn FnMut(&Task)) {
        for shard in &self.shards {
            // Copied out first: `visit` is foreign code, and may spawn.
            let tasks: Vec<Task> = shard
                .0
                .lock()
                .iter()
                .map(|(_, task)| task.clone())
                .collect();
            tasks.iter().for_each(&mut *visit);
        }
    }

    /// Makes every live task drop its future at its next poll, and wakes it for that.
    ///
    /// For the shutdown of a backend: after the queue was closed, a task that is run by the backend
    /// comes back to `spawn_job`, which drops its job; a hosted one is polled by its host.
    pub fn abort_all(&self) {
        self.for_each(&mut |task| {
            task.abort();
        });
    }

    /// Is ready when no task is listed, and then keeps no waker; otherwise wakes `cx` when that may have
    /// become so, and when a task is added. Only the last waker is kept.
    pub fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let before = self.watch(cx);
        let empty = self.is_empty();
        if fault("look_before_the_watch") {
            self.watched.store(true, Ordering::SeqCst);
        }
        if empty && self.added() == before {
            self.unwatch();
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Wakes `cx` from now on; returns how many tasks were [`added`](Self::added) before.
    pub(crate) fn watch(&self, cx: &Context<'_>) -> usize {
        self.watcher.register(cx.waker());
        // Before the look: a change after it, in the order of the shard's lock, sees the flag.
        if !fault("look_before_the_watch") {
            self.watched.store(true, Ordering::SeqCst);
        }
        self.added()
    }

    /// Lets the waker go: it may own the runtime that owns this table.
    pub(crate) fn unwatch(&self) {
        drop(self.watcher.take());
    }

    /// Whether each part of the table was empty when it was looked at, one after the other.
    ///
    /// All were empty at once only if none was [`added`](Self::added) since [`watch`](Self::watch):
    /// a task in a part not yet looked at may have added one to a part that was, and ended.
    pub(crate) fn is_empty(&self) -> bool {
        self.shards.iter().all(|shard| shard.0.lock().is_empty())
    }

    /// How many tasks were added while somebody watched. Whoever finds a task gone has counted what it
    /// added, because of the lock under which it was taken out.
    pub(crate) fn added(&self) -> usize {
        self.added.load(Ordering::Acquire)
    }

    /// Blocks this thread until no task is left, but no longer than `limit`; false if some are.
    ///
    /// For the shutdown of a backend whose own threads drop the tasks on their own time.
    #[allow(
        clippy::disallowed_methods,
        reason = "it blocks a real thread for real time"
    )]
    pub fn block_until_idle(&self, limit: Duration) -> bool {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let start = Instant::now();
        while self
            .poll_idle(&mut Context::from_waker(&waker))
            .is_pending()
        {
            let Some(left) = limit.checked_sub(start.elapsed()) else {
                return false;
            };
            thread::park_timeout(left);
        }
        true
    }

    /// Nobody watches before the end of a run.
    #[inline]
    fn is_watched(&self) -> bool {
        self.watched.load(Ordering::SeqCst)
    }

    #[cold]
    fn wake(&self) {
        assert_unlocked();
        // The task that begins or ends here does not suffer from a waker that panics.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.watcher.wake())) {
            discard(panic);
        }
    }
}

impl Default for Tasks {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let live: usize = self.shards.iter().map(|shard| shard.0.lock().len()).sum();
        f.debug_struct("Tasks").field("live", &live).finish()
    }
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}
