//! Wakes of a task that is run: none is lost, none makes a second job.

use std::sync::Arc;

use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::support::{Hand, check, check_three, joined, spawn_idle};

/// Two wakes of an idle task make one job.
#[test]
fn two_wakes_make_one_job() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |polls| polls == 1);
        let other = waker.clone();
        let thread = thread::spawn(move || other.wake());
        waker.wake_by_ref();
        thread.join().unwrap();
        hand.run(hand.job());
        assert!(!hand.has_jobs());
        assert_eq!(counts.polls(), 2);
        drop(joined(&mut handle).unwrap());
        drop((handle, waker));
        hand.assert_empty();
    });
}

/// A wake beside a run that finds nothing: what was published before the wake is seen in that run, or
/// the task is run again. The flag itself orders nothing.
#[test]
fn a_wake_beside_a_pending_run_is_kept() {
    check(|| {
        let hand = Hand::new();
        let flag = Arc::new(AtomicBool::new(false));
        let ready = Arc::clone(&flag);
        let (mut handle, counts, waker) = spawn_idle(&hand, move |_| ready.load(Ordering::Relaxed));
        waker.wake_by_ref();
        let thread = thread::spawn(move || {
            flag.store(true, Ordering::Relaxed);
            waker.wake();
        });
        hand.run(hand.job());
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_finished(), "a wake is lost");
        assert_eq!(counts.futures_dropped(), 1);
        drop(joined(&mut handle).unwrap());
        drop(handle);
        hand.assert_empty();
    });
}

/// The same with two wakers: neither of what they published is missed.
#[test]
fn two_wakes_beside_a_pending_run_are_kept() {
    check_three(|| {
        let hand = Hand::new();
        let flags = Arc::new([AtomicBool::new(false), AtomicBool::new(false)]);
        let ready = Arc::clone(&flags);
        let (mut handle, _, waker) = spawn_idle(&hand, move |_| {
            ready.iter().all(|flag| flag.load(Ordering::Relaxed))
        });
        waker.wake_by_ref();
        let threads = [0, 1].map(|number| {
            let (flags, waker) = (Arc::clone(&flags), waker.clone());
            thread::spawn(move || {
                flags[number].store(true, Ordering::Relaxed);
                waker.wake();
            })
        });
        hand.run(hand.job());
        for thread in threads {
            thread.join().unwrap();
        }
        hand.run_all();
        assert!(handle.is_finished(), "a wake is lost");
        drop(joined(&mut handle).unwrap());
        drop((handle, waker));
        hand.assert_empty();
    });
}

/// A wake beside the last run: the task ends once and is never scheduled again.
#[test]
fn a_wake_beside_completion_schedules_nothing() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |polls| polls == 1);
        waker.wake_by_ref();
        let job = hand.job();
        let thread = thread::spawn(move || waker.wake());
        hand.run(job);
        thread.join().unwrap();
        assert!(!hand.has_jobs(), "a task that has ended is scheduled");
        assert_eq!((counts.polls(), counts.futures_dropped()), (2, 1));
        drop(joined(&mut handle).unwrap());
        drop(handle);
        hand.assert_empty();
    });
}
