//! The same programs in Python, for orientation: on asyncio and on uvloop, where they are installed.

use std::collections::HashMap;
use std::io;
use std::process::{Command, Stdio};

use crate::measure::{Settings, alone};
use crate::plan::Plan;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/workloads.py");

/// Prints what asyncio, uvloop and the own loop take.
pub(crate) fn run(settings: &Settings, smoke: bool, plans: Vec<Plan>) -> io::Result<()> {
    println!("\nPython, for orientation");
    let Some(asyncio) = times_of("asyncio", smoke) else {
        println!("skipped: `python3` does not run, or not these programs");
        return Ok(());
    };
    let uvloop = times_of("uvloop", smoke);
    if uvloop.is_none() {
        println!("without uvloop: `python3` cannot import it");
    }
    println!(
        "{:22} {:>12} {:>12} {:>14} {:>9}",
        "ns", "asyncio", "uvloop", "kumi on loop", "asyncio/"
    );
    for plan in plans {
        let Some(asyncio) = asyncio.get(&plan.name()) else {
            continue;
        };
        let uvloop = uvloop.as_ref().and_then(|times| times.get(&plan.name()));
        let (name, units) = (plan.name(), plan.units);
        let mut competitors = plan.make()?;
        let own = competitors.iter_mut();
        let own = own.into_iter().find(|one| one.name == "kumi on loop");
        let ours = alone(settings, units, own.expect("it takes part"));
        println!(
            "{:22} {:>12.0} {:>12} {:>14.0} {:>9.0}",
            name,
            asyncio,
            uvloop.map_or("-".to_owned(), |time| format!("{time:.0}")),
            ours,
            asyncio / ours,
        );
    }
    Ok(())
}

/// Nanoseconds per unit, by workload; none if there is no such loop.
fn times_of(event_loop: &str, smoke: bool) -> Option<HashMap<String, f64>> {
    let output = Command::new("python3")
        .args([PROGRAM, event_loop])
        .args(smoke.then_some("--smoke"))
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let lines = text.lines().filter_map(|line| {
        let (name, nanos) = line.split_once('\t')?;
        Some((name.to_owned(), nanos.parse().ok()?))
    });
    output.status.success().then(|| lines.collect())
}
