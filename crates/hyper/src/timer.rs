//! [`HyperTimer`]: the clock of a runtime for the time limits of hyper.
//!
//! Without a timer hyper has no header-read timeout, and HTTP/2 no keep-alive pings.
//! A [`HyperSleep`] ends when it is due or dropped.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use hyper::rt::{Sleep, Timer};
use kumi_core::runtime::Clock;
use pin_project_lite::pin_project;

/// Gives hyper the clock `R`.
///
/// hyper takes the present time from it as well, so in a simulator its limits cost no real time.
/// Moving a deadline (hyper does so at each HTTP/2 ping, for example) moves the timer in place: no
/// allocation, no new timer.
///
/// # Examples
///
/// ```
/// use hyper::rt::Timer;
/// use kumi_core::runtime::{Clock, Runtime};
/// use kumi_hyper::HyperTimer;
/// use std::time::Duration;
///
/// let sim = kumi_sim::Sim::new();
/// let timer = HyperTimer::new(sim.handle());
/// let start = sim.now();
/// sim.block_on(timer.sleep(Duration::from_secs(3600)));
/// assert_eq!(timer.now() - start, Duration::from_secs(3600));
/// ```
///
/// A server that gives a client five seconds for the head of its request:
///
/// ```
/// use hyper::server::conn::http1;
/// use kumi_core::runtime::Runtime;
/// use kumi_hyper::HyperTimer;
/// use std::time::Duration;
///
/// fn server<R: Runtime>(rt: &R) -> http1::Builder {
///     let mut builder = http1::Builder::new();
///     builder.timer(HyperTimer::new(rt.clone()));
///     builder.header_read_timeout(Duration::from_secs(5));
///     builder
/// }
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperTimer<R> {
    clock: R,
}

impl<R> HyperTimer<R> {
    /// Measures time on `clock`: any runtime, or a clock of its own.
    pub fn new(clock: R) -> Self {
        Self { clock }
    }
}

impl<R: Clock<Sleep: Send + Sync>> Timer for HyperTimer<R> {
    /// # Cancel safety
    ///
    /// Nothing is lost when the sleep is dropped; its timer is gone at once.
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(HyperSleep::new(self.clock.sleep(duration)))
    }

    /// # Cancel safety
    ///
    /// Nothing is lost when the sleep is dropped; its timer is gone at once.
    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(HyperSleep::new(self.clock.sleep_until(deadline)))
    }

    fn now(&self) -> Instant {
        self.clock.now()
    }

    fn reset(&self, sleep: &mut Pin<Box<dyn Sleep>>, new_deadline: Instant) {
        match sleep.as_mut().downcast_mut_pin::<HyperSleep<R::Sleep>>() {
            Some(own) => own.reset(new_deadline),
            // Made by a timer of another type.
            None => *sleep = self.sleep_until(new_deadline),
        }
    }
}

pin_project! {
    /// A sleep of a Kumi clock as hyper's [`Sleep`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct HyperSleep<S> {
        #[pin]
        sleep: S,
    }
}

impl<S: kumi_core::runtime::Sleep> HyperSleep<S> {
    /// Wraps `sleep`.
    pub fn new(sleep: S) -> Self {
        Self { sleep }
    }

    /// Returns the time at which it is due.
    pub fn deadline(&self) -> Instant {
        self.sleep.deadline()
    }

    /// Moves the deadline to `at`, in place; it may have been ready already.
    pub fn reset(self: Pin<&mut Self>, at: Instant) {
        self.project().sleep.reset(at);
    }
}

impl<S: Future<Output = ()>> Future for HyperSleep<S> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        self.project().sleep.poll(cx)
    }
}

impl<S: Future<Output = ()> + Send + Sync> Sleep for HyperSleep<S> {}
