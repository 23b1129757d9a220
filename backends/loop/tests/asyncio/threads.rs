//! Callbacks from other threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread;

use kumi_core::task::SpawnExt;

use crate::support::{new_loop, tick};

/// LP12: it wakes a loop that sleeps.
#[test]
fn lp12_wakes_the_loop() {
    let lp = new_loop();
    let (started, has_started) = mpsc::channel();
    lp.call_soon(move || started.send(()).expect("a thread waits"));
    let there = lp.handle();
    let main = thread::current().id();
    let caller = thread::spawn(move || {
        has_started.recv().expect("it runs");
        let stop = there.clone();
        there.call_soon_threadsafe(move || {
            assert_eq!(thread::current().id(), main);
            stop.stop();
        });
    });
    lp.run_forever();
    caller.join().expect("no panic");
}

/// LP12: on the loop's own thread it is in one order with `call_soon` and tasks.
#[test]
fn lp12_in_order_on_its_own_thread() {
    let lp = new_loop();
    let log = Arc::new(Mutex::new(Vec::new()));
    let note = |number: u32| {
        let log = Arc::clone(&log);
        move || log.lock().expect("no panic").push(number)
    };
    let (first, second, third) = (note(1), note(2), note(3));
    let handle = lp.handle();
    lp.call_soon(move || {
        handle.call_soon(first);
        handle.call_soon_threadsafe(second);
        handle.spawn(async move { third() }).detach();
    });
    tick(&lp);
    tick(&lp);
    assert_eq!(*log.lock().expect("no panic"), [1, 2, 3]);
}

/// LP13: a cancel before the call prevents it, from any thread, and drops the callback at once.
#[test]
fn lp13_cancel_before_the_call() {
    let lp = new_loop();
    let held = Arc::new(());
    let inside = Arc::clone(&held);
    let handle = lp.call_soon_threadsafe(move || drop(inside));
    assert!(!handle.cancelled());
    let there = handle.clone();
    let cancelled = thread::spawn(move || there.cancel()).join();
    assert!(cancelled.expect("no panic"));
    assert_eq!(Arc::strong_count(&held), 1);
    assert!(handle.cancelled() && handle.cancel());
    tick(&lp);
}

/// LP13: a cancel while it is called on another thread waits for its end, and has no effect.
#[test]
fn lp13_cancel_waits_for_the_call() {
    let lp = new_loop();
    let (started, has_started) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let over = Arc::new(AtomicBool::new(false));
    let end = Arc::clone(&over);
    let handle = lp.call_soon_threadsafe(move || {
        started.send(()).expect("a thread waits");
        let _ = wait.recv();
        end.store(true, Ordering::SeqCst);
    });
    let canceller = thread::spawn(move || {
        has_started.recv().expect("it is called");
        let helper = thread::spawn(move || drop(release));
        let cancelled = handle.cancel();
        let seen = over.load(Ordering::SeqCst);
        helper.join().expect("no panic");
        (cancelled, seen, handle.cancelled())
    });
    tick(&lp);
    let outcome = canceller.join().expect("no panic");
    assert_eq!(outcome, (false, true, false));
}

/// LP13: a cancel inside of the callback does not wait for itself, and does nothing.
#[test]
fn lp13_cancel_inside_the_call() {
    let lp = new_loop();
    let (hand, get) = mpsc::channel::<kumi_loop::asyncio::ThreadsafeHandle>();
    let (said, says) = mpsc::channel();
    let handle = lp.call_soon_threadsafe(move || {
        let handle = get.recv().expect("the test sends it");
        said.send((handle.cancel(), handle.cancelled()))
            .expect("the test waits");
    });
    hand.send(handle).expect("it is called");
    tick(&lp);
    assert_eq!(says.recv(), Ok((false, false)));
}

/// After a panic of the callback nobody waits for its end.
#[test]
fn lp13_cancel_after_a_panic() {
    let lp = new_loop();
    let handle = lp.call_soon_threadsafe(|| std::panic::resume_unwind(Box::new("of a callback")));
    tick(&lp);
    let cancelled = thread::spawn(move || handle.cancel()).join();
    assert!(!cancelled.expect("no panic"));
}
