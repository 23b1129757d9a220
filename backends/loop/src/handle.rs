//! The handle of a loop, and what makes one.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Io, Job, LocalJob, Owned, Runtime, Source, Spawn, SpawnBlocking,
    SpawnLocal, Task, Tasks,
};

use crate::here::{self, Resting};
use crate::io::{INTERRUPT, LoopIo};
use crate::shared::{Driver, Shared};
use crate::timers::LoopSleep;
use crate::turn;

/// How many blocking closures run at once, if the builder does not say.
const MAX_THREADS: usize = 64;

/// How many events one look at the kernel takes at most.
const EVENTS: usize = 1024;

/// A handle to an event loop.
///
/// See the [crate's docs](crate) for what it does and what ends it.
#[derive(Clone)]
pub struct Loop(pub(crate) Arc<Shared>);

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
            max_threads: MAX_THREADS,
        }
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
    max_threads: usize,
}

impl Builder {
    /// Sets how many blocking closures may run at once; more wait in a queue. 64 by default.
    ///
    /// # Panics
    ///
    /// If `threads` is zero.
    pub fn max_blocking_threads(mut self, threads: usize) -> Self {
        assert!(
            threads > 0,
            "a pool of no threads would never run a closure"
        );
        self.max_threads = threads;
        self
    }

    /// Makes the loop; dropping the result shuts it down.
    ///
    /// # Errors
    ///
    /// If the system gives no descriptors for it.
    pub fn build(self) -> io::Result<Owned<Loop>> {
        let poll = mio::Poll::new()?;
        let interrupt = mio::Waker::new(poll.registry(), INTERRUPT)?;
        let events = mio::Events::with_capacity(EVENTS);
        let driver = Driver {
            poll,
            events,
            tasks: Resting::default(),
        };
        let shared = Shared::new(driver, interrupt, self.max_threads)?;
        Ok(Owned::new(Loop(Arc::new(shared))))
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
}

impl SpawnLocal for Loop {
    fn spawn_local_job(&self, job: LocalJob) {
        self.0.own("spawn_local");
        self.0.schedule(job.into_job());
    }
}

impl SpawnBlocking for Loop {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        self.0.pool.run(move || job.run());
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        Some(&self.0.blocking)
    }
}

impl Clock for Loop {
    type Sleep = LoopSleep;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> LoopSleep {
        LoopSleep::new(Arc::clone(&self.0), at)
    }
}

impl Io for Loop {
    type Registered<F: Source> = LoopIo<F>;

    fn register<F: Source>(&self, source: F) -> io::Result<LoopIo<F>> {
        LoopIo::new(Arc::clone(&self.0), source)
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
        if blocking.is_ready() && tasks.is_ready() && self.0.remote.is_empty() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }

    fn shutdown(&self) {
        if !self.0.close() {
            return;
        }
        match self.0.take_driver() {
            // Nobody drives it, so nobody else touches its tasks.
            Some(driver) => driver.tasks.clear(),
            // The driving thread finds out in this turn or, woken, in the next.
            None => self.0.interrupt(),
        }
    }
}
