//! The erased form of a runtime, for code that must not be generic.
//!
//! [`Ambient`] is what ambient functions find: references to object-safe views of a runtime.
//! [`AnyRuntime`](super::AnyRuntime) owns such a view and is itself a [`Runtime`], so code that *is*
//! generic accepts it.
//! Every [`Runtime`] has these views by blanket implementation; a backend writes nothing.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use super::{
    AnyRuntime, BlockingJob, Clock, Job, LocalJob, Runtime, Sleep, Spawn, SpawnBlocking,
    SpawnLocal, Task, Tasks,
};
#[cfg(unix)]
use super::{DynIo, Io};

/// A sleep of any runtime.
pub type BoxSleep = Pin<Box<dyn Sleep + Send + Sync>>;

/// The object-safe view of a [`Runtime`].
pub trait DynRuntime: Send + Sync + 'static {
    /// See [`Spawn::spawn_job`].
    fn spawn_job(&self, job: Job);
    /// See [`SpawnBlocking::spawn_blocking_job`].
    fn spawn_blocking_job(&self, job: BlockingJob);
    /// See [`Spawn::tasks`].
    fn tasks(&self) -> Option<&Tasks>;
    /// See [`Spawn::is_host`].
    fn is_host(&self) -> bool;
    /// See [`SpawnBlocking::blocking_tasks`].
    fn blocking_tasks(&self) -> Option<&Tasks>;
    /// See [`SpawnBlocking::replaces_pools`].
    fn replaces_pools(&self) -> bool;
    /// See [`Clock::now`].
    fn now(&self) -> Instant;
    /// See [`Clock::sleep_until`].
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    fn sleep_until(&self, at: Instant) -> BoxSleep;
    /// See [`Runtime::block_on`].
    fn block_on(&self, future: Pin<&mut dyn Future<Output = ()>>);
    /// See [`Runtime::for_each_task`].
    fn for_each_task(&self, visit: &mut dyn FnMut(&Task));
    /// See [`Runtime::poll_idle`].
    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()>;
    /// See [`Runtime::shutdown`].
    fn shutdown(&self);
    /// The runtime itself, to be recognised by its type.
    fn as_any(&self) -> &dyn Any;
    /// Returns another handle, which knows nothing of I/O and local tasks.
    ///
    /// [`Ambient::to_any_runtime`] has them.
    fn to_any_runtime(&self) -> AnyRuntime;
}

impl<R: Runtime> DynRuntime for R {
    fn spawn_job(&self, job: Job) {
        Spawn::spawn_job(self, job);
    }

    fn spawn_blocking_job(&self, job: BlockingJob) {
        SpawnBlocking::spawn_blocking_job(self, job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(self)
    }

    fn is_host(&self) -> bool {
        Spawn::is_host(self)
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        SpawnBlocking::blocking_tasks(self)
    }

    fn replaces_pools(&self) -> bool {
        SpawnBlocking::replaces_pools(self)
    }

    fn now(&self) -> Instant {
        Clock::now(self)
    }

    fn sleep_until(&self, at: Instant) -> BoxSleep {
        Box::pin(Clock::sleep_until(self, at))
    }

    fn block_on(&self, future: Pin<&mut dyn Future<Output = ()>>) {
        Runtime::block_on(self, future);
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        Runtime::for_each_task(self, visit);
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        Runtime::poll_idle(self, cx)
    }

    fn shutdown(&self) {
        Runtime::shutdown(self);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn to_any_runtime(&self) -> AnyRuntime {
        AnyRuntime::new(self.clone())
    }
}

/// The object-safe view of a runtime that can run local tasks.
pub trait DynSpawnLocal: Send + Sync + 'static {
    /// See [`SpawnLocal::spawn_local_job`].
    ///
    /// # Panics
    ///
    /// If this thread runs no local tasks of the runtime.
    fn spawn_local_job(&self, job: LocalJob);
    /// Returns another handle.
    fn to_arc(&self) -> Arc<dyn DynSpawnLocal>;
}

impl<R: SpawnLocal> DynSpawnLocal for R {
    fn spawn_local_job(&self, job: LocalJob) {
        SpawnLocal::spawn_local_job(self, job);
    }

    fn to_arc(&self) -> Arc<dyn DynSpawnLocal> {
        Arc::new(self.clone())
    }
}

/// What ambient functions find: the runtime, and what it can do besides.
#[derive(Clone, Copy)]
pub struct Ambient<'a> {
    pub(crate) runtime: &'a dyn DynRuntime,
    pub(crate) local: Option<&'a dyn DynSpawnLocal>,
    #[cfg(unix)]
    pub(crate) io: Option<&'a dyn DynIo>,
}

impl<'a> Ambient<'a> {
    /// A runtime, with nothing besides.
    pub fn new<R: Runtime>(runtime: &'a R) -> Self {
        Self {
            runtime,
            local: None,
            #[cfg(unix)]
            io: None,
        }
    }

    /// Adds that it runs local tasks.
    #[must_use]
    pub fn with_local<R: SpawnLocal>(mut self, runtime: &'a R) -> Self {
        self.local = Some(runtime);
        self
    }

    /// Adds that it waits for descriptors.
    #[cfg(unix)]
    #[must_use]
    pub fn with_io<R: Io>(mut self, runtime: &'a R) -> Self {
        self.io = Some(runtime);
        self
    }

    /// Returns the runtime.
    #[must_use]
    pub fn runtime(&self) -> &'a dyn DynRuntime {
        self.runtime
    }

    /// Returns the runtime if it is an `R`.
    #[must_use]
    pub fn downcast<R: Runtime>(&self) -> Option<&'a R> {
        self.runtime.as_any().downcast_ref()
    }

    /// Returns an owned handle, with everything that this one can do.
    #[must_use]
    pub fn to_any_runtime(&self) -> AnyRuntime {
        let mut any = self.runtime.to_any_runtime();
        any.local = self.local.map(DynSpawnLocal::to_arc);
        #[cfg(unix)]
        {
            any.io = self.io.map(DynIo::to_arc);
        }
        any
    }

    /// Returns the view for local tasks, if the runtime runs any.
    #[must_use]
    pub fn local(&self) -> Option<&'a dyn DynSpawnLocal> {
        self.local
    }

    /// Returns the view for descriptors, if the runtime waits for any.
    #[cfg(unix)]
    #[must_use]
    pub fn io(&self) -> Option<&'a dyn DynIo> {
        self.io
    }
}

impl fmt::Debug for Ambient<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ambient")
            .field("local", &self.local.is_some())
            .finish_non_exhaustive()
    }
}

/// Where a frame finds the ambient runtime: any [`Spawn`].
pub trait AmbientSource {
    /// See [`Spawn::ambient`].
    fn ambient(&self) -> Option<Ambient<'_>>;
}

impl<R: Spawn> AmbientSource for R {
    fn ambient(&self) -> Option<Ambient<'_>> {
        Spawn::ambient(self)
    }
}
