//! Compares the backends of Kumi with the native API of the same runtime; see `README.md`.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "the table is the purpose of the program"
)]

mod block_on;
mod blocking;
mod cancel;
mod channel;
mod combine;
mod competitors;
mod completed;
mod echo;
mod host;
mod loads;
mod measure;
mod python;
mod spawn;
mod spawned;
mod timers;
mod wake;

use std::io;
use std::time::Duration;

use clap::Parser;
use measure::{Competitor, Settings, Verdict};

/// Compares the backends of Kumi with the native API of the same runtime.
#[derive(Debug, Parser)]
struct Args {
    /// Only the scenarios whose name contains this; with `^` in front, those that begin with it; with `=`,
    /// the one that is called so; `python`, for the own loop beside asyncio and uvloop.
    filter: Option<String>,
    /// Only this competitor, by its whole name, with one run per round: for a profiler.
    #[arg(long)]
    only: Option<String>,
    /// How many rounds.
    #[arg(long, default_value_t = 41)]
    rounds: usize,
    /// Only the scenarios of the own loop, which have the marks.
    #[arg(long)]
    marks: bool,
    /// One short round: does everything run?
    #[arg(long)]
    smoke: bool,
}

/// One scenario: its name, what one unit is, and who takes part.
struct Scenario {
    name: String,
    units: usize,
    competitors: Vec<Competitor>,
}

/// A scenario that is set up only if it is wanted: some hold threads and descriptors.
struct Plan {
    name: String,
    make: Box<dyn FnOnce() -> io::Result<Scenario>>,
}

impl Plan {
    fn later(
        name: String,
        units: usize,
        make: impl FnOnce() -> io::Result<Vec<Competitor>> + 'static,
    ) -> Self {
        let title = name.clone();
        let scenario = move || {
            Ok(Scenario {
                name: title,
                units,
                competitors: make()?,
            })
        };
        Self {
            name,
            make: Box::new(scenario),
        }
    }
}

impl From<Scenario> for Plan {
    fn from(scenario: Scenario) -> Self {
        Self {
            name: scenario.name.clone(),
            make: Box::new(|| Ok(scenario)),
        }
    }
}

fn main() -> io::Result<()> {
    let args = Args::parse();
    let settings = Settings {
        rounds: if args.smoke { 1 } else { args.rounds.max(3) },
        // A profiler is shown the same number of runs each time.
        at_least: match args.smoke || args.only.is_some() {
            true => Duration::ZERO,
            false => Duration::from_millis(1),
        },
    };
    if args.filter.as_deref().is_none_or(|it| it == "python") && !args.marks {
        let few = Settings {
            rounds: settings.rounds.min(11),
            ..settings
        };
        python::run(&few, args.smoke, of_the_loop(args.smoke))?;
    }
    let mut plans = of_the_loop(args.smoke);
    if !args.marks {
        plans.extend(others(args.smoke)?);
    }
    let mut verdicts = Vec::new();
    for plan in plans {
        if !args.filter.as_deref().is_none_or(|it| fits(it, &plan.name)) {
            continue;
        }
        let mut scenario = (plan.make)()?;
        if let Some(only) = &args.only {
            scenario.competitors.retain(|who| who.name == only);
            scenario
                .competitors
                .iter_mut()
                .for_each(|who| who.base = who.name);
        }
        println!("\n{} ({} rounds)", scenario.name, settings.rounds);
        verdicts.extend(measure::run(
            &settings,
            &scenario.name,
            scenario.units,
            &mut scenario.competitors,
        ));
    }
    if !args.smoke && !verdicts.is_empty() {
        Verdict::print(&verdicts);
        if cfg!(not(all(feature = "peers", target_os = "linux"))) {
            println!("without monoio, glommio and compio: they need Linux and the feature `peers`");
        }
    }
    Ok(())
}

fn fits(filter: &str, name: &str) -> bool {
    match (filter.strip_prefix('^'), filter.strip_prefix('=')) {
        (Some(beginning), _) => name.starts_with(beginning),
        (_, Some(all)) => name == all,
        _ => name.contains(filter),
    }
}

/// The scenarios of the own loop; small ones if nothing is to be measured.
fn of_the_loop(smoke: bool) -> Vec<Plan> {
    let mut all = spawn::scenarios(smoke);
    all.extend(wake::scenarios(smoke));
    all.extend(timers::scenarios(smoke));
    all.extend(cancel::limits());
    all.extend(block_on::scenarios(smoke));
    all.extend(blocking::scenarios(smoke));
    all.extend(echo::scenarios(smoke));
    all
}

/// Those of tasks, combinators and channels.
fn others(smoke: bool) -> io::Result<Vec<Plan>> {
    let mut all = cancel::scenarios(smoke)?;
    for (name, children) in [("spawned gather 1 000", 1_000), ("spawned gather 10", 10)] {
        all.push(Scenario {
            name: name.to_owned(),
            units: children,
            competitors: spawned::gathers(children)?,
        });
    }
    all.extend(combine::scenarios(smoke));
    all.extend(completed::scenarios(smoke));
    all.extend(channel::scenarios(smoke)?);
    Ok(all.into_iter().map(Plan::from).collect())
}
