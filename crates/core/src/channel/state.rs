//! What a channel is under its lock: values, places, and who waits for which.
//!
//! # Invariants
//!
//! They hold whenever the lock is free:
//!
//! 1. Somebody waits for a value only if there is none.
//! 2. Somebody waits for a place only if there is none, and the channel is not closed.
//! 3. Values leave in the order in which they came; waiters are served in the order in which they came,
//!    and nobody who came later is served before them.
//! 4. Nobody is told that the channel is over while a value may still come back.
//! 5. Every value is in exactly one place: the store, a waiter that puts it, a waiter that was given
//!    it, a waiter that was refused it, or with the user.
//! 6. The quick way is open only while nobody waits, the channel is open, no value has come back, and
//!    there is a capacity: putting and taking are then nothing but a push and a pop.
//!
//! # Who is served
//!
//! A *place* is a right to put one value. There are as many as the capacity, less the values in the
//! store and the places that were promised. A value for which somebody waits goes to that one
//! directly, so it takes no place in the store. Without capacity (a rendezvous) there are as many
//! places as there are waiters for values.
//!
//! One that was given a value and goes without having looked gives it back: to the next in the line,
//! or to the front of the store, in its old order; the store may then hold more than the capacity.
//!
//! Nothing here calls foreign code, but for the order of a [`Heap`](super::store::Heap): wakers are
//! handed out, to be woken once the lock is free.

use std::marker::PhantomData;
use std::task::Waker;

use super::error::{TryRecvError, TrySendError};
use super::line::{Line, Stage, Waiters};
use super::store::Store;
use super::wakes::Wakes;
use crate::loom::fault;

/// What a waiter leaves behind, to be dropped once the lock is free.
pub(crate) struct Left<T> {
    pub(crate) waker: Option<Waker>,
    pub(crate) value: Option<T>,
}

/// See the module.
///
/// It has lines of the cache of its own, and what the quick way touches is in the first: while the word of
/// the lock is taken and freed beside values, a message costs 6 to 12 % more.
#[repr(C, align(64))]
pub(crate) struct State<T, S> {
    /// How many values the store may have for one more to be put without a look at anything else; none
    /// if that may not be: see [`reckon`](Self::reckon).
    quick_room: usize,
    /// How many values the store must have more than for one to be taken without a look at anything
    /// else: none, or more than there are if that may not be.
    quick_rest: usize,
    /// How many values came.
    entered: u64,
    store: S,
    /// How many values the store may hold; `usize::MAX` for no bound.
    capacity: usize,
    /// Places that were promised and not used.
    promised: usize,
    /// Values that waiters were given and have not seen: they may come back.
    given: usize,
    /// Who waits for a place.
    puts: Line,
    /// Who waits for a value.
    gets: Line,
    /// Who waits until all is done.
    joins: Line,
    waiters: Waiters<T>,
    closed: bool,
    /// Nobody is left to take anything.
    deaf: bool,
    /// How many of those that came are done with.
    done: u64,
    value: PhantomData<T>,
}

impl<T, S: Store<T>> State<T, S> {
    pub(crate) fn new(capacity: usize) -> Self {
        let room = if capacity == usize::MAX { 0 } else { capacity };
        let mut state = Self {
            quick_room: 0,
            quick_rest: usize::MAX,
            store: S::with_room(room),
            capacity,
            promised: 0,
            given: 0,
            puts: Line::new(),
            gets: Line::new(),
            joins: Line::new(),
            waiters: Waiters::new(),
            closed: false,
            deaf: false,
            entered: 0,
            done: 0,
            value: PhantomData,
        };
        state.reckon();
        state
    }

    /// Reckons whether values may be put and taken the quick way: while nobody waits, nothing is over and
    /// nothing came back, they only go into the store and out of it.
    ///
    /// To be called when anything but that was done.
    #[inline]
    pub(crate) fn reckon(&mut self) {
        let quick = self.store.is_plain()
            && !self.closed
            && self.puts.is_empty()
            && self.gets.is_empty()
            && self.capacity > 0;
        (self.quick_room, self.quick_rest) = match quick {
            true => (self.capacity.saturating_sub(self.promised), 0),
            false => (0, usize::MAX),
        };
    }

    /// Puts a value the quick way, if that may be.
    #[inline(always)]
    pub(crate) fn quick_put(&mut self, value: T) -> Result<(), T> {
        if self.store.plain_len() >= self.quick_room {
            return Err(value);
        }
        self.entered += 1;
        self.store.push(value);
        Ok(())
    }

    /// Takes a value the quick way, if that may be.
    #[inline(always)]
    pub(crate) fn quick_get(&mut self) -> Option<T> {
        if self.store.plain_len() <= self.quick_rest {
            return None;
        }
        self.store.pop_plain()
    }

    pub(crate) fn len(&self) -> usize {
        self.store.len()
    }

    pub(crate) const fn capacity(&self) -> usize {
        self.capacity
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether no value will ever come any more.
    pub(crate) fn is_over(&self) -> bool {
        let promised = self.promised > 0 && !fault("a_promise_does_not_outlive_close");
        let given = self.given > 0 && !fault("a_value_that_may_come_back_does_not_count");
        self.closed && !promised && !given && self.store.len() == 0
    }

    /// Whether a place is free, the line left aside.
    #[inline]
    pub(crate) fn has_room(&self) -> bool {
        match self.capacity {
            0 => self.gets.len() > self.promised,
            capacity => self.store.len() + self.promised < capacity,
        }
    }

    /// Puts a value, for which there is a place.
    #[inline]
    fn place(&mut self, value: T) -> Option<Waker> {
        let order = self.entered;
        self.entered += 1;
        if self.gets.is_empty() || fault("a_value_is_stored_beside_a_waiter") {
            self.store.push(value);
            return None;
        }
        self.give(order, value)
    }

    /// Gives a value to the first in the line for values; there is one.
    #[inline]
    fn give(&mut self, order: u64, value: T) -> Option<Waker> {
        let waiter = self.gets.pop(&mut self.waiters).expect("somebody waits");
        waiter.stage = Stage::Got(order, value);
        self.given += 1;
        waiter.waker.take()
    }

    /// Serves the first who waits for a place, which there is.
    #[inline]
    fn serve_put(&mut self) -> (Option<T>, Option<Waker>) {
        let waiter = self.puts.pop(&mut self.waiters).expect("somebody waits");
        let waker = waiter.waker.take();
        match std::mem::replace(&mut waiter.stage, Stage::Sent) {
            Stage::Put(value) => (Some(value), waker),
            _ => {
                waiter.stage = Stage::Reserved;
                self.promised += 1;
                (None, waker)
            }
        }
    }

    /// Serves the first who waits for a place, if there is one; nobody waits for a value.
    ///
    /// One value has left, so this is all that [`settle`](Self::settle) would do.
    #[inline]
    fn refill(&mut self) -> Option<Waker> {
        if self.puts.is_empty() || !self.has_room() || fault("a_free_place_serves_nobody") {
            return None;
        }
        let (value, waker) = self.serve_put();
        if let Some(value) = value {
            self.store.push(value);
            self.entered += 1;
        }
        waker
    }

    /// Serves those who wait for a place as long as there is one.
    fn settle(&mut self, wakes: &mut Wakes) {
        while !self.puts.is_empty() && self.has_room() {
            let (value, waker) = self.serve_put();
            wakes.add(waker);
            if let Some(value) = value {
                wakes.add(self.place(value));
            }
        }
    }

    /// Puts a value if that is possible at once; gives whom to wake for it.
    #[inline(always)]
    pub(crate) fn try_put(&mut self, value: T) -> Result<Option<Waker>, TrySendError<T>> {
        if self.closed {
            return Err(TrySendError::Closed(value));
        }
        if !self.puts.is_empty() || !self.has_room() {
            return Err(TrySendError::Full(value));
        }
        Ok(self.place(value))
    }

    /// Promises a place if there is one: `Some(true)`; none if it is closed.
    pub(crate) fn try_reserve(&mut self) -> Option<bool> {
        if self.closed {
            return None;
        }
        let free = self.puts.is_empty() && self.has_room();
        if free {
            self.promised += 1;
        }
        Some(free)
    }

    /// Uses a promised place; gives the value back if nobody is left to take it.
    pub(crate) fn commit(&mut self, value: T, wakes: &mut Wakes) -> Result<(), T> {
        self.promised = self.promised.saturating_sub(1);
        if self.deaf {
            return Err(value);
        }
        wakes.add(self.place(value));
        // The place is free again if the value went to one who waited.
        self.settle(wakes);
        self.end_gets(wakes);
        Ok(())
    }

    /// Gives a promised place back.
    pub(crate) fn give_up(&mut self, wakes: &mut Wakes) {
        // Forgotten ones were taken back when the last sender went.
        self.promised = self.promised.saturating_sub(1);
        self.settle(wakes);
        if !fault("a_permit_that_goes_tells_nobody") {
            self.end_gets(wakes);
        }
    }

    /// Takes a value if there is one; gives whom to wake for it.
    #[inline(always)]
    pub(crate) fn try_get(&mut self) -> Result<(T, Option<Waker>), TryRecvError> {
        if let Some(value) = self.store.pop() {
            return Ok((value, self.refill()));
        }
        // Those who wait for values come before, also if their places are promised to others.
        if self.capacity == 0 && self.gets.is_empty() {
            if let Some(taken) = self.take_from_a_waiter() {
                return Ok(taken);
            }
        }
        Err(match self.is_over() {
            true => TryRecvError::Closed,
            false => TryRecvError::Empty,
        })
    }

    /// At a rendezvous: takes the value of the first who waits to put one.
    #[inline(never)]
    fn take_from_a_waiter(&mut self) -> Option<(T, Option<Waker>)> {
        let mut next = self.puts.front();
        while let Some(key) = next {
            if matches!(self.waiters[key].stage, Stage::Put(_)) {
                self.puts.remove(&mut self.waiters, key);
                let waiter = &mut self.waiters[key];
                let stage = std::mem::replace(&mut waiter.stage, Stage::Sent);
                if let Stage::Put(value) = stage {
                    self.entered += 1;
                    return Some((value, waiter.waker.take()));
                }
            }
            // It has no value yet.
            next = Line::behind(&self.waiters, key);
        }
        None
    }

    /// Adds a waiter to its line; it may be served at once, so its stage has to be looked at.
    pub(crate) fn wait(&mut self, stage: Stage<T>, waker: Waker, wakes: &mut Wakes) -> usize {
        let key = self.line_up(stage, waker);
        if self.capacity == 0 && !fault("one_who_waits_is_no_place") {
            // One who waits for a value is a place.
            self.settle(wakes);
        }
        key
    }

    /// The same where nobody is served by it: if there is a capacity.
    #[inline]
    pub(crate) fn line_up(&mut self, stage: Stage<T>, waker: Waker) -> usize {
        let line = match stage {
            Stage::Put(_) | Stage::Reserve => &mut self.puts,
            Stage::Join => &mut self.joins,
            _ => &mut self.gets,
        };
        let key = self.waiters.insert(stage, waker);
        line.push(&mut self.waiters, key);
        key
    }

    /// Whether the waiter is in a line.
    fn waits(&self, key: usize) -> bool {
        use Stage::{Get, Join, Put, Reserve};
        matches!(self.waiters[key].stage, Put(_) | Reserve | Get | Join)
    }

    /// Whether the waiter, which is in a line, would wake `waker`.
    pub(crate) fn is_known(&self, key: usize, waker: &Waker) -> bool {
        let known = self.waiters[key].waker.as_ref();
        known.is_some_and(|known| known.will_wake(waker))
    }

    /// The waker of a waiter in a line.
    pub(crate) fn waker_of(&mut self, key: usize) -> &mut Option<Waker> {
        &mut self.waiters[key].waker
    }

    /// Takes a waiter away, unless it is in a line, and gives its stage.
    ///
    /// If that was a value, it will not come back: whether it [was the last](Self::may_be_over) that
    /// others waited for has to be looked at.
    #[inline]
    pub(crate) fn finish(&mut self, key: usize) -> Option<Stage<T>> {
        if self.waits(key) {
            return None;
        }
        let (stage, waker) = self.waiters.remove(key);
        debug_assert!(waker.is_none(), "it was served");
        if let Stage::Got(..) = stage {
            self.given -= 1;
        }
        Some(stage)
    }

    /// Takes a waiter away if its value was put, and it has its turn no more.
    #[inline(always)]
    pub(crate) fn finish_sent(&mut self, key: usize) -> bool {
        let sent = matches!(self.waiters[key].stage, Stage::Sent);
        if sent {
            self.waiters.free(key);
        }
        sent
    }

    /// Takes a waiter away if it was given a value, and others need not be told.
    #[inline(always)]
    pub(crate) fn finish_got(&mut self, key: usize) -> Option<T> {
        let waiter = &mut self.waiters[key];
        if self.closed || !matches!(waiter.stage, Stage::Got(..)) {
            return None;
        }
        let Stage::Got(_, value) = std::mem::replace(&mut waiter.stage, Stage::Idle) else {
            return None;
        };
        self.waiters.free(key);
        self.given -= 1;
        Some(value)
    }

    /// Whether those who wait for values may have to be [told](Self::end_gets) that none will come.
    #[inline]
    pub(crate) fn may_be_over(&self) -> bool {
        self.closed && !fault("the_last_value_that_is_seen_ends_nothing")
    }

    /// Takes the value that a waiter was given, and leaves the waiter idle; it leaves its line as well.
    pub(crate) fn take_over(
        &mut self,
        key: usize,
        wakes: &mut Wakes,
    ) -> (Option<T>, Option<Waker>) {
        match std::mem::replace(&mut self.waiters[key].stage, Stage::Idle) {
            Stage::Got(_, value) => {
                self.given -= 1;
                self.end_gets(wakes);
                (Some(value), None)
            }
            Stage::Get => {
                self.gets.remove(&mut self.waiters, key);
                (None, self.waiters[key].waker.take())
            }
            other => {
                self.waiters[key].stage = other;
                (None, None)
            }
        }
    }

    /// A waiter goes, whatever its stage: what it was given passes on.
    pub(crate) fn leave(&mut self, key: usize, wakes: &mut Wakes) -> Left<T> {
        match self.waiters[key].stage {
            Stage::Put(_) | Stage::Reserve => self.puts.remove(&mut self.waiters, key),
            Stage::Get => self.gets.remove(&mut self.waiters, key),
            Stage::Join => self.joins.remove(&mut self.waiters, key),
            _ => {}
        }
        let (stage, waker) = self.waiters.remove(key);
        let value = match stage {
            Stage::Got(order, value) => {
                if fault("a_value_that_was_given_is_lost") {
                    return Left {
                        waker,
                        value: Some(value),
                    };
                }
                self.given -= 1;
                match self.gets.is_empty() {
                    true => self.store.give_back(order, value),
                    false => wakes.add(self.give(order, value)),
                }
                None
            }
            Stage::Reserved => {
                if !fault("a_place_that_was_given_is_lost") {
                    self.give_up(wakes);
                }
                None
            }
            Stage::Put(value) | Stage::Refused(value) => Some(value),
            _ => None,
        };
        Left { waker, value }
    }

    /// Takes no more values; those who wait with one get it back.
    pub(crate) fn close(&mut self, wakes: &mut Wakes) -> bool {
        let first = !std::mem::replace(&mut self.closed, true);
        while !fault("close_leaves_those_who_wait_for_a_place") {
            let Some(waiter) = self.puts.pop(&mut self.waiters) else {
                break;
            };
            wakes.add(waiter.waker.take());
            let stage = std::mem::replace(&mut waiter.stage, Stage::Ended);
            if let Stage::Put(value) = stage {
                if !fault("a_value_that_was_refused_is_lost") {
                    waiter.stage = Stage::Refused(value);
                }
            }
        }
        self.end_gets(wakes);
        first
    }

    /// Nobody is left to put anything.
    pub(crate) fn last_sender_went(&mut self, wakes: &mut Wakes) {
        // Their holders borrow a sender, so they were forgotten.
        self.promised = 0;
        self.close(wakes);
    }

    /// Nobody is left to take anything; gives what nobody took.
    pub(crate) fn last_receiver_went(&mut self, wakes: &mut Wakes) -> Vec<T> {
        self.deaf = true;
        self.close(wakes);
        if fault("values_are_kept_for_nobody") {
            return Vec::new();
        }
        self.clear(wakes)
    }

    /// Tells those who wait for values if none will come.
    pub(crate) fn end_gets(&mut self, wakes: &mut Wakes) {
        if !self.is_over() || fault("the_end_is_told_to_nobody") {
            return;
        }
        while let Some(waiter) = self.gets.pop(&mut self.waiters) {
            waiter.stage = Stage::Ended;
            wakes.add(waiter.waker.take());
        }
    }

    /// Takes all values out, also those that waiters were given and have not seen: they count as done.
    pub(crate) fn clear(&mut self, wakes: &mut Wakes) -> Vec<T> {
        let mut values = Vec::with_capacity(self.store.len());
        while let Some(value) = self.store.pop() {
            values.push(value);
        }
        for stage in self.waiters.stages() {
            match std::mem::replace(stage, Stage::Ended) {
                Stage::Got(_, value) => {
                    self.given -= 1;
                    values.push(value);
                }
                other => *stage = other,
            }
        }
        self.done += values.len() as u64;
        self.settle(wakes);
        self.end_gets(wakes);
        self.end_joins(wakes);
        values
    }

    /// How many values came and are not done with.
    pub(crate) const fn unfinished(&self) -> u64 {
        self.entered - self.done
    }

    /// One more is done with; false if all were.
    pub(crate) fn task_done(&mut self, wakes: &mut Wakes) -> bool {
        if self.unfinished() == 0 {
            return false;
        }
        self.done += 1;
        self.end_joins(wakes);
        true
    }

    fn end_joins(&mut self, wakes: &mut Wakes) {
        if self.unfinished() > 0 {
            return;
        }
        while let Some(waiter) = self.joins.pop(&mut self.waiters) {
            waiter.stage = Stage::Ended;
            wakes.add(waiter.waker.take());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::store::Fifo;
    use super::*;

    type Numbers = State<u32, Fifo<u32>>;

    fn waits(state: &mut Numbers, stage: Stage<u32>) -> usize {
        state.wait(stage, Waker::noop().clone(), &mut Wakes::default())
    }

    #[test]
    fn at_a_rendezvous_nobody_overtakes_one_whose_place_was_promised() {
        let (mut state, wakes) = (Numbers::new(0), &mut Wakes::default());
        let first = waits(&mut state, Stage::Get);
        assert_eq!(state.try_reserve(), Some(true));
        waits(&mut state, Stage::Put(1));
        assert_eq!(
            state.try_get().map(|(value, _)| value),
            Err(TryRecvError::Empty)
        );
        // One more who waits is one more place, and the value is for the first.
        let second = waits(&mut state, Stage::Get);
        assert!(matches!(state.finish(first), Some(Stage::Got(0, 1))));
        assert_eq!(state.commit(2, wakes), Ok(()));
        let stage = state.finish(second);
        assert!(matches!(stage, Some(Stage::Got(1, 2))));
    }
}
