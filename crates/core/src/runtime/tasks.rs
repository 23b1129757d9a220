//! The table of live tasks, for backends that hand their jobs to a foreign executor.
//!
//! Such an executor has a list of its own, but no way to read it. A [`Tasks`] is that list: each
//! job is [tracked](Tasks::track) for as long as it lives, so that the end of a run can find,
//! cancel and name what is left.
//!
//! Sharded by task number, each shard one short lock around a slab: no allocation per task once
//! the slab has grown, and next to no contention.

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;
use slab::Slab;

use super::{BlockingJob, Job, Ran, Task};
use crate::loom::{AtomicWaker, Mutex, assert_unlocked};

/// How many locks the table is spread over; a power of two.
const SHARDS: usize = 8;

/// An empty shard with more room than this gives its memory back.
const KEEP: usize = 1024;

/// The live tasks of one runtime; clones share the table.
#[derive(Debug, Clone, Default)]
pub struct Tasks(Arc<Table>);

#[derive(Debug)]
struct Table {
    shards: [Mutex<Slab<Task>>; SHARDS],
    live: AtomicUsize,
    /// Woken at each change while somebody watches.
    watcher: AtomicWaker,
    watched: std::sync::atomic::AtomicBool,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(Slab::new())),
            live: AtomicUsize::new(0),
            watcher: AtomicWaker::new(),
            watched: false.into(),
        }
    }
}

impl Tasks {
    /// Returns an empty table.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds `task` to the table until the returned entry is dropped.
    fn insert(&self, task: Task) -> Entry {
        let table = Arc::clone(&self.0);
        let shard = task.id().get() as usize % SHARDS;
        table.live.fetch_add(1, Ordering::SeqCst);
        let key = table.shards[shard].lock().insert(task);
        table.changed();
        Entry { table, shard, key }
    }

    /// Wraps a job (a [`Job`](super::Job), a [`LocalJob`](super::LocalJob)) for a host: its task is
    /// in the table until the wrapper is ready or dropped.
    pub fn track<J: Future<Output = ()>>(&self, task: Task, job: J) -> Tracked<J> {
        Tracked {
            job,
            entry: Some(self.insert(task)),
        }
    }

    /// Runs a job, for a backend that runs jobs itself: its task is in the table from its first
    /// run to its end, and the job's tag says where.
    pub fn run(&self, job: Job) -> Ran {
        if job.tag() == u32::MAX {
            let entry = ManuallyDrop::new(self.insert(job.task()));
            job.set_tag(u32::try_from(entry.key * SHARDS + entry.shard).expect("2^32 tasks live"));
        }
        let tag = job.tag() as usize;
        let ran = job.run();
        if matches!(ran, Ran::Ended) {
            self.0.remove(tag % SHARDS, tag / SHARDS);
        }
        ran
    }

    /// Wakes every live task, so that a backend that has closed its queue gets and drops them all:
    /// the way to end tasks that are parked.
    pub fn wake_all(&self) {
        self.for_each(&mut Task::wake);
    }

    /// Wraps a blocking job: its task is in the table until the returned closure was run or dropped.
    pub fn track_blocking(&self, job: BlockingJob) -> impl FnOnce() + Send + use<> {
        let entry = self.insert(job.task());
        move || {
            job.run();
            drop(entry);
        }
    }

    /// Calls `visit` for each live task; implements
    /// [`Runtime::for_each_task`](super::Runtime::for_each_task).
    pub fn for_each(&self, visit: &mut dyn FnMut(&Task)) {
        for shard in &self.0.shards {
            // Copied out first: `visit` is foreign code, and may spawn.
            let tasks: Vec<Task> = shard.lock().iter().map(|(_, task)| task.clone()).collect();
            for task in &tasks {
                visit(task);
            }
        }
    }

    /// Implements [`Runtime::poll_idle`](super::Runtime::poll_idle).
    pub fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let table = &self.0;
        table.watcher.register(cx.waker());
        // SeqCst: either this look sees the change, or the change sees the watcher.
        table.watched.store(true, Ordering::SeqCst);
        if table.live.load(Ordering::SeqCst) == 0 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    /// Blocks this thread until no task is left, but no longer than `limit`; false if some are.
    ///
    /// For the shutdown of a backend whose own threads drop the tasks on their own time.
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
}

/// Wakes a thread that is parked.
struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

impl Table {
    fn remove(&self, shard: usize, key: usize) {
        let mut slab = self.shards[shard].lock();
        let task = slab.remove(key);
        if slab.is_empty() && slab.capacity() > KEEP {
            *slab = Slab::new();
        }
        drop(slab);
        drop(task);
        if self.live.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.changed();
        }
    }

    fn changed(&self) {
        // Nobody watches before the end of a run, so this is one load in the life of a task.
        if self.watched.load(Ordering::SeqCst) {
            assert_unlocked();
            self.watcher.wake();
        }
    }
}

/// A task's place in the table.
#[derive(Debug)]
struct Entry {
    table: Arc<Table>,
    shard: usize,
    key: usize,
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.table.remove(self.shard, self.key);
    }
}

pin_project! {
    /// The future of [`Tasks::track`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops the job.
    #[derive(Debug)]
    #[must_use = "dropping a job drops the future of its task"]
    pub struct Tracked<J> {
        // The order matters: the job goes before its entry.
        #[pin]
        job: J,
        entry: Option<Entry>,
    }
}

impl<J: Future<Output = ()>> Future for Tracked<J> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        let poll = this.job.poll(cx);
        if poll.is_ready() {
            drop(this.entry.take());
        }
        poll
    }
}
