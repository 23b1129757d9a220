//! What a pool is told when it is made.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::{BlockingPool, PoolThread};
use crate::loom::ThreadHandle;

/// How many closures run at once, if nobody says.
const MAX_THREADS: usize = 64;

/// How long a thread waits for the next closure, if nobody says.
const IDLE: Duration = Duration::from_secs(10);

/// Makes a thread that runs what it is given.
pub(super) type Start = dyn Fn(PoolThread) -> io::Result<ThreadHandle> + Send + Sync;

/// The settings of a [`BlockingPool`].
#[derive(Clone)]
#[must_use = "settings do nothing until a pool is built of them"]
pub struct Settings {
    pub(super) max_threads: usize,
    pub(super) idle: Duration,
    pub(super) name: Arc<str>,
    pub(super) stack_size: Option<usize>,
    pub(super) start: Arc<Start>,
}

impl Settings {
    /// At most 64 threads, which end when they were idle for ten seconds.
    pub fn new() -> Self {
        Self {
            max_threads: MAX_THREADS,
            idle: IDLE,
            name: "kumi-blocking".into(),
            stack_size: None,
            start: Arc::new(PoolThread::start),
        }
    }

    /// Sets how many closures run at once; more wait in a queue. 64 by default.
    ///
    /// # Panics
    ///
    /// If `threads` is zero.
    #[track_caller]
    pub fn max_threads(mut self, threads: usize) -> Self {
        assert!(
            threads > 0,
            "a pool of no threads would never run a closure"
        );
        self.max_threads = threads;
        self
    }

    /// Sets how long a thread waits for the next closure before it ends. Ten seconds by default.
    pub fn idle(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// Sets the name of the threads, to which a number is added. `kumi-blocking` by default.
    ///
    /// # Panics
    ///
    /// If the name has a byte that is zero.
    #[track_caller]
    pub fn name(mut self, name: &str) -> Self {
        assert!(
            !name.contains('\0'),
            "the name of a thread has no zero byte"
        );
        self.name = name.into();
        self
    }

    /// Sets the size of the threads' stacks in bytes. By default it is the standard library's choice.
    pub fn stack_size(mut self, bytes: usize) -> Self {
        self.stack_size = Some(bytes);
        self
    }

    /// Sets how a thread is made: to give it a priority, to count it, to refuse it.
    ///
    /// `start` makes a thread that calls [`PoolThread::run`]. It must not wait for what the thread runs.
    /// An error, or a panic, is as if the system gave no thread. It may be called on any thread, several times at once.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::blocking::BlockingPool;
    ///
    /// let pool = BlockingPool::settings().start_threads_with(|thread| {
    ///     thread.builder().spawn(|| {
    ///         // Here the thread can be told its priority.
    ///         thread.run();
    ///     })
    /// });
    /// # drop(pool.build());
    /// ```
    pub fn start_threads_with(
        mut self,
        start: impl Fn(PoolThread) -> io::Result<ThreadHandle> + Send + Sync + 'static,
    ) -> Self {
        self.start = Arc::new(start);
        self
    }

    /// Makes the pool. It starts no thread before there is a job.
    #[must_use]
    pub fn build(self) -> BlockingPool {
        BlockingPool::with(self)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("max_threads", &self.max_threads)
            .field("idle", &self.idle)
            .field("name", &self.name)
            .field("stack_size", &self.stack_size)
            .finish_non_exhaustive()
    }
}
