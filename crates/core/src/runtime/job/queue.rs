//! Queues of jobs that link the jobs themselves: no allocation per job.
//!
//! [`JobQueue`] is for one thread at a time, [`SharedJobQueue`] takes jobs from any thread.
//! Both own the jobs they hold; dropping a queue drops them.
//!
//! # PROTOCOL of `SharedJobQueue`
//!
//! A stack whose head is one atomic pointer. `push` links the job in front with a compare-exchange
//! (release); `take_all` swaps the head out (acquire) and reverses what it got, so that jobs come
//! out in the order in which their pushes took effect. There is no ABA problem, because nothing is
//! ever popped from the middle: a consumer takes the whole chain or nothing.
//! `close` swaps in a mark that is never a job; a push that meets it gives the job back.
#![allow(unsafe_code, reason = "intrusive links inside the task cells")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ptr::{self, NonNull};

use super::Job;
use super::header::{self, Header};
use crate::loom::{AtomicPtr, Ordering, change_ptr, order_unless};

/// Reads the link of a job whose right the caller has.
fn next(header: &NonNull<Header>) -> Option<NonNull<Header>> {
    // SAFETY: the link belongs to the holder of the job, which is the queue that the caller is.
    header::deref(header).next.with(|next| unsafe { *next })
}

/// Writes the link of a job whose right the caller has.
fn set_next(header: &NonNull<Header>, to: Option<NonNull<Header>>) {
    // SAFETY: as in `next`; nobody else reads or writes the link.
    header::deref(header)
        .next
        .with_mut(|next| unsafe { *next = to });
}

/// A first-in first-out queue of jobs for one thread at a time.
#[derive(Default)]
pub struct JobQueue {
    head: Cell<Option<NonNull<Header>>>,
    tail: Cell<Option<NonNull<Header>>>,
    len: Cell<usize>,
    owns: PhantomData<Job>,
}

// SAFETY: the queue owns its jobs, which are `Send`; the cells are not shared (no `Sync`).
unsafe impl Send for JobQueue {}

impl JobQueue {
    /// Returns an empty queue.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            head: Cell::new(None),
            tail: Cell::new(None),
            len: Cell::new(0),
            owns: PhantomData,
        }
    }

    /// Puts `job` at the end.
    #[inline]
    pub fn push(&self, job: Job) {
        let header = job.into_raw();
        set_next(&header, None);
        match self.tail.replace(Some(header)) {
            Some(tail) => set_next(&tail, Some(header)),
            None => self.head.set(Some(header)),
        }
        self.len.set(self.len.get() + 1);
    }

    /// Takes the job at the front.
    #[inline]
    pub fn pop(&self) -> Option<Job> {
        let header = self.head.get()?;
        let next = next(&header);
        self.head.set(next);
        if next.is_none() {
            self.tail.set(None);
        }
        self.len.set(self.len.get() - 1);
        Some(Job::new(header))
    }

    /// Puts all jobs of `other` at the end, in their order.
    pub fn append(&self, other: JobQueue) {
        let Some(head) = other.head.take() else {
            return;
        };
        match self.tail.replace(other.tail.take()) {
            Some(tail) => set_next(&tail, Some(head)),
            None => self.head.set(Some(head)),
        }
        self.len.set(self.len.get() + other.len.take());
    }

    /// Takes all jobs out, in their order.
    #[must_use = "dropping jobs drops the futures of their tasks"]
    pub fn take(&self) -> JobQueue {
        JobQueue {
            head: Cell::new(self.head.take()),
            tail: Cell::new(self.tail.take()),
            len: Cell::new(self.len.take()),
            owns: PhantomData,
        }
    }

    /// Calls `visit` for each job, from the front to the end.
    ///
    /// `visit` must not touch the queue.
    pub fn for_each(&self, mut visit: impl FnMut(&Job)) {
        let mut at = self.head.get();
        while let Some(header) = at {
            at = next(&header);
            // Lent, and not dropped: the queue keeps its job.
            visit(&ManuallyDrop::new(Job::new(header)));
        }
    }

    /// Returns how many jobs are queued.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len.get()
    }

    /// Whether no job is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.head.get().is_none()
    }
}

impl Drop for JobQueue {
    fn drop(&mut self) {
        // A job that is dropped may push others: destructors run user code.
        while let Some(job) = self.pop() {
            drop(job);
        }
    }
}

impl fmt::Debug for JobQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JobQueue")
            .field("len", &self.len.get())
            .finish()
    }
}

/// A lock-free queue of jobs that any thread may push to.
///
/// # Examples
///
/// The side that runs jobs takes all of them at once:
///
/// ```
/// use kumi_core::runtime::SharedJobQueue;
///
/// let queue = SharedJobQueue::new();
/// assert!(queue.is_empty());
/// assert_eq!(queue.take_all().len(), 0);
/// ```
pub struct SharedJobQueue {
    head: AtomicPtr<Header>,
    owns: PhantomData<Job>,
}

impl SharedJobQueue {
    /// Returns an empty queue.
    #[must_use]
    pub fn new() -> Self {
        Self {
            head: AtomicPtr::new(ptr::null_mut()),
            owns: PhantomData,
        }
    }

    /// The mark of a closed queue: an address that is no job, and is never followed.
    fn closed() -> *mut Header {
        ptr::without_provenance_mut(1)
    }

    /// Puts `job` in; `Ok(true)` if the queue was empty before.
    ///
    /// The one who made the queue non-empty has to see to it that somebody takes: if the consumer
    /// may be asleep, wake it. Later pushers need not: the consumer takes all, and looks again
    /// after it has announced that it will sleep and before it does.
    ///
    /// # Errors
    ///
    /// The queue is closed; the job comes back.
    pub fn push(&self, job: Job) -> Result<bool, Job> {
        let header = job.into_raw();
        // Release: pairs with the Acquire in `take_all`. Sequentially consistent, because a
        // consumer that sleeps orders "I sleep" before its last look at this pointer, and the
        // pusher orders this push before its look at "does it sleep".
        let order = order_unless("push_relaxed", Ordering::SeqCst);
        let pushed = change_ptr(&self.head, order, |head| {
            (head != Self::closed()).then(|| {
                set_next(&header, NonNull::new(head));
                header.as_ptr()
            })
        });
        match pushed {
            Ok(head) => Ok(head.is_null()),
            Err(_) => Err(Job::new(header)),
        }
    }

    /// Takes everything, in the order in which it was put in.
    pub fn take_all(&self) -> JobQueue {
        if self.is_empty() {
            return JobQueue::new();
        }
        let order = order_unless("take_relaxed", Ordering::AcqRel);
        let taken = change_ptr(&self.head, order, |head| {
            (head != Self::closed()).then(ptr::null_mut)
        });
        taken.map_or_else(|_| JobQueue::new(), Self::reverse)
    }

    /// Whether nothing is queued.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        let head = self.head.load(Ordering::SeqCst);
        head.is_null() || head == Self::closed()
    }

    /// Closes the queue for good and takes what was in it.
    pub fn close(&self) -> JobQueue {
        let head = self.head.swap(Self::closed(), Ordering::AcqRel);
        if head == Self::closed() {
            return JobQueue::new();
        }
        Self::reverse(head)
    }

    fn reverse(mut head: *mut Header) -> JobQueue {
        let tail = NonNull::new(head);
        let mut first = None;
        let mut len = 0;
        while let Some(header) = NonNull::new(head) {
            head = next(&header).map_or(ptr::null_mut(), NonNull::as_ptr);
            set_next(&header, first);
            first = Some(header);
            len += 1;
        }
        JobQueue {
            head: Cell::new(first),
            tail: Cell::new(tail),
            len: Cell::new(len),
            owns: PhantomData,
        }
    }
}

impl Default for SharedJobQueue {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for SharedJobQueue {
    fn drop(&mut self) {
        drop(self.close());
    }
}

impl fmt::Debug for SharedJobQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedJobQueue")
            .field("is_empty", &self.is_empty())
            .finish()
    }
}
