//! The future of a group.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::error::{Failure, GroupError};
use super::shared::{Handler, Shared, TaskGroup};
use crate::context::{self, CancelReason, Node, Wall};
use crate::debug::{self, WaitsFor, note_wait};
use crate::loom::fault;
use crate::runtime::Spawn;

/// Runs `body` with a group of tasks on `runtime`, and returns when the body and all children have
/// ended.
///
/// (asyncio's and AnyIO's `TaskGroup`, Trio's nursery.) The body gets the group's handle, and may return
/// early; the group waits all the same. The first error, or panic, of the body or of a child cancels
/// the others; they clean up, and then the group fails with that error and those that came after it.
/// When it is cancelled, the body is dropped as soon as nothing in it has to clean up, with all that it
/// owns (a listener closes at once), while the children may still be cleaning up.
///
/// # Cancel safety
///
/// A cancel goes to the children at once; when all have cleaned up and ended, the scope that was
/// cancelled goes on. When this future is dropped from outside, its children are cancelled and clean
/// up by themselves; the end of the run waits for them.
///
/// # Errors
///
/// [`GroupError`], with the first error and all others in the order in which they came. Errors win
/// over a cancel from outside, which then takes effect at the next await.
///
/// # Panics
///
/// With the first panic of the body or of a child, when all have ended. When polled after it was ready.
///
/// # Examples
///
/// ```
/// use kumi_core::group::task_group;
/// use kumi_core::runtime::Runtime;
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// let sum = sim.block_on(task_group(&rt, async |group| {
///     let a = group.spawn(async { Ok::<_, std::num::ParseIntError>(20) });
///     let b = group.spawn(async { "22".parse::<i32>() });
///     Ok(a.await.unwrap_or(0) + b.await.unwrap_or(0))
/// }));
/// assert_eq!(sum.unwrap(), 42);
/// ```
#[track_caller]
pub fn task_group<R, T, E, B, F>(
    runtime: &R,
    body: B,
) -> impl Future<Output = Result<T, GroupError<E>>> + use<R, T, E, B, F>
where
    R: Spawn,
    E: Send + 'static,
    B: FnOnce(TaskGroup<E, R>) -> F,
    F: Future<Output = Result<T, E>>,
{
    GroupBuilder::new().run(runtime, body)
}

/// How a group treats its children.
#[must_use = "a builder does nothing until it runs"]
pub struct GroupBuilder<E> {
    limit: usize,
    handler: Option<Handler<E>>,
}

impl<E> Default for GroupBuilder<E> {
    fn default() -> Self {
        Self {
            limit: usize::MAX,
            handler: None,
        }
    }
}

impl<E: Send + 'static> GroupBuilder<E> {
    /// The usual group: no limit, and the first failure cancels all.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many children may run at the same time; the others wait for their turn, in the order
    /// in which they were spawned.
    ///
    /// # Panics
    ///
    /// If `limit` is zero: no child would ever run.
    pub fn limit(mut self, limit: usize) -> Self {
        assert!(
            limit > 0,
            "a task group with a limit of 0 would run nothing"
        );
        self.limit = limit;
        self
    }

    /// Makes the failures of children leave the others alone: `handler` gets them, as they come.
    ///
    /// (Kotlin's `supervisorScope`.) A failure of the body, and a cancel, reach all children all the
    /// same. The handler must not block; if it panics, that is a failure of the group.
    pub fn supervise(mut self, handler: impl FnMut(Failure<E>) + Send + 'static) -> Self {
        self.handler = Some(Box::new(handler));
        self
    }

    /// Runs `body` with the group; see [`task_group`].
    ///
    /// # Cancel safety
    ///
    /// As [`task_group`].
    ///
    /// # Errors
    ///
    /// As [`task_group`].
    #[track_caller]
    pub fn run<R, T, B, F>(
        self,
        runtime: &R,
        body: B,
    ) -> impl Future<Output = Result<T, GroupError<E>>> + use<R, T, E, B, F>
    where
        R: Spawn,
        B: FnOnce(TaskGroup<E, R>) -> F,
        F: Future<Output = Result<T, E>>,
    {
        let node = Arc::new(Node::region(Wall::None));
        let runtime = runtime.clone();
        let location = Location::caller();
        let shared = Shared::new(
            runtime,
            Arc::clone(&node),
            self.limit,
            self.handler,
            location,
        );
        let shared = Arc::new(shared);
        let members: Weak<Shared<E, R>> = Arc::downgrade(&shared);
        node.set_members(members);
        let handle = TaskGroup {
            shared: Arc::clone(&shared),
        };
        let mut group = Group {
            body: None,
            value: None,
            node: Some(node),
            polled: false,
            looked_again: false,
            shared,
        };
        // Only now: if it panics, the group is dropped, and with it what was spawned.
        group.body = Some(body(handle));
        group
    }
}

impl<E> fmt::Debug for GroupBuilder<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GroupBuilder")
            .field("limit", &self.limit)
            .field("supervises", &self.handler.is_some())
            .finish()
    }
}

pin_project! {
    /// A group: its body, and what it shares with its children.
    struct Group<B, T, E, R>
    where
        E: Send,
        E: 'static,
        R: Spawn,
    {
        #[pin]
        body: Option<B>,
        value: Option<T>,
        // Gone when the group has ended.
        node: Option<Arc<Node>>,
        polled: bool,
        looked_again: bool,
        shared: Arc<Shared<E, R>>,
    }

    impl<B, T, E, R> PinnedDrop for Group<B, T, E, R>
    where
        E: Send,
        E: 'static,
        R: Spawn,
    {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let Some(node) = this.node.take() else {
                return;
            };
            if !*this.polled {
                debug::never_polled("task_group", this.shared.location);
            }
            let end = || {
                if !fault("dropped_group_leaves_its_children") {
                    node.request(CancelReason::Requested);
                    this.shared.cancel_children();
                }
                this.shared.try_close();
                node.end();
                this.shared.unregister();
            };
            context::drop_then(|| this.body.set(None), end);
        }
    }
}

impl<B, T, E, R> Group<B, T, E, R>
where
    B: Future<Output = Result<T, E>>,
    E: Send + 'static,
    R: Spawn,
{
    /// Polls the body; ready once it is gone.
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let mut this = self.project();
        while let Some(body) = this.body.as_mut().as_pin_mut() {
            let own = this.shared.is_requested();
            let poll = catch_unwind(AssertUnwindSafe(|| {
                context::enter_scope(this.node, Wall::None, own, None, || body.poll(cx))
            }));
            match poll {
                Ok((Poll::Ready(Ok(value)), _)) => *this.value = Some(value),
                Ok((Poll::Ready(Err(error)), _)) => {
                    this.shared.fail(Failure::Error(error), false);
                }
                Err(panic) => this.shared.fail(Failure::Panic(panic), false),
                Ok((Poll::Pending, seen)) => {
                    if !seen.outer && !this.shared.is_requested() {
                        return Poll::Pending;
                    }
                    this.shared.cancel_children();
                    match this.node {
                        // They have been told: now they can be polled with that knowledge.
                        Some(node) if node.unwind() => continue,
                        Some(node) if node.has_live() => return Poll::Pending,
                        _ => {}
                    }
                }
            }
            let dropped = catch_unwind(AssertUnwindSafe(|| this.body.as_mut().set(None)));
            if let Err(panic) = dropped {
                this.shared.fail(Failure::Panic(panic), false);
            }
        }
        Poll::Ready(())
    }
}

impl<B, T, E, R> Future for Group<B, T, E, R>
where
    B: Future<Output = Result<T, E>>,
    E: Send + 'static,
    R: Spawn,
{
    type Output = Result<T, GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(node) = self.node.clone() else {
            assert!(
                context::is_cancelled(),
                "a task group was polled after it had ended"
            );
            return Poll::Pending;
        };
        *self.as_mut().project().polled = true;
        // The wakers first, then the looks.
        node.register(cx.waker());
        self.shared.register(cx.waker());
        context::tie_here(&node);
        if context::is_cancelled() {
            // Before the body is polled: a child that it spawns now is not to begin.
            self.shared.cancel_children();
        }
        let Poll::Ready(()) = self.as_mut().poll_body(cx) else {
            return Poll::Pending;
        };
        let outer = context::is_cancelled();
        if outer || self.shared.is_requested() {
            self.shared.cancel_children();
        }
        if !self.shared.try_close() {
            note_wait(|| WaitsFor::Other("the children of its group"));
            return Poll::Pending;
        }
        let this = self.project();
        // A cancel from outside that came during this poll may have ended the last child, and the frames
        // do not know of it yet: the next poll decides what this one would have to guess.
        let guess = !outer && node.is_told() && this.shared.was_cut();
        if guess && !std::mem::replace(this.looked_again, true) && !fault("group_looks_once") {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        // A panic of a clean-up in the body that ran because of a cancel.
        if let Some(panic) = node.take_panic() {
            this.shared.fail(Failure::Panic(panic), false);
        }
        let rest = this.shared.take_rest();
        *this.node = None;
        node.end();
        this.shared.unregister();
        rest.resolve(this.value.take(), outer, &node, this.shared.location)
    }
}
