//! Local tasks: a future that stays on its thread, in a cell that may travel.
//!
//! [`Home`] is the scheduler of a task whose future is not `Send`: its runtime, and the thread where
//! the task was spawned. The cell asks it before each step, and touches the future on that thread only:
//! polled elsewhere the task panics, dropped elsewhere its future is leaked, with the memory it lies
//! in, and reported.
//! So wakers, handles and queues of local tasks may cross threads like any others.

use super::scheduler::Scheduler;
use crate::context::Kind;
use crate::runtime::{Ambient, AmbientSource, Job, Spawn, Tasks};
use crate::util::thread_number;

/// The scheduler of tasks that are bound to the thread where they were spawned.
pub(crate) struct Home<R> {
    runtime: R,
    thread: u64,
}

impl<R> Home<R> {
    /// A scheduler for tasks of this thread.
    pub(crate) fn new(runtime: R) -> Self {
        let thread = thread_number();
        Self { runtime, thread }
    }
}

impl<R: Spawn> AmbientSource for Home<R> {
    fn ambient(&self) -> Option<Ambient<'_>> {
        Spawn::ambient(&self.runtime)
    }
}

impl<R: Spawn> Scheduler for Home<R> {
    const KIND: Kind = Kind::Async;
    const OWNED: bool = false;

    fn schedule(&self, job: Job) {
        self.runtime.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(&self.runtime)
    }

    #[inline]
    fn is_host(&self) -> bool {
        Spawn::is_host(&self.runtime)
    }

    fn is_home(&self) -> bool {
        self.thread == thread_number()
    }
}
