//! What core reported: one hook for the whole process, read by task.
//!
//! Task numbers are unique in the process, so cases that run beside each other do not disturb each
//! other.

use std::sync::{Mutex, Once};

use kumi_core::report::{self, Report};
use kumi_core::runtime::{TaskId, TaskInfo};

use crate::probe::lock;

static SEEN: Mutex<Vec<Report>> = Mutex::new(Vec::new());

/// Takes the hook over, once.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| report::set_hook(|report| lock(&SEEN).push(report.clone())));
}

/// Returns what was reported about the task, in order.
pub(crate) fn of(id: TaskId) -> Vec<Report> {
    let about = |report: &&Report| task(report).is_some_and(|task| task.id() == id);
    lock(&SEEN).iter().filter(about).cloned().collect()
}

/// Returns whom a report is about.
fn task(report: &Report) -> Option<&TaskInfo> {
    match report {
        Report::PanicNotJoined { task, .. }
        | Report::PanicInDrop { task, .. }
        | Report::TaskLost { task }
        | Report::NotEnded { task, .. }
        | Report::LocalLeaked { task } => Some(task),
        Report::PanicInCleanUp { task, .. }
        | Report::CleanUpFailed { task, .. }
        | Report::ErrorNotTaken { task, .. } => task.as_ref(),
        _ => None,
    }
}
