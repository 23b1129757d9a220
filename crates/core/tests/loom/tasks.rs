//! The table of live tasks: whoever waits until no task is left is woken, and told the truth.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Instant;

use kumi_core::runtime::{
    BlockingJob, Clock, Job, Runtime, Sleep, Spawn, SpawnBlocking, TaskId, Tasks,
};
use kumi_core::task::SpawnBlockingExt;
use loom::thread;

use crate::support::{Hand, Woken, check, spawn, spawn_idle};

/// The place of a task in the table follows from its number, and loom wants every execution to be
/// like the first. So an execution uses four numbers, and the first task in question has an odd one:
/// the table has two parts under loom, and the part of even numbers is looked at first.
struct Numbers {
    last: bool,
}

impl Numbers {
    fn next_is_odd() -> Self {
        let last = use_up().get() % 2 == 0;
        if !last {
            use_up();
        }
        Self { last }
    }

    fn finish(self) {
        if self.last {
            use_up();
        }
    }
}

fn use_up() -> TaskId {
    let hand = Hand::new();
    let (handle, _) = spawn(&hand, |_| true);
    let id = handle.id();
    handle.detach();
    hand.run_all();
    id
}

/// The end of the last task beside a look: idle, and then the task has ended, or woken.
#[test]
fn the_last_end_beside_a_look() {
    check(|| {
        let numbers = Numbers::next_is_odd();
        let hand = Hand::listing();
        let (handle, counts) = spawn(&hand, |_| true);
        let reference = handle.task();
        handle.detach();
        let runner = hand.clone();
        let thread = thread::spawn(move || runner.run_all());
        let (woken, waker) = Woken::new();
        let early = hand.table().poll_idle(&mut Context::from_waker(&waker));
        if early.is_ready() {
            assert!(
                reference.is_finished(),
                "idle before the last task has ended"
            );
            assert_eq!(counts.outputs_dropped(), 1);
        }
        thread.join().unwrap();
        assert!(early.is_ready() || woken.times() > 0, "nobody is woken");
        let late = hand.table().poll_idle(&mut Context::from_waker(&waker));
        assert!(late.is_ready());
        drop(reference);
        use_up();
        hand.assert_empty();
        numbers.finish();
    });
}

/// A task that is added beside a look is visited after it, or wakes.
#[test]
fn a_new_task_beside_a_look() {
    check(|| {
        let numbers = Numbers::next_is_odd();
        let hand = Hand::listing();
        let (first, _, waker_of_first) = spawn_idle(&hand, |polls| polls == 1);
        let spawner = hand.clone();
        let thread = thread::spawn(move || spawn(&spawner, |_| true).0.detach());
        let (woken, waker) = Woken::new();
        let look = hand.table().poll_idle(&mut Context::from_waker(&waker));
        assert!(look.is_pending());
        let mut visited = 0;
        hand.table().for_each(&mut |_| visited += 1);
        thread.join().unwrap();
        assert!(visited == 2 || woken.times() > 0, "nobody is woken");
        waker_of_first.wake();
        first.detach();
        hand.run_all();
        hand.assert_empty();
        numbers.finish();
    });
}

/// A task that spawns another and ends, beside a look: there is always one, so it is never idle.
#[test]
fn a_spawner_that_ends_beside_a_look() {
    check(|| {
        let numbers = Numbers::next_is_odd();
        let hand = Hand::listing();
        let spawner = hand.clone();
        let (first, _) = spawn(&hand, move |_| {
            spawn(&spawner, |_| true).0.detach();
            true
        });
        first.detach();
        let job = hand.job();
        let runner = hand.clone();
        let thread = thread::spawn(move || runner.run(job));
        let (woken, waker) = Woken::new();
        let look = hand.table().poll_idle(&mut Context::from_waker(&waker));
        assert!(look.is_pending(), "idle with a task that has not begun");
        thread.join().unwrap();
        hand.run_all();
        assert!(woken.times() > 0, "nobody is woken");
        hand.assert_empty();
        numbers.finish();
    });
}

/// A blocking closure that spawns a task and ends, beside a look at both tables of a runtime.
#[test]
fn a_closure_that_spawns_and_ends_beside_a_look() {
    check(|| {
        let numbers = Numbers::next_is_odd();
        let two = Two::new();
        let spawner = two.hand.clone();
        let closure = two.spawn_blocking(move || spawn(&spawner, |_| true).0.detach());
        closure.detach();
        let job = two.blocking.1.lock().unwrap().take().unwrap();
        let thread = thread::spawn(move || job.run());
        let (woken, waker) = Woken::new();
        let look = two.poll_idle(&mut Context::from_waker(&waker));
        assert!(look.is_pending(), "idle with a task that has not begun");
        thread.join().unwrap();
        two.hand.run_all();
        assert!(woken.times() > 0, "nobody is woken");
        numbers.finish();
    });
}

/// A runtime with a table for tasks and one for blocking closures, and nothing else.
#[derive(Clone)]
struct Two {
    hand: Hand,
    blocking: Arc<(Tasks, Mutex<Option<BlockingJob>>)>,
}

impl Two {
    fn new() -> Self {
        Self {
            hand: Hand::listing(),
            blocking: Arc::new((Tasks::new(), Mutex::default())),
        }
    }
}

impl Spawn for Two {
    fn spawn_job(&self, job: Job) {
        self.hand.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        self.hand.tasks()
    }
}

impl SpawnBlocking for Two {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        let old = self.blocking.1.lock().unwrap().replace(job);
        assert!(old.is_none(), "one at a time");
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        Some(&self.blocking.0)
    }
}

impl Clock for Two {
    type Sleep = Never;

    fn now(&self) -> Instant {
        unreachable!("no model asks for the time")
    }

    fn sleep_until(&self, _: Instant) -> Never {
        unreachable!("no model sleeps")
    }
}

impl Runtime for Two {
    fn block_on<F: Future>(&self, _: F) -> F::Output {
        unreachable!("no model blocks on a future")
    }

    fn shutdown(&self) {}
}

struct Never(Infallible);

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.0 {}
    }
}

impl Sleep for Never {
    fn deadline(&self) -> Instant {
        match self.0 {}
    }

    fn reset(self: Pin<&mut Self>, _: Instant) {
        match self.0 {}
    }
}
