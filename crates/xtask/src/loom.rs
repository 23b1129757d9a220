//! Runs every loom model, and then sees that the models can fail.
//!
//! A model is a test in a target named `loom`. Each runs in a process of its own: the global state
//! that one leaves behind would be part of the next one's execution, and a model that aborts would
//! hide those after it.

pub(crate) mod teeth;

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::process::{Cmd, Failure, Result};
use crate::workspace::{Package, Workspace};

/// A model is to be small enough to end well before.
const LIMIT: Duration = Duration::from_secs(600);

/// The flags that turn the atomics of a crate into loom's.
const FLAGS: &str = "--cfg loom";

pub(crate) fn run(ws: &Workspace) -> Result {
    for package in ws.with_test("loom")? {
        let step = format!("loom ({})", package.name);
        let program = executable(build(ws, package), &step)?;
        let models = list(ws, &program, &step)?;
        if models.is_empty() {
            return Err(Failure::new(format!("step `{step}` failed: no models")));
        }
        let failed = run_models(ws, &program, &models, &step)?;
        if !failed.is_empty() {
            return Err(Failure::new(format!(
                "step `{step}` failed: {}",
                failed.join(", ")
            )));
        }
        teeth::check(ws, package, &program, &models)?;
    }
    Ok(())
}

/// `cargo test` for the models of a package, without running them, in a target folder of its own:
/// other flags in the common one would rebuild everything at each change between the two.
fn build(ws: &Workspace, package: &Package) -> Cmd {
    ws.cargo("test")
        .args(["--package", &package.name, "--release", "--test", "loom"])
        .args(["--no-run"])
        .env("CARGO_TARGET_DIR", ws.target_dir.join("loom"))
        .env("RUSTFLAGS", FLAGS)
}

fn executable(build: Cmd, step: &str) -> Result<PathBuf> {
    let found = build.executables(step)?;
    let program = found.into_iter().find(|(name, _)| name == "loom");
    let program = program.map(|(_, path)| path);
    program.ok_or_else(|| Failure::new(format!("step `{step}` failed: cargo built no test")))
}

fn list(ws: &Workspace, program: &Path, step: &str) -> Result<Vec<String>> {
    let text = Cmd::new(program, &ws.root)
        .args(["--list", "--format", "terse"])
        .stdout(step)?;
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    Ok(names.map(str::to_owned).collect())
}

/// The command that runs one model.
fn one(ws: &Workspace, program: &Path, model: &str) -> Cmd {
    Cmd::new(program, &ws.root).args(["--exact", model, "--nocapture"])
}

/// Runs the models; returns those that failed.
fn run_models(
    ws: &Workspace,
    program: &Path,
    models: &[String],
    step: &str,
) -> Result<Vec<String>> {
    in_parallel(models, |model| {
        let finished = one(ws, program, model).within(LIMIT, step)?;
        let took = finished.took.as_secs_f64();
        if finished.succeeded() {
            println!("model {model} ... ok ({took:.1} s)");
            return Ok(None);
        }
        let ending = finished.ending();
        println!(
            "model {model} ... FAILED ({ending})\n{}{}",
            finished.stdout, finished.stderr
        );
        Ok(Some(model.clone()))
    })
}

/// Runs `check` on the items, as many at a time as there are processors; returns what it complains of.
fn in_parallel<T: Sync>(
    items: &[T],
    check: impl Fn(&T) -> Result<Option<String>> + Sync,
) -> Result<Vec<String>> {
    let next = AtomicUsize::new(0);
    let complaints = Mutex::new(Vec::new());
    let work = || -> Result {
        // Relaxed: each index is handed out once, and nothing else is shared through it.
        while let Some(item) = items.get(next.fetch_add(1, Ordering::Relaxed)) {
            let complaint = check(item)?;
            complaints.lock().map_err(|_| poisoned())?.extend(complaint);
        }
        Ok(())
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_| poisoned())??;
        }
        Ok(())
    })?;
    complaints.into_inner().map_err(|_| poisoned())
}

fn poisoned() -> Failure {
    Failure::new("step `loom` failed: a worker of this program panicked")
}
