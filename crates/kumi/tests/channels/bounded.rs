//! The bounded channel: Trio's and AnyIO's facts (PR7-PR11), poll by poll. (What each step does is checked
//! beside a model in core.)

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;

use futures_lite::StreamExt;
use futures_sink::Sink;
use kumi::CancelScope;
use kumi::channel::{RecvError, SendError, TryRecvError, TrySendError, bounded};

use super::{Hand, now};

/// PR7: what is in it is drained after the last sender, not after the first.
#[test]
fn the_last_sender_goes() {
    let (sender, receiver) = bounded(3);
    let other = sender.clone();
    now(sender.send(1)).unwrap();
    drop(sender);
    now(other.send(2)).unwrap();
    drop(other);
    assert_eq!((now(receiver.recv()), receiver.try_recv()), (Ok(1), Ok(2)));
    assert_eq!(now(receiver.recv()), Err(RecvError));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

/// PR7: after the last receiver senders get their values back, those that wait as well; what is in it is
/// dropped at once.
#[test]
fn the_last_receiver_goes() {
    let (sender, receiver) = bounded(1);
    let other = receiver.clone();
    let value = Arc::new(1);
    now(sender.send(Arc::clone(&value))).unwrap();
    let waits = Hand::waiting(sender.send(Arc::new(2)));
    drop(receiver);
    assert!(!waits.is_woken());
    drop(other);
    assert_eq!(Arc::strong_count(&value), 1);
    assert_eq!(waits.given(), Err(SendError(Arc::new(2))));
    assert_eq!(
        sender.try_send(value),
        Err(TrySendError::Closed(Arc::new(1)))
    );
    assert!(now(sender.reserve()).is_err());
}

/// PR8: at a rendezvous nothing is kept; the user chooses a bound, and there is always one.
#[test]
fn a_rendezvous() {
    let (sender, receiver) = bounded(0);
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    let sends = Hand::waiting(sender.send(2));
    assert!(receiver.is_empty());
    assert_eq!(receiver.try_recv(), Ok(2));
    assert_eq!(sends.given(), Ok(()));
    let receives = Hand::waiting(receiver.recv());
    assert_eq!(sender.try_send(3), Ok(()));
    assert_eq!(receives.given(), Ok(3));
    assert!(catch_unwind(|| bounded::<u8>(usize::MAX)).is_err());
}

/// PR9: those who wait at an end that is closed are told.
#[test]
fn closed_beside_those_who_wait() {
    let (sender, receiver) = bounded::<u8>(1);
    let receives = Hand::waiting(receiver.recv());
    assert!(sender.close() && !sender.close());
    assert_eq!(receives.given(), Err(RecvError));

    let (sender, receiver) = bounded(1);
    now(sender.send(1)).unwrap();
    let (sends, reserves) = (
        Hand::waiting(sender.send(2)),
        Hand::waiting(sender.reserve()),
    );
    receiver.close();
    assert_eq!(sends.given(), Err(SendError(2)));
    assert!(reserves.given().is_err());
    assert_eq!(now(receiver.recv()), Ok(1));
}

/// PR10: in a scope that is cancelled nothing is sent and nothing is taken, also by one that was given a
/// value and has not looked.
#[test]
fn cancelled_ends() {
    let (sender, receiver) = bounded(1);
    let scope = CancelScope::new();
    let handle = scope.handle();
    let mut receives = Hand::waiting(scope.run(receiver.recv()));
    sender.try_send(1).unwrap();
    handle.cancel();
    assert!(receives.poll().expect("it ends").is_err());
    drop(receives);
    assert_eq!(receiver.try_recv(), Ok(1));

    sender.try_send(2).unwrap();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let mut sends = Hand::waiting(scope.run(sender.send(3)));
    handle.cancel();
    assert!(sends.poll().expect("it ends").is_err());
    drop(sends);
    assert_eq!(
        (receiver.try_recv(), receiver.try_recv()),
        (Ok(2), Err(TryRecvError::Empty))
    );
}

/// PR11: senders and receivers are served in turn.
#[test]
fn in_turn() {
    let (sender, receiver) = bounded(1);
    sender.try_send(0).unwrap();
    let sends: Vec<_> = (1..5)
        .map(|number| Hand::waiting(sender.send(number)))
        .collect();
    for number in 0..5 {
        assert_eq!(now(receiver.recv()), Ok(number));
    }
    for sends in sends {
        assert_eq!(sends.given(), Ok(()));
    }
    let receives: Vec<_> = (0..4).map(|_| Hand::waiting(receiver.recv())).collect();
    for number in 0..4 {
        sender.try_send(number).unwrap();
    }
    for (number, receives) in receives.into_iter().enumerate() {
        assert_eq!(receives.given(), Ok(number));
    }
}

/// A place is kept, and given back.
#[test]
fn a_place_is_reserved() {
    let (sender, receiver) = bounded(1);
    let permit = now(sender.reserve()).unwrap();
    assert_eq!(sender.try_send(1), Err(TrySendError::Full(1)));
    let waits = Hand::waiting(sender.reserve());
    drop(permit);
    let permit = waits.given().unwrap();
    // Kept beyond the close.
    sender.close();
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Empty));
    permit.send(2).unwrap();
    assert_eq!(
        (now(receiver.recv()), now(receiver.recv())),
        (Ok(2), Err(RecvError))
    );
}

/// Weak ends keep nothing open.
#[test]
fn weak_ends() {
    let (sender, receiver) = bounded::<u8>(1);
    let (weak_sender, weak_receiver) = (sender.downgrade(), receiver.downgrade());
    drop(weak_sender.upgrade().unwrap());
    drop(sender);
    assert!(weak_sender.upgrade().is_none() && weak_receiver.upgrade().is_some());
    assert_eq!(now(receiver.recv()), Err(RecvError));
    drop(receiver);
    assert!(weak_receiver.upgrade().is_none());
}

#[test]
fn many_at_once_and_as_a_stream() {
    let (sender, mut receiver) = bounded(8);
    for number in 0..5 {
        sender.try_send(number).unwrap();
    }
    let mut some = vec![9];
    assert_eq!(now(receiver.recv_many(&mut some, 0)), 0);
    assert_eq!(now(receiver.recv_many(&mut some, 3)), 3);
    assert_eq!(some, [9, 0, 1, 2]);
    assert_eq!(now(receiver.next()), Some(3));
    drop(sender);
    let rest: Vec<_> = now(receiver.collect());
    assert_eq!(rest, [4]);
}

/// A sink that is ready keeps a place, and gives it back if it goes; closing it drops the sender.
#[test]
fn as_a_sink() {
    let (sender, receiver) = bounded(1);
    let mut sink = sender.clone().into_sink();
    now(poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx))).unwrap();
    assert_eq!(sender.try_send(9), Err(TrySendError::Full(9)));
    Pin::new(&mut sink).start_send(1).unwrap();
    let mut waits = Hand::waiting(poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)));
    assert_eq!(receiver.try_recv(), Ok(1));
    assert!(waits.is_woken() && waits.poll().is_some_and(|ready| ready.is_ok()));
    drop(waits);
    drop(sink);
    assert_eq!(sender.try_send(2), Ok(()));

    let mut sink = sender.into_sink();
    assert!(catch_unwind(AssertUnwindSafe(|| Pin::new(&mut sink).start_send(3))).is_err());
    now(poll_fn(|cx| Pin::new(&mut sink).poll_close(cx))).unwrap();
    assert!(now(poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx))).is_err());
    assert_eq!(
        (receiver.try_recv(), now(receiver.recv())),
        (Ok(2), Err(RecvError))
    );

    let (sender, receiver) = bounded(1);
    let mut sink = sender.into_sink();
    now(poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx))).unwrap();
    drop(receiver);
    let value = Arc::new(4);
    assert!(Pin::new(&mut sink).start_send(Arc::clone(&value)).is_err());
    assert_eq!(Arc::strong_count(&value), 1);
}

/// Errors say what to do with the value, and print well.
#[test]
fn errors_are_readable() {
    let (sender, receiver) = bounded(1);
    sender.try_send("a").unwrap();
    let full = sender.try_send("b").unwrap_err();
    assert!(full.is_full() && !full.is_closed());
    assert_eq!(
        (full.to_string(), full.into_inner()),
        ("sending into a full channel".to_owned(), "b")
    );
    drop(receiver);
    let closed = now(sender.send("c")).unwrap_err();
    assert_eq!(
        (closed.to_string(), closed.into_inner()),
        ("sending into a closed channel".to_owned(), "c")
    );
    // Whatever the value is, and without it.
    struct Mute;
    let (sender, receiver) = bounded(1);
    assert_eq!(
        sender.try_send(Mute).map_err(|error| format!("{error:?}")),
        Ok(())
    );
    let full = sender.try_send(Mute).unwrap_err();
    assert_eq!(format!("{full:?}"), "Full(..)");
    drop(receiver);
    let closed = now(sender.send(Mute)).unwrap_err();
    assert_eq!(format!("{closed:?}"), "SendError(..)");
    assert_eq!(
        [RecvError.to_string(), TryRecvError::Empty.to_string()],
        [
            "receiving from an empty and closed channel",
            "receiving from an empty channel"
        ]
    );
    let error: Box<dyn std::error::Error + Send + Sync> = Box::new(RecvError);
    assert!(error.source().is_none());
}
