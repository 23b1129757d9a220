//! The kernel and the clock of a model.
//!
//! No descriptor is ever ready. Time passes only while the loop waits for less than a minute: then nobody
//! comes meanwhile, and the wait lasts as long as it was to. A longer one lasts until somebody interrupts
//! it; if nobody does, loom finds a deadlock.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use loom::sync::Notify;

/// A wait that is this long lasts until it is interrupted.
const LONG: Duration = Duration::from_secs(60);

/// How much time has passed in this execution, in nanoseconds.
static PASSED: AtomicU64 = AtomicU64::new(0);

/// What time it is.
pub(crate) fn now() -> Instant {
    static BEGIN: OnceLock<Instant> = OnceLock::new();
    let begin = *BEGIN.get_or_init(Instant::now);
    begin + Duration::from_nanos(PASSED.load(Ordering::Relaxed))
}

/// What the loop waits in. Descriptors can be registered with the one of `mio`, which is never asked.
#[derive(Debug)]
pub(crate) struct Kernel {
    mio: mio::Poll,
    interrupted: Arc<Notify>,
}

impl Kernel {
    /// One in which no time has passed.
    pub(crate) fn new() -> io::Result<Self> {
        PASSED.store(0, Ordering::Relaxed);
        Ok(Self {
            mio: mio::Poll::new()?,
            interrupted: Arc::new(Notify::new()),
        })
    }

    pub(crate) fn registry(&self) -> &mio::Registry {
        self.mio.registry()
    }

    pub(crate) fn interrupt(&self) -> Interrupt {
        Interrupt(Arc::clone(&self.interrupted))
    }

    /// Waits.
    pub(crate) fn poll(&mut self, _: &mut mio::Events, limit: Option<Duration>) -> io::Result<()> {
        match limit {
            Some(Duration::ZERO) => {}
            Some(limit) if limit < LONG => {
                let nanos = u64::try_from(limit.as_nanos()).expect("it is short");
                PASSED.fetch_add(nanos, Ordering::Relaxed);
            }
            _ => self.interrupted.wait(),
        }
        Ok(())
    }
}

impl AsRawFd for Kernel {
    fn as_raw_fd(&self) -> RawFd {
        self.mio.as_raw_fd()
    }
}

/// What ends a wait.
#[derive(Debug)]
pub(crate) struct Interrupt(Arc<Notify>);

impl Interrupt {
    /// Ends it, or the next one.
    pub(crate) fn wake(&self) -> io::Result<()> {
        self.0.notify();
        Ok(())
    }
}
