//! Pools of threads that may block: [`BlockingPool`], and [`run_in_executor`], which runs a closure on one.
//!
//! A runtime has a pool of its own behind `to_thread`. A pool that a program makes is for what must not
//! share that one: a database with ten connections, whose calls are to be ten at most and are to wait
//! for each other only; a closure that blocks for ever.
//! A backend without threads of its own makes one as well, and has [`SpawnBlocking`] with one call
//! ([`BlockingPool::spawn`]).
//! It is in core, and not in a backend, because it is of use beside every one of them and needs none.
//!
//! # Types
//!
//! [`BlockingPool`] is the handle, [`Settings`] what makes one.
//! [`PoolThread`] is a thread that a pool wants to have; most programs never see one.
//! Inside: `state` says who does what next, under one lock; `worker` is the life of a thread; `retry` asks
//! the system again for a thread that it did not give.
//!
//! # What must stay true
//!
//! 1. A job in the queue has a thread that comes for it, or all threads that may be there are busy and
//!    look at the queue when they are done, or a retry is under way. If there is neither thread nor
//!    retry, there is no queue: its jobs were dropped, and their joiners told.
//! 2. There are never more threads than the bound. A closure that has started keeps its thread until it
//!    returns, also if nobody waits for it any more.
//! 3. No job runs, starts or is dropped under the lock, and no thread is made under it.
//! 4. The thread that became idle last is woken first, so those that are not needed grow old, and end.
//!
//! # What ends what
//!
//! A thread ends when it was idle for [as long as it may](Settings::idle), or when the pool is closed
//! and nothing is queued. [`close`](BlockingPool::close) drops what is queued; dropping the last handle
//! lets it run first. Neither waits: [`close_within`](BlockingPool::close_within) does.
//!
//! [`SpawnBlocking`]: crate::runtime::SpawnBlocking

mod retry;
mod settings;
mod state;
mod worker;

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::report::{Report, report};
use crate::runtime::{BlockingJob, Runtime};
use crate::task::{JoinHandle, TaskBuilder};
use crate::util::thread_number;
pub use settings::Settings;
use worker::Inner;
pub use worker::PoolThread;

/// A handle to a pool of threads that may block.
///
/// Cheap to clone. See the [module's docs](self) for what ends the pool.
///
/// # Examples
///
/// ```
/// use kumi_core::blocking::{BlockingPool, run_in_executor};
/// use kumi_core::runtime::Runtime;
///
/// let sim = kumi_sim::Sim::new();
/// let database = BlockingPool::settings().max_threads(10).name("database").build();
/// let rows = run_in_executor(&*sim, &database, || vec!["one", "two"]);
/// assert_eq!(sim.block_on(rows).unwrap(), ["one", "two"]);
/// ```
#[derive(Clone)]
pub struct BlockingPool(Arc<Handles>);

/// What all handles of a pool share. Its threads share only what is inside.
struct Handles(Arc<Inner>);

impl Drop for Handles {
    fn drop(&mut self) {
        self.0.finish();
    }
}

impl BlockingPool {
    /// Makes a pool with the usual [`Settings`]. It starts no thread before there is a job.
    #[must_use]
    pub fn new() -> Self {
        Self::settings().build()
    }

    /// Returns the usual settings, to change them.
    pub fn settings() -> Settings {
        Settings::new()
    }

    fn with(settings: Settings) -> Self {
        Self(Arc::new(Handles(Arc::new(Inner::new(settings)))))
    }

    /// Queues `job` for a thread of the pool; for backends, whose
    /// [`spawn_blocking_job`](crate::runtime::SpawnBlocking::spawn_blocking_job) is this call.
    ///
    /// If there is no idle thread, and fewer than there may be, one is made. If the system does not give
    /// it, that is reported, the job waits for a thread that exists, and a task on `runtime` asks again,
    /// after pauses that grow to a second, until nobody is in need of a thread. If that task is
    /// dropped (the runtime is shut down) and there is no thread at all, what is queued is dropped.
    ///
    /// A pool that is closed drops the job.
    pub fn spawn<R: Runtime>(&self, runtime: &R, job: BlockingJob) {
        let inner = &self.0.0;
        if inner.submit(job) {
            retry::start(runtime, inner);
        }
    }

    /// Closes the pool: drops what is queued, whose joiners get "cancelled", and takes nothing any more.
    ///
    /// Does not wait. Closures that have started run to their ends, and their joiners get their values.
    pub fn close(&self) {
        let queued = self.0.0.close();
        drop(queued);
    }

    /// Closes the pool and blocks this thread until all others of the pool have ended, but no longer than
    /// `limit`; false if some have not. Those are reported by name ([`Report::ThreadNotEnded`]), and are
    /// never waited for again.
    ///
    /// (asyncio's `shutdown_default_executor(timeout)`.) The destructors of thread-local values count to a
    /// thread's life. On a thread of the pool itself, that one is not waited for.
    /// A limit of zero closes the pool, and asks whether all have ended.
    pub fn close_within(&self, limit: Duration) -> bool {
        self.close();
        let inner = &self.0.0;
        let mut state = inner.wait_for_the_end(limit);
        let (ended, left) = (state.take_ended(), state.others(thread_number()));
        drop(state);
        for (thread, task) in &left {
            if let Some(task) = task {
                report(&Report::ThreadNotEnded {
                    thread: thread.clone(),
                    task: task.info().clone(),
                    limit,
                });
            }
        }
        if left.is_empty() {
            ended.into_iter().for_each(worker::join);
        }
        left.is_empty()
    }

    /// How many threads the pool has at the moment.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.0.0.lock().threads()
    }

    /// How many of the threads have nothing to do.
    #[must_use]
    pub fn idle(&self) -> usize {
        self.0.0.lock().idle()
    }

    /// How many jobs wait for a thread.
    #[must_use]
    pub fn queued(&self) -> usize {
        self.0.0.lock().queued()
    }
}

impl Default for BlockingPool {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for BlockingPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.0.lock();
        f.debug_struct("BlockingPool")
            .field("threads", &state.threads())
            .field("idle", &state.idle())
            .field("queued", &state.queued())
            .field("closed", &state.is_closed())
            .finish()
    }
}

/// The jobs that a pool has dropped, for whoever is not under its lock.
type Queue = VecDeque<BlockingJob>;

/// Runs `f` on a thread of `pool` and returns the handle of its task.
///
/// (asyncio's `run_in_executor`.) As [`spawn_blocking`](crate::task::SpawnBlockingExt::spawn_blocking),
/// on threads of another pool than the runtime's: cancelling it, or dropping the handle, stops it if it
/// has not started; once started it runs to its end and keeps its thread until then, and its output is
/// dropped if nobody waits. The end of a run waits for it.
///
/// In a simulator, whose runs can be repeated only without threads, `f` is a step like every blocking
/// closure, and `pool` is not used.
///
/// # Examples
///
/// See [`BlockingPool`].
#[track_caller]
pub fn run_in_executor<R, F, T>(runtime: &R, pool: &BlockingPool, f: F) -> JoinHandle<T>
where
    R: Runtime,
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    TaskBuilder::new().run_in_executor(runtime, pool, f)
}

impl TaskBuilder {
    /// Runs `f` on a thread of `pool`; see [`run_in_executor`].
    #[track_caller]
    pub fn run_in_executor<R, F, T>(self, runtime: &R, pool: &BlockingPool, f: F) -> JoinHandle<T>
    where
        R: Runtime,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, handle) = self.blocking_job(runtime, f);
        match runtime.replaces_pools() {
            true => runtime.spawn_blocking_job(job),
            false => pool.spawn(runtime, job),
        }
        handle
    }
}
