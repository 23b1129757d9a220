//! The end of a run, on a simulator under a waker of our own.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use kumi_core::cleanup::uncancellable;
use kumi_core::run::Runner;
use kumi_core::runtime::{Ambient, BlockingJob, Clock, Job, Runtime, Spawn, SpawnBlocking, Tasks};
use kumi_core::task::SpawnExt;
use kumi_sim::{Sim, SimSleep};

/// A simulator that polls main with an [`Own`] waker, and remembers the last one. Its tasks are in a table of
/// core's.
#[derive(Debug, Clone)]
struct Watched {
    sim: Sim,
    tasks: Arc<Tasks>,
    last: Arc<Mutex<Weak<Own>>>,
}

#[derive(Debug)]
struct Own(Waker);

impl Wake for Own {
    fn wake(self: Arc<Self>) {
        self.0.wake_by_ref();
    }
}

impl Spawn for Watched {
    fn spawn_job(&self, job: Job) {
        self.sim.spawn_job(job);
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self))
    }

    fn tasks(&self) -> Option<&Tasks> {
        Some(&self.tasks)
    }
}

impl SpawnBlocking for Watched {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        self.sim.spawn_blocking_job(job);
    }
}

impl Clock for Watched {
    type Sleep = SimSleep;

    fn now(&self) -> Instant {
        self.sim.now()
    }

    fn sleep_until(&self, at: Instant) -> SimSleep {
        self.sim.sleep_until(at)
    }
}

impl Runtime for Watched {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        self.sim.block_on(poll_fn(|cx| {
            let own = Arc::new(Own(cx.waker().clone()));
            *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&own);
            let waker = Waker::from(own);
            future.as_mut().poll(&mut Context::from_waker(&waker))
        }))
    }

    fn shutdown(&self) {
        self.sim.shutdown();
        self.tasks.abort_all();
    }
}

/// The waker of a `block_on` may own the runtime, which would then never be freed.
#[test]
fn a_run_that_gives_up_lets_its_waker_go() {
    let sim = Sim::new();
    let watched = Watched {
        sim: sim.handle(),
        tasks: Arc::default(),
        last: Arc::default(),
    };
    let hour = Duration::from_secs(3_600);
    let left = watched.clone();
    let run = Runner::new().grace(Duration::from_millis(1));
    let start = watched.now();
    let main = async {
        let stubborn = left.spawn(uncancellable(left.sleep(hour)));
        stubborn.detach();
        // A task that was cancelled before its first poll never begins.
        left.sleep(Duration::from_millis(1)).await;
    };
    run.run(&watched, main).expect("main ends by itself");
    assert!(watched.now() - start < hour, "it waited");
    let mut tasks = 0;
    watched.for_each_task(&mut |_| tasks += 1);
    assert_eq!(tasks, 1, "it has ended");
    let last = watched.last.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(last.strong_count(), 0, "somebody keeps the waker");
    drop(last);
    watched.shutdown();
}
