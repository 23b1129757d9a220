//! Work that goes on although nobody waits for it any more: [`shield`], [`try_shield`].

use std::fmt::{self, Display};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use super::{JoinError, JoinHandle, Task, TaskBuilder};
use crate::context::current_task;
use crate::report::{Report, report};
use crate::runtime::{Spawn, TaskInfo};

/// Runs `future` as a task of its own that goes on although the one who awaits it is cancelled or
/// dropped.
///
/// (asyncio's `shield`.) Await `&mut shield` to be able to await it again. It does not protect the
/// code that awaits: for that there is [`uncancellable`](crate::cleanup::uncancellable). The task
/// inherits context like any other. The end of a run cancels it, softly, and waits for it.
///
/// A panic that nobody takes is [reported](crate::report) once; [`try_shield`] does the same with
/// errors.
///
/// # Cancel safety
///
/// Nothing is lost when an await of `&mut shield` is dropped. Dropping the shield itself lets the
/// work go on by itself.
///
/// # Examples
///
/// ```
/// use kumi_core::combine::timeout;
/// use kumi_core::runtime::{Clock, Runtime};
/// use kumi_core::task::shield;
/// use std::time::Duration;
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// sim.block_on(async {
///     let clock = rt.clone();
///     let mut work = shield(&rt, async move {
///         clock.sleep(Duration::from_secs(3)).await;
///         42
///     });
///     for _ in 0..2 {
///         assert!(timeout(&rt, Duration::from_secs(1), &mut work).await.is_err());
///     }
///     assert_eq!(work.await.unwrap(), 42);
/// });
/// ```
#[track_caller]
pub fn shield<R, F>(runtime: &R, future: F) -> Shield<F::Output>
where
    R: Spawn,
    F: Future<Output: Send + 'static> + Send + 'static,
{
    Shield {
        handle: Some(TaskBuilder::new().spawn_on(runtime, future)),
    }
}

/// [`shield`] for work that can fail: an error that nobody takes is [reported](crate::report), once.
///
/// # Cancel safety
///
/// As [`shield`].
#[track_caller]
pub fn try_shield<R, F, T, E>(runtime: &R, future: F) -> TryShield<T, E>
where
    R: Spawn,
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Display + Send + 'static,
{
    TryShield {
        shield: shield(runtime, keep(future)),
    }
}

/// The right to await a shielded task; dropping it lets the task go on.
#[must_use = "the work goes on when this is dropped, and its value is lost"]
pub struct Shield<T> {
    /// Gone when the value was taken.
    handle: Option<JoinHandle<T>>,
}

impl<T> Shield<T> {
    /// Returns a reference to the task, which can cancel it; none once the value was taken.
    #[must_use]
    pub fn task(&self) -> Option<Task> {
        self.handle.as_ref().map(JoinHandle::task)
    }

    /// Whether the work has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }
}

impl<T> Future for Shield<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let handle = self.handle.as_mut();
        let handle = handle.expect("`Shield` was polled after it was ready");
        let result = ready!(Pin::new(handle).poll(cx));
        self.handle = None;
        Poll::Ready(result)
    }
}

impl<T> Drop for Shield<T> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.detach();
        }
    }
}

impl<T> fmt::Debug for Shield<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Shield").field(&self.handle).finish()
    }
}

/// Runs `future` in a task; an error that it returns and nobody takes is reported.
pub(super) async fn keep<F, T, E>(future: F) -> Kept<T, E>
where
    F: Future<Output = Result<T, E>>,
    E: Display,
{
    let result = future.await;
    let task = current_task().map(|task| task.info().clone());
    Kept {
        result: Some(result),
        task,
    }
}

/// A result that is reported if it is an error that nobody takes.
pub(super) struct Kept<T, E: Display> {
    result: Option<Result<T, E>>,
    task: Option<TaskInfo>,
}

impl<T, E: Display> Drop for Kept<T, E> {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.result.take() {
            report(&Report::ErrorNotTaken {
                task: self.task.take(),
                message: error.to_string(),
            });
        }
    }
}

/// The right to await a shielded task that can fail; see [`try_shield`].
#[must_use = "the work goes on when this is dropped, and its value is lost"]
pub struct TryShield<T, E: Display> {
    shield: Shield<Kept<T, E>>,
}

impl<T, E: Display> TryShield<T, E> {
    /// Returns a reference to the task, which can cancel it; none once the result was taken.
    #[must_use]
    pub fn task(&self) -> Option<Task> {
        self.shield.task()
    }

    /// Whether the work has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.shield.is_finished()
    }
}

impl<T, E: Display> Future for TryShield<T, E> {
    type Output = Result<Result<T, E>, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let kept = ready!(Pin::new(&mut self.shield).poll(cx));
        Poll::Ready(kept.map(|mut kept| match kept.result.take() {
            Some(result) => result,
            None => unreachable!("it is taken once"),
        }))
    }
}

impl<T, E: Display> fmt::Debug for TryShield<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TryShield").field(&self.shield).finish()
    }
}
