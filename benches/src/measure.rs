//! Interleaved rounds, and the table of what they gave.

use std::time::{Duration, Instant};

/// How long to measure.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) at_least: Duration,
}

/// One who takes part in a scenario.
pub(crate) struct Competitor {
    pub(crate) name: &'static str,
    /// The competitor to whom the ratio is taken.
    pub(crate) base: &'static str,
    /// Runs the scenario once and checks its result.
    pub(crate) run: Box<dyn FnMut()>,
}

/// The spread of a base, in its middle half, above which the table carries a warning.
const NOISY: f64 = 0.3;

/// Runs all rounds and prints the table.
pub(crate) fn run(settings: &Settings, units: usize, competitors: &mut [Competitor]) {
    let count = competitors.len();
    for competitor in competitors.iter_mut() {
        (competitor.run)();
    }
    let mut times = vec![Vec::new(); count];
    for round in 0..settings.rounds {
        for turn in 0..count {
            let who = (round + turn) % count;
            times[who].push(once(settings.at_least, units, &mut *competitors[who].run));
        }
    }
    println!(
        "{:34} {:>10} {:>10} {:>9}  to",
        "", "median ns", "min ns", "ratio"
    );
    for (who, competitor) in competitors.iter().enumerate() {
        let base = competitors
            .iter()
            .position(|other| other.name == competitor.base);
        let base = &times[base.expect("the base takes part")];
        let ratios = times[who]
            .iter()
            .zip(base)
            .map(|(mine, other)| mine / other)
            .collect();
        println!(
            "{:34} {:>10.1} {:>10.1} {:>9.2}  {}",
            competitor.name,
            quantile(times[who].clone(), 0.5),
            quantile(times[who].clone(), 0.0),
            quantile(ratios, 0.5),
            competitor.base,
        );
    }
    for (who, competitor) in competitors.iter().enumerate() {
        let is_base = competitors
            .iter()
            .any(|other| other.base == competitor.name);
        let at = |q| quantile(times[who].clone(), q);
        let spread = (at(0.75) - at(0.25)) / at(0.5);
        if is_base && settings.rounds > 3 && spread > NOISY {
            println!(
                "warning: {} varied by {:.0} %: noisy",
                competitor.name,
                spread * 100.0
            );
        }
    }
}

/// Nanoseconds per unit, over as many runs as it takes.
fn once(at_least: Duration, units: usize, run: &mut dyn FnMut()) -> f64 {
    let start = Instant::now();
    let mut runs = 0;
    loop {
        run();
        runs += 1;
        let elapsed = start.elapsed();
        if elapsed >= at_least {
            return elapsed.as_nanos() as f64 / (runs * units) as f64;
        }
    }
}

fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}
