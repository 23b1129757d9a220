//! Which locks, guards and the like may go to other threads, and be shared between them.

use std::cell::Cell;
use std::marker::PhantomData;
use std::rc::Rc;

use kumi::sync::{
    Barrier, BrokenBarrier, Condition, Event, Limiter, Mutex, MutexGuard, OwnedMutexGuard,
    OwnedRwLockReadGuard, OwnedRwLockWriteGuard, OwnedSemaphorePermit, RwLock, RwLockReadGuard,
    RwLockWriteGuard, Semaphore, SemaphorePermit, Token,
};

use super::is::{Is, MayBeSend, MayBeSync, is_unpin};

#[test]
fn the_table() {
    // One at a time has the value, so it is shared if it may go to another thread.
    row!(Mutex: "Send Sync", "Send Sync", "");
    row!(MutexGuard<'static>: "Send Sync", "Send", "");
    row!(OwnedMutexGuard: "Send Sync", "Send", "");
    // Many may have it at once; and so may a lock and its owned guards on two threads.
    row!(RwLock: "Send Sync", "", "");
    row!(RwLockReadGuard<'static>: "Send Sync", "", "");
    row!(RwLockWriteGuard<'static>: "Send Sync", "", "");
    row!(OwnedRwLockReadGuard: "Send Sync", "", "");
    row!(OwnedRwLockWriteGuard: "Send Sync", "", "");
    row!(no value, Semaphore: "Send Sync");
    row!(no value, SemaphorePermit<'static>: "Send Sync");
    row!(no value, OwnedSemaphorePermit: "Send Sync");
    row!(no value, Condition: "Send Sync");
    row!(no value, Event: "Send Sync");
    row!(no value, Barrier: "Send Sync");
    row!(no value, BrokenBarrier: "Send Sync");
    row!(no value, Limiter: "Send Sync");
    row!(no value, Token: "Send Sync");
}
