//! Local tasks: futures that are not `Send`, on the thread that spawned them, whoever touches them.
#![allow(
    clippy::async_yields_async,
    reason = "handles are handed out, to be joined later"
)]

use std::cell::{Cell, RefCell};
use std::future::pending;
use std::rc::Rc;
use std::thread;

use kumi_core::channel::local;
use kumi_core::combine::yield_now;
use kumi_core::context;
use kumi_core::report::Report;
use kumi_core::run::Runner;
use kumi_core::runtime::{Runtime, SpawnLocal};
use kumi_core::task::{SpawnExt, SpawnLocalExt, TaskBuilder, current_task};

use crate::Fresh;
use crate::probe::{
    Gate, Manual, assert_cancelled, assert_panicked, during, in_call, panic_of, park_on, token,
    turns, until,
};
use crate::reports;

/// A future that is not `Send` runs, and its output need not be `Send` either.
pub async fn runs<R: Runtime + SpawnLocal>(rt: R) {
    let shared = Rc::new(Cell::new(1));
    let own = Rc::clone(&shared);
    let task = rt.spawn_local(async move {
        own.set(own.get() + 1);
        yield_now().await;
        own.set(own.get() * 10);
        own
    });
    let back = task.await.unwrap();
    assert_eq!(back.get(), 20);
    assert!(Rc::ptr_eq(&back, &shared));
}

/// `spawn_local_job` does not run the job before it returns.
pub async fn is_not_run_inside_spawn<R: Runtime + SpawnLocal>(rt: R) {
    for _ in 0..20 {
        let inside = during(|| rt.spawn_local(async { in_call() }));
        assert!(
            !inside.await.unwrap(),
            "the task ran on its spawner's stack"
        );
    }
}

/// Every poll is on the thread that spawned the task.
pub async fn stays_on_its_thread<R: Runtime + SpawnLocal>(rt: R) {
    let home = thread::current().id();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            rt.spawn_local(async move {
                for _ in 0..50 {
                    assert_eq!(thread::current().id(), home);
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Many local tasks share what only one thread may touch, and spawn more of their kind.
pub async fn many_share_a_cell<R: Runtime + SpawnLocal>(rt: R) {
    let log = Rc::new(RefCell::new(Vec::new()));
    let tasks: Vec<_> = (0..100)
        .map(|n| {
            let (log, rt) = (Rc::clone(&log), rt.clone());
            rt.clone().spawn_local(async move {
                yield_now().await;
                log.borrow_mut().push(n);
                let inner = Rc::clone(&log);
                let child = rt.spawn_local(async move { inner.borrow_mut().push(n + 100) });
                child.await.unwrap();
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    let mut log = log.take();
    log.sort_unstable();
    assert!(log.into_iter().eq(0..200));
}

/// Local tasks hand values to each other that stay on the thread.
pub async fn share_a_channel<R: Runtime + SpawnLocal>(rt: R) {
    for capacity in [0, 1, 16] {
        let (sender, receiver) = local::bounded(capacity);
        let receive = |receiver: local::Receiver<Rc<u32>>| async move {
            let mut sum = 0;
            while let Ok(value) = receiver.recv().await {
                sum += *value;
            }
            sum
        };
        let receivers = [receiver.clone(), receiver].map(|it| rt.spawn_local(receive(it)));
        let senders = [sender.clone(), sender].map(|sender| {
            rt.spawn_local(async move {
                for number in 1..=100 {
                    sender.send(Rc::new(number)).await.expect("they receive");
                }
            })
        });
        for sender in senders {
            sender.await.expect("it ends");
        }
        let mut sum = 0;
        for receiver in receivers {
            sum += receiver.await.expect("it ends");
        }
        assert_eq!(sum, 2 * 5_050);
    }
}

/// Local tasks and others take turns, and wake each other.
pub async fn take_turns_with_others<R: Runtime + SpawnLocal>(rt: R) {
    let (there, back) = (Gate::new(), Gate::new());
    let (go, done) = (there.wait(), back.clone());
    let sent = rt.spawn(async move {
        go.await;
        done.open();
    });
    let stop = Rc::new(Cell::new(false));
    let seen = Rc::clone(&stop);
    let greedy = rt.spawn_local(async move {
        while !seen.get() {
            yield_now().await;
        }
    });
    let local = rt.spawn_local(async move {
        there.open();
        back.wait().await;
        stop.set(true);
    });
    local.await.unwrap();
    greedy.await.unwrap();
    sent.await.unwrap();
}

/// A local task has a name, a number and a place; it finds itself and its runtime.
pub async fn finds_itself<R: Runtime + SpawnLocal>(rt: R) {
    let task = TaskBuilder::new().name("here").spawn_local_on(&rt, async {
        yield_now().await;
        let any = context::with_current(|rt| rt.expect("it is set").to_any_runtime());
        let child = any.spawn_local(async { Rc::new(5) });
        (current_task().unwrap().id(), *child.await.unwrap())
    });
    assert_eq!(task.name(), Some("here"));
    assert_eq!(task.info().location().file(), file!());
    let id = task.id();
    assert_eq!(task.await.unwrap(), (id, 5));
}

/// Cancelled before its first poll, it is never polled.
pub async fn cancelled_before_the_first_poll<R: Runtime + SpawnLocal>(rt: R) {
    let (captured, witness) = token();
    let task = rt.spawn_local(async move {
        let _captured = captured;
        unreachable!("it is never polled")
    });
    task.cancel();
    let joined: Result<(), _> = task.await;
    assert_cancelled(joined);
    assert_eq!(witness.count(), 1);
}

/// Whoever cancels it, it is dropped on its own thread.
pub async fn is_dropped_at_home<R: Runtime + SpawnLocal>(rt: R) {
    let home = thread::current().id();
    for by_handle in [false, true] {
        let hand = Manual::<()>::new();
        let (captured, witness) = token();
        let (parked, not_send) = (hand.future(), Rc::new(()));
        let task = rt.spawn_local(async move {
            let _captured = (captured, not_send);
            parked.await;
        });
        until(|| hand.polls() > 0).await;
        let reference = task.task();
        let side = crate::probe::thread(move || {
            if by_handle {
                drop(task);
            } else {
                task.cancel();
                assert_cancelled(park_on(task));
            }
        });
        side.await;
        until(|| reference.is_finished()).await;
        assert_eq!(witness.only().thread, home);
    }
}

/// A wake from another thread reaches it at home.
pub async fn is_woken_from_another_thread<R: Runtime + SpawnLocal>(rt: R) {
    let home = thread::current().id();
    for round in 0..100 {
        let hand = Manual::new();
        let parked = hand.future();
        let task = rt.spawn_local(async move {
            let value = parked.await;
            assert_eq!(thread::current().id(), home);
            Rc::new(value)
        });
        let side = crate::probe::thread(move || {
            while hand.polls() == 0 {
                thread::yield_now();
            }
            hand.finish(round);
        });
        assert_eq!(*task.await.unwrap(), round);
        side.await;
    }
}

/// A panic is the outcome of the task.
pub async fn a_panic_is_contained<R: Runtime + SpawnLocal>(rt: R) {
    let task = rt.spawn_local(async {
        yield_now().await;
        panic!("at home");
    });
    assert_eq!(assert_panicked::<()>(task.await), "at home");
    assert_eq!(*rt.spawn_local(async { Rc::new(1) }).await.unwrap(), 1);
}

/// On a thread that runs no local tasks it panics, and the message names the function.
pub async fn elsewhere_it_panics<R: Runtime + SpawnLocal>(rt: R) {
    // The runtime may belong to the first thread that runs a local task.
    rt.spawn_local(async {}).await.unwrap();
    let other = rt.clone();
    let side = crate::probe::thread(move || panic_of(|| other.spawn_local(async {})));
    let message = side.await;
    assert!(message.contains("`spawn_local`"), "{message}");
    rt.spawn_local(async {}).await.unwrap();
}

/// A shutdown on its thread drops it there; nothing is leaked.
pub fn is_dropped_at_the_shutdown<R: Runtime + SpawnLocal>(fresh: Fresh<'_, R>) {
    let home = thread::current().id();
    let rt = fresh();
    let hand = Manual::<()>::new();
    let (captured, witness) = token();
    let (parked, not_send) = (hand.future(), Rc::new(()));
    let task = rt.block_on(async {
        let task = rt.spawn_local(async move {
            let _captured = (captured, not_send);
            parked.await;
        });
        until(|| hand.polls() > 0).await;
        task
    });
    let id = task.id();
    drop(rt);
    assert_eq!(witness.only().thread, home);
    assert_cancelled(park_on(task));
    let leaked = |report: &Report| matches!(report, Report::LocalLeaked { .. });
    assert!(!reports::of(id).iter().any(leaked));
}

/// A run ends local tasks that main leaves behind.
pub fn is_ended_by_a_run<R: Runtime + SpawnLocal>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let main = async {
        let not_send = Rc::new(());
        let task = rt.spawn_local(async move {
            let _captured = (captured, not_send);
            pending::<()>().await;
        });
        let reference = task.task();
        task.detach();
        turns(&*rt, 5).await;
        reference
    };
    let task = Runner::new().ctrl_c(false).run(&*rt, main).unwrap();
    assert!(task.is_finished());
    assert_eq!(witness.count(), 1);
    assert!(reports::of(task.id()).is_empty());
}

/// Local tasks stay between two calls of `block_on`.
pub fn stay_between_calls<R: Runtime + SpawnLocal>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let gate = Gate::new();
    let wait = gate.wait();
    let task = rt.block_on(async {
        let task = rt.spawn_local(async move {
            wait.await;
            Rc::new("still here")
        });
        turns(&*rt, 5).await;
        task
    });
    gate.open();
    assert_eq!(*rt.block_on(task).unwrap(), "still here");
}
