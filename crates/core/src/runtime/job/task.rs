//! Who a task is ([`TaskId`], [`TaskInfo`]), and a reference to it ([`Task`]).
#![allow(unsafe_code, reason = "the auto traits of the pointer; see each impl")]

use std::cell::Cell;
use std::fmt;
use std::num::NonZeroU64;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::header::{self, Header};
use super::origin::Origin;
use crate::context::Node;
use crate::debug::TaskState;

/// How many numbers a thread takes at once.
const NUMBERS: u64 = 1 << 10;

/// The first of `NUMBERS` numbers that nobody has, one above a multiple of it.
#[cold]
fn fresh_numbers() -> u64 {
    static TAKEN: AtomicU64 = AtomicU64::new(0);
    // Only uniqueness matters, so no ordering is needed.
    TAKEN.fetch_add(NUMBERS, Ordering::Relaxed) + 1
}

/// The number of a task: unique in this process, and for the tasks that one thread has spawned in the
/// order of spawning.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskId(NonZeroU64);

impl TaskId {
    /// The next free number.
    #[inline(always)]
    pub(crate) fn next() -> Self {
        thread_local! {
            /// The number that this thread has given last, and its others up to the next multiple of
            /// `NUMBERS`; at such a multiple it has none.
            static LAST: Cell<u64> = const { Cell::new(0) };
        }
        let next = |last: &Cell<u64>| {
            let number = match last.get() {
                none if none % NUMBERS == 0 => fresh_numbers(),
                last => last + 1,
            };
            last.set(number);
            number
        };
        let number = LAST.try_with(next).unwrap_or_else(|_| fresh_numbers());
        Self(NonZeroU64::new(number).expect("2^64 tasks were spawned"))
    }

    /// Returns the number.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0.get()
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TaskId({})", self.0)
    }
}

/// Who a task is: its number, its name if it has one, and where it was spawned.
///
/// Prints as ``task 7 `name`, spawned at src/main.rs:10:5``.
#[derive(Clone)]
pub struct TaskInfo {
    id: TaskId,
    origin: Origin,
}

impl TaskInfo {
    /// A new task that is spawned at `location`.
    #[inline(always)]
    pub(crate) fn new(name: Option<String>, location: &'static Location<'static>) -> Self {
        Self {
            id: TaskId::next(),
            origin: Origin::new(name, location),
        }
    }

    /// Returns the number of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.id
    }

    /// Returns the name that the task was given, if any.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.origin.name()
    }

    /// Returns where the task was spawned.
    #[must_use]
    pub fn location(&self) -> &'static Location<'static> {
        self.origin.location()
    }
}

impl fmt::Debug for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TaskInfo")
            .field("id", &self.id)
            .field("name", &self.name())
            .field("location", &self.location())
            .finish()
    }
}

impl fmt::Display for TaskInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "task {}", self.id)?;
        if let Some(name) = self.name() {
            write!(f, " `{name}`")?;
        }
        write!(f, ", spawned at {}", self.location())
    }
}

/// A reference to a task: who it is, whether it has ended, and the right to cancel it.
///
/// It does not keep the task's future alive, only a small record; it knows nothing of the output
/// (that is the [`JoinHandle`](crate::task::JoinHandle)'s).
pub struct Task(NonNull<Header>);

// SAFETY: the header is made for sharing; what is behind it is not reachable from here, and is freed
// empty by whoever is last.
unsafe impl Send for Task {}
// SAFETY: as above.
unsafe impl Sync for Task {}

impl Task {
    /// A new reference to the task of `header`, whose holder is borrowed.
    #[inline]
    pub(crate) fn of(header: &NonNull<Header>) -> Self {
        header::deref(header).state.add_ref();
        Self(*header)
    }

    /// Takes over one reference.
    #[inline]
    pub(crate) fn from_raw(header: NonNull<Header>) -> Self {
        Self(header)
    }

    /// Whether this is a reference to the task of `header`.
    #[inline]
    pub(crate) fn is(&self, header: &NonNull<Header>) -> bool {
        self.0 == *header
    }

    /// Sets the word of a backend that keeps its own table of live tasks; see
    /// [`Job::set_tag`](super::Job::set_tag).
    #[inline]
    pub fn set_tag(&self, tag: u32) {
        self.header().tag.store(tag, Ordering::Relaxed);
    }

    #[inline]
    fn header(&self) -> &Header {
        header::deref(&self.0)
    }

    /// Returns who the task is.
    #[must_use]
    pub fn info(&self) -> &TaskInfo {
        &self.header().info
    }

    /// Returns the number of the task.
    #[must_use]
    pub fn id(&self) -> TaskId {
        self.info().id()
    }

    /// Returns the name that the task was given, if any.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.info().name()
    }

    /// Whether the task has ended: its future is gone.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        self.header().state.is_complete()
    }

    /// Whether cancellation of the task was asked for.
    #[must_use]
    pub fn is_cancel_requested(&self) -> bool {
        self.header().state.is_cancelled()
    }

    /// Asks for the task's future to be dropped without another poll: the hard way.
    ///
    /// For the shutdown of a backend; everybody else wants [`cancel`](Self::cancel). The joiner gets
    /// "cancelled"; if nobody had asked the task to end before, its loss is reported. Returns whether
    /// this was the first request and the task was alive.
    pub fn abort(&self) -> bool {
        header::abort(self.0)
    }

    /// Asks the task itself to end, and nobody inside of it.
    pub(crate) fn request(&self) -> bool {
        header::request(self.0)
    }

    /// What the task is at, as far as its word knows.
    pub(crate) fn state(&self) -> TaskState {
        self.header().state.activity()
    }

    /// The task as a scope, if somebody inside needs it.
    pub(crate) fn scope(&self) -> Option<Arc<Node>> {
        self.header().scope.get().map(|scope| Arc::clone(&scope))
    }

    /// Makes the task be polled once more, as its waker would.
    pub fn wake(&self) {
        header::wake(self.0);
    }

    /// Asks the task to end; returns whether this was the first request and the task was alive.
    ///
    /// From any thread, idempotent, never blocks. See
    /// [`JoinHandle::cancel`](crate::task::JoinHandle::cancel) for what it means.
    pub fn cancel(&self) -> bool {
        header::cancel(self.0)
    }
}

impl Clone for Task {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        header::drop_ref(self.0);
    }
}

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Task")
            .field("info", self.info())
            .field("state", &self.header().state)
            .finish()
    }
}

/// Two references are equal if they are to the same task.
impl PartialEq for Task {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl Eq for Task {}
