//! Runs every loom model, and then sees that the models can fail.
//!
//! A model is a test in a target named `loom`. Each runs in a process of its own: the global state
//! that one leaves behind would be part of the next one's execution, and a model that aborts would
//! hide those after it.

mod teeth;

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::process::{Cmd, Executable, Failure, Result};
use crate::workspace::{Package, Workspace};

/// A model is to be small enough to end well before.
const LIMIT: Duration = Duration::from_secs(600);

/// The flags that turn the atomics of a crate into loom's.
const FLAGS: &str = "--cfg loom";

/// The models with at least [`MANY`] executions. They begin first: one that begins last and takes
/// long leaves all processors idle but one.
///
/// A model has the same executions in each run, so after it this list is seen to be true.
const LONGEST: &[(&str, &str)] = &[
    ("kumi-core", "blocking::submit_beside_the_end_of_a_retry"),
    ("kumi-core", "cancel::cancel_beside_a_pending_run"),
    ("kumi-core", "group::two_children_fail"),
    ("kumi-core", "start::ready_beside_a_cancel"),
    ("kumi-core", "yields::a_wake_beside_a_yield"),
    ("kumi-core", "yields::cancel_beside_yields"),
];

const MANY: u64 = 50_000;

/// What a model prints in front of how many executions it had.
const EXECUTIONS: &str = "executions: ";

/// One model, in the program of its package.
struct Model<'a> {
    package: &'a Package,
    program: PathBuf,
    name: String,
}

/// A model that passed.
struct Passed<'a> {
    model: &'a Model<'a>,
    executions: u64,
    took: Duration,
}

pub(crate) fn run(ws: &Workspace) -> Result {
    let packages = ws.with_test("loom")?;
    let programs = build(ws, &packages)?;
    let (mut models, mut teeth) = (Vec::new(), Vec::new());
    for (package, program) in packages.into_iter().zip(programs) {
        let first = models.len();
        for name in list(ws, package, &program)? {
            let program = program.clone();
            models.push(Model {
                package,
                program,
                name,
            });
        }
        teeth.extend(teeth::read_of(ws, package, &program, &models[first..])?);
    }
    models.sort_by_key(|model| !LONGEST.contains(&model.key()));
    let begin = Instant::now();
    let mut passed = run_models(ws, &models)?;
    passed.sort_by_key(|passed| Reverse(passed.took));
    show(&passed, begin.elapsed());
    longest_are_listed(&passed)?;
    teeth::check(ws, &teeth)
}

/// Builds the models of all packages; gives their programs, in the same order.
///
/// In a target folder of its own: other flags in the common one would rebuild everything at each change
/// between the two. To optimise between the units of one crate doubles the time of the build.
fn build(ws: &Workspace, packages: &[&Package]) -> Result<Vec<PathBuf>> {
    let step = "loom";
    let mut cmd = ws.cargo("test");
    for package in packages {
        cmd = cmd.args(["--package", &package.name]);
    }
    let found = cmd
        .args(["--release", "--test", "loom", "--no-run"])
        .env("CARGO_TARGET_DIR", ws.target_dir.join("loom"))
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("RUSTFLAGS", FLAGS)
        .executables(step)?;
    let program = |package: &&Package| {
        let dir = ws.root.join(&package.dir);
        let of = |found: &&Executable| found.target == "loom" && found.package_dir == dir;
        let program = found.iter().find(of).map(|found| found.path.clone());
        program.ok_or_else(|| {
            let name = &package.name;
            Failure::new(format!("step `{step}` failed: cargo built none of {name}"))
        })
    };
    packages.iter().map(program).collect()
}

/// The names of the models of a package.
fn list(ws: &Workspace, package: &Package, program: &Path) -> Result<Vec<String>> {
    let step = format!("loom ({})", package.name);
    let text = Cmd::new(program, &ws.root)
        .args(["--list", "--format", "terse"])
        .stdout(&step)?;
    let names = text.lines().filter_map(|line| line.strip_suffix(": test"));
    let names: Vec<_> = names.map(str::to_owned).collect();
    match names.is_empty() {
        true => Err(Failure::new(format!("step `{step}` failed: no models"))),
        false => Ok(names),
    }
}

impl Model<'_> {
    fn key(&self) -> (&str, &str) {
        (&self.package.name, &self.name)
    }
}

/// The command that runs one model.
fn one(ws: &Workspace, program: &Path, model: &str) -> Cmd {
    Cmd::new(program, &ws.root).args(["--exact", model, "--nocapture"])
}

/// Runs the models, in their order.
fn run_models<'a>(ws: &Workspace, models: &'a [Model<'a>]) -> Result<Vec<Passed<'a>>> {
    let passed = Mutex::new(Vec::new());
    let failed = in_parallel(models, |model| {
        let name = &model.name;
        let finished = one(ws, &model.program, name).within(LIMIT, "loom")?;
        let executions = executions(&finished.stdout);
        if let (true, Some(executions)) = (finished.succeeded(), executions) {
            let took = finished.took;
            println!(
                "model {name} ... ok ({:.1} s, {executions})",
                took.as_secs_f64()
            );
            passed.lock().map_err(|_| poisoned())?.push(Passed {
                model,
                executions,
                took,
            });
            return Ok(None);
        }
        let ending = match finished.succeeded() {
            true => "it does not say how many executions it had".to_owned(),
            false => finished.ending(),
        };
        println!(
            "model {name} ... FAILED ({ending})\n{}{}",
            finished.stdout, finished.stderr
        );
        Ok(Some(name.clone()))
    })?;
    match failed.is_empty() {
        true => passed.into_inner().map_err(|_| poisoned()),
        false => {
            let failed = failed.join(", ");
            Err(Failure::new(format!("step `loom` failed: {failed}")))
        }
    }
}

/// How many executions a model had, by what it printed.
fn executions(output: &str) -> Option<u64> {
    let line = output
        .lines()
        .find_map(|line| line.split(EXECUTIONS).nth(1))?;
    line.trim().parse().ok()
}

/// The models that took longest, and whether all processors were busy.
fn show(passed: &[Passed<'_>], elapsed: Duration) {
    for passed in passed.iter().take(10) {
        let (took, name) = (passed.took.as_secs_f64(), &passed.model.name);
        println!("{took:>7.1} s  {name}, {} executions", passed.executions);
    }
    let all: Duration = passed.iter().map(|passed| passed.took).sum();
    let executions: u64 = passed.iter().map(|passed| passed.executions).sum();
    println!(
        "{} models, {executions} executions: {:.0} s in {:.0} s",
        passed.len(),
        all.as_secs_f64(),
        elapsed.as_secs_f64()
    );
}

/// Requires that [`LONGEST`] is true.
fn longest_are_listed(passed: &[Passed<'_>]) -> Result {
    let many = passed.iter().filter(|passed| passed.executions >= MANY);
    let many: BTreeSet<_> = many.map(|passed| passed.model.key()).collect();
    let listed: BTreeSet<_> = LONGEST.iter().copied().collect();
    let wrong: Vec<_> = many.symmetric_difference(&listed).collect();
    match wrong.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "step `loom` failed: models with {MANY} executions or more are listed in `LONGEST`, and no \
             others: {wrong:?}"
        ))),
    }
}

/// Runs `check` on the items, as many at a time as there are processors; returns what it complains of.
fn in_parallel<'a, T: Sync>(
    items: &'a [T],
    check: impl Fn(&'a T) -> Result<Option<String>> + Sync,
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
