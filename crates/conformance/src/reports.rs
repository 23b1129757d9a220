//! What core reported: one hook for the whole process, read by task.
//!
//! What debug mode reports is kept apart: it is on while a case of it runs, and then also for those that run
//! beside it.
//!
//! Task numbers are unique in the process, so cases that run beside each other do not disturb each
//! other.

mod debug;

use std::collections::BTreeMap;
use std::future::Future;
use std::panic::resume_unwind;
use std::sync::{Mutex, Once};
use std::thread::{self, ThreadId};

use kumi_core::report::{self, Report};
use kumi_core::runtime::{TaskId, TaskInfo};

use crate::everywhere;
use crate::probe::lock;

pub(crate) use debug::{Debug, WATCHED};

static SEEN: Mutex<Vec<(ThreadId, Report)>> = Mutex::new(Vec::new());

/// How often each text was reported.
type Texts = Mutex<BTreeMap<String, usize>>;

static PANICS: Texts = Mutex::new(BTreeMap::new());
static ERRORS: Texts = Mutex::new(BTreeMap::new());

/// The message of an error, or of a panic, at whose report the hook panics.
pub(crate) const HOOK_PANICS: &str = "the hook panics when it hears this";

fn says_to_panic(report: &Report) -> bool {
    match report {
        Report::ErrorNotTaken { message, .. } | Report::PanicNotJoined { message, .. } => {
            message == HOOK_PANICS
        }
        _ => false,
    }
}

/// Takes the hook over, once.
pub(crate) fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        report::set_hook(|report| {
            if says_to_panic(report) {
                resume_unwind(Box::new(HOOK_PANICS));
            }
            if !debug::heard(report) && !everywhere::reported(report) {
                count(report);
                lock(&SEEN).push((thread::current().id(), report.clone()));
            }
        });
    });
}

/// Returns what was reported about the task, in order.
pub(crate) fn of(id: TaskId) -> Vec<Report> {
    let about = |report: &Report| task(report).is_some_and(|task| task.id() == id);
    let seen = lock(&SEEN);
    let of = seen.iter().filter(|(_, report)| about(report));
    of.map(|(_, report)| report.clone()).collect()
}

/// Returns what was reported on this thread while `f` ran.
///
/// For what happens on the thread of the case, which no other case uses.
pub(crate) async fn during<T>(f: impl Future<Output = T>) -> (T, Vec<Report>) {
    let here = thread::current().id();
    let seen = || {
        let seen = lock(&SEEN);
        let here = seen.iter().filter(|(thread, _)| *thread == here);
        here.map(|(_, report)| report.clone()).collect::<Vec<_>>()
    };
    let before = seen().len();
    let value = f.await;
    (value, seen().split_off(before))
}

/// Returns the texts of the panics of clean-ups that were reported of the task.
pub(crate) fn of_clean_ups(id: TaskId) -> Vec<String> {
    let text = |report| match report {
        Report::PanicInCleanUp { message, .. } => Some(message),
        _ => None,
    };
    of(id).into_iter().filter_map(text).collect()
}

/// How many reports of panics say this, of whatever task; for texts that are used once.
pub(crate) fn of_panics(text: &str) -> usize {
    lock(&PANICS).get(text).copied().unwrap_or(0)
}

/// How many reports of errors of clean-ups say this, of whatever task; for texts that are used once.
pub(crate) fn of_errors(text: &str) -> usize {
    lock(&ERRORS).get(text).copied().unwrap_or(0)
}

/// Counts what a report says: cases ask for it so often that to look through all would take too long.
fn count(report: &Report) {
    let (texts, text) = match report {
        Report::PanicNotJoined { message, .. }
        | Report::PanicInDrop { message, .. }
        | Report::PanicInCleanUp { message, .. }
        | Report::PanicInWaker { message, .. } => (&PANICS, message),
        Report::CleanUpFailed { message, .. } => (&ERRORS, message),
        _ => return,
    };
    // Some say first where it was.
    let text = text.rsplit(": ").next().unwrap_or(text);
    *lock(texts).entry(text.to_owned()).or_default() += 1;
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
