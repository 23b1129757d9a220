//! Other threads: they may spawn and wake, but not drive.

use std::future::{Future, pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Poll, Waker};
use std::thread;
use std::time::{Duration, Instant};

use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::SpawnExt;
use kumi_sim::Sim;

use crate::probe::panic_of;

const LONG: Duration = Duration::from_secs(60);

/// A future that is ready when another thread, which gets its waker only then, has woken it.
fn woken_from_elsewhere() -> impl Future<Output = ()> {
    let done = Arc::new(AtomicBool::new(false));
    let (send, receive) = mpsc::channel::<Waker>();
    let set = Arc::clone(&done);
    thread::spawn(move || {
        let waker = receive.recv().unwrap();
        set.store(true, Ordering::SeqCst);
        waker.wake();
    });
    poll_fn(move |cx| {
        if done.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        // The thread is gone if it has woken between the look and this.
        let _ = send.send(cx.waker().clone());
        Poll::Pending
    })
}

#[test]
fn with_patience_a_wake_from_another_thread_counts() {
    let sim = Sim::builder().patience(LONG).build();
    for _ in 0..50 {
        let real = Instant::now();
        sim.block_on(woken_from_elsewhere());
        let task = sim.spawn(woken_from_elsewhere());
        sim.block_on(task).unwrap();
        assert!(
            real.elapsed() < LONG,
            "it was told, and did not wait to the end"
        );
    }
}

#[test]
fn with_patience_a_job_from_another_thread_counts() {
    let sim = Sim::builder().patience(LONG).build();
    let handle = sim.handle();
    let (send, receive) = mpsc::channel();
    let side = thread::spawn(move || {
        let waker: Waker = receive.recv().unwrap();
        handle.spawn(async move { waker.wake() }).detach();
    });
    let mut first = true;
    sim.block_on(poll_fn(|cx| {
        if !std::mem::take(&mut first) {
            return Poll::Ready(());
        }
        send.send(cx.waker().clone()).unwrap();
        Poll::Pending
    }));
    side.join().unwrap();
}

#[test]
fn with_patience_a_sleep_that_another_thread_arms_counts() {
    for _ in 0..50 {
        let sim = Sim::builder().patience(LONG).build();
        let (start, real) = (sim.now(), Instant::now());
        let (send, receive) = mpsc::channel::<Waker>();
        let (end, ended) = mpsc::channel::<()>();
        let mut sleep = Box::pin(sim.sleep(Duration::from_secs(3)));
        let side = thread::spawn(move || {
            let waker = receive.recv().unwrap();
            assert!(crate::probe::poll(sleep.as_mut(), &waker).is_pending());
            // Kept until main has ended: a sleep that is dropped wakes nobody.
            ended.recv().unwrap_err();
        });
        let mut sent = false;
        sim.block_on(poll_fn(|cx| {
            if std::mem::replace(&mut sent, true) {
                return Poll::Ready(());
            }
            send.send(cx.waker().clone()).unwrap();
            Poll::Pending
        }));
        assert_eq!(sim.now() - start, Duration::from_secs(3));
        assert!(
            real.elapsed() < LONG,
            "it was told, and did not wait to the end"
        );
        drop(end);
        side.join().unwrap();
    }
}

#[test]
fn patience_ends() {
    let patience = Duration::from_millis(20);
    let sim = Sim::builder().patience(patience).build();
    let real = Instant::now();
    let message = panic_of(|| sim.block_on(pending::<()>()));
    assert!(real.elapsed() >= patience);
    assert!(
        message.contains("no other thread woke anything for 20ms"),
        "{message}"
    );
}

#[test]
fn another_thread_may_not_drive() {
    let sim = Sim::new();
    sim.block_on(async {});
    let handle = sim.handle();
    let side = thread::spawn(move || panic_of(|| handle.block_on(async {})));
    let message = side.join().unwrap();
    assert!(
        message.contains("`block_on` on a simulator that belongs to another thread"),
        "{message}"
    );
    assert!(
        message.contains("Spawn onto it from here"),
        "it names the fix: {message}"
    );
}

#[test]
fn the_first_thread_that_drives_it_has_it() {
    let sim = Sim::new();
    let task = sim.spawn(async { 42 });
    let handle = sim.handle();
    let side = thread::spawn(move || handle.block_on(task).unwrap());
    assert_eq!(side.join().unwrap(), 42);
    assert!(panic_of(|| sim.block_on(async {})).contains("another thread"));
}

#[test]
fn what_another_thread_spawns_runs_here() {
    let sim = Sim::new();
    let handle = sim.handle();
    let side = thread::spawn(move || handle.spawn(async { thread::current().id() }));
    let task = side.join().unwrap();
    assert_eq!(sim.block_on(task).unwrap(), thread::current().id());
}
