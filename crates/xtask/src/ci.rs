//! All checks in a row, with the time of each at the end.

use std::time::{Duration, Instant};

use crate::process::{Failure, Result};
use crate::workspace::Workspace;
use crate::{
    checks, compare, examples, faults, generated, instructions, loom, page, scratch, soak, tidy,
};

type Step = (&'static str, fn(&Workspace) -> Result);

/// Cheap checks first: a typing mistake should not cost a quarter of an hour.
///
/// The conformance suite is missing because `test` runs it already, with all other tests.
const STEPS: &[Step] = &[
    ("fmt", |ws| checks::fmt(ws, false)),
    ("tidy", tidy::run),
    ("generated", |ws| generated::check(ws, false)),
    ("clippy", checks::clippy),
    ("doc", checks::doc),
    ("test", checks::test),
    ("examples", examples::run),
    ("soak", soak::quick),
    ("faults", faults::quick),
    ("loom", loom::run),
    ("alloc", checks::alloc),
    ("bench-smoke", checks::bench_smoke),
    ("page", |ws| page::run(ws, None)),
    ("compare", compare::smoke),
    ("instructions", |ws| instructions::check(ws, false)),
    ("scratch", scratch::run),
];

/// Runs the steps; stops at the first failure unless told to go on.
pub(crate) fn run(ws: &Workspace, keep_going: bool) -> Result {
    run_steps(STEPS, ws, keep_going)
}

fn run_steps(steps: &[Step], ws: &Workspace, keep_going: bool) -> Result {
    let mut done: Vec<(&str, Duration, Result)> = Vec::new();
    for (name, step) in steps {
        println!("\n===== {name} =====");
        let start = Instant::now();
        let result = step(ws);
        if let Err(failure) = &result {
            // Now, beside the output that explains it; the table comes much later.
            eprintln!("error: {name}: {failure}");
        }
        let failed = result.is_err();
        done.push((name, start.elapsed(), result));
        if failed && !keep_going {
            break;
        }
    }
    println!();
    for (name, time, result) in &done {
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        println!("{name:<12} {:>8.1} s  {word}", time.as_secs_f64());
    }
    for (name, _) in &steps[done.len()..] {
        println!("{name:<12} {:>8}    not run", "-");
    }
    let failed: Vec<_> = done
        .iter()
        .filter(|(_, _, result)| result.is_err())
        .map(|(name, _, _)| format!("`{name}`"))
        .collect();
    println!(
        "{} passed, {} failed",
        done.len() - failed.len(),
        failed.len()
    );
    if failed.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!("failed: {}", failed.join(", "))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::workspace::tests::workspace;

    static RUNS: AtomicUsize = AtomicUsize::new(0);

    fn good(_: &Workspace) -> Result {
        // Relaxed: the test reads it on the same thread.
        RUNS.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn bad(_: &Workspace) -> Result {
        Err(Failure::new("broken"))
    }

    #[test]
    fn the_first_failure_stops_the_run_unless_told_to_go_on() {
        let steps: &[Step] = &[("first", good), ("second", bad), ("third", good)];
        let ws = workspace(Vec::new());
        for (keep_going, expected_runs) in [(false, 1), (true, 2)] {
            RUNS.store(0, Ordering::Relaxed);
            let error = run_steps(steps, &ws, keep_going).unwrap_err();
            assert_eq!(error.to_string(), "failed: `second`");
            assert_eq!(RUNS.load(Ordering::Relaxed), expected_runs);
        }
        assert!(run_steps(&steps[..1], &ws, false).is_ok());
    }
}
