//! `Event` (asyncio EVT1-EVT3).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use kumi::sync::Event;

use super::{Hand, now};

/// Setting it releases all who wait; who comes then does not suspend.
#[test]
fn set_releases_all() {
    let event = Event::new();
    let waiting: Vec<_> = (0..3).map(|_| Hand::waiting(event.wait())).collect();
    event.set();
    event.set();
    for hand in waiting {
        hand.given();
    }
    now(event.wait());
    event.clear();
    drop(Hand::waiting(event.wait()));
}

/// Cleared at once, it has released those who waited all the same.
#[test]
fn set_then_clear_releases_all() {
    let event = Event::new();
    let mut early = Hand::waiting(event.wait());
    event.set();
    event.clear();
    let late = Hand::waiting(event.wait());
    assert!(!event.is_set());
    assert!(early.poll().is_some());
    assert!(!late.is_woken());
}

/// One who goes away is woken no more, and the others are.
#[test]
fn who_goes_away_is_forgotten() {
    let event = Event::new();
    let [gone, stays] = [(); 2].map(|()| Hand::waiting(event.wait()));
    let wakes = gone.wakes();
    drop(gone);
    event.set();
    stays.given();
    assert_eq!(Arc::strong_count(&wakes), 1, "a waker is still held");
}

/// A set from another thread beside the wait is never missed.
#[test]
fn set_beside_wait() {
    const ROUNDS: usize = 2_000;
    let events: Arc<[_]> = (0..ROUNDS).map(|_| Event::new()).collect();
    let (turn, done) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (theirs, begun, ended) = (Arc::clone(&events), Arc::clone(&turn), Arc::clone(&done));
    let setter = thread::spawn(move || {
        for (number, event) in theirs.iter().enumerate() {
            while begun.load(Ordering::Acquire) <= number {
                std::hint::spin_loop();
            }
            event.set();
            ended.store(number + 1, Ordering::Release);
        }
    });
    for (number, event) in events.iter().enumerate() {
        let mut hand = Hand::new(event.wait());
        turn.fetch_add(1, Ordering::Release);
        if hand.poll().is_none() {
            while done.load(Ordering::Acquire) <= number {
                thread::yield_now();
            }
            hand.given();
        }
    }
    setter.join().unwrap();
}
