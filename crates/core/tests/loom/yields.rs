//! Tasks that wake themselves in their own poll, which writes nothing into the state word: what others
//! do meanwhile, or while the job is queued again, is not overlooked.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::support::{Hand, assert_cancelled, check, joined, spawn_idle};

/// A wake beside a run that wakes itself: what was published before it is seen by the next run.
#[test]
fn a_wake_beside_a_yield() {
    check(|| {
        let hand = Hand::new();
        let flag = Arc::new(AtomicBool::new(false));
        let ready = Arc::clone(&flag);
        let (own, slot) = own_waker();
        let (mut handle, counts, waker) = spawn_idle(&hand, move |polls| {
            if polls == 1 {
                wake_own(&own);
            }
            ready.load(Ordering::Relaxed)
        });
        slot.set(waker.clone()).expect("it is set once");
        waker.wake_by_ref();
        let thread = thread::spawn(move || {
            flag.store(true, Ordering::Relaxed);
            waker.wake();
        });
        hand.run_all();
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_finished(), "a wake is lost");
        assert!(counts.polls() <= 4);
        drop(joined(&mut handle).unwrap());
        drop((handle, slot));
        hand.assert_empty();
    });
}

/// A request to end beside runs that wake themselves: it is seen, and the handle learns of it.
#[test]
fn cancel_beside_yields() {
    check(|| {
        let hand = Hand::new();
        let (own, slot) = own_waker();
        let (mut handle, counts, waker) = spawn_idle(&hand, move |polls| {
            if (1..3).contains(&polls) {
                wake_own(&own);
            }
            false
        });
        slot.set(waker.clone()).expect("it is set once");
        waker.wake_by_ref();
        let task = handle.task();
        let thread = thread::spawn(move || assert!(task.cancel()));
        hand.run_all();
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_finished(), "a request is lost");
        assert_cancelled(joined(&mut handle));
        assert_eq!(counts.futures_dropped(), 1);
        drop((handle, slot, waker));
        hand.assert_empty();
    });
}

/// A wake beside a first run whose backend lists the task if it waits.
#[test]
fn a_wake_beside_the_first_run() {
    check(|| {
        let hand = Hand::new();
        let flag = Arc::new(AtomicBool::new(false));
        let ready = Arc::clone(&flag);
        let (mut handle, _, waker) = spawn_idle(&hand, move |_| ready.load(Ordering::Relaxed));
        waker.wake_by_ref();
        let job = hand.job();
        let thread = thread::spawn(move || {
            flag.store(true, Ordering::Relaxed);
            waker.wake();
        });
        let listed = hand.run_first(job);
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_finished(), "a wake is lost");
        drop(joined(&mut handle).unwrap());
        drop((handle, listed));
        hand.assert_empty();
    });
}

/// The end of a task that publishes its output and gives its reference back in one step, beside the
/// handle that takes both.
#[test]
fn the_end_beside_its_handle() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |polls| polls == 1);
        waker.wake();
        let job = hand.job();
        let thread = thread::spawn(move || {
            let seen = handle.is_finished();
            if seen {
                drop(joined(&mut handle).unwrap());
            } else {
                handle.detach();
            }
            seen
        });
        hand.run(job);
        let _ = thread.join().unwrap();
        assert_eq!((counts.futures_dropped(), counts.outputs_dropped()), (1, 1));
        hand.assert_empty();
    });
}

type Own = Arc<std::sync::OnceLock<std::task::Waker>>;

/// A place for the waker of a task, for its own future and for the model.
fn own_waker() -> (std::sync::Weak<std::sync::OnceLock<std::task::Waker>>, Own) {
    let slot = Own::default();
    (Arc::downgrade(&slot), slot)
}

fn wake_own(own: &std::sync::Weak<std::sync::OnceLock<std::task::Waker>>) {
    let own = own.upgrade().expect("the model holds it");
    own.get().expect("the model has set it").wake_by_ref();
}
