//! The part of a task that does not depend on its future, and the type-erased calls into the rest.
//!
//! A `Header` is the first field of every task cell (`task/cell.rs`), so that a pointer to it is a
//! pointer to the cell. Jobs, handles, wakers and [`Task`](super::task::Task)s are such pointers, each
//! worth one reference in the state word.
//!
//! # Invariants
//!
//! 1. A `NonNull<Header>` held by a job, handle, waker or `Task` points to a live cell for as long
//!    as its holder exists, since it holds a reference. The functions of this file take such
//!    pointers; they are not public.
//! 2. The functions and the distance of the `VTable` belong to the cell that the header is in.
#![allow(
    unsafe_code,
    reason = "type-erased, reference-counted task cells; see the invariants"
)]

use std::cell::Cell;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, RawWaker, RawWakerVTable, Waker};

use super::extra::Extra;
use super::state::{HostWoken, New, Notify, State, WakeHost};
use super::task::{Task, TaskInfo};
use crate::context::{self, Node, Vars};
use crate::loom::{self, UnsafeCell, fault};
use crate::report::{Report, report};
use crate::util::{OnceArc, discard, drop_foreign, panic_message};

/// What a header can ask of its cell.
///
/// All are called with a pointer to the header of the cell they were made for. `poll` and `cancel`
/// need the right to the future (invariant 2 of the state word), `take` and `drop_output` the right
/// to the output.
pub(crate) struct VTable {
    /// Polls the future in its frame; ready once the output is stored. Never unwinds. A wake of the
    /// task that comes from inside of the poll may be noted in the third argument instead.
    pub(crate) poll: PollFn,
    /// Drops the future and stores "cancelled". Never unwinds.
    pub(crate) cancel: unsafe fn(NonNull<Header>),
    /// Gives one reference as a job to the runtime of the task. The caller holds another one, so
    /// that the cell, and the runtime in it, stay until the call returns.
    pub(crate) schedule: unsafe fn(NonNull<Header>),
    /// Moves the output to where the second pointer shows, an `Option<Result<T, JoinError>>`.
    pub(crate) take: unsafe fn(NonNull<Header>, *mut ()),
    /// Drops the output where it is; inside the task, if the flag is set, which has just ended then.
    /// Never unwinds.
    pub(crate) drop_output: unsafe fn(NonNull<Header>, bool),
    /// Takes the task out of its runtime's table of live tasks, if it is there.
    pub(crate) unlist: unsafe fn(NonNull<Header>),
    /// Frees the cell. Called once, by whoever dropped the last reference.
    pub(crate) free: unsafe fn(NonNull<Header>),
    /// How many bytes in front of the header its [`Extra`] is; zero, if it has none.
    pub(crate) extra: usize,
}

/// See [`VTable::poll`].
pub(crate) type PollFn =
    unsafe fn(NonNull<Header>, &mut Context<'_>, Option<&Cell<bool>>) -> Poll<()>;

/// What is in the slot of a cell (`task/slot.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Holds {
    /// The future, which has not been polled.
    New,
    /// The future.
    Polled,
    /// The future, for ever: the task has ended as cancelled, on a thread that may not touch it.
    Leaked,
    /// The same of a task that has ended with a panic.
    LeakedByPanic,
    /// How the task has ended.
    Output,
    /// Neither: the future is gone, and the output is not there yet or was taken.
    Nothing,
}

/// The head of every task cell.
pub(crate) struct Header {
    pub(crate) state: State,
    pub(crate) vtable: &'static VTable,
    /// The next job in a queue; belongs to the holder of the job.
    pub(crate) next: UnsafeCell<Option<NonNull<Header>>>,
    /// The waker of the joiner; see invariant 3 of the state word.
    join_waker: UnsafeCell<Option<Waker>>,
    /// The task's place in the table of live tasks, core's or the backend's own.
    pub(crate) tag: AtomicU32,
    /// What the slot of future and output holds; belongs to whoever has the right to it.
    pub(crate) holds: UnsafeCell<Holds>,
    pub(crate) info: TaskInfo,
    /// The task as a scope, once somebody inside needs it.
    pub(crate) scope: OnceArc<Node>,
}

/// All fields that [`Header::write`] has to write.
const _: fn(Header) = |header| {
    let Header {
        state: _,
        vtable: _,
        next: _,
        join_waker: _,
        tag: _,
        holds: _,
        info: _,
        scope: _,
    } = header;
};

impl Header {
    /// Makes the header of a new task, with one reference for its job, one for its join handle, and one
    /// for the table of live tasks if it is to be listed.
    ///
    /// Field by field, each of which is moved once: a header that is put together on the stack is copied as
    /// a whole, and read there before it has been written out, which takes as long as all the rest of a
    /// spawn.
    ///
    /// # Safety
    ///
    /// `to` is unused memory for a header.
    #[inline(always)]
    #[allow(
        clippy::multiple_unsafe_ops_per_block,
        reason = "the same for each field"
    )]
    pub(crate) unsafe fn write(to: *mut Self, vtable: &'static VTable, info: TaskInfo, new: New) {
        // SAFETY: by the contract. All fields are written, and there is nothing that would have to be dropped.
        unsafe {
            (&raw mut (*to).state).write(State::new(new));
            (&raw mut (*to).vtable).write(vtable);
            (&raw mut (*to).next).write(UnsafeCell::new(None));
            (&raw mut (*to).join_waker).write(UnsafeCell::new(None));
            (&raw mut (*to).tag).write(AtomicU32::new(u32::MAX));
            (&raw mut (*to).holds).write(UnsafeCell::new(Holds::New));
            (&raw mut (*to).info).write(info);
            (&raw mut (*to).scope).write(OnceArc::new());
        }
    }

    /// Reads the backend's word; the backend orders its own accesses.
    #[inline]
    pub(crate) fn tag(&self) -> u32 {
        self.tag.load(Ordering::Relaxed)
    }
}

/// Lends the header for as long as its holder is borrowed.
#[inline]
pub(crate) fn deref(header: &NonNull<Header>) -> &Header {
    // SAFETY: invariant 1: the holder, which is borrowed for as long as the result, has a reference.
    unsafe { header.as_ref() }
}

/// Lends the values that were in force where the task was spawned.
#[inline]
pub(crate) fn vars(header: &NonNull<Header>) -> Option<&Vars> {
    Extra::of(header)?.vars.as_ref()
}

/// Lends the slot of the host's waker.
#[inline]
fn host_waker(header: &NonNull<Header>) -> &UnsafeCell<Option<Waker>> {
    match Extra::of(header) {
        Some(extra) => &extra.host_waker,
        None => not_hosted(header),
    }
}

#[cold]
fn not_hosted(header: &NonNull<Header>) -> ! {
    panic!(
        "the job of {} was polled as a future, but the `Spawn::is_host` of its backend says that none is: \
         have it return true, or give the job to `Job::run`",
        deref(header).info
    )
}

/// Gives a reference back, and frees the cell if it was the last.
#[inline]
pub(crate) fn drop_ref(header: NonNull<Header>) {
    if deref(&header).state.drop_ref() {
        free(header);
    }
}

/// Frees the cell; the caller has just given the last reference back.
#[inline]
fn free(header: NonNull<Header>) {
    loom::assert_unlocked();
    let this = deref(&header);
    if !this.state.is_complete() {
        return revive(header);
    }
    let free = this.vtable.free;
    // SAFETY: invariant 2, and no reference is left but the one the caller gave up.
    unsafe { free(header) }
}

/// The last reference to a task that waits was given back: nobody can wake it any more. Its runtime gets it
/// back, to drop the future.
#[cold]
fn revive(header: NonNull<Header>) {
    deref(&header).state.revive();
    let _last = Task::from_raw(header);
    schedule(header);
}

/// Asks the task to end and makes it look, and everybody inside; true if this was the first request
/// in its life.
pub(crate) fn cancel(header: NonNull<Header>) -> bool {
    let first = request(header);
    if first {
        if let Some(scope) = deref(&header).scope.get() {
            scope.walk();
        }
    }
    first
}

/// Asks the task to end and makes it look, but nobody inside.
pub(crate) fn request(header: NonNull<Header>) -> bool {
    let first = deref(&header).state.cancel();
    if first {
        context::mark_task(header);
        wake(header);
    }
    first
}

/// Asks for the future to be dropped without another poll; true if this was the first request.
pub(crate) fn abort(header: NonNull<Header>) -> bool {
    let first = deref(&header).state.abort();
    if first {
        wake(header);
    }
    first
}

/// Wakes the task, through its host if a host polls it. The caller keeps its reference.
#[inline]
pub(crate) fn wake(header: NonNull<Header>) {
    loom::assert_unlocked();
    if context::wake_running(header) {
        return;
    }
    let this = deref(&header);
    match this.state.notify() {
        Notify::Nothing => {}
        Notify::Schedule => schedule(header),
        Notify::Host if fault("host_is_not_woken") => {}
        Notify::Host => wake_host(header),
    }
}

/// Gives the job to the runtime of the task. The caller keeps a reference besides the job's.
fn schedule(header: NonNull<Header>) {
    let schedule = deref(&header).vtable.schedule;
    // SAFETY: invariant 2; the job's reference is counted, and the caller's own keeps the cell until
    // the call returns.
    unsafe { schedule(header) }
}

/// Wakes the host through its waker, which stays in its slot. The caller has notified.
fn wake_host(header: NonNull<Header>) {
    let this = deref(&header);
    if this.state.wake_host() == WakeHost::Nothing {
        return;
    }
    let mut panicked = None;
    loop {
        let wake = || {
            host_waker(&header).with(|slot| {
                // SAFETY: invariant 4 of the state word: the slot is filled, and nobody writes it
                // while this thread keeps `HOST_BUSY` set.
                let slot = unsafe { &*slot };
                slot.as_ref().map(Waker::wake_by_ref)
            });
        };
        // Also if the waker panics, the slot must not stay busy.
        if let Err(panic) = catch_unwind(AssertUnwindSafe(wake)) {
            if let Some(earlier) = panicked.replace(panic) {
                discard(earlier);
            }
        }
        match this.state.host_woken() {
            HostWoken::Again => {}
            HostWoken::Done => break,
            HostWoken::Last => {
                empty_host(header);
                break;
            }
        }
    }
    if let Some(panic) = panicked {
        resume_unwind(panic);
    }
}

/// Drops the host's waker; the caller has cleared `HOST_WAKER` on a word with `COMPLETE`.
fn empty_host(header: NonNull<Header>) {
    // SAFETY: invariant 4: nobody reads or writes the slot any more but who cleared the bit.
    let waker = host_waker(&header).with_mut(|slot| unsafe { (*slot).take() });
    drop(waker);
}

/// Stores the host's waker for the poll that is about to begin; called by the poller only.
///
/// # Panics
///
/// If the task is of a backend that polls no jobs.
#[inline]
pub(crate) fn register_host(header: &NonNull<Header>, waker: &Waker) {
    let (this, slot) = (deref(header), host_waker(header));
    if this.state.has_host_waker() {
        let same = slot.with(|slot| {
            // SAFETY: invariant 4: only the poller writes the slot; others at most read it now.
            let slot = unsafe { &*slot };
            slot.as_ref().is_some_and(|old| old.will_wake(waker))
        });
        if same {
            return;
        }
        if !this.state.unset_host_waker() {
            // Somebody is waking the old waker. Come again, when the slot is free.
            if !fault("busy_slot_is_left_alone") {
                waker.wake_by_ref();
            }
            return;
        }
    }
    let fresh = Some(waker.clone());
    // SAFETY: invariant 4: `HOST_WAKER` is clear, and this is the poller.
    let old = slot.with_mut(|slot| unsafe { std::mem::replace(&mut *slot, fresh) });
    this.state.set_host_waker();
    drop(old);
}

/// Polls the future; the caller holds the job.
#[inline]
pub(crate) fn poll(
    header: NonNull<Header>,
    cx: &mut Context<'_>,
    woken: Option<&Cell<bool>>,
) -> Poll<()> {
    let poll = deref(&header).vtable.poll;
    // SAFETY: invariant 2; the caller holds the job, and with it the right to the future.
    unsafe { poll(header, cx, woken) }
}

/// Publishes the stored output, and gives the job's reference back; the caller holds the job.
#[inline]
pub(crate) fn finish(header: NonNull<Header>) {
    if !deref(&header).state.finish() {
        complete(header);
        drop_ref(header);
    }
}

/// Drops the future and completes the task as cancelled; the caller holds the job.
pub(crate) fn abandon(header: NonNull<Header>) {
    let cancel = deref(&header).vtable.cancel;
    // SAFETY: invariant 2; the caller holds the job, and with it the right to the future.
    unsafe { cancel(header) };
    complete(header);
}

/// Publishes the stored output, wakes the joiner or drops what nobody will take.
///
/// The caller holds the job and has stored the output.
#[inline]
pub(crate) fn complete(header: NonNull<Header>) {
    let this = deref(&header);
    let completed = this.state.complete();
    if completed.join_waker {
        // SAFETY: invariant 3 of the state word: `JOIN_WAKER` was set at the moment of completion,
        // so the slot belongs to the completer, and the handle cannot clear the bit any more.
        let waker = this.join_waker.with_mut(|slot| unsafe { (*slot).take() });
        if let Some(waker) = waker {
            wake_foreign(waker, &this.info);
        }
    }
    if !completed.handle {
        drop_output(header, true);
    }
    // Only now, so that whoever finds no task listed can rely on it that nothing is left of them.
    // SAFETY: invariant 2; the caller's reference outlives the table's.
    unsafe { (this.vtable.unlist)(header) };
    if completed.host_waker {
        // The last step, because a waker is foreign code, and its destructor may panic.
        empty_host(header);
    }
}

/// Wakes a waker that core does not know; its panic is reported and goes no further.
fn wake_foreign(waker: Waker, info: &TaskInfo) {
    loom::assert_unlocked();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        let message = format!("the waker of its joiner: {}", panic_message(&*panic));
        report(&Report::PanicInDrop {
            task: info.clone(),
            message,
        });
        discard(panic);
    }
}

/// Drops the stored output; the caller has the right to it.
pub(crate) fn drop_output(header: NonNull<Header>, inside: bool) {
    let drop_output = deref(&header).vtable.drop_output;
    // SAFETY: invariant 2; the caller has the right to the output.
    unsafe { drop_output(header, inside) }
}

/// Stores the joiner's waker; false if the task has ended meanwhile. Called by the join handle only.
#[inline]
pub(crate) fn register_joiner(header: &NonNull<Header>, waker: &Waker) -> bool {
    let this = deref(header);
    if this.state.has_join_waker() {
        // SAFETY: while `JOIN_WAKER` is set nobody writes the slot but a completer, and it only
        // after `COMPLETE`; a completer may empty it at this moment, so the bit must be taken back
        // before the slot is looked at.
        if !this.state.unset_join_waker() {
            return false;
        }
        // SAFETY: `JOIN_WAKER` is clear and the task had not ended: the slot is the handle's.
        let same = this
            .join_waker
            .with(|slot| unsafe { (*slot).as_ref().is_some_and(|old| old.will_wake(waker)) });
        if same {
            return this.state.set_join_waker() || take_joiner(this);
        }
    }
    loom::assert_unlocked();
    let fresh = Some(waker.clone());
    // SAFETY: `JOIN_WAKER` is clear, and only the handle, which is the caller, can set it.
    let old = this
        .join_waker
        .with_mut(|slot| unsafe { std::mem::replace(&mut *slot, fresh) });
    let stored = this.state.set_join_waker() || take_joiner(this);
    drop_foreign(old);
    stored
}

/// Empties the slot after the task has ended without seeing the waker; always false.
fn take_joiner(this: &Header) -> bool {
    // SAFETY: the completer did not find `JOIN_WAKER` set, so the slot stays the handle's.
    let waker = this.join_waker.with_mut(|slot| unsafe { (*slot).take() });
    drop_foreign(waker);
    false
}

/// The join handle goes. Called by it, once, before it gives its reference back.
#[inline]
pub(crate) fn release_handle(header: NonNull<Header>, taken: bool) {
    let this = deref(&header);
    if taken {
        return;
    }
    if this.state.drop_handle() {
        let _ = take_joiner(this);
    } else {
        drop_output(header, false);
    }
}

// ===== the waker of a job that is run =====

/// Whether it is the waker of a task that its runtime polls with core's: to clone it runs no foreign code.
#[inline(always)]
pub(crate) fn is_own(waker: &Waker) -> bool {
    std::ptr::eq(waker.vtable(), &raw const WAKER)
}

static WAKER: RawWakerVTable =
    RawWakerVTable::new(clone_waker, wake_by_value, wake_by_ref, drop_waker);

/// Lends a waker of the task for the length of a poll, without counting a reference.
#[inline]
pub(crate) fn lend_waker(header: &NonNull<Header>) -> ManuallyDrop<Waker> {
    let raw = RawWaker::new(header.as_ptr().cast_const().cast(), &WAKER);
    // SAFETY: the functions of `WAKER` keep the contract of `RawWaker`: they are thread-safe, since
    // the state word is atomic and the runtime of a task is `Sync`. The result is never dropped, so
    // it needs no reference of its own while the caller's lives.
    ManuallyDrop::new(unsafe { Waker::from_raw(raw) })
}

#[inline]
fn from_data(data: *const ()) -> NonNull<Header> {
    NonNull::new(data.cast_mut().cast()).expect("the data of a waker is never null")
}

unsafe fn clone_waker(data: *const ()) -> RawWaker {
    deref(&from_data(data)).state.add_ref();
    RawWaker::new(data, &WAKER)
}

unsafe fn wake_by_value(data: *const ()) {
    let header = from_data(data);
    // The waker's reference has to outlive the scheduling, so it cannot become the job's.
    let _waker = Task::from_raw(header);
    wake(header);
}

unsafe fn wake_by_ref(data: *const ()) {
    wake(from_data(data));
}

unsafe fn drop_waker(data: *const ()) {
    drop_ref(from_data(data));
}
