//! Sleeps, and the timers behind them.
//!
//! # Shape
//!
//! A loop has two [`Wheel`]s. One belongs to the thread that drives the loop, lies beside its ready
//! queue ([`here`]), and is touched without a lock: nearly every sleep is polled, moved and dropped by
//! tasks of its own loop. The other one, [`Far`], is under a lock, for sleeps that another thread polls
//! first, or polls while nobody drives the loop.
//!
//! A [`LoopSleep`] remembers in which of them its timer is. If a sleep whose timer is in the first is
//! dropped, moved or polled elsewhere, that thread cannot reach the timer: it leaves a note ([`Op`]) in
//! `Far`, and the loop does what it says before anything else. Between two drives the first wheel rests
//! under a lock, so nothing has to be left.
//!
//! # When the clock is read
//!
//! At the first poll of a sleep, unless its maker had just read it (`sleep`, `timeout`), and at the first
//! poll after it was moved. After that a sleep is due when its timer has fired, and not before: whether
//! that is so costs no look at the clock.
//!
//! Nor does the first poll, if in the same turn of the loop somebody has looked before, and found that the
//! sleep is due more than a second later: a limit of half a minute is armed without another look. Should the
//! thread have been held up for so long in the middle of the turn, then such a sleep is not ready at its first
//! poll, though it is due, but fires with the next turn. After 256 that did not look, the next one does, so
//! that the time passes also in a turn that does not end.
//!
//! # What ends what
//!
//! A timer ends when it fires, or when its sleep is dropped; its waker goes at the same moment. When
//! the loop ends, its timers do: a sleep of a loop that is gone wakes nobody, but is ready for whoever
//! polls it after its time.

mod wheel;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use kumi_core::debug::{WaitsFor, note_wait};
use kumi_core::runtime::Sleep;
use kumi_core::util::BiasedArc;

use crate::here;
use crate::loom::{AtomicU64, Mutex, MutexGuard, Ordering, fault, now};
use crate::shared::Shared;
pub(crate) use wheel::{Key, Wheel};

/// What another thread wants done with a timer of the driving thread's wheel.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Op {
    Remove(Key),
    Move(Key, u64),
}

impl Op {
    /// Does it; the waker is for the caller to drop.
    pub(crate) fn apply(self, wheel: &mut Wheel) -> Option<Waker> {
        match self {
            Self::Remove(key) => wheel.remove(key),
            Self::Move(key, at) => {
                wheel.reset(key, at);
                None
            }
        }
    }
}

/// The timers that any thread may touch.
#[derive(Debug)]
pub(crate) struct Far {
    /// When the loop has to look here, in nanoseconds; `u64::MAX` if never, 0 if at once.
    ///
    /// SeqCst: what another thread leaves for the loop; see `shared`.
    next: AtomicU64,
    state: Mutex<FarState>,
}

#[derive(Debug)]
struct FarState {
    wheel: Wheel,
    ops: Vec<Op>,
}

impl Far {
    pub(crate) fn new() -> Self {
        Self {
            next: AtomicU64::new(u64::MAX),
            state: Mutex::new(FarState {
                wheel: Wheel::new(),
                ops: Vec::new(),
            }),
        }
    }

    /// When the loop has to look here.
    #[inline]
    pub(crate) fn next(&self) -> u64 {
        self.next.load(Ordering::SeqCst)
    }

    /// Changes the timers, and says whether the loop has to look earlier than it knows.
    fn with<T>(&self, f: impl FnOnce(&mut FarState) -> T) -> (T, bool) {
        let mut state = self.lock();
        let result = f(&mut state);
        let next = match state.ops.is_empty() {
            true => state.wheel.next().unwrap_or(u64::MAX),
            false => 0,
        };
        let before = self.next.swap(next, Ordering::SeqCst);
        (result, next < before)
    }

    fn lock(&self) -> MutexGuard<'_, FarState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does what was left for `wheel`, and fires what is due; the wakers of removed timers go to `gone`.
    pub(crate) fn look(
        &self,
        now: u64,
        wheel: &mut Wheel,
        due: &mut Vec<(u64, Waker)>,
        gone: &mut Vec<Waker>,
    ) {
        let already = due.len();
        let _ = self.with(|state| {
            gone.extend(state.ops.drain(..).filter_map(|op| op.apply(wheel)));
            state.wheel.expire(now, due);
        });
        if already > 0 {
            // Two sorted lists to one; equal times stay as they are.
            due.sort_by_key(|(at, _)| *at);
        }
    }
}

/// Where the timer of a sleep is.
#[derive(Debug, Clone, Copy)]
enum Timer {
    Nowhere,
    /// In the wheel of the driving thread.
    Here(Key),
    /// In the wheel of all threads.
    Far(Key),
    /// It has fired.
    Fired,
}

/// A sleep on a [`Loop`](crate::Loop).
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped; its timer is gone at once.
pub struct LoopSleep {
    shared: BiasedArc<Shared>,
    at: Instant,
    timer: Timer,
    /// Whether it is due is not known, so the next poll has to ask the clock. Until then the timer may
    /// also have fired at a time that it had before, and a note about it may be on its way.
    ask: bool,
}

/// What a look at an armed timer finds.
enum Look {
    Fired,
    /// It wakes whom it should.
    Armed,
    /// It would wake somebody else.
    Stranger,
}

fn look(wheel: &mut Wheel, key: Key, waker: &Waker) -> Look {
    match wheel.waker(key) {
        None => Look::Fired,
        Some(armed) if armed.will_wake(waker) => Look::Armed,
        Some(_) => Look::Stranger,
    }
}

/// Puts `waker` into an armed timer; returns what has to be dropped, and whether it was still armed.
fn replace(wheel: &mut Wheel, key: Key, waker: Waker) -> (Waker, bool) {
    match wheel.waker(key) {
        Some(armed) => (std::mem::replace(armed, waker), true),
        None => (waker, fault("a_timer_that_has_fired_is_armed")),
    }
}

impl LoopSleep {
    #[inline]
    pub(crate) fn new(shared: BiasedArc<Shared>, at: Instant) -> Self {
        Self {
            shared,
            at,
            timer: Timer::Nowhere,
            ask: true,
        }
    }

    /// A sleep of somebody who has just been told the time.
    #[inline]
    pub(crate) fn from(shared: BiasedArc<Shared>, now: Instant, at: Instant) -> Self {
        let timer = match at > now {
            true => Timer::Nowhere,
            false => Timer::Fired,
        };
        Self {
            shared,
            at,
            timer,
            ask: false,
        }
    }

    /// Whether it is due by the clock; see "When the clock is read".
    #[inline]
    fn is_due(&self) -> bool {
        let (shared, at) = (&self.shared, self.shared.since(self.at));
        if here::is_far(shared.id, at) && !shared.is_closed() {
            return false;
        }
        let now = now();
        here::set_looked(shared.id, shared.since(now));
        now >= self.at
    }

    #[inline]
    fn pending(&self) -> Poll<()> {
        note_wait(|| WaitsFor::Sleep(self.at));
        Poll::Pending
    }

    /// Arms a timer in the wheel of this thread, or in that of all threads.
    fn arm(&mut self, waker: Waker) {
        let at = self.shared.since(self.at);
        let mut waker = Some(waker);
        let here = here::with_wheel(self.shared.id, |wheel| {
            wheel.arm(at, waker.take().expect("it was put there"))
        });
        self.timer = match (here, waker) {
            (Some(key), _) => Timer::Here(key),
            (None, Some(waker)) => {
                let (key, earlier) = self.shared.far.with(|far| far.wheel.arm(at, waker));
                if earlier && !fault("an_earlier_timer_interrupts_nobody") {
                    self.shared.interrupt_from_elsewhere();
                }
                Timer::Far(key)
            }
            (None, None) => unreachable!("the waker goes with the key"),
        };
    }

    /// Gets `op` done on the wheel of the driving thread; what it removes is dropped.
    #[cold]
    fn leave_op(&self, op: Op) {
        if self.shared.is_closed() {
            // All its timers are about to go.
            return;
        }
        match self.shared.with_resting(|wheel| op.apply(wheel)) {
            Some(removed) => drop(removed),
            None => {
                if fault("no_note_is_left") {
                    return;
                }
                let ((), earlier) = self.shared.far.with(|far| far.ops.push(op));
                if earlier && !fault("a_note_interrupts_nobody") {
                    self.shared.interrupt_from_elsewhere();
                }
            }
        }
    }

    /// Before the driving thread touches a timer of which notes may be on their way.
    fn settle(&self) {
        let (shared, mut gone) = (&self.shared, Vec::new());
        if shared.far.next() != 0 {
            return;
        }
        let _ = here::with_wheel(shared.id, |wheel| {
            let _ = shared.far.with(|far| {
                gone.extend(far.ops.drain(..).filter_map(|op| op.apply(wheel)));
            });
        });
    }

    /// Takes the timer out of its wheel.
    #[inline]
    fn disarm(&mut self) {
        match std::mem::replace(&mut self.timer, Timer::Nowhere) {
            Timer::Here(key) => match here::with_wheel(self.shared.id, |wheel| wheel.remove(key)) {
                Some(removed) => drop(removed),
                None => self.leave_op(Op::Remove(key)),
            },
            Timer::Far(_) if fault("a_timer_outlives_its_sleep") => {}
            Timer::Far(key) => drop(self.shared.far.with(|far| far.wheel.remove(key))),
            Timer::Nowhere | Timer::Fired => {}
        }
    }

    /// What became of the timer; none if there is none that this thread can reach.
    fn look(&self, waker: &Waker) -> Option<Look> {
        let id = self.shared.id;
        let (found, key, far) = match self.timer {
            Timer::Nowhere => return None,
            Timer::Fired => return Some(Look::Fired),
            Timer::Here(key) => {
                let found = here::with_wheel(id, |wheel| look(wheel, key, waker))?;
                (found, key, None)
            }
            Timer::Far(key) => {
                let far = &self.shared.far;
                (look(&mut far.lock().wheel, key, waker), key, Some(far))
            }
        };
        if !matches!(found, Look::Stranger) {
            return Some(found);
        }
        // A waker is foreign code: it is cloned and dropped outside.
        let fresh = waker.clone();
        let (old, armed) = match far {
            Some(far) => replace(&mut far.lock().wheel, key, fresh),
            None => here::with_wheel(id, |wheel| replace(wheel, key, fresh))?,
        };
        drop(old);
        Some(match armed {
            true => Look::Armed,
            // Meanwhile, for the other waker.
            false => Look::Fired,
        })
    }
}

impl Future for LoopSleep {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // Nobody fires the timers of a loop that is gone.
        let asked = std::mem::take(&mut self.ask) || self.shared.is_closed();
        if asked {
            if self.is_due() {
                self.disarm();
                self.timer = Timer::Fired;
                return Poll::Ready(());
            }
            self.settle();
        }
        match self.look(cx.waker()) {
            Some(Look::Armed) => return self.pending(),
            Some(Look::Fired) if !asked => {
                self.timer = Timer::Fired;
                return Poll::Ready(());
            }
            // It fired at a time that it had before.
            Some(Look::Fired) => {}
            // It may be where another thread cannot see whether it has fired.
            None if matches!(self.timer, Timer::Here(_)) => {
                self.disarm();
                if now() >= self.at {
                    self.timer = Timer::Fired;
                    return Poll::Ready(());
                }
            }
            _ => {}
        }
        self.arm(cx.waker().clone());
        self.pending()
    }
}

impl Sleep for LoopSleep {
    fn deadline(&self) -> Instant {
        self.at
    }

    #[inline]
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        if self.ask {
            self.settle();
        }
        self.at = at;
        self.ask = true;
        let due = self.shared.since(at);
        match self.timer {
            Timer::Here(key) => {
                match here::with_wheel(self.shared.id, |wheel| wheel.reset(key, due)) {
                    Some(true) => {}
                    Some(false) => self.timer = Timer::Nowhere,
                    None => self.leave_op(Op::Move(key, due)),
                }
            }
            Timer::Far(key) => {
                let (armed, earlier) = self.shared.far.with(|far| far.wheel.reset(key, due));
                if !armed {
                    self.timer = Timer::Nowhere;
                } else if earlier && !fault("a_timer_that_moves_interrupts_nobody") {
                    self.shared.interrupt_from_elsewhere();
                }
            }
            Timer::Nowhere | Timer::Fired => self.timer = Timer::Nowhere,
        }
    }
}

impl Drop for LoopSleep {
    #[inline]
    fn drop(&mut self) {
        if !matches!(self.timer, Timer::Nowhere | Timer::Fired) {
            self.disarm();
        }
    }
}

impl fmt::Debug for LoopSleep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopSleep")
            .field("at", &self.at)
            .field("timer", &self.timer)
            .finish_non_exhaustive()
    }
}
