//! Compares the backends of Kumi with the native API of the same runtime; see `README.md`.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "the table is the purpose of the program"
)]

mod cancel;
mod channel;
mod combine;
mod competitors;
mod completed;
mod loads;
mod measure;
mod spawned;

use clap::Parser;
use measure::{Competitor, Settings};

/// Compares the backends of Kumi with the native API of the same runtime.
#[derive(Debug, Parser)]
struct Args {
    /// Only the scenarios whose name contains this; with `^` in front, those that begin with it.
    filter: Option<String>,
    /// Only this competitor, by its whole name: for a profiler.
    #[arg(long)]
    only: Option<String>,
    /// How many rounds.
    #[arg(long, default_value_t = 41)]
    rounds: usize,
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

fn main() -> std::io::Result<()> {
    let args = Args::parse();
    let settings = Settings {
        rounds: if args.smoke { 1 } else { args.rounds.max(3) },
        at_least: std::time::Duration::from_micros(if args.smoke { 0 } else { 1_000 }),
    };
    let sizes = [("spawn 1 000", 1_000), ("spawn 10", 10)];
    let mut scenarios = Vec::new();
    for (name, tasks) in sizes {
        let competitors = competitors::spawn(tasks)?;
        scenarios.push(Scenario {
            name: name.to_owned(),
            units: tasks,
            competitors,
        });
    }
    for (name, tasks, yields) in [
        ("yield, 1 task", 1, 10_000),
        ("yield, 100 tasks", 100, 1_000),
    ] {
        let yields = if args.smoke { 10 } else { yields };
        let competitors = competitors::yields(tasks, yields)?;
        scenarios.push(Scenario {
            name: name.to_owned(),
            units: tasks * yields,
            competitors,
        });
    }
    for (name, count, yields) in [
        ("timeout, ready", 1_000, 0),
        ("timeout, yields once", 1_000, 1),
        ("timeout, yields ten times", 1_000, 10),
    ] {
        scenarios.push(Scenario {
            name: name.to_owned(),
            units: count,
            competitors: cancel::timeouts(count, yields)?,
        });
    }
    scenarios.push(Scenario {
        name: "poll through a scope".to_owned(),
        units: 10_000,
        competitors: cancel::polls(10_000),
    });
    for (name, children) in [("group 1 000", 1_000), ("group 10", 10)] {
        scenarios.push(Scenario {
            name: name.to_owned(),
            units: children,
            competitors: cancel::groups(children)?,
        });
    }
    for (name, children) in [("spawned gather 1 000", 1_000), ("spawned gather 10", 10)] {
        scenarios.push(Scenario {
            name: name.to_owned(),
            units: children,
            competitors: spawned::gathers(children)?,
        });
    }
    for (name, children) in [
        ("cancel a group of 1 000", 1_000),
        ("cancel a group of 100 000", 100_000),
    ] {
        let children = if args.smoke { 10 } else { children };
        scenarios.push(Scenario {
            name: name.to_owned(),
            units: children,
            competitors: cancel::cancelled_groups(children)?,
        });
    }
    scenarios.extend(combine::scenarios(args.smoke));
    scenarios.extend(completed::scenarios(args.smoke));
    scenarios.extend(channel::scenarios(args.smoke)?);
    for scenario in &mut scenarios {
        if let Some(only) = &args.only {
            scenario.competitors.retain(|who| who.name == only);
            scenario
                .competitors
                .iter_mut()
                .for_each(|who| who.base = who.name);
        }
        let fits = |filter: &str| match filter.strip_prefix('^') {
            Some(beginning) => scenario.name.starts_with(beginning),
            None => scenario.name.contains(filter),
        };
        if !args.filter.as_deref().is_none_or(fits) {
            continue;
        }
        println!("\n{} ({} rounds)", scenario.name, settings.rounds);
        measure::run(&settings, scenario.units, &mut scenario.competitors);
    }
    Ok(())
}
