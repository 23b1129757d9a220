//! Channels: sends, receives, closes and drops of the two ends beside each other.
//!
//! A side that waits does so in loom's `block_on`, so a wake that is lost is a deadlock, which loom
//! reports. One that is to go while it waits is an `async` block with its end of the channel inside,
//! polled once before the threads begin: so the line is known. Values count their drops.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kumi_core::channel::{Receiver, RecvError, SendError, Sender, bounded};
use loom::future::block_on;
use loom::thread;

use crate::support::{check, check_three, poll_once};

/// How often each value of a model was dropped.
#[derive(Debug, Clone, Default)]
struct Drops(Arc<[AtomicUsize; 3]>);

impl Drops {
    /// The value with that number.
    fn value(&self, number: usize) -> Value {
        Value(number, self.clone())
    }

    /// How often the values were dropped.
    fn counts(&self) -> [usize; 3] {
        [0, 1, 2].map(|number| self.0[number].load(Ordering::Relaxed))
    }
}

/// What is sent: a number, and the count of its drops.
#[derive(Debug)]
struct Value(usize, Drops);

impl Drop for Value {
    fn drop(&mut self) {
        self.1.0[self.0].fetch_add(1, Ordering::Relaxed);
    }
}

/// Receives and waits; the number of the value.
fn recv(receiver: &Receiver<Value>) -> Result<usize, RecvError> {
    block_on(receiver.recv()).map(|value| value.0)
}

/// Receives until nothing is left.
fn recv_all(receiver: &Receiver<Value>) -> Vec<usize> {
    std::iter::from_fn(|| recv(receiver).ok()).collect()
}

/// Sends and waits; false if the value came back.
fn send(sender: &Sender<Value>, value: Value) -> bool {
    let number = value.0;
    match block_on(sender.send(value)) {
        Ok(()) => true,
        Err(SendError(value)) => {
            assert_eq!(value.0, number);
            false
        }
    }
}

type Waiting<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The future, which waits.
fn waiting<T>(future: impl Future<Output = T> + Send + 'static) -> Waiting<T> {
    let mut future: Waiting<T> = Box::pin(future);
    poll_once(future.as_mut());
    future
}

/// A sender that waits for a place with a value; true if it was sent.
fn waiting_send(sender: &Sender<Value>, value: Value) -> Waiting<bool> {
    let sender = sender.clone();
    waiting(async move { sender.send(value).await.is_ok() })
}

/// A receiver that waits for a value.
fn waiting_recv(receiver: &Receiver<Value>) -> Waiting<Result<usize, RecvError>> {
    let receiver = receiver.clone();
    waiting(async move { receiver.recv().await.map(|value| value.0) })
}

/// One place: the sender waits for it beside the receiver, who waits for values.
#[test]
fn sends_beside_recvs() {
    check(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let values = [drops.value(0), drops.value(1)];
        let thread = thread::spawn(move || values.map(|value| send(&sender, value)));
        assert_eq!([recv(&receiver), recv(&receiver)], [Ok(0), Ok(1)]);
        assert_eq!(thread.join().unwrap(), [true; 2]);
        assert_eq!(drops.counts(), [1, 1, 0]);
    });
}

/// Two senders and one place: nobody waits for ever, and what both sent arrives.
#[test]
fn two_senders_beside_a_receiver() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let threads = [(sender.clone(), 0), (sender, 1)].map(|(sender, number)| {
            let value = drops.value(number);
            thread::spawn(move || assert!(send(&sender, value)))
        });
        let mut received = recv_all(&receiver);
        received.sort_unstable();
        assert_eq!(received, [0, 1]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drops.counts(), [1, 1, 0]);
    });
}

/// Two receivers beside one value and the end: one of them has it, and the other learns that it is over.
#[test]
fn two_receivers_beside_a_send() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let other = receiver.clone();
        let thread = thread::spawn(move || recv(&other));
        let value = drops.value(0);
        let sends = thread::spawn(move || assert!(send(&sender, value)));
        let received = [recv(&receiver), thread.join().unwrap()];
        assert_eq!(received.iter().filter(|result| result.is_ok()).count(), 1);
        sends.join().unwrap();
        assert_eq!(drops.counts(), [1, 0, 0]);
    });
}

/// Close beside a sender, who finds no place, and a receiver: what was sent is received, and what was not
/// comes back.
#[test]
fn close_beside_send_and_recv() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        sender.try_send(drops.value(0)).unwrap();
        let (closer, value) = (sender.clone(), drops.value(1));
        let close = thread::spawn(move || assert!(closer.close()));
        let sends = thread::spawn(move || send(&sender, value));
        let received = recv_all(&receiver);
        let expected: &[usize] = match sends.join().unwrap() {
            true => &[0, 1],
            false => &[0],
        };
        assert_eq!(received, expected);
        close.join().unwrap();
        assert_eq!(drops.counts(), [1, 1, 0]);
    });
}

/// The last two senders go on two threads, beside a receiver: he learns that it is over.
#[test]
fn the_last_senders_go_beside_recv() {
    check_three(|| {
        let (sender, receiver) = bounded(1);
        let threads = [sender.clone(), sender].map(|sender| thread::spawn(move || drop(sender)));
        assert_eq!(recv(&receiver), Err(RecvError));
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// The last receiver goes beside sends: what got in is dropped then, what did not comes back.
#[test]
fn the_last_receiver_goes_beside_sends() {
    check(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let thread = thread::spawn(move || drop(receiver));
        send(&sender, drops.value(0));
        assert!(!send(&sender, drops.value(1)), "nobody makes a place");
        thread.join().unwrap();
        // The sender, and with it the channel, is still there.
        assert_eq!(drops.counts(), [1, 1, 0]);
        drop(sender);
        assert_eq!(drops.counts(), [1, 1, 0]);
    });
}

/// One who waits for a place goes beside a receiver that frees one: the next in the line has it.
#[test]
fn a_reserve_goes_beside_recv() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        sender.try_send(drops.value(0)).unwrap();
        let reserves = sender.clone();
        let first = waiting(async move { drop(reserves.reserve().await) });
        let second = waiting_send(&sender, drops.value(1));
        drop(sender);
        let threads = [
            thread::spawn(move || drop(first)),
            thread::spawn(move || assert!(block_on(second))),
        ];
        assert_eq!(recv_all(&receiver), [0, 1]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drops.counts(), [1, 1, 0]);
    });
}

/// One who waits with a value goes beside a receiver: its value was sent or is dropped, and the next in
/// the line is behind it.
#[test]
fn a_send_goes_beside_recv() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        sender.try_send(drops.value(0)).unwrap();
        let first = waiting_send(&sender, drops.value(1));
        let second = waiting_send(&sender, drops.value(2));
        drop(sender);
        let threads = [
            thread::spawn(move || drop(first)),
            thread::spawn(move || assert!(block_on(second))),
        ];
        let received = recv_all(&receiver);
        assert!(received == [0, 1, 2] || received == [0, 2], "{received:?}");
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drops.counts(), [1, 1, 1]);
    });
}

/// One who waits for a value goes beside a send: the next in the line has it.
#[test]
fn a_recv_goes_beside_send() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let first = waiting_recv(&receiver);
        let second = waiting_recv(&receiver);
        let threads = [
            thread::spawn(move || drop(first)),
            thread::spawn(move || assert_eq!(block_on(second), Ok(0))),
        ];
        assert!(send(&sender, drops.value(0)));
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drops.counts(), [1, 0, 0]);
    });
}

/// One who waits for a value goes beside the last send and the end: the other receiver has the value, and
/// does not hear before that all is over.
#[test]
fn a_recv_goes_beside_the_last_send() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let first = waiting_recv(&receiver);
        let value = drops.value(0);
        let threads = [
            thread::spawn(move || drop(first)),
            thread::spawn(move || assert!(send(&sender, value))),
        ];
        assert_eq!(recv_all(&receiver), [0]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drops.counts(), [1, 0, 0]);
    });
}

/// One who waits for a value is polled with another waker beside the send: that one is woken.
#[test]
fn another_waker_beside_send() {
    check(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let waits = waiting_recv(&receiver);
        let value = drops.value(0);
        let thread = thread::spawn(move || assert!(send(&sender, value)));
        assert_eq!(block_on(waits), Ok(0));
        thread.join().unwrap();
        assert_eq!(drops.counts(), [1, 0, 0]);
    });
}

/// A place is reserved and used beside close and a receiver: a permit that was given before is good, and
/// the receiver waits for it.
#[test]
fn a_permit_is_used_beside_close() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let (closer, value) = (sender.clone(), drops.value(0));
        let sends = thread::spawn(move || {
            let permit = block_on(sender.reserve());
            permit.map(|permit| permit.send(value).unwrap()).is_ok()
        });
        let close = thread::spawn(move || assert!(closer.close()));
        let received = recv_all(&receiver);
        assert_eq!(received.len(), usize::from(sends.join().unwrap()));
        close.join().unwrap();
        assert_eq!(drops.counts(), [1, 0, 0]);
    });
}

/// A permit goes unused beside close and a receiver: he learns that it is over.
#[test]
fn a_permit_goes_beside_close() {
    check_three(|| {
        let (sender, receiver) = bounded::<Value>(1);
        // It outlives the receive, which the drop of the last sender would end.
        let stays = sender.clone();
        let closer = sender.clone();
        let reserves = thread::spawn(move || drop(block_on(sender.reserve())));
        let close = thread::spawn(move || assert!(closer.close()));
        assert_eq!(recv(&receiver), Err(RecvError));
        for thread in [reserves, close] {
            thread.join().unwrap();
        }
        drop(stays);
    });
}

/// A rendezvous: a value is handed over, and then a place is reserved, beside the receiver.
#[test]
fn a_rendezvous_beside_recvs() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(0);
        let values = [drops.value(0), drops.value(1)];
        let thread = thread::spawn(move || {
            let [first, second] = values;
            assert!(send(&sender, first));
            let permit = block_on(sender.reserve()).unwrap();
            permit.send(second).unwrap();
        });
        assert_eq!(recv_all(&receiver), [0, 1]);
        thread.join().unwrap();
        assert_eq!(drops.counts(), [1, 1, 0]);
    });
}

/// A rendezvous: the receiver that a place was promised for goes beside the use of it; the next one has the
/// value.
#[test]
fn a_recv_goes_beside_a_permit() {
    check_three(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(0);
        let first = waiting_recv(&receiver);
        let value = drops.value(0);
        let threads = [
            thread::spawn(move || drop(first)),
            thread::spawn(move || {
                let permit = block_on(sender.reserve()).unwrap();
                permit.send(value).unwrap();
            }),
        ];
        assert_eq!(recv_all(&receiver), [0]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(drops.counts(), [1, 0, 0]);
    });
}

/// Both ends go beside each other, with values inside and one that was given to a receiver who has not
/// looked: all are dropped, and at the latest when the receiver is gone.
#[test]
fn both_ends_go_with_values_inside() {
    check(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(2);
        let given = waiting_recv(&receiver);
        for number in 0..3 {
            sender.try_send(drops.value(number)).unwrap();
        }
        let thread = thread::spawn(move || drop(sender));
        drop(given);
        assert_eq!(drops.counts(), [0; 3]);
        drop(receiver);
        assert_eq!(drops.counts(), [1; 3]);
        thread.join().unwrap();
        assert_eq!(drops.counts(), [1; 3]);
    });
}

/// A weak sender beside the end of the last one: if it gives a sender, the channel is open.
#[test]
fn upgrade_beside_the_last_sender() {
    check(|| {
        let drops = Drops::default();
        let (sender, receiver) = bounded(1);
        let (weak, value) = (sender.downgrade(), drops.value(0));
        let thread = thread::spawn(move || {
            let upgraded = weak.upgrade();
            upgraded.is_some_and(|sender| {
                assert!(sender.try_send(value).is_ok(), "closed with a sender");
                true
            })
        });
        drop(sender);
        let received = recv_all(&receiver);
        assert_eq!(received.len(), usize::from(thread.join().unwrap()));
        assert_eq!(drops.counts(), [1, 0, 0]);
    });
}
