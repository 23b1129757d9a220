//! One test under many schedules: [`explore`].

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use kumi_core::runtime::Owned;

use crate::handle::Sim;
use crate::trace::Trace;

/// Runs `test` once under each of `seeds`, with a fresh simulator whose schedule that seed decides.
///
/// If it panics, the seed and the trace are printed to standard error, with how to run that one alone;
/// the remaining seeds are not tried.
///
/// # Panics
///
/// With the first panic of `test`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::SpawnExt;
///
/// kumi_sim::explore(0..20, |sim| {
///     let sum = Arc::new(AtomicU32::new(0));
///     let add = |n| {
///         let sum = Arc::clone(&sum);
///         sim.spawn(async move { sum.fetch_add(n, Ordering::Relaxed) })
///     };
///     let (a, b) = (add(20), add(22));
///     sim.block_on(async { (a.await.unwrap(), b.await.unwrap()) });
///     assert_eq!(sum.load(Ordering::Relaxed), 42, "in whatever order they run");
/// });
/// ```
pub fn explore(seeds: impl IntoIterator<Item = u64>, test: impl Fn(Owned<Sim>)) {
    for seed in seeds {
        let sim = Sim::with_seed(seed);
        let handle = sim.handle();
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| test(sim))) {
            eprintln!("{}", failure(seed, &handle.trace()));
            resume_unwind(panic);
        }
    }
}

fn failure(seed: u64, trace: &Trace) -> String {
    let hash = trace.hash();
    format!(
        "kumi-sim: the test failed under seed {seed}, after {choices} choices (hash {hash:016x})\n  \
         to run it again: Sim::with_seed({seed})\n  \
         or from its trace: Sim::builder().schedule(Schedule::Replay(\"{trace}\".parse().unwrap())).build()",
        choices = trace.len(),
    )
}
