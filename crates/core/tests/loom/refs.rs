//! The references to a cell: the last one, whichever it is, frees it, once.

use loom::thread;

use crate::support::{Hand, check, check_three, joined, lost, spawn_idle};

/// The last waker beside the handle, after the end.
#[test]
fn the_last_waker_beside_the_handle() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |polls| polls == 1);
        waker.wake_by_ref();
        hand.run_all();
        drop(joined(&mut handle).unwrap());
        let thread = thread::spawn(move || drop(waker));
        drop(handle);
        thread.join().unwrap();
        assert_eq!((counts.futures_dropped(), counts.outputs_dropped()), (1, 1));
        hand.assert_empty();
    });
}

/// A clone of a waker beside the drop of the handle, and of another reference.
#[test]
fn a_clone_beside_two_drops() {
    check_three(|| {
        let hand = Hand::new();
        let (mut handle, counts, waker) = spawn_idle(&hand, |polls| polls == 1);
        waker.wake_by_ref();
        hand.run_all();
        drop(joined(&mut handle).unwrap());
        let task = handle.task();
        let threads = [
            thread::spawn(move || drop((waker.clone(), waker))),
            thread::spawn(move || drop(task)),
        ];
        drop(handle);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((counts.futures_dropped(), counts.outputs_dropped()), (1, 1));
        hand.assert_empty();
    });
}

/// The last waker is used up by a wake, beside the drop of the handle, which cancels.
#[test]
fn a_wake_by_the_last_waker_beside_the_drop_of_the_handle() {
    check_three(|| {
        let hand = Hand::new();
        let (handle, counts, waker) = spawn_idle(&hand, |_| false);
        let thread = thread::spawn(move || waker.wake());
        drop(handle);
        // The task may end, and its cell go, while the wake has still to return.
        hand.run_all();
        thread.join().unwrap();
        hand.run_all();
        assert_eq!((counts.futures_dropped(), lost()), (1, 0));
        hand.assert_empty();
    });
}

/// The last waker of a detached task is used up by a wake: its job is then the only reference.
#[test]
fn a_wake_by_the_last_waker_beside_detach() {
    check(|| {
        let hand = Hand::new();
        let (handle, counts, waker) = spawn_idle(&hand, |polls| polls == 1);
        let thread = thread::spawn(move || waker.wake());
        handle.detach();
        // The task may end, and its cell go, while the wake has still to return.
        hand.run_all();
        thread.join().unwrap();
        hand.run_all();
        assert_eq!((counts.polls(), counts.futures_dropped()), (2, 1));
        assert_eq!((counts.outputs_dropped(), lost()), (1, 0));
        hand.assert_empty();
    });
}

/// The last waker goes beside the end of a run that finds nothing: nobody can ever wake the task, so
/// its future is dropped, by one of the two, and its loss is reported.
#[test]
fn the_last_waker_beside_a_pending_run() {
    check(|| {
        let hand = Hand::new();
        let (handle, counts, waker) = spawn_idle(&hand, |_| false);
        handle.detach();
        waker.wake_by_ref();
        let job = hand.job();
        let thread = thread::spawn(move || drop(waker));
        hand.run(job);
        thread.join().unwrap();
        hand.run_all();
        assert_eq!((counts.futures_dropped(), lost()), (1, 1));
        hand.assert_empty();
    });
}
