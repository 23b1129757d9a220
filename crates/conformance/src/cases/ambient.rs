//! What ambient functions find: the runtime and the task of the code that runs right now.
#![allow(
    clippy::async_yields_async,
    reason = "handles are handed out, to be joined later"
)]

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::task::Poll;

use kumi_core::combine::yield_now;
use kumi_core::context;
use kumi_core::runtime::{AnyRuntime, Clock, Runtime, TaskId};
use kumi_core::task::{SpawnExt, current_task};

use crate::Fresh;
use crate::probe::{Gate, thread, turns, until};

/// The ambient runtime, as an owned handle, which has to be of type `R`.
fn ambient<R: Runtime>() -> AnyRuntime {
    context::with_current(|rt| {
        let rt = rt.expect("there is an ambient runtime");
        assert!(rt.downcast::<R>().is_some(), "it is of another type");
        rt.to_any_runtime()
    })
}

fn is_set() -> bool {
    context::with_current(|rt| rt.is_some())
}

/// Whether `rt` lists the task; on the thread that is inside its `block_on`.
fn lists<R: Runtime>(rt: &R, id: TaskId) -> bool {
    let mut found = false;
    rt.for_each_task(&mut |task| found |= task.id() == id);
    found
}

/// Inside a task the ambient runtime is the task's, and everything on it works.
pub async fn inside_a_task<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        let any = ambient::<R>();
        any.sleep(std::time::Duration::ZERO).await;
        let child = any.spawn(async { ambient::<R>().spawn(async { 3 }).await.unwrap() });
        child.await.unwrap()
    });
    assert_eq!(task.await.unwrap(), 3);
}

/// Inside the future of `block_on` the ambient runtime is set, at every poll, and there is no task.
pub async fn inside_main<R: Runtime>(rt: R) {
    for _ in 0..10 {
        assert_eq!(ambient::<R>().spawn(async { 4 }).await.unwrap(), 4);
        assert!(current_task().is_none());
        turns(&rt, 2).await;
    }
}

/// Each task finds itself at each of its polls, however tasks take turns.
pub async fn each_task_finds_itself<R: Runtime>(rt: R) {
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            rt.spawn(async {
                let me = current_task().unwrap().id();
                for _ in 0..20 {
                    yield_now().await;
                    assert_eq!(current_task().unwrap().id(), me);
                    assert!(is_set());
                }
                me
            })
        })
        .collect();
    for task in tasks {
        let id = task.id();
        assert_eq!(task.await.unwrap(), id);
    }
}

/// It passes through combinators that know nothing of it.
pub async fn through_a_foreign_combinator<R: Runtime>(rt: R) {
    /// Polls both, in turn, until both are ready.
    async fn join<A: Future, B: Future>(a: A, b: B) -> (A::Output, B::Output) {
        let (mut a, mut b) = (Box::pin(a), Box::pin(b));
        let (mut left, mut right) = (None, None);
        poll_fn(move |cx| {
            if left.is_none() {
                if let Poll::Ready(value) = a.as_mut().poll(cx) {
                    left = Some(value);
                }
            }
            if right.is_none() {
                if let Poll::Ready(value) = b.as_mut().poll(cx) {
                    right = Some(value);
                }
            }
            match (left.take(), right.take()) {
                (Some(a), Some(b)) => Poll::Ready((a, b)),
                (a, b) => {
                    (left, right) = (a, b);
                    Poll::Pending
                }
            }
        })
        .await
    }
    let branch = |turns: usize| async move {
        for _ in 0..turns {
            yield_now().await;
        }
        let child = ambient::<R>().spawn(async { current_task().unwrap().id() });
        let id = child.id();
        assert_eq!(child.await.unwrap(), id);
        current_task().unwrap().id()
    };
    let task = rt.spawn(async move { join(branch(3), join(branch(0), branch(7))).await });
    let id = task.id();
    assert_eq!(task.await.unwrap(), (id, (id, id)));
}

/// Outside there is neither: before, between and after `block_on`, and on other threads.
pub fn nothing_outside<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    assert!(!is_set() && current_task().is_none());
    for _ in 0..2 {
        let task = rt.spawn(async { is_set() });
        assert!(!is_set());
        assert!(rt.block_on(task).unwrap());
        assert!(!is_set() && current_task().is_none());
    }
    drop(rt);
    assert!(!is_set());
}

/// A thread that a task starts finds neither.
pub async fn nothing_on_a_thread_of_its_own<R: Runtime>(rt: R) {
    let task = rt.spawn(async { thread(|| (is_set(), current_task().is_some())).await });
    assert_eq!(task.await.unwrap(), (false, false));
}

/// Two runtimes in one process never see each other: each task spawns where it runs.
pub fn two_runtimes<R: Runtime>(fresh: Fresh<'_, R>) {
    let (a, b) = (fresh(), fresh());
    let spawn_here = || async { ambient::<R>().spawn(pending::<()>()) };
    let (in_a, in_b) = (a.spawn(spawn_here()), b.spawn(spawn_here()));
    let child_of_a = a.block_on(in_a).unwrap();
    let child_of_b = b.block_on(in_b).unwrap();
    a.block_on(async {
        assert!(lists(&*a, child_of_a.id()) && !lists(&*a, child_of_b.id()));
    });
    b.block_on(async {
        assert!(lists(&*b, child_of_b.id()) && !lists(&*b, child_of_a.id()));
    });
}

/// A wake of a task of another runtime does not run it here, and leaves this frame alone.
pub fn a_wake_across_runtimes<R: Runtime>(fresh: Fresh<'_, R>) {
    let (a, b) = (fresh(), fresh());
    let gate = Gate::new();
    let wait = gate.wait();
    let in_b = b.spawn(async move {
        wait.await;
        ambient::<R>().spawn(pending::<()>())
    });
    // Let it park.
    b.block_on(turns(&*b, 10));
    let in_a = a.spawn(async move {
        let me = current_task().unwrap().id();
        gate.open();
        assert_eq!(current_task().unwrap().id(), me);
        ambient::<R>().spawn(pending::<()>())
    });
    let child_of_a = a.block_on(in_a).unwrap();
    let child_of_b = b.block_on(in_b).unwrap();
    a.block_on(async { assert!(lists(&*a, child_of_a.id())) });
    b.block_on(async { assert!(lists(&*b, child_of_b.id())) });
}

/// A handle of one runtime may be awaited in another.
pub fn joined_across_runtimes<R: Runtime>(fresh: Fresh<'_, R>) {
    let (a, b) = (fresh(), fresh());
    let task = a.spawn(async { 6 });
    a.block_on(until(|| task.is_finished()));
    let joiner = b.spawn(async move { task.await.unwrap() });
    assert_eq!(b.block_on(joiner).unwrap(), 6);
    let pending = a.spawn(pending::<()>());
    let joiner = b.spawn(async move {
        let mut pending = pending;
        let early = poll_fn(|cx| Poll::Ready(Pin::new(&mut pending).poll(cx).is_pending())).await;
        (early, pending)
    });
    let (early, pending) = b.block_on(joiner).unwrap();
    assert!(early);
    drop(a);
    // The end of its runtime woke the task of the other; that is harmless, and the outcome is there.
    crate::probe::assert_cancelled(b.block_on(pending));
}
