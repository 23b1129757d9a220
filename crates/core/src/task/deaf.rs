//! Clean-ups as tasks of their own: they do not hear requests to end.
//!
//! What a region hands to the runtime when it is dropped has to run to its end, and the end of the
//! run waits for it.

use std::future::Future;
use std::panic::Location;

use super::JoinHandle;
use super::cell;
use super::scheduler::Scheduler;
use crate::context::Kind;
use crate::runtime::{Ambient, AmbientSource, Job, Spawn, TaskInfo, Tasks};

/// Runs `clean_up` as a task of its own that does not hear requests to end.
pub(crate) fn spawn_clean_up<R: Spawn, F>(
    runtime: &R,
    name: &str,
    location: &'static Location<'static>,
    clean_up: F,
) where
    F: Future<Output = ()> + Send + 'static,
{
    let info = TaskInfo::new(Some(name.to_owned()), location);
    let (job, header) = cell::allocate(Deaf(runtime.clone()), info, clean_up);
    let handle = JoinHandle::<()>::new(header);
    runtime.spawn_job(job);
    handle.detach();
}

/// The scheduler of a clean-up.
struct Deaf<R>(R);

impl<R: Spawn> AmbientSource for Deaf<R> {
    fn ambient(&self) -> Option<Ambient<'_>> {
        Spawn::ambient(&self.0)
    }
}

impl<R: Spawn> Scheduler for Deaf<R> {
    const KIND: Kind = Kind::Async;
    const OWNED: bool = false;
    const DEAF: bool = true;

    fn schedule(&self, job: Job) {
        self.0.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        Spawn::tasks(&self.0)
    }

    #[inline]
    fn is_host(&self) -> bool {
        Spawn::is_host(&self.0)
    }
}
