//! Faults in core that a sanitizer has to report.
//!
//! Tests without a report show nothing by themselves: the flags may have been lost on the way, or the output. So
//! faults are seeded, one at a time, in the programs that have just run. They are some of those that the models
//! of core must notice (`crates/core/tests/loom/teeth.txt`).

use std::time::Duration;

use super::{Sanitizer, folder};
use crate::process::{Executable, Result};
use crate::workspace::Workspace;

/// With it core reads the name of a fault from [`FAULT`]; without, that is a constant no.
pub(super) const CFG: &str = "kumi_faults";

const FAULT: &str = "KUMI_SEEDED_FAULT";

/// A fault may be a wake that is lost, so some tests may never end.
const LIMIT: Duration = Duration::from_secs(120);

/// A fault, and where it has to be reported.
pub(super) struct Tooth {
    pub(super) fault: &'static str,
    /// The folder of a package, and a program of its tests.
    pub(super) program: (&'static str, &'static str),
    /// Part of the names of the tests that run.
    pub(super) tests: &'static str,
    /// What the report speaks of.
    pub(super) report: &'static str,
}

/// The faults that were not reported, of those whose package is among the programs.
pub(super) fn check(
    ws: &Workspace,
    sanitizer: &Sanitizer,
    programs: &[Executable],
) -> Result<Vec<String>> {
    let mut failed = Vec::new();
    for tooth in sanitizer.teeth {
        let Tooth { fault, tests, .. } = tooth;
        let (dir, target) = tooth.program;
        let mut package = programs
            .iter()
            .filter(|program| folder(ws, program) == dir)
            .peekable();
        if package.peek().is_none() {
            continue;
        }
        let Some(program) = package.find(|program| program.target == target) else {
            failed.push(format!("{dir} has no {target} for the fault {fault}"));
            continue;
        };
        let cmd = sanitizer
            .command(ws, program)
            .args([tests])
            .env(FAULT, fault);
        let finished = cmd.within(LIMIT, sanitizer.step)?;
        let took = finished.took.as_secs_f64();
        if sanitizer.reports(&finished) > 0 && finished.stderr.contains(tooth.report) {
            println!("fault {fault}: reported in {dir}, {target} ({took:.1} s)");
            continue;
        }
        let ending = finished.ending();
        println!("fault {fault}: NOT reported in {dir}, {target} ({took:.1} s, {ending})");
        failed.push(format!("{target} of {dir}: fault {fault} is not reported"));
    }
    Ok(failed)
}
