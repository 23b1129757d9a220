//! Who waits, in order: lines of waiters that are linked by their numbers in one slab.

use std::task::Waker;

use slab::Slab;

/// No waiter.
const NONE: usize = usize::MAX;

/// How far a waiter is.
pub(crate) enum Stage<T> {
    /// In the line for a place, with its value.
    Put(T),
    /// In the line for a place that it will use later.
    Reserve,
    /// In the line for a value.
    Get,
    /// In the line of those who wait until all is done.
    Join,
    /// In no line: its value was put.
    Sent,
    /// In no line: it has a place.
    Reserved,
    /// In no line: it was given a value, and the value's number among those given away.
    Got(u64, T),
    /// In no line: closed before its value was put.
    Refused(T),
    /// In no line: there is nothing to wait for any more.
    Ended,
    /// In no line, and it was given nothing: it has to ask again.
    Idle,
}

/// One who waits, or was served and has not seen it yet.
pub(crate) struct Waiter<T> {
    pub(crate) stage: Stage<T>,
    /// Some until it is taken to wake the waiter.
    pub(crate) waker: Option<Waker>,
    before: usize,
    after: usize,
}

impl<T> Waiter<T> {
    pub(crate) fn new(stage: Stage<T>, waker: Waker) -> Self {
        Self {
            stage,
            waker: Some(waker),
            before: NONE,
            after: NONE,
        }
    }
}

/// All waiters of a channel, by number.
pub(crate) type Waiters<T> = Slab<Waiter<T>>;

/// A line of waiters, the one that came first in front.
///
/// A waiter is in one line at most; those that are in one are alive in the slab.
#[derive(Debug)]
pub(crate) struct Line {
    front: usize,
    back: usize,
    len: usize,
}

impl Line {
    pub(crate) const fn new() -> Self {
        Self {
            front: NONE,
            back: NONE,
            len: 0,
        }
    }

    #[inline]
    pub(crate) const fn is_empty(&self) -> bool {
        self.len == 0
    }

    #[inline]
    pub(crate) const fn len(&self) -> usize {
        self.len
    }

    /// The one in front.
    #[inline]
    pub(crate) fn front(&self) -> Option<usize> {
        (self.front != NONE).then_some(self.front)
    }

    /// The one behind `key`.
    pub(crate) fn behind<T>(waiters: &Waiters<T>, key: usize) -> Option<usize> {
        let after = waiters[key].after;
        (after != NONE).then_some(after)
    }

    /// Puts `key` at the end.
    pub(crate) fn push<T>(&mut self, waiters: &mut Waiters<T>, key: usize) {
        let last = std::mem::replace(&mut self.back, key);
        let waiter = &mut waiters[key];
        (waiter.before, waiter.after) = (last, NONE);
        match last {
            NONE => self.front = key,
            last => waiters[last].after = key,
        }
        self.len += 1;
    }

    /// Takes `key` out, which is in this line.
    pub(crate) fn remove<T>(&mut self, waiters: &mut Waiters<T>, key: usize) {
        let waiter = &mut waiters[key];
        let (before, after) = (waiter.before, waiter.after);
        (waiter.before, waiter.after) = (NONE, NONE);
        match before {
            NONE => self.front = after,
            before => waiters[before].after = after,
        }
        match after {
            NONE => self.back = before,
            after => waiters[after].before = before,
        }
        self.len -= 1;
    }
}
