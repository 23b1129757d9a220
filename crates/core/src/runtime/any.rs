//! A runtime of any type, behind one: [`AnyRuntime`].

use std::fmt;
use std::future::Future;
#[cfg(unix)]
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::{
    Ambient, BlockingJob, BoxSleep, Clock, DynRuntime, DynSpawnLocal, Job, LocalJob, Runtime,
    Spawn, SpawnBlocking, SpawnLocal, Task, Tasks,
};
#[cfg(unix)]
use super::{AnyRegistered, DynIo, Io, Source};

/// A runtime of any type, behind one.
///
/// Costs a virtual call per operation, and an allocation per sleep and per registration.
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::{AnyRuntime, Runtime};
/// use kumi_core::task::SpawnExt;
///
/// fn not_generic(rt: &AnyRuntime) -> i32 {
///     let task = rt.spawn(async { 20 + 22 });
///     rt.block_on(task).unwrap()
/// }
///
/// let sim = kumi_sim::Sim::new();
/// assert_eq!(not_generic(&AnyRuntime::new(sim.handle())), 42);
/// ```
#[derive(Clone)]
pub struct AnyRuntime {
    runtime: Arc<dyn DynRuntime>,
    pub(crate) local: Option<Arc<dyn DynSpawnLocal>>,
    #[cfg(unix)]
    pub(crate) io: Option<Arc<dyn DynIo>>,
}

impl AnyRuntime {
    /// Erases the type of `runtime`.
    pub fn new<R: Runtime>(runtime: R) -> Self {
        Self {
            runtime: Arc::new(runtime),
            local: None,
            #[cfg(unix)]
            io: None,
        }
    }

    /// Erases the type of a runtime that also waits for descriptors.
    #[cfg(unix)]
    pub fn with_io<R: Io>(runtime: R) -> Self {
        Self {
            io: Some(Arc::new(runtime.clone())),
            ..Self::new(runtime)
        }
    }

    /// Adds that `runtime`, the same one, runs local tasks.
    #[must_use]
    pub fn and_local<R: SpawnLocal>(mut self, runtime: R) -> Self {
        self.local = Some(Arc::new(runtime));
        self
    }

    /// Returns the runtime if it is an `R`.
    #[must_use]
    pub fn downcast<R: Runtime>(&self) -> Option<&R> {
        self.runtime.as_any().downcast_ref()
    }
}

impl fmt::Debug for AnyRuntime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnyRuntime").finish_non_exhaustive()
    }
}

impl Clock for AnyRuntime {
    type Sleep = BoxSleep;

    fn now(&self) -> Instant {
        self.runtime.now()
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        self.runtime.sleep_until(at)
    }
}

impl Spawn for AnyRuntime {
    fn spawn_job(&self, job: Job) {
        self.runtime.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        self.runtime.tasks()
    }

    fn is_host(&self) -> bool {
        self.runtime.is_host()
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient {
            // What is inside, so that forms do not pile up from task to task.
            runtime: &*self.runtime,
            local: self.local.as_deref(),
            #[cfg(unix)]
            io: self.io.as_deref(),
        })
    }
}

impl SpawnBlocking for AnyRuntime {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        self.runtime.spawn_blocking_job(job);
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        self.runtime.blocking_tasks()
    }

    fn replaces_pools(&self) -> bool {
        self.runtime.replaces_pools()
    }
}

impl Runtime for AnyRuntime {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut output = None;
        self.runtime
            .block_on(pin!(async { output = Some(future.await) }));
        output.expect("`block_on` returned before its future was ready")
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        self.runtime.for_each_task(visit);
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.runtime.poll_idle(cx)
    }

    fn shutdown(&self) {
        self.runtime.shutdown();
    }
}

impl SpawnLocal for AnyRuntime {
    /// # Panics
    ///
    /// If the runtime was erased without [`and_local`](AnyRuntime::and_local).
    fn spawn_local_job(&self, job: LocalJob) {
        match &self.local {
            Some(local) => local.spawn_local_job(job),
            None => panic!("this runtime runs no local tasks: erase it with `.and_local(runtime)`"),
        }
    }
}

#[cfg(unix)]
impl Io for AnyRuntime {
    type Registered<F: Source> = AnyRegistered<F>;

    /// # Errors
    ///
    /// [`Unsupported`](io::ErrorKind::Unsupported) if the runtime has no I/O, or was erased without
    /// [`with_io`](AnyRuntime::with_io).
    fn register<F: Source>(&self, source: F) -> io::Result<AnyRegistered<F>> {
        match &self.io {
            Some(io) => AnyRegistered::new(&**io, source),
            None => Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "this runtime has no I/O (a simulator has none), or was erased without `with_io`",
            )),
        }
    }
}
