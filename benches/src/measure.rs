//! Interleaved rounds of one scenario, and what they gave.

use std::time::Duration;

use crate::competitor::{Competitor, Work};
use crate::watch::{Counter, Watch};

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) at_least: Duration,
}

/// The rounds of all who took part: nanoseconds per unit, in the same order for each of them.
pub(crate) fn rounds(
    settings: &Settings,
    units: usize,
    competitors: &mut [Competitor],
) -> Vec<Vec<f64>> {
    let count = competitors.len();
    for competitor in competitors.iter_mut() {
        run(competitor, 1, &mut Watch::new(competitor.clock));
    }
    let mut times = vec![Vec::new(); count];
    for round in 0..settings.rounds {
        for turn in 0..count {
            let who = (round + turn) % count;
            times[who].push(once(settings.at_least, units, &mut competitors[who]));
        }
    }
    times
}

/// The median of one alone.
pub(crate) fn alone(settings: &Settings, units: usize, competitor: &mut Competitor) -> f64 {
    run(competitor, 1, &mut Watch::new(competitor.clock));
    let times = (0..settings.rounds).map(|_| once(settings.at_least, units, competitor));
    quantile(times.collect(), 0.5)
}

/// Allocations and bytes per unit, of a second run; none where no part of it can be counted.
pub(crate) fn allocations(
    counter: Counter,
    units: usize,
    competitor: &mut Competitor,
) -> Option<(f64, f64)> {
    run(competitor, 1, &mut Watch::new(competitor.clock));
    let mut watch = Watch::counting(Some(counter));
    run(competitor, 1, &mut watch);
    let per = |count: u64| count as f64 / units as f64;
    let allocated = watch.allocated;
    (watch.entered > 0).then(|| (per(allocated.count), per(allocated.bytes)))
}

/// So many units at least, if it can be repeated, have their instructions counted: now and then an allocator
/// tidies up, and a short run would be all about that.
const COUNTED: usize = 10_000;

/// How many units each of two runs is, and how often each enters the function whose instructions are counted.
pub(crate) fn entered(units: usize, competitor: &mut Competitor) -> (usize, [usize; 2]) {
    let times = match competitor.work {
        Work::Whole(_) => COUNTED.div_ceil(units),
        Work::Parts(_) => 1,
    };
    let entered = [(); 2].map(|()| {
        let mut watch = Watch::new(competitor.clock);
        run(competitor, times, &mut watch);
        watch.entered
    });
    (times * units, entered)
}

/// Nanoseconds per unit, over as many runs as it takes.
fn once(at_least: Duration, units: usize, competitor: &mut Competitor) -> f64 {
    let mut watch = Watch::new(competitor.clock);
    let (mut runs, mut batch) = (0, 1);
    loop {
        run(competitor, batch, &mut watch);
        runs += batch;
        if watch.total >= at_least {
            return watch.total.as_nanos() as f64 / (runs * units) as f64;
        }
        // Looking at the clock around each run would cost more than a short run.
        if let Work::Whole(_) = competitor.work {
            batch *= 2;
        }
    }
}

fn run(competitor: &mut Competitor, times: usize, watch: &mut Watch) {
    match &mut competitor.work {
        Work::Whole(run) => watch.time(|| (0..times).for_each(|_| run())),
        Work::Parts(run) => (0..times).for_each(|_| run(watch)),
    }
}

/// The median over the rounds.
pub(crate) fn ratio(mine: &[f64], theirs: &[f64]) -> f64 {
    let ratios = mine.iter().zip(theirs).map(|(mine, other)| mine / other);
    quantile(ratios.collect(), 0.5)
}

pub(crate) fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}
