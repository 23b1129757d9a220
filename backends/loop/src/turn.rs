//! The loop: turn after turn, until the main future is ready.

use std::future::{Future, pending};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kumi_core::util::BiasedArc;
use kumi_core::util::wake_all;
use kumi_core::{context, debug};

use crate::handle::Loop;
use crate::here::{self, Drive};
use crate::loom::{Kernel, fault, now};
use crate::quiet::Quiet;
use crate::shared::{Driver, Shared};
use crate::sleep::Waits;

/// How many jobs run at most between two looks at the clock.
pub const CLOCK_JOBS: usize = 64;

/// How many jobs a turn runs at most before it looks at the kernel.
///
/// A look at the kernel costs a system call, about as much as thirty jobs that only yield; so a turn
/// goes on with what has become ready until this many have run, or [`TURN_TIME`] is over.
pub const TURN_JOBS: usize = 1024;

/// For how long a turn runs jobs before it looks at the kernel: 50 microseconds, which it may exceed
/// by [`CLOCK_JOBS`] jobs.
pub const TURN_TIME: Duration = Duration::from_micros(50);

/// Gives the driver's half back, also when a panic leaves the loop.
struct Return<'a> {
    shared: &'a BiasedArc<Shared>,
    driver: Option<Box<Driver>>,
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        let driver = self.driver.take().expect("it is given back once");
        if self.shared.is_closed() {
            driver.rest.clear();
        } else {
            self.shared.return_driver(driver);
            if self.shared.is_closed() && !fault("nobody_looks_after_the_return") {
                // Shut down between the look and the return, by a caller that found nothing.
                if let Some(driver) = self.shared.take_driver() {
                    driver.rest.clear();
                }
            }
        }
    }
}

/// Takes the driver's half, to drive the loop on this thread.
#[track_caller]
fn take<'a>(shared: &'a BiasedArc<Shared>, what: &str) -> Return<'a> {
    context::assert_may_block(what);
    assert!(
        here::driven() == 0,
        "`{what}` inside an event loop that this thread already drives: use `.await` instead"
    );
    shared.own(what);
    let Some(driver) = shared.take_driver() else {
        panic!("`{what}` on a loop that has been shut down")
    };
    shared.signal.sleep.end();
    Return {
        shared,
        driver: Some(driver),
    }
}

/// Drives the loop until `future` is ready.
#[track_caller]
pub(crate) fn block_on<F: Future>(lp: &Loop, future: F) -> F::Output {
    let shared = &lp.0;
    let mut back = take(shared, "block_on");
    let mut turn = Turn::start(&mut back);
    shared.signal.set_main();
    let mut cx = Context::from_waker(&shared.main);
    let mut future = pin!(context::within(lp.clone(), future));
    let mut quiet = Quiet::default();
    loop {
        if let Poll::Ready(value) = turn.jobs(future.as_mut(), &mut cx) {
            return value;
        }
        match debug::is_debug() {
            false => turn.kernel(None),
            true => quiet.kernel(lp, &mut turn),
        }
    }
}

/// What a [turn](Loop::run_once) leaves behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "it says when the next turn is due"]
pub struct TurnEnd {
    /// Something is ready: the next turn is due at once.
    pub ready: bool,
    /// When the next timer is due, if nothing is ready; the loop may also say a time a little earlier.
    pub next: Option<Instant>,
}

/// One turn: waits for the kernel, for `timeout` at most and not if anything is ready; runs what is.
#[track_caller]
pub(crate) fn once(lp: &Loop, timeout: Option<Duration>) -> TurnEnd {
    let shared = &lp.0;
    let mut back = take(shared, "run_once");
    let mut turn = Turn::start(&mut back);
    turn.adopt();
    turn.kernel(timeout);
    // A turn has no main future; one of an earlier drive may have been woken late.
    let _ = turn.take_main();
    let mut nothing = pin!(pending::<()>());
    let _ = turn.jobs(nothing.as_mut(), &mut Context::from_waker(Waker::noop()));
    let next = turn.timers();
    let ready = turn.drive.with(|here| here.ready() > 0);
    // From here on, whoever leaves something calls the host.
    shared.signal.sleep.announce(Waits::InHost);
    let next = next.min(shared.far.next());
    if ready || turn.is_left() || next == 0 {
        shared.signal.sleep.end();
        return TurnEnd {
            ready: true,
            next: None,
        };
    }
    TurnEnd {
        ready: false,
        next: (next != u64::MAX).then(|| shared.at(next)).flatten(),
    }
}

/// What asyncio calls a tick: a look at the kernel, which does not wait, and then the jobs that are ready by
/// then, but none that become ready meanwhile.
#[track_caller]
pub(crate) fn tick(lp: &Loop) {
    let mut back = take(&lp.0, "run_forever");
    let mut turn = Turn::start(&mut back);
    turn.adopt();
    turn.kernel(Some(Duration::ZERO));
    turn.adopt();
    turn.drive.with(|here| {
        for _ in 0..here.ready() {
            here.run_one();
        }
    });
}

/// The parts of one turn.
pub(crate) struct Turn<'a> {
    shared: &'a Shared,
    drive: Drive<'a>,
    poll: &'a mut Kernel,
    events: &'a mut mio::Events,
    due: &'a mut Vec<(u64, Waker)>,
    /// The loop was shut down while it was driven, and its tasks were dropped.
    cleared: bool,
}

impl<'a> Turn<'a> {
    fn start(back: &'a mut Return<'_>) -> Self {
        let driver = &mut **back.driver.as_mut().expect("it was just put there");
        Self {
            shared: back.shared,
            drive: Drive::start(back.shared, &mut driver.rest),
            poll: &mut driver.poll,
            events: &mut driver.events,
            due: &mut driver.due,
            cleared: false,
        }
    }

    /// Polls main if it was woken, and runs what is ready.
    #[inline]
    fn jobs<F: Future>(
        &mut self,
        mut future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let (mut ran, mut clock) = (0, CLOCK_JOBS);
        let mut until = None;
        loop {
            if self.shared.is_closed() && !self.cleared {
                self.cleared = true;
                self.drive.with(here::Here::take).clear();
            }
            if self.take_main() {
                ran += 1;
                if let Poll::Ready(value) = future.as_mut().poll(cx) {
                    return Poll::Ready(value);
                }
            }
            self.adopt();
            let batch = self.drive.with(|here| {
                // What becomes ready meanwhile waits for the next batch.
                let batch = here.ready().min(CLOCK_JOBS);
                for _ in 0..batch {
                    here.run_one();
                }
                batch
            });
            ran += batch;
            if batch == 0 || ran >= TURN_JOBS {
                return Poll::Pending;
            }
            if ran >= clock {
                let now = now();
                self.drive
                    .with(|here| here.set_looked(self.shared.since(now)));
                if now >= *until.get_or_insert_with(|| now + TURN_TIME) {
                    return Poll::Pending;
                }
                clock = ran + CLOCK_JOBS;
            }
        }
    }

    /// Whether main was woken since the last call, here or elsewhere.
    #[inline]
    fn take_main(&self) -> bool {
        let here = self.drive.with(here::Here::take_main);
        self.shared.signal.take_main() || here
    }

    /// Takes in what other threads have queued.
    fn adopt(&self) {
        if !self.shared.remote.is_empty() {
            let remote = self.shared.remote.take_all();
            self.drive.with(|here| here.push_all(&remote));
        }
    }

    /// Fires due timers, then looks at the kernel; sleeps there if nothing is ready.
    pub(crate) fn kernel(&mut self, limit: Option<Duration>) {
        let next = self.timers();
        let idle = self.drive.with(|here| here.ready() == 0);
        let timeout = match idle {
            true => self.sleep_time(next, limit),
            false => Some(Duration::ZERO),
        };
        let polled = self.poll.poll(self.events, timeout);
        self.shared.signal.sleep.end();
        match polled {
            Ok(()) => self.shared.registry.dispatch(self.events),
            // A signal handler ran: go on.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("the kernel refuses to wait for events: {error}"),
        }
        if timeout != Some(Duration::ZERO) {
            self.timers();
        }
    }

    /// Fires the timers that are due, in their order; returns when the next one of this thread's wheel
    /// is, `u64::MAX` for never.
    fn timers(&mut self) -> u64 {
        let far = self.shared.far.next();
        let armed = self.drive.with(|here| here.with_wheel(|wheel| wheel.len()));
        if armed == 0 && far == u64::MAX {
            self.drive.with(|here| here.set_looked(0));
            return u64::MAX;
        }
        let age = self.shared.since(now());
        self.drive.with(|here| here.set_looked(age));
        let mut gone = Vec::new();
        let next = self.drive.with(|here| {
            here.with_wheel(|wheel| {
                wheel.expire(age, self.due);
                if far <= age {
                    self.shared.far.look(age, wheel, self.due, &mut gone);
                }
                wheel.next()
            })
        });
        // Wakers are foreign code: not while the wheel is borrowed.
        drop(gone);
        if !self.due.is_empty() {
            wake_all(self.due.drain(..).map(|(_, waker)| waker));
        }
        next.unwrap_or(u64::MAX)
    }

    /// Announces that the loop sleeps, and looks a last time whether it may; see `shared`.
    fn sleep_time(&self, next: u64, limit: Option<Duration>) -> Option<Duration> {
        if limit == Some(Duration::ZERO) {
            return limit;
        }
        self.shared.signal.sleep.announce(Waits::InKernel);
        let next = match fault("the_last_look_forgets_the_timers_of_others") {
            true => next,
            false => next.min(self.shared.far.next()),
        };
        if self.is_left() || next == 0 {
            return Some(Duration::ZERO);
        }
        if next == u64::MAX {
            return limit;
        }
        let wait = next.saturating_sub(self.shared.since(now()));
        // `mio` rounds up to its grain, so that the loop never wakes just before the timer.
        let wait = Duration::from_nanos(wait);
        Some(limit.map_or(wait, |limit| limit.min(wait)))
    }

    /// Whether there is something to run, or a timer that will make some.
    pub(crate) fn has_more(&self) -> bool {
        let here = |here: &here::Here| here.ready() > 0 || here.with_wheel(|wheel| wheel.len() > 0);
        self.drive.with(here) || self.is_left() || self.shared.far.next() != u64::MAX
    }

    /// Whether there is something to do, jobs and timers apart: main was woken, or another thread has left
    /// something since the last look. The loop has announced that it sleeps.
    fn is_left(&self) -> bool {
        !self.shared.remote.is_empty()
            || self.shared.signal.is_main_woken()
            || self.drive.with(here::Here::is_main_woken)
            || self.shared.is_closed() && !self.cleared
    }
}
