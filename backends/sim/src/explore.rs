//! One test under many schedules.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use kumi_core::runtime::Owned;

use crate::handle::Sim;

/// Runs `test` once for each seed, on a simulator that draws its choices from it.
///
/// # Panics
///
/// With the first panic of `test`, after the failing seed and its trace were written to standard
/// error, with how to run it again.
///
/// # Examples
///
/// See the [crate's docs](crate).
pub fn explore(seeds: impl IntoIterator<Item = u64>, test: impl Fn(Owned<Sim>)) {
    for seed in seeds {
        let sim = Sim::with_seed(seed);
        // A handle for the report; it does not keep the simulator from being shut down.
        let handle = sim.handle();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(sim))) {
            eprintln!(
                "kumi-sim: seed {seed} fails. Run it again with `Sim::with_seed({seed})`, or by its \
                 trace:\n  Schedule::Replay(\"{}\".parse().unwrap())",
                handle.trace(),
            );
            resume_unwind(panic);
        }
    }
}
