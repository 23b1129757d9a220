//! The handle of a simulator, and what makes one.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::thread;
use std::time::{Duration, Instant};

use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, LocalJob, Owned, Runtime, Spawn, SpawnBlocking, SpawnLocal,
    Task,
};

use crate::drive;
use crate::schedule::{Chooser, Schedule, Trace};
use crate::sleep::SimSleep;
use crate::world::World;

/// A handle to a simulator.
///
/// See the [crate's docs](crate) for what it does and what ends it.
#[derive(Clone)]
pub struct Sim(pub(crate) Arc<Shared>);

/// What the handles share.
pub(crate) struct Shared {
    world: Mutex<World>,
    /// Something became ready while the simulator waited for other threads.
    pub(crate) changed: Condvar,
    pub(crate) patience: Duration,
    pub(crate) max_steps: Option<u64>,
}

impl Shared {
    pub(crate) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sim {
    /// Makes a simulator that runs things in the order of waking.
    #[allow(
        clippy::new_ret_no_self,
        reason = "the owner dereferences to the handle"
    )]
    pub fn new() -> Owned<Self> {
        Self::builder().build()
    }

    /// Makes a simulator that draws every choice from `seed`.
    pub fn with_seed(seed: u64) -> Owned<Self> {
        Self::builder().schedule(Schedule::Random(seed)).build()
    }

    /// Makes a simulator with settings.
    pub fn builder() -> Builder {
        Builder {
            schedule: Schedule::Fifo,
            offset: Duration::ZERO,
            patience: Duration::ZERO,
            max_steps: None,
        }
    }

    /// Returns the choices so far; [`Schedule::Replay`] repeats them.
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.0.world().chooser.trace()
    }

    /// Returns a number over all steps so far: equal if the runs were.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.0.world().fingerprint()
    }

    /// Returns how many steps were made.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.0.world().steps
    }

    /// Makes this thread the simulator's, if it has none yet; panics if it has another.
    #[track_caller]
    pub(crate) fn own(&self, what: &str) {
        let here = thread::current().id();
        let owner = *self.0.world().owner.get_or_insert(here);
        assert!(
            owner == here,
            "`{what}` on a simulator that belongs to another thread: it stays on the thread that \
             first drove it. Make a simulator of this thread's own"
        );
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let world = self.0.world();
        f.debug_struct("Sim")
            .field("ready", &world.ready.len())
            .field("timers", &world.timers.len())
            .field("live", &world.live.len())
            .field("steps", &world.steps)
            .finish_non_exhaustive()
    }
}

/// The settings of a simulator.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    schedule: Schedule,
    offset: Duration,
    patience: Duration,
    max_steps: Option<u64>,
}

impl Builder {
    /// Sets how the simulator chooses what runs next; in the order of waking by default.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Starts the clock this much later, to test code near the limits of some counter.
    pub fn start_offset(mut self, offset: Duration) -> Self {
        self.offset = offset;
        self
    }

    /// Sets for how long, in real time, the simulator waits for a wake from another thread before it
    /// reports a deadlock; not at all by default.
    ///
    /// For tests in which real threads take part. The order of their wakes is real, so such a test is
    /// not deterministic.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Makes `block_on` panic, with a report, after this many steps: for programs that may run for
    /// ever. No limit by default.
    pub fn max_steps(mut self, steps: u64) -> Self {
        self.max_steps = Some(steps);
        self
    }

    /// Makes the simulator; dropping the result shuts it down.
    ///
    /// # Panics
    ///
    /// If the offset is more than the platform's clock can represent.
    pub fn build(self) -> Owned<Sim> {
        let base = Instant::now().checked_add(self.offset);
        let now = base.expect("the offset is more than the clock can represent");
        let shared = Shared {
            world: Mutex::new(World::new(now, Chooser::new(self.schedule))),
            changed: Condvar::new(),
            patience: self.patience,
            max_steps: self.max_steps,
        };
        Owned::new(Sim(Arc::new(shared)))
    }
}

impl Spawn for Sim {
    fn spawn_job(&self, job: Job) {
        let mut world = self.0.world();
        if world.closed {
            drop(world);
            return drop(job);
        }
        let woken = world.push(job);
        drop(world);
        self.0.changed.notify_one();
        if let Some(watcher) = woken {
            watcher.wake();
        }
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self).with_local(self))
    }
}

impl SpawnLocal for Sim {
    /// # Panics
    ///
    /// On a thread that is not the simulator's.
    fn spawn_local_job(&self, job: LocalJob) {
        self.own("spawn_local");
        self.spawn_job(job.into_job());
    }
}

impl SpawnBlocking for Sim {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        let mut world = self.0.world();
        if world.closed {
            drop(world);
            return drop(job);
        }
        let woken = world.push_blocking(job);
        drop(world);
        self.0.changed.notify_one();
        if let Some(watcher) = woken {
            watcher.wake();
        }
    }
}

impl Clock for Sim {
    type Sleep = SimSleep;

    fn now(&self) -> Instant {
        self.0.world().now
    }

    fn sleep_until(&self, at: Instant) -> SimSleep {
        SimSleep::new(Arc::clone(&self.0), at)
    }
}

impl Runtime for Sim {
    /// # Panics
    ///
    /// If nothing can run, no timer is set, and `future` is pending: with a report of who waits.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        drive::block_on(self, future)
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        let tasks: Vec<Task> = self
            .0
            .world()
            .live
            .iter()
            .map(|(_, task)| task.clone())
            .collect();
        tasks.iter().for_each(visit);
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut world = self.0.world();
        let old = world.watcher.replace(waker);
        let idle = world.live.is_empty();
        drop(world);
        drop(old);
        if idle { Poll::Ready(()) } else { Poll::Pending }
    }

    fn shutdown(&self) {
        let mut world = self.0.world();
        world.closed = true;
        let ready = std::mem::take(&mut world.ready);
        let live = std::mem::take(&mut world.live);
        let watcher = world.watcher.take();
        drop(world);
        // Destructors and wakers are foreign code: after the lock.
        drop(ready);
        drop(watcher);
        for (_, task) in live {
            // The queue is closed, so the job that this makes is dropped, and the future with it.
            task.abort();
        }
    }
}
