//! Channels for one value, for the newest and for all: both ends beside each other.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kumi_core::channel::broadcast::RecvError as Missed;
use kumi_core::channel::{RecvError, broadcast, oneshot, watch};
use loom::future::block_on;
use loom::thread;

use crate::support::{check, poll_once};

/// Counts its drops.
#[derive(Debug)]
struct Value(Arc<AtomicUsize>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A value is sent beside the wait for it.
#[test]
fn a_oneshot_beside_its_receiver() {
    check(|| {
        let (sender, receiver) = oneshot::channel();
        let thread = thread::spawn(move || sender.send(1).unwrap());
        assert_eq!(block_on(receiver), Ok(1));
        thread.join().unwrap();
    });
}

/// The receiver, which waited, closes beside the send, and then looks: either it gets the value, or the sender
/// does.
#[test]
fn a_oneshot_closed_beside_its_send() {
    check(|| {
        let drops: Arc<AtomicUsize> = Arc::default();
        let value = Value(Arc::clone(&drops));
        let (mut sender, mut receiver) = oneshot::channel();
        poll_once(Pin::new(&mut receiver));
        let thread = thread::spawn(move || match sender.is_closed() {
            false => sender.send(value).is_ok(),
            true => {
                block_on(sender.closed());
                false
            }
        });
        receiver.close();
        let received = block_on(receiver).is_ok();
        assert_eq!(thread.join().unwrap(), received);
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}

/// The sender waits for the receiver to go.
#[test]
fn a_oneshot_that_nobody_wants() {
    check(|| {
        let (mut sender, receiver) = oneshot::channel::<u8>();
        let thread = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        thread.join().unwrap();
    });
}

/// A value is replaced beside the wait for that.
#[test]
fn a_change_beside_its_watcher() {
    check(|| {
        let (sender, mut receiver) = watch::channel(0);
        let changes = sender.clone();
        let thread = thread::spawn(move || changes.send(1).unwrap());
        assert_eq!(block_on(receiver.changed()), Ok(()));
        assert_eq!(*receiver.borrow(), 1);
        thread.join().unwrap();
        drop(sender);
    });
}

/// The last sender goes beside the wait for a change.
#[test]
fn the_last_watched_goes() {
    check(|| {
        let (sender, mut receiver) = watch::channel(0);
        let thread = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver.changed()), Err(RecvError));
        thread.join().unwrap();
    });
}

/// Two change what is there: no change is lost.
#[test]
fn two_changes() {
    check(|| {
        let (sender, receiver) = watch::channel(0);
        let other = sender.clone();
        let thread = thread::spawn(move || other.send_modify(|value| *value += 1));
        sender.send_modify(|value| *value += 1);
        thread.join().unwrap();
        assert_eq!(*receiver.borrow(), 2);
    });
}

/// The last receiver goes beside the wait for that.
#[test]
fn the_last_watcher_goes() {
    check(|| {
        let (sender, receiver) = watch::channel(0);
        let thread = thread::spawn(move || drop(receiver));
        block_on(sender.closed());
        thread.join().unwrap();
    });
}

/// One value is kept, two are sent beside the receiver: what is not got is told.
#[test]
fn a_broadcast_beside_its_receiver() {
    check(|| {
        let (sender, mut receiver) = broadcast::channel(1);
        let sends = sender.clone();
        let thread = thread::spawn(move || {
            sends.send(0_u64).unwrap();
            sends.send(1).unwrap();
        });
        let mut next = 0;
        while next < 2 {
            match block_on(receiver.recv()) {
                Ok(value) => {
                    assert_eq!(value, next);
                    next += 1;
                }
                Err(Missed::Lagged(missed)) => next += missed,
                Err(Missed::Closed) => unreachable!("there is a sender"),
            }
        }
        thread.join().unwrap();
        drop(sender);
    });
}

/// The last sender goes beside the wait for a value.
#[test]
fn the_last_broadcaster_goes() {
    check(|| {
        let (sender, mut receiver) = broadcast::channel::<u8>(1);
        let thread = thread::spawn(move || drop(sender));
        assert_eq!(block_on(receiver.recv()), Err(Missed::Closed));
        thread.join().unwrap();
    });
}

/// One of two receivers goes, while it waits, beside a send: what it did not get is not kept.
#[test]
fn a_broadcast_whose_receiver_goes() {
    check(|| {
        let drops: Arc<AtomicUsize> = Arc::default();
        let (sender, mut receiver) = broadcast::channel(2);
        let mut waiting: Pin<Box<dyn Future<Output = ()> + Send>> = {
            let mut receiver = sender.subscribe();
            Box::pin(async move {
                let _: Result<Arc<Value>, _> = receiver.recv().await;
            })
        };
        poll_once(waiting.as_mut());
        let thread = thread::spawn(move || drop(waiting));
        let value = Arc::new(Value(Arc::clone(&drops)));
        sender.send(value).unwrap();
        drop(block_on(receiver.recv()).unwrap());
        thread.join().unwrap();
        assert_eq!(drops.load(Ordering::Relaxed), 1);
    });
}
