//! Whom to wake once a lock is free.

use std::task::Waker;

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
