//! The handle of a tokio runtime.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use kumi_core::context;
use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, LocalJob, Owned, Runtime, Spawn, SpawnBlocking, SpawnLocal,
    Tasks,
};
#[cfg(unix)]
use kumi_core::runtime::{Io, Source};
use tokio::runtime::{Builder, Handle};

#[cfg(unix)]
use crate::io::TokioIo;
use crate::local;
use crate::sleep::TokioSleep;

/// How long a shutdown waits for worker threads to drop the tasks that they are polling.
const WORKERS_END: Duration = Duration::from_secs(1);

/// A handle to a tokio runtime.
///
/// See the [crate's docs](crate) for what it does and what ends it.
#[derive(Clone)]
pub struct Tokio(Arc<Inner>);

struct Inner {
    id: u64,
    handle: Handle,
    /// The runtime itself, if it was made here and has not been shut down.
    own: Mutex<Option<Arc<tokio::runtime::Runtime>>>,
    tasks: Tasks,
    blocking: Tasks,
    closed: AtomicBool,
}

impl Tokio {
    /// Makes a runtime whose tasks run on the thread that is inside `block_on`.
    ///
    /// # Errors
    ///
    /// What tokio says: the system gives no descriptors.
    pub fn current_thread() -> io::Result<Owned<Self>> {
        Ok(Self::from_runtime(
            Builder::new_current_thread().enable_all().build()?,
        ))
    }

    /// Makes a runtime with `workers` threads for tasks.
    ///
    /// # Errors
    ///
    /// What tokio says: the system gives no threads or descriptors.
    ///
    /// # Panics
    ///
    /// If `workers` is zero.
    pub fn workers(workers: usize) -> io::Result<Owned<Self>> {
        assert!(
            workers > 0,
            "no workers would never run a task: use `Tokio::current_thread()`"
        );
        let runtime = Builder::new_multi_thread()
            .worker_threads(workers)
            .enable_all()
            .build()?;
        Ok(Self::from_runtime(runtime))
    }

    /// Takes over a runtime that was built by hand; it needs tokio's time and I/O drivers enabled.
    pub fn from_runtime(runtime: tokio::runtime::Runtime) -> Owned<Self> {
        let handle = runtime.handle().clone();
        Owned::new(Self::new(handle, Some(Arc::new(runtime))))
    }

    /// Uses a runtime that somebody else owns.
    #[must_use]
    pub fn attach(handle: Handle) -> Self {
        Self::new(handle, None)
    }

    /// Uses the runtime that this thread is in, if it is in one.
    #[must_use]
    pub fn current() -> Option<Self> {
        thread_local! {
            /// The last answer: a thread is nearly always in the same runtime.
            static LAST: RefCell<Option<Tokio>> = const { RefCell::new(None) };
        }
        let handle = Handle::try_current().ok()?;
        let known = |last: &RefCell<Option<Self>>| {
            let last = last.borrow();
            last.as_ref()
                .filter(|last| last.0.handle.id() == handle.id())
                .cloned()
        };
        if let Ok(Some(last)) = LAST.try_with(known) {
            return Some(last);
        }
        let fresh = Self::attach(handle);
        let old = LAST.try_with(|last| last.replace(Some(fresh.clone())));
        drop(old);
        Some(fresh)
    }

    /// Returns tokio's own handle.
    #[must_use]
    pub fn handle(&self) -> &Handle {
        &self.0.handle
    }

    fn new(handle: Handle, own: Option<Arc<tokio::runtime::Runtime>>) -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Self(Arc::new(Inner {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            handle,
            own: Mutex::new(own),
            tasks: Tasks::new(),
            blocking: Tasks::new(),
            closed: AtomicBool::new(false),
        }))
    }

    fn is_closed(&self) -> bool {
        self.0.closed.load(Ordering::SeqCst)
    }

    fn take_own(&self) -> Option<Arc<tokio::runtime::Runtime>> {
        self.0
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }

    fn own(&self) -> Option<Arc<tokio::runtime::Runtime>> {
        self.0
            .own
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl fmt::Debug for Tokio {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tokio").field(&self.0.handle).finish()
    }
}

impl Spawn for Tokio {
    fn spawn_job(&self, job: Job) {
        if self.is_closed() {
            return drop(job);
        }
        // Dropping tokio's handle detaches tokio's task; Kumi's own handle is in charge.
        drop(self.0.handle.spawn(job));
        // A shutdown between the look and the spawn may have missed it.
        if self.is_closed() {
            self.0.tasks.abort_all();
        }
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        let ambient = Ambient::new(self).with_local(self);
        #[cfg(unix)]
        let ambient = ambient.with_io(self);
        Some(ambient)
    }

    fn tasks(&self) -> Option<&Tasks> {
        Some(&self.0.tasks)
    }
}

impl SpawnLocal for Tokio {
    /// # Panics
    ///
    /// If this thread has never been inside `block_on` of this runtime.
    fn spawn_local_job(&self, job: LocalJob) {
        let Some(set) = local::get(self.0.id) else {
            panic!(
                "`spawn_local` on a thread that runs no local tasks of this tokio runtime: call it \
                 inside `block_on`, not on a worker thread or in a runtime that was only attached"
            )
        };
        drop(set.spawn_local(job));
    }
}

impl SpawnBlocking for Tokio {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        drop(self.0.handle.spawn_blocking(move || job.run()));
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        Some(&self.0.blocking)
    }
}

impl Clock for Tokio {
    type Sleep = TokioSleep;

    fn now(&self) -> Instant {
        tokio::time::Instant::now().into_std()
    }

    fn sleep_until(&self, at: Instant) -> TokioSleep {
        // Sleeps find their driver through the runtime that is entered.
        let _entered = self.0.handle.enter();
        TokioSleep::new(tokio::time::sleep_until(at.into()), false)
    }

    fn sleep_from(&self, now: Instant, at: Instant) -> TokioSleep {
        let _entered = self.0.handle.enter();
        TokioSleep::new(tokio::time::sleep_until(at.into()), at > now)
    }
}

#[cfg(unix)]
impl Io for Tokio {
    type Registered<F: Source> = TokioIo<F>;

    fn register<F: Source>(&self, source: F) -> io::Result<TokioIo<F>> {
        let _entered = self.0.handle.enter();
        TokioIo::new(source)
    }
}

impl Runtime for Tokio {
    /// On an attached current-thread runtime, tasks, timers and I/O go on only while its owner
    /// drives it; see tokio's `Handle::block_on`.
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        context::assert_may_block("block_on");
        assert!(
            !self.is_closed(),
            "`block_on` on a runtime that has been shut down"
        );
        let future = context::within(self.clone(), future);
        let Some(own) = self.own() else {
            return self.0.handle.block_on(future);
        };
        let set = local::get_or_make(self.0.id);
        own.block_on(set.run_until(future))
    }

    fn shutdown(&self) {
        let own = self.take_own();
        let Some(own) = own else { return };
        self.0.closed.store(true, Ordering::SeqCst);
        // Also those that tokio would drop only at the end of a `block_on` that is under way.
        self.0.tasks.abort_all();
        local::remove(self.0.id);
        if let Some(runtime) = Arc::into_inner(own) {
            runtime.shutdown_background();
        }
        // Worker threads drop the tasks on their own time. Wait for them, but not on one of them.
        if Handle::try_current().is_err() {
            self.0.tasks.block_until_idle(WORKERS_END);
        }
    }
}
