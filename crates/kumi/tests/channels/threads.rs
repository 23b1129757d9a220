//! Ends on threads.

use std::cell::Cell;
use std::thread;

use futures_lite::future::block_on;
use kumi::channel::broadcast::RecvError;
use kumi::channel::{bounded, broadcast, oneshot, watch};

#[test]
fn a_thread_that_waits() {
    let (sender, receiver) = oneshot::channel();
    let thread = thread::spawn(|| receiver.recv_blocking());
    sender.send(1).unwrap();
    assert_eq!(thread.join().unwrap(), Ok(1));
}

/// What may go to another thread and not be shared goes through from one to another.
#[test]
fn values_that_are_not_shared() {
    let (sender, receiver) = bounded(2);
    let thread = thread::spawn(move || {
        for number in 0..100 {
            sender.send_blocking(Cell::new(number)).unwrap();
        }
    });
    for number in 0..100 {
        assert_eq!(receiver.recv_blocking().unwrap().replace(1), number);
    }
    assert_eq!(receiver.recv_blocking(), Err(kumi::channel::RecvError));
    thread.join().unwrap();
}

/// Each one sees values that grow, and the last.
#[test]
fn many_watch() {
    let (sender, receiver) = watch::channel(0);
    let threads = [0; 3].map(|_| {
        let mut receiver = receiver.clone();
        thread::spawn(move || {
            let mut last = 0;
            while block_on(receiver.changed()).is_ok() {
                let value = *receiver.borrow_and_update();
                assert!(value >= last);
                last = value;
            }
            last
        })
    });
    drop(receiver);
    let senders = [sender.clone(), sender].map(|sender| {
        thread::spawn(move || (0..5_000).for_each(|_| sender.send_modify(|value| *value += 1)))
    });
    for thread in senders {
        thread.join().unwrap();
    }
    assert_eq!(threads.map(|thread| thread.join().unwrap()), [10_000; 3]);
}

/// What was got and what was missed is what was sent.
#[test]
fn many_listen() {
    let (sender, receiver) = broadcast::channel(16);
    let threads = [0; 3].map(|_| {
        let mut receiver = receiver.resubscribe();
        thread::spawn(move || {
            let (mut next, mut missed_all) = (0, 0);
            loop {
                match block_on(receiver.recv()) {
                    Ok(value) => {
                        assert_eq!(value, next);
                        next += 1;
                    }
                    Err(RecvError::Lagged(missed)) => {
                        next += missed;
                        missed_all += missed;
                    }
                    Err(RecvError::Closed) => return (next, missed_all),
                }
            }
        })
    });
    drop(receiver);
    for value in 0..20_000 {
        sender.send(value).unwrap();
        if value % 64 == 0 {
            thread::yield_now();
        }
    }
    drop(sender);
    for thread in threads {
        let (next, missed) = thread.join().unwrap();
        assert!(next == 20_000 && missed < 20_000);
    }
}
