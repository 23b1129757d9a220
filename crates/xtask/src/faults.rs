//! Programs of Kumi's while system calls fail, descriptors run out, and clocks lie, on each backend.
//!
//! # Parts
//!
//! [`table`] lists the faults and what is to come of each, as data. [`trace`] runs `faulty echo` once under
//! strace, which injects one of them, and collects what the program says and what strace has seen.
//! [`judge`] compares the two. [`exhaustion`] takes descriptors away for real, [`clocks`] the time, with
//! libfaketime. [`teeth`] are faults of the program itself, each of which a check has to find.
//!
//! # What must stay true of each run
//!
//! 1. An error reaches the caller as an error, or the operation is tried again and nobody sees it; the table
//!    says which.
//! 2. The program ends by itself, without a panic.
//! 3. While a fault persists nothing spins: at most 50 returns of `epoll_wait` a second, and as many calls of
//!    what fails, beside what the same program needs without faults.
//! 4. When the fault is over, the next conversation succeeds.
//! 5. No descriptor is left open.
//!
//! Where a foreign runtime does something else, and Kumi cannot help it, the table says so, with the reason.
//!
//! # What ends what
//!
//! A run ends when its program does, or is killed after [`trace::LIMIT`]. Runs are independent, and several
//! go on at once: they mostly sleep. Where no program may be traced, as in some containers, there is
//! nothing to inject with: the short form says so and does the rest, the long one fails.

mod clocks;
mod exhaustion;
mod judge;
mod table;
mod teeth;
mod trace;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Instant;

use clap::Args;

use crate::process::{Failure, Result};
use crate::soak;
use crate::tools;
use crate::workspace::Workspace;
use table::{Case, When};
use trace::{Program, Seen};

/// How many runs go on at once.
const AT_ONCE: usize = 8;

/// What `cargo x faults` can be told.
#[derive(Debug, Default, Args)]
pub(crate) struct Faults {
    /// loop, tokio or smol; all if none is named
    #[arg(long)]
    backend: Vec<String>,
    /// Only what takes a minute in all, and is the same each time
    #[arg(long)]
    quick: bool,
    /// Only cases whose line has this in it, such as `accept4` or `"loop epoll_ctl"`
    only: Option<String>,
}

/// The short form, for CI.
pub(crate) fn quick(ws: &Workspace) -> Result {
    let faults = Faults {
        quick: true,
        ..Faults::default()
    };
    run(ws, &faults)
}

pub(crate) fn run(ws: &Workspace, faults: &Faults) -> Result {
    let backends = soak::chosen(&faults.backend)?;
    let strace = tools::need(&["strace"], "strace")?;
    let faketime = clocks::library()?;
    let program = Program {
        path: soak::program(ws, "faulty")?,
        strace,
        dir: tempdir(ws)?,
    };
    let forbidden = trace::forbidden(&program)?;
    match &forbidden {
        Some(why) if !faults.quick => {
            let message = format!("strace may not trace a program on this machine: {why}");
            return Err(Failure::new(message));
        }
        Some(why) => println!("NOT RUN: faults of system calls; strace may not trace: {why}"),
        None => {}
    }
    let began = Instant::now();
    let mut runs: Vec<Run<'_>> = Vec::new();
    for backend in backends {
        if forbidden.is_none() {
            let usual = usual(&program, backend)?;
            runs.extend(system_calls(&program, backend, usual, faults.quick));
        }
        runs.push(exhaustion::run(&program, backend));
        runs.extend(clocks::runs(&program, backend, &faketime));
    }
    if let Some(only) = &faults.only {
        runs.retain(|run| run.name.contains(only.as_str()));
    }
    let count = runs.len();
    let failed = at_once(runs);
    let summary = format!(
        "{count} runs, {} failed, {:.1} s",
        failed.len(),
        began.elapsed().as_secs_f64()
    );
    println!("{summary}");
    match failed.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!("step `faults` failed: {summary}"))),
    }
}

/// What the program does without a fault: the measure for all others.
fn usual(program: &Program, backend: &'static str) -> Result<Seen> {
    let (case, when) = (&table::NO_FAULT, When::Never);
    let usual = trace::run(program, backend, case, when, &Seen::default())?;
    let wrong = judge::judge(case, when, backend, &usual, &usual);
    if wrong.is_empty() {
        return Ok(usual);
    }
    let (wrong, stderr) = (wrong.join("; "), usual.stderr.trim());
    Err(Failure::new(format!(
        "{backend} without a fault: {wrong}: {stderr}"
    )))
}

/// One run, and what is wrong with it.
struct Run<'a> {
    name: String,
    #[allow(clippy::type_complexity, reason = "it has no other name")]
    what: Box<dyn FnOnce() -> Result<Vec<String>> + Send + 'a>,
}

/// The runs with faults of system calls, and those that have to fail.
fn system_calls<'a>(
    program: &'a Program,
    backend: &'static str,
    usual: Seen,
    quick: bool,
) -> Vec<Run<'a>> {
    let usual = Arc::new(usual);
    let mut runs = Vec::new();
    for case in table::CASES.iter().filter(|case| case.is_for(backend)) {
        let when = match quick {
            true => case.quick(backend),
            false => case.when.to_vec(),
        };
        for when in when {
            let usual = Arc::clone(&usual);
            runs.push(Run {
                name: format!("{backend} {case} {when}"),
                what: Box::new(move || {
                    let seen = trace::run(program, backend, case, when, &usual)?;
                    Ok(judge::judge(case, when, backend, &seen, &usual))
                }),
            });
        }
    }
    // They look at the checks, and not at the backend.
    if backend == "loop" {
        runs.extend(teeth::runs(program, backend, &usual));
    }
    runs
}

/// Does the runs, several at once; returns those with which something is wrong.
fn at_once(runs: Vec<Run<'_>>) -> Vec<String> {
    let runs: Vec<_> = runs.into_iter().map(|run| Mutex::new(Some(run))).collect();
    let next = AtomicUsize::new(0);
    let failed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // Relaxed: each number is drawn once, and the lock orders the rest.
                while let Some(run) = runs.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let run = run.lock().ok().and_then(|mut run| run.take());
                    let Some(Run { name, what }) = run else {
                        continue;
                    };
                    let wrong = what().unwrap_or_else(|failure| vec![failure.to_string()]);
                    if !wrong.is_empty() {
                        println!("FAILED {name}: {}", wrong.join("; "));
                        if let Ok(mut failed) = failed.lock() {
                            failed.push(name);
                        }
                    }
                }
            });
        }
    });
    failed.into_inner().unwrap_or_default()
}

/// An empty directory for what strace and the programs write.
fn tempdir(ws: &Workspace) -> Result<PathBuf> {
    let dir = ws.target_dir.join("faults");
    // It is not there, or is left over from an earlier run.
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", dir.display())))?;
    Ok(dir)
}

/// The name of a case, in one line.
impl std::fmt::Display for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.calls, self.fault)?;
        if self.since == table::Since::Start {
            write!(f, " from the start")?;
        }
        if self.message != "line" {
            write!(f, " ({})", self.message)?;
        }
        Ok(())
    }
}
