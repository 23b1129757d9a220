//! What stands in the repository and is made from a run of the benches: a block of the README, its chart, and
//! the page "which backend should I take?".
//!
//! The run is kept beside them, so that anybody can see that no figure was typed: the check makes all three
//! again and compares.

use std::fs;
use std::path::Path;

use kumi_report::Run;

use crate::process::{Failure, Result, read};
use crate::workspace::Workspace;

/// The run, relative to the root.
const RUN: &str = "benches/results/run.json";
const CHART: &str = "benches/results/backends.svg";
const GUIDE: &str = "docs/which-backend.md";
const README: &str = "README.md";

/// What no run can tell: how the guide begins.
const INTRODUCTION: &str = "\
# Which backend should I take?

A program does not change with its backend, so the question can wait: begin with the default, the own loop, and
change the feature flag when something below speaks for another. What speed cannot decide comes first:

- What your libraries need: those of tokio's ecosystem want a tokio runtime around them, and inside a program that
  runs on tokio or smol already Kumi runs there too.
- More than one core: tokio and smol move tasks between threads. The own loop does not; `LoopPool` is one loop per
  core, each with its own tasks.
- Tests: the simulator, beside whichever you take.

All else on this page is made by `cargo x compare --keep` from one run of the benches, which is kept in
`benches/results/run.json`; on another machine `cargo x compare` gives the answer for that machine.

";

/// Between these lines the README is made.
const BEGIN: &str = "<!-- made by `cargo x generated --update` from benches/results/run.json -->\n";
const END: &str = "<!-- end of what is made -->\n";

/// Whether all is as it would be made now; with `update`, makes it.
pub(crate) fn check(ws: &Workspace, update: bool) -> Result {
    let stale: Vec<_> = made(ws)?
        .into_iter()
        .filter(|(file, text)| fs::read_to_string(ws.root.join(file)).ok().as_ref() != Some(text))
        .collect();
    if !update {
        let names: Vec<_> = stale.iter().map(|(file, _)| *file).collect();
        return match names.is_empty() {
            true => Ok(()),
            false => Err(Failure::new(format!(
                "not what is made from {RUN}: {}; run `cargo x generated --update`",
                names.join(", ")
            ))),
        };
    }
    for (file, text) in stale {
        println!("writing {file}");
        write(&ws.root.join(file), &text)?;
    }
    Ok(())
}

/// Keeps a run as the one from which the rest is made.
pub(crate) fn keep(ws: &Workspace, run: &Run) -> Result {
    write(&ws.root.join(RUN), &run.to_json())?;
    check(ws, true)
}

fn write(file: &Path, text: &str) -> Result {
    let error = |error| Failure::new(format!("cannot write {}: {error}", file.display()));
    if let Some(dir) = file.parent() {
        fs::create_dir_all(dir).map_err(error)?;
    }
    fs::write(file, text).map_err(error)
}

/// Each file and what it should contain.
fn made(ws: &Workspace) -> Result<Vec<(&'static str, String)>> {
    let run = Run::from_json(&read(&ws.root.join(RUN))?)
        .map_err(|error| Failure::new(format!("{RUN}: {error}")))?;
    let command = format!("{} --keep", run.command);
    let block = kumi_report::readme_block(&run, &command, CHART);
    let readme = with_block(&read(&ws.root.join(README))?, &block)?;
    Ok(vec![
        (README, readme),
        (CHART, kumi_report::readme_chart(&run)),
        (GUIDE, format!("{INTRODUCTION}{}", kumi_report::guide(&run))),
    ])
}

/// The text with the block between its two lines.
fn with_block(text: &str, block: &str) -> Result<String> {
    let parts = text
        .split_once(BEGIN)
        .and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) = parts.ok_or_else(|| {
        Failure::new(format!("{README} misses one of these lines:\n{BEGIN}{END}"))
    })?;
    Ok(format!("{before}{BEGIN}\n{}\n\n{END}{after}", block.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_lines_is_made() {
        let text = format!("before\n{BEGIN}old\n{END}after\n");
        let made = with_block(&text, "new\n").unwrap();
        assert_eq!(made, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(with_block(&made, "new").unwrap(), made);
        assert!(with_block("no lines", "new").is_err());
    }
}
