//! The handle of an executor.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use kumi_core::context;
use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, LocalJob, Owned, Runtime, Spawn, SpawnBlocking, SpawnLocal,
    Tasks,
};
#[cfg(unix)]
use kumi_core::runtime::{Io, Source};

use crate::executors::Lent;
#[cfg(unix)]
use crate::io::SmolIo;
use crate::jobs::Jobs;
use crate::local;
use crate::sleep::SmolSleep;
use crate::threads::{self, Stop};

/// How long a shutdown waits for other threads to drop the tasks that they are polling.
const THREADS_END: Duration = Duration::from_secs(1);

/// A handle to an executor of smol's.
///
/// See the [crate's docs](crate) for what it does and what ends it.
#[derive(Clone)]
pub struct Smol(Arc<Inner>);

struct Inner {
    id: u64,
    executor: Option<Lent>,
    jobs: Arc<Jobs>,
    stop: Arc<Stop>,
    tasks: Tasks,
    blocking: Tasks,
    closed: AtomicBool,
}

impl Smol {
    /// Makes an executor whose tasks run on the threads that are inside `block_on`.
    pub fn current_thread() -> Owned<Self> {
        Owned::new(Self::new(Some(Lent::new())))
    }

    /// Makes an executor with `threads` threads of its own.
    ///
    /// # Errors
    ///
    /// If the system gives no threads.
    ///
    /// # Panics
    ///
    /// If `threads` is zero.
    pub fn threads(threads: usize) -> io::Result<Owned<Self>> {
        assert!(
            threads > 0,
            "for an executor without threads use `Smol::current_thread()`"
        );
        let executor = Lent::new();
        let driven = executor.get();
        let smol = Self::new(Some(executor));
        threads::start(threads, driven, &smol.0.stop)?;
        Ok(Owned::new(smol))
    }

    /// Uses the executor behind `smol::spawn`, which is nobody's to end.
    ///
    /// Each call makes a handle of its own: a run on it ends with the tasks that were spawned through
    /// it and its clones, and lets everybody else's be. The environment variable `SMOL_THREADS` says
    /// how many threads the executor has.
    #[cfg(feature = "global")]
    #[must_use]
    pub fn global() -> Self {
        Self::new(None)
    }

    fn new(executor: Option<Lent>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let jobs = Jobs::new(executor.as_ref().map(Lent::get));
        Self(Arc::new(Inner {
            jobs,
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            executor,
            stop: Arc::default(),
            tasks: Tasks::new(),
            blocking: Tasks::new(),
            closed: AtomicBool::new(false),
        }))
    }
}

impl fmt::Debug for Smol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Smol")
            .field("id", &self.0.id)
            .field("closed", &self.0.closed.load(Ordering::Relaxed))
            .finish_non_exhaustive()
    }
}

impl Smol {
    fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst)
    }

    /// Drops every task: they hold the handle, so dropping the handle cannot be what ends them. Those that wait
    /// are told, and come to `spawn_job`, which drops them; those that are due are taken out of the queue.
    fn sweep(&self) {
        self.0.tasks.abort_all();
        self.0.jobs.clear();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.jobs.close();
        // The drainers end now, if no other thread drives the executor.
        if let Some(executor) = &self.executor {
            while executor.get().try_tick() {}
        }
    }
}

impl Spawn for Smol {
    fn spawn_job(&self, job: Job) {
        if self.is_closed() {
            return drop(job);
        }
        self.0.jobs.push(job);
        // A shutdown between the look and the spawn may have missed it.
        if self.is_closed() {
            self.sweep();
        }
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        let ambient = Ambient::new(self).with_local(self);
        #[cfg(unix)]
        let ambient = ambient.with_io(self);
        Some(ambient)
    }

    fn tasks(&self) -> Option<&Tasks> {
        Some(&self.0.tasks)
    }
}

impl SpawnLocal for Smol {
    /// # Panics
    ///
    /// If this thread has never been inside `block_on` of this executor.
    fn spawn_local_job(&self, job: LocalJob) {
        let Some(local) = local::get(self.0.id) else {
            panic!(
                "`spawn_local` on a thread that runs no local tasks of this executor: call it inside \
                 `block_on`, not on one of the executor's own threads"
            )
        };
        local.spawn(job);
    }
}

impl SpawnBlocking for Smol {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        if self.is_closed() {
            return drop(job);
        }
        blocking::unblock(move || job.run()).detach();
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        Some(&self.0.blocking)
    }
}

impl Clock for Smol {
    type Sleep = SmolSleep;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> SmolSleep {
        SmolSleep::new(at)
    }
}

#[cfg(unix)]
impl Io for Smol {
    type Registered<F: Source> = SmolIo<F>;

    fn register<F: Source>(&self, source: F) -> io::Result<SmolIo<F>> {
        SmolIo::new(source)
    }
}

impl Runtime for Smol {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        context::assert_may_block("block_on");
        assert!(
            !self.is_closed(),
            "`block_on` on an executor that has been shut down"
        );
        let future = local::beside(self.0.id, context::within(self.clone(), future));
        match &self.0.executor {
            Some(executor) => async_io::block_on(executor.get().run(future)),
            None => async_io::block_on(future),
        }
    }

    fn shutdown(&self) {
        if self.0.executor.is_none() || self.0.closed.swap(true, Ordering::SeqCst) {
            return;
        }
        self.sweep();
        local::remove(self.0.id);
        self.0.stop.stop();
        // Other threads may be polling a task at this moment; not so if this is one of them.
        if context::current_task().is_none() {
            self.0.tasks.block_until_idle(THREADS_END);
        }
        // What a thread left in its own queue when it stopped.
        self.sweep();
    }
}
