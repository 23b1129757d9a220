//! Measures parts of a run: their time, what they allocate, how often they are entered.

use std::hint::black_box;
use std::time::{Duration, Instant};

use kumi_report::data::Clock;
use nix::time::{ClockId, clock_gettime};

/// Calls the closure and says what it allocated on this thread.
pub type Counter = fn(&mut dyn FnMut()) -> Allocated;

/// What was allocated.
#[derive(Clone, Copy, Debug, Default)]
pub struct Allocated {
    /// How many allocations.
    pub count: u64,
    /// The most bytes at a time.
    pub bytes: u64,
}

/// Adds up what those parts of a run take that are measured.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    started: Option<Duration>,
    pub(crate) total: Duration,
    epoch: Instant,
    counter: Option<Counter>,
    pub(crate) allocated: Allocated,
    /// How often [`measured`] was entered.
    pub(crate) entered: usize,
}

impl Watch {
    pub(crate) fn new(clock: Clock) -> Self {
        Self {
            clock,
            started: None,
            total: Duration::ZERO,
            epoch: Instant::now(),
            counter: None,
            allocated: Allocated::default(),
            entered: 0,
        }
    }

    /// Also counts what is allocated.
    pub(crate) fn counting(counter: Option<Counter>) -> Self {
        Self {
            counter,
            ..Self::new(Clock::Wall)
        }
    }

    fn now(&self) -> Duration {
        match self.clock {
            Clock::Wall => self.epoch.elapsed(),
            Clock::Thread => {
                let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
                time.expect("each thread has this clock").into()
            }
        }
    }

    /// Begins a part that ends with [`stop`](Watch::stop), where it cannot be a closure: allocations and
    /// instructions are not counted there.
    pub(crate) fn start(&mut self) {
        self.started = Some(self.now());
    }

    pub(crate) fn stop(&mut self) {
        let started = self.started.take().expect("it was started");
        self.total += self.now() - started;
    }

    /// Measures a part.
    pub(crate) fn time(&mut self, part: impl FnOnce()) {
        let mut part = Some(part);
        let mut part = || part.take().expect("it is called once")();
        self.entered += 1;
        if let Some(count) = self.counter {
            let allocated = count(&mut part);
            self.allocated.count += allocated.count;
            self.allocated.bytes = self.allocated.bytes.max(allocated.bytes);
            return;
        }
        self.start();
        measured(&mut part);
        self.stop();
    }

    /// Adds what was measured elsewhere: for each time the one in the middle, since some contain a slice of
    /// time that the scheduler gave to others.
    pub(crate) fn add_typical(&mut self, mut times: Vec<Duration>) {
        times.sort();
        let middle = times.get(times.len() / 2);
        self.total += middle.copied().unwrap_or_default() * times.len() as u32;
    }
}

/// Whoever counts instructions counts those of this function and of what it calls, so it must stay one.
#[inline(never)]
fn measured(part: &mut dyn FnMut()) {
    part();
    // Without this the call would be a jump, and this function over before the part begins.
    black_box(());
}
