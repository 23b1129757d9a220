//! Groups whose children run in the task that awaits them: [`scope`], [`scope_send`].
//!
//! The children are kept in a slab. Each has a waker of its own that notes its index in the list of
//! those to be polled and wakes the task, so only a child that was woken is polled.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};

use pin_project_lite::pin_project;
use slab::Slab;

use super::child::ChildError;
use super::error::{CLOSED, GroupError};
use super::shared::Rest;
use crate::cancel::{CancelHandle, CancelScope, poll_checkpoint};
use crate::context::{self, CancelReason, Node, Wall, report_panic};
use crate::loom::{AtomicBool, Mutex, Ordering};
use crate::report::{Report, report};
use crate::util::{WakerSlot, drop_foreign};

/// A child of [`scope`].
type LocalChild<'env> = Pin<Box<dyn Future<Output = ()> + 'env>>;
/// A child of [`scope_send`].
type SendChild<'env> = Pin<Box<dyn Future<Output = ()> + Send + 'env>>;

/// Which children are to be polled, and whom to wake for it.
struct Ready {
    woken: Mutex<Vec<usize>>,
    parent: WakerSlot,
}

/// The waker of one child.
struct ChildWaker {
    index: usize,
    /// It is in the list.
    listed: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for ChildWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !self.listed.swap(true, Ordering::AcqRel) {
            self.ready.woken.lock().push(self.index);
            self.ready.parent.wake();
        }
    }
}

/// What a scope, its handles and its children share.
struct Shared<C, E> {
    node: Arc<Node>,
    location: &'static Location<'static>,
    inner: Mutex<Inner<C, E>>,
    ready: Arc<Ready>,
}

struct Inner<C, E> {
    /// Children that were spawned and are not in the slab yet.
    fresh: Vec<C>,
    closed: bool,
    errors: Vec<E>,
    panic: Option<Box<dyn Any + Send>>,
}

impl<C, E> Shared<C, E> {
    #[track_caller]
    fn new() -> Self {
        Self {
            node: Arc::new(Node::region(Wall::None)),
            location: Location::caller(),
            inner: Mutex::new(Inner {
                fresh: Vec::new(),
                closed: false,
                errors: Vec::new(),
                panic: None,
            }),
            ready: Arc::new(Ready {
                woken: Mutex::new(Vec::new()),
                parent: WakerSlot::new(),
            }),
        }
    }

    fn fail(&self, error: E) {
        self.inner.lock().errors.push(error);
        self.node.request(CancelReason::Failure);
    }

    fn panicked(&self, panic: Box<dyn Any + Send>) {
        let lost = {
            let mut inner = self.inner.lock();
            match inner.panic {
                Some(_) => Some(panic),
                None => {
                    inner.panic = Some(panic);
                    None
                }
            }
        };
        if let Some(panic) = lost {
            report_panic(panic);
        }
        self.node.request(CancelReason::Failure);
    }

    /// Nobody polls the scope any more; handles and wakers of children may outlive it, and are to keep
    /// nobody's waker.
    fn unregister(&self) {
        drop_foreign(self.ready.parent.take());
    }

    #[track_caller]
    fn add(&self, child: C) {
        {
            let mut inner = self.inner.lock();
            if !inner.closed {
                inner.fresh.push(child);
                drop(inner);
                return self.ready.parent.wake();
            }
        }
        panic!("{CLOSED}");
    }
}

/// Where a child leaves its value.
struct Slot<T> {
    outcome: Mutex<Option<Result<T, ChildError>>>,
    waker: WakerSlot,
}

/// Tells the handle if the child goes without having said anything: it was dropped.
struct Leaves<T>(Arc<Slot<T>>);

impl<T> Leaves<T> {
    fn leave(&self, outcome: Result<T, ChildError>) {
        {
            let mut slot = self.0.outcome.lock();
            if slot.is_some() {
                return;
            }
            *slot = Some(outcome);
        }
        self.0.waker.wake();
    }
}

impl<T> Drop for Leaves<T> {
    fn drop(&mut self) {
        self.leave(Err(ChildError::Cancelled));
    }
}

/// The right to the value of a child that runs in place; the scope owns the child, so dropping this
/// does nothing.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` loses nothing when it is dropped.
pub struct ScopeHandle<T> {
    slot: Arc<Slot<T>>,
    cancel: CancelHandle,
    taken: bool,
}

impl<T> ScopeHandle<T> {
    /// Asks this child to end, and nobody else: that is no failure of the scope.
    pub fn cancel(&self) -> bool {
        self.cancel.cancel()
    }

    /// Whether the child has ended.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.taken || self.slot.outcome.lock().is_some()
    }
}

impl<T> Unpin for ScopeHandle<T> {}

impl<T> Future for ScopeHandle<T> {
    type Output = Result<T, ChildError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        assert!(!self.taken, "`ScopeHandle` was polled after it was ready");
        self.slot.waker.register(cx.waker());
        if self.slot.outcome.lock().is_none() {
            return Poll::Pending;
        }
        ready!(poll_checkpoint(cx));
        self.taken = true;
        let outcome = self.slot.outcome.lock().take();
        Poll::Ready(outcome.unwrap_or_else(|| unreachable!("only this takes it")))
    }
}

impl<T> fmt::Debug for ScopeHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScopeHandle")
            .field("finished", &self.is_finished())
            .finish()
    }
}

/// Defines the handle of a scope and the function that runs one.
macro_rules! scope {
    (
        $(#[$fn_attr:meta])* fn $function:ident;
        $(#[$attr:meta])* struct $name:ident of $child:ident, $($bound:ident)?
    ) => {
        $(#[$attr])*
        pub struct $name<'env, E> {
            shared: Arc<Shared<$child<'env>, E>>,
        }

        impl<E> Clone for $name<'_, E> {
            fn clone(&self) -> Self {
                Self { shared: Arc::clone(&self.shared) }
            }
        }

        impl<'env, E: $($bound +)? 'env> $name<'env, E> {
            /// Starts `future` as a child, in the task that awaits the scope.
            ///
            /// If it returns an error or panics, the scope is cancelled. The handle may be dropped.
            ///
            /// # Panics
            ///
            /// If the scope has ended.
            #[track_caller]
            pub fn spawn<F, T>(&self, future: F) -> ScopeHandle<T>
            where
                F: Future<Output = Result<T, E>> $(+ $bound)? + 'env,
                T: $($bound +)? 'env,
            {
                let slot = Arc::new(Slot {
                    outcome: Mutex::new(None),
                    waker: WakerSlot::new(),
                });
                let scope = CancelScope::new();
                let cancel = scope.handle();
                let leaves = Leaves(Arc::clone(&slot));
                let shared = Arc::downgrade(&self.shared);
                let child = async move {
                    match scope.run(future).await {
                        Ok(Ok(value)) => leaves.leave(Ok(value)),
                        Ok(Err(error)) => {
                            leaves.leave(Err(ChildError::Failed));
                            if let Some(shared) = shared.upgrade() {
                                shared.fail(error);
                            }
                        }
                        Err(_) => leaves.leave(Err(ChildError::Cancelled)),
                    }
                };
                self.shared.add(Box::pin(child));
                ScopeHandle { slot, cancel, taken: false }
            }

            /// Asks the scope to end: its body and its children. It is no failure.
            pub fn cancel(&self) -> bool {
                self.shared.node.request(CancelReason::Requested)
            }

            /// Whether the scope was asked to end, or something in it failed.
            #[must_use]
            pub fn is_cancelled(&self) -> bool {
                self.shared.node.is_requested()
            }
        }

        impl<E> fmt::Debug for $name<'_, E> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name)).finish_non_exhaustive()
            }
        }

        $(#[$fn_attr])*
        ///
        /// # Cancel safety
        ///
        /// A cancel unwinds the body and the children. When this is dropped, they are dropped: the
        /// hard way.
        ///
        /// # Errors
        ///
        /// [`GroupError`], with the first error and all others in the order in which they came.
        ///
        /// # Panics
        ///
        /// With the first panic of the body or of a child, when all have ended. When polled after it
        /// was ready.
        #[track_caller]
        pub fn $function<'env, T, E, B, F>(
            body: B,
        ) -> impl Future<Output = Result<T, GroupError<E>>> + use<'env, T, E, B, F>
        where
            E: $($bound +)? 'env,
            B: FnOnce($name<'env, E>) -> F,
            F: Future<Output = Result<T, E>>,
        {
            let shared = Arc::new(Shared::new());
            let handle = $name { shared: Arc::clone(&shared) };
            let mut scope = InPlace {
                body: None,
                value: None,
                children: Slab::new(),
                node: Some(Arc::clone(&shared.node)),
                shared,
            };
            // Only now: if it panics, the scope is dropped, and with it what was spawned.
            scope.body = Some(body(handle));
            scope
        }
    };
}

scope! {
    /// Runs `body` with a group whose children run in place, in the task that awaits this.
    ///
    /// The children may borrow from outside of the scope and need not be `Send`; they take turns, and
    /// never run in parallel. Otherwise it is a [`task_group`](super::task_group). It needs no
    /// runtime. [`scope_send`] is the same for children that are `Send`, and then is `Send` itself.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::group::scope;
    /// use kumi_core::runtime::Runtime;
    /// use std::{cell::Cell, convert::Infallible};
    ///
    /// let sum = Cell::new(0);
    /// let done = scope(async |s| {
    ///     for number in [20, 22] {
    ///         let sum = &sum;
    ///         s.spawn(async move {
    ///             sum.set(sum.get() + number);
    ///             Ok::<_, Infallible>(())
    ///         });
    ///     }
    ///     Ok(())
    /// });
    /// kumi_sim::Sim::new().block_on(done).unwrap();
    /// assert_eq!(sum.get(), 42);
    /// ```
    fn scope;

    /// The handle of a [`scope`]: spawns children into it and cancels it.
    struct Scope of LocalChild,
}

scope! {
    /// [`scope`] for children that are `Send`; it is `Send` itself if its body is.
    fn scope_send;

    /// The handle of a [`scope_send`]: spawns children into it and cancels it.
    struct ScopeSend of SendChild, Send
}

/// A child in its place.
struct Held<C> {
    future: C,
    waker: Arc<ChildWaker>,
}

pin_project! {
    /// A scope whose children run in place.
    struct InPlace<B, T, C, E> {
        #[pin]
        body: Option<B>,
        value: Option<T>,
        children: Slab<Held<C>>,
        // Gone when the scope has ended.
        node: Option<Arc<Node>>,
        shared: Arc<Shared<C, E>>,
    }

    impl<B, T, C, E> PinnedDrop for InPlace<B, T, C, E> {
        fn drop(this: Pin<&mut Self>) {
            let Some(node) = this.as_ref().node.clone() else {
                return;
            };
            let mut this = this;
            let (count, panic) = {
                let mut inner = this.shared.inner.lock();
                inner.closed = true;
                (inner.errors.len(), inner.panic.take())
            };
            if count > 0 {
                let location = this.shared.location;
                report(&Report::GroupErrorsLost { location, count });
            }
            if let Some(panic) = panic {
                report_panic(panic);
            }
            this.as_mut().cut();
            node.end();
            this.shared.unregister();
            let panic = this.shared.inner.lock().panic.take();
            if let Some(panic) = panic {
                context::go_on(panic);
            }
        }
    }
}

impl<B, T, C, E> InPlace<B, T, C, E> {
    /// Drops the body and the children that are left.
    fn cut(self: Pin<&mut Self>) {
        let mut this = self.project();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| this.body.set(None))) {
            this.shared.panicked(panic);
        }
        let fresh = std::mem::take(&mut this.shared.inner.lock().fresh);
        for future in fresh {
            drop_child(this.shared, future);
        }
        for child in this.children.drain() {
            drop_child(this.shared, child);
        }
    }
}

impl<B, T, C, E> InPlace<B, T, C, E>
where
    B: Future<Output = Result<T, E>>,
    C: Future<Output = ()> + Unpin,
{
    /// Polls the body and the children that were woken, until none of them is left.
    fn poll_all(mut self: Pin<&mut Self>, cx: &mut Context<'_>) {
        self.as_mut().poll_body(cx);
        let mut turn = Vec::new();
        loop {
            let this = self.as_mut().project();
            let fresh = std::mem::take(&mut this.shared.inner.lock().fresh);
            for future in fresh {
                let entry = this.children.vacant_entry();
                turn.push(entry.key());
                let waker = Arc::new(ChildWaker {
                    index: entry.key(),
                    listed: AtomicBool::new(true),
                    ready: Arc::clone(&this.shared.ready),
                });
                entry.insert(Held { future, waker });
            }
            turn.append(&mut this.shared.ready.woken.lock());
            if turn.is_empty() {
                return;
            }
            let mut polled = 0;
            for &index in &turn {
                // Those who take part in a turn spend from the budget: a child that is always ready
                // does not keep the task for itself.
                if !context::spend() {
                    break;
                }
                polled += 1;
                let Some(child) = this.children.get_mut(index) else {
                    continue;
                };
                child.waker.listed.store(false, Ordering::Release);
                let waker = Waker::from(Arc::clone(&child.waker));
                let future = Pin::new(&mut child.future);
                let poll = || future.poll(&mut Context::from_waker(&waker));
                let ended = match catch_unwind(AssertUnwindSafe(poll)) {
                    Ok(poll) => poll.is_ready(),
                    Err(panic) => {
                        this.shared.panicked(panic);
                        true
                    }
                };
                if ended {
                    drop_child(this.shared, this.children.remove(index));
                }
            }
            turn.drain(..polled);
            if !turn.is_empty() {
                {
                    let mut woken = this.shared.ready.woken.lock();
                    turn.append(&mut woken);
                    *woken = turn;
                }
                return cx.waker().wake_by_ref();
            }
        }
    }

    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) {
        let mut this = self.project();
        let Some(body) = this.body.as_mut().as_pin_mut() else {
            return;
        };
        match catch_unwind(AssertUnwindSafe(|| body.poll(cx))) {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(Ok(value))) => *this.value = Some(value),
            Ok(Poll::Ready(Err(error))) => this.shared.fail(error),
            Err(panic) => this.shared.panicked(panic),
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| this.body.set(None))) {
            this.shared.panicked(panic);
        }
    }
}

/// Drops a child, or its future; a panic of it is one of the scope.
fn drop_child<C, E, D>(shared: &Shared<C, E>, child: D) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(child))) {
        shared.panicked(panic);
    }
}

impl<B, T, C, E> Future for InPlace<B, T, C, E>
where
    B: Future<Output = Result<T, E>>,
    C: Future<Output = ()> + Unpin,
{
    type Output = Result<T, GroupError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(node) = self.node.clone() else {
            assert!(
                context::is_cancelled(),
                "a scope was polled after it had ended"
            );
            return Poll::Pending;
        };
        node.register(cx.waker());
        self.shared.ready.parent.register(cx.waker());
        loop {
            let own = node.is_requested();
            let mut kept = Some(Arc::clone(&node));
            let poll = || self.as_mut().poll_all(cx);
            let (_, seen) = context::enter_scope(&mut kept, Wall::None, own, None, poll);
            let gone = self.body.is_none() && self.children.is_empty();
            if !gone {
                if !seen.outer && !node.is_requested() {
                    return Poll::Pending;
                }
                if node.unwind() {
                    continue;
                }
                if node.has_live() {
                    return Poll::Pending;
                }
                self.as_mut().cut();
            }
            let this = self.project();
            let rest = {
                let mut inner = this.shared.inner.lock();
                inner.closed = true;
                Rest {
                    errors: std::mem::take(&mut inner.errors),
                    panic: inner.panic.take().or_else(|| node.take_panic()),
                    cut: !gone,
                }
            };
            *this.node = None;
            node.end();
            this.shared.unregister();
            let location = this.shared.location;
            return rest.resolve(this.value.take(), seen.outer, &node, location);
        }
    }
}
