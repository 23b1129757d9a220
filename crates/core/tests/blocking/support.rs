//! A simulator whose blocking closures run on a pool: virtual time for the retries, real threads for the
//! closures.

use std::future::Future;
use std::sync::mpsc;
use std::sync::{Mutex, Once, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use kumi_core::blocking::{BlockingPool, Settings};
use kumi_core::report::{self, Report};
use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, Owned, Runtime, Spawn, SpawnBlocking, Task,
};
use kumi_sim::{Sim, SimSleep};

/// How long a test waits, in real time, for what must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Clone)]
pub(crate) struct Pooled {
    pub(crate) sim: Sim,
    pub(crate) pool: BlockingPool,
}

/// One with a pool of these settings. The first value owns the simulator.
pub(crate) fn pooled(settings: Settings) -> (Owned<Sim>, Pooled) {
    let sim = Sim::builder().patience(PATIENCE).build();
    let pool = settings.build();
    let pooled = Pooled {
        sim: sim.handle(),
        pool,
    };
    (sim, pooled)
}

impl Spawn for Pooled {
    fn spawn_job(&self, job: Job) {
        self.sim.spawn_job(job);
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self))
    }
}

impl SpawnBlocking for Pooled {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        self.pool.spawn(self, job);
    }
}

impl Clock for Pooled {
    type Sleep = SimSleep;

    fn now(&self) -> Instant {
        self.sim.now()
    }

    fn sleep_until(&self, at: Instant) -> SimSleep {
        self.sim.sleep_until(at)
    }
}

impl Runtime for Pooled {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.sim.block_on(future)
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        self.sim.for_each_task(visit);
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.sim.poll_idle(cx)
    }

    fn shutdown(&self) {
        self.sim.shutdown();
    }
}

/// A closure that says that it has started and waits until it may go on, and the two ends of that.
pub(crate) fn gated() -> (impl FnOnce() + Send + 'static, Gate) {
    let (started, has_started) = mpsc::channel();
    let (open, may_go_on) = mpsc::channel::<()>();
    let closure = move || {
        let _ = started.send(());
        let _ = may_go_on.recv();
    };
    (closure, Gate { has_started, open })
}

pub(crate) struct Gate {
    has_started: mpsc::Receiver<()>,
    open: mpsc::Sender<()>,
}

impl Gate {
    pub(crate) fn wait_for_the_start(&self) {
        let started = self.has_started.recv_timeout(PATIENCE);
        started.expect("the closure starts");
    }

    pub(crate) fn has_started(&self) -> bool {
        self.has_started.try_recv().is_ok()
    }

    pub(crate) fn open(self) {
        let _ = self.open.send(());
    }
}

/// Waits until `condition` holds, which another thread is about to make true.
#[track_caller]
pub(crate) fn until(condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "it never becomes true");
        std::thread::yield_now();
    }
}

static REPORTS: Mutex<Vec<Report>> = Mutex::new(Vec::new());

/// Keeps reports from now on; how many there were that `which` accepts.
pub(crate) fn reports(which: impl Fn(&Report) -> bool) -> usize {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        report::set_hook(|report| {
            let mut reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
            reports.push(report.clone());
        });
    });
    let reports = REPORTS.lock().unwrap_or_else(PoisonError::into_inner);
    reports.iter().filter(|report| which(report)).count()
}
