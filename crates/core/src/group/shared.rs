//! What a group, its handles and its children share.

use std::any::Any;
use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::Arc;
use std::task::{Poll, Waker};

use slab::Slab;

use super::child::{ChildBuilder, ChildFuture, ChildHandle, Link, Member};
use super::error::{CLOSED, Closed, Failure, GroupError};
use super::start::{Start, Started};
use crate::context::{CancelReason, Members, Node, report_panic};
use crate::loom::{Mutex, fault};
use crate::report::{Report, report};
use crate::runtime::{AnyRuntime, Header, Job, Spawn, Task, TaskInfo};
use crate::task::allocate;
use crate::util::{WakerSlot, drop_foreign};

/// Told of the failures of children by a group that supervises them.
pub(super) type Handler<E> = Box<dyn FnMut(Failure<E>) + Send>;

pub(super) struct Shared<E, R> {
    pub(super) runtime: R,
    /// The group as a scope; also the list of the children that are alive.
    pub(super) node: Arc<Node>,
    pub(super) location: &'static Location<'static>,
    limit: usize,
    supervisor: Option<Mutex<Supervisor<E>>>,
    /// Who polls the group.
    waker: WakerSlot,
    inner: Mutex<Inner<E>>,
}

struct Inner<E> {
    /// Children that the group waits for.
    foreground: usize,
    /// Children that are cancelled when no other is left.
    background: usize,
    /// Children that have been given to the runtime and have not ended.
    in_flight: usize,
    /// The children that are alive; without a task while one is about to be made.
    children: Slab<Option<Task>>,
    /// Those of them that wait for their turn.
    queue: VecDeque<Job>,
    /// The group only waits for its children any more.
    waiting: bool,
    /// Children that come now are cancelled at once.
    cancelled: bool,
    /// A child was dropped before it had ended by itself.
    cut: bool,
    /// The group has ended.
    closed: bool,
    errors: Vec<E>,
    panic: Option<Box<dyn Any + Send>>,
}

/// A handler, and what it has not been told yet.
struct Supervisor<E> {
    /// Gone while it is being called: it is foreign code, so no lock is held meanwhile.
    handler: Option<Handler<E>>,
    untold: VecDeque<Failure<E>>,
}

/// What is left of a group at its end.
pub(super) struct Rest<E> {
    pub(super) errors: Vec<E>,
    pub(super) panic: Option<Box<dyn Any + Send>>,
    /// Children did not end by themselves: if a cancel from outside did that, the value of the body
    /// is not that of the group.
    pub(super) cut: bool,
}

impl<E> Rest<E> {
    /// What a group resolves to: a panic goes on; else the errors, the value, that it was cancelled;
    /// or never, if it was cancelled from outside.
    pub(super) fn resolve<T>(
        self,
        value: Option<T>,
        outer: bool,
        node: &Node,
        location: &'static Location<'static>,
    ) -> Poll<Result<T, GroupError<E>>> {
        let mut errors = self.errors.into_iter();
        if let Some(panic) = self.panic {
            let count = errors.len();
            if count > 0 {
                report(&Report::GroupErrorsLost { location, count });
            }
            resume_unwind(panic);
        }
        let value = value.filter(|_| !(outer && self.cut));
        match (errors.next(), value) {
            (Some(first), _) => Poll::Ready(Err(GroupError::Failed {
                first,
                rest: errors.collect(),
            })),
            (None, Some(value)) => Poll::Ready(Ok(value)),
            // The scope around it was cancelled, and drops it.
            (None, None) if outer => Poll::Pending,
            (None, None) => {
                let reason = node.reason().unwrap_or(CancelReason::Requested);
                Poll::Ready(Err(GroupError::Cancelled(reason)))
            }
        }
    }
}

impl<E, R> Shared<E, R> {
    pub(super) fn new(
        runtime: R,
        node: Arc<Node>,
        limit: usize,
        handler: Option<Handler<E>>,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            runtime,
            node,
            location,
            limit,
            supervisor: handler.map(|handler| {
                Mutex::new(Supervisor {
                    handler: Some(handler),
                    untold: VecDeque::new(),
                })
            }),
            waker: WakerSlot::new(),
            inner: Mutex::new(Inner {
                foreground: 0,
                background: 0,
                in_flight: 0,
                children: Slab::new(),
                queue: VecDeque::new(),
                waiting: false,
                cancelled: false,
                cut: false,
                closed: false,
                errors: Vec::new(),
                panic: None,
            }),
        }
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Nobody polls the group any more; its handles may outlive it, and are to keep nobody's waker.
    pub(super) fn unregister(&self) {
        drop_foreign(self.waker.take());
    }

    /// A child was dropped before it had ended by itself.
    pub(super) fn child_was_cut(&self) {
        self.inner.lock().cut = true;
    }

    /// Whether a child was dropped before it had ended by itself.
    pub(super) fn was_cut(&self) -> bool {
        self.inner.lock().cut
    }

    /// Whether the group was asked to end by itself.
    pub(super) fn is_requested(&self) -> bool {
        self.node.is_requested()
    }

    /// Keeps the failure of a child or of the body, or hands it to the supervisor.
    pub(super) fn fail(&self, failure: Failure<E>, of_child: bool) {
        match &self.supervisor {
            Some(supervisor) if of_child => self.tell(supervisor, failure),
            _ => self.keep(failure),
        }
    }

    /// Hands a failure to the supervisor; whoever is calling it at the moment hands on the others.
    fn tell(&self, supervisor: &Mutex<Supervisor<E>>, failure: Failure<E>) {
        let mut handler = {
            let mut supervisor = supervisor.lock();
            supervisor.untold.push_back(failure);
            match supervisor.handler.take() {
                Some(handler) => handler,
                None => return,
            }
        };
        loop {
            let failure = {
                let mut supervisor = supervisor.lock();
                match supervisor.untold.pop_front() {
                    Some(failure) => failure,
                    None => {
                        supervisor.handler = Some(handler);
                        return;
                    }
                }
            };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| handler(failure))) {
                self.keep(Failure::Panic(panic));
            }
        }
    }

    fn keep(&self, failure: Failure<E>) {
        let lost = {
            let mut inner = self.inner.lock();
            match failure {
                Failure::Error(_) if fault("second_error_is_lost") && !inner.errors.is_empty() => {
                    None
                }
                Failure::Error(error) => {
                    inner.errors.push(error);
                    None
                }
                Failure::Panic(panic) if inner.panic.is_none() => {
                    inner.panic = Some(panic);
                    None
                }
                Failure::Panic(panic) => Some(panic),
            }
        };
        if let Some(panic) = lost {
            report_panic(panic);
        }
        self.node.request(CancelReason::Failure);
    }
}

impl<E: Send + 'static, R: Spawn> Shared<E, R> {
    /// Starts a child; gives the future back if the group has ended.
    pub(super) fn spawn<F, T>(
        self: &Arc<Self>,
        info: TaskInfo,
        background: bool,
        future: F,
    ) -> Result<NonNull<Header>, F>
    where
        F: Future<Output = Option<T>> + Send + 'static,
        T: Send + 'static,
    {
        let place = {
            let mut inner = self.inner.lock();
            if inner.closed {
                return Err(future);
            }
            if !fault("spawn_counts_its_child_late") {
                *inner.count(background) += 1;
            }
            inner.children.insert(None)
        };
        if fault("spawn_counts_its_child_late") {
            *self.inner.lock().count(background) += 1;
        }
        let member = Member {
            group: Arc::clone(self),
            background,
            place: u32::try_from(place)
                .expect("a group has room for four thousand million children"),
        };
        let (job, header) = allocate(member, info, future);
        let task = job.task();
        let early = fault("spawn_looks_before_it_lists")
            .then(|| self.inner.lock().cancelled || self.node.is_told());
        let (now, cancelled) = {
            let mut inner = self.inner.lock();
            // Listed first, then the look: whoever cancels afterwards finds the child.
            inner.children[place] = Some(task);
            let cancelled = early.unwrap_or(inner.cancelled || self.node.is_told());
            if cancelled || inner.in_flight < self.limit {
                inner.in_flight += 1;
                (Some(job), cancelled)
            } else {
                inner.queue.push_back(job);
                (None, false)
            }
        };
        if let Some(job) = now {
            if cancelled {
                job.task().cancel();
            }
            self.runtime.spawn_job(job);
        }
        Ok(header)
    }

    /// A child has ended.
    pub(super) fn ended(&self, place: u32, background: bool) {
        let (child, next, wake) = {
            let mut inner = self.inner.lock();
            let child = inner.children.try_remove(place as usize).flatten();
            *inner.count(background) -= 1;
            let next = inner.queue.pop_front();
            if next.is_none() {
                inner.in_flight -= 1;
            }
            let wake = inner.waiting && inner.foreground == 0;
            (child, next, wake)
        };
        drop(child);
        if let Some(job) = next {
            if self.node.is_told() {
                // Whoever cancels may not have come to this one yet: it is not to be polled.
                job.task().cancel();
            }
            self.runtime.spawn_job(job);
        }
        if wake && !fault("last_child_wakes_nobody") {
            self.waker.wake();
        }
    }

    /// Cancels every child, and those that come later.
    pub(super) fn cancel_children(&self) {
        let queue = {
            let mut inner = self.inner.lock();
            if std::mem::replace(&mut inner.cancelled, true) {
                return;
            }
            let queue = std::mem::take(&mut inner.queue);
            inner.in_flight += queue.len();
            queue
        };
        self.node.walk();
        for job in queue {
            self.runtime.spawn_job(job);
        }
    }

    /// The body is gone: says whether every child is, too, and closes the group then. When only
    /// background children are left they are cancelled.
    pub(super) fn try_close(&self) -> bool {
        let cancel = {
            let mut inner = self.inner.lock();
            inner.waiting = true;
            if inner.foreground > 0 {
                return false;
            }
            if inner.background == 0 {
                inner.closed = true;
                return true;
            }
            !inner.cancelled
        };
        if cancel {
            self.cancel_children();
        }
        false
    }

    /// Takes what failed.
    pub(super) fn take_rest(&self) -> Rest<E> {
        let mut inner = self.inner.lock();
        Rest {
            errors: std::mem::take(&mut inner.errors),
            panic: inner.panic.take(),
            cut: inner.cut,
        }
    }
}

impl<E: Send, R: Send + Sync> Members for Shared<E, R> {
    fn list(&self, list: &mut Vec<Task>) {
        let inner = self.inner.lock();
        list.extend(inner.children.iter().filter_map(|(_, task)| task.clone()));
    }

    fn location(&self) -> Option<&'static Location<'static>> {
        Some(self.location)
    }
}

impl<E> Inner<E> {
    fn count(&mut self, background: bool) -> &mut usize {
        match background {
            true => &mut self.background,
            false => &mut self.foreground,
        }
    }
}

impl<E, R> Drop for Shared<E, R> {
    fn drop(&mut self) {
        let (count, panic) = {
            let mut inner = self.inner.lock();
            (inner.errors.len(), inner.panic.take())
        };
        if count > 0 {
            report(&Report::GroupErrorsLost {
                location: self.location,
                count,
            });
        }
        if let Some(panic) = panic {
            report_panic(panic);
        }
    }
}

/// The handle of a group: spawns children into it and cancels it.
///
/// Clones are handles of the same group; children may have one, and add siblings as long as the group
/// has not ended.
pub struct TaskGroup<E, R = AnyRuntime> {
    pub(super) shared: Arc<Shared<E, R>>,
}

impl<E, R> Clone for TaskGroup<E, R> {
    fn clone(&self) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
        }
    }
}

impl<E: Send + 'static, R: Spawn> TaskGroup<E, R> {
    /// Starts `future` as a child of the group.
    ///
    /// If it returns an error or panics, the group is cancelled. The handle may be dropped: the group
    /// owns the child. In a group that is being cancelled the child is accepted, and never
    /// polled. A timeout around this call does not concern the child, which belongs to the group.
    ///
    /// # Panics
    ///
    /// If the group has ended; [`try_spawn`](Self::try_spawn) gives the future back instead.
    #[track_caller]
    pub fn spawn<F, T>(&self, future: F) -> ChildHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.child().spawn(future)
    }

    /// [`spawn`](Self::spawn) that gives the future back if the group has ended.
    ///
    /// # Errors
    ///
    /// [`Closed`], with the future.
    #[track_caller]
    pub fn try_spawn<F, T>(&self, future: F) -> Result<ChildHandle<T>, Closed<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.child().try_spawn(future)
    }

    /// Starts `future` as a child that the group does not wait for: it is cancelled once the body and
    /// all other children have ended. Its failure is one of the group.
    ///
    /// # Panics
    ///
    /// If the group has ended.
    #[track_caller]
    pub fn spawn_background<F, T>(&self, future: F) -> ChildHandle<T>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        self.child().background().spawn(future)
    }

    /// Makes a child with a name, or in the background.
    pub fn child(&self) -> ChildBuilder<'_, E, R> {
        ChildBuilder::new(self)
    }

    /// Starts a child and waits until it says that it is ready (Trio's `start`).
    ///
    /// Until then the child belongs to the caller: if the caller is cancelled, the child is, too, and
    /// is waited for; if it fails, the error goes to the caller, and the group is unharmed.
    /// Afterwards it is a child like any other.
    ///
    /// # Cancel safety
    ///
    /// When this is dropped, the child is cancelled.
    ///
    /// # Errors
    ///
    /// [`StartError`](super::StartError): what became of the child instead, or that the group has
    /// ended.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::group::task_group;
    /// use kumi_core::runtime::Runtime;
    ///
    /// let sim = kumi_sim::Sim::new();
    /// let rt = sim.handle();
    /// let port = sim.block_on(task_group(&rt, async |group| {
    ///     let port = group
    ///         .start(async |ready| {
    ///             ready.ready(8080);
    ///             Ok::<_, std::io::Error>(())
    ///         })
    ///         .await
    ///         .unwrap();
    ///     Ok(port)
    /// }));
    /// assert_eq!(port.unwrap(), 8080);
    /// ```
    #[track_caller]
    pub fn start<V, S, F>(&self, child: S) -> Start<V, E>
    where
        S: FnOnce(Started<V>) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
        V: Send + 'static,
    {
        Start::new(self, child)
    }

    /// Asks the group to end: its body and its children. Returns whether this was the first request
    /// and the group has not ended.
    ///
    /// It is no failure: if nothing fails, the group returns the value of its body, or
    /// [`GroupError::Cancelled`](super::GroupError::Cancelled) if there is none. A cancel from outside
    /// is a different thing, and goes its own way.
    pub fn cancel(&self) -> bool {
        self.shared.node.request(CancelReason::Requested)
    }

    /// [`cancel`](Self::cancel), with a reason.
    pub fn cancel_with(&self, reason: impl Into<CancelReason>) -> bool {
        self.shared.node.request(reason.into())
    }

    /// Whether the group was asked to end, or something in it failed.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.is_requested()
    }

    /// Whether the group has ended, so that nothing can be spawned into it.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.shared.inner.lock().closed
    }

    /// Returns how many children have not ended, those that wait for their turn included.
    #[must_use]
    pub fn len(&self) -> usize {
        let inner = self.shared.inner.lock();
        inner.foreground + inner.background
    }

    /// Whether no child is left at the moment.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Starts a child whose failure is that of the group.
    pub(super) fn start_child<F, T>(
        &self,
        info: TaskInfo,
        background: bool,
        future: F,
    ) -> Result<ChildHandle<T>, Closed<F>>
    where
        F: Future<Output = Result<T, E>> + Send + 'static,
        T: Send + 'static,
    {
        let child = ChildFuture::new(future, Link::new(&self.shared, background));
        match self.shared.spawn(info, background, child) {
            Ok(header) => Ok(ChildHandle::new(header)),
            Err(child) => Err(Closed(child.into_inner())),
        }
    }
}

/// What `spawn` does if the group has ended.
#[cold]
#[track_caller]
pub(super) fn closed() -> ! {
    panic!("{CLOSED}")
}

impl<E, R> fmt::Debug for TaskGroup<E, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = self.shared.inner.lock();
        f.debug_struct("TaskGroup")
            .field("children", &inner.foreground)
            .field("background", &inner.background)
            .field("closed", &inner.closed)
            .finish_non_exhaustive()
    }
}
