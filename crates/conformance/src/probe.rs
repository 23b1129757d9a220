//! What cases are made of: things to wait for, things that notice being dropped, wakers that count.
//!
//! All on the standard library alone, so that nothing here leans on what is being checked; and none
//! of them waits for real time.

mod ends;
#[cfg(unix)]
mod faulty;
mod foreign;
mod forget;
mod gate;
mod log;
mod manual;
mod thread;
mod ticks;
mod token;
mod waker;

use std::any::Any;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use kumi_core::combine::yield_now;
use kumi_core::runtime::Spawn;
use kumi_core::task::{JoinError, SpawnExt};

pub(crate) use ends::{Body, ENDS, End, bring_about};
#[cfg(unix)]
pub(crate) use faulty::Faulty;
pub(crate) use foreign::{both, either, unordered};
pub(crate) use forget::forget;
pub(crate) use gate::{Gate, Slot, Wait};
pub(crate) use log::Log;
pub(crate) use manual::Manual;
pub(crate) use thread::{park_on, thread};
pub(crate) use ticks::Ticks;
pub(crate) use token::{Token, Witness, hold, token};
pub(crate) use waker::{counting_waker, panicking_waker};

/// Locks; poison means nothing to a probe.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives way until `condition` holds.
///
/// For what another task or thread will do; not for time, which may be virtual and stand still.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    while !condition() {
        yield_now().await;
    }
}

/// Gives other tasks `count` turns. Each is pending at least once, whatever other threads do: a task
/// that is spawned alone may end before it is awaited.
pub(crate) async fn turns<R: Spawn>(rt: &R, count: usize) {
    for _ in 0..count {
        let turn = rt.spawn(yield_now());
        yield_now().await;
        turn.await.expect("it only yields");
    }
}

/// Polls `future` once, with the waker of the present task.
pub(crate) async fn poll_once<F: Future + Unpin>(future: &mut F) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(Pin::new(&mut *future).poll(cx))).await
}

/// Polls `future` once, with `waker`.
pub(crate) fn poll_with<F: Future + Unpin>(future: &mut F, waker: &Waker) -> Poll<F::Output> {
    Pin::new(future).poll(&mut Context::from_waker(waker))
}

thread_local! {
    static IN_CALL: Cell<bool> = const { Cell::new(false) };
}

/// Runs `f`; code that it calls on this thread finds [`in_call`].
pub(crate) fn during<T>(f: impl FnOnce() -> T) -> T {
    let outer = IN_CALL.replace(true);
    let value = f();
    IN_CALL.set(outer);
    value
}

/// Whether a [`during`] is running on this thread.
pub(crate) fn in_call() -> bool {
    IN_CALL.try_with(Cell::get).unwrap_or(false)
}

/// Returns the text of the panic of `f`.
#[track_caller]
pub(crate) fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    match catch_unwind(AssertUnwindSafe(f)) {
        Ok(_) => panic!("it should have panicked"),
        Err(panic) => text(panic),
    }
}

/// Returns the text of a panic.
pub(crate) fn text(panic: Box<dyn Any + Send>) -> String {
    match panic.downcast::<String>() {
        Ok(text) => *text,
        Err(panic) => match panic.downcast::<&'static str>() {
            Ok(text) => (*text).to_owned(),
            Err(_) => "a panic without a text".to_owned(),
        },
    }
}

/// Asserts that a task ended as cancelled.
#[track_caller]
pub(crate) fn assert_cancelled<T>(joined: Result<T, JoinError>) {
    match joined {
        Ok(_) => panic!("the task gave a value, and should have been cancelled"),
        Err(error) => assert!(error.is_cancelled(), "{error}"),
    }
}

/// Asserts that a task panicked, and returns the text.
#[track_caller]
pub(crate) fn assert_panicked<T>(joined: Result<T, JoinError>) -> String {
    match joined {
        Ok(_) => panic!("the task gave a value, and should have panicked"),
        Err(error) => text(error.into_panic()),
    }
}
