//! Threads that the system does not give: no closure is lost, and nobody spins.
//!
//! The faults of others that these tests are after: a closure that waits for ever because the thread for it
//! could not be made (tokio), and a pool that tries again in a loop without a pause (`blocking`).

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kumi_core::blocking::{BlockingPool, Settings};
use kumi_core::report::Report;
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::SpawnBlockingExt;

use crate::support::{gated, pooled, reports, until};

/// Settings under which the system gives a thread only at the tries that `gives` accepts; counts tries.
fn refusing(
    name: &str,
    gives: impl Fn(usize) -> bool + Send + Sync + 'static,
) -> (Settings, Arc<AtomicUsize>) {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let settings = BlockingPool::settings()
        .name(name)
        .idle(Duration::MAX)
        .start_threads_with(move |thread| {
            let before = count.fetch_add(1, Ordering::SeqCst);
            match gives(before) {
                true => thread.builder().spawn(|| thread.run()),
                false => Err(io::ErrorKind::WouldBlock.into()),
            }
        });
    (settings, tries)
}

fn not_started(name: &str) -> usize {
    reports(|report| match report {
        Report::ThreadNotStarted { thread, .. } => thread.starts_with(name),
        _ => false,
    })
}

/// The pauses between the tries double, and the closure runs as soon as there is a thread.
#[test]
fn the_closure_runs_later() {
    reports(|_| false);
    let (settings, tries) = refusing("later", |before| before == 4);
    let (_sim, rt) = pooled(settings);
    let start = rt.now();
    assert_eq!(rt.block_on(rt.spawn_blocking(|| 42)).unwrap(), 42);
    assert_eq!(rt.now() - start, Duration::from_millis(1 + 2 + 4 + 8));
    assert_eq!(tries.load(Ordering::SeqCst), 5);
    assert_eq!(not_started("later"), 1, "once for all tries");
}

/// Nobody spins while the system refuses: a try a second, whatever is queued meanwhile.
#[test]
fn pauses_grow_to_a_second() {
    let (settings, tries) = refusing("pauses", |_| false);
    let (sim, rt) = pooled(settings);
    let tasks: Vec<_> = (0..1_000).map(|_| rt.spawn_blocking(|| ())).collect();
    assert_eq!(tries.load(Ordering::SeqCst), 1, "the first one tried");
    rt.block_on(rt.sleep(Duration::from_secs(100)));
    // Ten pauses to come to a second, and then one each.
    let tries = tries.load(Ordering::SeqCst);
    assert!((100..=111).contains(&tries), "{tries} tries");
    assert_eq!(rt.pool.queued(), 1_000);
    drop(sim);
    drop(tasks);
}

/// With a thread that is busy for ever, another one is asked for all the same.
#[test]
fn a_busy_thread_is_no_excuse() {
    let (settings, _) = refusing("busy", |before| before != 1);
    let (_sim, rt) = pooled(settings);
    let (closure, gate) = gated();
    let stuck = rt.spawn_blocking(closure);
    gate.wait_for_the_start();
    let refused = rt.spawn_blocking(|| 42);
    assert_eq!((rt.pool.threads(), rt.pool.queued()), (1, 1));
    assert_eq!(rt.block_on(refused).unwrap(), 42);
    assert_eq!(rt.pool.threads(), 2);
    gate.open();
    rt.block_on(stuck).unwrap();
}

/// One try gives one thread; the retry goes on until everybody who waits has one.
#[test]
fn one_retry_serves_all() {
    let (settings, tries) = refusing("all", |before| before > 0);
    let (_sim, rt) = pooled(settings);
    let (closures, gates): (Vec<_>, Vec<_>) = (0..5).map(|_| gated()).unzip();
    let tasks: Vec<_> = closures.into_iter().map(|f| rt.spawn_blocking(f)).collect();
    rt.block_on(rt.sleep(Duration::from_millis(1)));
    gates
        .iter()
        .for_each(super::support::Gate::wait_for_the_start);
    assert_eq!(tries.load(Ordering::SeqCst), 6);
    gates.into_iter().for_each(super::support::Gate::open);
    for task in tasks {
        rt.block_on(task).unwrap();
    }
    // And is over, so that the next one asks at once.
    until(|| rt.pool.idle() == 5);
    let (closures, gates): (Vec<_>, Vec<_>) = (0..6).map(|_| gated()).unzip();
    let tasks: Vec<_> = closures.into_iter().map(|f| rt.spawn_blocking(f)).collect();
    assert_eq!(tries.load(Ordering::SeqCst), 7);
    gates.into_iter().for_each(super::support::Gate::open);
    for task in tasks {
        rt.block_on(task).unwrap();
    }
}

/// If the runtime ends meanwhile, and no thread is there, the joiners are told.
#[test]
fn the_joiner_is_told_if_nobody_retries() {
    let (settings, _) = refusing("told", |_| false);
    let (sim, rt) = pooled(settings);
    let task = rt.spawn_blocking(|| ());
    // So that the retry has begun to sleep.
    rt.block_on(rt.sleep(Duration::from_micros(1)));
    drop(sim);
    let ended = wait_for(task);
    assert!(ended.unwrap_err().is_cancelled());
    assert_eq!(rt.pool.queued(), 0);
}

/// A job for a pool whose runtime has ended is not lost either.
#[test]
fn the_joiner_is_told_if_nobody_can_retry() {
    let (settings, _) = refusing("nobody", |_| false);
    let (sim, rt) = pooled(settings);
    drop(sim);
    let task = rt.spawn_blocking(|| ());
    assert!(wait_for(task).unwrap_err().is_cancelled());
    assert_eq!(rt.pool.queued(), 0);
}

/// If the retry is dropped while there is a thread, that one runs what is queued.
#[test]
fn a_thread_that_is_there_runs_what_is_left() {
    let (settings, _) = refusing("there", |before| before == 0);
    let (sim, rt) = pooled(settings);
    let (closure, gate) = gated();
    let first = rt.spawn_blocking(closure);
    gate.wait_for_the_start();
    let second = rt.spawn_blocking(|| 42);
    drop(sim);
    gate.open();
    assert_eq!(wait_for(second).unwrap(), 42);
    wait_for(first).unwrap();
}

/// Code that makes threads and panics is a system that gives none.
#[test]
fn a_panic_while_a_thread_is_made() {
    reports(|_| false);
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let settings = BlockingPool::settings()
        .name("panics")
        .start_threads_with(move |thread| match count.fetch_add(1, Ordering::SeqCst) {
            0 => std::panic::resume_unwind(Box::new("no thread today")),
            _ => thread.builder().spawn(|| thread.run()),
        });
    let (_sim, rt) = pooled(settings);
    assert_eq!(rt.block_on(rt.spawn_blocking(|| 42)).unwrap(), 42);
    let said = reports(|report| match report {
        Report::ThreadNotStarted { thread, message } => {
            thread.starts_with("panics") && message == "no thread today"
        }
        _ => false,
    });
    assert_eq!(said, 1);
}

/// A thread that is made but gives its work up is one that was not made.
#[test]
fn a_thread_that_does_not_run() {
    let tries = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tries);
    let settings = BlockingPool::settings().start_threads_with(move |thread| {
        match count.fetch_add(1, Ordering::SeqCst) {
            0 => {
                drop(thread);
                std::thread::Builder::new().spawn(|| ())
            }
            _ => thread.builder().spawn(|| thread.run()),
        }
    });
    let (_sim, rt) = pooled(settings);
    assert_eq!(rt.block_on(rt.spawn_blocking(|| 42)).unwrap(), 42);
    assert_eq!(tries.load(Ordering::SeqCst), 2);
}

/// The same, noticed after the pool has believed that the thread was made: the joiner is told.
#[test]
fn a_thread_that_gives_up_later() {
    let (give_up, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let wait = Arc::new(wait);
    let settings = BlockingPool::settings().start_threads_with(move |thread| {
        let wait = Arc::clone(&wait);
        std::thread::Builder::new().spawn(move || {
            let _ = wait.lock().unwrap().recv();
            drop(thread);
        })
    });
    let (_sim, rt) = pooled(settings);
    let task = rt.spawn_blocking(|| ());
    drop(give_up);
    assert!(wait_for(task).unwrap_err().is_cancelled());
    assert_eq!((rt.pool.threads(), rt.pool.queued()), (0, 0));
}

/// Waits for a task on this thread, without a runtime.
fn wait_for<T>(task: kumi_core::task::JoinHandle<T>) -> Result<T, kumi_core::task::JoinError> {
    kumi_sim::Sim::builder()
        .patience(Duration::from_secs(60))
        .build()
        .block_on(task)
}
