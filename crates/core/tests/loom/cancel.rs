//! Requests to end a task that is run: none is lost, the value wins, the first request is one.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::support::{Hand, Woken, assert_cancelled, check, join, joined, lost, spawn, spawn_idle};

/// A request beside the run that returns the value: the value wins, and the joiner is woken.
#[test]
fn cancel_beside_completion() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |polls| polls == 1);
        waker.wake();
        let job = hand.job();
        let (woken, joiner) = Woken::new();
        assert!(join(&mut handle, &joiner).is_pending());
        let task = handle.task();
        let thread = thread::spawn(move || task.cancel());
        hand.run(job);
        let first = thread.join().unwrap();
        assert!(!handle.task().cancel() || !first);
        assert!(!hand.has_jobs());
        assert_eq!(woken.times(), 1, "the joiner is woken once");
        assert_eq!(counts.futures_dropped(), 1);
        drop(joined(&mut handle).unwrap());
        assert_eq!(counts.outputs_dropped(), 1);
        drop(handle);
        hand.assert_empty();
    });
}

/// A request beside the first run: the task is never polled, or gives its value; and if the request
/// was made before, it is never polled.
#[test]
fn cancel_beside_the_first_run() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |_| true);
        let (task, asked) = (handle.task(), Arc::new(AtomicBool::new(false)));
        let tell = Arc::clone(&asked);
        let thread = thread::spawn(move || {
            assert!(task.cancel() || task.is_finished());
            tell.store(true, Ordering::Release);
        });
        let before = asked.load(Ordering::Acquire);
        hand.run(hand.job());
        thread.join().unwrap();
        match joined(&mut handle) {
            Ok(_) => {
                assert!(!before, "a task is polled after it was cancelled");
                assert_eq!(counts.polls(), 1);
            }
            Err(error) => {
                assert!(error.is_cancelled());
                assert_eq!(counts.polls(), 0, "a value is thrown away");
            }
        }
        assert_eq!(counts.futures_dropped(), 1);
        drop(handle);
        hand.assert_empty();
    });
}

/// A request beside a run that finds nothing: the task ends, and nothing is called lost.
#[test]
fn cancel_beside_a_pending_run() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |_| false);
        waker.wake();
        let job = hand.job();
        let (woken, joiner) = Woken::new();
        assert!(join(&mut handle, &joiner).is_pending());
        let task = handle.task();
        let thread = thread::spawn(move || assert!(task.cancel()));
        hand.run(job);
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_finished(), "a request is lost");
        assert_eq!(woken.times(), 1, "the joiner is woken once");
        assert_cancelled(joined(&mut handle));
        assert_eq!((counts.futures_dropped(), lost()), (1, 0));
        drop(handle);
        hand.assert_empty();
    });
}

/// The same with the hard request: one run at most sees the future after it.
#[test]
fn abort_beside_a_pending_run() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |_| false);
        waker.wake();
        let job = hand.job();
        let task = handle.task();
        let thread = thread::spawn(move || assert!(task.abort()));
        hand.run(job);
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_finished(), "a request is lost");
        assert_cancelled(joined(&mut handle));
        assert!(counts.polls() <= 2);
        assert_eq!((counts.futures_dropped(), lost()), (1, 1));
        drop(handle);
        hand.assert_empty();
    });
}

/// Of two requests beside each other one is the first, and they make one job.
#[test]
fn two_cancels_of_an_idle_task() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |_| false);
        drop(waker);
        let task = handle.task();
        let thread = thread::spawn(move || task.cancel());
        let here = handle.cancel();
        let there = thread.join().unwrap();
        assert!(here != there, "one of them is the first");
        hand.run(hand.job());
        assert_cancelled(joined(&mut handle));
        assert_eq!(counts.futures_dropped(), 1);
        drop(handle);
        hand.assert_empty();
    });
}
