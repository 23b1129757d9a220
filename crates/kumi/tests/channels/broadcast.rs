//! Every value for every receiver.

use std::collections::VecDeque;
use std::panic::catch_unwind;
use std::sync::Arc;

use fastrand::Rng;
use futures_lite::StreamExt;
use kumi::channel::SendError;
use kumi::channel::broadcast::{Receiver, RecvError, TryRecvError, channel};

use super::{Hand, now};

#[test]
fn everybody_gets_everything_in_order() {
    let (sender, mut one) = channel(4);
    let mut two = sender.subscribe();
    let [first, second] = [&mut one, &mut two].map(|it| Hand::waiting(it.recv()));
    assert_eq!(sender.send(1), Ok(2));
    assert_eq!((first.given(), second.given()), (Ok(1), Ok(1)));
    sender.send(2).unwrap();
    let mut three = sender.subscribe();
    assert_eq!(sender.send(3), Ok(3));
    assert_eq!((now(one.recv()), now(one.recv())), (Ok(2), Ok(3)));
    assert_eq!((now(two.recv()), now(two.recv())), (Ok(2), Ok(3)));
    assert_eq!(
        (now(three.recv()), three.try_recv()),
        (Ok(3), Err(TryRecvError::Empty))
    );
    assert!(sender.is_empty());
}

#[test]
fn who_is_slow_is_told_once() {
    let (sender, mut receiver) = channel(2);
    for value in 0..5 {
        sender.send(value).unwrap();
    }
    assert_eq!((sender.len(), receiver.len()), (2, 2));
    assert!(!sender.is_empty() && !receiver.is_empty());
    assert_eq!(now(receiver.recv()), Err(RecvError::Lagged(3)));
    assert_eq!((now(receiver.recv()), now(receiver.recv())), (Ok(3), Ok(4)));
    assert!(receiver.is_empty());
}

#[test]
fn the_last_sender_goes() {
    let (sender, mut receiver) = channel(2);
    let other = sender.clone();
    sender.send(1).unwrap();
    drop(sender);
    assert_eq!(now(receiver.recv()), Ok(1));
    let waiting = Hand::waiting(receiver.recv());
    drop(other);
    assert_eq!(waiting.given(), Err(RecvError::Closed));
    assert_eq!(receiver.try_recv(), Err(TryRecvError::Closed));
}

#[test]
fn without_receivers() {
    let (sender, receiver) = channel(2);
    sender.send(1).unwrap();
    drop(receiver);
    assert!(sender.is_empty());
    assert_eq!(sender.send(2), Err(SendError(2)));
    let mut receiver = sender.subscribe();
    assert_eq!((sender.receiver_count(), sender.send(3)), (1, Ok(1)));
    assert_eq!(now(receiver.recv()), Ok(3));
}

/// The last one who gets a value gets the value itself, and nobody keeps it.
#[test]
fn values_are_not_kept() {
    let (sender, mut one) = channel(4);
    let mut two = one.resubscribe();
    let value = Arc::new(());
    sender.send(Arc::clone(&value)).unwrap();
    assert_eq!(Arc::strong_count(&value), 2);
    let first = now(one.recv());
    assert_eq!(Arc::strong_count(&value), 3);
    let second = now(two.recv());
    assert_eq!(Arc::strong_count(&value), 3);
    drop((first, second));
    // One that goes without having got it.
    sender.send(Arc::clone(&value)).unwrap();
    drop((now(one.recv()), two));
    assert_eq!(Arc::strong_count(&value), 1);
}

#[test]
fn as_a_stream() {
    let (sender, mut receiver) = channel(2);
    let next = Hand::waiting(receiver.next());
    sender.send(1).unwrap();
    assert_eq!(next.given(), Some(Ok(1)));
    for value in 2..=4 {
        sender.send(value).unwrap();
    }
    drop(sender);
    let all: Vec<_> = now(receiver.collect());
    assert_eq!(all, [Err(1), Ok(3), Ok(4)]);
}

#[test]
fn a_bound_is_needed() {
    assert!(catch_unwind(|| channel::<u8>(0)).is_err());
    assert!(catch_unwind(|| channel::<u8>(usize::MAX)).is_err());
    // A huge one that is never reached needs no memory.
    let (sender, mut receiver) = channel(usize::MAX - 1);
    sender.send(1).unwrap();
    assert_eq!(now(receiver.recv()), Ok(1));
}

/// What a receiver is to get.
struct Model {
    receiver: Receiver<u32>,
    values: VecDeque<u32>,
    missed: u64,
}

#[test]
fn as_the_model_says() {
    for seed in 0..300 {
        let mut random = Rng::with_seed(seed);
        let capacity = random.usize(1..5);
        let (sender, receiver) = channel(capacity);
        let model = |receiver| Model {
            receiver,
            values: VecDeque::new(),
            missed: 0,
        };
        let mut models = vec![model(receiver)];
        for value in 0..200 {
            match random.u8(..10) {
                0 => models.push(model(sender.subscribe())),
                1 if !models.is_empty() => drop(models.swap_remove(random.usize(..models.len()))),
                2..=5 => {
                    let sent = sender.send(value);
                    match models.len() {
                        0 => assert_eq!(sent, Err(SendError(value))),
                        count => assert_eq!(sent, Ok(count)),
                    }
                    for model in &mut models {
                        model.values.push_back(value);
                        if model.values.len() > capacity {
                            model.values.pop_front();
                            model.missed += 1;
                        }
                    }
                }
                _ if !models.is_empty() => {
                    let place = random.usize(..models.len());
                    let model = &mut models[place];
                    let expected = match std::mem::take(&mut model.missed) {
                        0 => model.values.pop_front().ok_or(TryRecvError::Empty),
                        missed => Err(TryRecvError::Lagged(missed)),
                    };
                    assert_eq!(model.receiver.try_recv(), expected, "seed {seed}");
                }
                _ => {}
            }
            let kept = models.iter().map(|model| model.values.len()).max();
            assert_eq!(sender.len(), kept.unwrap_or(0), "seed {seed}");
        }
    }
}

#[test]
fn which_ends_belong_together() {
    let ((sender, receiver), (stranger, other)) = (channel::<u8>(1), channel::<u8>(1));
    assert!(sender.same_channel(&sender.clone()) && !sender.same_channel(&stranger));
    assert!(receiver.same_channel(&sender.subscribe()) && !receiver.same_channel(&other));
}
