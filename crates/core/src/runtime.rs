//! The contract: what a backend supplies, and what it may rely on.
//!
//! A backend brings time ([`Clock`]), a place to run tasks ([`Spawn`], [`SpawnLocal`]), threads
//! that may block ([`SpawnBlocking`]), a way to drive one future ([`Runtime`]) and, if it has one,
//! readiness of descriptors ([`Io`]).
//! Each is a trait of its own, so a missing capability is a compile error and never a panic.
//! Everything else (tasks, handles, cancellation, combinators, sockets) is written once, in core,
//! on these traits; a backend has nothing to say about what `cancel` or `join` mean.
//!
//! # The clauses
//!
//! *Jobs.*
//!
//! 1. [`Spawn::spawn_job`] gets a [`Job`]: a task whose next poll is due. It must not run it
//!    before it returns, and must not block. It may be called on any thread, also while the
//!    runtime shuts down, also from inside a waker.
//! 2. The backend either **runs** the job, with [`Job::run`], once, soon, on any of its threads; or
//!    **polls** it as the future it is, with a waker of its own, until it is ready. It chooses per
//!    job, and must not do both. A job that is run comes back through `spawn_job` each time its
//!    task is woken; a job that is polled never does.
//!    A backend that polls none says so ([`Spawn::is_host`]), and its tasks are smaller.
//! 3. Every job that was accepted is run or polled in the end. A job that cannot be is dropped:
//!    then core drops the future of its task, its joiner gets "cancelled", and the loss is
//!    reported. A backend that shuts down drops the jobs it holds, on a thread of its choice.
//! 4. No job is polled by two threads at the same time; core relies on this for soundness only
//!    where the types already force it (`Pin<&mut Job>`).
//! 5. A job that is always ready again must not keep others from their turn: jobs are run in an
//!    order in which each gets its turn after finitely many others.
//! 6. A panic of the task never leaves [`Job::run`] or the job's poll.
//!
//! *Local jobs.* [`SpawnLocal`] gets a [`LocalJob`], which cannot leave its thread by its type.
//! [`LocalJob::into_job`] turns it into a [`Job`] for queues shared between both kinds: such a job
//! knows its thread and refuses to run elsewhere.
//!
//! *Time.* [`Clock::now`] is monotonic and is the clock that sleeps are measured on (virtual in a
//! simulator). A [`Sleep`] is never early. It is `Send + Sync` for every [`Runtime`], may be polled
//! on any thread, dropped at any time, and its deadline can be moved at any time.
//!
//! *Blocking.* [`SpawnBlocking::spawn_blocking_job`] runs the job on a thread that may block. Jobs
//! may wait in a queue. Dropping an unstarted job cancels it; a started one runs to its end.
//!
//! *Ambient.* [`Spawn::ambient`] says what ambient functions find in tasks of this backend. Core
//! sets it around each poll of a task and each blocking job; the backend sets it around the future
//! of `block_on`, with [`context::within`](crate::context::within).
//!
//! *Live tasks.* [`Runtime::for_each_task`] and [`Runtime::poll_idle`] let a run find what is left
//! at its end. A backend that holds a [`Tasks`] and returns it from [`Spawn::tasks`] and
//! [`SpawnBlocking::blocking_tasks`] has nothing more to do: core keeps it.
//!
//! *Shutdown.* After [`Runtime::shutdown`], every task that had not ended is dropped, and new jobs
//! are dropped at once. [`Owned`] calls it.
//!
//! # Rights of a backend
//!
//! It may poll spuriously, run jobs on any thread and in any fair order, call [`Runtime::block_on`]
//! re-entrantly or refuse it with a panic that names the fix, and keep a job's
//! [`tag`](Job::set_tag) for its own bookkeeping.
//!
//! # The classic mistakes
//!
//! Running the job inside `spawn_job` (a task would run inside the waker of another); forgetting a
//! job when the queue is closed (its joiner hangs: let it drop); waking a sleeping executor only
//! when the queue was empty *before* a drain started (lost wake-up: see
//! [`SharedJobQueue::push`]).
//!
//! # A whole backend
//!
//! ```
#![doc = include_str!("../tests/it/tiny_backend.rs")]
//! # fn main() { tiny_backend_works() }
//! ```
//!
//! `kumi-conformance` has the suite that certifies it.

mod any;
mod clock;
mod erased;
#[cfg(unix)]
mod erased_io;
#[cfg(unix)]
mod io;
mod job;
mod owned;
#[cfg(unix)]
mod readiness;
mod spawn;
mod tasks;

pub use any::AnyRuntime;
pub use clock::{Clock, Sleep};
pub use erased::{Ambient, AmbientSource, BoxSleep, DynRuntime, DynSpawnLocal};
#[cfg(unix)]
pub use erased_io::{AnyRegistered, AnySource, DynIo, DynRegistered};
#[cfg(unix)]
pub use io::{Direction, Done, Io, Registered, Source};
pub(crate) use job::extra::{Extended, Extra};
pub(crate) use job::header::{self, Header, Holds, PollFn, VTable};
pub use job::queue::{JobQueue, SharedJobQueue};
pub(crate) use job::state::New;
pub use job::task::{Task, TaskId, TaskInfo};
pub use job::{BlockingJob, Job, LocalJob, Ran};
pub use owned::Owned;
#[cfg(unix)]
pub use readiness::{Event, Readiness};
pub use spawn::{Runtime, Spawn, SpawnBlocking, SpawnLocal};
pub use tasks::Tasks;
