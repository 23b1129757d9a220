//! Debug mode, on the simulator: what is reported, and as what text.
//!
//! Nothing here waits for time: limits are zero or never, and what has to last lasts until the report of
//! it has come.

#[path = "debug/finds.rs"]
mod finds;
#[path = "debug/polls.rs"]
mod polls;
#[path = "debug/tree.rs"]
mod tree;

use std::panic::Location;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kumi_core::debug;
use kumi_core::report::{self, Report};
use kumi_core::runtime::TaskId;

/// Never reached.
const NEVER: Duration = Duration::MAX;

#[allow(
    clippy::disallowed_methods,
    reason = "a lock of the test, not of what it tests"
)]
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Debug mode, for one test at a time, and what is reported meanwhile.
struct Debug {
    seen: Arc<Mutex<Vec<Report>>>,
    _alone: MutexGuard<'static, ()>,
}

impl Debug {
    /// Turns it on; no poll is too long.
    #[allow(
        clippy::disallowed_methods,
        reason = "a lock of the test, not of what it tests"
    )]
    fn on() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = lock(&ALONE);
        debug::set_debug(true);
        debug::set_slow_callback_duration(NEVER);
        debug::set_blocked_after(NEVER);
        let seen = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&seen);
        report::set_hook(move |report| lock(&sink).push(report.clone()));
        Self {
            seen,
            _alone: alone,
        }
    }

    /// What was reported, as text.
    fn texts(&self) -> Vec<String> {
        lock(&self.seen).iter().map(Report::to_string).collect()
    }

    fn count(&self, is_it: impl Fn(&Report) -> bool) -> usize {
        lock(&self.seen)
            .iter()
            .filter(|report| is_it(report))
            .count()
    }
}

impl Drop for Debug {
    fn drop(&mut self) {
        report::reset_hook();
        debug::set_debug(false);
        let left = debug::all_tasks();
        if !std::thread::panicking() {
            assert!(left.nodes().is_empty(), "left behind:\n{left}");
        }
    }
}

/// The place of the call, as reports print it.
#[track_caller]
fn here() -> String {
    Location::caller().to_string()
}

/// A line of text with `{}` for the number of the task.
fn of(text: &str, id: TaskId) -> String {
    text.replace("{}", &id.to_string())
}
