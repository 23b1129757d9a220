//! The join handle beside the end of its task: no missed wake, and the output has one owner.

use std::sync::Arc;
use std::task::Poll;

use loom::thread;

use crate::support::{Hand, Woken, assert_cancelled, check, check_long, join, joined, lost, spawn};

/// The first poll of the handle: ready, or woken.
#[test]
fn poll_beside_completion() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |_| true);
        let runner = hand.clone();
        let thread = thread::spawn(move || runner.run_all());
        let (woken, joiner) = Woken::new();
        let early = join(&mut handle, &joiner);
        thread.join().unwrap();
        match early {
            Poll::Ready(result) => drop(result.unwrap()),
            Poll::Pending => {
                assert_eq!(woken.times(), 1, "the joiner is woken once");
                drop(joined(&mut handle).unwrap());
            }
        }
        assert_eq!(counts.outputs_dropped(), 1);
        drop((handle, joiner));
        assert_eq!(Arc::strong_count(&woken), 1, "a waker is kept");
        hand.assert_empty();
    });
}

/// A later poll with another waker: ready, or the new waker is woken.
#[test]
fn poll_with_another_waker_beside_completion() {
    poll_again(true);
}

/// A later poll with the same waker.
#[test]
fn poll_with_the_same_waker_beside_completion() {
    poll_again(false);
}

fn poll_again(other: bool) {
    check(move || {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |_| true);
        let first = Woken::new();
        assert!(join(&mut handle, &first.1).is_pending());
        let second = match other {
            true => Woken::new(),
            false => first.clone(),
        };
        let runner = hand.clone();
        let thread = thread::spawn(move || runner.run_all());
        let early = join(&mut handle, &second.1);
        thread.join().unwrap();
        match early {
            Poll::Ready(result) => drop(result.unwrap()),
            Poll::Pending => {
                assert_eq!(second.0.times(), 1, "the joiner is woken once");
                drop(joined(&mut handle).unwrap());
            }
        }
        assert_eq!(counts.outputs_dropped(), 1);
        drop(handle);
        hand.assert_empty();
        let holders = if other { 2 } else { 4 };
        assert_eq!(Arc::strong_count(&first.0), holders, "a waker is kept");
        assert_eq!(Arc::strong_count(&second.0), holders, "a waker is kept");
    });
}

/// The handle goes: the output is dropped once, by one of the two.
fn let_go(registered: bool, detach: bool) {
    check_long(move || {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |_| true);
        let (woken, joiner) = Woken::new();
        if registered {
            assert!(join(&mut handle, &joiner).is_pending());
        }
        let runner = hand.clone();
        let thread = thread::spawn(move || runner.run_all());
        // It keeps the cell: the output is to be gone before that.
        let task = handle.task();
        match detach {
            true => handle.detach(),
            false => drop(handle),
        }
        thread.join().unwrap();
        assert_eq!(counts.futures_dropped(), 1);
        let made = if detach { 1 } else { counts.polls() };
        assert_eq!(counts.outputs_dropped(), made);
        drop((task, joiner));
        assert_eq!(Arc::strong_count(&woken), 1, "a waker is kept");
        hand.assert_empty();
    });
}

#[test]
fn drop_beside_completion() {
    let_go(false, false);
}

#[test]
fn drop_after_a_poll_beside_completion() {
    let_go(true, false);
}

#[test]
fn detach_beside_completion() {
    let_go(false, true);
}

#[test]
fn detach_after_a_poll_beside_completion() {
    let_go(true, true);
}

/// The job is dropped: the joiner gets "cancelled", at once or through its waker.
#[test]
fn poll_beside_the_drop_of_the_job() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |_| true);
        let job = hand.job();
        let thread = thread::spawn(move || drop(job));
        let (woken, joiner) = Woken::new();
        let early = join(&mut handle, &joiner);
        thread.join().unwrap();
        match early {
            Poll::Ready(result) => assert_cancelled(result),
            Poll::Pending => {
                assert_eq!(woken.times(), 1, "the joiner is woken once");
                assert_cancelled(joined(&mut handle));
            }
        }
        assert_eq!((counts.polls(), counts.futures_dropped()), (0, 1));
        assert_eq!(lost(), 1);
        drop(handle);
        hand.assert_empty();
    });
}
