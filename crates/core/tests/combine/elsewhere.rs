//! Spawned children on a runtime whose other threads are faster than the one who spawns.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};
use std::time::Instant;

use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, Ran, Runtime, Spawn, SpawnBlocking, Tasks,
};
use kumi_core::spawned::Combine;
use kumi_sim::Sim;

use crate::support::{Wakes, poll};

/// A runtime on which a task has run, on another thread, before whoever spawns it goes on.
#[derive(Clone)]
struct Quick(Sim);

impl Spawn for Quick {
    #[allow(clippy::disallowed_methods, reason = "a thread of the test")]
    fn spawn_job(&self, job: Job) {
        let runs = std::thread::spawn(move || {
            let mut next = Some(job);
            while let Some(job) = next.take() {
                if let Ran::Again(job) = job.run() {
                    next = Some(job);
                }
            }
        });
        runs.join().expect("a job does not panic");
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self))
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(&self.0)
    }
}

impl SpawnBlocking for Quick {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        self.0.spawn_blocking_job(job);
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        self.0.blocking_tasks()
    }
}

impl Clock for Quick {
    type Sleep = <Sim as Clock>::Sleep;

    fn now(&self) -> Instant {
        self.0.now()
    }

    fn sleep_until(&self, at: Instant) -> Self::Sleep {
        self.0.sleep_until(at)
    }
}

impl Runtime for Quick {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn shutdown(&self) {
        self.0.shutdown();
    }
}

#[test]
fn all_tasks_begin_before_an_outcome_is_handed_out() {
    let sim = Sim::new();
    let rt = Quick(sim.handle());
    let begun = Arc::<AtomicUsize>::default();
    let child = |number: usize| {
        let begun = Arc::clone(&begun);
        async move {
            begun.fetch_add(1, Ordering::SeqCst);
            number
        }
    };
    let (wakes, waker) = Wakes::new();
    let mut outcomes = rt.as_completed((0..3).map(child));
    {
        let mut next = pin!(outcomes.next());
        assert!(poll(next.as_mut(), &waker).is_pending());
        assert_eq!(begun.load(Ordering::SeqCst), 3, "the first one has ended");
        assert_eq!(wakes.take(), 1, "it is to come again");
    }
    for number in 0..3 {
        let mut next = pin!(outcomes.next());
        let Poll::Ready(Some(Ok(outcome))) = poll(next.as_mut(), &waker) else {
            panic!("{number} has ended");
        };
        assert_eq!(outcome, number);
    }
}

#[test]
fn a_child_that_decides_before_the_others_begin() {
    let sim = Sim::new();
    let rt = Quick(sim.handle());
    let begun = Arc::<AtomicUsize>::default();
    let children = (0..3).map(|number: usize| {
        let begun = Arc::clone(&begun);
        async move {
            begun.fetch_add(1, Ordering::SeqCst);
            if number > 0 {
                pending::<()>().await;
            }
            number
        }
    });
    let mut race = pin!(rt.race(children));
    assert_eq!(poll(race.as_mut(), Waker::noop()), Poll::Ready(Ok(0)));
    assert_eq!(begun.load(Ordering::SeqCst), 1, "a loser has begun");
}
