//! The task cell: future, output, runtime and header in one allocation.
//!
//! # What ends what
//!
//! The future is dropped at the moment it returns, panics or is given up, always before `COMPLETE`
//! and always with the task's frame set. The output lives until the joiner takes it or the last of
//! handle and completer drops it. The cell lives until the last waker, handle, job and [`Task`] is
//! gone; by then both slots are empty.
//!
//! A future that is bound to a thread ([`Home`]) may not be dropped elsewhere. If its task ends
//! elsewhere, it stays where it is for ever, and so does the memory of its cell: a pinned future that
//! is not dropped may still be reached from outside (it may be a link in a list of waiters), so its
//! place is never used again.
//!
//! [`Task`]: crate::runtime::Task
#![allow(
    unsafe_code,
    reason = "type-erased task cells; see `runtime/job/header.rs`"
)]

use std::any::Any;
use std::future::Future;
use std::mem::needs_drop;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::NonNull;
use std::task::{Context, Poll};

use super::home::Home;
use super::scheduler::Scheduler;
use super::slot::{Outcome, Slot, Stage};
use super::{JoinError, recycle};
use crate::context::{self, Base, Frame, Kind};
use crate::debug::{self, Manner};
use crate::loom::{UnsafeCell, assert_unlocked, fault};
use crate::report::{Report, report};
use crate::runtime::{
    Extended, Extra, Header, Holds, Job, New, PollFn, Spawn, Task, TaskInfo, VTable, header,
};
use crate::util::{discard, panic_message};

/// A task. `repr(C)`, because a pointer to the header has to be a pointer to the cell.
#[repr(C)]
struct Cell<S, F: Future> {
    header: Header,
    scheduler: S,
    slot: UnsafeCell<Slot<F>>,
}

/// Makes the cell of a task; returns its job and the pointer for its join handle.
#[inline]
pub(crate) fn allocate<S, F>(scheduler: S, info: TaskInfo, future: F) -> (Job, NonNull<Header>)
where
    S: Scheduler,
    F: Future + Send + 'static,
{
    allocate_any(scheduler, info, future)
}

/// Makes the cell of a task that is bound to this thread.
#[inline]
pub(crate) fn allocate_local<R, F>(runtime: R, info: TaskInfo, future: F) -> (Job, NonNull<Header>)
where
    R: Spawn,
    F: Future + 'static,
{
    allocate_any(Home::new(runtime), info, future)
}

/// Makes a cell; the future is `Send`, or the scheduler knows the one thread that may touch it.
#[inline]
fn allocate_any<S, F>(scheduler: S, info: TaskInfo, future: F) -> (Job, NonNull<Header>)
where
    S: Scheduler,
    F: Future + 'static,
{
    let listed = scheduler.tasks().is_some();
    let watched = debug::is_debug();
    let vars = context::inherit();
    let extended = scheduler.is_host() || vars.is_some();
    let vtable = match (watched, extended) {
        (false, false) => Cell::<S, F>::PLAIN,
        (false, true) => Cell::<S, F>::EXTENDED,
        (true, false) => Cell::<S, F>::WATCHED,
        (true, true) => Cell::<S, F>::WATCHED_EXTENDED,
    };
    let new = New {
        listed,
        owned: S::OWNED,
        exact: watched,
    };
    let place = match extended {
        false => recycle::allocate::<Cell<S, F>>(),
        true => {
            let whole = recycle::allocate::<Extended<Cell<S, F>>>();
            // SAFETY: the memory is large and aligned enough, and nobody else has it yet; the extra is its
            // first field.
            unsafe { whole.cast().write(Extra::new(vars)) };
            // SAFETY: that is where the cell is in it.
            unsafe { whole.byte_add(Extended::<Cell<S, F>>::DISTANCE) }.cast()
        }
    };
    // SAFETY: the memory is large and aligned enough for the cell, and nobody else has it yet.
    unsafe { Cell::write(place.as_ptr(), (vtable, info, new), scheduler, future) };
    let header = place.cast::<Header>();
    // SAFETY: the cell was just made, and the caller gets the references that keep it.
    let this = unsafe { Cell::<S, F>::of(header) };
    if watched {
        debug::enter(&this.header.info, this.scheduler.group());
    }
    if listed {
        // Counted for the table; given back at once if the runtime has changed its mind.
        let task = Task::from_raw(header);
        if let Some(tasks) = this.scheduler.tasks() {
            tasks.insert(task);
        }
    }
    (Job::new(header), header)
}

impl<S: Scheduler, F: Future> Cell<S, F> {
    const PLAIN: &'static VTable = &VTable {
        poll: Self::poll,
        cancel: Self::cancel,
        schedule: Self::schedule,
        take: Self::take,
        drop_output: Self::drop_output,
        unlist: Self::unlist,
        free: Self::free::<Self>,
        extra: 0,
    };

    /// That of a cell with something in front of it.
    const EXTENDED: &'static VTable = &VTable {
        free: Self::free::<Extended<Self>>,
        extra: Extended::<Self>::DISTANCE,
        ..*Self::PLAIN
    };

    /// What a task that is spawned in debug mode has instead.
    const WATCHED: &'static VTable = &Self::watched(Self::PLAIN);
    const WATCHED_EXTENDED: &'static VTable = &Self::watched(Self::EXTENDED);

    const fn watched(plain: &VTable) -> VTable {
        VTable {
            poll: Self::poll_watched,
            cancel: Self::cancel_watched,
            schedule: Self::schedule_watched,
            ..*plain
        }
    }

    /// Makes a cell in its place, field by field, as [`Header::write`] does.
    ///
    /// # Safety
    ///
    /// `to` is unused memory for a cell.
    #[inline(always)]
    #[allow(
        clippy::multiple_unsafe_ops_per_block,
        reason = "the same for each field"
    )]
    unsafe fn write(
        to: *mut Self,
        (vtable, info, new): (&'static VTable, TaskInfo, New),
        scheduler: S,
        future: F,
    ) {
        // SAFETY: by the contract. All fields are written, and there is nothing that would have to be dropped.
        unsafe {
            Header::write(&raw mut (*to).header, vtable, info, new);
            (&raw mut (*to).scheduler).write(scheduler);
            (&raw mut (*to).slot).write(UnsafeCell::new(Slot::new(future)));
        }
    }

    /// # Safety
    ///
    /// `header` is the header of a live `Cell<S, F>`, for as long as `'a`.
    unsafe fn of<'a>(header: NonNull<Header>) -> &'a Self {
        // SAFETY: the cell begins with its header, and the pointer was made from the whole cell.
        unsafe { header.cast::<Self>().as_ref() }
    }

    /// The slot, with the byte of the header that says what it holds.
    #[inline]
    fn stage(&self) -> Stage<'_, F> {
        Stage::new(&self.header.holds, &self.slot)
    }

    /// Polls the future if it is to be polled; `None` while it is pending.
    ///
    /// `cancel` says what the frame says: a request to end is in force.
    ///
    /// # Safety
    ///
    /// The caller has the right to the future.
    #[inline]
    unsafe fn step(&self, cx: &mut Context<'_>, cancel: bool) -> Option<Outcome<F::Output>> {
        let stage = self.stage();
        // SAFETY: the caller has the right to the future, so nobody else looks at the stage.
        let holds = unsafe { stage.holds() };
        // Cancelled before its first poll: never polled (asyncio TK5).
        let never = holds == Holds::New && !fault("first_poll_after_a_cancel");
        if self.header.state.asked().abort || cancel && never {
            return Some(Outcome::Cancelled);
        }
        assert!(self.scheduler.is_home(), "{}", self.away());
        if holds == Holds::New {
            // SAFETY: as above; it holds the future before and after.
            unsafe { stage.set(Holds::Polled) };
        }
        if cancel {
            self.unwind();
        }
        // SAFETY: as above; the right to the future ends with the future, so it is there, and this is its
        // thread.
        match unsafe { stage.poll(cx) } {
            Poll::Ready(_)
                if fault("cancel_beats_the_value") && self.header.state.is_cancelled() =>
            {
                Some(Outcome::Cancelled)
            }
            // The value wins over a request that came in meanwhile.
            Poll::Ready(value) => Some(Outcome::Value(value)),
            Poll::Pending => {
                let after = self.header.state.asked();
                // A request that came during the poll wakes the task once more; those inside who
                // wait for one are to see it.
                let seen = || cancel || !self.header.scope.is_some();
                let end = after.abort || after.cancel && !S::DEAF && seen() && !self.waits(cx);
                end.then_some(Outcome::Cancelled)
            }
        }
    }

    /// Tells the regions inside that the task is to end.
    fn unwind(&self) {
        if let Some(scope) = self.header.scope.get() {
            let _ = scope.unwind();
        }
    }

    /// The same after a poll; true if there are any, the last of which wakes the task.
    fn waits(&self, cx: &Context<'_>) -> bool {
        self.unwind();
        self.header.scope.get().is_some_and(|scope| {
            scope.waits_for_live(cx.waker()) && !fault("task_drops_live_regions")
        })
    }

    /// Drops the future and puts `outcome` in its place; a panic of the destructor is the outcome of
    /// a task that has no value, and is reported for one that has.
    ///
    /// # Safety
    ///
    /// The caller has the right to the future.
    #[inline]
    unsafe fn settle(&self, outcome: Outcome<F::Output>) {
        if !self.scheduler.is_home() {
            // SAFETY: as for this.
            return unsafe { self.leak(outcome) };
        }
        // SAFETY: as for this; the future is there, and this is its thread.
        let drop_future = || unsafe { self.stage().drop_future() };
        let dropped = catch_unwind(AssertUnwindSafe(drop_future));
        let plain = dropped.is_ok() && !self.header.scope.is_some();
        match outcome {
            // SAFETY: as for this; the slot is empty.
            Outcome::Value(value) if plain => unsafe { self.stage().put(Outcome::Value(value)) },
            outcome => {
                let outcome = self.conclude(outcome, dropped.err());
                // SAFETY: as above.
                unsafe { self.stage().put(outcome) }
            }
        }
    }

    /// What the outcome is of a task without a value, or one with clean-ups or a panic: that of its future,
    /// of the destructor, or of a clean-up.
    #[cold]
    fn conclude(
        &self,
        outcome: Outcome<F::Output>,
        dropped: Option<Box<dyn Any + Send>>,
    ) -> Outcome<F::Output> {
        // Clean-ups that ran because of the cancel may have kept a panic.
        let ended = catch_unwind(AssertUnwindSafe(|| self.end_scope()));
        let mut panics = [dropped, ended.unwrap_or_else(Some)].into_iter().flatten();
        let outcome = match outcome {
            Outcome::Cancelled => panics.next().map_or(Outcome::Cancelled, Outcome::Panicked),
            outcome => outcome,
        };
        let owned = match outcome {
            // Its owner may be foreign code, too.
            Outcome::Panicked(panic) => catch_unwind(AssertUnwindSafe(|| {
                let left = self.scheduler.take_panic(panic);
                left.map_or(Outcome::Cancelled, Outcome::Panicked)
            })),
            outcome => Ok(outcome),
        };
        for panic in panics {
            self.report_drop(panic);
        }
        owned.unwrap_or_else(Outcome::Panicked)
    }

    /// Ends the task as a scope; returns the panic of a clean-up that goes on here.
    fn end_scope(&self) -> Option<Box<dyn Any + Send>> {
        let scope = self.header.scope.get()?;
        let panic = scope.take_panic();
        scope.end();
        panic
    }

    /// Ends the task where its future may not be touched: it stays, for ever.
    ///
    /// # Safety
    ///
    /// The caller has the right to the future.
    #[cold]
    unsafe fn leak(&self, outcome: Outcome<F::Output>) {
        let holds = match outcome {
            Outcome::Panicked(_) => Holds::LeakedByPanic,
            Outcome::Value(_) | Outcome::Cancelled => Holds::Leaked,
        };
        // SAFETY: the caller has the right to the future, which stays.
        unsafe { self.stage().set(holds) };
        report(&Report::LocalLeaked {
            task: self.header.info.clone(),
        });
        // It is the one of `step`, which `outcome` makes again.
        if let Outcome::Panicked(panic) = outcome {
            discard(panic);
        }
    }

    /// What a task that is polled on a thread that is not its own panics with.
    fn away(&self) -> String {
        format!(
            "{} is bound to its thread and was run on another one: its backend must run local jobs \
             where they were spawned",
            self.header.info
        )
    }

    /// Takes the outcome; none if it was taken.
    ///
    /// # Safety
    ///
    /// The caller has the right to the output.
    #[inline]
    unsafe fn outcome(&self) -> Option<Outcome<F::Output>> {
        let stage = self.stage();
        // SAFETY: the caller has the right to the output.
        match unsafe { stage.holds() } {
            // SAFETY: as above, and it is there.
            Holds::Output => Some(unsafe { stage.take() }),
            // The future does not move.
            Holds::Leaked => Some(Outcome::Cancelled),
            Holds::LeakedByPanic => Some(Outcome::Panicked(Box::new(self.away()))),
            Holds::New | Holds::Polled | Holds::Nothing => None,
        }
    }

    /// Reports that the task is given up, unless somebody had asked it to end.
    fn report_loss(&self) {
        if !self.header.state.is_cancelled() {
            report(&Report::TaskLost {
                task: self.header.info.clone(),
            });
        }
    }

    /// Drops an outcome that nobody wants.
    fn lose(&self, outcome: Outcome<F::Output>) {
        if let Outcome::Panicked(panic) = &outcome {
            let message = panic_message(&**panic).to_owned();
            report(&Report::PanicNotJoined {
                task: self.header.info.clone(),
                message,
            });
        }
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| drop(outcome))) {
            self.report_drop(panic);
        }
    }

    fn report_drop(&self, panic: Box<dyn Any + Send>) {
        let message = panic_message(&*panic).to_owned();
        report(&Report::PanicInDrop {
            task: self.header.info.clone(),
            message,
        });
        discard(panic);
    }

    /// # Safety
    ///
    /// As `VTable::poll`.
    unsafe fn poll(
        header: NonNull<Header>,
        cx: &mut Context<'_>,
        woken: Option<&std::cell::Cell<bool>>,
    ) -> Poll<()> {
        // SAFETY: the caller holds the job, so the cell lives.
        let this = unsafe { Self::of(header) };
        assert_unlocked();
        let cancel = !S::DEAF && this.header.state.asked().cancel;
        let base = Base::task(&this.scheduler, &header, S::KIND, woken);
        let frame = Frame::task(&base, &header, cancel);
        context::enter_poll(&frame, || {
            // SAFETY: the caller has the right to the future.
            let step = catch_unwind(AssertUnwindSafe(|| unsafe { this.step(cx, cancel) }));
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
        let base = Base::task(&this.scheduler, &header, S::KIND, None);
        let frame = Frame::task(&base, &header, true);
        context::enter_poll(&frame, || {
            this.report_loss();
            // SAFETY: the caller has the right to the future.
            unsafe { this.settle(Outcome::Cancelled) }
        });
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
    /// As `VTable::poll`.
    unsafe fn poll_watched(
        header: NonNull<Header>,
        cx: &mut Context<'_>,
        _: Option<&std::cell::Cell<bool>>,
    ) -> Poll<()> {
        // SAFETY: the contract of both functions is the same.
        unsafe { poll_watched(header, cx, S::KIND, Self::poll) }
    }

    /// # Safety
    ///
    /// As `VTable::cancel`.
    unsafe fn cancel_watched(header: NonNull<Header>) {
        // SAFETY: as for this.
        unsafe { Self::cancel(header) };
        // The caller holds the job, so the cell lives.
        debug::ended(header::deref(&header).info.id());
    }

    /// # Safety
    ///
    /// As `VTable::schedule`.
    unsafe fn schedule_watched(header: NonNull<Header>) {
        // The caller holds a reference besides the job's.
        debug::queued(header::deref(&header).info.id());
        // SAFETY: as for this.
        unsafe { Self::schedule(header) }
    }

    /// # Safety
    ///
    /// As `VTable::take`; `to` points to an `Option<Result<F::Output, JoinError>>`.
    unsafe fn take(header: NonNull<Header>, to: *mut ()) {
        // SAFETY: the caller is the join handle, which holds a reference.
        let this = unsafe { Self::of(header) };
        // SAFETY: the caller has the right to the output.
        let outcome = unsafe { this.outcome() }.expect("it is taken once, after completion");
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
    unsafe fn drop_output(header: NonNull<Header>, inside: bool) {
        // SAFETY: the caller holds a reference.
        let this = unsafe { Self::of(header) };
        // SAFETY: the caller has the right to the output.
        let outcome = unsafe { this.outcome() };
        assert_unlocked();
        match outcome {
            None | Some(Outcome::Cancelled) => {}
            Some(Outcome::Value(_)) if !needs_drop::<F::Output>() => {}
            Some(outcome) if inside => {
                let base = Base::task(&this.scheduler, &header, S::KIND, None);
                let frame = Frame::task(&base, &header, false);
                context::enter_poll(&frame, || this.lose(outcome));
            }
            Some(outcome) => this.lose(outcome),
        }
    }

    /// # Safety
    ///
    /// As `VTable::unlist`.
    unsafe fn unlist(header: NonNull<Header>) {
        // SAFETY: the caller holds a reference.
        let this = unsafe { Self::of(header) };
        if let Some(tasks) = this.scheduler.tasks() {
            drop(tasks.remove(&header));
        }
        this.scheduler.ended();
    }

    /// # Safety
    ///
    /// As `VTable::free`; the cell is a `Whole`, or in one.
    unsafe fn free<Whole>(header: NonNull<Header>) {
        // SAFETY: this is the last pointer to the cell.
        let stage = unsafe { Self::of(header) }.stage();
        // SAFETY: so nobody else looks at it.
        let holds = unsafe { stage.holds() };
        let distance = header::deref(&header).vtable.extra;
        // SAFETY: that is how far the cell is in the whole, and the pointer was made from that.
        let whole = unsafe { header.byte_sub(distance) }.cast::<Whole>();
        let _memory = match holds {
            // SAFETY: the memory is `allocate`'s, and given back after the last use below.
            Holds::Nothing => Some(unsafe { recycle::Memory::new(whole) }),
            holds => {
                debug_assert!(
                    matches!(holds, Holds::Leaked | Holds::LeakedByPanic),
                    "who had the right to future or output has left it: {holds:?}"
                );
                None
            }
        };
        // SAFETY: this is the last pointer to it. What is dropped is what is in front, header, and scheduler;
        // the slot drops nothing.
        unsafe { whole.drop_in_place() };
    }
}

/// A poll of a task that was spawned in debug mode. One for all cells, so that they stay small.
///
/// # Safety
///
/// As `poll`, a `VTable::poll`.
#[cold]
unsafe fn poll_watched(
    header: NonNull<Header>,
    cx: &mut Context<'_>,
    kind: Kind,
    poll: PollFn,
) -> Poll<()> {
    // The caller holds the job, so the cell lives.
    let this = header::deref(&header);
    let manner = match kind {
        Kind::Async => Manner::Brief,
        Kind::Blocking => Manner::Blocking,
    };
    let mut polling = debug::poll_begins(Some(&this.info), manner);
    // SAFETY: as for this.
    let poll = unsafe { poll(header, cx, None) };
    if let Some(polling) = polling.as_mut().filter(|_| this.state.is_due_again()) {
        polling.woken();
    }
    drop(polling);
    if poll.is_ready() {
        // Before anybody can learn of the end.
        debug::ended(this.info.id());
    }
    poll
}
