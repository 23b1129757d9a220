//! The queue of the thread that polls a set, and how it takes over what was woken from outside.
//!
//! The protocol and its invariants are those of [`block`](super::block).
#![allow(unsafe_code, reason = "cells that belong to one thread at a time")]

use std::marker::PhantomData;
use std::mem::{self, ManuallyDrop};
use std::ptr::NonNull;

use super::block::{
    BlockRef, END, FLAGS, GIVEN, Header, IDLE, POLLED, SHIFT, Slot, Slots, header, slot,
};
use crate::loom::{Ordering, UnsafeCell, fault};

/// The right to the queue of the set: of the thread that polls it, while it polls it.
pub(super) struct Turn<'a> {
    slots: Slots,
    /// This poll has set `POLLED`.
    polled: bool,
    borrow: PhantomData<&'a mut BlockRef>,
}

/// Reads a cell that belongs to the turn.
#[inline(always)]
fn get<T: Copy>(_: &Turn<'_>, cell: &UnsafeCell<T>) -> T {
    // SAFETY: invariant 3.
    cell.with(|cell| unsafe { *cell })
}

/// Writes a cell that belongs to the turn.
#[inline(always)]
fn set<T: Copy>(_: &Turn<'_>, cell: &UnsafeCell<T>, value: T) {
    // SAFETY: invariant 3.
    cell.with_mut(|cell| unsafe { *cell = value });
}

impl<'a> Turn<'a> {
    /// The turn of the set that `block` belongs to.
    #[inline(always)]
    pub(super) fn new(block: &'a mut BlockRef) -> Self {
        Self {
            slots: block.0,
            polled: false,
            borrow: PhantomData,
        }
    }

    /// The turn of a poll that goes on further up this thread's stack.
    ///
    /// # Safety
    ///
    /// That is so, and no other `Turn` is used meanwhile but in calls around this one.
    #[inline(always)]
    pub(super) unsafe fn assume(slots: Slots) -> ManuallyDrop<Self> {
        ManuallyDrop::new(Self {
            slots,
            polled: false,
            borrow: PhantomData,
        })
    }

    /// A pointer to the slot of a child; counts no reference.
    #[inline(always)]
    pub(super) fn slot(&self, index: u32) -> NonNull<Slot> {
        debug_assert!(index < self.header().len, "no such child");
        // SAFETY: invariant 1: only indices of slots are in use.
        unsafe { self.slots.add(index as usize) }
    }

    #[inline(always)]
    fn header(&self) -> &Header {
        header(self.slots)
    }

    /// Takes a spare reference; false if there is none.
    #[inline(always)]
    pub(super) fn lend_ref(&self) -> bool {
        let spare = get(self, &self.header().spare);
        if spare > 0 {
            set(self, &self.header().spare, spare - 1);
        }
        spare > 0
    }

    /// Puts a reference to the spare ones.
    #[inline(always)]
    pub(super) fn take_ref(&self) {
        let spare = get(self, &self.header().spare);
        set(self, &self.header().spare, spare + 1);
    }

    /// Leaves one of the set's references to somebody else.
    pub(super) fn keep_ref(&self) {
        if !self.lend_ref() {
            // Relaxed: the set's own keeps the block.
            self.header().refs.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Takes the references that were given away with the wakes in a list of the inbox.
    pub(super) fn take_given(&self, mut link: u32) {
        while let Some(index) = link.checked_sub(1) {
            link = self.follow(slot(self.slots, index));
        }
    }

    /// The link of a slot that was in the inbox; takes the reference that was given away with the wake.
    #[inline(always)]
    fn follow(&self, slot: &Slot) -> u32 {
        let link = slot.link.load(Ordering::Relaxed);
        if link & GIVEN != 0 {
            self.take_ref();
        }
        link & !GIVEN
    }

    /// How many references are to spare.
    pub(super) fn spare_refs(&self) -> usize {
        get(self, &self.header().spare)
    }

    /// Puts a child at the end of the queue, if it is neither there nor finished.
    #[inline(always)]
    pub(super) fn push(&self, index: u32) {
        if self.is_idle(slot(self.slots, index)) {
            self.append(index, index);
        }
    }

    /// Whether a child is to be appended if it is woken.
    #[inline(always)]
    fn is_idle(&self, slot: &Slot) -> bool {
        get(self, &slot.next) == IDLE && !get(self, &slot.done)
    }

    /// Puts a list at the end of the queue.
    #[inline(always)]
    fn append(&self, first: u32, last: u32) {
        set(self, &slot(self.slots, last).next, END);
        let header = self.header();
        match get(self, &header.last) {
            END => set(self, &header.first, first),
            before => set(self, &slot(self.slots, before).next, first),
        }
        set(self, &header.last, last);
    }

    /// Takes the child that was woken first; it may have finished meanwhile.
    #[inline(always)]
    pub(super) fn pop(&self) -> Option<u32> {
        let header = self.header();
        let first = get(self, &header.first);
        if first == END {
            return None;
        }
        let next = &slot(self.slots, first).next;
        let second = get(self, next);
        set(self, next, IDLE);
        set(self, &header.first, second);
        if second == END {
            set(self, &header.last, END);
        }
        Some(first)
    }

    /// The child that was woken last, if somebody waits.
    #[inline]
    pub(super) fn last(&self) -> Option<u32> {
        let last = get(self, &self.header().last);
        (last != END).then_some(last)
    }

    /// Moves all from the inbox to the end of the queue, the oldest first.
    #[inline]
    pub(super) fn drain(&mut self) {
        let inbox = &self.header().inbox;
        // Acquire: the links; pairs with the Release of all pushes. A push that this does not see finds
        // the inbox empty and wakes the parent.
        let mut old = inbox.load(Ordering::Acquire);
        while let Some(newest) = ((old >> SHIFT) as u32).checked_sub(1) {
            // It stays there until this one takes it.
            let link = slot(self.slots, newest).link.load(Ordering::Relaxed);
            let polled = if link & !GIVEN == 0 { 0 } else { POLLED };
            let empty = old & FLAGS | polled;
            match inbox.compare_exchange_weak(old, empty, Ordering::AcqRel, Ordering::Acquire) {
                Ok(_) => {
                    self.polled = polled != 0;
                    return self.append_newest_first(newest + 1);
                }
                Err(now) => old = now,
            }
        }
    }

    /// Turns a list of the inbox round and appends it.
    fn append_newest_first(&self, mut link: u32) {
        let (mut first, mut last) = (END, END);
        while let Some(index) = link.checked_sub(1) {
            let slot = slot(self.slots, index);
            // First the link: it belongs to the next push as soon as `claimed` is clear.
            link = self.follow(slot);
            if get(self, &slot.done) {
                continue;
            }
            // Acquire: what was written before all wakes up to now; pairs with `push`.
            match fault("claim_cleared_blindly") {
                true => slot.claimed.store(false, Ordering::Relaxed),
                false => drop(slot.claimed.swap(false, Ordering::AcqRel)),
            }
            if self.is_idle(slot) {
                set(self, &slot.next, first);
                first = index;
                if last == END {
                    last = index;
                }
            }
        }
        if first != END {
            self.append(first, last);
        }
    }

    /// Whether a child has finished.
    #[inline(always)]
    pub(super) fn is_done(&self, index: u32) -> bool {
        get(self, &slot(self.slots, index).done)
    }

    /// A child has finished: later wakes of it do nothing.
    #[inline(always)]
    pub(super) fn finish(&self, index: u32) {
        let slot = slot(self.slots, index);
        set(self, &slot.done, true);
        // Relaxed: a wake beside this one is of no use to anybody.
        slot.claimed.store(true, Ordering::Relaxed);
    }
}

impl Turn<'_> {
    /// Ends the poll; true if somebody was woken meanwhile.
    #[inline]
    pub(super) fn end(mut self) -> bool {
        let waits = self.last().is_some();
        self.leave() || waits
    }

    /// Ends the poll for the others; true if somebody has come into the inbox since it began, and has
    /// relied on this one to look.
    #[inline(always)]
    fn leave(&mut self) -> bool {
        let header = self.header();
        header.owner.store(0, Ordering::Relaxed);
        // Release and Acquire: it stands between the pushes, like `drain`.
        mem::take(&mut self.polled)
            && self.header().inbox.fetch_and(!POLLED, Ordering::AcqRel) >> SHIFT != 0
            && !fault("poll_ends_without_a_look")
    }
}

impl Drop for Turn<'_> {
    #[inline]
    fn drop(&mut self) {
        self.leave();
    }
}
