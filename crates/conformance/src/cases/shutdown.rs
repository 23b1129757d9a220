//! The end of a runtime: nothing hangs, nothing leaks, nothing is lost in silence.

use std::future::pending;
use std::sync::{Arc, Mutex, mpsc};

use kumi_core::combine::yield_now;
use kumi_core::report::Report;
use kumi_core::runtime::{Owned, Runtime, Sleep, TaskId};
use kumi_core::task::{JoinHandle, SpawnBlockingExt, SpawnExt};

use crate::Fresh;
use crate::probe::{
    Gate, Manual, Token, assert_cancelled, counting_waker, hold, lock, panic_of, park_on,
    poll_with, thread, token, turns, until,
};
use crate::reports;

/// Whether it was reported that the runtime dropped this task.
fn is_lost(id: TaskId) -> bool {
    let lost = |report: &Report| matches!(report, Report::TaskLost { .. });
    reports::of(id).iter().any(lost)
}

/// Spawns a task that holds `captured` and waits for ever, and lets it park.
fn parked<R: Runtime>(rt: &Owned<R>, captured: Token) -> JoinHandle<()> {
    let hand = Manual::<()>::new();
    let wait = hand.future();
    let task = rt.spawn(async move {
        let _captured = captured;
        wait.await;
    });
    rt.block_on(until(|| hand.polls() > 0));
    task
}

/// Tasks that are parked are dropped, and their joiners get "cancelled".
pub fn parked_tasks_are_dropped<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let tasks: Vec<_> = (0..10).map(|_| parked(&rt, witness.token())).collect();
    drop(captured);
    drop(rt);
    assert_eq!(witness.count(), 11);
    for task in tasks {
        assert!(task.is_finished());
        assert_cancelled(park_on(task));
    }
}

/// Tasks that were never polled are dropped, and their joiners get "cancelled".
pub fn queued_tasks_are_dropped<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let tasks: Vec<_> = (0..10)
        .map(|_| {
            let captured = witness.token();
            rt.spawn(async move {
                let _captured = captured;
                pending::<()>().await;
            })
        })
        .collect();
    drop(captured);
    drop(rt);
    assert_eq!(witness.count(), 11);
    for task in tasks {
        assert_cancelled(park_on(task));
    }
}

/// Tasks that are always ready are dropped.
pub fn greedy_tasks_are_dropped<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let task = rt.spawn(async move {
        let _captured = captured;
        loop {
            yield_now().await;
        }
    });
    rt.block_on(turns(&*rt, 10));
    drop(rt);
    assert_eq!(witness.count(), 1);
    let joined: Result<(), _> = park_on(task);
    assert_cancelled(joined);
}

/// Detached tasks are dropped too.
pub fn detached_tasks_are_dropped<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let task = parked(&rt, captured);
    let reference = task.task();
    task.detach();
    drop(rt);
    assert_eq!(witness.count(), 1);
    assert!(reference.is_finished());
}

/// They are dropped inside their task, as at any other end.
pub fn tasks_are_dropped_inside_themselves<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let task = parked(&rt, captured);
    drop(rt);
    let dropped = witness.only();
    assert_eq!(dropped.task, Some(task.id()));
    assert!(dropped.ambient);
}

/// A joiner on another thread gets "cancelled" while it waits.
pub fn a_joiner_on_another_thread<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, _witness) = token();
    let mut task = parked(&rt, captured);
    let (wakes, waker) = counting_waker();
    assert!(poll_with(&mut task, &waker).is_pending());
    let side = thread(move || park_on(task));
    drop(rt);
    assert_cancelled(park_on(side));
    drop(wakes);
}

/// What is spawned afterwards is dropped at once, never polled, and its joiner gets "cancelled".
pub fn spawned_afterwards<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let handle = rt.handle();
    drop(rt);
    let (captured, witness) = token();
    let task = handle.spawn(async move {
        let _captured = captured;
        unreachable!("it is never polled")
    });
    let joined: Result<(), _> = park_on(task);
    assert_cancelled(joined);
    assert_eq!(witness.count(), 1);
}

/// A blocking closure that is spawned afterwards never runs, and its joiner gets "cancelled".
pub fn blocking_spawned_afterwards<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let handle = rt.handle();
    drop(rt);
    let (captured, witness) = token();
    let closure = handle.spawn_blocking(move || {
        let _captured = captured;
        unreachable!("it never runs")
    });
    let joined: Result<(), _> = park_on(closure);
    assert_cancelled(joined);
    assert_eq!(witness.count(), 1);
}

/// It is idempotent, and dropping the owner after it does nothing more.
pub fn is_idempotent<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let task = parked(&rt, captured);
    rt.shutdown();
    assert_cancelled(park_on(task));
    rt.shutdown();
    rt.handle().shutdown();
    drop(rt);
    assert_eq!(witness.count(), 1);
}

/// Wakers that outlive the runtime are harmless.
pub fn wakers_that_outlive_it<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let hand = Manual::<()>::new();
    let task = rt.spawn(hand.future());
    rt.block_on(until(|| hand.polls() > 0));
    let waker = hand.waker().unwrap();
    drop(rt);
    let polls = hand.polls();
    hand.wake();
    waker.wake_by_ref();
    let other = waker.clone();
    other.wake();
    drop(waker);
    assert_eq!(hand.polls(), polls);
    assert_cancelled(park_on(task));
}

/// Handles and references that outlive the runtime are harmless; a value that was there stays there.
pub fn handles_that_outlive_it<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let ended = rt.spawn(async { 3 });
    rt.block_on(until(|| ended.is_finished()));
    let (captured, witness) = token();
    let cancelled = parked(&rt, captured);
    let dropped = parked(&rt, witness.token());
    let handle = rt.handle();
    drop(rt);
    assert!(cancelled.is_finished());
    assert!(!cancelled.cancel() && !cancelled.task().cancel());
    cancelled.task().wake();
    drop(dropped);
    cancelled.detach();
    assert_eq!(park_on(ended).unwrap(), 3);
    assert_eq!(witness.count(), 2);
    drop(handle);
}

/// Sleeps that outlive the runtime can be looked at and dropped.
pub fn sleeps_that_outlive_it<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let hour = std::time::Duration::from_secs(3600);
    let (_, waker) = counting_waker();
    let (unpolled, mut polled) = (rt.sleep(hour), Box::pin(rt.sleep(hour)));
    rt.block_on(async { assert!(poll_with(&mut polled, &waker).is_pending()) });
    drop(rt);
    assert!(polled.deadline() <= unpolled.deadline() + hour);
    drop((unpolled, polled));
}

/// A task that the runtime dropped is reported; one that had ended or was cancelled is not.
pub fn a_lost_task_is_reported<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let lost = parked(&rt, captured);
    let cancelled = parked(&rt, witness.token());
    let ended = rt.spawn(async {});
    rt.block_on(until(|| ended.is_finished()));
    let (lost_id, cancelled_id, ended_id) = (lost.id(), cancelled.id(), ended.id());
    cancelled.cancel();
    drop(rt);
    assert!(is_lost(lost_id));
    assert!(!is_lost(cancelled_id) && !is_lost(ended_id));
    assert_cancelled(park_on(lost));
    assert_cancelled(park_on(cancelled));
}

/// What a destructor spawns while the runtime ends is dropped, to any depth.
pub fn what_destructors_spawn_is_dropped<R: Runtime>(fresh: Fresh<'_, R>) {
    struct Spawns<R: Runtime>(R, u32, Token, Arc<Mutex<Vec<JoinHandle<()>>>>);
    impl<R: Runtime> Drop for Spawns<R> {
        fn drop(&mut self) {
            if self.1 > 0 {
                let token = Token::like(&self.2);
                let next = Spawns(self.0.clone(), self.1 - 1, token, Arc::clone(&self.3));
                let task = self.0.spawn(async move {
                    let _next = next;
                    pending::<()>().await;
                });
                lock(&self.3).push(task);
            }
        }
    }
    let rt = fresh();
    let (captured, witness) = token();
    let tasks = Arc::default();
    let first = Spawns(rt.handle(), 10, captured, Arc::clone(&tasks));
    let second = Spawns(rt.handle(), 10, witness.token(), Arc::clone(&tasks));
    let parked = Gate::new();
    let opener = parked.clone();
    let task = rt.spawn(async move {
        let _first = first;
        opener.open();
        pending::<()>().await;
    });
    task.detach();
    rt.block_on(parked.wait());
    // One task is parked, the other one was never polled.
    rt.spawn(hold(second, pending::<()>())).detach();
    drop(rt);
    assert_eq!(witness.count(), 22);
    let tasks = std::mem::take(&mut *lock(&tasks));
    for task in tasks {
        assert_cancelled(park_on(task));
    }
}

/// It does not wait for blocking closures that are running.
pub fn does_not_wait_for_closures<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (started, (release, wait)) = (Gate::new(), mpsc::channel::<()>());
    let opener = started.clone();
    let closure = rt.spawn_blocking(move || {
        opener.open();
        let _ = wait.recv();
        "to the end"
    });
    rt.block_on(started.wait());
    drop(rt);
    assert!(!closure.is_finished());
    drop(release);
    assert_eq!(park_on(closure).unwrap(), "to the end");
}

/// A chain of tasks, each of which owns the handle of the next, needs no deep stack.
pub fn a_long_chain_is_dropped<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let mut task = rt.spawn(async move {
        let _captured = captured;
        pending::<()>().await;
    });
    for _ in 0..20_000 {
        let next = task;
        task = rt.spawn(async move { next.await.unwrap() });
    }
    rt.block_on(turns(&*rt, 3));
    drop(rt);
    assert_eq!(witness.count(), 1);
    assert_cancelled(park_on(task));
}

/// A destructor that panics while the runtime ends does not keep the others from their end.
pub fn a_panicking_destructor<R: Runtime>(fresh: Fresh<'_, R>) {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("at the end of its runtime");
        }
    }
    let rt = fresh();
    let (captured, witness) = token();
    let first = parked(&rt, captured);
    let gate = Gate::new();
    let opener = gate.clone();
    let bad = rt.spawn(async move {
        let _bad = Panics;
        opener.open();
        pending::<()>().await;
    });
    rt.block_on(gate.wait());
    let last = parked(&rt, witness.token());
    drop(rt);
    assert_eq!(witness.count(), 2);
    assert_cancelled(park_on(first));
    assert_cancelled(park_on(last));
    assert!(park_on(bad).unwrap_err().is_panic());
}

/// Called inside `block_on`, it ends the tasks, and the future of `block_on` goes on.
pub async fn inside_main<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    let hand = Manual::<()>::new();
    let wait = hand.future();
    let task = rt.spawn(async move {
        let _captured = captured;
        wait.await;
    });
    until(|| hand.polls() > 0).await;
    rt.shutdown();
    assert_cancelled(task.await);
    assert_eq!(witness.count(), 1);
    let late: Result<(), _> = rt.spawn(async { unreachable!("it is never polled") }).await;
    assert_cancelled(late);
}

/// Called by a task, it ends that task too, when its poll is over.
pub fn inside_a_task<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let (handle, go) = (rt.handle(), Gate::new());
    let wait = go.wait();
    let other = parked(&rt, witness.token());
    let task = rt.spawn(async move {
        let _captured = captured;
        wait.await;
        handle.shutdown();
        pending::<()>().await;
    });
    rt.block_on(async {
        go.open();
        assert_cancelled(task.await);
        assert_cancelled(other.await);
    });
    assert_eq!(witness.count(), 2);
}

/// Called by another thread, while this one waits for a task, it ends the waiting.
pub fn by_another_thread<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let task = parked(&rt, captured);
    let handle = rt.handle();
    rt.block_on(async {
        let side = thread(move || handle.shutdown());
        assert_cancelled(task.await);
        side.await;
    });
    assert_eq!(witness.count(), 1);
}

/// The owner may be dropped on another thread than the one that drove the runtime.
pub fn dropped_on_another_thread<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let task = parked(&rt, captured);
    park_on(thread(move || drop(rt)));
    assert_cancelled(park_on(task));
    assert_eq!(witness.count(), 1);
}

/// Every handle of what is spawned during the shutdown, by other threads, ends.
pub fn spawned_meanwhile<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    drop(captured);
    let sides: Vec<_> = (0..2)
        .map(|_| {
            let (handle, witness) = (rt.handle(), witness.clone());
            thread(move || {
                let spawn = |_| {
                    let captured = witness.token();
                    handle.spawn(async move {
                        let _captured = captured;
                        yield_now().await;
                        pending::<()>().await;
                    })
                };
                (0..500).map(spawn).collect::<Vec<_>>()
            })
        })
        .collect();
    rt.block_on(turns(&*rt, 5));
    drop(rt);
    for side in sides {
        for task in park_on(side) {
            assert_cancelled(park_on(task));
        }
    }
    assert_eq!(witness.count(), 1001);
}

/// After a panic of the future of `block_on`, the owner ends the runtime as usual.
pub fn after_a_panic_of_main<R: Runtime>(fresh: Fresh<'_, R>) {
    let (captured, witness) = token();
    let main = || {
        let rt = fresh();
        let task = parked(&rt, captured);
        task.detach();
        rt.block_on(async {
            yield_now().await;
            panic!("main fell");
        })
    };
    assert_eq!(panic_of(main), "main fell");
    assert_eq!(witness.count(), 1);
}
