//! Runs each example on each backend and compares what it prints with what it should print.
//!
//! An example that merely compiles proves little. So each one has a file
//! `examples/expected/NAME.txt` (see [`expected`] for its form), and the same output is required
//! on every backend: the promise that programs run unchanged is checked by running them.

mod expected;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::process::{Cmd, Executable, Failure, Result, read};
use crate::workspace::Workspace;
use expected::Expected;

pub(crate) const PACKAGE: &str = "kumi-examples";

/// The examples read their backend from this variable.
const BACKEND: &str = "KUMI_BACKEND";

/// Far more than any example needs, so that only one that hangs meets it.
const LIMIT: Duration = Duration::from_secs(120);

pub(crate) fn run(ws: &Workspace) -> Result {
    let package = ws.package(PACKAGE)?;
    let programs = ws
        .cargo("build")
        .args(["--release", "--package", PACKAGE, "--bins"])
        .args(["--all-features"])
        .executables("examples (build)")?;
    let folder = ws.root.join(&package.dir).join("expected");
    let names = programs.iter().map(|program| program.target.clone());
    let mut problems = unmatched(&names.collect(), &stems(&folder)?);
    for Executable {
        target: name,
        path: program,
        ..
    } in &programs
    {
        let path = folder.join(format!("{name}.txt"));
        if !path.exists() {
            continue;
        }
        let expected = Expected::parse(&read(&path)?);
        for backend in &expected.backends {
            if let Err(problem) = run_one(ws, program, &expected, backend) {
                println!("FAILED {name} on {backend}: {problem}");
                problems.push(format!("{name} on {backend}"));
            }
        }
    }
    if programs.is_empty() {
        problems.push("there are no examples".to_owned());
    }
    match problems.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(format!(
            "step `examples` failed: {}",
            problems.join("; ")
        ))),
    }
}

fn run_one(ws: &Workspace, program: &Path, expected: &Expected, backend: &str) -> Result {
    // From the root, like `cargo run`, so that a path in the arguments means the same.
    let cmd = Cmd::new(program, &ws.root)
        .args(&expected.args)
        .env(BACKEND, backend);
    cmd.show();
    let finished = cmd.within(LIMIT, "examples")?;
    if !finished.succeeded() {
        return Err(Failure::new(format!(
            "{}\n--- standard output\n{}--- standard error\n{}",
            finished.ending(),
            finished.stdout,
            finished.stderr
        )));
    }
    match expected.difference(&finished.stdout) {
        None => Ok(()),
        Some(diff) => Err(Failure::new(format!(
            "unexpected output (- expected, + printed)\n{diff}--- standard error\n{}",
            finished.stderr
        ))),
    }
}

/// The names of the expected files, without `.txt`.
fn stems(folder: &Path) -> Result<BTreeSet<String>> {
    let mut stems = BTreeSet::new();
    let entries = fs::read_dir(folder)
        .map_err(|error| Failure::new(format!("cannot read {}: {error}", folder.display())))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        stems.extend(name.strip_suffix(".txt").map(str::to_owned));
    }
    Ok(stems)
}

/// Examples that nobody checks, and expectations that belong to no example.
fn unmatched(names: &BTreeSet<String>, stems: &BTreeSet<String>) -> Vec<String> {
    let mut problems = Vec::new();
    for name in names.difference(stems) {
        problems.push(format!("`{name}` has no expected/{name}.txt"));
    }
    for stem in stems.difference(names) {
        problems.push(format!("expected/{stem}.txt belongs to no example"));
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_and_expectations_must_pair_up() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        assert!(unmatched(&set(&["a", "b"]), &set(&["a", "b"])).is_empty());
        let problems = unmatched(&set(&["a", "b"]), &set(&["b", "c"]));
        assert_eq!(problems.len(), 2);
        assert!(problems[0].contains("`a` has no") && problems[1].contains("c.txt belongs"));
    }
}
