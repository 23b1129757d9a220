//! Blocking closures: beside the tasks, with the same handle.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;

use kumi_core::blocking::{BlockingPool, run_in_executor};
use kumi_core::context;
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnBlockingExt, SpawnExt, TaskBuilder};

use crate::probe::{Gate, assert_cancelled, assert_panicked, during, in_call, token, until};

/// A closure runs, and its handle gives its value.
pub async fn returns_its_value<R: Runtime>(rt: R) {
    assert_eq!(rt.spawn_blocking(|| 42).await.unwrap(), 42);
    let many: Vec<_> = (0..200).map(|n| rt.spawn_blocking(move || n)).collect();
    for (n, closure) in many.into_iter().enumerate() {
        assert_eq!(closure.await.unwrap(), n);
    }
}

/// `spawn_blocking_job` does not block: nothing runs before it returns.
pub async fn is_not_run_inside_spawn<R: Runtime>(rt: R) {
    for _ in 0..20 {
        let inside = during(|| rt.spawn_blocking(in_call));
        assert!(
            !inside.await.unwrap(),
            "the closure ran on its spawner's stack"
        );
    }
}

/// A panic is the outcome of the closure.
pub async fn a_panic_is_contained<R: Runtime>(rt: R) {
    let task = rt.spawn_blocking(|| panic!("blocked and fell"));
    assert_eq!(assert_panicked::<()>(task.await), "blocked and fell");
    assert_eq!(rt.spawn_blocking(|| 1).await.unwrap(), 1);
}

/// A closure has a name, a number and a place like any task.
pub async fn has_a_name<R: Runtime>(rt: R) {
    let closure = TaskBuilder::new()
        .name("reader")
        .spawn_blocking_on(&rt, || {
            let task = context::current_task().unwrap();
            (task.id(), task.name().map(str::to_owned))
        });
    assert_eq!(closure.name(), Some("reader"));
    assert_eq!(closure.info().location().file(), file!());
    let id = closure.id();
    assert_eq!(closure.await.unwrap(), (id, Some("reader".to_owned())));
}

/// Inside a closure the ambient runtime is its own, and spawning on it works.
pub async fn the_ambient_runtime_is_found<R: Runtime>(rt: R) {
    let closure = rt.spawn_blocking(|| {
        let any = context::with_current(|rt| {
            let rt = rt.expect("there is an ambient runtime");
            assert!(rt.downcast::<R>().is_some(), "and it is of the right type");
            rt.to_any_runtime()
        });
        any.spawn(async { 12 })
    });
    assert_eq!(closure.await.unwrap().await.unwrap(), 12);
}

/// Closures run beside tasks, on threads that may block.
pub async fn runs_beside_tasks<R: Runtime>(rt: R) {
    let (send, receive) = mpsc::channel();
    let here = thread::current().id();
    let closure = rt.spawn_blocking(move || {
        assert_ne!(thread::current().id(), here);
        receive.recv().unwrap()
    });
    let task = rt.spawn(async move { send.send("from a task").unwrap() });
    assert_eq!(closure.await.unwrap(), "from a task");
    task.await.unwrap();
}

/// Closures run beside each other.
pub async fn two_run_at_once<R: Runtime>(rt: R) {
    let (to_a, a) = mpsc::channel();
    let (to_b, b) = mpsc::channel();
    let first = rt.spawn_blocking(move || {
        to_b.send(1).unwrap();
        a.recv().unwrap()
    });
    let second = rt.spawn_blocking(move || {
        to_a.send(2).unwrap();
        b.recv().unwrap()
    });
    assert_eq!(first.await.unwrap() + second.await.unwrap(), 3);
}

/// A closure that is cancelled before it starts never runs; what it captured is dropped.
pub async fn cancelled_before_it_starts<R: Runtime>(rt: R) {
    let mut never = 0;
    for _ in 0..200 {
        let runs = Arc::new(AtomicUsize::new(0));
        let (captured, witness) = token();
        let count = Arc::clone(&runs);
        let closure = rt.spawn_blocking(move || {
            let _captured = captured;
            count.fetch_add(1, Ordering::Relaxed);
        });
        closure.cancel();
        let joined = closure.await;
        assert_eq!(witness.count(), 1);
        match runs.load(Ordering::Relaxed) {
            0 => {
                assert_cancelled(joined);
                never += 1;
            }
            _ => joined.unwrap(),
        }
    }
    // A thread may be faster than the request, but not every time.
    assert!(never > 0, "all of them ran");
}

/// A closure that has started runs to its end, whoever cancels it, and its value wins.
pub async fn cancelled_after_it_started<R: Runtime>(rt: R) {
    let started = Gate::new();
    let (release, wait) = mpsc::channel();
    let opener = started.clone();
    let closure = rt.spawn_blocking(move || {
        opener.open();
        wait.recv().unwrap();
        "to the end"
    });
    started.wait().await;
    assert!(closure.cancel());
    crate::probe::turns(&rt, 10).await;
    assert!(!closure.is_finished());
    release.send(()).unwrap();
    assert_eq!(closure.await.unwrap(), "to the end");
}

/// A closure whose handle is dropped after it started runs to its end, and its output is dropped.
pub async fn the_handle_dropped_after_it_started<R: Runtime>(rt: R) {
    let started = Gate::new();
    let (release, wait) = mpsc::channel::<()>();
    let opener = started.clone();
    let (output, witness) = token();
    let (end, ended) = token();
    let closure = rt.spawn_blocking(move || {
        opener.open();
        let _ = wait.recv();
        drop(end);
        output
    });
    started.wait().await;
    drop(closure);
    assert!(!ended.is_dropped() && !witness.is_dropped());
    drop(release);
    until(|| witness.is_dropped()).await;
    assert_eq!((ended.count(), witness.count()), (1, 1));
}

/// A detached closure runs in any case.
pub async fn detached<R: Runtime>(rt: R) {
    let ran = Gate::new();
    let opener = ran.clone();
    rt.spawn_blocking(move || opener.open()).detach();
    ran.wait().await;
}

/// Blocking on the runtime is allowed inside a closure.
pub async fn may_block_on_its_runtime<R: Runtime>(rt: R) {
    let inner = rt.clone();
    let closure = rt.spawn_blocking(move || {
        let task = inner.spawn(async { 20 });
        inner.block_on(async { task.await.unwrap() + 22 })
    });
    assert_eq!(closure.await.unwrap(), 42);
}

/// On a pool of the program's own, no more closures run at once than it has threads, and all run.
pub async fn on_a_pool_of_the_program<R: Runtime>(rt: R) {
    let pool = BlockingPool::settings().max_threads(2).build();
    let running = Arc::new(AtomicUsize::new(0));
    let closures: Vec<_> = (0..20)
        .map(|number| {
            let running = Arc::clone(&running);
            run_in_executor(&rt, &pool, move || {
                assert!(running.fetch_add(1, Ordering::SeqCst) < 2);
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                number
            })
        })
        .collect();
    for (number, closure) in closures.into_iter().enumerate() {
        assert_eq!(closure.await.unwrap(), number);
    }
}

/// There, too, the ambient runtime is the one that was named, and the closure is one of its tasks.
pub async fn on_a_pool_it_belongs_to_the_runtime<R: Runtime>(rt: R) {
    let pool = BlockingPool::new();
    let closure = run_in_executor(&rt, &pool, || {
        context::with_current(|rt| rt.is_some_and(|rt| rt.downcast::<R>().is_some()))
    });
    let listed = Cell::new(false);
    rt.for_each_task(&mut |task| listed.set(listed.get() || task.id() == closure.id()));
    let over = closure.is_finished();
    assert!(
        listed.get() || over,
        "a closure that has not ended is listed"
    );
    assert!(closure.await.unwrap());
}

/// A pool that is closed runs nothing, and the joiner is told.
pub async fn on_a_pool_that_is_closed<R: Runtime>(rt: R) {
    if rt.replaces_pools() {
        return;
    }
    let pool = BlockingPool::new();
    pool.close();
    assert_cancelled(run_in_executor(&rt, &pool, || ()).await);
}
