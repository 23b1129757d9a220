//! Who waits, in order: lines of waiters that are linked by their numbers in one slab.
//!
//! The slab is our own for the sake of its hot paths: a waiter comes, is served and goes in place, and
//! nothing is moved but its value.

use std::ops::{Index, IndexMut};
use std::task::Waker;

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

/// All waiters of a channel, by number.
pub(crate) struct Waiters<T> {
    /// Those that went are [`Stage::Idle`], without a waker, and linked by `after`.
    all: Vec<Waiter<T>>,
    /// The first of those that went.
    free: usize,
}

impl<T> Waiters<T> {
    pub(crate) const fn new() -> Self {
        Self {
            all: Vec::new(),
            free: NONE,
        }
    }

    /// Adds one, which is in no line, and gives its number.
    #[inline]
    pub(crate) fn insert(&mut self, stage: Stage<T>, waker: Waker) -> usize {
        let key = self.free;
        match self.all.get_mut(key) {
            Some(free) => {
                self.free = free.after;
                free.stage = stage;
                free.waker = Some(waker);
                key
            }
            None => self.insert_new(stage, waker),
        }
    }

    #[cold]
    fn insert_new(&mut self, stage: Stage<T>, waker: Waker) -> usize {
        self.all.push(Waiter {
            stage,
            waker: Some(waker),
            before: NONE,
            after: NONE,
        });
        self.all.len() - 1
    }

    /// Takes one away, which is in no line, and gives its stage and its waker.
    #[inline]
    pub(crate) fn remove(&mut self, key: usize) -> (Stage<T>, Option<Waker>) {
        self.free(key);
        let gone = &mut self.all[key];
        let stage = std::mem::replace(&mut gone.stage, Stage::Idle);
        (stage, gone.waker.take())
    }

    /// Takes one away that was served and whose stage has no value.
    #[inline]
    pub(crate) fn free(&mut self, key: usize) {
        self.all[key].after = std::mem::replace(&mut self.free, key);
    }

    /// The stages of all, and of some that went.
    pub(crate) fn stages(&mut self) -> impl Iterator<Item = &mut Stage<T>> {
        self.all.iter_mut().map(|waiter| &mut waiter.stage)
    }
}

impl<T> Index<usize> for Waiters<T> {
    type Output = Waiter<T>;

    #[inline]
    fn index(&self, key: usize) -> &Waiter<T> {
        &self.all[key]
    }
}

impl<T> IndexMut<usize> for Waiters<T> {
    #[inline]
    fn index_mut(&mut self, key: usize) -> &mut Waiter<T> {
        &mut self.all[key]
    }
}

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
    #[inline]
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

    /// Takes the one in front out.
    #[inline]
    pub(crate) fn pop<'a, T>(&mut self, waiters: &'a mut Waiters<T>) -> Option<&'a mut Waiter<T>> {
        let key = self.front()?;
        let after = waiters[key].after;
        self.front = after;
        match after {
            NONE => self.back = NONE,
            after => waiters[after].before = NONE,
        }
        self.len -= 1;
        Some(&mut waiters[key])
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
