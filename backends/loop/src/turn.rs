//! The loop: turn after turn, until the main future is ready.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use kumi_core::context;
use kumi_core::util::wake_all;

use crate::handle::Loop;
use crate::here::{self, Drive};
use crate::shared::{Driver, Shared};

/// How many jobs a turn runs at most before it looks at timers and at the kernel.
///
/// A look at the kernel costs a system call, about as much as thirty jobs that only yield; so a turn
/// goes on with what has become ready until this many have run.
pub const TURN_JOBS: usize = 64;

/// Wakes the main future.
#[derive(Debug)]
struct Main {
    shared: Arc<Shared>,
    woken: AtomicBool,
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // SeqCst: a thread that leaves something for the loop; see `shared`.
        if !self.woken.swap(true, Ordering::SeqCst) {
            self.shared.interrupt_from_elsewhere();
        }
    }
}

impl Main {
    /// Whether main was woken since the last call.
    fn take_woken(&self) -> bool {
        // The look is free; the swap, which is not, orders what the waker did before the poll.
        self.woken.load(Ordering::Relaxed) && self.woken.swap(false, Ordering::SeqCst)
    }
}

/// Gives the driver's half back, also when a panic leaves the loop.
struct Return<'a> {
    shared: &'a Shared,
    driver: Option<Driver>,
}

impl Drop for Return<'_> {
    fn drop(&mut self) {
        let driver = self.driver.take().expect("it is given back once");
        if self.shared.is_closed() {
            driver.tasks.clear();
        } else {
            self.shared.return_driver(driver);
            if self.shared.is_closed() {
                // Shut down between the look and the return, by a caller that found nothing.
                if let Some(driver) = self.shared.take_driver() {
                    driver.tasks.clear();
                }
            }
        }
    }
}

/// Drives the loop until `future` is ready.
pub(crate) fn block_on<F: Future>(lp: &Loop, future: F) -> F::Output {
    context::assert_may_block("block_on");
    let shared = &lp.0;
    assert!(
        here::driven() == 0,
        "`block_on` inside an event loop that this thread already drives: use `.await` instead"
    );
    shared.own("block_on");
    let driver = shared.take_driver();
    let Some(driver) = driver else {
        panic!("`block_on` on a loop that has been shut down")
    };
    let mut back = Return {
        shared,
        driver: Some(driver),
    };
    let driver = back.driver.as_mut().expect("it was just put there");
    let drive = Drive::start(shared.id, &mut driver.tasks);
    let main = Arc::new(Main {
        shared: Arc::clone(shared),
        woken: AtomicBool::new(true),
    });
    let waker = Waker::from(Arc::clone(&main));
    let mut turn = Turn {
        shared,
        main: &main,
        drive: &drive,
        cleared: false,
    };
    let mut future = pin!(context::within(lp.clone(), future));
    loop {
        if let Poll::Ready(value) = turn.jobs(future.as_mut(), &mut Context::from_waker(&waker)) {
            return value;
        }
        turn.kernel(&mut driver.poll, &mut driver.events);
    }
}

/// The parts of one turn.
struct Turn<'a> {
    shared: &'a Shared,
    main: &'a Main,
    drive: &'a Drive<'a>,
    /// The loop was shut down while it was driven, and its tasks were dropped.
    cleared: bool,
}

impl Turn<'_> {
    /// Polls main if it was woken, and runs what is ready.
    fn jobs<F: Future>(
        &mut self,
        mut future: Pin<&mut F>,
        cx: &mut Context<'_>,
    ) -> Poll<F::Output> {
        let mut ran = 0;
        loop {
            if self.shared.is_closed() && !self.cleared {
                self.cleared = true;
                self.drive.with(here::Here::take).clear();
            }
            if self.main.take_woken() {
                ran += 1;
                if let Poll::Ready(value) = future.as_mut().poll(cx) {
                    return Poll::Ready(value);
                }
            }
            let remote = self.shared.remote.take_all();
            let batch = self.drive.with(|here| {
                here.push_all(&remote);
                // What becomes ready meanwhile waits for the next batch.
                let batch = here.ready().min(TURN_JOBS);
                for _ in 0..batch {
                    here.run_one();
                }
                batch
            });
            ran += batch;
            if batch == 0 || ran >= TURN_JOBS {
                return Poll::Pending;
            }
        }
    }

    /// Fires due timers, then looks at the kernel; sleeps there if nothing is ready.
    fn kernel(&mut self, poll: &mut mio::Poll, events: &mut mio::Events) {
        let next = self.timers();
        let idle = self.drive.with(|here| here.ready() == 0);
        let timeout = if idle {
            self.sleep_time(next)
        } else {
            Some(Duration::ZERO)
        };
        let polled = poll.poll(events, timeout);
        self.shared.awake();
        match polled {
            Ok(()) => self.shared.registry.dispatch(events),
            // A signal handler ran: go on.
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => panic!("the kernel refuses to wait for events: {error}"),
        }
        self.timers();
    }

    /// Fires the timers that are due, in their order; returns when the next one is.
    fn timers(&self) -> Option<Instant> {
        loop {
            let mut timers = self
                .shared
                .timers
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            let next = timers.next()?;
            if next > Instant::now() {
                return Some(next);
            }
            let due = timers.take_due(Instant::now());
            drop(timers);
            // Wakers are foreign code: not under the lock.
            wake_all(due);
        }
    }

    /// Announces that the loop sleeps, and looks a last time whether it may; see `shared`.
    fn sleep_time(&self, next: Option<Instant>) -> Option<Duration> {
        self.shared.announce_sleep();
        let left = !self.shared.remote.is_empty()
            || self.main.woken.load(Ordering::SeqCst)
            || self.shared.is_closed() && !self.cleared;
        if left {
            return Some(Duration::ZERO);
        }
        // Another thread may have armed an earlier timer since.
        let timers = self
            .shared
            .timers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let next = timers.next().or(next)?;
        drop(timers);
        // `mio` rounds up to its grain, so that the loop never wakes just before the timer.
        Some(next.saturating_duration_since(Instant::now()))
    }
}
