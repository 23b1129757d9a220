//! The handle of a task: join, cancel, detach.
#![allow(
    unsafe_code,
    reason = "typed access to the erased output; see each block"
)]

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll, ready};

use super::{JoinError, Task, TaskId, TaskInfo};
use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, note_wait};
use crate::runtime::{Header, header};

/// The right to the output of a task, and to its end.
///
/// Await it for the output. Dropping it cancels the task, softly; [`detach`](Self::detach) lets the
/// task go on by itself.
/// (tokio detaches when the handle is dropped; smol cancels, as here. A task that nobody waits for
/// and nobody let go is nearly always a mistake, so it does not run on in secret.)
///
/// `Send` and `Sync` if the output is `Send`, on every backend.
///
/// # Cancel safety
///
/// Awaiting `&mut handle` loses nothing when it is dropped: the output stays for the next await.
/// Dropping the handle itself cancels the task and loses the output.
///
/// # Panics
///
/// Polled again after it was ready.
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::SpawnExt;
///
/// let sim = kumi_sim::Sim::new();
/// let sum = sim.block_on(async {
///     let a = sim.spawn(async { 20 });
///     let b = sim.spawn(async { 22 });
///     a.await.unwrap() + b.await.unwrap()
/// });
/// assert_eq!(sum, 42);
/// ```
#[must_use = "dropping the handle cancels the task: await it, keep it, or call `.detach()`"]
pub struct JoinHandle<T> {
    header: NonNull<Header>,
    /// The output was handed out.
    taken: bool,
    output: PhantomData<T>,
}

// SAFETY: the handle moves a `T` to the thread that awaits it, hence the bound; everything else goes
// through the header, which is made for sharing.
unsafe impl<T: Send> Send for JoinHandle<T> {}
// SAFETY: through `&JoinHandle` no output can be reached.
unsafe impl<T: Send> Sync for JoinHandle<T> {}

impl<T> Unpin for JoinHandle<T> {}

impl<T> JoinHandle<T> {
    /// Takes over the handle's reference to a cell whose output is a `T`.
    pub(crate) fn new(header: NonNull<Header>) -> Self {
        Self {
            header,
            taken: false,
            output: PhantomData,
        }
    }

    /// Returns a reference to the task, which can cancel it from elsewhere.
    #[must_use]
    pub fn task(&self) -> Task {
        Task::of(&self.header)
    }

    /// Returns who the task is.
    #[must_use]
    pub fn info(&self) -> &TaskInfo {
        &header::deref(&self.header).info
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

    /// Whether the task has ended, so that awaiting the handle would not wait.
    #[must_use]
    pub fn is_finished(&self) -> bool {
        header::deref(&self.header).state.is_complete()
    }

    /// Asks the task to end; returns whether this was the first request and the task was alive.
    ///
    /// A request, not an order: it returns at once, from any thread, and can be made again without
    /// effect. The task is polled once more; if its future returns a value then, the value wins,
    /// otherwise the future is dropped, on a thread of its runtime, and the joiner gets
    /// [`JoinError`]. A task that has not been polled yet never is. A blocking closure that has
    /// started runs to its end.
    pub fn cancel(&self) -> bool {
        header::cancel(self.header)
    }

    /// Asks the task to end and waits until it has.
    ///
    /// # Cancel safety
    ///
    /// Dropping it leaves the task cancelled, and loses its output.
    ///
    /// # Errors
    ///
    /// As awaiting the handle: [`JoinError`] if the task gave no value.
    pub fn cancel_and_join(self) -> CancelAndJoin<T> {
        self.cancel();
        CancelAndJoin { handle: self }
    }

    /// Lets the task go on by itself; its output is dropped when it ends.
    ///
    /// Also if the output is an error: nothing here knows. Start a task that can fail, and that nobody
    /// awaits, with [`spawn_detached`](super::SpawnExt::spawn_detached), which reports it.
    ///
    /// The runtime owns it from now on: the end of a run cancels it, waits for it, and names it if
    /// it does not end. If it panics, the panic is [reported](crate::report).
    pub fn detach(self) {
        let this = ManuallyDrop::new(self);
        header::release_handle(this.header, this.taken);
        header::drop_ref(this.header);
    }

    /// Takes the output, if the task has ended and it was not taken before.
    #[inline]
    pub(crate) fn take_now(&mut self) -> Option<Result<T, JoinError>> {
        (!self.taken && self.is_finished()).then(|| self.take())
    }

    fn take(&mut self) -> Result<T, JoinError> {
        let mut result: Option<Result<T, JoinError>> = None;
        self.taken = true;
        let take = header::deref(&self.header).vtable.take;
        // SAFETY: the task is complete while the handle exists, so the output is the handle's; it
        // is taken once (`taken`), into the type that the cell was made with (`new`).
        unsafe { take(self.header, (&raw mut result).cast()) };
        result.expect("`take` fills the place it is given")
    }
}

impl<T> Future for JoinHandle<T> {
    type Output = Result<T, JoinError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        assert!(
            !this.taken,
            "`JoinHandle` polled after it was ready: {}",
            this.info()
        );
        let state = &header::deref(&this.header).state;
        if !state.is_complete() && header::register_joiner(&this.header, cx.waker()) {
            note_wait(|| WaitsFor::Task(this.info().clone()));
            return Poll::Pending;
        }
        ready!(poll_checkpoint(cx));
        Poll::Ready(this.take())
    }
}

impl<T> Drop for JoinHandle<T> {
    fn drop(&mut self) {
        if !self.taken {
            header::cancel(self.header);
        }
        header::release_handle(self.header, self.taken);
        header::drop_ref(self.header);
    }
}

impl<T> fmt::Debug for JoinHandle<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JoinHandle")
            .field("task", self.info())
            .field("state", &header::deref(&self.header).state)
            .finish()
    }
}

/// The future of [`JoinHandle::cancel_and_join`].
#[must_use = "futures do nothing unless polled"]
pub struct CancelAndJoin<T> {
    handle: JoinHandle<T>,
}

impl<T> Future for CancelAndJoin<T> {
    type Output = Result<T, JoinError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut self.handle).poll(cx)
    }
}

impl<T> fmt::Debug for CancelAndJoin<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CancelAndJoin").field(&self.handle).finish()
    }
}
