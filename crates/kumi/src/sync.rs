//! Synchronisation between tasks: locks, permits, events, barriers. They mean the same on every backend.
//!
//! | what | whose |
//! |---|---|
//! | [`Mutex`], [`RwLock`], [`Semaphore`], [`Condition`] | those of `asyncband`, with Kumi's cancellation |
//! | [`Event`], [`Barrier`], [`Limiter`] | Kumi's, on `event-listener` and `asyncband` |
//! | [`channel`](crate::channel) and its queues | Kumi's |
//!
//! Whoever waits is served in turn, and what is released is handed over: a newcomer never gets it before
//! one who waits, not even for a moment (the rule of Trio and asyncio). Of the
//! libraries that were tried, `async-lock` lets newcomers overtake; `asyncband` and tokio's `sync` do not, and
//! the latter would bring all of tokio.
//!
//! # Cancel safety
//!
//! Dropping any future of this module loses nothing: one who waits leaves its place, and what it had
//! been handed goes to the next. In a scope that was asked to end nothing new is taken. Each
//! operation counts for the budget of its task, so a loop over a lock that is always free can be
//! cancelled and starves nobody.
//!
//! # Deadlocks
//!
//! None of these knows its owner. A task that waits for a lock that it holds waits for ever, as in asyncio.

mod barrier;
mod condition;
mod event;
mod limiter;
mod lock;
mod semaphore;

use std::future::poll_fn;
use std::sync::{Mutex as StdMutex, MutexGuard as StdGuard, PoisonError};

pub use asyncband::mutex::{MutexGuard, OwnedMutexGuard};
pub use asyncband::rwlock::{
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockReadGuard, RwLockWriteGuard,
};
pub use asyncband::semaphore::{OwnedSemaphorePermit, SemaphorePermit};
pub use barrier::{Barrier, BrokenBarrier};
pub use condition::Condition;
pub use event::Event;
use kumi_core::debug::waiting_for;
pub use limiter::{Limiter, Token};
pub use lock::{Mutex, RwLock};
pub use semaphore::Semaphore;

/// Goes on unless the scope is cancelled or the budget of the task is used up.
async fn enter() {
    poll_fn(kumi_core::cancel::poll_checkpoint).await;
}

/// Locks what is held for a few instructions, and never while foreign code runs.
fn guard<T>(lock: &StdMutex<T>) -> StdGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}
