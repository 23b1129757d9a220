//! What `#[kumi::test]` expands to: one test per compiled-in backend.

use std::fmt;
use std::future::Future;

use kumi_core::run::Runner;
use kumi_core::runtime::Runtime;

use crate::backend::BackendKind;

/// What a test may return: nothing, or a `Result` whose error fails it.
pub trait Outcome {
    /// Panics if the test failed.
    fn check(self);
}

impl Outcome for () {
    fn check(self) {}
}

impl<E: fmt::Debug> Outcome for Result<(), E> {
    #[track_caller]
    fn check(self) {
        if let Err(error) = self {
            panic!("the test returned an error: {error:?}");
        }
    }
}

/// Runs a test on the backend `kind`; on the simulator under `seeds` schedules.
pub fn test<F: Future<Output: Outcome>>(kind: BackendKind, seeds: u64, body: impl Fn() -> F) {
    #[cfg(feature = "sim")]
    if kind == BackendKind::Sim {
        return explore(seeds, body);
    }
    let _ = seeds;
    match kind.build() {
        Ok(runtime) => run(&*runtime, body()),
        Err(error) => panic!("the backend `{kind}` cannot be started: {error}"),
    }
}

/// First in the order of waking, then under each seed.
#[cfg(feature = "sim")]
fn explore<F: Future<Output: Outcome>>(seeds: u64, body: impl Fn() -> F) {
    run(&*kumi_sim::Sim::new(), body());
    kumi_sim::explore(0..seeds, |sim| run(&*sim, body()));
}

fn run<R: Runtime, F: Future<Output: Outcome>>(runtime: &R, body: F) {
    let runner = Runner::new().ctrl_c(false);
    match runner.run(runtime, body) {
        Ok(outcome) => outcome.check(),
        Err(interrupted) => panic!("{interrupted}"),
    }
}
