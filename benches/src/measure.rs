//! Interleaved rounds, the table of what they gave, and the marks.

use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

/// How long to measure.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    pub(crate) at_least: Duration,
}

/// What a run takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Clock {
    /// Time on the wall.
    Wall,
    /// Time of the processor in this thread: what others do on a shared machine is not in it.
    Thread,
}

/// Adds up the time of those parts of a run that are measured.
#[derive(Debug)]
pub(crate) struct Watch {
    clock: Clock,
    started: Option<Duration>,
    total: Duration,
    epoch: Instant,
}

impl Watch {
    fn new(clock: Clock) -> Self {
        Self {
            clock,
            started: None,
            total: Duration::ZERO,
            epoch: Instant::now(),
        }
    }

    fn now(&self) -> Duration {
        match self.clock {
            Clock::Wall => self.epoch.elapsed(),
            Clock::Thread => {
                let time = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID);
                time.expect("each thread has this clock").into()
            }
        }
    }

    pub(crate) fn start(&mut self) {
        self.started = Some(self.now());
    }

    pub(crate) fn stop(&mut self) {
        let started = self.started.take().expect("it was started");
        self.total += self.now() - started;
    }

    /// Adds what was measured elsewhere: for each time the one in the middle, since some contain a slice of
    /// time that the scheduler gave to others.
    pub(crate) fn add_typical(&mut self, mut times: Vec<Duration>) {
        times.sort();
        let middle = times.get(times.len() / 2);
        self.total += middle.copied().unwrap_or_default() * times.len() as u32;
    }
}

/// One who takes part in a scenario.
pub(crate) struct Competitor {
    pub(crate) name: &'static str,
    /// The competitor to whom the ratio is taken.
    pub(crate) base: &'static str,
    pub(crate) clock: Clock,
    /// What this one has promised.
    pub(crate) marks: Vec<Mark>,
    /// Runs the scenario once and checks its result.
    pub(crate) run: Box<dyn FnMut(&mut Watch)>,
}

/// The most that a competitor may take, as a ratio to the best of some others.
#[derive(Clone, Debug)]
pub(crate) struct Mark {
    pub(crate) at_most: f64,
    pub(crate) best_of: BestOf,
}

/// To whom a mark is taken.
#[derive(Clone, Debug)]
pub(crate) enum BestOf {
    /// All in the scenario who are neither ours nor a floor.
    Peers,
    /// These, if they take part.
    These(&'static [&'static str]),
}

impl BestOf {
    fn includes(&self, name: &str) -> bool {
        match self {
            Self::Peers => !name.starts_with("kumi") && !name.starts_with("floor"),
            Self::These(names) => names.contains(&name),
        }
    }
}

/// What a mark came to.
#[derive(Debug)]
pub(crate) struct Verdict {
    scenario: String,
    who: &'static str,
    at_most: f64,
    best: &'static str,
    ratio: f64,
}

impl Verdict {
    /// Prints all as a table.
    pub(crate) fn print(all: &[Self]) {
        println!(
            "\n{:22} {:>7} {:>7}  {:6}  best of those it is measured against",
            "marks of the own loop", "mark", "ratio", ""
        );
        for it in all {
            println!(
                "{:22} {:>7.2} {:>7.2}  {:6}  {}{}",
                it.scenario,
                it.at_most,
                it.ratio,
                if it.ratio <= it.at_most {
                    "kept"
                } else {
                    "missed"
                },
                it.best,
                match it.who.strip_prefix("kumi on loop") {
                    Some("") => String::new(),
                    _ => format!(" (of {})", it.who),
                },
            );
        }
    }
}

/// The spread of a base, in its middle half, above which the table carries a warning.
const NOISY: f64 = 0.3;

/// Runs all rounds, prints the table, and judges.
pub(crate) fn run(
    settings: &Settings,
    scenario: &str,
    units: usize,
    competitors: &mut [Competitor],
) -> Vec<Verdict> {
    let count = competitors.len();
    for competitor in competitors.iter_mut() {
        (competitor.run)(&mut Watch::new(competitor.clock));
    }
    let mut times = vec![Vec::new(); count];
    for round in 0..settings.rounds {
        for turn in 0..count {
            let who = (round + turn) % count;
            times[who].push(once(settings.at_least, units, &mut competitors[who]));
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
        let base = base.expect("the base takes part");
        println!(
            "{:34} {:>10.1} {:>10.1} {:>9.2}  {}",
            competitor.name,
            quantile(times[who].clone(), 0.5),
            quantile(times[who].clone(), 0.0),
            ratio(&times[who], &times[base]),
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
    judge(scenario, competitors, &times)
}

/// The median of one alone, without a table.
pub(crate) fn alone(settings: &Settings, units: usize, competitor: &mut Competitor) -> f64 {
    (competitor.run)(&mut Watch::new(competitor.clock));
    let times = (0..settings.rounds).map(|_| once(settings.at_least, units, competitor));
    quantile(times.collect(), 0.5)
}

fn judge(scenario: &str, competitors: &[Competitor], times: &[Vec<f64>]) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (who, competitor) in competitors.iter().enumerate() {
        for mark in &competitor.marks {
            let others = competitors.iter().zip(times);
            let ratios = others
                .filter(|(other, _)| mark.best_of.includes(other.name))
                .map(|(other, theirs)| (other.name, ratio(&times[who], theirs)));
            // The best is the one to whom the ratio is largest.
            let best = ratios.max_by(|(_, one), (_, other)| one.total_cmp(other));
            verdicts.extend(best.map(|(best, ratio)| Verdict {
                scenario: scenario.to_owned(),
                who: competitor.name,
                at_most: mark.at_most,
                best,
                ratio,
            }));
        }
    }
    verdicts
}

/// The median over the rounds.
fn ratio(mine: &[f64], theirs: &[f64]) -> f64 {
    let ratios = mine.iter().zip(theirs).map(|(mine, other)| mine / other);
    quantile(ratios.collect(), 0.5)
}

/// Nanoseconds per unit, over as many runs as it takes.
fn once(at_least: Duration, units: usize, competitor: &mut Competitor) -> f64 {
    let mut watch = Watch::new(competitor.clock);
    let mut runs = 0;
    loop {
        (competitor.run)(&mut watch);
        runs += 1;
        if watch.total >= at_least {
            return watch.total.as_nanos() as f64 / (runs * units) as f64;
        }
    }
}

fn quantile(mut values: Vec<f64>, q: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * q).round() as usize]
}
