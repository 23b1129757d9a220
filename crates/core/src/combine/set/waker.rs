//! The wakers of children: pointers to slots; and the first round, which makes the block on demand.
//!
//! A child is polled with a waker that borrows the reference of the set, so that a child that does not
//! keep its waker costs no counting. Clones have references of their own.
//!
//! Until there is a block, a child is polled with a waker that points to a [`Starter`] on the stack of
//! the poll. It can be lent to other threads for that long, as any `&Waker`. It makes the block when it is
//! cloned or woken; whoever comes first wins. Its clones are ordinary wakers of the slot.
//!
//! # Invariants
//!
//! 1. The data of a waker with `SLOT` is a slot. The waker has a reference, or is lent the one of the
//!    set, by [`with`], and then never dropped.
//! 2. The data of a waker with `START` is a `Starter` that outlives it: it is only ever lent, by
//!    [`Starter::with`], and what `clone` returns is no `START` waker.
#![allow(unsafe_code, reason = "waker tables; see the invariants")]

use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};
use std::task::{RawWaker, RawWakerVTable, Waker};

use super::block::{BlockRef, Slot, release, retain, wake, wake_and_release};
use super::shape::Room;
use super::turn::Turn;
use crate::loom::{AtomicPtr, Ordering, fault};
use crate::util::thread_mark;

static SLOT: RawWakerVTable =
    RawWakerVTable::new(slot_clone, slot_wake, slot_wake_by_ref, slot_drop);

/// The slot that a waker's data points to.
///
/// # Safety
///
/// The waker must be one with `SLOT`.
#[inline(always)]
unsafe fn slot(data: *const ()) -> NonNull<Slot> {
    // SAFETY: such data is made from a pointer that is not null.
    unsafe { NonNull::new_unchecked(data.cast_mut().cast()) }
}

#[inline]
fn raw(slot: NonNull<Slot>) -> RawWaker {
    RawWaker::new(slot.as_ptr().cast_const().cast(), &SLOT)
}

unsafe fn slot_clone(data: *const ()) -> RawWaker {
    // SAFETY: called through the table.
    let slot = unsafe { slot(data) };
    retain(slot);
    raw(slot)
}

unsafe fn slot_wake(data: *const ()) {
    // SAFETY: called through the table.
    wake_and_release(unsafe { slot(data) });
}

unsafe fn slot_wake_by_ref(data: *const ()) {
    // SAFETY: called through the table.
    wake(unsafe { slot(data) });
}

unsafe fn slot_drop(data: *const ()) {
    // SAFETY: called through the table.
    release(unsafe { slot(data) });
}

/// Lends the waker of a child to `f`.
#[inline(always)]
pub(super) fn with<T>(turn: &Turn<'_>, index: u32, f: impl FnOnce(&Waker) -> T) -> T {
    // SAFETY: invariant 1: it is lent for the length of this call only, and not dropped; `turn`
    // borrows the reference of the set.
    let waker = ManuallyDrop::new(unsafe { Waker::from_raw(raw(turn.slot(index))) });
    f(&waker)
}

/// Makes the block of a set when a child needs it.
pub(super) struct Starter<'a> {
    /// The block, with one reference that is the set's.
    block: AtomicPtr<Slot>,
    /// The set's place for the block.
    home: &'a mut Option<BlockRef>,
    parent: &'a Waker,
    /// Where the block can be.
    room: Option<Room>,
    mark: usize,
    len: usize,
    /// The child that is polled; all before it have finished.
    index: usize,
}

static START: RawWakerVTable = RawWakerVTable::new(start_clone, start_wake, start_wake, start_drop);

impl<'a> Starter<'a> {
    #[inline]
    pub(super) fn new(
        len: usize,
        parent: &'a Waker,
        room: Option<Room>,
        home: &'a mut Option<BlockRef>,
    ) -> Self {
        Self {
            block: AtomicPtr::new(ptr::null_mut()),
            home,
            parent,
            room,
            mark: thread_mark(),
            len,
            index: 0,
        }
    }

    /// Lends a waker of the child at `index` to `f`; those before it have finished.
    #[inline(always)]
    pub(super) fn with<T>(&mut self, index: usize, f: impl FnOnce(&Waker) -> T) -> T {
        self.index = index;
        let data = ptr::from_ref(&*self).cast();
        // SAFETY: invariant 2: it is lent for the length of this call only, and not dropped.
        let waker = ManuallyDrop::new(unsafe { Waker::new(data, &START) });
        f(&waker)
    }

    /// Gives the block to the set, if one was made; says whether.
    #[inline(always)]
    pub(super) fn settle(&mut self) -> bool {
        // Relaxed: no other thread has the waker any more, and who made it there was waited for.
        let made = NonNull::new(self.block.load(Ordering::Relaxed));
        if let Some(made) = made {
            self.block.store(ptr::null_mut(), Ordering::Relaxed);
            // SAFETY: it came from `into_raw`, and only once.
            *self.home = Some(unsafe { BlockRef::from_raw(made) });
        }
        made.is_some()
    }

    /// Gives the block to the set; makes it if there is none.
    pub(super) fn make(&mut self) {
        self.slots();
        self.settle();
    }

    /// A pointer to the first slot of the block; made now if there is none.
    fn slots(&self) -> NonNull<Slot> {
        // Acquire: the block's contents; pairs with the Release below.
        if let Some(made) = NonNull::new(self.block.load(Ordering::Acquire)) {
            return made;
        }
        let parent = self.parent.clone();
        // Only the thread of the poll takes the room: two at the same time would be too many.
        let room = self.room.filter(|_| thread_mark() == self.mark);
        let fresh = BlockRef::new(self.len, self.index, self.mark, parent, room).into_raw();
        let (success, failure) = (Ordering::AcqRel, Ordering::Acquire);
        match self
            .block
            .compare_exchange(ptr::null_mut(), fresh.as_ptr(), success, failure)
        {
            Ok(_) => fresh,
            Err(other) => {
                // SAFETY: as in `settle`; nobody else knows it.
                unsafe { BlockRef::from_raw(fresh) }.discard();
                NonNull::new(other).unwrap_or_else(|| unreachable!("it was not null"))
            }
        }
    }

    /// A pointer to the slot of the child that is polled.
    fn slot(&self) -> NonNull<Slot> {
        // SAFETY: the block has a slot for each child.
        unsafe { self.slots().add(self.index) }
    }
}

impl Drop for Starter<'_> {
    fn drop(&mut self) {
        // Left over if the child panicked. It may live in the memory of the set's children: so it is
        // for the set to drop it. The poll is over, so wakes of this thread are as those of others.
        if self.settle() && !fault("first_turn_never_ends") {
            self.home.as_mut().map(BlockRef::resume);
        }
    }
}

/// The starter that a waker's data points to.
///
/// # Safety
///
/// The waker must be one with `START`.
unsafe fn starter<'a>(data: *const ()) -> &'a Starter<'a> {
    // SAFETY: invariant 2; the caller uses it only while the waker is there.
    unsafe { &*data.cast() }
}

unsafe fn start_clone(data: *const ()) -> RawWaker {
    // SAFETY: called through the table.
    let slot = unsafe { starter(data) }.slot();
    retain(slot);
    raw(slot)
}

unsafe fn start_wake(data: *const ()) {
    // SAFETY: called through the table.
    wake(unsafe { starter(data) }.slot());
}

unsafe fn start_drop(_: *const ()) {}
