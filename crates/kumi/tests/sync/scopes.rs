//! In a scope that was asked to end nothing is taken, by none of them; and what was handed over before is
//! passed on.

use std::future::Future;
use std::pin::Pin;

use kumi::sync::{Barrier, Condition, Event, Limiter, Mutex, RwLock, Semaphore};
use kumi::{CancelScope, Cancelled};

use super::{Hand, now};

type Scoped<'a> = Pin<Box<dyn Future<Output = Result<(), Cancelled>> + 'a>>;

/// Runs `body` in a scope that was cancelled.
fn cancelled<'a, T>(body: impl Future<Output = T> + 'a) -> Scoped<'a> {
    let scope = CancelScope::new();
    scope.handle().cancel();
    Box::pin(scope.run(async {
        drop(body.await);
        unreachable!("it was taken in a cancelled scope");
    }))
}

#[test]
fn nothing_is_taken() {
    let (lock, shared, permits) = (Mutex::new(()), RwLock::new(()), Semaphore::new(1));
    let (event, barrier, limiter) = (Event::new(), Barrier::new(1), Limiter::new(1));
    event.set();
    let all: Vec<Scoped<'_>> = vec![
        cancelled(lock.lock()),
        cancelled(lock.lock_owned()),
        cancelled(shared.read()),
        cancelled(shared.read_owned()),
        cancelled(shared.write()),
        cancelled(shared.write_owned()),
        cancelled(permits.acquire()),
        cancelled(permits.acquire_owned()),
        cancelled(permits.acquire_many(1)),
        cancelled(permits.acquire_many_owned(1)),
        cancelled(event.wait()),
        cancelled(barrier.wait()),
        cancelled(limiter.acquire()),
    ];
    for scoped in all {
        assert!(now(scoped).is_err());
    }
    assert!(lock.try_lock().is_some() && shared.try_write().is_some());
    assert_eq!((permits.available(), limiter.available()), (1, 1));
    assert_eq!(barrier.waiting(), 0);
}

/// The lock is free afterwards.
#[test]
fn a_condition_lets_go_of_the_lock() {
    let (lock, condition) = (Mutex::new(()), Condition::new());
    let guard = now(lock.lock());
    assert!(now(cancelled(condition.wait(guard))).is_err());
    assert!(lock.try_lock().is_some());
}

/// A cancel beside a hand-over: nobody keeps what nobody has.
#[test]
fn a_cancel_beside_a_hand_over() {
    let permits = Semaphore::new(1);
    let held = now(permits.acquire());
    let scope = CancelScope::new();
    let handle = scope.handle();
    let body = async {
        let _permit = permits.acquire().await;
        kumi::checkpoint().await;
        unreachable!("code behind the checkpoint never runs");
    };
    let first = Hand::waiting(scope.run(body));
    let second = Hand::waiting(permits.acquire());
    drop(held);
    handle.cancel();
    let ended: Result<(), _> = first.given();
    assert!(ended.is_err());
    drop(second.given());
    assert_eq!(permits.available(), 1);
}
