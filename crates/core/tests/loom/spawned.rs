//! Combinators whose children are tasks: the last child wakes who waits, and a decision or a cancel reaches
//! every child, also those that are not spawned yet.

use std::future::{Future, pending, ready};
use std::pin::Pin;

use kumi_core::cancel::{CancelHandle, CancelScope, Cancelled};
use kumi_core::spawned::Combine;
use loom::future::block_on;
use loom::thread::{self, JoinHandle};

use crate::support::{Hand, check, check_three, drive, poll_once};

type Children = [Pin<Box<dyn Future<Output = u8> + Send>>; 2];

/// One that ends, and one that never does.
fn one_ends() -> Children {
    [Box::pin(ready(7)), Box::pin(pending())]
}

/// Polls `combinator`, and runs its only child beside what follows.
fn child_beside(hand: &Hand, combinator: &mut (impl Future + Unpin)) -> JoinHandle<()> {
    poll_once(Pin::new(combinator));
    let (job, runner) = (hand.job(), hand.clone());
    thread::spawn(move || runner.run(job))
}

/// Runs what has been spawned by then.
fn all_beside(hand: &Hand) -> JoinHandle<()> {
    let runner = hand.clone();
    thread::spawn(move || runner.run_all())
}

/// A scope around a stream of one member, which is polled once and never again.
fn left_alone(
    hand: &Hand,
) -> (
    CancelHandle,
    Pin<Box<impl Future<Output = Result<(), Cancelled>> + use<>>>,
) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let mut members = hand.as_completed([ready(7)]);
    let mut scoped = Box::pin(scope.run(async move {
        poll_once(Pin::new(&mut members.next()));
        pending::<()>().await;
        drop(members);
    }));
    poll_once(scoped.as_mut());
    (handle, scoped)
}

/// The only child ends beside a poll: who waits is woken, and finds what it returned.
#[test]
fn the_last_child_ends_beside_a_poll() {
    check(|| {
        let hand = Hand::new();
        let mut gather = hand.gather([ready(7)]);
        let thread = child_beside(&hand, &mut gather);
        let [value] = block_on(gather);
        assert_eq!(value.unwrap(), 7);
        thread.join().unwrap();
        hand.assert_empty();
    });
}

/// Two children end beside each other: one of them is the last.
#[test]
fn two_children_end() {
    check_three(|| {
        let hand = Hand::new();
        let mut gather = hand.gather([ready(7), ready(8)]);
        poll_once(Pin::new(&mut gather));
        let threads = hand.two_jobs().map(|job| {
            let runner = hand.clone();
            thread::spawn(move || runner.run(job))
        });
        let values = block_on(gather).map(Result::unwrap);
        assert_eq!(values, [7, 8]);
        for thread in threads {
            thread.join().unwrap();
        }
        hand.assert_empty();
    });
}

/// The first child decides while the second one is being spawned: that one is cancelled all the same.
#[test]
fn a_decision_beside_the_start() {
    check_three(|| {
        let hand = Hand::new();
        let thread = all_beside(&hand);
        assert_eq!(drive(&hand, hand.race(one_ends())), Ok(7));
        thread.join().unwrap();
        hand.assert_empty();
    });
}

/// A cancel from outside beside the end of one child reaches the other.
#[test]
fn a_cancel_beside_the_end_of_a_child() {
    check_three(|| {
        let hand = Hand::new();
        let scope = CancelScope::new();
        let handle = scope.handle();
        let mut scoped = Box::pin(scope.run(hand.gather(one_ends())));
        poll_once(scoped.as_mut());
        let thread = all_beside(&hand);
        assert!(handle.cancel());
        assert!(drive(&hand, scoped).is_err());
        thread.join().unwrap();
        drop(handle);
        hand.assert_empty();
    });
}

/// The combinator is dropped beside the end of its child: nothing is left of either.
#[test]
fn the_drop_beside_the_end_of_a_child() {
    check(|| {
        let hand = Hand::new();
        let mut gather = hand.gather([ready(7)]);
        let thread = child_beside(&hand, &mut gather);
        drop(gather);
        thread.join().unwrap();
        hand.run_all();
        hand.assert_empty();
    });
}

/// A member of a stream ends beside its first poll, and nobody polls it again: a cancelled scope around it
/// ends all the same.
#[test]
fn one_left_alone_ends_beside_its_first_poll() {
    check_three(|| {
        let hand = Hand::new();
        let runner = hand.clone();
        let thread = thread::spawn(move || {
            while !runner.has_jobs() {
                thread::yield_now();
            }
            runner.run(runner.job());
        });
        let (handle, scoped) = left_alone(&hand);
        assert!(handle.cancel());
        assert!(block_on(scoped).is_err());
        thread.join().unwrap();
        drop(handle);
        hand.run_all();
        hand.assert_empty();
    });
}

/// A member of a stream that nobody polls any more ends beside a cancel of the scope around it: the scope
/// ends all the same, and not before the member.
#[test]
fn a_cancel_beside_the_end_of_one_left_alone() {
    check_three(|| {
        let hand = Hand::new();
        let (handle, scoped) = left_alone(&hand);
        let (job, runner) = (hand.job(), hand.clone());
        let thread = thread::spawn(move || runner.run(job));
        assert!(handle.cancel());
        assert!(block_on(scoped).is_err());
        thread.join().unwrap();
        drop(handle);
        hand.run_all();
        hand.assert_empty();
    });
}
