//! `cargo x compare`: runs the benches, and makes the page, the charts and the tables of what they found.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use kumi_report::Run;

use crate::checks::benches;
use crate::generated;
use crate::instructions;
use crate::page;
use crate::process::{Cmd, Failure, Result, read};
use crate::workspace::Workspace;

/// What is compared, and with what.
#[derive(Debug, Default, Args)]
pub(crate) struct Compare {
    /// Only the scenarios whose name contains this; with `^` in front, those that begin with it; with `=`,
    /// the one that is called so
    filter: Option<String>,
    /// Takes about a minute: few short rounds, no size above 10 000
    #[arg(long)]
    quick: bool,
    /// How many rounds; more say more on a noisy machine
    #[arg(long)]
    rounds: Option<usize>,
    /// Also show what changed since an earlier run: its `run.json`
    #[arg(long, value_name = "FILE")]
    baseline: Option<PathBuf>,
    /// Also count instructions, with valgrind; takes some minutes more
    #[arg(long)]
    instructions: bool,
    /// Without monoio, glommio and compio, which take half a minute to build
    #[arg(long)]
    no_peers: bool,
    /// Keep this run in the repository: the chart and the table of the README and the guide are made from it
    #[arg(long)]
    keep: bool,
    /// Measure nothing, and make the page of this run: a `run.json`
    #[arg(long, value_name = "FILE", conflicts_with_all = ["filter", "quick", "rounds", "instructions", "no_peers"])]
    from: Option<PathBuf>,
}

/// Where everything is written, below the target directory.
const DIR: &str = "compare";

pub(crate) fn run(ws: &Workspace, options: &Compare) -> Result {
    let baseline = options.baseline.as_deref().map(load).transpose()?;
    let dir = ws.target_dir.join(DIR);
    fs::create_dir_all(&dir)
        .map_err(|error| Failure::new(format!("cannot make {}: {error}", dir.display())))?;
    let run = match &options.from {
        Some(file) => load(file)?,
        None => measure(ws, options, &dir)?,
    };
    let files = kumi_report::write(&run, baseline.as_ref(), &dir)
        .map_err(|error| Failure::new(format!("cannot write to {}: {error}", dir.display())))?;
    if options.keep {
        generated::keep(ws, &run)?;
    }
    println!();
    for conclusion in kumi_report::conclusions(&run).whole {
        println!("{}: {}", conclusion.topic, conclusion.text);
    }
    if let Some(baseline) = &baseline {
        for sentence in kumi_report::compare(&run, baseline).sentences {
            println!("{sentence}");
        }
    }
    let page = files.first().map_or(dir.as_path(), PathBuf::as_path);
    println!("\nthe whole of it: {}", page.display());
    Ok(())
}

/// All of it once, as a user would begin: does everything run, and is the page that comes of it in order?
pub(crate) fn smoke(ws: &Workspace) -> Result {
    let options = Compare {
        quick: true,
        no_peers: true,
        ..Compare::default()
    };
    run(ws, &options)?;
    page::run(ws, Some(&ws.target_dir.join(DIR).join("run.json")))
}

fn load(file: &Path) -> Result<Run> {
    Run::from_json(&read(file)?)
        .map_err(|error| Failure::new(format!("{}: {error}", file.display())))
}

/// Runs the benches, then counts what can be counted.
fn measure(ws: &Workspace, options: &Compare, dir: &Path) -> Result<Run> {
    let features: &[&str] = match options.no_peers {
        true => &[],
        false => &["--features", "peers"],
    };
    let build = |name| benches(ws, features, name, "build the benches");
    let (timing, counting) = (build("kumi-benches")?, build("kumi-allocations")?);
    let file = dir.join("measured.json");
    let mut which: Vec<String> = options.filter.iter().cloned().collect();
    if options.quick {
        which.push("--quick".to_owned());
    }
    let rounds = options.rounds.map(|rounds| format!("--rounds={rounds}"));
    Cmd::new(&timing, &ws.root)
        .args(["--progress", "--json"])
        .args([&file])
        .args(&which)
        .args(rounds)
        .run("benches")?;
    let mut run = load(&file)?;
    run.command = command(options);
    let counted = Cmd::new(&counting, &ws.root)
        .args(&which)
        .stdout("allocations")?;
    add_allocations(&mut run, &counted)?;
    if options.instructions {
        let which: Vec<_> = which.iter().map(String::as_str).collect();
        let counts = instructions::count(ws, &timing, &which)?;
        for (title, one) in competitors(&mut run) {
            one.instructions = counts.get(&(title, one.name.clone())).copied();
        }
    }
    Ok(run)
}

/// What one types to get such a run.
fn command(options: &Compare) -> String {
    let mut command = "cargo x compare".to_owned();
    if options.quick {
        command.push_str(" --quick");
    }
    if let Some(rounds) = options.rounds {
        command.push_str(&format!(" --rounds {rounds}"));
    }
    if options.instructions {
        command.push_str(" --instructions");
    }
    if options.no_peers {
        command.push_str(" --no-peers");
    }
    if let Some(filter) = &options.filter {
        command.push_str(&format!(" '{filter}'"));
    }
    command
}

/// Each competitor, with the title of its scenario.
fn competitors(
    run: &mut Run,
) -> impl Iterator<Item = (String, &mut kumi_report::data::Competitor)> {
    run.scenarios.iter_mut().flat_map(|scenario| {
        let title = scenario.title();
        let all = scenario.competitors.iter_mut();
        all.map(move |one| (title.clone(), one))
    })
}

/// Adds what was counted: lines of scenario, competitor, allocations and bytes.
fn add_allocations(run: &mut Run, counted: &str) -> Result {
    let mut counts = HashMap::new();
    for line in counted.lines() {
        let fields: Vec<_> = line.split('\t').collect();
        let wrong = || Failure::new(format!("the benches print: {line}"));
        let &[scenario, who, allocations, bytes] = fields.as_slice() else {
            return Err(wrong());
        };
        let number = |text: &str| text.parse::<f64>().map_err(|_| wrong());
        let both = (number(allocations)?, number(bytes)?);
        counts.insert((scenario.to_owned(), who.to_owned()), both);
    }
    for (title, one) in competitors(run) {
        if let Some((allocations, bytes)) = counts.get(&(title, one.name.clone())) {
            (one.allocations, one.bytes) = (Some(*allocations), Some(*bytes));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_what_one_types() {
        let options = Compare {
            filter: Some("^gather".to_owned()),
            quick: true,
            rounds: Some(3),
            instructions: true,
            no_peers: true,
            ..Compare::default()
        };
        assert_eq!(
            command(&options),
            "cargo x compare --quick --rounds 3 --instructions --no-peers '^gather'"
        );
    }
}
