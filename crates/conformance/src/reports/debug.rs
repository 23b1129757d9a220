//! Debug mode for one case at a time, and what it reports.

use std::sync::mpsc::Sender;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use kumi_core::debug;
use kumi_core::report::Report;
use kumi_core::runtime::{TaskId, TaskInfo};

use crate::probe::lock;

/// The name of the tasks whose reports are kept: with a limit of zero every poll in the process makes
/// one.
pub(crate) const WATCHED: &str = "a case watches this task";

static FOUND: Mutex<Vec<Report>> = Mutex::new(Vec::new());
static TELL: Mutex<Option<Sender<TaskId>>> = Mutex::new(None);

/// Debug mode is on as long as this lives, and no poll takes too long unless the case says so.
pub(crate) struct Debug {
    _alone: MutexGuard<'static, ()>,
}

impl Debug {
    /// Turns it on when no other case needs it.
    pub(crate) fn on() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = lock(&ALONE);
        no_limits();
        debug::set_debug(true);
        Self { _alone: alone }
    }

    /// What was reported of the task; its name is [`WATCHED`].
    pub(crate) fn of(&self, id: TaskId) -> Vec<Report> {
        let found = lock(&FOUND);
        let of = found.iter().filter(|report| of_task(report) == Some(id));
        of.cloned().collect()
    }

    /// The circles of tasks that the task was reported to be in; their names are [`WATCHED`].
    pub(crate) fn circles_of(&self, id: TaskId) -> Vec<Vec<TaskInfo>> {
        let found = lock(&FOUND);
        let circles = found.iter().filter_map(|report| match report {
            Report::JoinCycle { tasks } => Some(tasks.clone()),
            _ => None,
        });
        let with_it = circles.filter(|tasks| tasks.iter().any(|task| task.id() == id));
        with_it.collect()
    }

    /// Tells when a task is reported to block its thread; its name is [`WATCHED`].
    pub(crate) fn tell_when_blocked(&self, tell: Sender<TaskId>) {
        *lock(&TELL) = Some(tell);
    }
}

impl Drop for Debug {
    fn drop(&mut self) {
        no_limits();
        debug::set_debug(false);
        *lock(&TELL) = None;
    }
}

fn no_limits() {
    debug::set_slow_callback_duration(Duration::MAX);
    debug::set_blocked_after(Duration::MAX);
}

fn of_task(report: &Report) -> Option<TaskId> {
    match report {
        Report::SlowPoll { task, .. } | Report::PollBlocked { task, .. } => {
            task.as_ref().map(TaskInfo::id)
        }
        _ => None,
    }
}

/// Whether it is a report of debug mode; if a case watches its task, it is kept.
pub(super) fn heard(report: &Report) -> bool {
    let is_watched = |task: &TaskInfo| task.name() == Some(WATCHED);
    let keep = match report {
        Report::SlowPoll { task, .. } | Report::PollBlocked { task, .. } => {
            task.as_ref().is_some_and(is_watched)
        }
        Report::JoinCycle { tasks } => tasks.iter().any(is_watched),
        Report::NeverPolled { .. } | Report::Deadlock { .. } => false,
        _ => return false,
    };
    if keep {
        lock(&FOUND).push(report.clone());
        if let (Report::PollBlocked { .. }, Some(id)) = (report, of_task(report)) {
            if let Some(tell) = &*lock(&TELL) {
                let _ = tell.send(id);
            }
        }
    }
    true
}
