//! The newest value.

use std::sync::Arc;

use kumi::channel::watch::channel;
use kumi::channel::{RecvError, SendError};

use super::{Hand, now};

#[test]
fn the_first_value_counts_as_seen() {
    let (sender, mut receiver) = channel(1);
    assert_eq!((*sender.borrow(), *receiver.borrow()), (1, 1));
    assert_eq!(receiver.has_changed(), Ok(false));
    let changed = Hand::waiting(receiver.changed());
    sender.send(2).unwrap();
    assert_eq!(changed.given(), Ok(()));
    assert_eq!(*receiver.borrow(), 2);
    assert_eq!(receiver.has_changed(), Ok(false));
}

/// Who is slow sees the last one only.
#[test]
fn values_in_between_are_missed() {
    let (sender, mut receiver) = channel(0);
    for value in 1..=5 {
        sender.send(value).unwrap();
    }
    assert_eq!(now(receiver.changed()), Ok(()));
    assert_eq!(*receiver.borrow(), 5);
    Hand::waiting(receiver.changed());
}

#[test]
fn all_who_wait_are_woken() {
    let (sender, mut one) = channel(0);
    let (mut two, mut three) = (one.clone(), sender.subscribe());
    let [one, two, three] = [&mut one, &mut two, &mut three].map(|it| Hand::waiting(it.changed()));
    drop(two);
    sender.send(1).unwrap();
    assert_eq!((one.given(), three.given()), (Ok(()), Ok(())));
}

/// A clone has seen what the original had; one that subscribes has seen all.
#[test]
fn what_new_receivers_have_seen() {
    let (sender, receiver) = channel(0);
    sender.send(1).unwrap();
    assert_eq!(receiver.clone().has_changed(), Ok(true));
    assert_eq!(sender.subscribe().has_changed(), Ok(false));
}

/// The last value is seen before the end.
#[test]
fn the_last_sender_goes() {
    let (sender, mut receiver) = channel(0);
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    let mut seen = receiver.clone();
    seen.mark_unchanged();
    let changed = Hand::waiting(seen.changed());
    drop(other);
    assert_eq!(changed.given(), Err(RecvError));
    assert_eq!(receiver.has_changed(), Ok(true));
    assert_eq!(now(receiver.changed()), Ok(()));
    assert_eq!(now(receiver.changed()), Err(RecvError));
    assert_eq!(receiver.has_changed(), Err(RecvError));
    assert_eq!(*receiver.borrow(), 1);
}

#[test]
fn without_receivers() {
    let (sender, receiver) = channel(0);
    let second = receiver.clone();
    let closed = Hand::waiting(sender.closed());
    drop(receiver);
    assert!(!closed.is_woken() && !sender.is_closed());
    drop(second);
    closed.given();
    now(sender.closed());
    assert_eq!(sender.send(1), Err(SendError(1)));
    assert_eq!(*sender.borrow(), 0);
    assert_eq!(*sender.send_replace(2), 0);
    assert_eq!(*sender.subscribe().borrow(), 2);
    assert_eq!(sender.receiver_count(), 0);
}

#[test]
fn a_condition() {
    let (sender, mut receiver) = channel(3);
    assert_eq!(
        now(receiver.wait_for(|value| *value == 3)).as_deref(),
        Ok(&3)
    );
    let mut waiting = Hand::waiting(receiver.wait_for(|value| *value > 5));
    sender.send(4).unwrap();
    assert!(waiting.poll().is_none());
    sender.send(6).unwrap();
    assert_eq!(waiting.given().as_deref(), Ok(&6));
    let waiting = Hand::waiting(receiver.wait_for(|value| *value > 10));
    drop(sender);
    assert!(waiting.given().is_err());
}

#[test]
fn changed_in_place() {
    let (sender, mut receiver) = channel(vec![1]);
    let old = receiver.borrow();
    sender.send_modify(|list| list.push(2));
    assert_eq!(
        (&*old, &*receiver.borrow_and_update()),
        (&vec![1], &vec![1, 2])
    );
    assert!(!sender.send_if_modified(|list| {
        list.clear();
        false
    }));
    assert_eq!(receiver.has_changed(), Ok(false));
    assert_eq!(*receiver.borrow(), [1, 2]);
    receiver.mark_changed();
    assert_eq!(receiver.has_changed(), Ok(true));
}

/// A change that is made beside another one is made again.
#[test]
fn changes_beside_each_other() {
    let (sender, receiver) = channel(0);
    let mut calls = 0;
    sender.send_modify(|value| {
        calls += 1;
        if calls == 1 {
            sender.send(10).unwrap();
        }
        *value += 1;
    });
    assert_eq!((calls, *receiver.borrow()), (2, 11));
}

/// Keeping a value stops nobody, and it is dropped by who has it last.
#[test]
fn a_value_that_is_kept() {
    let (sender, receiver) = channel(Arc::new(()));
    let first = Arc::downgrade(&receiver.borrow());
    let kept = receiver.borrow();
    sender.send(Arc::new(())).unwrap();
    assert!(first.upgrade().is_some());
    drop(kept);
    assert!(first.upgrade().is_none());
}

/// One who waited and went leaves nothing.
#[test]
fn waits_that_end_early() {
    let (sender, mut receiver) = channel(0);
    for _ in 0..1_000 {
        let waiting = Hand::waiting(receiver.changed());
        let wakes = waiting.wakes();
        drop(waiting);
        assert_eq!(Arc::strong_count(&wakes), 1);
    }
    sender.send(1).unwrap();
}

#[test]
fn which_ends_belong_together() {
    let ((sender, receiver), (stranger, other)) = (channel(0), channel(0));
    assert!(sender.same_channel(&sender.clone()) && !sender.same_channel(&stranger));
    assert!(receiver.same_channel(&sender.subscribe()) && !receiver.same_channel(&other));
}
