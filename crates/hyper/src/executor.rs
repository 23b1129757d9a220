//! [`HyperExecutor`]: the background work of hyper as tasks of Kumi.
//!
//! HTTP/2 needs it: one task per connection of a client, one per stream of a server.
//! The tasks are detached: hyper ends them by itself, and the end of a run cancels what is left and
//! waits for it.

use std::future::Future;

use hyper::rt::Executor;
use kumi_core::runtime::{Spawn, SpawnLocal};
use kumi_core::task::{SpawnExt, SpawnLocalExt};

/// Runs the background work of hyper as detached tasks of the runtime `R`.
///
/// A panic in such a task is [reported](kumi_core::report), since nobody joins it.
///
/// # Examples
///
/// ```
/// use hyper::rt::Executor;
/// use kumi_core::runtime::{Clock, Runtime};
/// use kumi_hyper::HyperExecutor;
/// use std::sync::atomic::{AtomicBool, Ordering};
/// use std::time::Duration;
///
/// static RAN: AtomicBool = AtomicBool::new(false);
///
/// let sim = kumi_sim::Sim::new();
/// HyperExecutor::new(sim.handle()).execute(async { RAN.store(true, Ordering::Relaxed) });
/// sim.block_on(sim.sleep(Duration::from_millis(1)));
/// assert!(RAN.load(Ordering::Relaxed));
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperExecutor<R> {
    runtime: R,
}

// Nothing pins the runtime, and hyper's HTTP/2 client insists, also for an `R` that is generic.
impl<R> Unpin for HyperExecutor<R> {}

impl<R> HyperExecutor<R> {
    /// Runs tasks on `runtime`.
    pub fn new(runtime: R) -> Self {
        Self { runtime }
    }
}

impl<R, F> Executor<F> for HyperExecutor<R>
where
    R: Spawn,
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    // Reports then name the place in hyper that started the task, not this one.
    #[track_caller]
    fn execute(&self, future: F) {
        self.runtime.spawn(future).detach();
    }
}

/// As [`HyperExecutor`], for work that is not `Send`: on the thread that spawns it.
///
/// So an HTTP/2 service may hold `Rc` and `RefCell`.
///
/// # Panics
///
/// `execute` panics on a thread that runs no local tasks of the runtime: drive the connection in a
/// local task or in `block_on`.
#[derive(Debug, Clone, Copy, Default)]
pub struct HyperLocalExecutor<R> {
    runtime: R,
}

// Nothing pins the runtime, and hyper's HTTP/2 client insists, also for an `R` that is generic.
impl<R> Unpin for HyperLocalExecutor<R> {}

impl<R> HyperLocalExecutor<R> {
    /// Runs local tasks on `runtime`.
    pub fn new(runtime: R) -> Self {
        Self { runtime }
    }
}

impl<R, F> Executor<F> for HyperLocalExecutor<R>
where
    R: SpawnLocal,
    F: Future + 'static,
    F::Output: 'static,
{
    #[track_caller]
    fn execute(&self, future: F) {
        self.runtime.spawn_local(future).detach();
    }
}
