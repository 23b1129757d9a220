//! `Mutex` and `RwLock` (asyncio LK2-LK4, Trio PR1, PR3).

use kumi::sync::{Mutex, RwLock};

use super::{Hand, now};

/// What is free is had without suspending.
#[test]
fn a_free_lock_does_not_suspend() {
    let lock = Mutex::new(1);
    *now(lock.lock()) += 1;
    assert_eq!(*now(lock.lock_owned()), 2);
    assert_eq!(lock.into_inner().unwrap(), 2);
}

/// Those who wait are served in turn, and nobody overtakes, not even between the release and the next poll.
#[test]
fn it_is_handed_over_in_turn() {
    let lock = Mutex::new(());
    let held = now(lock.lock());
    let mut waiting: Vec<_> = (0..3).map(|_| Hand::waiting(lock.lock())).collect();
    drop(held);
    assert!(lock.try_lock().is_none(), "it was taken from who waited");
    waiting.push(Hand::waiting(lock.lock()));
    for hand in waiting {
        drop(hand.given());
    }
    assert!(lock.try_lock().is_some());
}

/// One who goes away, before or after it was handed the lock, is no hindrance.
#[test]
fn who_goes_away_passes_it_on() {
    let lock = Mutex::new(());
    let held = now(lock.lock());
    let [first, second, third] = [(); 3].map(|()| Hand::waiting(lock.lock()));
    drop(second);
    drop(held);
    assert!(first.is_woken() && !third.is_woken());
    drop(first);
    drop(third.given());
    assert!(lock.try_lock().is_some());
}

/// A guard that owns its lock keeps the value from those who want it whole.
#[test]
fn an_owned_guard_shares_the_lock() {
    let mut lock = Mutex::new(1);
    let guard = lock.try_lock_owned().unwrap();
    assert!(lock.get_mut().is_none());
    let mut lock = lock.into_inner().unwrap_err();
    drop(guard);
    *lock.get_mut().unwrap() += 1;
    assert_eq!(lock.into_inner().unwrap(), 2);
}

/// Readers share; a reader that comes after a waiting writer waits for it.
#[test]
fn a_writer_is_not_starved() {
    let lock = RwLock::new(0);
    let one = now(lock.read());
    let two = now(lock.read_owned());
    let writer = Hand::waiting(lock.write());
    let reader = Hand::waiting(lock.read());
    assert!(lock.try_read().is_none());
    drop(one);
    assert!(!writer.is_woken());
    drop(two);
    let mut written = writer.given();
    *written += 1;
    assert!(!reader.is_woken());
    drop(written);
    assert_eq!(*reader.given(), 1);
}

/// A writer that goes away lets the readers behind it go on.
#[test]
fn a_writer_goes_away() {
    let lock = RwLock::new(0);
    let held = now(lock.read());
    let writer = Hand::waiting(lock.write_owned());
    let reader = Hand::waiting(lock.read());
    drop(writer);
    drop(reader.given());
    drop(held);
    drop(lock.try_write().unwrap());
    assert_eq!(lock.into_inner().unwrap(), 0);
}

/// They are as shareable as what is in them allows.
#[test]
fn auto_traits() {
    fn send_sync<T: Send + Sync>() {}
    fn send<T: Send>(value: T) -> T {
        value
    }
    // What is `Send` is made `Sync`.
    send_sync::<Mutex<std::cell::Cell<u8>>>();
    send_sync::<RwLock<u8>>();
    let lock = Mutex::new(std::cell::Cell::new(1));
    drop(send(lock.lock()));
    drop(send(lock.lock_owned()));
}
