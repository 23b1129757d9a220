//! What a task waits for, told by whoever makes it wait.

use std::fmt;
use std::time::Instant;

use super::{is_debug, registry};
use crate::runtime::TaskInfo;

/// What a task, or main, waits for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum WaitsFor {
    /// The end of a task.
    Task(TaskInfo),
    /// A point in time.
    Sleep(Instant),
    /// Something else, in words: "an item of a channel".
    Other(&'static str),
}

impl fmt::Display for WaitsFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Task(task) => {
                write!(f, "task {}", task.id())?;
                task.name().map_or(Ok(()), |name| write!(f, " `{name}`"))
            }
            Self::Sleep(_) => f.write_str("a sleep"),
            Self::Other(what) => f.write_str(what),
        }
    }
}

/// Notes what the poll that is going on on this thread waits for; called by whoever is about to return
/// "pending".
///
/// For primitives: a lock, a channel, a sleep. Does nothing, and does not call `wait`, unless debug mode
/// is on. The notes of a poll replace those of the task's poll before; so of a task that waits
/// for many things through a combinator that polls only what was woken, only these are known.
///
/// # Examples
///
/// ```
/// use kumi_core::debug::{self, WaitsFor};
///
/// debug::note_wait(|| WaitsFor::Other("a permit"));
/// ```
#[inline]
pub fn note_wait(wait: impl FnOnce() -> WaitsFor) {
    if is_debug() {
        registry::note(wait());
    }
}
