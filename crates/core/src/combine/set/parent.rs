//! Wakes from outside of a poll, and the waker of the parent.
//!
//! The protocol and its invariants are those of [`block`](super::block).
#![allow(unsafe_code, reason = "a cell that a bit protects")]

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::task::Waker;

use super::block::{
    AGAIN, BUSY, BlockRef, CLOSED, FLAGS, GIVEN, Header, POLLED, SHIFT, Slot, Slots, header,
    release_many,
};
use crate::loom::{Ordering, assert_unlocked, change, fault, order_unless};
use crate::util::discard;

/// Puts the child of `slot` into the inbox, if it is not there; says whether.
///
/// The caller has a reference. If it `gives` that away, the set has it when this is true.
pub(super) fn push(slots: Slots, child: NonNull<Slot>, gives: bool) -> bool {
    assert_unlocked();
    // SAFETY: invariant 1.
    let child = unsafe { child.as_ref() };
    // Release: what was written before the wake is seen by who clears it; pairs with `Turn::drain`.
    if child.claimed.swap(true, Ordering::AcqRel) {
        return false;
    }
    let given = if gives { GIVEN } else { 0 };
    // Release: the link; pairs with the Acquire in `Turn::drain`. Acquire: the parent's waker, if
    // this one becomes busy; pairs with the Release of `leave` and `Turn::register`.
    let order = order_unless("inbox_relaxed", Ordering::AcqRel);
    let mut wakes = false;
    let changed = change(&header(slots).inbox, order, Ordering::Relaxed, |old| {
        if old & CLOSED != 0 && !fault("closed_is_ignored") {
            return None;
        }
        let link = (old >> SHIFT) as u32 | given;
        child.link.store(link, Ordering::Relaxed);
        let alone = old >> SHIFT == 0 && old & POLLED == 0;
        let flag = match old & BUSY {
            _ if !alone => 0,
            0 => BUSY,
            _ => AGAIN,
        };
        wakes = flag == BUSY;
        Some((child.index as usize + 1) << SHIFT | old & FLAGS | flag)
    });
    if changed.is_err() {
        return false;
    }
    if wakes && !fault("push_wakes_nobody") {
        wake_parent(slots);
    }
    true
}

/// Wakes the parent; the caller has set `BUSY`, and so has the block until it clears it.
fn wake_parent(slots: Slots) {
    let mut panicked = None;
    loop {
        let wake = || {
            header(slots).parent.with(|parent| {
                // SAFETY: invariant 4: it is not written while `BUSY` is set, but by who set it.
                let parent = unsafe { &*parent };
                parent.as_ref().map(Waker::wake_by_ref)
            });
        };
        // Also if the waker panics, the block must not stay busy.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(wake)) {
            if let Some(earlier) = panicked.replace(panic) {
                discard(earlier);
            }
        }
        if leave(slots) {
            break;
        }
    }
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
}

/// Clears `BUSY`; false if the parent is to be woken again, and then it is still set.
fn leave(slots: Slots) -> bool {
    let this = header(slots);
    let again = |old| old & (AGAIN | CLOSED) == AGAIN && !fault("again_forgotten");
    // Release: the parent's waker was read; pairs with the Acquire of who is busy next. Acquire:
    // the same, from who set `AGAIN` or `CLOSED`.
    let changed = change(&this.inbox, Ordering::AcqRel, Ordering::Relaxed, |old| {
        let cleared = if again(old) { AGAIN } else { AGAIN | BUSY };
        Some(old & !cleared)
    });
    let old = changed.unwrap_or_else(|old| old);
    if again(old) {
        return false;
    }
    if old & CLOSED != 0 {
        /// Gives back what `close` has kept for this one, also if the waker panics.
        struct Kept(Slots);
        impl Drop for Kept {
            fn drop(&mut self) {
                release_many(self.0, 1);
            }
        }
        let _kept = Kept(slots);
        // SAFETY: invariant 4: the set found it busy when it closed the block.
        drop(unsafe { take_parent(this) });
    }
    true
}

/// Takes the parent's waker.
///
/// # Safety
///
/// The caller must have the right to write it (invariant 4).
unsafe fn take_parent(this: &Header) -> Option<Waker> {
    this.parent.with_mut(|parent| {
        // SAFETY: by the caller.
        unsafe { (*parent).take() }
    })
}

impl BlockRef {
    /// Stores `waker` as the parent's; returns the one before.
    #[inline]
    pub(super) fn register(&mut self, waker: &Waker) -> Option<Waker> {
        match self.is_parent(waker) {
            true => None,
            false => self.replace(waker),
        }
    }

    /// Whether `waker` is the parent's.
    #[inline(always)]
    pub(super) fn is_parent(&self, waker: &Waker) -> bool {
        header(self.0).parent.with(|parent| {
            // SAFETY: invariant 4: this is the set, the only one who writes it.
            let parent = unsafe { &*parent };
            parent.as_ref().is_some_and(|old| old.will_wake(waker))
        })
    }

    #[cold]
    fn replace(&mut self, waker: &Waker) -> Option<Waker> {
        assert_unlocked();
        let fresh = waker.clone();
        let this = header(self.0);
        // Acquire: the last one who was busy has read the old one; pairs with `leave`.
        let before = this.inbox.fetch_or(BUSY, Ordering::AcqRel);
        if before & BUSY != 0 && !fault("parent_changed_while_read") {
            // Somebody is waking the old one. Come again, when he has done.
            waker.wake_by_ref();
            return Some(fresh);
        }
        let old = this.parent.with_mut(|parent| {
            // SAFETY: invariant 4: this one has set `BUSY`.
            unsafe { (*parent).replace(fresh) }
        });
        // `AGAIN` is no request any more: the inbox is looked at right after this. Release: the new
        // waker; pairs with the Acquire in `push`.
        this.inbox.fetch_and(!(BUSY | AGAIN), Ordering::AcqRel);
        old
    }

    /// Ends the block for the set: later wakes do nothing. Returns the parent's waker, if nobody is
    /// waking it: then that one drops it.
    pub(super) fn close(&mut self) -> Option<Waker> {
        let this = header(self.0);
        // Relaxed: only the set itself closes it.
        if this.inbox.load(Ordering::Relaxed) & CLOSED != 0 {
            return None;
        }
        this.owner.store(0, Ordering::Relaxed);
        // Acquire: the last one who was busy has read the waker; pairs with `leave`. Release: what
        // was done with it before is seen by `leave`.
        let before = this.inbox.fetch_or(CLOSED, Ordering::AcqRel);
        let turn = self.resume();
        if !fault("what_was_given_is_lost") {
            turn.take_given((before >> SHIFT) as u32);
        }
        if before & BUSY == 0 {
            // SAFETY: invariant 4: nobody is busy, and nobody will be.
            return unsafe { take_parent(this) };
        }
        if !fault("nothing_is_kept_for_the_busy") {
            turn.keep_ref();
        }
        None
    }
}
