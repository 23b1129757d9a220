//! The list of live tasks: what a run finds at its end.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Context;

use kumi_core::runtime::{Runtime, TaskId};
use kumi_core::task::{SpawnBlockingExt, SpawnExt, TaskBuilder};

use crate::probe::{Gate, assert_cancelled, counting_waker, turns, until};

fn ids<R: Runtime>(rt: &R) -> Vec<TaskId> {
    let mut ids = Vec::new();
    rt.for_each_task(&mut |task| ids.push(task.id()));
    ids
}

async fn idle<R: Runtime>(rt: &R) {
    poll_fn(|cx| rt.poll_idle(cx)).await;
}

/// Every task is visited from its spawn to its end, once, also before its first poll.
pub async fn tasks_are_visited<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let tasks: Vec<_> = (0..20).map(|_| rt.spawn(gate.wait())).collect();
    for _ in 0..3 {
        let found = ids(&rt);
        for task in &tasks {
            let times = found.iter().filter(|&&id| id == task.id()).count();
            assert_eq!(times, 1, "{task:?}");
        }
        turns(&rt, 10).await;
    }
    gate.open();
    for task in tasks {
        let id = task.id();
        task.await.unwrap();
        // Off the list at its end, or right after.
        until(|| !ids(&rt).contains(&id)).await;
    }
}

/// A detached task is visited, by its name.
pub async fn a_detached_task_is_visited<R: Runtime>(rt: R) {
    let task = TaskBuilder::new()
        .name("let go")
        .spawn_on(&rt, pending::<()>());
    let reference = task.task();
    task.detach();
    turns(&rt, 10).await;
    let mut found = Vec::new();
    rt.for_each_task(&mut |task| found.push(task.name().map(str::to_owned)));
    assert!(found.contains(&Some("let go".to_owned())), "{found:?}");
    reference.cancel();
    idle(&rt).await;
    assert!(reference.is_finished());
}

/// A blocking closure is visited until it has ended.
pub async fn a_blocking_closure_is_visited<R: Runtime>(rt: R) {
    let closure = rt.spawn_blocking(|| ());
    let id = closure.id();
    closure.await.unwrap();
    until(|| !ids(&rt).contains(&id)).await;
    idle(&rt).await;
}

/// A closure that runs is visited, and keeps the runtime from being idle.
pub async fn a_running_closure_is_visited<R: Runtime>(rt: R) {
    let started = Gate::new();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let opener = started.clone();
    let closure = rt.spawn_blocking(move || {
        opener.open();
        let _ = wait.recv();
    });
    started.wait().await;
    assert!(ids(&rt).contains(&closure.id()));
    let (_, waker) = counting_waker();
    assert!(rt.poll_idle(&mut Context::from_waker(&waker)).is_pending());
    drop(release);
    idle(&rt).await;
    closure.await.unwrap();
}

/// What is visited may be cancelled there, and `visit` may spawn.
pub async fn visiting_may_cancel_and_spawn<R: Runtime>(rt: R) {
    let tasks: Vec<_> = (0..20).map(|_| rt.spawn(pending::<()>())).collect();
    let mut spawned = Vec::new();
    rt.for_each_task(&mut |task| {
        task.cancel();
        if spawned.len() < 5 {
            spawned.push(rt.spawn(async { 1 }));
        }
    });
    for task in tasks {
        assert_cancelled(task.await);
    }
    // One that was spawned meanwhile may have been visited, or not.
    for task in spawned {
        match task.await {
            Ok(value) => assert_eq!(value, 1),
            Err(error) => assert!(error.is_cancelled()),
        }
    }
}

/// A runtime without tasks is idle; one with a task is not.
pub async fn idle_means_no_task<R: Runtime>(rt: R) {
    idle(&rt).await;
    let gate = Gate::new();
    let tasks: Vec<_> = (0..10).map(|_| rt.spawn(gate.wait())).collect();
    let (_, waker) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    // Neither before the first poll of the tasks nor after it.
    assert!(rt.poll_idle(&mut cx).is_pending());
    turns(&rt, 10).await;
    assert!(rt.poll_idle(&mut cx).is_pending());
    gate.open();
    until(|| rt.poll_idle(&mut cx).is_ready()).await;
    for task in tasks {
        task.await.unwrap();
    }
    idle(&rt).await;
}

/// The end of the last task wakes whoever waits for idleness.
pub async fn the_last_task_wakes_the_watcher<R: Runtime>(rt: R) {
    for _ in 0..20 {
        let gate = Gate::new();
        let tasks: Vec<_> = (0..3).map(|_| rt.spawn(gate.wait())).collect();
        let mut first = true;
        poll_fn(|cx| {
            let idle = rt.poll_idle(cx);
            if std::mem::take(&mut first) {
                assert!(idle.is_pending());
                gate.open();
            }
            idle
        })
        .await;
        assert!(tasks.iter().all(|task| task.is_finished()));
    }
}

/// A task that is added wakes whoever waits for idleness, so that it sees late-comers.
pub async fn a_new_task_wakes_the_watcher<R: Runtime>(rt: R) {
    let (go, late) = (Gate::new(), Gate::new());
    let (wait, never, spawner, opener) = (go.wait(), late.wait(), rt.clone(), late.clone());
    let first = rt.spawn(async move {
        wait.await;
        spawner.spawn(never).detach();
        // It stays, so that not its end is what wakes.
        pending::<()>().await;
    });
    turns(&rt, 10).await;
    let (wakes, waker) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    let known = ids(&rt);
    assert!(rt.poll_idle(&mut cx).is_pending());
    go.open();
    // As the end of a run does: register, look, wait for a wake. A task that ends may use it up.
    loop {
        let seen = wakes.count();
        assert!(rt.poll_idle(&mut cx).is_pending());
        if ids(&rt).iter().any(|id| !known.contains(id)) {
            break;
        }
        until(|| wakes.count() > seen).await;
    }
    opener.open();
    first.cancel();
    assert_cancelled(first.await);
    idle(&rt).await;
}

/// A runtime that was found idle keeps no waker: one may own the runtime, which would never be freed.
pub async fn an_idle_runtime_keeps_no_waker<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let task = rt.spawn(gate.wait());
    let closure = rt.spawn_blocking(|| ());
    let (wakes, waker) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    assert!(rt.poll_idle(&mut cx).is_pending());
    gate.open();
    task.await.unwrap();
    closure.await.unwrap();
    until(|| rt.poll_idle(&mut cx).is_ready()).await;
    // `wakes`, `waker`, and a waking that another thread may be about to end.
    until(|| Arc::strong_count(&wakes) == 2).await;
}
