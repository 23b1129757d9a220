//! Where values wait to be taken: the order of a channel, a stack or a heap.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

/// Values that were put and not taken.
pub(crate) trait Store<T> {
    /// None, with room for `places` if that is not too much to ask for at once.
    fn with_room(places: usize) -> Self;

    /// Adds a value.
    fn push(&mut self, value: T);

    /// Takes the one that is next.
    fn pop(&mut self) -> Option<T>;

    /// Whether a value only goes in and out: none was given back, and nothing foreign is called.
    fn is_plain(&self) -> bool;

    /// How many there are, while it is [plain](Self::is_plain).
    fn plain_len(&self) -> usize {
        self.len()
    }

    /// Takes the one that is next, while it is [plain](Self::is_plain).
    fn pop_plain(&mut self) -> Option<T> {
        self.pop()
    }

    /// Takes back a value that had left, the one with number `order` of all that were given away.
    fn give_back(&mut self, order: u64, value: T);

    /// How many there are.
    fn len(&self) -> usize;
}

/// More places than these are not taken at once: a channel may be given a huge capacity as a bound that
/// it never reaches.
pub(super) const AT_ONCE: usize = 1 << 16;

/// First in, first out.
#[repr(C)]
pub(crate) struct Fifo<T> {
    values: VecDeque<T>,
    /// Those that were given back: they were before all others, in the order of their numbers.
    returned: VecDeque<(u64, T)>,
}

impl<T> Store<T> for Fifo<T> {
    fn with_room(places: usize) -> Self {
        Self {
            values: VecDeque::with_capacity(places.min(AT_ONCE)),
            returned: VecDeque::new(),
        }
    }

    #[inline]
    fn push(&mut self, value: T) {
        self.values.push_back(value);
    }

    #[inline]
    fn pop(&mut self) -> Option<T> {
        if !self.returned.is_empty() {
            return self.returned.pop_front().map(|(_, value)| value);
        }
        self.values.pop_front()
    }

    #[inline]
    fn is_plain(&self) -> bool {
        self.returned.is_empty()
    }

    #[inline(always)]
    fn plain_len(&self) -> usize {
        self.values.len()
    }

    #[inline(always)]
    fn pop_plain(&mut self) -> Option<T> {
        self.values.pop_front()
    }

    fn give_back(&mut self, order: u64, value: T) {
        let place = self.returned.partition_point(|(other, _)| *other < order);
        self.returned.insert(place, (order, value));
    }

    #[inline]
    fn len(&self) -> usize {
        self.values.len() + self.returned.len()
    }
}

/// Last in, first out.
pub(crate) struct Lifo<T>(Vec<T>);

impl<T> Store<T> for Lifo<T> {
    fn with_room(places: usize) -> Self {
        Self(Vec::with_capacity(places.min(AT_ONCE)))
    }

    fn push(&mut self, value: T) {
        self.0.push(value);
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop()
    }

    fn is_plain(&self) -> bool {
        true
    }

    fn give_back(&mut self, _: u64, value: T) {
        self.0.push(value);
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// The smallest first.
pub(crate) struct Heap<T>(BinaryHeap<Reverse<T>>);

impl<T: Ord> Store<T> for Heap<T> {
    fn with_room(places: usize) -> Self {
        Self(BinaryHeap::with_capacity(places.min(AT_ONCE)))
    }

    fn push(&mut self, value: T) {
        self.0.push(Reverse(value));
    }

    fn pop(&mut self) -> Option<T> {
        self.0.pop().map(|Reverse(value)| value)
    }

    /// It calls the order of its values, which may panic.
    fn is_plain(&self) -> bool {
        false
    }

    fn give_back(&mut self, _: u64, value: T) {
        self.push(value);
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
