//! Very many timers: armed, moved, dropped; the rest fires in the order in which it is due.
//!
//! Each sleep is polled once, with a waker of its own that writes its number down. So the order is that in
//! which the runtime wakes, and no scheduler comes in between.
//!
//! What must stay true: a timer fires once, and not before it is due; of two timers the one that is due
//! earlier fires first, tokio's within its grain of a millisecond; a sleep that is dropped gives its timer
//! back at once, and not when it would have been due.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use kumi::backend::{Backend, BackendKind, BackendSleep};
use kumi::core::runtime::Sleep;

use crate::gauge::{Bytes, Gauge};
use crate::report::Checks;

/// So far in the future that nothing fires.
const FAR: Duration = Duration::from_secs(24 * 3600);

/// How many sleeps are polled in one poll of the task: runtimes have a budget for each, and with none left
/// a sleep is not armed.
const BATCH: usize = 64;

type Sleeps = Vec<Option<Pin<Box<BackendSleep>>>>;

/// Who fired, in which order, and when.
type Log = Arc<Mutex<Vec<(u32, Instant)>>>;

/// The waker of one sleep.
struct Mark {
    number: u32,
    log: Log,
}

impl Wake for Mark {
    fn wake(self: Arc<Self>) {
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push((self.number, Instant::now()));
    }
}

/// Runs the part.
pub fn run(kind: BackendKind, count: usize, checks: &mut Checks) {
    crate::run(kind, Box::pin(part(count, checks)));
}

async fn part(count: usize, checks: &mut Checks) {
    for say in [false, true] {
        let start = Gauge::now();
        let round = Round::new(count);
        let work = round.dropped(say, checks).await;
        // It takes less to arm them once more, to move and to drop them.
        let lead = work * 2 + Duration::from_millis(200);
        round.fired(lead, say, checks).await;
        drop(round);
        if say {
            start.check("timers", checks).await;
        }
    }
}

struct Round {
    count: usize,
    log: Log,
    wakers: Vec<Waker>,
}

impl Round {
    fn new(count: usize) -> Self {
        let log = Log::default();
        let waker = |number| {
            let log = Arc::clone(&log);
            Waker::from(Arc::new(Mark { number, log }))
        };
        let count32 = u32::try_from(count).expect("fewer than 2^32 timers");
        let wakers = (0..count32).map(waker).collect();
        Self { count, log, wakers }
    }

    /// Over how long the timers that fire are spread: a second for a million.
    fn spread(&self) -> Duration {
        Duration::from_micros(self.count as u64).max(Duration::from_millis(50))
    }

    /// Where in that time a timer is: anywhere, and the same each time.
    fn place(&self, number: usize) -> Duration {
        // Multiplied by a large odd number, the upper bits look random.
        let mixed = (number as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        let nanos = u64::try_from(self.spread().as_nanos()).expect("it is short");
        Duration::from_nanos((mixed * nanos) >> 32)
    }

    /// Makes a sleep, and arms it; none if it is due already.
    async fn armed(&self, number: usize, at: Instant) -> Option<Pin<Box<BackendSleep>>> {
        if number % BATCH == 0 {
            kumi::yield_now().await;
        }
        let mut sleep = Box::pin(kumi::sleep_until(at));
        let mut cx = Context::from_waker(&self.wakers[number]);
        sleep.as_mut().poll(&mut cx).is_pending().then_some(sleep)
    }

    /// Timers that never fire: whoever drops one has its memory back. Returns how long that took.
    async fn dropped(&self, say: bool, checks: &mut Checks) -> Duration {
        let began = Instant::now();
        let before = Gauge::now().bytes;
        let at = kumi::now() + FAR;
        let mut sleeps: Sleeps = Vec::with_capacity(self.count);
        for number in 0..self.count {
            sleeps.push(self.armed(number, at + self.place(number)).await);
        }
        let full = Gauge::now().bytes;
        let armed = began.elapsed();
        for round in 1..=4 {
            for number in (0..self.count).filter(|number| number % 4 == round % 4) {
                sleeps[number] = None;
            }
            // Runtimes that have timers of other threads take them back when they look.
            kumi::sleep(Duration::from_millis(2)).await;
            for number in (0..self.count).filter(|number| number % 4 == round % 4) {
                sleeps[number] = self.armed(number, at + self.place(number * round)).await;
            }
        }
        let again = Gauge::now().bytes;
        let took = began.elapsed();
        if say {
            checks.time("arm", self.count, armed);
            let each = (full - before) / self.count;
            checks.line(&format!(
                "bytes of a timer: {each} B, its sleep of {} B among them",
                size_of::<BackendSleep>()
            ));
            checks.time("drop, arm again", self.count, took - armed);
            // A quarter was never dropped, and the tables of a wheel may be grown by one of them.
            checks.that(again <= full + full / 50, || {
                format!(
                    "{} with as many timers as at first, which took {}: those that were dropped are kept",
                    Bytes(again),
                    Bytes(full)
                )
            });
        }
        drop(sleeps);
        took
    }

    /// Timers that fire: in their order.
    async fn fired(&self, lead: Duration, say: bool, checks: &mut Checks) {
        let base = kumi::now() + lead;
        let mut dues: Vec<Option<Instant>> = Vec::with_capacity(self.count);
        let mut sleeps: Sleeps = Vec::with_capacity(self.count);
        for number in 0..self.count {
            let at = base + self.place(number);
            dues.push(Some(at));
            sleeps.push(self.armed(number, at).await);
        }
        let late = sleeps.iter().filter(|sleep| sleep.is_none()).count();
        // Every second one is moved, half of these to an earlier time; every third pair is dropped.
        let began = Instant::now();
        for number in (0..self.count).step_by(2) {
            let at = base + self.place(number * 7 + 3);
            dues[number] = Some(at);
            if let Some(sleep) = &mut sleeps[number] {
                sleep.as_mut().reset(at);
            }
        }
        let moved = began.elapsed();
        let began = Instant::now();
        for number in (0..self.count).filter(|number| number / 2 % 2 == 1) {
            dues[number] = None;
            sleeps[number] = None;
        }
        let dropped = began.elapsed();
        let in_time = Instant::now() < base;
        let left = dues.iter().flatten().count();
        if say {
            checks.time("move", self.count / 2, moved);
            checks.time("drop", self.count - left, dropped);
        }
        checks.that(late == 0 && in_time, || {
            "this machine is too slow to arm the timers before they are due".into()
        });
        kumi::sleep_until(base + self.spread()).await;
        let limit = Instant::now() + Duration::from_secs(30);
        while self.fired_now() < left && Instant::now() < limit {
            kumi::sleep(Duration::from_millis(10)).await;
        }
        // One that fires twice, or after it was dropped, would do so now.
        kumi::sleep(Duration::from_millis(20)).await;
        let log = std::mem::take(&mut *self.log.lock().unwrap_or_else(PoisonError::into_inner));
        let latest = judge(&log, &dues, left, checks);
        if say {
            checks.line(&format!(
                "latest timer: {:.1} ms late",
                latest.as_secs_f64() * 1e3
            ));
        }
        let mut ready = 0;
        for (number, sleep) in sleeps.iter_mut().enumerate() {
            if number % BATCH == 0 {
                kumi::yield_now().await;
            }
            if let Some(sleep) = sleep {
                let polled = poll_fn(|cx| Poll::Ready(sleep.as_mut().poll(cx))).await;
                ready += usize::from(polled.is_ready());
            }
        }
        checks.equal("sleeps that are ready", ready, left);
    }

    fn fired_now(&self) -> usize {
        self.log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }
}

/// Looks whether each has fired once, when it was due, and in which order; returns by how much the latest
/// was late.
fn judge(
    log: &[(u32, Instant)],
    dues: &[Option<Instant>],
    left: usize,
    checks: &mut Checks,
) -> Duration {
    checks.equal("timers that fired", log.len(), left);
    let due = |number: u32| dues[number as usize];
    let mut seen = vec![false; dues.len()];
    let mut wrong = 0;
    let (mut early, mut latest) = (0, Duration::ZERO);
    for (number, at) in log {
        let twice = std::mem::replace(&mut seen[*number as usize], true);
        match due(*number) {
            Some(due) if !twice => {
                early += usize::from(*at < due);
                latest = latest.max(at.saturating_duration_since(due));
            }
            _ => wrong += 1,
        }
    }
    checks.equal(
        "timers that fired twice, or after they were dropped",
        wrong,
        0,
    );
    checks.equal("timers that fired too early", early, 0);
    let grain = match Backend::current().kind() {
        Some(BackendKind::Tokio) => Duration::from_millis(1),
        _ => Duration::ZERO,
    };
    let out_of_order = |pair: &[(u32, Instant)]| match (due(pair[0].0), due(pair[1].0)) {
        (Some(one), Some(two)) => one > two + grain,
        _ => false,
    };
    let wrong = log.windows(2).filter(|pair| out_of_order(pair)).count();
    checks.equal("pairs of timers in the wrong order", wrong, 0);
    latest
}
