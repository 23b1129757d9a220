//! Debug mode: what a program does wrong without failing.
//!
//! Off by default, and then it costs nothing but a look at one byte when a task is spawned, and when a
//! future of Kumi's begins to wait. On with
//! the environment variable `KUMI_DEBUG=1`, with [`set_debug`], or with
//! [`Runner::debug`](crate::run::Runner::debug). It holds for the whole process, on every backend, for tasks
//! that are spawned from then on. Everything that it finds goes to the [hook of reports](crate::report),
//! as one [`Report`](crate::report::Report):
//!
//! | what is wrong | as it is printed |
//! |---|---|
//! | a poll takes long | ``task 7 `index`, spawned at src/main.rs:10:5: a poll took 250ms`` |
//! | a poll does not end | ``task 7 `index`, spawned at src/main.rs:10:5 has been in one poll for 5s, and blocks the thread `main` `` |
//! | a future is made, never polled, and dropped | ``the future of `finally`, made at src/main.rs:12:9, was dropped and had never been polled`` |
//! | tasks join one another | `tasks wait for one another in a circle:`, and a line for each |
//! | the own loop has nothing to wait for | `nothing can run, no timer is set, and no descriptor and no blocking closure is waited for; unless another thread wakes one of these, they wait for ever:`, and all tasks |
//!
//! What is lost is reported in any mode: panics, errors of detached tasks, tasks that are dropped by their
//! runtime, clean-ups that do not run. See [`report`](crate::report).
//!
//! [`tasks`] and [`all_tasks`] show who is there, who spawned whom, and who waits for what: a task, a
//! sleep, a channel, a queue, a lock, a socket, a cancel, the children of a group. Futures of others get
//! a name with [`waiting_for`].
//!
//! # What is no mistake
//!
//! A poll of a task or of main is to be short; a blocking closure is not watched. In the simulator a poll
//! takes no virtual time, so real time is what counts there too.
//!
//! A future may be made for later, and be dropped when the code around it is cancelled or panics: that is
//! not reported. A foreign `select!` that drops a branch before it has polled it *is* taken for a mistake.
//! Futures of `gather`, `try_gather`, `race`, `race_ok`, `wait` and `timeout` remember where they were
//! made only in builds with debug assertions; those of [`finally`](crate::cleanup::finally),
//! [`on_cancel`](crate::cleanup::on_cancel), [`task_group`](crate::group::task_group) and of
//! [`Combine`](crate::spawned::Combine) in any.
//!
//! # Settings
//!
//! | variable | function | default |
//! |---|---|---|
//! | `KUMI_DEBUG` | [`set_debug`] | off; on if the variable is neither empty nor `0` |
//! | `KUMI_DEBUG_SLOW_MS` | [`set_slow_callback_duration`] | 100 ms, as in asyncio |
//! | `KUMI_DEBUG_BLOCKED_MS` | [`set_blocked_after`] | 5 s |
//!
//! The variables are read once, when the mode is first asked for, so at the first spawn or run.
//!
//! # How it works
//!
//! The cell of a task that is spawned in debug mode gets other functions than usual: they note in one
//! registry when the task is made, woken, polled and gone. So a poll of any other task knows nothing of
//! debug mode. The registry is one lock around plain data; nothing foreign runs under it, and it keeps
//! no task alive. The *watchdog* is a thread that looks at it when the oldest poll has become too old; it
//! starts with the first poll that there is to watch, and ends when no runtime is owned and no task that
//! was spawned in debug mode is left.
//!
//! | file | subject |
//! |---|---|
//! | `settings` | the switch and the limits |
//! | `registry` | what is known: tasks, and the polls that are going on |
//! | `watchdog` | the thread that looks for polls that do not end |
//! | `cycle` | tasks that wait for one another |
//! | `wait` | what a task waits for, told by whoever makes it wait |
//! | `tree` | the snapshot of all tasks |
//! | `unpolled` | the mark of a future that was not polled yet |

mod cycle;
mod registry;
mod settings;
mod tree;
mod unpolled;
mod wait;
mod watchdog;

pub(crate) use registry::{
    Manner, ended, enter, poll_begins, queued, runtime_is_free, runtime_is_owned,
};
pub use settings::{
    blocked_after, is_debug, set_blocked_after, set_debug, set_slow_callback_duration,
    slow_callback_duration,
};
pub use tree::{TaskNode, TaskState, TaskTree, all_tasks, report_deadlock, tasks};
pub(crate) use unpolled::{Unpolled, never_polled};
pub use wait::{WaitingFor, WaitsFor, note_wait, noted, waiting_for};
