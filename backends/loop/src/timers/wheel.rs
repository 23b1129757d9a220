//! A hierarchical timer wheel whose entries lie in one table.
//!
//! # Shape
//!
//! Time is counted in nanoseconds since the loop was made, and cut into ticks of [`TICK`] (about a
//! millisecond). An entry whose tick is still to come hangs in a slot: level 0 has a slot for each of
//! the next 64 ticks, level 1 for each of the next 64 groups of 64 ticks, and so on; eight levels
//! reach further than 64 bits of nanoseconds. Which level it is follows from the highest group of six
//! bits in which the entry's tick differs from the present one.
//!
//! When the present tick reaches a slot, its entries go one or more levels down or, from level 0, into
//! `due`, in the order in which they are due. What is armed for a tick that has been reached goes into
//! `soon`. From these two they fire, to the nanosecond: the wheel is coarse, its order is not.
//!
//! # Invariants
//!
//! 1. An entry of a slot has a later tick than `tick`, and hangs where `place` puts it.
//! 2. `due` is sorted, and all of it is earlier than what is in the slots.
//! 3. What lies in `due` and `soon` names an entry by its time, number and index; if the entry has been
//!    removed or moved meanwhile, that name is stale, and is thrown away when its time comes (within a
//!    tick).
//! 4. A number is never given twice, so a stale [`Key`] reaches nobody else's timer.
//!
//! # Costs
//!
//! Arming, moving and removing are O(1) (arming for the present tick: O(log n) of those), and allocate
//! only when there are more timers at once than ever before. An entry is moved at most eight times,
//! most are never: timeouts rarely expire. What is removed is gone at once, its waker with it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::task::Waker;

use crate::loom::fault;

/// A tick is this power of two of nanoseconds: 1.05 ms.
pub(crate) const TICK: u32 = 20;

/// A level has this power of two of slots.
const BITS: u32 = 6;
const SLOTS: usize = 1 << BITS;

/// 64 - 20 bits of ticks, six for each level.
const LEVELS: usize = (u64::BITS - TICK).div_ceil(BITS) as usize;

/// No index of an entry.
const NONE: u32 = u32::MAX;

/// The slot of entries that hang in none.
const NO_SLOT: u32 = u32::MAX;

/// To find out when the first of a slot is due, at most so many entries are looked at; with more of
/// them, the loop wakes at the beginning of the slot and looks again.
const LOOKS: usize = 16;

/// A table that has become empty gives its memory back if it has more places than this.
const KEPT: usize = 16_384;

/// What tells a timer from all others of its wheel, those that are gone too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Key {
    index: u32,
    number: u64,
}

/// An armed timer, or a free place of the table.
#[derive(Debug)]
struct Entry {
    /// When it is due, in nanoseconds.
    at: u64,
    /// Its number, larger than that of every timer armed before; 0 in a free place.
    number: u64,
    waker: Option<Waker>,
    prev: u32,
    /// The next one in the slot, or the next free place.
    next: u32,
    slot: u32,
}

/// When a timer is due, its number (so that equal times fire in the order of arming), its index.
type Due = (u64, u64, u32);

/// The armed timers of a loop.
#[derive(Debug)]
pub(crate) struct Wheel {
    entries: Vec<Entry>,
    free: u32,
    /// How many timers are armed.
    len: usize,
    /// The number of the timer that was armed last.
    number: u64,
    /// The present tick: all slots up to here are empty.
    tick: u64,
    /// The first entry of each slot, level by level; made with the first timer.
    heads: Vec<u32>,
    /// Which slots of each level have entries.
    occupied: [u64; LEVELS],
    /// Timers whose tick has been reached, in their order.
    due: VecDeque<Due>,
    /// Timers that were armed for a tick that had been reached.
    soon: BinaryHeap<Reverse<Due>>,
}

impl Wheel {
    pub(crate) const fn new() -> Self {
        Self {
            entries: Vec::new(),
            free: NONE,
            len: 0,
            number: 0,
            tick: 0,
            heads: Vec::new(),
            occupied: [0; LEVELS],
            due: VecDeque::new(),
            soon: BinaryHeap::new(),
        }
    }

    /// Whether it differs from a new one: there was a timer.
    #[inline]
    pub(crate) fn was_used(&self) -> bool {
        !self.heads.is_empty()
    }

    /// How many timers are armed.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Arms a timer for `at` nanoseconds.
    #[inline]
    pub(crate) fn arm(&mut self, at: u64, waker: Waker) -> Key {
        self.number += 1;
        let entry = Entry {
            at,
            number: self.number,
            waker: Some(waker),
            prev: NONE,
            next: NONE,
            slot: NO_SLOT,
        };
        let index = self.free;
        let index = match self.entries.get_mut(index as usize) {
            Some(place) => {
                self.free = place.next;
                *place = entry;
                index
            }
            None => self.append(entry),
        };
        self.len += 1;
        self.place(index);
        Key {
            index,
            number: self.number,
        }
    }

    #[cold]
    fn append(&mut self, entry: Entry) -> u32 {
        if self.heads.is_empty() {
            self.heads = vec![NONE; LEVELS * SLOTS];
        }
        let index = u32::try_from(self.entries.len()).unwrap_or(NONE);
        assert!(index != NONE, "fewer than 2^32 timers at once");
        self.entries.push(entry);
        index
    }

    /// Removes a timer; its waker is for the caller to drop. None if it has fired, or was removed.
    #[inline]
    pub(crate) fn remove(&mut self, key: Key) -> Option<Waker> {
        self.get(key)?;
        self.unlink(key.index);
        self.release(key.index)
    }

    /// Moves a timer to `at`; false if it has fired, or was removed.
    #[inline]
    pub(crate) fn reset(&mut self, key: Key, at: u64) -> bool {
        if self.get(key).is_none() {
            return false;
        }
        self.unlink(key.index);
        self.entries[key.index as usize].at = at;
        self.place(key.index);
        true
    }

    /// The waker of a timer; none if it has fired, or was removed.
    #[inline]
    pub(crate) fn waker(&mut self, key: Key) -> Option<&mut Waker> {
        self.get(key)?;
        self.entries[key.index as usize].waker.as_mut()
    }

    #[inline]
    fn get(&self, key: Key) -> Option<&Entry> {
        let entry = self.entries.get(key.index as usize)?;
        let same = entry.number == key.number || fault("a_stale_key_reaches_another");
        same.then_some(entry)
    }

    /// Whether the name of a timer in `due` or `soon` still holds.
    #[inline]
    fn is_live(&self, (at, number, index): Due) -> bool {
        self.get(Key { index, number })
            .is_some_and(|entry| entry.at == at && entry.slot == NO_SLOT)
    }

    /// Hangs an entry where it belongs.
    #[inline]
    fn place(&mut self, index: u32) {
        let entry = &mut self.entries[index as usize];
        let tick = entry.at >> TICK;
        if tick <= self.tick {
            entry.slot = NO_SLOT;
            return self.soon.push(Reverse((entry.at, entry.number, index)));
        }
        let level = (tick ^ self.tick).ilog2() / BITS;
        let digit = (tick >> (level * BITS)) as usize % SLOTS;
        let slot = level as usize * SLOTS + digit;
        let head = std::mem::replace(&mut self.heads[slot], index);
        entry.slot = u32::try_from(slot).expect("there are few slots");
        entry.prev = NONE;
        entry.next = head;
        match self.entries.get_mut(head as usize) {
            Some(head) => head.prev = index,
            None => self.occupied[level as usize] |= 1 << digit,
        }
    }

    /// Takes an entry out of its slot, if it hangs in one.
    #[inline]
    fn unlink(&mut self, index: u32) {
        let &Entry {
            prev, next, slot, ..
        } = &self.entries[index as usize];
        if slot == NO_SLOT {
            return;
        }
        if let Some(next) = self.entries.get_mut(next as usize) {
            next.prev = prev;
        }
        match self.entries.get_mut(prev as usize) {
            Some(prev) => prev.next = next,
            None => {
                self.heads[slot as usize] = next;
                if next == NONE {
                    self.occupied[slot as usize / SLOTS] &= !(1 << (slot as usize % SLOTS));
                }
            }
        }
    }

    /// Frees the place of an entry that hangs in no slot any more.
    #[inline]
    fn release(&mut self, index: u32) -> Option<Waker> {
        let entry = &mut self.entries[index as usize];
        entry.number = 0;
        entry.next = self.free;
        let waker = entry.waker.take();
        self.free = index;
        self.len -= 1;
        if self.len == 0 {
            self.empty();
        }
        waker
    }

    /// Nothing is armed: forgets the stale names and, if it is much, gives memory back.
    fn empty(&mut self) {
        self.due.clear();
        self.soon.clear();
        if self.entries.len() > KEPT {
            self.entries = Vec::new();
            self.free = NONE;
            self.due = VecDeque::new();
            self.soon = BinaryHeap::new();
        }
    }

    /// Fires what is due at `now`, in the order in which it is: the wakers go to the end of `out`, with
    /// the times at which they were due.
    pub(crate) fn expire(&mut self, now: u64, out: &mut Vec<(u64, Waker)>) {
        if !self.was_used() {
            // It may be exchanged for that of a younger loop, and is to stay as new.
            return;
        }
        self.advance(now >> TICK);
        while self.len > 0 {
            let due = self.due.front().copied();
            let soon = self.soon.peek().map(|Reverse(soon)| *soon);
            let first = match (due, soon) {
                (Some(due), Some(soon)) => due.min(soon),
                (Some(one), None) | (None, Some(one)) => one,
                (None, None) => return,
            };
            if first.0 > now {
                return;
            }
            if due == Some(first) {
                self.due.pop_front();
            } else {
                self.soon.pop();
            }
            self.fire(first, out);
        }
    }

    /// Fires a timer that was due, if its name still holds.
    #[inline]
    fn fire(&mut self, due: Due, out: &mut Vec<(u64, Waker)>) {
        if self.is_live(due) {
            out.extend(self.release(due.2).map(|waker| (due.0, waker)));
        }
    }

    /// The first slot that has entries: level, digit, and the tick at which it begins.
    #[inline]
    fn first_slot(&self) -> Option<(usize, usize, u64)> {
        // A lower level ends before the next slot of a higher one begins.
        let level = self.occupied.iter().position(|slots| *slots != 0)?;
        let digit = self.occupied[level].trailing_zeros() as usize;
        let shift = level as u32 * BITS;
        let above = (self.tick >> shift) & !(SLOTS as u64 - 1);
        Some((level, digit, (above | digit as u64) << shift))
    }

    /// Makes `tick` the present one.
    fn advance(&mut self, tick: u64) {
        while let Some((level, digit, start)) = self.first_slot() {
            let before = self.due.len();
            if start > tick {
                break;
            }
            self.tick = start;
            self.occupied[level] &= !(1 << digit);
            let head = &mut self.heads[level * SLOTS + digit];
            let mut index = std::mem::replace(head, NONE);
            while let Some(entry) = self.entries.get_mut(index as usize) {
                let next = entry.next;
                if entry.at >> TICK == start {
                    entry.slot = NO_SLOT;
                    self.due.push_back((entry.at, entry.number, index));
                } else {
                    self.place(index);
                }
                index = next;
            }
            if self.due.len() > before {
                // All of it is of this tick, so later than what was there before, and often sorted the
                // wrong way round.
                self.due.make_contiguous()[before..].sort_unstable();
            }
        }
        self.tick = self.tick.max(tick);
    }

    /// A time at which it is worth to [expire](Self::expire): not later than the first timer is due.
    pub(crate) fn next(&mut self) -> Option<u64> {
        if self.len == 0 {
            return None;
        }
        while self.due.front().is_some_and(|due| !self.is_live(*due)) {
            self.due.pop_front();
        }
        while self.soon.peek().is_some_and(|soon| !self.is_live(soon.0)) {
            self.soon.pop();
        }
        let due = self.due.front().map(|due| due.0);
        let soon = self.soon.peek().map(|Reverse(soon)| soon.0);
        match (due, soon) {
            (Some(due), Some(soon)) => Some(due.min(soon)),
            (Some(one), None) | (None, Some(one)) => Some(one),
            (None, None) => self.next_in_slots(),
        }
    }

    fn next_in_slots(&self) -> Option<u64> {
        let (level, digit, start) = self.first_slot()?;
        let mut index = self.heads[level * SLOTS + digit];
        let mut first = u64::MAX;
        for _ in 0..LOOKS {
            let Some(entry) = self.entries.get(index as usize) else {
                return Some(first);
            };
            first = first.min(entry.at);
            index = entry.next;
        }
        Some(start << TICK)
    }
}

#[cfg(test)]
mod tests;
