//! `Condition` (asyncio CO2, CO4-CO7, Trio PR4).

use kumi::sync::{Condition, Mutex};

use super::{Hand, now};

/// It frees the lock while it waits, and holds it when it returns.
#[test]
fn the_lock_is_free_while_it_waits() {
    let (lock, condition) = (Mutex::new(0), Condition::new());
    let waiting = Hand::waiting(condition.wait(now(lock.lock())));
    *lock.try_lock().unwrap() = 1;
    condition.notify_one();
    let guard = waiting.given();
    assert_eq!(*guard, 1);
    assert!(lock.try_lock().is_none());
}

/// One who is notified while another holds the lock waits for that.
#[test]
fn who_is_notified_waits_for_the_lock() {
    let (lock, condition) = (Mutex::new(0), Condition::new());
    let mut waiting = Hand::waiting(condition.wait_owned(now(lock.lock_owned())));
    let held = now(lock.lock());
    condition.notify_all();
    assert!(waiting.poll().is_none());
    drop(held);
    assert!(waiting.poll().is_some());
}

/// They are woken in turn, one for each notification; one without anybody who waits is gone.
#[test]
fn one_after_the_other() {
    let (lock, condition) = (Mutex::new(()), Condition::new());
    condition.notify_one();
    let [first, second] = [(); 2].map(|()| Hand::waiting(condition.wait(now(lock.lock()))));
    condition.notify_one();
    assert!(!second.is_woken());
    drop(first.given());
    assert!(!second.is_woken());
    condition.notify_one();
    drop(second.given());
}

/// Who is notified and goes away passes it on.
#[test]
fn who_goes_away_passes_it_on() {
    let (lock, condition) = (Mutex::new(()), Condition::new());
    let [first, second] = [(); 2].map(|()| Hand::waiting(condition.wait(now(lock.lock()))));
    condition.notify_one();
    drop(first);
    drop(second.given());
    // Also if it was waiting for the lock by then.
    let [mut first, second] = [(); 2].map(|()| Hand::waiting(condition.wait(now(lock.lock()))));
    let held = now(lock.lock());
    condition.notify_one();
    assert!(first.poll().is_none());
    drop(first);
    drop(held);
    drop(second.given());
    assert!(lock.try_lock().is_some());
}

/// A condition that holds already needs no notification; one that does not is looked at again.
#[test]
fn wait_while_looks_first_and_again() {
    let (lock, condition) = (Mutex::new(0), Condition::new());
    drop(now(
        condition.wait_while(now(lock.lock()), |value| *value > 0)
    ));
    let low = |value: &mut i32| *value < 2;
    let mut waiting = Hand::waiting(condition.wait_while(now(lock.lock()), low));
    for value in [1, 2] {
        *now(lock.lock()) = value;
        condition.notify_all();
        assert_eq!(waiting.poll().is_some(), value == 2);
    }
}

/// So it is with a guard that owns its lock.
#[test]
fn wait_while_with_an_owned_guard() {
    let (lock, condition) = (Mutex::new(0), Condition::new());
    let guard = now(lock.lock_owned());
    let mut waiting = Hand::waiting(condition.wait_while_owned(guard, |value| *value < 1));
    condition.notify_one();
    assert!(waiting.poll().is_none());
    *lock.try_lock().unwrap() = 1;
    condition.notify_one();
    assert_eq!(waiting.poll().as_deref(), Some(&1));
}

/// One lock may have several conditions.
#[test]
fn two_conditions_of_one_lock() {
    let lock = Mutex::new(());
    let (one, two) = (Condition::new(), Condition::new());
    let first = Hand::waiting(one.wait(now(lock.lock())));
    let second = Hand::waiting(two.wait(now(lock.lock())));
    two.notify_all();
    assert!(!first.is_woken());
    drop(second.given());
}
