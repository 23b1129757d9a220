//! The handle of a loop, and what makes one.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use kumi_core::blocking;
use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Io, Job, LocalJob, Owned, Runtime, Source, Spawn, SpawnBlocking,
    SpawnLocal, Task, Tasks,
};
use kumi_core::util::BiasedArc;

use crate::here::{self, Resting};
use crate::io::{INTERRUPT, LoopIo};
use crate::loom::{Kernel, interrupt, now};
use crate::shared::{Driver, Shared};
use crate::timers::LoopSleep;
use crate::turn::{self, TurnEnd};

/// How many events one look at the kernel takes at most.
const EVENTS: usize = 1024;

/// A handle to an event loop.
///
/// See the [crate's docs](crate) for what it does and what ends it.
#[derive(Clone)]
pub struct Loop(pub(crate) BiasedArc<Shared>);

impl Loop {
    /// Makes a loop; dropping the result shuts it down.
    ///
    /// # Errors
    ///
    /// If the system gives no descriptors for it.
    #[allow(
        clippy::new_ret_no_self,
        reason = "the owner dereferences to the handle"
    )]
    pub fn new() -> io::Result<Owned<Self>> {
        Self::builder().build()
    }

    /// Makes a loop with settings.
    pub fn builder() -> Builder {
        Builder {
            blocking: blocking::Settings::new(),
            blocking_wait: Duration::ZERO,
            age: Duration::ZERO,
        }
    }

    /// Drives the loop for one turn, for a host that has a loop of its own.
    ///
    /// Waits for events until `timeout` is over (for ever, if there is none; not at all if anything is
    /// ready), and runs what is ready, for about [`TURN_TIME`](crate::TURN_TIME) at most. Then the host
    /// has the thread again. It comes back at once, if the result says that something is
    /// [ready](TurnEnd::ready); otherwise at the [time](TurnEnd::next) that it says, and whenever the
    /// [callback](Loop::set_wake_callback) is called or the loop's [descriptor](Loop::as_raw_fd) is
    /// readable. The module [`guest`](crate::guest) has the whole picture.
    ///
    /// # Panics
    ///
    /// As [`block_on`](Runtime::block_on): inside a task, inside a driven loop, on a thread that is not
    /// the loop's, and on a loop that has been shut down.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    /// use kumi_core::task::SpawnExt;
    /// use kumi_loop::Loop;
    ///
    /// let lp = Loop::new()?;
    /// let task = lp.spawn(async { 42 });
    /// while !task.is_finished() {
    ///     // Here the host does what it has to do.
    ///     let _ = lp.run_once(Some(Duration::from_millis(5)));
    /// }
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn run_once(&self, timeout: Option<Duration>) -> TurnEnd {
        turn::once(self, timeout)
    }

    /// Sets what is called when something was left for a loop whose host has the thread: a task was
    /// spawned or woken, a timer armed that is due before [`TurnEnd::next`].
    ///
    /// It is called at most once between two turns, on the thread that left something, which may be
    /// any, the host's own too. It has to make the host call [`run_once`](Loop::run_once) soon, and must
    /// not call it itself. It is not called for events of descriptors, which nobody sees before
    /// somebody asks the kernel: see [`as_raw_fd`](Loop::as_raw_fd).
    ///
    /// The loop keeps it until it is replaced or the loop is shut down.
    pub fn set_wake_callback(&self, callback: impl Fn() + Send + Sync + 'static) {
        if !self.0.is_closed() {
            self.0.signal.set_host(Some(Arc::new(callback)));
        }
    }
}

/// A descriptor that is readable when the kernel has events for the loop, or another thread has left
/// something for it: for hosts that wait for descriptors. It is the loop's, and open for as long as a
/// handle to it is there.
impl AsRawFd for Loop {
    fn as_raw_fd(&self) -> RawFd {
        self.0.events_fd()
    }
}

impl fmt::Debug for Loop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Loop")
            .field("id", &self.0.id)
            .field("closed", &self.0.is_closed())
            .finish_non_exhaustive()
    }
}

/// The settings of a loop.
#[derive(Debug, Clone)]
#[must_use = "a builder does nothing until it builds"]
pub struct Builder {
    blocking: blocking::Settings,
    blocking_wait: Duration,
    /// How old the loop believes to be when it is made.
    age: Duration,
}

impl Builder {
    /// Sets how many blocking closures may run at once; more wait in a queue. 64 by default.
    ///
    /// # Panics
    ///
    /// If `threads` is zero.
    #[track_caller]
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        self.blocking = self.blocking.max_threads(threads);
        self
    }

    /// Sets everything about the threads for blocking closures: how many, their name, their stacks, how
    /// long they stay when there is nothing to do.
    pub fn blocking(mut self, settings: blocking::Settings) -> Self {
        self.blocking = settings;
        self
    }

    /// Sets how long the shutdown waits for blocking closures that are running. Zero by default: it does not
    /// wait. (asyncio's `shutdown_default_executor(timeout)`.)
    ///
    /// A run waits for them before, as for all its tasks, within its grace period.
    /// What still runs after `limit` is [reported](kumi_core::report::Report::ThreadNotEnded) by name and
    /// goes on. A shutdown while the loop is driven does not wait.
    pub fn blocking_shutdown(mut self, limit: Duration) -> Self {
        self.blocking_wait = limit;
        self
    }

    /// Makes a loop whose timers believe that it was made so long ago.
    ///
    /// For tests of what happens to a program that runs for years: nothing, it is to be hoped. Ages that
    /// the system's clock cannot represent count as zero.
    pub fn age(mut self, age: Duration) -> Self {
        self.age = age;
        self
    }

    /// Makes the loop; dropping the result shuts it down.
    ///
    /// # Errors
    ///
    /// If the system gives no descriptors for it.
    pub fn build(self) -> io::Result<Owned<Loop>> {
        let poll = Kernel::new()?;
        let interrupt = interrupt(&poll, INTERRUPT)?;
        let events = mio::Events::with_capacity(EVENTS);
        let driver = Driver {
            poll,
            events,
            rest: Resting::new(),
            due: Vec::new(),
        };
        let now = now();
        let born = now.checked_sub(self.age).unwrap_or(now);
        let shared = Shared::new(
            driver,
            interrupt,
            self.blocking.build(),
            self.blocking_wait,
            born,
        )?;
        Ok(Owned::new(Loop(BiasedArc::new(shared))))
    }
}

impl Spawn for Loop {
    #[inline]
    fn spawn_job(&self, job: Job) {
        self.0.schedule(job);
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self).with_local(self).with_io(self))
    }

    #[inline]
    fn is_host(&self) -> bool {
        false
    }
}

impl SpawnLocal for Loop {
    fn spawn_local_job(&self, job: LocalJob) {
        self.0.own("spawn_local");
        self.0.schedule(job.into_job());
    }
}

impl SpawnBlocking for Loop {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        self.0.pool.spawn(self, job);
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        Some(&self.0.blocking)
    }
}

impl Clock for Loop {
    type Sleep = LoopSleep;

    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, at: Instant) -> LoopSleep {
        LoopSleep::new(self.0.clone(), at)
    }

    fn sleep_from(&self, now: Instant, at: Instant) -> LoopSleep {
        LoopSleep::from(self.0.clone(), now, at)
    }
}

impl Io for Loop {
    type Registered<F: Source> = LoopIo<F>;

    fn register<F: Source>(&self, source: F) -> io::Result<LoopIo<F>> {
        LoopIo::new(self.0.clone(), source)
    }
}

impl Runtime for Loop {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        turn::block_on(self, future)
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        here::for_each(self.0.id, visit);
        self.0.blocking.for_each(visit);
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        let blocking = self.0.blocking.poll_idle(cx);
        let tasks = here::poll_idle(self.0.id, cx);
        if blocking.is_pending() || tasks.is_pending() {
            return Poll::Pending;
        }
        if !self.0.remote.is_empty() {
            // Somebody is on the way, and nobody watches: look again when it has been taken in.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(())
    }

    fn shutdown(&self) {
        if !self.0.close() {
            return;
        }
        match self.0.take_driver() {
            // Nobody drives it, so nobody else touches its tasks.
            Some(driver) => {
                driver.rest.clear();
                self.0.wait_for_closures();
            }
            // The driving thread finds out in this turn or, woken, in the next.
            None => self.0.signal.interrupt(),
        }
    }
}
