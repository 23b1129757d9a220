//! The state word of a task: twelve bits and a count of references.
//!
//! # PROTOCOL
//!
//! ```text
//!        wake: notify                       run: start                  ready: complete
//!   (job queued)  NOTIFIED  ───────────────▶  RUNNING  ───────────────▶  COMPLETE
//!                    ▲                        ▲ │   │ wake: NOTIFIED too
//!        wake: notify│        pending: stop   │ │   ▼
//!                 (idle)  ◀───────────────────┼─┘  pending: stop ──▶ NOTIFIED, queued again
//!                                             │
//!               spawn: the job is new; woken by itself, in its own poll: it is queued again
//! ```
//!
//! A job in a queue may have `RUNNING` already: when it is new, and when its task has woken itself in
//! the poll before (a yield), which only that poll's thread knows ([`wake_running`]) and which writes
//! nothing here. Such a run begins without an atomic operation, unless somebody else has woken the
//! task besides, and so left `NOTIFIED`.
//!
//! A job that a host polls as a future never leaves the first state: it has `HOSTED`, and is woken
//! through the host's waker, so core's own scheduling is out of the way.
//!
//! The host's waker is in a slot that only the poller writes. `HOST_WAKER` says that it is filled.
//! Whoever wants to wake the host sets `HOST_BUSY`, uses the waker by reference, and clears the bit;
//! a second one who comes meanwhile leaves `HOST_AGAIN`, and the first wakes once more for it. The
//! poller replaces the waker, if it changed, after clearing `HOST_WAKER`, which it may only while
//! nobody is busy; if somebody is, it wakes itself instead. Whoever wants to wake the host writes the
//! word first (`notify`). So if `HOST_WAKER` is clear then, no wake is needed: the poller writes the
//! word after that, when it has filled the slot, and its poll sees what was done before the wake.
//! A waker that somebody was busy with at the moment of completion is dropped by the one who was.
//!
//! # Invariants
//!
//! 1. There is at most one `Job` per task. It exists while `NOTIFIED` or `RUNNING` is set, and
//!    holds one reference. Whoever sets `NOTIFIED` on a word with none of `NOTIFIED`, `RUNNING`,
//!    `COMPLETE` makes the job and must schedule it.
//! 2. The future is touched only by the holder of the job; the output only by the holder of the
//!    job until `COMPLETE`, and then by the join handle if `HANDLE` was set at that moment,
//!    otherwise by the one who completed.
//! 3. The join waker is written only by the join handle while `JOIN_WAKER` is clear and `COMPLETE`
//!    is clear, and read and emptied only by the completer that finds `JOIN_WAKER` set. Clearing
//!    `JOIN_WAKER` fails once `COMPLETE` is set.
//! 4. The host's waker is written only by the poller while `HOST_WAKER` is clear; it is read only by
//!    the poller and by whoever set `HOST_BUSY`. At the end it is emptied by the completer, or by
//!    whoever was busy with it then: by the one who clears `HOST_WAKER` on a word with `COMPLETE`.
//! 5. The memory is freed by whoever drops the last reference. The last reference to a task that
//!    has not ended becomes its job once more, which ends it.
//!
//! [`wake_running`]: crate::context::wake_running
//!
//! Every other transition is one atomic operation with acquire and release: what was written before it
//! by either side is seen after it by the other. `is_complete` is an acquire load that pairs with
//! `complete`. Reference counting follows `Arc`: increments are relaxed, because whoever adds a
//! reference holds one; decrements are acquire-release.

mod told;

use std::fmt;

use crate::debug::TaskState;
use crate::loom::{AtomicUsize, Ordering, change, fault, load_to_change, order_unless};
pub(crate) use told::{Asked, Completed, HostWoken, New, Notify, Stopped, WakeHost};

/// A job exists, or the runner has to make one again after its poll.
const NOTIFIED: usize = 1;
/// The job is being run.
const RUNNING: usize = 1 << 1;
/// The future is gone and the output is stored (or already taken).
const COMPLETE: usize = 1 << 2;
/// Cancellation was asked for.
const CANCEL: usize = 1 << 3;
/// The join handle exists.
const HANDLE: usize = 1 << 4;
/// The slot of the join waker is filled and belongs to the completer.
const JOIN_WAKER: usize = 1 << 5;
/// A host polls the job as a future, with wakers of its own.
const HOSTED: usize = 1 << 6;
/// The slot of the host's waker is filled.
const HOST_WAKER: usize = 1 << 7;
/// Somebody uses the host's waker, by reference.
const HOST_BUSY: usize = 1 << 8;
/// Somebody else wants the host to be woken once more.
const HOST_AGAIN: usize = 1 << 9;
/// The future is to be dropped without another poll.
const ABORT: usize = 1 << 10;
/// When the task has ended, somebody's list has to be told.
const LISTED: usize = 1 << 11;
/// One reference.
const REF: usize = 1 << 12;

/// More references than this are a leak that is about to become unsound.
const MAX_REFS: usize = isize::MAX as usize;

/// The state word.
pub(crate) struct State(AtomicUsize);

impl State {
    /// A new task: its job exists and its join handle exists.
    #[inline]
    pub(crate) fn new(new: New) -> Self {
        let job = if new.exact { NOTIFIED } else { RUNNING };
        let list = if new.listed || new.owned { LISTED } else { 0 };
        let refs = 2 + usize::from(new.listed);
        Self(AtomicUsize::new(job | list | HANDLE | (refs * REF)))
    }

    /// The run begins: the job is not queued any more, and wakes count for the next run. False if
    /// there is nothing to run, since a host has polled the job to its end.
    #[inline]
    #[must_use]
    pub(crate) fn start(&self) -> bool {
        // Acquire: pairs with the wakes before, as the operations below do.
        let mut old = load_to_change(&self.0, Ordering::Acquire);
        if old & NOTIFIED != 0 {
            if fault("a_run_starts_with_a_store") {
                self.0.store((old & !NOTIFIED) | RUNNING, Ordering::Release);
            } else if old & RUNNING == 0 {
                old = self.0.fetch_xor(NOTIFIED | RUNNING, Ordering::AcqRel);
            } else {
                old = self.0.fetch_and(!NOTIFIED, Ordering::AcqRel);
            }
        }
        debug_assert_ne!(old & (NOTIFIED | RUNNING), 0, "{old:#b}");
        old & COMPLETE == 0
    }

    /// The run ended with a pending future.
    #[inline]
    pub(crate) fn stop(&self) -> Stopped {
        let woken = |old| old & NOTIFIED != 0;
        let last = |old| old < 2 * REF && !fault("stop_forgets_the_last");
        let old = self.change(|old| {
            debug_assert_eq!(old & (RUNNING | COMPLETE), RUNNING, "{old:#b}");
            match (woken(old), last(old)) {
                (true, _) => old & !RUNNING,
                // The job goes on to exist, so that what its destructors do schedules nothing.
                (false, true) => (old & !RUNNING) | NOTIFIED,
                (false, false) => (old & !RUNNING) - REF,
            }
        });
        match (woken(old), last(old)) {
            (true, _) => Stopped::Again,
            (false, true) => Stopped::Forgotten,
            (false, false) => Stopped::Idle,
        }
    }

    /// The run ended with a pending future, and the job's reference is to become one to the task; false
    /// if the task was woken while it ran, and the job has to be scheduled again.
    #[inline]
    pub(crate) fn park(&self) -> bool {
        let old = self.change(|old| {
            debug_assert_eq!(old & (RUNNING | COMPLETE), RUNNING, "{old:#b}");
            old & !RUNNING
        });
        old & NOTIFIED == 0 || fault("park_forgets_a_wake")
    }

    /// The output is stored, and the job's reference is given back in the same step; false, and
    /// nothing has changed, if there is more to do than to publish the output to a handle.
    ///
    /// After it was true, the caller may not touch the task any more.
    #[inline]
    pub(crate) fn finish(&self) -> bool {
        let order = order_unless("finish_relaxed", Ordering::AcqRel);
        let finished = change(&self.0, order, Ordering::Relaxed, |old| {
            if old & (HANDLE | JOIN_WAKER | HOSTED | LISTED) != HANDLE {
                return None;
            }
            debug_assert!(old & COMPLETE == 0 && old >= 2 * REF, "{old:#b}");
            Some((old | COMPLETE) - REF)
        });
        finished.is_ok()
    }

    /// The output is stored.
    #[inline]
    pub(crate) fn complete(&self) -> Completed {
        let order = order_unless("complete_relaxed", Ordering::AcqRel);
        let host_waker = |old| {
            let busy = old & HOST_BUSY != 0 && !fault("complete_takes_a_busy_waker");
            old & HOST_WAKER != 0 && !busy
        };
        let changed = change(&self.0, order, Ordering::Relaxed, |old| {
            debug_assert_eq!(old & COMPLETE, 0, "{old:#b}");
            let new = old | COMPLETE;
            Some(if host_waker(old) {
                new & !HOST_WAKER
            } else {
                new
            })
        });
        let old = changed.unwrap_or_else(|old| old);
        Completed {
            handle: old & HANDLE != 0,
            join_waker: old & JOIN_WAKER != 0,
            host_waker: host_waker(old),
        }
    }

    /// Wakes; the caller's reference stays.
    #[inline]
    pub(crate) fn notify(&self) -> Notify {
        let idle = |old| old & (NOTIFIED | RUNNING) == 0 || fault("every_wake_schedules");
        let changed = self.change_if(|old| {
            if old & COMPLETE != 0
                || fault("wake_lost_while_running") && old & RUNNING != 0
                || fault("notify_writes_nothing") && old & (NOTIFIED | HOSTED) == NOTIFIED
                || fault("host_notify_writes_nothing") && old & HOSTED != 0
            {
                return None;
            }
            // Also when a job exists already, the word is written: that publishes what the waker
            // did before to the run that is about to start.
            let new = old | NOTIFIED;
            Some(if idle(old) { new + REF } else { new })
        });
        match changed {
            Ok(old) if idle(old) => {
                check_refs(old + REF);
                Notify::Schedule
            }
            Ok(old) if old & HOSTED != 0 => Notify::Host,
            Err(old) if old & HOSTED != 0 && fault("host_notify_writes_nothing") => Notify::Host,
            _ => Notify::Nothing,
        }
    }

    /// Whether the slot of the host's waker is filled (asked by the poller only).
    #[inline]
    pub(crate) fn has_host_waker(&self) -> bool {
        self.0.load(Ordering::Acquire) & HOST_WAKER != 0
    }

    /// The poller has filled the slot of the host's waker.
    #[inline]
    pub(crate) fn set_host_waker(&self) {
        self.0.fetch_or(HOSTED | HOST_WAKER, Ordering::AcqRel);
    }

    /// The poller wants to write the slot of the host's waker; false if somebody is using it.
    pub(crate) fn unset_host_waker(&self) -> bool {
        let free = |old| old & HOST_BUSY == 0;
        let changed = self.change_if(|old| free(old).then_some(old & !HOST_WAKER));
        changed.is_ok()
    }

    /// Somebody wants to wake the host, and has notified.
    pub(crate) fn wake_host(&self) -> WakeHost {
        let busy = |old| old & HOST_BUSY != 0;
        let changed = change(&self.0, Ordering::AcqRel, Ordering::Acquire, |old| {
            let wanted = old & HOST_WAKER != 0 && old & COMPLETE == 0;
            match busy(old) {
                _ if !wanted => None,
                true if fault("busy_host_is_not_woken_again") => None,
                true => Some(old | HOST_AGAIN),
                false => Some(old | HOST_BUSY),
            }
        });
        match changed {
            Ok(old) if !busy(old) => WakeHost::Wake,
            _ => WakeHost::Nothing,
        }
    }

    /// The host was woken.
    pub(crate) fn host_woken(&self) -> HostWoken {
        let again = |old| old & HOST_AGAIN != 0;
        let complete = |old| old & COMPLETE != 0;
        let old = self.change(|old| {
            debug_assert_ne!(old & HOST_BUSY, 0, "{old:#b}");
            match (complete(old), again(old)) {
                (true, _) => old & !(HOST_BUSY | HOST_AGAIN | HOST_WAKER),
                (false, true) => old & !HOST_AGAIN,
                (false, false) => old & !(HOST_BUSY | HOST_AGAIN),
            }
        });
        match (complete(old), again(old)) {
            (true, _) if fault("busy_waker_is_leaked") => HostWoken::Done,
            (true, _) => HostWoken::Last,
            (false, true) => HostWoken::Again,
            (false, false) => HostWoken::Done,
        }
    }

    /// Asks for cancellation; true if it was not asked for before and the task is alive.
    #[inline]
    pub(crate) fn cancel(&self) -> bool {
        let old = self.0.fetch_or(CANCEL, Ordering::AcqRel);
        let first = old & CANCEL == 0 || fault("every_cancel_is_the_first");
        first && old & COMPLETE == 0
    }

    /// Asks for the future to be dropped; true if it was not asked for before and the task is alive.
    pub(crate) fn abort(&self) -> bool {
        let old = self.0.fetch_or(ABORT, Ordering::AcqRel);
        old & (ABORT | COMPLETE) == 0
    }

    /// What was asked of the task.
    #[inline]
    pub(crate) fn asked(&self) -> Asked {
        let word = self.0.load(Ordering::Acquire);
        Asked {
            cancel: word & CANCEL != 0,
            abort: word & ABORT != 0,
        }
    }

    /// Whether cancellation was asked for.
    #[inline]
    pub(crate) fn is_cancelled(&self) -> bool {
        self.asked().cancel
    }

    /// Whether the task has ended. Acquire: pairs with `complete`.
    #[inline]
    pub(crate) fn is_complete(&self) -> bool {
        self.0.load(Ordering::Acquire) & COMPLETE != 0
    }

    /// What the task is at; of a job that a host polls, only the host knows.
    pub(crate) fn activity(&self) -> TaskState {
        let word = self.0.load(Ordering::Acquire);
        match word & (NOTIFIED | RUNNING | HOSTED) {
            NOTIFIED => TaskState::Queued,
            bits if bits & RUNNING != 0 => TaskState::Running,
            _ => TaskState::Waiting,
        }
    }

    /// Whether the task was woken while it runs, and its runner has to queue it again.
    pub(crate) fn is_due_again(&self) -> bool {
        let bits = NOTIFIED | RUNNING | HOSTED;
        self.0.load(Ordering::Relaxed) & bits == NOTIFIED | RUNNING
    }

    /// Whether the slot of the join waker is filled (asked by the join handle only).
    #[inline]
    pub(crate) fn has_join_waker(&self) -> bool {
        self.0.load(Ordering::Acquire) & JOIN_WAKER != 0
    }

    /// Hands the filled slot of the join waker to the completer; false if the task has ended.
    #[inline]
    pub(crate) fn set_join_waker(&self) -> bool {
        let stored = self.change_unless_complete(|old| old | JOIN_WAKER);
        stored || fault("join_waker_is_left_behind")
    }

    /// Takes the slot of the join waker back from the completer; false if the task has ended.
    #[inline]
    pub(crate) fn unset_join_waker(&self) -> bool {
        fault("join_waker_is_replaced_in_place")
            || self.change_unless_complete(|old| old & !JOIN_WAKER)
    }

    /// The join handle goes, and with it its waker; false if the task has ended, and then the
    /// output is the handle's to drop.
    #[inline]
    pub(crate) fn drop_handle(&self) -> bool {
        let waker = match fault("handle_leaves_its_waker") {
            true => 0,
            false => JOIN_WAKER,
        };
        let alive = self.change_unless_complete(|old| old & !(HANDLE | waker));
        alive || fault("handle_goes_unseen")
    }

    #[inline]
    fn change_unless_complete(&self, next: impl Fn(usize) -> usize) -> bool {
        let changed = change(&self.0, Ordering::AcqRel, Ordering::Acquire, |old| {
            (old & COMPLETE == 0).then(|| next(old))
        });
        changed.is_ok()
    }

    /// Makes of the word what `next` says, and gives what it was.
    #[inline(always)]
    fn change(&self, next: impl Fn(usize) -> usize) -> usize {
        let changed = self.change_if(|old| Some(next(old)));
        changed.unwrap_or_else(|old| old)
    }

    /// The same, unless `next` wants to leave it: then that is an error.
    #[inline(always)]
    fn change_if(&self, next: impl Fn(usize) -> Option<usize>) -> Result<usize, usize> {
        change(&self.0, Ordering::AcqRel, Ordering::Relaxed, next)
    }

    /// Counts one more reference.
    #[inline]
    pub(crate) fn add_ref(&self) {
        if fault("add_ref_in_two_steps") {
            let old = self.0.load(Ordering::Relaxed);
            return self.0.store(old + REF, Ordering::Relaxed);
        }
        let old = self.0.fetch_add(REF, Ordering::Relaxed);
        check_refs(old);
    }

    /// The last reference was given back by the caller, and the task waits: makes two of it again, the
    /// caller's and one for a job that is not to poll.
    pub(crate) fn revive(&self) {
        let old = self.0.load(Ordering::Acquire);
        debug_assert_eq!(old & (NOTIFIED | RUNNING | COMPLETE), 0, "{old:#b}");
        // Nobody else has a reference, so nobody writes the word at the same time.
        let new = (old & (REF - 1)) | NOTIFIED | ABORT | (2 * REF);
        self.0.store(new, Ordering::Release);
    }

    /// Gives a reference back; true if it was the last.
    #[must_use]
    #[inline]
    pub(crate) fn drop_ref(&self) -> bool {
        if fault("drop_ref_in_two_steps") {
            let old = self.0.load(Ordering::Acquire);
            self.0.store(old - REF, Ordering::Release);
            return old < 2 * REF;
        }
        // The caller's is the only one: nobody else can write the word, or make another. Acquire:
        // pairs with the operations by which the others were given back.
        if load_to_change(&self.0, Ordering::Acquire) < 2 * REF {
            return true;
        }
        let order = order_unless("drop_ref_relaxed", Ordering::AcqRel);
        let old = self.0.fetch_sub(REF, order);
        debug_assert!(old >= REF, "{old:#b}");
        old < 2 * REF
    }
}

/// Ends the process if there are so many references that their count might run over.
///
/// A panic would not do: the reference is counted, and a program that goes on could count more.
#[inline]
fn check_refs(word: usize) {
    #[cold]
    fn too_many() -> ! {
        eprintln!("kumi: too many references to one task");
        std::process::abort()
    }
    if word > MAX_REFS {
        too_many();
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.0.load(Ordering::Relaxed);
        let name = if word & COMPLETE != 0 {
            "complete"
        } else if word & RUNNING != 0 {
            "running"
        } else if word & HOSTED != 0 {
            "hosted"
        } else if word & NOTIFIED != 0 {
            "scheduled"
        } else {
            "idle"
        };
        f.debug_struct("State")
            .field("is", &name)
            .field("cancel", &(word & CANCEL != 0))
            .field("handle", &(word & HANDLE != 0))
            .field("join_waker", &(word & JOIN_WAKER != 0))
            .field("references", &(word / REF))
            .finish()
    }
}
