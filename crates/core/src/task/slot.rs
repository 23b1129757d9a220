//! The place of a task's future, and then of its output: one memory for both, and what is in it.
//!
//! What it holds is said by a byte of the header ([`Holds`]), not by a tag beside it, since each parked
//! task would pay a word for that.
//!
//! # Invariants
//!
//! 1. Slot and byte are touched by the one who has the right to the future or to the output at the
//!    moment (invariant 2 of the state word), and both together: [`Stage`].
//! 2. While the byte is [`New`](Holds::New), [`Polled`](Holds::Polled) or one of the leaked, the slot is
//!    the future, pinned; while it is [`Output`](Holds::Output), the outcome; otherwise nothing.
#![allow(
    unsafe_code,
    reason = "one memory for future and output; see the invariants"
)]

use std::any::Any;
use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::loom::UnsafeCell;
use crate::runtime::Holds;

/// How a task ended.
pub(super) enum Outcome<T> {
    Value(T),
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

/// The memory.
pub(super) union Slot<F: Future> {
    future: ManuallyDrop<F>,
    outcome: ManuallyDrop<Outcome<F::Output>>,
}

impl<F: Future> Slot<F> {
    /// A slot with a future; the byte beside it is to be [`Holds::New`].
    #[inline]
    pub(super) fn new(future: F) -> Self {
        Self {
            future: ManuallyDrop::new(future),
        }
    }
}

/// A slot and what says what it holds.
pub(super) struct Stage<'a, F: Future> {
    holds: &'a UnsafeCell<Holds>,
    slot: &'a UnsafeCell<Slot<F>>,
}

/// In each: the caller has the right to the future or to the output, whichever is there.
impl<'a, F: Future> Stage<'a, F> {
    #[inline]
    pub(super) fn new(holds: &'a UnsafeCell<Holds>, slot: &'a UnsafeCell<Slot<F>>) -> Self {
        Self { holds, slot }
    }

    /// # Safety
    ///
    /// The caller has the right to the slot.
    #[inline]
    pub(super) unsafe fn holds(&self) -> Holds {
        // SAFETY: invariant 1.
        self.holds.with(|holds| unsafe { *holds })
    }

    /// # Safety
    ///
    /// The caller has the right to the slot, and it holds that.
    #[inline]
    pub(super) unsafe fn set(&self, holds: Holds) {
        // SAFETY: invariant 1.
        self.holds.with_mut(|old| unsafe { *old = holds });
    }

    /// Polls the future.
    ///
    /// # Safety
    ///
    /// The caller has the right to the slot, it holds the future, and this thread may touch it.
    #[inline]
    pub(super) unsafe fn poll(&self, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.slot.with_mut(|slot| {
            // SAFETY: by the contract the slot is the caller's.
            let slot = unsafe { &mut *slot };
            // SAFETY: by the contract it holds the future.
            let future = unsafe { &mut *slot.future };
            // SAFETY: the cell is on the heap, and the future is dropped in place.
            unsafe { Pin::new_unchecked(future) }.poll(cx)
        })
    }

    /// Drops the future in place. Also if its destructor panics, it is gone.
    ///
    /// # Safety
    ///
    /// The caller has the right to the slot, it holds the future, and this thread may touch it.
    #[inline]
    pub(super) unsafe fn drop_future(&self) {
        // SAFETY: by the contract; from here on nobody finds the future again.
        unsafe { self.set(Holds::Nothing) };
        self.slot.with_mut(|slot| {
            // SAFETY: by the contract the slot is the caller's.
            let slot = unsafe { &mut *slot };
            // SAFETY: it held the future, which is dropped once.
            unsafe { ManuallyDrop::drop(&mut slot.future) }
        });
    }

    /// Fills the slot.
    ///
    /// # Safety
    ///
    /// The caller has the right to the slot, and it holds nothing.
    #[inline]
    pub(super) unsafe fn put(&self, outcome: Outcome<F::Output>) {
        let outcome = Slot {
            outcome: ManuallyDrop::new(outcome),
        };
        // SAFETY: by the contract; there is nothing that would have to be dropped.
        self.slot.with_mut(|slot| unsafe { *slot = outcome });
        // SAFETY: as above.
        unsafe { self.set(Holds::Output) };
    }

    /// Empties the slot.
    ///
    /// # Safety
    ///
    /// The caller has the right to the slot, and it holds the output.
    #[inline]
    pub(super) unsafe fn take(&self) -> Outcome<F::Output> {
        // SAFETY: by the contract; nobody finds the output again.
        unsafe { self.set(Holds::Nothing) };
        self.slot.with_mut(|slot| {
            // SAFETY: by the contract the slot is the caller's.
            let slot = unsafe { &mut *slot };
            // SAFETY: it held the output, which is read once.
            unsafe { ManuallyDrop::take(&mut slot.outcome) }
        })
    }
}
