//! One value, or none.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Waker};

use kumi::channel::oneshot::channel;
use kumi::channel::{RecvError, SendError, TryRecvError};

use super::{Hand, now};

#[test]
fn a_value_before_and_after_the_wait() {
    let (sender, receiver) = channel();
    sender.send(1).unwrap();
    assert_eq!(now(receiver), Ok(1));

    let (sender, receiver) = channel();
    let receiver = Hand::waiting(receiver);
    sender.send(2).unwrap();
    assert_eq!(receiver.given(), Ok(2));
}

#[test]
fn a_sender_that_goes() {
    let (sender, receiver) = channel::<u8>();
    let receiver = Hand::waiting(receiver);
    drop(sender);
    assert_eq!(receiver.given(), Err(RecvError));
}

#[test]
fn a_value_that_nobody_wants_comes_back() {
    let (sender, receiver) = channel();
    assert!(!sender.is_closed());
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(sender.send(3), Err(SendError(3)));
}

/// One that was sent before is still received; one after comes back.
#[test]
fn closed_by_the_receiver() {
    let (sender, mut receiver) = channel();
    sender.send(4).unwrap();
    receiver.close();
    assert_eq!(now(receiver), Ok(4));

    let (sender, mut receiver) = channel();
    receiver.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    assert_eq!(sender.send(5), Err(SendError(5)));
    assert_eq!(now(receiver), Err(RecvError));
}

#[test]
fn the_sender_is_told_that_nobody_listens() {
    let (mut sender, receiver) = channel::<u8>();
    let closed = Hand::waiting(sender.closed());
    drop(receiver);
    closed.given();
    now(sender.closed());

    let (mut sender, mut receiver) = channel::<u8>();
    let closed = Hand::waiting(sender.closed());
    receiver.close();
    closed.given();
}

#[test]
fn by_reference_and_again() {
    let (sender, mut receiver) = channel();
    drop(Hand::waiting(&mut receiver));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let again = Hand::waiting(&mut receiver);
    sender.send(6).unwrap();
    assert_eq!(again.given(), Ok(6));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
    let polled = || now(&mut receiver);
    assert!(catch_unwind(AssertUnwindSafe(polled)).is_err());
}

/// The last waker counts.
#[test]
fn another_waker() {
    let (sender, mut receiver) = channel();
    let first = Hand::waiting(&mut receiver);
    let wakes = first.wakes();
    drop(first);
    let second = Hand::waiting(&mut receiver);
    sender.send(7).unwrap();
    assert_eq!(second.given(), Ok(7));
    assert_eq!(wakes.count(), 0);
}

/// An end that goes takes its waker with it.
#[test]
fn no_waker_stays() {
    let (mut sender, _receiver) = channel::<u8>();
    let waiting = Hand::waiting(sender.closed());
    let wakes = waiting.wakes();
    drop(waiting);
    assert_eq!(Arc::strong_count(&wakes), 1);
    let poll = &mut Context::from_waker(Waker::noop());
    assert!(sender.poll_closed(poll).is_pending());

    let (_sender, receiver) = channel::<u8>();
    let waiting = Hand::waiting(receiver);
    let wakes = waiting.wakes();
    drop(waiting);
    assert_eq!(Arc::strong_count(&wakes), 1);
}

/// A value is dropped once, whoever has it in the end.
#[test]
fn values_are_dropped_once() {
    struct Counts(Rc<Cell<u32>>);
    impl Drop for Counts {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let value = || Counts(Rc::clone(&drops));

    let (sender, receiver) = channel();
    assert!(sender.send(value()).is_ok());
    drop(receiver);
    assert_eq!(drops.get(), 1);

    let (sender, receiver) = channel();
    drop(receiver);
    let back = sender.send(value());
    assert_eq!(drops.get(), 1);
    drop(back);
    assert_eq!(drops.get(), 2);

    let (sender, receiver) = channel();
    assert!(sender.send(value()).is_ok());
    drop(now(receiver));
    assert_eq!(drops.get(), 3);
}
