//! Local tasks: one `LocalSet` per thread and runtime.
//!
//! Made by the first `block_on` on the thread, kept for the next, and dropped with the thread or by a
//! shutdown on it.

use std::cell::RefCell;
use std::rc::Rc;

use tokio::task::LocalSet;

thread_local! {
    /// The sets of this thread, by the number of their runtime.
    static SETS: RefCell<Vec<(u64, Rc<LocalSet>)>> = const { RefCell::new(Vec::new()) };
}

/// The set of runtime `id` on this thread, made if there is none.
pub(crate) fn get_or_make(id: u64) -> Rc<LocalSet> {
    if let Some(set) = get(id) {
        return set;
    }
    let set = Rc::new(LocalSet::new());
    SETS.with(|sets| sets.borrow_mut().push((id, Rc::clone(&set))));
    set
}

/// The set of runtime `id` on this thread.
pub(crate) fn get(id: u64) -> Option<Rc<LocalSet>> {
    SETS.with(|sets| {
        let sets = sets.borrow();
        sets.iter()
            .find(|(number, _)| *number == id)
            .map(|(_, set)| Rc::clone(set))
    })
}

/// Drops the set of runtime `id` on this thread, and its tasks with it.
pub(crate) fn remove(id: u64) {
    let set = SETS.try_with(|sets| {
        let mut sets = sets.borrow_mut();
        let place = sets.iter().position(|(number, _)| *number == id)?;
        Some(sets.swap_remove(place))
    });
    // Destructors of tasks are foreign code: outside of the borrow.
    drop(set);
}
