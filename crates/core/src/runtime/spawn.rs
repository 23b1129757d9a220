//! Running things: tasks, local tasks, blocking closures, and one future to its end.

use std::future::Future;
use std::task::{Context, Poll};

use super::{Ambient, BlockingJob, Clock, Job, LocalJob, Task, Tasks};

/// Runs tasks that core owns.
///
/// The users' side is [`SpawnExt`](crate::task::SpawnExt): `runtime.spawn(future)`.
pub trait Spawn: Clone + Send + Sync + 'static {
    /// Gets `job` to run soon, on a thread of the runtime, but not before this returns.
    ///
    /// Called for a new task, on any thread; and, for a job that the backend runs with
    /// [`Job::run`], again for each time its task is woken.
    /// See the clauses in the [module's docs](super).
    fn spawn_job(&self, job: Job);

    /// Returns what ambient functions find inside tasks of this spawner.
    ///
    /// A [`Runtime`] returns `Some(Ambient::new(self))`, with what else it can do added.
    /// The default is none: ambient functions then panic with a message that names the fix.
    fn ambient(&self) -> Option<Ambient<'_>> {
        None
    }

    /// Returns the table in which core lists the live tasks of this spawner.
    ///
    /// A backend that has a better place of its own, such as a list that only its one thread touches,
    /// returns none and overrides [`Runtime::for_each_task`] and [`Runtime::poll_idle`].
    fn tasks(&self) -> Option<&Tasks> {
        None
    }

    /// Whether this polls its jobs as the futures that they are, or may do so: a host has wakers of its own,
    /// for which each of its tasks keeps a place of two words.
    ///
    /// The default is true, with which a backend may do either. One that gives every job to [`Job::run`]
    /// returns false, always. To poll such a job is an error of the backend, and panics if there is no place for
    /// the host's waker.
    fn is_host(&self) -> bool {
        true
    }
}

/// Runs tasks whose futures are not `Send`, on the thread that spawned them.
pub trait SpawnLocal: Spawn {
    /// Gets `job` to run soon, on this thread.
    ///
    /// # Panics
    ///
    /// If this thread is not one that runs local tasks of this runtime: outside of its `block_on`,
    /// or on a worker thread.
    fn spawn_local_job(&self, job: LocalJob);
}

/// Runs closures on threads that may block.
pub trait SpawnBlocking: Clone + Send + Sync + 'static {
    /// Gets `job` to run on a thread that may block.
    ///
    /// Must not block itself. The job may wait in a queue; when it is dropped there, its joiner
    /// gets "cancelled".
    fn spawn_blocking_job(&self, job: BlockingJob);

    /// Returns the table in which core lists the blocking closures that have not ended.
    fn blocking_tasks(&self) -> Option<&Tasks> {
        None
    }

    /// Whether closures for [pools of the program's own](crate::blocking) are given to this one instead.
    ///
    /// For simulators: a run with other threads in it could not be repeated.
    fn replaces_pools(&self) -> bool {
        false
    }
}

/// A whole runtime: tasks, time, blocking work, and a way in.
///
/// The value is a handle: cheap to clone, usable on any thread.
/// What ends the runtime behind it is [`shutdown`](Runtime::shutdown), called by the
/// [`Owned`](super::Owned) value that created it.
pub trait Runtime:
    Spawn + SpawnBlocking + Clock<Sleep: Send + Sync> + Send + Sync + 'static
{
    /// Runs `future` to its end on this thread and returns its output.
    ///
    /// The future may borrow and need not be `Send`. Tasks of the runtime run meanwhile; on a
    /// single-threaded runtime they run *only* during a `block_on`.
    ///
    /// # Panics
    ///
    /// Inside a task, where it would block the thread it waits for: every backend calls
    /// [`assert_may_block`](crate::context::assert_may_block) first.
    fn block_on<F: Future>(&self, future: F) -> F::Output;

    /// Calls `visit` for each task that was spawned through this runtime and has not ended.
    ///
    /// Called only on a thread that is inside [`block_on`](Runtime::block_on) of this runtime.
    /// `visit` may spawn, cancel and wake; a task spawned meanwhile may or may not be visited.
    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        for tasks in [self.tasks(), self.blocking_tasks()].into_iter().flatten() {
            tasks.for_each(visit);
        }
    }

    /// Is ready when no task is left, and otherwise wakes `cx` when the last one has ended.
    ///
    /// Once it was ready no waker is kept, as a waker may own the runtime. Before, it also wakes it when a task has been *added* after this call, so that a caller that is
    /// cancelling everything sees late-comers. Only the last waker is kept. Called only inside
    /// [`block_on`](Runtime::block_on).
    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let watch = |tasks: Option<_>| tasks.map(|tasks: &Tasks| (tasks, tasks.watch(cx)));
        // Each learns the waker before one is looked at; and when all were empty, none may have got
        // a task meanwhile: what ends in one table may have added to another.
        let tables = [self.tasks(), self.blocking_tasks()].map(watch);
        let mut looked_at = tables.iter().flatten();
        let mut counted = tables.iter().flatten();
        let idle = looked_at.all(|(tasks, _)| tasks.is_empty())
            && counted.all(|(tasks, before)| tasks.added() == *before);
        if !idle {
            return Poll::Pending;
        }
        tables
            .iter()
            .flatten()
            .for_each(|(tasks, _)| tasks.unwatch());
        Poll::Ready(())
    }

    /// Ends the runtime: drops every task that is left, closes the queue, and returns.
    ///
    /// Does not wait for blocking closures that are running, unless the backend was told to when it was
    /// made. Idempotent. Does nothing if this
    /// handle was only attached to a runtime that somebody else owns.
    fn shutdown(&self);
}
