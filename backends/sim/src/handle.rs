//! The handle of a simulator, and what makes one.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, LocalJob, Owned, Runtime, Spawn, SpawnBlocking, SpawnLocal,
    Task,
};

use crate::drive;
use crate::schedule::{Chooser, Schedule};
use crate::sleep::SimSleep;
use crate::state::{Limits, Shared};
use crate::time::Time;
use crate::trace::Trace;

/// A handle to a simulator.
///
/// See the [crate's docs](crate) for what it does and what ends it.
#[derive(Clone)]
pub struct Sim {
    pub(crate) shared: Arc<Shared>,
}

impl Sim {
    /// Makes a simulator with [`Schedule::Fifo`]; dropping the result shuts it down.
    #[allow(
        clippy::new_ret_no_self,
        reason = "the owner dereferences to the handle"
    )]
    pub fn new() -> Owned<Self> {
        Self::builder().build()
    }

    /// Makes a simulator with [`Schedule::Random`]; dropping the result shuts it down.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::yield_now;
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::task::SpawnExt;
    /// use kumi_sim::Sim;
    ///
    /// let trace = |seed| {
    ///     let sim = Sim::with_seed(seed);
    ///     let tasks: Vec<_> = (0..5).map(|_| sim.spawn(yield_now())).collect();
    ///     sim.block_on(async {
    ///         for task in tasks {
    ///             task.await.unwrap();
    ///         }
    ///     });
    ///     sim.trace()
    /// };
    /// assert_eq!(trace(1), trace(1));
    /// assert_ne!(trace(1), trace(2));
    /// ```
    pub fn with_seed(seed: u64) -> Owned<Self> {
        Self::builder().schedule(Schedule::Random(seed)).build()
    }

    /// Makes a simulator with settings.
    pub fn builder() -> Builder {
        Builder {
            schedule: Schedule::Fifo,
            start_offset: Duration::ZERO,
            limits: Limits {
                patience: Duration::ZERO,
                max_steps: None,
            },
        }
    }

    /// Returns the choices that were taken so far, over all calls of `block_on`.
    ///
    /// # Examples
    ///
    /// A run is repeated from its trace:
    ///
    /// ```
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::task::SpawnExt;
    /// use kumi_sim::{Schedule, Sim};
    ///
    /// let run = |schedule| {
    ///     let sim = Sim::builder().schedule(schedule).build();
    ///     let (a, b) = (sim.spawn(async {}), sim.spawn(async {}));
    ///     sim.block_on(async { (a.await.unwrap(), b.await.unwrap()) });
    ///     sim.trace()
    /// };
    /// let trace = run(Schedule::Random(7));
    /// assert_eq!(run(Schedule::Replay(trace.clone())), trace);
    /// ```
    #[must_use]
    pub fn trace(&self) -> Trace {
        self.shared.lock().trace.clone()
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.shared.lock();
        f.debug_struct("Sim")
            .field("ready", &state.ready.len())
            .field("live", &state.live.len())
            .field("closed", &state.closed)
            .finish_non_exhaustive()
    }
}

/// The settings of a simulator.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    schedule: Schedule,
    start_offset: Duration,
    limits: Limits,
}

impl Builder {
    /// Sets who runs next, of all that is ready. [`Schedule::Fifo`] by default.
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.schedule = schedule;
        self
    }

    /// Sets how long after its base the clock starts. Zero by default.
    ///
    /// All simulators of a process have the same base, so two that start with the same offset show the
    /// same instants. Code that keeps to the runtime's clock behaves the same at every offset.
    pub fn start_offset(mut self, offset: Duration) -> Self {
        self.start_offset = offset;
        self
    }

    /// Sets how long, in real time, a deadlocked `block_on` waits for another thread to wake something
    /// before it panics. Zero by default.
    ///
    /// For programs with threads of their own. It gives determinism up: when such a thread comes is not
    /// in the trace. Only a deadlock is waited out: while a sleep is armed, virtual time jumps to its
    /// end and does not wait for other threads.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.limits.patience = patience;
        self
    }

    /// Sets how many steps one `block_on` may take before it panics with a report of a livelock.
    /// No limit by default.
    ///
    /// A step is one poll of main or of a task, or one blocking closure.
    pub fn max_steps(mut self, steps: u64) -> Self {
        self.limits.max_steps = Some(steps);
        self
    }

    /// Makes the simulator; dropping the result shuts it down.
    ///
    /// # Panics
    ///
    /// If the clock of this machine cannot count up to the start offset.
    pub fn build(self) -> Owned<Sim> {
        let time = Time::starting_at(self.start_offset);
        let shared = Shared::new(time, Chooser::new(self.schedule), self.limits);
        Owned::new(Sim {
            shared: Arc::new(shared),
        })
    }
}

impl Spawn for Sim {
    fn spawn_job(&self, job: Job) {
        self.shared.push(job);
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self).with_local(self))
    }

    fn is_host(&self) -> bool {
        false
    }
}

impl SpawnLocal for Sim {
    #[track_caller]
    fn spawn_local_job(&self, job: LocalJob) {
        self.shared.own("spawn_local");
        self.shared.push(job.into_job());
    }
}

impl SpawnBlocking for Sim {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        self.shared.push_blocking(job);
    }

    fn replaces_pools(&self) -> bool {
        true
    }
}

impl Clock for Sim {
    type Sleep = SimSleep;

    fn now(&self) -> Instant {
        self.shared.lock().time.now()
    }

    fn sleep_until(&self, at: Instant) -> SimSleep {
        SimSleep::new(Arc::clone(&self.shared), at)
    }
}

impl Runtime for Sim {
    /// # Panics
    ///
    /// Inside a task, inside a blocking closure of the same simulator, and on another thread than the
    /// simulator's; with a report, if a deadlock or a livelock is found; if a
    /// [replay](Schedule::Replay) takes another path than its trace.
    #[track_caller]
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        drive::block_on(self, future)
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        // Copied out first: `visit` is foreign code, and may spawn.
        let tasks = self.shared.lock().live.in_order();
        tasks.iter().for_each(|(_, task)| visit(task));
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = self.shared.lock();
        let idle = state.live.is_empty();
        let waker = (!idle).then_some(waker);
        let old = std::mem::replace(&mut state.watcher, waker);
        drop(state);
        drop(old);
        if idle { Poll::Ready(()) } else { Poll::Pending }
    }

    fn shutdown(&self) {
        self.shared.close();
    }
}
