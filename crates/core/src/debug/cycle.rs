//! Tasks that wait for the ends of one another, in a circle.

use std::collections::BTreeMap;

use super::registry::Entry;
use super::tree::TaskState;
use super::wait::WaitsFor;
use crate::runtime::{TaskId, TaskInfo};

/// Longer circles are not found: a chain of tasks is looked through at each poll that ends with a join.
const LONGEST: usize = 64;

/// The circle that the task `start` is in, beginning with it; each waits for the next and for nothing
/// else that is known.
///
/// A circle is closed by the last of its tasks that begins to wait, so it is enough to look from that one.
pub(super) fn find(tasks: &BTreeMap<TaskId, Entry>, start: TaskId) -> Option<Vec<TaskInfo>> {
    let mut circle = Vec::new();
    let mut next = start;
    // A path may lead into a circle that `start` is not in.
    while circle.len() < LONGEST {
        let entry = tasks.get(&next)?;
        circle.push(entry.info.clone());
        next = only_task(entry)?.id();
        if next == start {
            return Some(circle);
        }
    }
    None
}

/// The task that this one waits for, if it waits for nothing else.
pub(super) fn only_task(entry: &Entry) -> Option<&TaskInfo> {
    match entry.waits.as_slice() {
        [WaitsFor::Task(task)] if entry.state == TaskState::Waiting => Some(task),
        _ => None,
    }
}
