//! The functions of an application: they find their runtime by themselves.
//!
//! Each works inside any Kumi task, inside the future of a run, in a blocking closure, and, with the
//! feature `tokio`, anywhere in a program that tokio started. Elsewhere they panic with a message that
//! names the fix.

use std::fmt::Display;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use kumi_core::blocking::BlockingPool;
use kumi_core::cleanup::{self, CleanUpOutput};
use kumi_core::combine::{self, Timeout};
use kumi_core::context;
use kumi_core::group::{GroupBuilder, GroupError};
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::{self, JoinHandle, Shield, Task, TaskBuilder, TryShield};

use pin_project_lite::pin_project;

use crate::backend::{Backend, BackendSleep};

/// Calls back with the concrete runtime of the code that runs right now, so that what is done with it
/// is dispatched statically.
macro_rules! with_runtime {
    ($runtime:ident => $do:expr) => {
        match Backend::current() {
            #[cfg(feature = "loop")]
            Backend::Loop($runtime) => $do,
            #[cfg(feature = "tokio")]
            Backend::Tokio($runtime) => $do,
            #[cfg(feature = "smol")]
            Backend::Smol($runtime) => $do,
            #[cfg(feature = "sim")]
            Backend::Sim($runtime) => $do,
            Backend::Other($runtime) => $do,
        }
    };
}

/// Starts `future` as a task of its own and returns its handle.
///
/// The task is scheduled, not started: it is first polled after this returns (asyncio's
/// `create_task`). Dropping the handle cancels the task; [`JoinHandle::detach`] lets it go on.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let task = kumi::spawn(async { 20 + 22 });
///     assert_eq!(task.await.unwrap(), 42);
/// });
/// ```
#[track_caller]
pub fn spawn<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    with_runtime!(runtime => TaskBuilder::new().spawn_on(&runtime, future))
}

/// [`spawn`] with a name, which shows in errors, reports and `Debug`.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
#[track_caller]
pub fn spawn_named<F>(name: impl Into<String>, future: F) -> JoinHandle<F::Output>
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    let builder = TaskBuilder::new().name(name);
    with_runtime!(runtime => builder.spawn_on(&runtime, future))
}

/// Starts `future` as a task that nobody will await; an error that it returns is
/// [reported](crate::report).
///
/// Otherwise as `spawn(future).detach()`, which drops an error without a word.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
#[track_caller]
pub fn spawn_detached<F, T, E>(future: F) -> Task
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Display + Send + 'static,
{
    with_runtime!(runtime => TaskBuilder::new().spawn_detached_on(&runtime, future))
}

/// Starts `future`, which need not be `Send`, as a task of its own on this thread.
///
/// # Panics
///
/// Outside of any runtime; on a thread that runs no local tasks, such as a worker thread. Inside of
/// `run` itself, and in other local tasks, it works on every backend.
#[track_caller]
pub fn spawn_local<F>(future: F) -> JoinHandle<F::Output>
where
    F: Future + 'static,
    F::Output: 'static,
{
    with_runtime!(runtime => TaskBuilder::new().spawn_local_on(&runtime, future))
}

/// Runs `f` on a thread that may block and returns the handle of its task (asyncio's `to_thread`).
///
/// Cancelling it stops it if it has not started; once started it runs to its end. Ambient functions
/// work inside, and blocking is allowed there.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let sum = kumi::to_thread(|| (1..=100).sum::<u32>()).await.unwrap();
///     assert_eq!(sum, 5050);
/// });
/// ```
#[track_caller]
pub fn to_thread<F, T>(f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    with_runtime!(runtime => TaskBuilder::new().spawn_blocking_on(&runtime, f))
}

/// Runs `f` on a thread of `pool`, in place of the runtime's own threads, and returns the handle of its task
/// (asyncio's `run_in_executor`).
///
/// For closures that are not to be in the way of others: as many as the pool has threads run at once, and
/// the rest waits in its queue. Otherwise as [`to_thread`].
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let database = kumi::BlockingPool::settings().max_threads(10).name("database").build();
///     let rows = kumi::run_in_executor(&database, || vec!["one", "two"]).await.unwrap();
///     assert_eq!(rows, ["one", "two"]);
/// });
/// ```
#[track_caller]
pub fn run_in_executor<F, T>(pool: &BlockingPool, f: F) -> JoinHandle<T>
where
    F: FnOnce() -> T + Send + 'static,
    T: Send + 'static,
{
    with_runtime!(runtime => TaskBuilder::new().run_in_executor(&runtime, pool, f))
}

/// Returns the present time of the runtime's clock, which is virtual in the simulator.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
#[must_use]
#[track_caller]
pub fn now() -> Instant {
    with_runtime!(runtime => runtime.now())
}

/// Waits for `delay`; [`Duration::MAX`] waits for ever.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped; its timer is gone at once.
///
/// # Panics
///
/// When called outside of any runtime; the message names the fix.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let start = kumi::now();
///     kumi::sleep(Duration::from_secs(3600)).await;
///     assert_eq!(kumi::now() - start, Duration::from_secs(3600));
/// });
/// ```
#[track_caller]
pub fn sleep(delay: Duration) -> BackendSleep {
    Backend::current().sleep(delay)
}

/// Waits until the runtime's clock has reached `at`.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped; its timer is gone at once.
///
/// # Panics
///
/// When called outside of any runtime; the message names the fix.
#[track_caller]
pub fn sleep_until(at: Instant) -> BackendSleep {
    Backend::current().sleep_until(at)
}

/// Runs `future`, but no longer than `limit`; see [`combine::timeout`].
///
/// # Cancel safety
///
/// Dropping it drops `future`.
///
/// # Errors
///
/// [`Elapsed`](crate::Elapsed) if the time is over before `future` is ready.
///
/// # Panics
///
/// When called outside of any runtime; the message names the fix.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
///
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let never = std::future::pending::<()>();
///     assert!(kumi::timeout(Duration::from_secs(1), never).await.is_err());
/// });
/// ```
#[track_caller]
pub fn timeout<F: Future>(limit: Duration, future: F) -> Timeout<F, Backend> {
    combine::timeout(&Backend::current(), limit, future)
}

/// Runs `future`, but not beyond `deadline`; see [`combine::timeout_at`].
///
/// # Cancel safety
///
/// Dropping it drops `future`.
///
/// # Errors
///
/// [`Elapsed`](crate::Elapsed) if the deadline is reached before `future` is ready.
///
/// # Panics
///
/// When called outside of any runtime; the message names the fix.
#[track_caller]
pub fn timeout_at<F: Future>(deadline: Instant, future: F) -> Timeout<F, Backend> {
    combine::timeout_at(&Backend::current(), deadline, future)
}

/// Runs `f` with `runtime` as the one that ambient functions find.
///
/// For threads that Kumi did not start: callbacks, foreign event loops. Inside of tasks there is no
/// need for it.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")] {
/// use kumi::core::runtime::Runtime;
///
/// let sim = kumi::backend::Sim::new();
/// let task = kumi::enter(&*sim, || kumi::spawn(async { 42 }));
/// assert_eq!(sim.block_on(task).unwrap(), 42);
/// # }
/// ```
pub fn enter<R: Runtime, T>(runtime: &R, f: impl FnOnce() -> T) -> T {
    context::enter_runtime(runtime, f)
}

/// Acquires something, uses it, and releases it, however the use ends; see
/// [`bracket`](kumi_core::cleanup::bracket).
///
/// # Cancel safety
///
/// When this future is dropped from outside, the runtime runs the release as a task of its own, and
/// the end of the run waits for it. Nothing is lost.
///
/// # Panics
///
/// When polled outside of any runtime; with the panic of `use_it`, after the release; with that of
/// `release`.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let used = kumi::bracket(
///         async { String::from("session") },
///         async |session: &mut String| session.len(),
///         |session| async move { println!("closing {session}") },
///     );
///     assert_eq!(used.await, 7);
/// });
/// ```
#[track_caller]
pub fn bracket<A, U, T, R, C>(acquire: A, use_it: U, release: R) -> Hosted<impl Future<Output = T>>
where
    A: Future<Output: Send + 'static>,
    U: AsyncFnOnce(&mut A::Output) -> T,
    R: FnOnce(A::Output) -> C + Send + 'static,
    C: Future<Output: CleanUpOutput> + Send + 'static,
{
    hosted(cleanup::bracket(acquire, use_it, release))
}

/// Runs `future` with the runtime that everything in this crate would find here.
///
/// Inside of Kumi's tasks it changes nothing. In a task of a foreign program (with the feature
/// `tokio`: one that `tokio::spawn` or `#[tokio::main]` runs) it makes the host's runtime the ambient
/// one for all that needs one: a [`CancelScope`](crate::CancelScope) with a deadline, an
/// [`ExitStack`](crate::ExitStack).
///
/// # Cancel safety
///
/// Dropping it drops `future`.
///
/// # Panics
///
/// When polled outside of any runtime; the message names the fix.
pub fn hosted<F: Future>(future: F) -> Hosted<F> {
    Hosted { future, host: None }
}

pin_project! {
    /// The future of [`hosted`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Hosted<F> {
        #[pin]
        future: F,
        host: Option<Backend>,
    }
}

impl<F: Future> Future for Hosted<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        if context::with_current(|found| found.is_some()) {
            return this.future.poll(cx);
        }
        let host = this.host.get_or_insert_with(Backend::current);
        context::enter_poll_of(host, || this.future.poll(cx))
    }
}

/// Runs `body` with a group of tasks, and returns when the body and all children have ended; see
/// [`task_group`](kumi_core::group::task_group).
///
/// # Cancel safety
///
/// A cancel goes to the children at once; when all have cleaned up and ended, the scope that was
/// cancelled goes on. When this future is dropped from outside, its children are cancelled and clean
/// up by themselves; the end of the run waits for them.
///
/// # Errors
///
/// [`GroupError`], with the first error and all others in the order in which they came.
///
/// # Panics
///
/// When called outside of any runtime; with the first panic of the body or of a child, when all have
/// ended.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let sum = kumi::task_group(async |group| {
///         let a = group.spawn(async { Ok::<_, std::io::Error>(20) });
///         let b = group.spawn(async { Ok(22) });
///         Ok(a.await.unwrap() + b.await.unwrap())
///     });
///     assert_eq!(sum.await.unwrap(), 42);
/// });
/// ```
#[track_caller]
pub fn task_group<T, E, B, F>(
    body: B,
) -> impl Future<Output = Result<T, GroupError<E>>> + use<T, E, B, F>
where
    E: Send + 'static,
    B: FnOnce(TaskGroup<E>) -> F,
    F: Future<Output = Result<T, E>>,
{
    task_group_with(GroupBuilder::new(), body)
}

/// [`task_group`] with a limit, or one that supervises; see [`GroupBuilder`].
///
/// # Cancel safety
///
/// As [`task_group`].
///
/// # Errors
///
/// As [`task_group`].
///
/// # Panics
///
/// As [`task_group`].
#[track_caller]
pub fn task_group_with<T, E, B, F>(
    how: GroupBuilder<E>,
    body: B,
) -> impl Future<Output = Result<T, GroupError<E>>> + use<T, E, B, F>
where
    E: Send + 'static,
    B: FnOnce(TaskGroup<E>) -> F,
    F: Future<Output = Result<T, E>>,
{
    how.run(&Backend::current(), body)
}

/// The handle of a [`task_group`].
pub type TaskGroup<E> = kumi_core::group::TaskGroup<E, Backend>;

/// Runs `future` as a task of its own that goes on although the one who awaits it is cancelled or
/// dropped; see [`shield`](kumi_core::task::shield).
///
/// The end of the run cancels it like any other task, before its first poll if it has had none:
/// what must not be cut even then is [`uncancellable`](crate::uncancellable) inside.
///
/// # Cancel safety
///
/// Nothing is lost when an await of `&mut shield` is dropped.
///
/// # Panics
///
/// When called outside of any runtime; the message names the fix.
#[track_caller]
pub fn shield<F>(future: F) -> Shield<F::Output>
where
    F: Future<Output: Send + 'static> + Send + 'static,
{
    with_runtime!(runtime => task::shield(&runtime, future))
}

/// [`shield`] for work that can fail: an error that nobody takes is [reported](crate::report), once.
///
/// # Cancel safety
///
/// As [`shield`].
///
/// # Panics
///
/// When called outside of any runtime; the message names the fix.
#[track_caller]
pub fn try_shield<F, T, E>(future: F) -> TryShield<T, E>
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Display + Send + 'static,
{
    with_runtime!(runtime => task::try_shield(&runtime, future))
}
