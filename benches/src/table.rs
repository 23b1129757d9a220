//! What is printed on a terminal: a table for each scenario, and the marks at the end.

use crate::competitor::Competitor;
use crate::measure::{quantile, ratio};

/// The spread of a base, in its middle half, above which the table carries a warning.
const NOISY: f64 = 0.3;

/// Prints one scenario.
pub(crate) fn print(competitors: &[Competitor], times: &[Vec<f64>]) {
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
        if is_base && times[who].len() > 3 && spread > NOISY {
            println!(
                "warning: {} varied by {:.0} %: noisy",
                competitor.name,
                spread * 100.0
            );
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

/// Judges the marks of one scenario.
pub(crate) fn judge(
    scenario: &str,
    competitors: &[Competitor],
    times: &[Vec<f64>],
) -> Vec<Verdict> {
    let mut verdicts = Vec::new();
    for (who, competitor) in competitors.iter().enumerate() {
        for mark in &competitor.marks {
            let others = competitors.iter().zip(times);
            let ratios = others
                .filter(|(other, _)| mark.best_of.includes(other))
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
