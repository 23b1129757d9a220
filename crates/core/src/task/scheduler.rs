//! What the cell of a task knows of whoever owns the task: a runtime, a group, a spawned combinator.

use std::any::Any;
use std::panic::Location;

use crate::context::Kind;
use crate::runtime::{AmbientSource, Job, Spawn, Tasks};

/// Where the job of a task goes when it is woken, and what surrounds its polls.
pub(crate) trait Scheduler: AmbientSource + Send + Sync + 'static {
    const KIND: Kind;
    /// The task does not hear requests to end: it is a clean-up.
    const DEAF: bool = false;
    fn schedule(&self, job: Job);
    fn tasks(&self) -> Option<&Tasks>;
    /// See [`Spawn::is_host`].
    fn is_host(&self) -> bool;

    /// Where the group was made that the task belongs to.
    fn group(&self) -> Option<&'static Location<'static>> {
        None
    }

    /// Takes the panic of the task, for whoever owns it; given back if nobody does.
    fn take_panic(&self, panic: Box<dyn Any + Send>) -> Option<Box<dyn Any + Send>> {
        Some(panic)
    }

    /// Whether [`ended`](Scheduler::ended) has something to do.
    const OWNED: bool;

    /// The task has ended, and nothing is left of it.
    #[inline]
    fn ended(&self) {}

    /// Whether this thread may touch the future.
    #[inline]
    fn is_home(&self) -> bool {
        true
    }
}

/// The scheduler of tasks: their runtime.
impl<R: Spawn> Scheduler for R {
    const KIND: Kind = Kind::Async;
    const OWNED: bool = false;

    fn schedule(&self, job: Job) {
        self.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(self)
    }

    #[inline]
    fn is_host(&self) -> bool {
        Spawn::is_host(self)
    }
}
