//! How models are explored.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Explores a model of two threads: every interleaving.
pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
    explore(None, model);
}

/// Explores a model of two threads with many steps: every interleaving with at most four preemptions.
pub(crate) fn check_long(model: impl Fn() + Send + Sync + 'static) {
    explore(Some(4), model);
}

/// Explores a model of three threads: every interleaving with at most two preemptions.
pub(crate) fn check_three(model: impl Fn() + Send + Sync + 'static) {
    explore(Some(2), model);
}

fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    // For `cargo x loom`.
    println!("executions: {}", executions.load(Ordering::Relaxed));
}
