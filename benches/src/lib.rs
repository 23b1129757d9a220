//! The same scenarios on every backend of Kumi, on the native APIs of the runtimes below, and on their peers.
//!
//! `topics` lists what is compared; a module per subject (`spawn`, `timers`, ...) says who takes part and
//! how; `host` has those who run tasks. A `plan::Plan` is a scenario that is not set up yet, and makes its
//! `competitor::Competitor`s; `measure` runs them in turn, in rounds, and `watch` holds the clock. What
//! comes of it is printed (`table`) and written as data for the page (`record`).
//!
//! There are two programs, since counting allocations slows whoever allocates: one measures time, the other
//! only counts.
#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "the tables are the purpose of the programs"
)]

mod block_on;
mod blocking;
mod cancel;
mod capabilities;
mod channel;
mod combine;
mod competitor;
mod completed;
mod echo;
mod host;
mod http;
mod loads;
mod measure;
mod mixed;
mod plan;
mod python;
mod record;
mod runtimes;
mod spawn;
mod spawned;
mod sync;
mod table;
mod timers;
mod topics;
mod wake;
mod watch;

use std::fs;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};
use kumi_report::data::Clock;
use kumi_report::{Run, fits};

use crate::competitor::Competitor;
use crate::measure::Settings;
use crate::plan::Plan;
use crate::record::Record;
use crate::table::Verdict;
use crate::topics::{TOPICS, Topic};

pub use crate::watch::{Allocated, Counter};

/// Compares the backends of Kumi with the native API of the same runtime.
#[derive(Debug, Parser)]
struct Args {
    /// Only the scenarios whose name contains this; with `^` in front, those that begin with it; with `=`,
    /// the one that is called so; `python`, for the own loop beside asyncio and uvloop.
    filter: Option<String>,
    /// Only this competitor, by its whole name, with one run per round: for a profiler.
    #[arg(long)]
    only: Option<String>,
    /// How many rounds: 41, or 7 with `--quick`.
    #[arg(long)]
    rounds: Option<usize>,
    /// Few short rounds, no size above 10 000, and nothing that takes long.
    #[arg(long)]
    quick: bool,
    /// Only the scenarios that have marks of the own loop.
    #[arg(long)]
    marks: bool,
    /// One short round: does everything run?
    #[arg(long, conflicts_with = "json")]
    smoke: bool,
    /// Writes what was measured to this file, as data.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Shows a progress bar instead of tables.
    #[arg(long)]
    progress: bool,
    /// Measures nothing; for each competitor that can be counted, runs it twice and prints scenario, name,
    /// units, and the numbers of the first and the last entry of `measured` in its second run.
    #[arg(long, conflicts_with_all = ["json", "marks"])]
    entries: bool,
    /// Of these only those that take as many instructions in each run.
    #[arg(long, requires = "entries")]
    steady: bool,
}

/// The largest size with `--quick`.
const QUICK_SIZE: usize = 10_000;

impl Args {
    fn settings(&self) -> Settings {
        let (rounds, at_least) = match (self.smoke, self.quick) {
            (true, _) => (1, Duration::ZERO),
            (_, true) => (7, Duration::from_micros(300)),
            _ => (41, Duration::from_millis(1)),
        };
        Settings {
            rounds: self.rounds.map_or(rounds, |rounds| rounds.max(3)),
            // A profiler is shown the same number of runs each time.
            at_least: match self.only {
                Some(_) => Duration::ZERO,
                None => at_least,
            },
        }
    }

    fn wants(&self, plan: &Plan) -> bool {
        let named = self.filter.as_deref();
        named.is_none_or(|filter| fits(filter, &plan.name()))
            && !(self.quick && (plan.slow || plan.size.is_some_and(|size| size > QUICK_SIZE)))
    }
}

/// Measures, as the command line says.
///
/// # Errors
///
/// A runtime cannot be made, or a file cannot be written.
pub fn main() -> io::Result<()> {
    let args = Args::parse();
    let settings = args.settings();
    if args.smoke {
        agree()?;
    }
    if args.filter.as_deref() == Some("python") {
        return python::run(&settings, args.smoke, all(args.smoke));
    }
    let plans: Vec<_> = all(args.smoke)
        .into_iter()
        .filter(|plan| args.wants(plan))
        .collect();
    if plans.is_empty() {
        return Err(io::Error::other("no scenario fits this filter"));
    }
    if args.entries {
        return entries(plans, args.only.as_deref(), args.steady);
    }
    let bar = args.progress.then(|| progress(plans.len()));
    let mut record = Record::new(if args.quick { "quick" } else { "full" });
    let mut verdicts = Vec::new();
    for plan in plans {
        let (name, topic, size, units) = (plan.name(), plan.topic, plan.size, plan.units);
        if let Some(bar) = &bar {
            bar.set_message(name.clone());
        }
        let mut competitors = plan.make()?;
        if args.marks && competitors.iter().all(|one| one.marks.is_empty()) {
            continue;
        }
        if let Some(only) = &args.only {
            retain(&mut competitors, only);
        }
        if bar.is_none() {
            println!("\n{name} ({} rounds)", settings.rounds);
        }
        let times = measure::rounds(&settings, units, &mut competitors);
        match &bar {
            Some(bar) => bar.inc(1),
            None => table::print(&competitors, &times),
        }
        verdicts.extend(table::judge(&name, &competitors, &times));
        record.add(topic, size, &competitors, times);
    }
    if let Some(bar) = bar {
        bar.finish_and_clear();
    } else if !args.smoke && !verdicts.is_empty() {
        Verdict::print(&verdicts);
    }
    if !args.smoke && !cfg!(all(feature = "peers", target_os = "linux")) {
        println!("without monoio, glommio and compio: they need Linux and the feature `peers`");
    }
    args.json.map_or(Ok(()), |file| record.write(&file))
}

/// Runs each competitor twice, and prints a line for it: scenario, name, allocations and bytes per unit.
///
/// # Errors
///
/// A runtime cannot be made.
pub fn count_allocations(counter: Counter) -> io::Result<()> {
    let args = Args::parse();
    for plan in all(false).into_iter().filter(|plan| args.wants(plan)) {
        let (name, units) = (plan.name(), plan.units);
        for mut one in plan.make()? {
            // What other threads allocate is not seen.
            if one.clock == Clock::Wall {
                continue;
            }
            if let Some((count, bytes)) = measure::allocations(counter, units, &mut one) {
                println!("{name}\t{}\t{count}\t{bytes}", one.name);
            }
        }
    }
    Ok(())
}

/// Prints which entries of `measured` belong to whom.
///
/// Whoever is not steady does not even run beside those that are: it would leave the heap another each time.
fn entries(plans: Vec<Plan>, only: Option<&str>, steady: bool) -> io::Result<()> {
    let mut before = 0;
    for plan in plans {
        if steady && !plan.topic.is_steady() {
            continue;
        }
        let (name, units) = (plan.name(), plan.units);
        let mut competitors = plan.make()?;
        // Threads share the counts.
        competitors.retain(|one| one.clock == Clock::Thread);
        competitors.retain(|one| only.is_none_or(|only| one.name == only));
        competitors.retain(|one| !steady || one.is_steady());
        for mut one in competitors {
            let (units, [first, second]) = measure::entered(units, &mut one);
            let (begin, end) = (before + first + 1, before + first + second);
            if second > 0 {
                println!("{name}\t{}\t{units}\t{begin}\t{end}", one.name);
            }
            before = end;
        }
    }
    Ok(())
}

fn retain(competitors: &mut Vec<Competitor>, only: &str) {
    competitors.retain(|who| who.name == only);
    for one in competitors {
        one.base = one.name;
    }
}

fn progress(scenarios: usize) -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len}  {elapsed}  {msg}");
    let bar = ProgressBar::new(scenarios as u64);
    bar.set_style(style.expect("the template is well-formed"));
    bar
}

/// All scenarios; small ones if nothing is to be measured.
fn all(smoke: bool) -> Vec<Plan> {
    let mut all = spawn::scenarios(smoke);
    all.extend(wake::scenarios(smoke));
    all.extend(block_on::scenarios(smoke));
    all.extend(blocking::scenarios(smoke));
    all.extend(timers::scenarios(smoke));
    all.extend(cancel::scenarios(smoke));
    all.extend(spawned::scenarios(smoke));
    all.extend(combine::scenarios(smoke));
    all.extend(completed::scenarios(smoke));
    all.extend(channel::scenarios(smoke));
    all.extend(sync::scenarios(smoke));
    all.extend(echo::scenarios(smoke));
    all.extend(http::scenarios(smoke));
    all.extend(mixed::scenarios(smoke));
    all
}

/// The run that is kept in the repository.
const KEPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results/run.json");

/// Whether the list of topics, the scenarios and the README name the same things in the same order, and the
/// kept run says of the backends what they can do now.
fn agree() -> io::Result<()> {
    let mut made: Vec<_> = all(true).iter().map(|plan| plan.topic.name).collect();
    // The sizes of a topic stand together.
    made.dedup();
    let listed: Vec<_> = TOPICS.iter().map(|topic| topic.name).collect();
    if made != listed {
        return Err(io::Error::other(format!(
            "topics.rs lists {listed:?}, and what runs is {made:?}"
        )));
    }
    let sized = |plan: &&Plan| plan.size.is_none() != plan.topic.size_of.is_empty();
    if let Some(plan) = all(true).iter().find(sized) {
        return Err(io::Error::other(format!(
            "topics.rs does not know what the size of {} counts",
            plan.topic.name
        )));
    }
    let readme = include_str!("../README.md");
    let missing = |topic: &&Topic| !readme.contains(&format!("*{}*", topic.name));
    if let Some(topic) = TOPICS.iter().find(missing) {
        return Err(io::Error::other(format!(
            "README.md does not define {}",
            topic.name
        )));
    }
    let kept = Run::from_json(&fs::read_to_string(KEPT)?).map_err(io::Error::other)?;
    if kept.capabilities != capabilities::all() {
        return Err(io::Error::other(
            "the backends can do other things than the kept run says: cargo x compare --keep",
        ));
    }
    Ok(())
}
