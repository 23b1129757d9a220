//! [`Backend`] as a runtime: every call goes to the variant.

use std::future::Future;
use std::task::{Context, Poll};
use std::time::Instant;

use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, LocalJob, Runtime, Spawn, SpawnBlocking, SpawnLocal, Task,
    Tasks,
};

use super::Backend;
use super::sleep::{BackendSleep, Inner};

/// Does the same with whatever the variant holds.
macro_rules! each {
    ($backend:expr, $runtime:ident => $do:expr) => {
        match $backend {
            #[cfg(feature = "loop")]
            Backend::Loop($runtime) => $do,
            #[cfg(feature = "tokio")]
            Backend::Tokio($runtime) => $do,
            #[cfg(feature = "smol")]
            Backend::Smol($runtime) => $do,
            #[cfg(feature = "sim")]
            Backend::Sim($runtime) => $do,
            Backend::Other($runtime) => $do,
        }
    };
}

/// The sleep that `$sleep` gives on the backend that it is.
macro_rules! sleep {
    ($backend:expr, $runtime:ident => $sleep:expr) => {
        BackendSleep::new(match $backend {
            #[cfg(feature = "loop")]
            Self::Loop($runtime) => Inner::Loop { sleep: $sleep },
            #[cfg(feature = "tokio")]
            Self::Tokio($runtime) => Inner::Tokio { sleep: $sleep },
            #[cfg(feature = "smol")]
            Self::Smol($runtime) => Inner::Smol { sleep: $sleep },
            #[cfg(feature = "sim")]
            Self::Sim($runtime) => Inner::Sim { sleep: $sleep },
            Self::Other($runtime) => Inner::Other { sleep: $sleep },
        })
    };
}

impl Clock for Backend {
    type Sleep = BackendSleep;

    fn now(&self) -> Instant {
        each!(self, runtime => runtime.now())
    }

    fn sleep_until(&self, at: Instant) -> BackendSleep {
        sleep!(self, runtime => runtime.sleep_until(at))
    }

    fn sleep_from(&self, now: Instant, at: Instant) -> BackendSleep {
        sleep!(self, runtime => runtime.sleep_from(now, at))
    }
}

impl Spawn for Backend {
    fn spawn_job(&self, job: Job) {
        each!(self, runtime => runtime.spawn_job(job));
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        each!(self, runtime => runtime.ambient())
    }

    fn tasks(&self) -> Option<&Tasks> {
        each!(self, runtime => runtime.tasks())
    }

    #[inline]
    fn is_host(&self) -> bool {
        each!(self, runtime => runtime.is_host())
    }
}

impl SpawnLocal for Backend {
    /// # Panics
    ///
    /// If this thread runs no local tasks of the runtime.
    fn spawn_local_job(&self, job: LocalJob) {
        each!(self, runtime => runtime.spawn_local_job(job));
    }
}

impl SpawnBlocking for Backend {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        each!(self, runtime => runtime.spawn_blocking_job(job));
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        each!(self, runtime => runtime.blocking_tasks())
    }

    fn replaces_pools(&self) -> bool {
        each!(self, runtime => runtime.replaces_pools())
    }
}

impl Runtime for Backend {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        each!(self, runtime => runtime.block_on(future))
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        each!(self, runtime => runtime.for_each_task(visit));
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        each!(self, runtime => runtime.poll_idle(cx))
    }

    fn shutdown(&self) {
        each!(self, runtime => runtime.shutdown());
    }
}
