//! How many instructions the scenarios of the benches take, and whether that is still what it was.
//!
//! Time on a shared machine cannot tell a change of a few per cent; a count of instructions can, in one run.
//! valgrind counts those of one function of the benches, `measured`, and writes a file whenever it ends. The
//! benches print which of these files belong to whom, so one run of valgrind is enough for all scenarios.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::checks::benches;
use crate::process::{Cmd, Failure, Result, read};
use crate::tools;
use crate::workspace::Workspace;

/// The function that is counted, as valgrind calls it.
const MEASURED: &str = "kumi_benches::watch::measured";

/// What was counted before, relative to the root.
const EXPECTED: &str = "benches/instructions.txt";

/// By how much a count may differ from what it was.
const TOLERANCE: f64 = 0.03;

/// The same with another compiler, whose code is another: only what is far off is a fault of ours.
const TOLERANCE_OF_ANOTHER: f64 = 0.5;

/// Ten times as long as it takes.
const LIMIT: Duration = Duration::from_secs(900);

/// Instructions per unit, by scenario and competitor.
pub(crate) type Counts = BTreeMap<(String, String), f64>;

/// Whether all that Kumi does without a foreign runtime takes as many instructions as it did; or writes down
/// how many it takes now.
///
/// Only of what is the same in each run; the benches know what that is.
pub(crate) fn check(ws: &Workspace, update: bool) -> Result {
    let program = benches(ws, &[], "kumi-benches", "build the benches")?;
    let counts = count(ws, &program, &["--quick", "--steady"])?;
    let file = ws.root.join(EXPECTED);
    let compiler = compiler(ws)?;
    if update {
        let text = write(&compiler, &counts);
        return fs::write(&file, text)
            .map_err(|error| Failure::new(format!("cannot write {}: {error}", file.display())));
    }
    let expected = Expected::read(&read(&file)?)?;
    let tolerance = match expected.compiler == compiler {
        true => TOLERANCE,
        false => {
            println!(
                "{EXPECTED} is from {}, this is {compiler}: counts may differ by {:.0} %",
                expected.compiler,
                TOLERANCE_OF_ANOTHER * 100.0
            );
            TOLERANCE_OF_ANOTHER
        }
    };
    let problems = compare(&expected.counts, &counts, tolerance);
    println!(
        "{} counts of instructions, {} differ",
        counts.len(),
        problems.len()
    );
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(format!(
        "{}\nif that is meant, write them down: cargo x instructions --update",
        problems.join("\n")
    )))
}

/// Counts the instructions of the scenarios that `args` choose.
pub(crate) fn count(ws: &Workspace, program: &Path, args: &[&str]) -> Result<Counts> {
    let valgrind = tools::need(&["valgrind"], "valgrind")?;
    let dir = tempdir(ws)?;
    println!("counting instructions: this takes a minute");
    let run = Cmd::new(valgrind, &dir)
        .args(["--tool=callgrind", "--callgrind-out-file=out"])
        .args(["--collect-atstart=no"])
        .args([format!("--toggle-collect={MEASURED}")])
        .args([format!("--dump-after={MEASURED}")])
        .args([program])
        .args(["--entries"])
        .args(args)
        // The C library chooses its functions by the processor; this is what all have.
        .env(
            "GLIBC_TUNABLES",
            "glibc.cpu.hwcaps=-AVX2,-AVX512F,-AVX512VL,-ERMS,-FSRM",
        )
        .within(LIMIT, "valgrind")?;
    if !run.succeeded() {
        return Err(Failure::new(format!(
            "valgrind: {}\n{}",
            run.ending(),
            run.stderr
        )));
    }
    let counts = run.stdout.lines().map(|line| one(line, &dir)).collect();
    fs::remove_dir_all(&dir).map_err(|error| Failure::new(format!("valgrind: {error}")))?;
    counts
}

/// An empty directory for what valgrind writes.
fn tempdir(ws: &Workspace) -> Result<PathBuf> {
    let dir = ws.target_dir.join("instructions");
    // It is not there, or is left over from a run that was ended.
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", dir.display())))?;
    Ok(dir)
}

/// One line of what the benches print: scenario, competitor, units, first and last entry.
fn one(line: &str, dir: &Path) -> Result<((String, String), f64)> {
    let fields: Vec<_> = line.split('\t').collect();
    let wrong = || Failure::new(format!("the benches print: {line}"));
    let &[scenario, who, units, first, last] = fields.as_slice() else {
        return Err(wrong());
    };
    let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
    let mut sum = 0;
    for entry in number(first)?..=number(last)? {
        sum += total(&read(&dir.join(format!("out.{entry}")))?).ok_or_else(wrong)?;
    }
    let per_unit = sum as f64 / number(units)? as f64;
    Ok(((scenario.to_owned(), who.to_owned()), per_unit))
}

/// The total of a file of callgrind's.
fn total(text: &str) -> Option<u64> {
    let line = |line: &str| {
        let rest = line
            .strip_prefix("totals: ")
            .or_else(|| line.strip_prefix("summary: "))?;
        rest.trim().parse().ok()
    };
    text.lines().find_map(line)
}

fn compiler(ws: &Workspace) -> Result<String> {
    let version = Cmd::new("rustc", &ws.root)
        .args(["--version"])
        .quiet_stdout("rustc --version")?;
    Ok(format!("{} on {}", version.trim(), std::env::consts::ARCH))
}

/// What was counted before.
#[derive(Debug)]
struct Expected {
    compiler: String,
    counts: Counts,
}

impl Expected {
    fn read(text: &str) -> Result<Self> {
        let wrong = |line: &str| Failure::new(format!("{EXPECTED}: cannot read `{line}`"));
        let mut lines = text.lines();
        let compiler = lines.next().unwrap_or_default();
        let counts = lines.map(|line| {
            let fields: Vec<_> = line.split('\t').collect();
            let &[scenario, who, count] = fields.as_slice() else {
                return Err(wrong(line));
            };
            let count = count.parse().map_err(|_| wrong(line))?;
            Ok(((scenario.to_owned(), who.to_owned()), count))
        });
        Ok(Self {
            compiler: compiler.to_owned(),
            counts: counts.collect::<Result<_>>()?,
        })
    }
}

fn write(compiler: &str, counts: &Counts) -> String {
    let mut text = format!("{compiler}\n");
    for ((scenario, who), count) in counts {
        let _ = writeln!(text, "{scenario}\t{who}\t{count:.1}");
    }
    text
}

/// What differs by more than it may, is new, or is gone.
fn compare(expected: &Counts, counts: &Counts, tolerance: f64) -> Vec<String> {
    let mut problems = Vec::new();
    for (key @ (scenario, who), now) in counts {
        match expected.get(key) {
            None => problems.push(format!("{scenario}, {who}: new, {now:.1}")),
            Some(then) => {
                let change = now / then - 1.0;
                if change.abs() > tolerance {
                    problems.push(format!(
                        "{scenario}, {who}: {now:.1} instead of {then:.1}, {:+.1} %",
                        change * 100.0
                    ));
                }
            }
        }
    }
    for key @ (scenario, who) in expected.keys() {
        if !counts.contains_key(key) {
            problems.push(format!("{scenario}, {who}: gone"));
        }
    }
    problems
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(all: &[(&str, f64)]) -> Counts {
        let one = |(name, count): &(&str, f64)| (((*name).to_owned(), "kumi".to_owned()), *count);
        all.iter().map(one).collect()
    }

    #[test]
    fn what_differs_by_more_than_it_may_is_told() {
        let before = counts(&[("a", 100.0), ("b", 100.0), ("c", 100.0), ("d", 100.0)]);
        let now = counts(&[("a", 102.9), ("b", 103.1), ("c", 96.0), ("e", 1.0)]);
        let problems = compare(&before, &now, TOLERANCE);
        assert_eq!(
            problems,
            [
                "b, kumi: 103.1 instead of 100.0, +3.1 %",
                "c, kumi: 96.0 instead of 100.0, -4.0 %",
                "e, kumi: new, 1.0",
                "d, kumi: gone",
            ]
        );
    }

    #[test]
    fn what_is_written_can_be_read() {
        let all = counts(&[("a 10", 12.5), ("b", 3.0)]);
        let read = Expected::read(&write("rustc 1 on x", &all)).unwrap();
        assert_eq!((read.compiler.as_str(), read.counts), ("rustc 1 on x", all));
        assert!(Expected::read("rustc\na\tb").is_err());
    }

    #[test]
    fn the_total_of_a_file() {
        assert_eq!(total("events: Ir\nsummary: 12\n"), Some(12));
        assert_eq!(total("fn=x\ntotals: 7\n"), Some(7));
        assert_eq!(total("nothing"), None);
    }
}
