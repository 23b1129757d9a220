//! How many times does a task allocate?
//!
//! The own loop: once. tokio and smol: at most once more than the native API.
//! Run in release by `cargo x alloc`: with debug assertions, task memory is not recycled, and then the
//! own loop's one allocation per task shows; without, even that one mostly goes.

use std::time::Duration;

use allocation_counter::measure;
use kumi_core::cancel::CancelScope;
use kumi_core::combine::{timeout, yield_now};
use kumi_core::group::{TaskGroup, task_group};
use kumi_core::runtime::{Owned, Runtime};
use kumi_core::task::SpawnExt;

const TASKS: u64 = 1_000;

/// Allocations for `TASKS` tasks that yield once and are joined, after everything is warm.
fn per_thousand<R: Runtime>(runtime: &Owned<R>) -> u64 {
    let round = || {
        runtime.block_on(async {
            for _ in 0..TASKS {
                let task = runtime.spawn(async { yield_now().await });
                task.await.expect("the task returns");
            }
        });
    };
    round();
    measure(round).count_total
}

/// A few allocations belong to the run and not to its tasks: the waker of main, and the like.
const RUN: u64 = 16;

#[test]
fn a_task_on_the_own_loop_allocates_at_most_once() {
    let loops = kumi_loop::Loop::new().expect("the loop starts");
    let count = per_thousand(&loops);
    assert!(
        count <= TASKS + RUN,
        "{count} allocations for {TASKS} tasks"
    );
}

#[test]
fn recycled_tasks_on_the_own_loop_do_not_allocate() {
    if cfg!(debug_assertions) {
        return;
    }
    let loops = kumi_loop::Loop::new().expect("the loop starts");
    let count = per_thousand(&loops);
    assert!(count <= RUN, "{count} allocations for {TASKS} tasks");
}

#[test]
fn a_task_on_tokio_allocates_at_most_once_more_than_a_native_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("tokio starts");
    let round = || {
        runtime.block_on(async {
            for _ in 0..TASKS {
                tokio::spawn(tokio::task::yield_now())
                    .await
                    .expect("the task returns");
            }
        });
    };
    round();
    let native = measure(round).count_total;
    let ours = per_thousand(&kumi_tokio::Tokio::current_thread().expect("tokio starts"));
    assert!(native >= TASKS, "a native task allocates: {native}");
    assert!(ours <= native + TASKS + RUN, "native {native}, ours {ours}");
}

#[test]
fn a_task_on_smol_allocates_at_most_once_more_than_a_native_one() {
    let executor = async_executor::Executor::new();
    let round = || {
        async_io::block_on(executor.run(async {
            for _ in 0..TASKS {
                executor.spawn(futures_lite::future::yield_now()).await;
            }
        }));
    };
    round();
    let native = measure(round).count_total;
    let ours = per_thousand(&kumi_smol::Smol::current_thread());
    assert!(native >= TASKS, "a native task allocates: {native}");
    assert!(ours <= native + TASKS + RUN, "native {native}, ours {ours}");
}

#[test]
fn a_scope_without_regions_does_not_allocate() {
    let runtime = kumi_loop::Loop::new().expect("the loop starts");
    let rt = runtime.handle();
    let round = || {
        runtime.block_on(async {
            for _ in 0..TASKS {
                let inner = CancelScope::new().run(yield_now());
                let limited = timeout(&rt, Duration::from_secs(60), inner);
                limited
                    .await
                    .expect("there is time")
                    .expect("nobody cancels");
            }
        });
    };
    round();
    let count = measure(round).count_total;
    assert!(count <= RUN, "{count} allocations for {TASKS} timeouts");
}

#[test]
fn a_child_of_a_group_allocates_no_more_than_a_task() {
    let runtime = kumi_loop::Loop::new().expect("the loop starts");
    let rt = runtime.handle();
    let round = || {
        let group = task_group(&rt, async |group: TaskGroup<(), _>| {
            for _ in 0..TASKS {
                drop(group.spawn(async {
                    yield_now().await;
                    Ok(())
                }));
            }
            Ok(())
        });
        runtime.block_on(group).expect("nothing fails");
    };
    round();
    let count = measure(round).count_total;
    assert!(
        count <= TASKS + 2 * RUN,
        "{count} allocations for {TASKS} children"
    );
}

#[test]
fn a_million_short_children_leave_nothing_behind() {
    let runtime = kumi_loop::Loop::new().expect("the loop starts");
    let rt = runtime.handle();
    let of = |children: u64| {
        let group = task_group(&rt, async |group: TaskGroup<(), _>| {
            for _ in 0..children {
                let _ = group.spawn(async { Ok(()) }).await;
            }
            Ok(())
        });
        runtime.block_on(group).expect("nothing fails");
    };
    of(1_000);
    let few = measure(|| of(1_000)).bytes_max;
    let many = measure(|| of(1_000_000)).bytes_max;
    assert!(
        many <= few + 1_024,
        "{few} bytes at most for few, {many} for many"
    );
}
