//! What every thread may touch: the remote queue, the timers, the registrations, and the way to
//! interrupt the loop's sleep.
//!
//! What is left for the loop, and is looked at once more before it sleeps (see `sleep`): the remote
//! queue, the flag of the main future, the timers of all threads, and the end.

use std::fmt;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, OnceLock, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::{Duration, Instant};

use kumi_core::blocking::BlockingPool;
use kumi_core::runtime::{Job, SharedJobQueue, Tasks};
use kumi_core::util::{BiasedArc, BiasedWake};

use crate::here::{self, Resting};
use crate::io::Registry;
use crate::loom::{AtomicBool, Interrupt, Kernel, Mutex, MutexGuard, Ordering};
use crate::sleep::{Sleep, Waits};
use crate::timers::{Far, Wheel};

/// The callback of a host.
type Host = Arc<dyn Fn() + Send + Sync>;

/// What may interrupt the loop, and be kept for longer than it lives: the waker of the main future.
pub(crate) struct Signal {
    /// The number of the loop.
    id: u64,
    pub(crate) sleep: Sleep,
    /// The main future was woken, by another thread than the one that drives the loop.
    main: AtomicBool,
    interrupt: Interrupt,
    host: Mutex<Option<Host>>,
}

impl Signal {
    /// Ends the loop's sleep, if it sleeps; called after something was left for it.
    pub(crate) fn interrupt(&self) {
        let Some(waits) = self.sleep.take() else {
            return;
        };
        // The only errors are those of a broken descriptor; the loop then wakes at its next timer,
        // and there is nobody to tell.
        let _ = self.interrupt.wake();
        if waits == Waits::InHost {
            let host = lock(&self.host).clone();
            if let Some(host) = host {
                host();
            }
        }
    }

    /// Lets the main future be polled without having been woken.
    pub(crate) fn set_main(&self) {
        self.main.store(true, Ordering::Relaxed);
    }

    /// Whether main was woken from elsewhere since the last call.
    pub(crate) fn take_main(&self) -> bool {
        // The look is free; the swap, which is not, orders what the waker did before the poll.
        self.main.load(Ordering::Relaxed) && self.main.swap(false, Ordering::SeqCst)
    }

    /// Step 2 of the loop's side: whether main was woken from elsewhere.
    pub(crate) fn is_main_woken(&self) -> bool {
        self.main.load(Ordering::SeqCst)
    }

    /// Sets what is called when something was left for a loop that its host waits for.
    pub(crate) fn set_host(&self, host: Option<Host>) {
        // The old one is foreign code, and is dropped outside.
        let old = std::mem::replace(&mut *lock(&self.host), host);
        drop(old);
    }
}

/// The waker of the main future.
impl BiasedWake for Signal {
    fn wake(&self) {
        // Here it is no news for another thread, and the loop is awake.
        if here::wake_main(self.id) {
            return;
        }
        // SeqCst: a thread that leaves something for the loop; see the module's docs.
        if !self.main.swap(true, Ordering::SeqCst) {
            self.interrupt();
        }
    }
}

impl fmt::Debug for Signal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signal")
            .field("id", &self.id)
            .field("sleep", &self.sleep)
            .field("main", &self.main)
            .finish_non_exhaustive()
    }
}

/// The thread-safe half of a loop.
#[derive(Debug)]
pub(crate) struct Shared {
    /// The number of the loop, unique in the process, never zero.
    pub(crate) id: u64,
    pub(crate) remote: SharedJobQueue,
    pub(crate) far: Far,
    pub(crate) registry: Registry,
    pub(crate) pool: BlockingPool,
    /// How long the shutdown waits for blocking closures that run.
    blocking_wait: Duration,
    /// The blocking closures that have not ended.
    pub(crate) blocking: Tasks,
    pub(crate) signal: BiasedArc<Signal>,
    /// The waker of the main future.
    pub(crate) main: Waker,
    /// When the loop was made; its timers count from here.
    born: Instant,
    closed: AtomicBool,
    /// The next end of a batch is to be the end of the run; see `asyncio`.
    pub(crate) stop: AtomicBool,
    owner: OnceLock<ThreadId>,
    /// The descriptor that the kernel's events come from.
    events_fd: RawFd,
    /// The driver's half while nobody drives the loop.
    resting: Mutex<Option<Box<Driver>>>,
}

/// What only the driving thread needs.
#[derive(Debug)]
pub(crate) struct Driver {
    pub(crate) poll: Kernel,
    pub(crate) events: mio::Events,
    pub(crate) rest: Resting,
    /// The wakers of timers that have fired, and are woken in a moment; empty between.
    pub(crate) due: Vec<(u64, Waker)>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    pub(crate) fn new(
        driver: Driver,
        interrupt: Interrupt,
        pool: BlockingPool,
        blocking_wait: Duration,
        born: Instant,
    ) -> std::io::Result<Self> {
        static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
        let id = NEXT.fetch_add(1, Ordering::Relaxed);
        let signal = BiasedArc::new(Signal {
            id,
            sleep: Sleep::new(),
            main: AtomicBool::new(false),
            interrupt,
            host: Mutex::new(None),
        });
        Ok(Self {
            id,
            remote: SharedJobQueue::new(),
            far: Far::new(),
            registry: Registry::new(driver.poll.registry().try_clone()?),
            pool,
            blocking_wait,
            blocking: Tasks::new(),
            main: signal.clone().into_waker(),
            signal,
            born,
            closed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            owner: OnceLock::new(),
            events_fd: driver.poll.as_raw_fd(),
            resting: Mutex::new(Some(Box::new(driver))),
        })
    }

    /// The nanoseconds from the birth of the loop until `at`: none if it is earlier, and 584 years if
    /// it is later than that.
    #[inline]
    pub(crate) fn since(&self, at: Instant) -> u64 {
        let age = at.saturating_duration_since(self.born);
        let whole = age.as_secs().checked_mul(1_000_000_000);
        let nanos = whole.and_then(|whole| whole.checked_add(age.subsec_nanos().into()));
        nanos.unwrap_or(u64::MAX)
    }

    /// The time at which the loop is so old, if it can be reckoned with.
    pub(crate) fn at(&self, age: u64) -> Option<Instant> {
        self.born.checked_add(Duration::from_nanos(age))
    }

    /// The descriptor that the kernel's events come from.
    pub(crate) fn events_fd(&self) -> RawFd {
        self.events_fd
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
    pub(crate) fn take_driver(&self) -> Option<Box<Driver>> {
        lock(&self.resting).take()
    }

    /// Gives the driver's half back.
    pub(crate) fn return_driver(&self, driver: Box<Driver>) {
        *lock(&self.resting) = Some(driver);
    }

    /// Lends the timers of the driving thread to `f`, if nobody drives the loop.
    pub(crate) fn with_resting<T>(&self, f: impl FnOnce(&mut Wheel) -> T) -> Option<T> {
        let mut resting = lock(&self.resting);
        let driver = resting.as_mut()?;
        Some(f(&mut driver.rest.wheel))
    }

    /// Whether a thread drives the loop.
    pub(crate) fn is_driven(&self) -> bool {
        here::drives(self.id) || !self.is_closed() && lock(&self.resting).is_none()
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
            Ok(true) => self.signal.interrupt(),
            Ok(false) => {}
            Err(job) => drop(job),
        }
    }

    /// Ends the loop's sleep, if it sleeps and this is not its own thread, where it is awake; called
    /// after something was left for it.
    pub(crate) fn interrupt_from_elsewhere(&self) {
        if !here::drives(self.id) {
            self.signal.interrupt();
        }
    }

    /// What the shutdown does at its end, if the builder said so; called on a thread that may block.
    pub(crate) fn wait_for_closures(&self) {
        if !self.blocking_wait.is_zero() {
            self.pool.close_within(self.blocking_wait);
        }
    }

    /// Closes the loop; true for the first caller.
    pub(crate) fn close(&self) -> bool {
        if self.closed.swap(true, Ordering::AcqRel) {
            return false;
        }
        drop(self.remote.close());
        self.pool.close();
        self.registry.close();
        self.signal.set_host(None);
        true
    }
}
