//! The children of a group: their futures, their handles, and how they tell the group.

use std::any::Any;
use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::error::{Closed, Failure};
use super::shared::{Shared, TaskGroup, closed};
use crate::context::Kind;
use crate::runtime::{Ambient, AmbientSource, Header, Job, Spawn, Task, TaskId, TaskInfo, Tasks};
use crate::task::{JoinHandle, Scheduler};

/// The scheduler of a child: the group's runtime, and the group, which learns of its end.
pub(super) struct Member<E, R> {
    pub(super) group: Arc<Shared<E, R>>,
    pub(super) background: bool,
    /// Its place in the group's list of children.
    pub(super) place: u32,
}

impl<E: Send + 'static, R: Spawn> AmbientSource for Member<E, R> {
    fn ambient(&self) -> Option<Ambient<'_>> {
        Spawn::ambient(&self.group.runtime)
    }
}

impl<E: Send + 'static, R: Spawn> Scheduler for Member<E, R> {
    const KIND: Kind = Kind::Async;
    const OWNED: bool = true;

    fn schedule(&self, job: Job) {
        self.group.runtime.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(&self.group.runtime)
    }

    #[inline]
    fn is_host(&self) -> bool {
        Spawn::is_host(&self.group.runtime)
    }

    fn group(&self) -> Option<&'static Location<'static>> {
        Some(self.group.location)
    }

    fn take_panic(&self, panic: Box<dyn Any + Send>) -> Option<Box<dyn Any + Send>> {
        self.group.fail(Failure::Panic(panic), true);
        None
    }

    fn ended(&self) {
        self.group.ended(self.place, self.background);
    }
}

/// A child's link to its group: says so if the child is dropped before it has ended by itself.
pub(super) struct Link<E, R> {
    pub(super) group: Arc<Shared<E, R>>,
    background: bool,
    /// The child has ended by itself.
    done: bool,
}

impl<E, R> Link<E, R> {
    pub(super) fn new(group: &Arc<Shared<E, R>>, background: bool) -> Self {
        Self {
            group: Arc::clone(group),
            background,
            done: false,
        }
    }

    pub(super) fn done(&mut self) {
        self.done = true;
    }
}

impl<E, R> Drop for Link<E, R> {
    fn drop(&mut self) {
        if !self.done && !self.background {
            self.group.child_was_cut();
        }
    }
}

pin_project! {
    /// The future of a child: its error goes to the group.
    pub(super) struct ChildFuture<F, E, R> {
        #[pin]
        future: F,
        link: Link<E, R>,
    }
}

impl<F, E, R> ChildFuture<F, E, R> {
    pub(super) fn new(future: F, link: Link<E, R>) -> Self {
        Self { future, link }
    }

    pub(super) fn into_inner(mut self) -> F {
        self.link.done();
        self.future
    }
}

impl<F, T, E, R> Future for ChildFuture<F, E, R>
where
    F: Future<Output = Result<T, E>>,
{
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        let this = self.project();
        let result = ready!(this.future.poll(cx));
        this.link.done();
        match result {
            Ok(value) => Poll::Ready(Some(value)),
            Err(error) => {
                this.link.group.fail(Failure::Error(error), true);
                Poll::Ready(None)
            }
        }
    }
}

/// How a child is started.
#[must_use = "a builder does nothing until it spawns"]
pub struct ChildBuilder<'a, E, R> {
    group: &'a TaskGroup<E, R>,
    name: Option<String>,
    background: bool,
}

impl<'a, E: Send + 'static, R: Spawn> ChildBuilder<'a, E, R> {
    pub(super) fn new(group: &'a TaskGroup<E, R>) -> Self {
        Self {
            group,
            name: None,
            background: false,
        }
    }

    /// Names the child, for reports, errors and `Debug`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Makes the group not wait for it; see [`TaskGroup::spawn_background`].
    pub fn background(mut self) -> Self {
        self.background = true;
        self
    }

    /// Starts it; see [`TaskGroup::spawn`].
    ///
    /// # Panics
    ///
    /// If the group has ended.
    #[track_caller]
    pub fn spawn<F, T>(self, future: F) -> ChildHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        match self.try_spawn(future) {
            Ok(handle) => handle,
            Err(_) => closed(),
        }
    }

    /// Starts it; see [`TaskGroup::try_spawn`].
    ///
    /// # Errors
    ///
    /// [`Closed`], with the future, if the group has ended.
    #[track_caller]
    pub fn try_spawn<F, T>(self, future: F) -> Result<ChildHandle<T>, Closed<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let info = TaskInfo::new(self.name, Location::caller());
        self.group.start_child(info, self.background, future)
    }
}

impl<E, R> fmt::Debug for ChildBuilder<'_, E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildBuilder")
            .field("name", &self.name)
            .field("background", &self.background)
            .finish_non_exhaustive()
    }
}

/// The right to the value of a child of a group.
///
/// The group owns the child, so dropping this does nothing.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` loses nothing when it is dropped.
pub struct ChildHandle<T> {
    /// Gone when the value was taken.
    handle: Option<JoinHandle<Option<T>>>,
    task: Task,
}

impl<T> ChildHandle<T> {
    pub(super) fn new(header: NonNull<Header>) -> Self {
        let handle = JoinHandle::new(header);
        Self {
            task: handle.task(),
            handle: Some(handle),
        }
    }

    /// Returns a reference to the task.
    #[must_use]
    pub fn task(&self) -> &Task {
        &self.task
    }

    /// Returns the number of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.task.id()
    }

    /// Returns the name that the child was given, if any.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.task.name()
    }

    /// Whether the child has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    /// Asks this child to end, and nobody else: that is no failure of the group.
    pub fn cancel(&self) -> bool {
        self.task.cancel()
    }
}

impl<T> Unpin for ChildHandle<T> {}

impl<T> Future for ChildHandle<T> {
    type Output = Result<T, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let handle = self.handle.as_mut();
        let handle = handle.expect("`ChildHandle` was polled after it was ready");
        let result = ready!(Pin::new(handle).poll(cx));
        self.handle = None;
        Poll::Ready(match result {
            Ok(Some(value)) => Ok(value),
            Ok(None) => Err(ChildError::Failed),
            Err(_) if self.task.is_cancel_requested() => Err(ChildError::Cancelled),
            Err(_) => Err(ChildError::Failed),
        })
    }
}

impl<T> Drop for ChildHandle<T> {
    fn drop(&mut self) {
        if let Some(handle) = self.handle.take() {
            handle.detach();
        }
    }
}

impl<T> fmt::Debug for ChildHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChildHandle").field(&self.task).finish()
    }
}

/// Why a child gave no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildError {
    /// It was cancelled.
    Cancelled,
    /// It failed or panicked; the group has the error.
    Failed,
}

impl fmt::Display for ChildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cancelled => "the child was cancelled",
            Self::Failed => "the child failed; its group has the error",
        })
    }
}

impl Error for ChildError {}
