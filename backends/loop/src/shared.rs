//! What every thread may touch: the remote queue, the timers, the registrations, and the way to
//! interrupt the loop's sleep.
//!
//! What is left for the loop, and is looked at once more before it sleeps (see `sleep`): the remote
//! queue, the flag of the main future, the earliest timer, and the end.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};
use std::thread::{self, ThreadId};

use kumi_core::runtime::{Job, SharedJobQueue, Tasks};

use crate::here::{self, Resting};
use crate::io::Registry;
use crate::pool::Pool;
use crate::sleep::Sleep;
use crate::timers::Timers;

/// The thread-safe half of a loop.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The number of the loop, unique in the process, never zero.
    pub(crate) id: u64,
    pub(crate) remote: SharedJobQueue,
    pub(crate) timers: Mutex<Timers>,
    pub(crate) registry: Registry,
    pub(crate) pool: Pool,
    /// The blocking closures that have not ended.
    pub(crate) blocking: Tasks,
    closed: AtomicBool,
    sleep: Sleep,
    interrupt: mio::Waker,
    owner: OnceLock<ThreadId>,
    /// The driver's half while nobody drives the loop.
    resting: Mutex<Option<Driver>>,
}

/// What only the driving thread needs.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) poll: mio::Poll,
    pub(crate) events: mio::Events,
    pub(crate) tasks: Resting,
}

impl Shared {
    pub(crate) fn new(
        driver: Driver,
        interrupt: mio::Waker,
        max_threads: usize,
    ) -> std::io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Ok(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            remote: SharedJobQueue::new(),
            timers: Mutex::default(),
            registry: Registry::new(driver.poll.registry().try_clone()?),
            pool: Pool::new(max_threads),
            blocking: Tasks::new(),
            closed: AtomicBool::new(false),
            sleep: Sleep::new(),
            interrupt,
            owner: OnceLock::new(),
            resting: Mutex::new(Some(driver)),
        })
    }

    /// Makes this thread the loop's, if it has none yet; panics if it has another.
    #[track_caller]
    pub(crate) fn own(&self, what: &str) {
        let here = thread::current().id();
        let owner = *self.owner.get_or_init(|| here);
        assert!(
            owner == here,
            "`{what}` on a loop that belongs to another thread: a loop stays on the thread that first \
             drove it. Spawn onto it from here instead, or make a loop of this thread's own"
        );
    }

    /// Takes the driver's half.
    pub(crate) fn take_driver(&self) -> Option<Driver> {
        self.resting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    /// Gives the driver's half back.
    pub(crate) fn return_driver(&self, driver: Driver) {
        *self.resting.lock().unwrap_or_else(PoisonError::into_inner) = Some(driver);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    /// Queues a job, from any thread.
    #[inline]
    pub(crate) fn schedule(&self, job: Job) {
        if self.closed.load(Ordering::Relaxed) {
            return drop(job);
        }
        if let Some(job) = here::push(self.id, job) {
            self.schedule_remote(job);
        }
    }

    #[cold]
    fn schedule_remote(&self, job: Job) {
        match self.remote.push(job) {
            Ok(true) => self.interrupt(),
            Ok(false) => {}
            Err(job) => drop(job),
        }
    }

    /// Ends the loop's sleep, if it sleeps; called after something was left for it.
    pub(crate) fn interrupt(&self) {
        if self.sleep.take() {
            // The only errors are those of a broken descriptor; the loop then wakes at its next
            // timer, and there is nobody to tell.
            let _ = self.interrupt.wake();
        }
    }

    /// Like [`interrupt`](Self::interrupt), but free on the loop's own thread, which is awake.
    pub(crate) fn interrupt_from_elsewhere(&self) {
        if !here::drives(self.id) {
            self.interrupt();
        }
    }

    /// Step 1 of the loop's side.
    pub(crate) fn announce_sleep(&self) {
        self.sleep.announce();
    }

    /// Step 4 of the loop's side.
    pub(crate) fn awake(&self) {
        self.sleep.end();
    }

    /// Closes the loop; true for the first caller.
    pub(crate) fn close(&self) -> bool {
        if self.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        drop(self.remote.close());
        self.pool.close();
        self.registry.close();
        true
    }
}
