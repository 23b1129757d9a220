//! What a combinator and its children share, and how a future becomes a child.
//!
//! # PROTOCOL
//!
//! All cells are made first, then their handles are listed here, then the jobs are given to the runtime one
//! by one. Whoever cancels writes the request into the node and then asks those that are listed; the one
//! who spawns looks at the node before each job. So a child is asked by one of the two, and no lock
//! is taken per child.
//!
//! `left` counts the children that have not ended. Each gives its one back as its last step, with the
//! release that publishes its end; the last of them wakes the combinator, which acquires it.

use std::any::Any;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::panic::Location;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Waker, ready};

use pin_project_lite::pin_project;

use super::crew::Handles;
use super::rule::Rule;
use crate::context::{CancelReason, Kind, Members, Node, current_task, report_panic};
use crate::loom::{AtomicUsize, Mutex, Ordering, count_off, fault};
use crate::runtime::{Ambient, AmbientSource, Job, Spawn, Task, TaskInfo, Tasks};
use crate::task::{JoinError, JoinHandle, Scheduler, allocate};
use crate::util::WakerSlot;

/// What a combinator shares with its children: handles `H`, and the decision `S` of one of them.
pub(super) struct Shared<S, H, R> {
    runtime: R,
    /// The combinator as a scope.
    pub(super) node: Arc<Node>,
    /// Who polls the combinator.
    waker: WakerSlot,
    left: AtomicUsize,
    /// It may be left alone: the last child ends the region, whoever polls.
    pub(super) alone: bool,
    inner: Mutex<Inner<S, H>>,
}

struct Inner<S, H> {
    handles: Option<H>,
    decision: Option<S>,
    panic: Option<Box<dyn Any + Send>>,
}

/// What is left when every child has ended.
pub(super) struct Rest<S, H> {
    pub(super) handles: Option<H>,
    pub(super) decision: Option<S>,
    pub(super) panic: Option<Box<dyn Any + Send>>,
}

impl<S, H, R> Shared<S, H, R> {
    pub(super) fn new(runtime: R, node: Arc<Node>, alone: bool) -> Self {
        Self {
            runtime,
            node,
            waker: WakerSlot::new(),
            left: AtomicUsize::new(0),
            alone,
            inner: Mutex::new(Inner {
                handles: None,
                decision: None,
                panic: None,
            }),
        }
    }

    /// Makes a cancel of the scope reach the children.
    pub(super) fn set_members(self: &Arc<Self>)
    where
        S: Send + 'static,
        H: Handles,
        R: Spawn,
    {
        let members: Weak<Self> = Arc::downgrade(self);
        self.node.set_members(members);
    }

    pub(super) fn register(&self, waker: &Waker) {
        self.waker.register(waker);
    }

    /// Whether every child has ended.
    pub(super) fn is_over(&self) -> bool {
        // Acquire: pairs with the Release of each child in `ended`.
        self.left.load(Ordering::Acquire) == 0
    }

    /// Takes the handles out: nobody finds the children here any more.
    pub(super) fn take_handles(&self) -> Option<H> {
        self.inner.lock().handles.take()
    }

    /// Takes all that the children have left.
    pub(super) fn take_rest(&self) -> Rest<S, H> {
        let mut inner = self.inner.lock();
        Rest {
            handles: inner.handles.take(),
            decision: inner.decision.take(),
            panic: inner.panic.take(),
        }
    }

    /// A child decides: the first decision stays, and cancels the others.
    fn decide(&self, stop: S) {
        let late = {
            let mut inner = self.inner.lock();
            match &inner.decision {
                None => {
                    inner.decision = Some(stop);
                    None
                }
                Some(_) => Some(stop),
            }
        };
        match late {
            None => {
                self.node.request(CancelReason::Requested);
            }
            Some(late) => drop(late),
        }
    }

    /// Keeps the panic of a child, which cancels the others; a second one is reported.
    fn keep_panic(&self, panic: Box<dyn Any + Send>) {
        let lost = {
            let mut inner = self.inner.lock();
            match &inner.panic {
                None => {
                    inner.panic = Some(panic);
                    None
                }
                Some(_) => Some(panic),
            }
        };
        if let Some(panic) = lost {
            report_panic(panic);
        }
        self.node.request(CancelReason::Failure);
    }
}

impl<S: Send, H: Handles, R: Send + Sync> Members for Shared<S, H, R> {
    fn list(&self, list: &mut Vec<Task>) {
        if let Some(handles) = &self.inner.lock().handles {
            handles.list(list);
        }
    }
}

impl<S, H, R> Drop for Shared<S, H, R> {
    fn drop(&mut self) {
        let panic = self.inner.lock().panic.take();
        if let Some(panic) = panic {
            report_panic(panic);
        }
    }
}

/// The scheduler of a child: the runtime, and the combinator, which learns of its end.
struct Member<S, H, R>(Arc<Shared<S, H, R>>);

impl<S: Send + 'static, H: Handles, R: Spawn> AmbientSource for Member<S, H, R> {
    fn ambient(&self) -> Option<Ambient<'_>> {
        Spawn::ambient(&self.0.runtime)
    }
}

impl<S: Send + 'static, H: Handles, R: Spawn> Scheduler for Member<S, H, R> {
    const KIND: Kind = Kind::Async;
    const OWNED: bool = true;

    fn schedule(&self, job: Job) {
        self.0.runtime.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(&self.0.runtime)
    }

    #[inline]
    fn is_host(&self) -> bool {
        Spawn::is_host(&self.0.runtime)
    }

    fn take_panic(&self, panic: Box<dyn Any + Send>) -> Option<Box<dyn Any + Send>> {
        self.0.keep_panic(panic);
        None
    }

    #[inline]
    fn ended(&self) {
        // Release: what the child did comes before; Acquire: the last one wakes for all of them.
        let last = count_off(&self.0.left, fault("member_leaves_in_two_steps"));
        if !last {
            return;
        }
        if self.0.alone && !fault("who_is_alone_stays_a_region") {
            self.0.node.end();
        }
        if !fault("last_member_wakes_nobody") {
            self.0.waker.wake();
        }
    }
}

/// Makes children, for a [`Crew`](super::Crew).
pub struct Recruiter<'a, P, S, H, R> {
    shared: &'a Arc<Shared<S, H, R>>,
    location: &'static Location<'static>,
    jobs: Vec<Job>,
    rule: PhantomData<fn() -> P>,
}

impl<'a, P, S: Send + 'static, H: Handles, R: Spawn> Recruiter<'a, P, S, H, R> {
    pub(super) fn new(
        shared: &'a Arc<Shared<S, H, R>>,
        location: &'static Location<'static>,
    ) -> Self {
        Self {
            shared,
            location,
            jobs: Vec::new(),
            rule: PhantomData,
        }
    }

    /// Makes room for so many children.
    pub(super) fn expect(&mut self, children: usize) {
        self.jobs.reserve_exact(children);
    }

    /// Makes a child of `future`; it is not started yet.
    #[inline]
    pub(super) fn recruit<F>(&mut self, future: F) -> JoinHandle<Option<P::Value>>
    where
        F: Future + Send + 'static,
        P: Rule<F::Output, Stop = S>,
    {
        let child = Child::<F, F::Output, P, H, R> {
            future,
            bond: Bond {
                shared: P::DECIDES.then(|| Arc::clone(self.shared)),
            },
        };
        let member = Member(Arc::clone(self.shared));
        let (job, header) = allocate(member, TaskInfo::new(None, self.location), child);
        self.jobs.push(job);
        JoinHandle::new(header)
    }

    /// Lists the children by their `handles`, and starts them.
    pub(super) fn start(self, handles: H) {
        let shared = self.shared;
        shared.left.store(self.jobs.len(), Ordering::Relaxed);
        let list = |handles| shared.inner.lock().handles = Some(handles);
        let mut late = None;
        match fault("members_are_listed_late") {
            true => late = Some(handles),
            false => list(handles),
        }
        for job in self.jobs {
            // Whoever cancels may not have come to this one yet: it is not to be polled.
            if shared.node.is_told() {
                job.task().cancel();
            }
            shared.runtime.spawn_job(job);
        }
        late.map(list);
    }
}

impl<P, S, H, R> std::fmt::Debug for Recruiter<'_, P, S, H, R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recruiter")
            .field("children", &self.jobs.len())
            .finish_non_exhaustive()
    }
}

/// A child's link to its combinator: the child may decide, also by being cancelled.
struct Bond<O, P: Rule<O>, H, R> {
    /// Gone when the child has returned, or if it cannot decide.
    shared: Option<Arc<Shared<P::Stop, H, R>>>,
}

impl<O, P: Rule<O>, H, R> Drop for Bond<O, P, H, R> {
    fn drop(&mut self) {
        let Some(shared) = self.shared.take() else {
            return;
        };
        // The destructor runs inside the task.
        let Some(task) = current_task() else { return };
        if let Some(stop) = P::cut(JoinError::cancelled(task.info().clone())) {
            shared.decide(stop);
        }
    }
}

pin_project! {
    /// The future of a child: none if its output has decided.
    struct Child<F, O, P: Rule<O>, H, R> {
        #[pin]
        future: F,
        bond: Bond<O, P, H, R>,
    }
}

impl<F, P, H, R> Future for Child<F, F::Output, P, H, R>
where
    F: Future,
    P: Rule<F::Output>,
{
    type Output = Option<P::Value>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let output = ready!(this.future.poll(cx));
        let shared = this.bond.shared.take();
        Poll::Ready(match P::judge(output) {
            ControlFlow::Continue(value) => Some(value),
            ControlFlow::Break(stop) => {
                if let Some(shared) = shared {
                    shared.decide(stop);
                }
                None
            }
        })
    }
}
