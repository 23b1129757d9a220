//! Jobs: what a backend gets to run.
//!
//! A job is the right to poll a task once (or, hosted, to the end): one pointer to the task's cell.
//! `state` has the protocol, `header` the pointer's mechanics; both are private to core, and the
//! types here are all that a backend sees.
#![allow(unsafe_code, reason = "the auto traits of the pointers; see each impl")]

pub(crate) mod extra;
pub(crate) mod header;
mod origin;
pub(crate) mod queue;
pub(crate) mod state;
pub(crate) mod task;

use std::cell::Cell;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};

use header::Header;
use queue::JobQueue;
use state::Stopped;
use task::{Task, TaskInfo};

use crate::loom::{fault, thread_local};

/// What became of a job that was run.
#[derive(Debug)]
#[must_use = "`Ran::Again` holds a job, and dropping a job drops the future of its task"]
pub enum Ran {
    /// The task has ended.
    Ended,
    /// The task waits; its job comes back through [`spawn_job`](super::Spawn::spawn_job).
    Pending,
    /// The task was woken while it ran: queue the job again, behind the others.
    Again(Job),
}

/// What became of a poll, before others are told.
enum Started {
    Ended,
    Again(Job),
    Pending(NonNull<Header>),
}

/// A task whose next poll is due.
///
/// Either call [`run`](Job::run), once, or poll it as the future it is until it is ready.
/// Dropping it drops the task's future: its joiner gets "cancelled", and the loss is reported
/// unless the task was being cancelled anyway.
#[must_use = "dropping a job drops the future of its task"]
pub struct Job(NonNull<Header>);

// SAFETY: a job gives the right to the future of its cell, which is `Send`: `spawn` demands it; or
// the cell is that of a local task, and refuses to poll or to drop its future on another thread.
// The header is made for sharing. The output is `Send`, or its handle is not.
unsafe impl Send for Job {}
// SAFETY: through `&Job` one can only read the header's identity, and count references.
unsafe impl Sync for Job {}

impl Job {
    /// Makes a job of one reference to a cell whose state says that a job exists.
    #[inline]
    pub(crate) fn new(header: NonNull<Header>) -> Self {
        Self(header)
    }

    #[inline]
    fn into_raw(self) -> NonNull<Header> {
        ManuallyDrop::new(self).0
    }

    #[inline]
    fn header(&self) -> &Header {
        header::deref(&self.0)
    }

    /// Polls the task once, with a waker that brings it back through
    /// [`spawn_job`](super::Spawn::spawn_job) of its runtime.
    ///
    /// Never unwinds. The task's frame is set meanwhile.
    #[inline]
    pub fn run(self) -> Ran {
        match self.start() {
            Started::Ended => Ran::Ended,
            Started::Again(job) => Ran::Again(job),
            Started::Pending(header) => {
                match header::deref(&header).state.stop() {
                    Stopped::Idle => {}
                    Stopped::Again => return Ran::Again(Self::new(header)),
                    // The last reference to a task that waits: no waker, no handle can reach it ever
                    // again. As every executor does, drop it; the cell reports the loss.
                    Stopped::Forgotten => drop(Self::new(header)),
                }
                Ran::Pending
            }
        }
    }

    /// As [`run`](Job::run), for a backend that keeps its own table of live tasks and lists a task when
    /// it has to wait for the first time: then gives a reference to it, into which the job's own turns.
    ///
    /// Many tasks end, or only yield, without ever waiting, and need no place in the table: until then
    /// their job is in the backend's queues.
    #[inline]
    pub fn run_first(self) -> (Ran, Option<Task>) {
        match self.start() {
            Started::Ended => (Ran::Ended, None),
            Started::Again(job) => (Ran::Again(job), None),
            Started::Pending(header) => match header::deref(&header).state.park() {
                true => (Ran::Pending, Some(Task::from_raw(header))),
                false => (Ran::Again(Self::new(header)), None),
            },
        }
    }

    /// Polls the task once, and finishes it if it has ended; otherwise says whether it woke itself.
    #[inline]
    fn start(self) -> Started {
        let header = self.into_raw();
        if !header::deref(&header).state.start() {
            header::drop_ref(header);
            return Started::Ended;
        }
        let waker = header::lend_waker(&header);
        let woken = Cell::new(false);
        match header::poll(header, &mut Context::from_waker(&waker), Some(&woken)) {
            Poll::Ready(()) => {
                header::finish(header);
                Started::Ended
            }
            Poll::Pending if woken.get() => Started::Again(Self::new(header)),
            Poll::Pending => Started::Pending(header),
        }
    }

    /// Returns who the task is.
    #[must_use]
    pub fn info(&self) -> &TaskInfo {
        &self.header().info
    }

    /// Returns a reference to the task.
    #[must_use]
    pub fn task(&self) -> Task {
        Task::of(&self.0)
    }

    /// Returns the word of a backend that keeps its own table of live tasks, `u32::MAX` until it was
    /// set.
    #[must_use]
    #[inline]
    pub fn tag(&self) -> u32 {
        self.header().tag()
    }

    /// Sets the word of a backend that keeps its own table of live tasks: a place for an index into
    /// it.
    ///
    /// Not for backends that let core keep the table ([`Spawn::tasks`](super::Spawn::tasks)).
    pub fn set_tag(&self, tag: u32) {
        self.header().tag.store(tag, Ordering::Relaxed);
    }
}

/// A host polls the job, with a waker of its own.
///
/// # Cancel safety
///
/// Dropping it before it is ready drops the task's future; its joiner gets "cancelled".
///
/// # Panics
///
/// If the backend has said that it [polls no jobs](super::Spawn::is_host), and so there is no place for the
/// waker.
impl Future for Job {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.header();
        if this.state.is_complete() {
            return Poll::Ready(());
        }
        // Before the poll, so that a request to cancel either is seen in it or wakes this waker.
        if !fault("host_waker_after_the_poll") {
            header::register_host(&self.0, cx.waker());
        }
        let poll = header::poll(self.0, cx, None);
        if fault("host_waker_after_the_poll") {
            header::register_host(&self.0, cx.waker());
        }
        if poll.is_ready() {
            header::complete(self.0);
        }
        poll
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        if self.header().state.is_complete() {
            header::drop_ref(self.0);
        } else {
            abandon(self.0);
        }
    }
}

/// Drops the future of a job that will not run, and the job.
///
/// The destructors may make further jobs be dropped (a task that owns the handle of another, in a
/// runtime that is shut down). Those are queued and dropped after this one, so that a chain of a
/// million tasks needs no deep stack.
fn abandon(header: NonNull<Header>) {
    thread_local! {
        static LATER: (Cell<bool>, JobQueue) = const { (Cell::new(false), JobQueue::new()) };
    }
    /// Also if foreign code panics, what is dropped later is not to wait for this.
    struct Busy;
    impl Drop for Busy {
        fn drop(&mut self) {
            let _ = LATER.try_with(|(busy, _)| busy.set(false));
        }
    }
    let give_up = |header: NonNull<Header>| {
        // The job's reference, given back also if foreign code panics.
        let _job = Task::from_raw(header);
        header::abandon(header);
    };
    let queued = LATER.try_with(|(busy, later)| {
        if busy.replace(true) {
            later.push(Job(header));
            return true;
        }
        false
    });
    match queued {
        Ok(true) => {}
        Ok(false) => {
            let _busy = Busy;
            give_up(header);
            while let Ok(Some(job)) = LATER.try_with(|(_, later)| later.pop()) {
                give_up(job.into_raw());
            }
        }
        // The thread is being torn down, and with it the queue: one after the other, then.
        Err(_) => give_up(header),
    }
}

impl fmt::Debug for Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job")
            .field("info", self.info())
            .field("state", &self.header().state)
            .finish()
    }
}

/// A [`Job`] that stays on the thread where it was made.
#[must_use = "dropping a job drops the future of its task"]
pub struct LocalJob(Job, PhantomData<*mut ()>);

impl LocalJob {
    pub(crate) fn new(job: Job) -> Self {
        Self(job, PhantomData)
    }

    /// Turns it into a job that may travel through queues shared with other threads.
    ///
    /// It still has to be run, polled and dropped on this thread: a run or a poll elsewhere panics
    /// (contained in the task, as any panic of a task), and that or a drop elsewhere leaks the future,
    /// with the memory it lies in, and reports it.
    pub fn into_job(self) -> Job {
        self.0
    }

    /// Returns who the task is.
    #[must_use]
    pub fn info(&self) -> &TaskInfo {
        self.0.info()
    }

    /// Returns a reference to the task.
    #[must_use]
    pub fn task(&self) -> Task {
        self.0.task()
    }
}

/// A host polls the job, with a waker of its own.
///
/// # Cancel safety
///
/// Dropping it before it is ready drops the task's future; its joiner gets "cancelled".
impl Future for LocalJob {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.0).poll(cx)
    }
}

impl fmt::Debug for LocalJob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LocalJob").field(&self.0).finish()
    }
}

/// A closure for a thread that may block.
///
/// Dropping it without running cancels it: its joiner gets "cancelled".
#[must_use = "dropping a job drops its closure"]
#[derive(Debug)]
pub struct BlockingJob(Job);

impl BlockingJob {
    pub(crate) fn new(job: Job) -> Self {
        Self(job)
    }

    /// Runs the closure to its end, unless it was cancelled before. Never unwinds.
    pub fn run(self) {
        let ran = self.0.run();
        debug_assert!(
            matches!(ran, Ran::Ended),
            "a closure ends in one poll: {ran:?}"
        );
    }

    /// Returns who the task is.
    #[must_use]
    pub fn info(&self) -> &TaskInfo {
        self.0.info()
    }

    /// Returns a reference to the task.
    #[must_use]
    pub fn task(&self) -> Task {
        self.0.task()
    }
}
