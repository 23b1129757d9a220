//! How a pool ends.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kumi_core::blocking::{BlockingPool, run_in_executor};
use kumi_core::report::Report;
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnBlockingExt, TaskBuilder};

use crate::support::{gated, pooled, reports, until};

const LONG: Duration = Duration::from_secs(60);

fn one() -> kumi_core::blocking::Settings {
    BlockingPool::settings().max_threads(1).idle(Duration::MAX)
}

/// What is queued is dropped and its joiner told; what runs goes on, and its joiner gets its value.
#[test]
fn close_drops_what_is_queued() {
    let (_sim, rt) = pooled(one());
    let (closure, gate) = gated();
    let running = rt.spawn_blocking(|| {
        closure();
        42
    });
    gate.wait_for_the_start();
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let queued = rt.spawn_blocking(move || drop(inside));
    rt.pool.close();
    assert_eq!(Arc::strong_count(&held), 1, "dropped by the close");
    assert!(rt.block_on(queued).unwrap_err().is_cancelled());
    let late = rt.spawn_blocking(|| ());
    assert!(rt.block_on(late).unwrap_err().is_cancelled());
    gate.open();
    assert_eq!(rt.block_on(running).unwrap(), 42);
    until(|| rt.pool.threads() == 0);
}

/// Idle threads end at once, and are joined: the destructors of their thread-local values have run.
#[test]
fn close_within_joins() {
    static GONE: AtomicBool = AtomicBool::new(false);
    struct Local;
    impl Drop for Local {
        fn drop(&mut self) {
            // Long enough to be missed by who does not wait.
            for _ in 0..1_000 {
                std::thread::yield_now();
            }
            GONE.store(true, Ordering::SeqCst);
        }
    }
    thread_local!(static LOCAL: Local = const { Local });
    let (_sim, rt) = pooled(one());
    rt.block_on(rt.spawn_blocking(|| LOCAL.with(|_| ())))
        .unwrap();
    assert!(rt.pool.close_within(LONG));
    assert_eq!(rt.pool.threads(), 0);
    assert!(GONE.load(Ordering::SeqCst));
}

/// It waits for what runs.
#[test]
fn close_within_waits() {
    let (_sim, rt) = pooled(BlockingPool::settings());
    let ended = Arc::new(AtomicBool::new(false));
    let (closure, gate) = gated();
    let end = Arc::clone(&ended);
    let running = rt.spawn_blocking(move || {
        closure();
        end.store(true, Ordering::SeqCst);
    });
    gate.wait_for_the_start();
    let pool = rt.pool.clone();
    let closer = std::thread::spawn(move || pool.close_within(LONG));
    until(|| format!("{:?}", rt.pool).contains("closed: true"));
    assert!(!closer.is_finished());
    gate.open();
    assert!(closer.join().unwrap());
    assert!(ended.load(Ordering::SeqCst));
    rt.block_on(running).unwrap();
}

/// Past its limit it gives up, and says which thread runs what.
#[test]
fn close_within_reports_by_name() {
    reports(|_| false);
    let (_sim, rt) = pooled(one().name("stubborn"));
    let (closure, gate) = gated();
    let running = TaskBuilder::new()
        .name("never")
        .spawn_blocking_on(&rt, closure);
    gate.wait_for_the_start();
    assert!(!rt.pool.close_within(Duration::ZERO));
    let named = reports(|report| match report {
        Report::ThreadNotEnded { thread, task, .. } => {
            &**thread == "stubborn-1" && task.name() == Some("never")
        }
        _ => false,
    });
    assert_eq!(named, 1);
    gate.open();
    rt.block_on(running).unwrap();
    assert!(rt.pool.close_within(LONG));
}

/// A closure that closes its own pool is not waited for by itself.
#[test]
fn close_within_on_a_thread_of_the_pool() {
    let (_sim, rt) = pooled(BlockingPool::settings().idle(Duration::MAX));
    // So that there are two threads, one of them idle.
    let (closure, gate) = gated();
    let other = rt.spawn_blocking(closure);
    gate.wait_for_the_start();
    let pool = rt.pool.clone();
    let closer = rt.spawn_blocking(move || pool.close_within(LONG));
    gate.open();
    rt.block_on(other).unwrap();
    assert!(rt.block_on(closer).unwrap());
    assert!(rt.pool.close_within(LONG));
}

/// Without a handle nothing new can come: what is queued runs, and then the threads end.
#[test]
fn the_last_handle_lets_the_queue_run() {
    let (_sim, rt) = pooled(one());
    let mine = one().build();
    let (closure, gate) = gated();
    let first = run_in_executor(&rt, &mine, closure);
    gate.wait_for_the_start();
    let alive = Arc::new(());
    let inside = Arc::clone(&alive);
    let second = run_in_executor(&rt, &mine, move || {
        let _inside = inside;
        42
    });
    drop(mine);
    gate.open();
    rt.block_on(first).unwrap();
    assert_eq!(rt.block_on(second).unwrap(), 42);
    assert_eq!(Arc::strong_count(&alive), 1);
}

/// The threads of a pool that is gone end, also idle ones that would wait for ever.
#[test]
fn the_last_handle_ends_the_threads() {
    let (_sim, rt) = pooled(one());
    let started = Arc::new(());
    let inside = Arc::clone(&started);
    let mine = one()
        .start_threads_with(move |thread| {
            let inside = Arc::clone(&inside);
            thread.builder().spawn(move || {
                thread.run();
                drop(inside);
            })
        })
        .build();
    rt.block_on(run_in_executor(&rt, &mine, || ())).unwrap();
    until(|| mine.idle() == 1);
    drop(mine);
    until(|| Arc::strong_count(&started) == 1);
}

/// An output that nobody takes is dropped.
#[test]
fn the_output_of_a_dropped_handle_is_dropped() {
    let (_sim, rt) = pooled(one());
    let held = Arc::new(());
    let output = Arc::clone(&held);
    let (closure, gate) = gated();
    let task = rt.spawn_blocking(move || {
        closure();
        output
    });
    gate.wait_for_the_start();
    drop(task);
    gate.open();
    until(|| Arc::strong_count(&held) == 1);
}
