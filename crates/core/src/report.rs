//! What went wrong where no caller is left to be told.
//!
//! Nothing is lost in silence: a panic that nobody joins, a destructor that panics, a task that
//! its runtime drops before it has ended, a task that does not end within the grace period of a
//! run. Each becomes one [`Report`], handed to the hook of the process.
//! The default hook writes one line to standard error; [`set_hook`] replaces it (a logger, a test
//! that counts).
//!
//! The source of the idea is asyncio's loop exception handler ("Task exception was never
//! retrieved", "Task was destroyed but it is pending").

use std::fmt;
use std::panic::Location;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use crate::debug::TaskTree;
use crate::runtime::TaskInfo;
use crate::util::discard;

/// One thing that would otherwise be lost.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Report {
    /// A task panicked, and its handle was gone or was dropped without being awaited.
    PanicNotJoined {
        /// The task.
        task: TaskInfo,
        /// The text of the panic.
        message: String,
    },
    /// The destructor of a task's future or of its output panicked; the panic was contained.
    PanicInDrop {
        /// The task.
        task: TaskInfo,
        /// The text of the panic.
        message: String,
    },
    /// A runtime dropped a task before it had ended.
    TaskLost {
        /// The task.
        task: TaskInfo,
    },
    /// A task outlived the grace period at the end of a run.
    NotEnded {
        /// The task.
        task: TaskInfo,
        /// How long the run waited for it.
        grace: Duration,
    },
    /// A task that was [shielded](crate::task::try_shield) or
    /// [detached](crate::task::SpawnExt::spawn_detached) returned an error, and nobody took it.
    ErrorNotTaken {
        /// The task.
        task: Option<TaskInfo>,
        /// The error.
        message: String,
    },
    /// Errors of a group's tasks that nobody was given: its future was dropped, or a panic went on
    /// in their place.
    GroupErrorsLost {
        /// Where the group was made.
        location: &'static Location<'static>,
        /// How many.
        count: usize,
    },
    /// A clean-up panicked while another panic or a value was on its way to whoever waits.
    PanicInCleanUp {
        /// The task in which it ran, if it was one.
        task: Option<TaskInfo>,
        /// The text of the panic.
        message: String,
    },
    /// The waker of somebody who waited panicked when it was woken or dropped.
    PanicInWaker {
        /// The text of the panic.
        message: String,
    },
    /// A clean-up failed where nobody could be given its error.
    CleanUpFailed {
        /// The task in which it ran, if it was one.
        task: Option<TaskInfo>,
        /// The error.
        message: String,
    },
    /// A clean-up did not run, or not to its end: its future was dropped from outside, or the grace
    /// period was over.
    CleanUpLost {
        /// Which kind of region it belonged to, such as `finally`.
        region: &'static str,
        /// Where the region was made.
        location: &'static Location<'static>,
        /// It had begun.
        begun: bool,
        /// The grace period was over; otherwise the future was dropped from outside.
        over: bool,
    },
    /// A poll took long, in [debug mode](crate::debug).
    SlowPoll {
        /// The task, if it was one and not main.
        task: Option<TaskInfo>,
        /// How long it took.
        took: Duration,
    },
    /// A poll has not returned for long, and blocks its thread; in [debug mode](crate::debug).
    PollBlocked {
        /// The task, if it is one and not main.
        task: Option<TaskInfo>,
        /// How long it has been going on.
        since: Duration,
        /// The name of the thread.
        thread: String,
    },
    /// A future of Kumi's was dropped and had never been polled, so it has done nothing; in
    /// [debug mode](crate::debug).
    NeverPolled {
        /// The function that made it, such as `gather`.
        what: &'static str,
        /// Where it was made.
        location: &'static Location<'static>,
    },
    /// Tasks wait for the ends of one another, in a circle; in [debug mode](crate::debug).
    JoinCycle {
        /// The tasks, each waiting for the next, and the last for the first.
        tasks: Vec<TaskInfo>,
    },
    /// A loop has nothing left to wait for but its tasks; in [debug mode](crate::debug).
    Deadlock {
        /// Who waits for what.
        tasks: TaskTree,
    },
    /// The system gave no thread for blocking work. The work waits, and the thread is asked for again;
    /// this is reported once until it was given.
    ThreadNotStarted {
        /// The name that the thread was to have.
        thread: Arc<str>,
        /// What the system said.
        message: String,
    },
    /// A thread of a pool that was closed still runs its closure at the end of the time it had.
    ThreadNotEnded {
        /// The name of the thread.
        thread: Arc<str>,
        /// What it runs.
        task: TaskInfo,
        /// How long it was waited for.
        limit: Duration,
    },
    /// A future that is bound to its thread was given up on another thread.
    ///
    /// It is leaked: running its destructor there would be unsound.
    LocalLeaked {
        /// The task.
        task: TaskInfo,
    },
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::PanicNotJoined { task, message } => {
                write!(f, "{task} panicked and nobody joined it: {message}")
            }
            Self::PanicInDrop { task, message } => {
                write!(f, "a destructor of {task} panicked: {message}")
            }
            Self::TaskLost { task } => {
                write!(f, "{task} was dropped by its runtime before it had ended")
            }
            Self::NotEnded { task, grace } => {
                write!(f, "{task} did not end within the grace period of {grace:?}")
            }
            Self::ErrorNotTaken { task, message } => {
                write!(f, "nobody took the error{}: {message}", Of(task))
            }
            Self::GroupErrorsLost { location, count } => {
                write!(
                    f,
                    "{count} error(s) of the task group at {location} were given to nobody"
                )
            }
            Self::PanicInCleanUp { task, message } => {
                write!(f, "a clean-up{} panicked: {message}", Of(task))
            }
            Self::PanicInWaker { message } => write!(f, "a waker panicked: {message}"),
            Self::CleanUpFailed { task, message } => {
                write!(f, "a clean-up{} failed: {message}", Of(task))
            }
            Self::CleanUpLost {
                region,
                location,
                begun,
                over,
            } => write!(
                f,
                "the clean-up of `{region}` at {location} {}: {}",
                if *begun { "was cut" } else { "did not run" },
                match over {
                    true => "the grace period was over",
                    false => "the future was dropped from outside",
                }
            ),
            Self::SlowPoll { task, took } => write!(f, "{}: a poll took {took:?}", Who(task)),
            Self::PollBlocked {
                task,
                since,
                thread,
            } => write!(
                f,
                "{} has been in one poll for {since:?}, and blocks the thread `{thread}`",
                Who(task)
            ),
            Self::NeverPolled { what, location } => write!(
                f,
                "the future of `{what}`, made at {location}, was dropped and had never been polled"
            ),
            Self::JoinCycle { tasks } => {
                f.write_str("tasks wait for one another in a circle:")?;
                let after = tasks.iter().cycle().skip(1);
                for (task, next) in tasks.iter().zip(after) {
                    write!(f, "\n  {task} waits for task {}", next.id())?;
                }
                Ok(())
            }
            Self::Deadlock { tasks } => {
                f.write_str(
                    "nothing can run, no timer is set, and no descriptor and no blocking closure is \
                     waited for; unless another thread wakes one of these, they wait for ever:",
                )?;
                let tasks = tasks.to_string();
                tasks.lines().try_for_each(|line| write!(f, "\n  {line}"))
            }
            Self::ThreadNotStarted { thread, message } => write!(
                f,
                "the system gives no thread for blocking work (`{thread}`), which waits: {message}"
            ),
            Self::ThreadNotEnded {
                thread,
                task,
                limit,
            } => write!(
                f,
                "the thread `{thread}` of a closed pool still runs {task} after {limit:?}"
            ),
            Self::LocalLeaked { task } => write!(
                f,
                "{task} is bound to its thread and was given up on another one; it is leaked"
            ),
        }
    }
}

/// "task 7", or "main".
struct Who<'a>(&'a Option<TaskInfo>);

impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(task) => task.fmt(f),
            None => f.write_str("main"),
        }
    }
}

/// " of task 7", if there is one.
struct Of<'a>(&'a Option<TaskInfo>);

impl fmt::Display for Of<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(task) => write!(f, " of {task}"),
            None => Ok(()),
        }
    }
}

type Hook = Arc<dyn Fn(&Report) + Send + Sync>;

static HOOK: RwLock<Option<Hook>> = RwLock::new(None);

/// Replaces the hook of the process by `hook`.
///
/// The hook is called on the thread where the thing happened, outside every lock of core.
/// A hook that panics is ignored for that report.
///
/// # Examples
///
/// ```
/// kumi_core::report::set_hook(|report| eprintln!("[my service] {report}"));
/// kumi_core::report::reset_hook();
/// ```
pub fn set_hook(hook: impl Fn(&Report) + Send + Sync + 'static) {
    let old = replace(Some(Arc::new(hook)));
    drop(old);
}

/// Puts the default hook back, which writes one line to standard error.
pub fn reset_hook() {
    let old = replace(None);
    drop(old);
}

fn replace(hook: Option<Hook>) -> Option<Hook> {
    let mut slot = HOOK.write().unwrap_or_else(PoisonError::into_inner);
    std::mem::replace(&mut *slot, hook)
}

/// Hands `report` to the hook.
pub(crate) fn report(report: &Report) {
    let hook = HOOK.read().unwrap_or_else(PoisonError::into_inner).clone();
    let call = || match &hook {
        Some(hook) => hook(report),
        None => eprintln!("kumi: {report}"),
    };
    // A failing hook must not take the runtime with it.
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call)) {
        discard(panic);
    }
}
