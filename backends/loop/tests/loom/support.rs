//! How models are explored.

/// Explores a model of two threads: every interleaving.
pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
    explore(None, model);
}

/// Explores a model of three threads: every interleaving with at most two preemptions.
pub(crate) fn check_three(model: impl Fn() + Send + Sync + 'static) {
    explore(Some(2), model);
}

fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    builder.check(model);
}
