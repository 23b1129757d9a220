//! Tasks: spawn, join, cancel.
//!
//! Core owns the task: [`SpawnExt::spawn`] makes its cell (future, output, name, place, state in
//! one allocation), gives the backend a [`Job`](crate::runtime::Job) to run, and returns the one
//! [`JoinHandle`] type there is. So a task means the same on every backend.
//!
//! How a task ends, and what its joiner gets:
//!
//! | what happened | joiner gets |
//! |---|---|
//! | the future returned `v` | `Ok(v)`; an error of the task's own is in `v` |
//! | cancelled, and the future did not return at its next poll | `Err`, [`is_cancelled`](JoinError::is_cancelled) |
//! | cancelled before its first poll | the same; the future was never polled |
//! | the future panicked, or its destructor did after a cancel | `Err`, [`is_panic`](JoinError::is_panic) |
//! | the runtime was shut down, or dropped the job | `Err`, `is_cancelled` |
//!
//! `!Send` futures go through [`SpawnLocalExt::spawn_local`], blocking closures through
//! [`SpawnBlockingExt::spawn_blocking`]; both return the same handle.

mod builder;
mod cell;
mod deaf;
mod error;
mod home;
mod join;
mod recycle;
mod scheduler;
mod shield;
mod slot;

pub use crate::context::current_task;
pub use crate::runtime::{Task, TaskId, TaskInfo};
pub use builder::{SpawnBlockingExt, SpawnExt, SpawnLocalExt, TaskBuilder};
pub(crate) use cell::allocate;
pub(crate) use deaf::spawn_clean_up;
pub use error::JoinError;
pub use join::{CancelAndJoin, JoinHandle};
pub(crate) use scheduler::Scheduler;
pub use shield::{Shield, TryShield, shield, try_shield};
