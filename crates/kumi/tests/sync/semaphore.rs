//! `Semaphore` (asyncio SE1-SE5).

use kumi::sync::Semaphore;

use super::{Hand, now};

/// It may begin without permits, and have more than at first.
#[test]
fn none_at_first_and_more_later() {
    let permits = Semaphore::new(0);
    let waiting = Hand::waiting(permits.acquire());
    permits.release(2);
    let first = waiting.given();
    let second = permits.try_acquire_owned().unwrap();
    assert!(permits.try_acquire().is_none());
    drop((first, second));
    assert_eq!(permits.available(), 2);
}

/// A permit goes to the first who waits, and cannot be taken from it.
#[test]
fn a_permit_is_handed_over() {
    let permits = Semaphore::new(1);
    let held = now(permits.acquire());
    let first = Hand::waiting(permits.acquire());
    let second = Hand::waiting(permits.acquire_owned());
    drop(held);
    assert_eq!(permits.available(), 0);
    assert!(permits.try_acquire().is_none());
    let third = Hand::waiting(permits.acquire());
    drop(first.given());
    drop(second.given());
    drop(third.given());
}

/// Several releases at once serve as many as they can.
#[test]
fn many_permits_serve_many() {
    let permits = Semaphore::new(0);
    let waiting: Vec<_> = (0..5).map(|_| Hand::waiting(permits.acquire())).collect();
    permits.release(3);
    let woken: Vec<_> = waiting.iter().map(Hand::is_woken).collect();
    assert_eq!(woken, [true, true, true, false, false]);
}

/// One who wants many is not overtaken by those who want few, and holds up nobody when it goes.
#[test]
fn who_wants_many_is_not_overtaken() {
    let permits = Semaphore::new(2);
    let held = now(permits.acquire());
    let many = Hand::waiting(permits.acquire_many(3));
    let one = Hand::waiting(permits.acquire());
    assert!(permits.try_acquire().is_none());
    drop(held);
    assert!(!many.is_woken() && !one.is_woken());
    drop(many);
    drop(one.given());
    assert_eq!(permits.available(), 2);
}

/// One who goes away after it was handed a permit passes it on; before, it is passed over.
#[test]
fn who_goes_away_passes_it_on() {
    let permits = Semaphore::new(1);
    let held = now(permits.acquire());
    let [first, second, third] = [(); 3].map(|()| Hand::waiting(permits.acquire()));
    drop(second);
    drop(held);
    drop(first);
    drop(third.given());
    assert_eq!(permits.available(), 1);
}
