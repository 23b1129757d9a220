//! The table of the tasks that wait: a place for each, by whose number the task leaves it.
//!
//! A place is one word, since each parked task pays for it. Free places are given out again, the last
//! first, so the table is as large as the most tasks that ever waited at once, until none does: then a
//! large one gives its memory back.

use kumi_core::runtime::Task;

/// A table that has become empty gives its memory back if it has more places than this.
const KEPT: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(crate) struct Live {
    places: Vec<Option<Task>>,
    free: Vec<u32>,
}

impl Live {
    pub(crate) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Whether it differs from a new one.
    pub(crate) fn was_used(&self) -> bool {
        self.places.capacity() > 0 || self.free.capacity() > 0
    }

    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.places.len() == self.free.len()
    }

    /// Takes the task in, which remembers its number as its tag.
    #[inline]
    pub(crate) fn insert(&mut self, task: Task) {
        if let Some(number) = self.free.pop() {
            task.set_tag(number);
            self.places[number as usize] = Some(task);
            return;
        }
        let number = u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        assert!(number != u32::MAX, "fewer than 2^32 - 1 tasks wait");
        task.set_tag(number);
        self.places.push(Some(task));
    }

    /// Takes the task with this number out, for the caller to drop.
    #[inline]
    pub(crate) fn remove(&mut self, number: u32) -> Option<Task> {
        let task = self.places.get_mut(number as usize)?.take()?;
        self.free.push(number);
        if self.places.len() > KEPT && self.is_empty() {
            *self = Self::new();
        }
        Some(task)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Task> {
        self.places.iter().flatten()
    }
}

impl IntoIterator for Live {
    type Item = Task;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<Option<Task>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.places.into_iter().flatten()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use kumi_core::task::SpawnExt;

    use super::*;
    use crate::Loop;

    #[test]
    fn a_place_is_one_word() {
        assert_eq!(size_of::<Option<Task>>(), size_of::<usize>());
    }

    #[test]
    fn places_are_given_out_again_and_a_large_table_goes_when_it_is_empty() {
        let lp = Loop::new().expect("the loop starts");
        let task = || lp.spawn(std::future::pending::<()>()).task();
        let mut live = Live::new();
        let taken = |live: &Live| {
            let places = (0..).zip(&live.places);
            let taken = places.filter(|(_, task)| task.is_some());
            taken.map(|(number, _)| number).collect::<Vec<u32>>()
        };
        for count in [4, KEPT + 1] {
            (0..count).for_each(|_| live.insert(task()));
            assert!(live.remove(1).is_some());
            assert!(live.remove(1).is_none(), "it is free");
            assert!(live.remove(2).is_some());
            assert!(live.remove(u32::MAX).is_none(), "there never was one");
            live.insert(task());
            let mut expected: Vec<_> = (0..count as u32).collect();
            expected.remove(1);
            assert_eq!(taken(&live), expected);
            assert_eq!(live.iter().count(), expected.len());
            for number in expected {
                assert!(!live.is_empty());
                assert!(live.remove(number).is_some());
            }
            assert!(live.is_empty());
            let places = if count > KEPT { 0 } else { count };
            assert_eq!((live.places.len(), live.free.len()), (places, places));
        }
    }
}
