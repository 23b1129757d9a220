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
use super::line::{Line, Stage, Waiter, Waiters};
use super::store::Store;
use crate::loom::fault;
use crate::util::wake_contained;

/// Wakers to be woken once the lock is free: nearly always one.
#[derive(Debug, Default)]
pub(crate) struct Wakes {
    first: Option<Waker>,
    rest: Vec<Waker>,
}

impl Wakes {
    #[inline]
    pub(crate) fn add(&mut self, waker: Option<Waker>) {
        match &self.first {
            None => self.first = waker,
            Some(_) => self.rest.extend(waker),
        }
    }
}

impl Wakes {
    /// Wakes them; the lock is free.
    #[inline(always)]
    pub(crate) fn wake(self) {
        if self.first.is_some() {
            wake_contained(self);
        }
    }
}

impl IntoIterator for Wakes {
    type Item = Waker;
    type IntoIter = std::iter::Chain<std::option::IntoIter<Waker>, std::vec::IntoIter<Waker>>;

    #[inline]
    fn into_iter(self) -> Self::IntoIter {
        self.first.into_iter().chain(self.rest)
    }
}

/// What a waiter leaves behind, to be dropped once the lock is free.
pub(crate) struct Left<T> {
    pub(crate) waker: Option<Waker>,
    pub(crate) value: Option<T>,
}

/// See the module.
pub(crate) struct State<T, S> {
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
    /// How many values came.
    entered: u64,
    /// How many of them are done with.
    done: u64,
    value: PhantomData<T>,
}

impl<T, S: Store<T>> State<T, S> {
    pub(crate) fn new(capacity: usize) -> Self {
        let room = if capacity == usize::MAX { 0 } else { capacity };
        Self {
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
        }
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
    #[inline(always)]
    fn place(&mut self, value: T) -> Option<Waker> {
        let order = self.entered;
        let waker = match self.gets.front() {
            Some(key) if !fault("a_value_is_stored_beside_a_waiter") => {
                self.give(key, order, value)
            }
            _ => {
                self.store.push(value);
                None
            }
        };
        self.entered += 1;
        waker
    }

    /// Gives a value to a waiter in the line for values.
    #[inline(never)]
    fn give(&mut self, key: usize, order: u64, value: T) -> Option<Waker> {
        self.gets.remove(&mut self.waiters, key);
        self.given += 1;
        self.serve(key, Stage::Got(order, value)).1
    }

    /// Tells a waiter, which is in no line any more, what became of it; gives its former stage, and its
    /// waker.
    fn serve(&mut self, key: usize, stage: Stage<T>) -> (Stage<T>, Option<Waker>) {
        let waiter = &mut self.waiters[key];
        let waker = waiter.waker.take();
        (std::mem::replace(&mut waiter.stage, stage), waker)
    }

    /// Serves the first who waits for a place, if there is one; nobody waits for a value.
    ///
    /// One value has left, so this is all that [`settle`](Self::settle) would do.
    #[inline(never)]
    fn refill(&mut self) -> Option<Waker> {
        let key = self.puts.front().filter(|_| self.has_room())?;
        if fault("a_free_place_serves_nobody") {
            return None;
        }
        self.puts.remove(&mut self.waiters, key);
        match self.serve(key, Stage::Sent) {
            (Stage::Put(value), waker) => {
                self.store.push(value);
                self.entered += 1;
                waker
            }
            (_, waker) => {
                self.waiters[key].stage = Stage::Reserved;
                self.promised += 1;
                waker
            }
        }
    }

    /// Serves those who wait for a place as long as there is one.
    fn settle(&mut self, wakes: &mut Wakes) {
        while let Some(key) = self.puts.front() {
            if !self.has_room() {
                return;
            }
            self.puts.remove(&mut self.waiters, key);
            let (stage, waker) = self.serve(key, Stage::Sent);
            wakes.add(waker);
            if let Stage::Put(value) = stage {
                wakes.add(self.place(value));
            } else {
                self.waiters[key].stage = Stage::Reserved;
                self.promised += 1;
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
            let waker = match self.puts.is_empty() {
                true => None,
                false => self.refill(),
            };
            return Ok((value, waker));
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
                if let (Stage::Put(value), waker) = self.serve(key, Stage::Sent) {
                    self.entered += 1;
                    return Some((value, waker));
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
    #[inline(never)]
    pub(crate) fn line_up(&mut self, stage: Stage<T>, waker: Waker) -> usize {
        let key = self.waiters.insert(Waiter::new(stage, waker));
        let line = match self.waiters[key].stage {
            Stage::Put(_) | Stage::Reserve => &mut self.puts,
            Stage::Join => &mut self.joins,
            _ => &mut self.gets,
        };
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
    #[inline]
    pub(crate) fn finish(&mut self, key: usize, wakes: &mut Wakes) -> Option<Stage<T>> {
        if self.waits(key) {
            return None;
        }
        let waiter = self.waiters.remove(key);
        debug_assert!(waiter.waker.is_none(), "it was served");
        if let Stage::Got(..) = waiter.stage {
            self.seen(wakes);
        }
        Some(waiter.stage)
    }

    /// A waiter has seen the value that it was given: that will not come back.
    #[inline]
    fn seen(&mut self, wakes: &mut Wakes) {
        self.given -= 1;
        if !fault("the_last_value_that_is_seen_ends_nothing") {
            self.end_gets(wakes);
        }
    }

    /// Takes the value that a waiter was given, and leaves the waiter idle; it leaves its line as well.
    pub(crate) fn take_over(
        &mut self,
        key: usize,
        wakes: &mut Wakes,
    ) -> (Option<T>, Option<Waker>) {
        match std::mem::replace(&mut self.waiters[key].stage, Stage::Idle) {
            Stage::Got(_, value) => {
                self.seen(wakes);
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
        let Waiter { stage, waker, .. } = self.waiters.remove(key);
        let value = match stage {
            Stage::Got(order, value) => {
                if fault("a_value_that_was_given_is_lost") {
                    return Left {
                        waker,
                        value: Some(value),
                    };
                }
                self.given -= 1;
                match self.gets.front() {
                    None => self.store.give_back(order, value),
                    Some(next) => wakes.add(self.give(next, order, value)),
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
        while let Some(key) = self.puts.front() {
            if fault("close_leaves_those_who_wait_for_a_place") {
                break;
            }
            self.puts.remove(&mut self.waiters, key);
            let (stage, waker) = self.serve(key, Stage::Ended);
            wakes.add(waker);
            if let Stage::Put(value) = stage {
                if !fault("a_value_that_was_refused_is_lost") {
                    self.waiters[key].stage = Stage::Refused(value);
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
    fn end_gets(&mut self, wakes: &mut Wakes) {
        if !self.is_over() || fault("the_end_is_told_to_nobody") {
            return;
        }
        while let Some(key) = self.gets.front() {
            self.gets.remove(&mut self.waiters, key);
            wakes.add(self.serve(key, Stage::Ended).1);
        }
    }

    /// Takes all values out, also those that waiters were given and have not seen: they count as done.
    pub(crate) fn clear(&mut self, wakes: &mut Wakes) -> Vec<T> {
        let mut values = Vec::with_capacity(self.store.len());
        while let Some(value) = self.store.pop() {
            values.push(value);
        }
        for (_, waiter) in &mut self.waiters {
            match std::mem::replace(&mut waiter.stage, Stage::Ended) {
                Stage::Got(_, value) => {
                    self.given -= 1;
                    values.push(value);
                }
                other => waiter.stage = other,
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
        while let Some(key) = self.joins.front() {
            if self.unfinished() > 0 {
                return;
            }
            self.joins.remove(&mut self.waiters, key);
            wakes.add(self.serve(key, Stage::Ended).1);
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
        assert!(matches!(state.finish(first, wakes), Some(Stage::Got(0, 1))));
        assert_eq!(state.commit(2, wakes), Ok(()));
        let stage = state.finish(second, wakes);
        assert!(matches!(stage, Some(Stage::Got(1, 2))));
    }
}
