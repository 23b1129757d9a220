//! Spawning: from a future to a job and a handle.

use std::fmt::Display;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::cell;
use super::scheduler::Scheduler;
use super::shield::keep;
use super::{JoinHandle, Task};
use crate::context::Kind;
use crate::runtime::{
    Ambient, AmbientSource, BlockingJob, Job, LocalJob, Spawn, SpawnBlocking, SpawnLocal, TaskInfo,
    Tasks,
};

/// Spawns tasks on any [`Spawn`].
pub trait SpawnExt: Spawn {
    /// Starts `future` as a task of its own and returns its handle.
    ///
    /// The task is scheduled, not started: it is first polled after this returns (asyncio's
    /// `create_task`). Dropping the handle cancels it.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::task::SpawnExt;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let task = sim.spawn(async { 42 });
    /// assert_eq!(sim.block_on(task).unwrap(), 42);
    /// ```
    #[track_caller]
    fn spawn<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        TaskBuilder::new().spawn_on(self, future)
    }

    /// Starts `future` as a task that nobody will await; an error that it returns is
    /// [reported](crate::report).
    ///
    /// Otherwise as `spawn(future).detach()`, which drops an error without a word, since it does not know
    /// that the output is one. (asyncio reports it when the task is collected: "Task exception was never
    /// retrieved".)
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::yield_now;
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::task::SpawnExt;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// sim.spawn_detached(async { "forty-two".parse::<u32>() });
    /// // Prints that nobody took the error "invalid digit found in string".
    /// sim.block_on(async { yield_now().await });
    /// ```
    #[track_caller]
    fn spawn_detached<F, T, E>(&self, future: F) -> Task
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        TaskBuilder::new().spawn_detached_on(self, future)
    }
}

impl<R: Spawn> SpawnExt for R {}

/// Spawns tasks that are not `Send` on any [`SpawnLocal`].
pub trait SpawnLocalExt: SpawnLocal {
    /// Starts `future` as a task of its own on this thread and returns its handle.
    ///
    /// The future is polled and dropped on this thread only, whoever cancels it.
    ///
    /// # Panics
    ///
    /// If this thread runs no local tasks of the runtime: call it inside its `block_on`.
    #[track_caller]
    fn spawn_local<F>(&self, future: F) -> JoinHandle<F::Output>
    where
        F: Future + 'static,
        F::Output: 'static,
    {
        TaskBuilder::new().spawn_local_on(self, future)
    }
}

impl<R: SpawnLocal> SpawnLocalExt for R {}

/// Runs blocking closures on any runtime.
pub trait SpawnBlockingExt: Spawn + SpawnBlocking {
    /// Runs `f` on a thread that may block and returns the handle of its task.
    ///
    /// (asyncio's `to_thread`, AnyIO's `to_thread.run_sync`.) Cancelling it, or dropping the handle,
    /// stops it if it has not started; once started it runs to its end, and its output is dropped
    /// if nobody waits. [`detach`](JoinHandle::detach) makes it run in any case.
    /// Inside the closure the ambient runtime is this one, and blocking on it is allowed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::runtime::Runtime;
    /// use kumi_core::task::SpawnBlockingExt;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let sum = sim.spawn_blocking(|| (1..=100).sum::<u32>());
    /// assert_eq!(sim.block_on(sum).unwrap(), 5050);
    /// ```
    #[track_caller]
    fn spawn_blocking<F, T>(&self, f: F) -> JoinHandle<T>
    where
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        TaskBuilder::new().spawn_blocking_on(self, f)
    }
}

impl<R: Spawn + SpawnBlocking> SpawnBlockingExt for R {}

/// Gives a task a name before it is spawned.
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::TaskBuilder;
///
/// let sim = kumi_sim::Sim::new();
/// let task = TaskBuilder::new().name("answer").spawn_on(&*sim, async { 42 });
/// assert_eq!(task.name(), Some("answer"));
/// assert_eq!(sim.block_on(task).unwrap(), 42);
/// ```
#[derive(Debug, Default)]
#[must_use = "a builder does nothing until it spawns"]
pub struct TaskBuilder {
    name: Option<String>,
}

impl TaskBuilder {
    /// A task without a name.
    pub fn new() -> Self {
        Self::default()
    }

    /// Names the task, for reports, errors and `Debug`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Spawns `future` on `runtime`; see [`SpawnExt::spawn`].
    #[track_caller]
    pub fn spawn_on<R, F>(self, runtime: &R, future: F) -> JoinHandle<F::Output>
    where
        R: Spawn,
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        let info = TaskInfo::new(self.name, Location::caller());
        let (job, header) = cell::allocate(runtime.clone(), info, future);
        let handle = JoinHandle::new(header);
        runtime.spawn_job(job);
        handle
    }

    /// Spawns `future` on `runtime` and lets it go; see [`SpawnExt::spawn_detached`].
    #[track_caller]
    pub fn spawn_detached_on<R, F, T, E>(self, runtime: &R, future: F) -> Task
    where
        R: Spawn,
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
        E: Display + Send + 'static,
    {
        let handle = self.spawn_on(runtime, keep(future));
        let task = handle.task();
        handle.detach();
        task
    }

    /// Spawns `future` on `runtime`, on this thread; see [`SpawnLocalExt::spawn_local`].
    ///
    /// # Panics
    ///
    /// If this thread runs no local tasks of the runtime.
    #[track_caller]
    pub fn spawn_local_on<R, F>(self, runtime: &R, future: F) -> JoinHandle<F::Output>
    where
        R: SpawnLocal,
        F: Future + 'static,
        F::Output: 'static,
    {
        let info = TaskInfo::new(self.name, Location::caller());
        let (job, header) = cell::allocate_local(runtime.clone(), info, future);
        let handle = JoinHandle::new(header);
        runtime.spawn_local_job(LocalJob::new(job));
        handle
    }

    /// Runs `f` on a blocking thread of `runtime`; see [`SpawnBlockingExt::spawn_blocking`].
    #[track_caller]
    pub fn spawn_blocking_on<R, F, T>(self, runtime: &R, f: F) -> JoinHandle<T>
    where
        R: Spawn + SpawnBlocking,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let (job, handle) = self.blocking_job(runtime, f);
        runtime.spawn_blocking_job(job);
        handle
    }

    /// Makes the task of a closure, for whoever has a thread for it.
    #[track_caller]
    pub(crate) fn blocking_job<R, F, T>(self, runtime: &R, f: F) -> (BlockingJob, JoinHandle<T>)
    where
        R: Spawn + SpawnBlocking,
        F: FnOnce() -> T + Send + 'static,
        T: Send + 'static,
    {
        let info = TaskInfo::new(self.name, Location::caller());
        let (job, header) = cell::allocate(Blocking(runtime.clone()), info, Closure(Some(f)));
        (BlockingJob::new(job), JoinHandle::new(header))
    }
}

/// The scheduler of a blocking closure: it is run once, and a wake of it changes nothing.
struct Blocking<R>(R);

impl<R: Spawn + SpawnBlocking> AmbientSource for Blocking<R> {
    fn ambient(&self) -> Option<Ambient<'_>> {
        Spawn::ambient(&self.0)
    }
}

impl<R: Spawn + SpawnBlocking> Scheduler for Blocking<R> {
    const KIND: Kind = Kind::Blocking;
    const OWNED: bool = false;

    fn schedule(&self, job: Job) {
        // Only a task that was polled and is idle is scheduled; a closure ends in its one poll.
        unreachable!("a blocking closure is never idle: {job:?}")
    }

    fn tasks(&self) -> Option<&Tasks> {
        self.0.blocking_tasks()
    }

    /// A closure is run.
    fn is_host(&self) -> bool {
        false
    }
}

/// A closure as a future that is ready at its first poll.
struct Closure<F>(Option<F>);

impl<F> Unpin for Closure<F> {}

impl<F: FnOnce() -> T, T> Future for Closure<F> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<T> {
        let f = self
            .get_mut()
            .0
            .take()
            .expect("a task is not polled after it has ended");
        Poll::Ready(f())
    }
}
