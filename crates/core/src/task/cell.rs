//! The task cell: future, output, runtime and header in one allocation.
//!
//! # What ends what
//!
//! The future is dropped at the moment it returns, panics or is given up, always before `COMPLETE`
//! and always with the task's frame set. The output lives until the joiner takes it or the last of
//! handle and completer drops it. The cell lives until the last waker, handle, job and [`Task`] is
//! gone; by then both slots are empty.
//!
//! [`Task`]: crate::runtime::Task
#![allow(
    unsafe_code,
    reason = "type-erased task cells; see `runtime/job/header.rs`"
)]

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::{JoinError, recycle};
use crate::context::{self, Frame, Kind};
use crate::loom::{UnsafeCell, assert_unlocked};
use crate::report::{Report, report};
use crate::runtime::{AmbientSource, Header, Job, Spawn, Task, TaskInfo, Tasks, VTable};
use crate::util::panic_message;

/// Where the job of a task goes when it is woken, and what surrounds its polls.
pub(crate) trait Scheduler: AmbientSource + Send + Sync + 'static {
    const KIND: Kind;
    fn schedule(&self, job: Job);
    fn tasks(&self) -> Option<&Tasks>;
}

/// The scheduler of tasks: their runtime.
impl<R: Spawn> Scheduler for R {
    const KIND: Kind = Kind::Async;

    fn schedule(&self, job: Job) {
        self.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(self)
    }
}

/// How a task ended.
enum Outcome<T> {
    Value(T),
    Cancelled,
    Panicked(Box<dyn Any + Send>),
}

/// What the cell holds at the moment.
enum Stage<F: Future> {
    /// The future, and whether it was polled before.
    Future {
        future: F,
        polled: bool,
    },
    Output(Outcome<F::Output>),
    Empty,
}

/// A task. `repr(C)`, because a pointer to the header has to be a pointer to the cell.
#[repr(C)]
struct Cell<S, F: Future> {
    header: Header,
    scheduler: S,
    stage: UnsafeCell<Stage<F>>,
}

/// Makes the cell of a task; returns its job and the pointer for its join handle.
pub(crate) fn allocate<S, F>(scheduler: S, info: TaskInfo, future: F) -> (Job, NonNull<Header>)
where
    S: Scheduler,
    F: Future + Send + 'static,
{
    let listed = scheduler.tasks().is_some();
    let cell = recycle::allocate(Cell {
        header: Header::new(Cell::<S, F>::VTABLE, info, listed),
        scheduler,
        stage: UnsafeCell::new(Stage::Future {
            future,
            polled: false,
        }),
    });
    let header = cell.cast::<Header>();
    // SAFETY: the cell was just made, and the caller gets the references that keep it.
    let this = unsafe { Cell::<S, F>::of(header) };
    if let Some(tasks) = this.scheduler.tasks() {
        tasks.insert(Task::from_raw(header));
    }
    (Job::new(header), header)
}

impl<S: Scheduler, F: Future> Cell<S, F> {
    const VTABLE: &'static VTable = &VTable {
        poll: Self::poll,
        cancel: Self::cancel,
        schedule: Self::schedule,
        take: Self::take,
        drop_output: Self::drop_output,
        unlist: Self::unlist,
        free: Self::free,
    };

    /// # Safety
    ///
    /// `header` is the header of a live `Cell<S, F>`, for as long as `'a`.
    unsafe fn of<'a>(header: NonNull<Header>) -> &'a Self {
        // SAFETY: the cell begins with its header, and the pointer was made from the whole cell.
        unsafe { header.cast::<Self>().as_ref() }
    }

    /// Polls the future if it is to be polled; `None` while it is pending.
    ///
    /// # Safety
    ///
    /// The caller has the right to the future.
    unsafe fn step(&self, cx: &mut Context<'_>) -> Option<Outcome<F::Output>> {
        let asked = || self.header.state.asked();
        self.stage.with_mut(|stage| {
            // SAFETY: the caller has the right to the future, so nobody else looks at the stage.
            let Stage::Future { future, polled } = (unsafe { &mut *stage }) else {
                unreachable!("the right to the future ends with the future")
            };
            // Cancelled before its first poll: never polled (asyncio TK5).
            let before = asked();
            if before.abort || before.cancel && !*polled {
                return Some(Outcome::Cancelled);
            }
            *polled = true;
            // SAFETY: the cell is on the heap and the future is dropped in place.
            let future = unsafe { Pin::new_unchecked(future) };
            match future.poll(cx) {
                // The value wins over a request that came in meanwhile.
                Poll::Ready(value) => Some(Outcome::Value(value)),
                Poll::Pending => {
                    let after = asked();
                    (after.cancel || after.abort).then_some(Outcome::Cancelled)
                }
            }
        })
    }

    /// Drops the future and puts `outcome` in its place; a panic of the destructor is the outcome of
    /// a task that has no value, and is reported for one that has.
    ///
    /// # Safety
    ///
    /// The caller has the right to the future.
    unsafe fn settle(&self, outcome: Outcome<F::Output>) {
        let dropped = catch_unwind(AssertUnwindSafe(|| {
            self.stage.with_mut(|stage| {
                // SAFETY: the caller has the right to the stage. The slot is overwritten without
                // a drop below if this panics.
                let old = unsafe { &mut *stage };
                if let Stage::Future { future, .. } = old {
                    // SAFETY: the future is pinned, so it is dropped in place; the stage is
                    // overwritten without being dropped on every path from here.
                    unsafe { std::ptr::drop_in_place(future) };
                }
            });
        }));
        let outcome = match (dropped, outcome) {
            (Ok(()), outcome) => outcome,
            (Err(panic), Outcome::Value(value)) => {
                self.report_drop(&*panic);
                Outcome::Value(value)
            }
            (Err(panic), Outcome::Panicked(first)) => {
                self.report_drop(&*panic);
                Outcome::Panicked(first)
            }
            (Err(panic), Outcome::Cancelled) => Outcome::Panicked(panic),
        };
        // SAFETY: as above; the old content was dropped, so it is overwritten, not dropped.
        self.stage
            .with_mut(|stage| unsafe { stage.write(Stage::Output(outcome)) });
    }

    /// Reports that the task is given up, unless somebody had asked it to end.
    fn report_loss(&self) {
        if !self.header.state.is_cancelled() {
            report(&Report::TaskLost {
                task: self.header.info.clone(),
            });
        }
    }

    fn report_drop(&self, panic: &(dyn Any + Send)) {
        let message = panic_message(panic).to_owned();
        report(&Report::PanicInDrop {
            task: self.header.info.clone(),
            message,
        });
    }

    /// # Safety
    ///
    /// As `VTable::poll`.
    unsafe fn poll(header: NonNull<Header>, cx: &mut Context<'_>) -> Poll<()> {
        // SAFETY: the caller holds the job, so the cell lives.
        let this = unsafe { Self::of(header) };
        assert_unlocked();
        let frame = Frame::new(&this.scheduler, Some(&header), S::KIND);
        context::enter(&frame, || {
            // SAFETY: the caller has the right to the future.
            let step = catch_unwind(AssertUnwindSafe(|| unsafe { this.step(cx) }));
            let outcome = match step {
                Ok(None) => return Poll::Pending,
                Ok(Some(outcome)) => outcome,
                Err(panic) => Outcome::Panicked(panic),
            };
            if matches!(outcome, Outcome::Cancelled) {
                this.report_loss();
            }
            // SAFETY: as above.
            unsafe { this.settle(outcome) };
            Poll::Ready(())
        })
    }

    /// # Safety
    ///
    /// As `VTable::cancel`.
    unsafe fn cancel(header: NonNull<Header>) {
        // SAFETY: the caller holds the job, so the cell lives.
        let this = unsafe { Self::of(header) };
        if !this.header.state.is_cancelled() {
            report(&Report::TaskLost {
                task: this.header.info.clone(),
            });
        }
        let frame = Frame::new(&this.scheduler, Some(&header), S::KIND);
        // SAFETY: the caller has the right to the future.
        context::enter(&frame, || unsafe { this.settle(Outcome::Cancelled) });
    }

    /// # Safety
    ///
    /// As `VTable::schedule`.
    unsafe fn schedule(header: NonNull<Header>) {
        // SAFETY: the caller holds a reference besides the job's.
        let this = unsafe { Self::of(header) };
        this.scheduler.schedule(Job::new(header));
    }

    /// # Safety
    ///
    /// As `VTable::take`; `to` points to an `Option<Result<F::Output, JoinError>>`.
    unsafe fn take(header: NonNull<Header>, to: *mut ()) {
        // SAFETY: the caller is the join handle, which holds a reference.
        let this = unsafe { Self::of(header) };
        // SAFETY: the caller has the right to the output.
        let stage = this
            .stage
            .with_mut(|stage| unsafe { std::mem::replace(&mut *stage, Stage::Empty) });
        let Stage::Output(outcome) = stage else {
            unreachable!("the output is taken once, after completion")
        };
        let info = || this.header.info.clone();
        let result = match outcome {
            Outcome::Value(value) => Ok(value),
            Outcome::Cancelled => Err(JoinError::cancelled(info())),
            Outcome::Panicked(panic) => Err(JoinError::panicked(info(), panic)),
        };
        // SAFETY: by the contract of `VTable::take`.
        unsafe { *to.cast::<Option<Result<F::Output, JoinError>>>() = Some(result) };
    }

    /// # Safety
    ///
    /// As `VTable::drop_output`.
    unsafe fn drop_output(header: NonNull<Header>) {
        // SAFETY: the caller holds a reference.
        let this = unsafe { Self::of(header) };
        // SAFETY: the caller has the right to the output.
        let stage = this
            .stage
            .with_mut(|stage| unsafe { std::mem::replace(&mut *stage, Stage::Empty) });
        if let Stage::Output(Outcome::Panicked(panic)) = &stage {
            let message = panic_message(&**panic).to_owned();
            report(&Report::PanicNotJoined {
                task: this.header.info.clone(),
                message,
            });
        }
        assert_unlocked();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(stage))) {
            this.report_drop(&*panic);
        }
    }

    /// # Safety
    ///
    /// As `VTable::unlist`.
    unsafe fn unlist(header: NonNull<Header>) -> bool {
        // SAFETY: the caller holds a reference.
        let this = unsafe { Self::of(header) };
        let Some(tasks) = this.scheduler.tasks() else {
            return false;
        };
        let task = tasks.remove(this.header.tag());
        debug_assert_eq!(task.id(), this.header.info.id());
        task.into_raw();
        true
    }

    /// # Safety
    ///
    /// As `VTable::free`.
    unsafe fn free(header: NonNull<Header>) {
        // SAFETY: the cell was made by `allocate`, and this is the last pointer to it.
        unsafe { recycle::free(header.cast::<Self>()) };
    }
}
