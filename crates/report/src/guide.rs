//! "Which backend should I take?": what can be answered from the data and from what each can do.

use std::fmt::Write;

use crate::conclude::{Standing, conclusions, contests, group_standing, prices, standings};
use crate::data::{Competitor, Run, Scenario};
use crate::family::{backend_names, groups};
use crate::figures::{self, Threads};
use crate::markdown::{capability_table, chosen_table, head, row};
use crate::text::{cell, count, list, longer, percent, ratio, whole};

/// The whole of the page that is computed, in Markdown.
#[must_use]
pub fn guide(run: &Run) -> String {
    let mut out = String::from("## In short\n\n");
    for one in advice(run) {
        let _ = writeln!(out, "- {}", cell(&one));
    }
    if !run.capabilities.is_empty() {
        out.push_str("\n## What each can do\n\n");
        out.push_str(&capability_table(run));
        out.push('\n');
        for text in abilities(run) {
            let _ = writeln!(out, "- {}", cell(&text));
        }
    }
    out.push_str("\n## What each takes\n\n");
    out.push_str(&chosen_table(run));
    for (threads, title) in THREADS {
        let strengths = strengths(run, threads);
        if strengths.is_empty() {
            continue;
        }
        let _ = writeln!(out, "\n### Where each is strong, {title}\n");
        let _ = writeln!(
            out,
            "Times as a multiple of the quickest backend's, on the geometric mean of each chapter; 1.00 is the best there is.\n"
        );
        let names: Vec<&str> = strengths[0].1.iter().map(|(name, _)| *name).collect();
        let mut heads = vec!["chapter".to_owned()];
        heads.extend(names.iter().map(|name| cell(short(name))));
        head(&mut out, &heads, 1);
        for (group, standings) in &strengths {
            let mut cells = vec![cell(group)];
            let figure = |one: &Option<f64>| one.map_or_else(|| "–".to_owned(), ratio);
            cells.extend(standings.iter().map(|(_, mean)| figure(mean)));
            row(&mut out, &cells);
        }
    }
    let prices = prices(run);
    if !prices.is_empty() {
        out.push_str("\n## What Kumi costs\n\n");
        let heads = [
            "runtime",
            "× native",
            "middle half",
            "least",
            "most",
            "where",
            "measurements",
        ];
        head(&mut out, &heads.map(str::to_owned), 1);
        for price in &prices {
            row(
                &mut out,
                &[
                    cell(&price.runtime),
                    ratio(price.mean),
                    format!(
                        "{} to {}",
                        ratio(price.middle.low),
                        ratio(price.middle.high)
                    ),
                    ratio(price.least.0),
                    ratio(price.most.0),
                    cell(&price.most.1),
                    whole(price.middle.count as u64),
                ],
            );
        }
    }
    out.push_str("\n## All that follows\n\n");
    for one in conclusions(run).whole {
        let _ = writeln!(out, "- **{}.** {}", one.topic, cell(&one.text));
    }
    out
}

/// Both, in words.
pub(crate) const THREADS: [(Threads, &str); 2] = [
    (Threads::One, "on one thread"),
    (Threads::Several, "on several threads"),
];

/// A backend without the word that all of them begin with.
pub(crate) fn short(name: &str) -> &str {
    name.strip_prefix("kumi on ").unwrap_or(name)
}

/// The backend, as the capabilities call it, that a runtime belongs to.
fn backend(name: &str) -> &str {
    short(name).split([',', ' ']).next().unwrap_or_default()
}

/// What to take, from the times and from what each can do: one sentence for each need.
pub(crate) fn advice(run: &Run) -> Vec<String> {
    let standings = standings(run);
    let mut all = Vec::new();
    for (threads, title) in THREADS {
        let of_these: Vec<&Standing> = standings
            .iter()
            .filter(|one| one.threads == threads)
            .collect();
        if let Some(text) = take(run, &of_these, title) {
            all.push(text);
        }
    }
    all.extend(needs(run, &standings));
    for one in &run.capabilities {
        let (can, cannot): (Vec<_>, Vec<_>) = one.backends.iter().partition(|(_, can)| *can);
        if can.len() == 1 && !cannot.is_empty() {
            all.push(format!(
                "Only {} has {} ({}).",
                can[0].0, one.name, one.about
            ));
        }
    }
    all
}

/// Whom to take of those on as many threads.
///
/// Two are set beside each other in the measurements that both took part in, so it may be that nobody is ahead
/// of everybody.
fn take(run: &Run, all: &[&Standing], title: &str) -> Option<String> {
    if all.len() < 2 {
        return None;
    }
    let contests = contests(&run.scenarios, all[0].threads);
    let leads = |one: &&&Standing| {
        let behind =
            |other: &&Standing| beside(&contests, one, other).is_none_or(|(mean, _)| mean >= 1.0);
        all.iter().all(behind)
    };
    let Some(first) = all.iter().find(leads) else {
        return Some(format!(
            "For speed {title} no backend is ahead of all others: see where each is strong."
        ));
    };
    let (mut close, mut behind) = (vec![short(&first.name).to_owned()], Vec::new());
    for other in all.iter().filter(|other| other.name != first.name) {
        let Some((mean, of)) = beside(&contests, first, other) else {
            continue;
        };
        let name = short(&other.name);
        // Closer than that they change places from scenario to scenario.
        if mean < CLOSE {
            close.push(name.to_owned());
        } else {
            let (lag, of) = (longer(mean), count(of, "measurement"));
            behind.push(format!("{name} takes {lag} {} ({of})", short(&first.name)));
        }
    }
    let mut text = if close.len() > 1 {
        let percent = percent(CLOSE - 1.0);
        format!(
            "For speed {title} there is little to choose between {}: less than {percent} on the geometric mean",
            list(&close)
        )
    } else {
        format!("For speed {title} take {}", close[0])
    };
    if !behind.is_empty() {
        text.push_str(&format!("; on the geometric mean {}", list(&behind)));
    }
    Some(format!("{text}."))
}

/// Backends whose times lie closer than this factor on the whole are not told apart.
const CLOSE: f64 = 1.1;

/// The geometric mean of the times of another over those of one, and of how many measurements.
fn beside(contests: &[Vec<&Competitor>], one: &Standing, other: &Standing) -> Option<(f64, usize)> {
    let ratios: Vec<f64> = contests
        .iter()
        .filter_map(|contest| {
            let of = |name: &str| contest.iter().find(|one| one.name == name);
            Some(figures::ratio(of(&other.name)?, of(&one.name)?).median)
        })
        .collect();
    let count = ratios.len();
    Some((figures::geometric_mean(ratios)?, count))
}

/// For each capability that not all have: the quickest of those that have it.
fn needs(run: &Run, standings: &[Standing]) -> Vec<String> {
    let mut all = Vec::new();
    for capability in &run.capabilities {
        let can: Vec<&str> = capability
            .backends
            .iter()
            .filter(|(_, can)| *can)
            .map(|(name, _)| name.as_str())
            .collect();
        if can.len() < 2 || can.len() == capability.backends.len() {
            continue;
        }
        let mut text = format!(
            "If you need {} ({}): {}",
            capability.name,
            capability.about,
            list(&can)
        );
        let of = |threads: Threads| {
            let able =
                |one: &&Standing| one.threads == threads && can.contains(&backend(&one.name));
            let first = standings.iter().find(able)?;
            Some(short(&first.name).to_owned())
        };
        // What needs several threads is not answered by times on one.
        let words: Vec<String> = THREADS
            .iter()
            .filter_map(|(threads, title)| Some(format!("{} {title}", of(*threads)?)))
            .collect();
        if !words.is_empty() {
            text.push_str(&format!("; the quickest of these is {}", list(&words)));
        }
        all.push(format!("{text}."));
    }
    all
}

/// Each capability as a sentence.
pub(crate) fn abilities(run: &Run) -> Vec<String> {
    let sentence = |capability: &crate::data::Capability| {
        let of = |wanted: bool| -> Vec<&str> {
            let all = capability.backends.iter().filter(|(_, can)| *can == wanted);
            all.map(|(name, _)| name.as_str()).collect()
        };
        let (can, cannot) = (of(true), of(false));
        let what = format!("{} ({})", capability.name, capability.about);
        match (can.len(), cannot.len()) {
            (0, _) => format!("{what}: no backend."),
            (_, 0) => format!("{what}: every backend."),
            _ => format!(
                "{what}: {}; not {}.",
                list(&can),
                list(&cannot).replace(" and ", " or ")
            ),
        }
    };
    run.capabilities.iter().map(sentence).collect()
}

/// A chapter, and for each backend the geometric mean of its multiples there.
pub(crate) type Strength<'a> = (&'a str, Vec<(&'a str, Option<f64>)>);

/// How each backend stands in each chapter, on so many threads.
pub(crate) fn strengths(run: &Run, threads: Threads) -> Vec<Strength<'_>> {
    let standings = standings(run);
    let timed = |name: &&str| {
        standings
            .iter()
            .any(|one| one.threads == threads && one.name == *name)
    };
    let names: Vec<&str> = backend_names(run).into_iter().filter(timed).collect();
    let mut all = Vec::new();
    for (group, families) in groups(run) {
        let scenarios: Vec<&Scenario> = families
            .iter()
            .flat_map(|family| family.sizes.iter().copied())
            .collect();
        let mean = |name: &&'_ str| Some(group_standing(&scenarios, name, threads)?.mean);
        let row: Vec<(&str, Option<f64>)> = names.iter().map(|name| (*name, mean(name))).collect();
        if row.iter().any(|(_, mean)| mean.is_some()) {
            all.push((group, row));
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Kind;
    use crate::sample::{competitor, run, sample, scenario};

    /// Scenarios of two backends with these times.
    fn pairs(times: &[(f64, f64)]) -> Run {
        let of = |(at, (a, b)): (usize, &(f64, f64))| {
            let one = |name: &str, time: f64| {
                competitor(&format!("kumi on {name}"), Kind::Kumi, name, &[time; 7])
            };
            scenario(
                &format!("s{at}"),
                None,
                vec![one("loop", *a), one("tokio", *b)],
            )
        };
        run(times.iter().enumerate().map(of).collect())
    }

    fn first(run: &Run) -> String {
        advice(run)[0].replace('\u{a0}', " ")
    }

    #[test]
    fn whom_to_take() {
        assert_eq!(
            first(&pairs(&[(10.0, 20.0), (10.0, 80.0)])),
            "For speed on one thread take loop; on the geometric mean tokio takes 4.0 times as long as loop (2 measurements)."
        );
        assert_eq!(
            first(&pairs(&[(10.0, 20.0), (21.0, 10.0)])),
            "For speed on one thread there is little to choose between tokio and loop: less than 10 % on the geometric mean."
        );
        let few = pairs(&[(10.0, 20.0)]);
        assert!(first(&few).ends_with("(1 measurement)."), "{}", first(&few));
    }

    #[test]
    fn nobody_is_ahead_in_a_circle() {
        let names = ["loop", "tokio", "smol"];
        // Each is ahead of the next, in scenarios of two.
        let scenarios = (0..3).map(|at| {
            let one = |at: usize, time: f64| {
                competitor(
                    &format!("kumi on {}", names[at % 3]),
                    Kind::Kumi,
                    names[at % 3],
                    &[time; 7],
                )
            };
            scenario(
                &format!("s{at}"),
                None,
                vec![one(at, 1.0), one(at + 1, 2.0)],
            )
        });
        let text = first(&run(scenarios.collect()));
        assert!(text.contains("no backend is ahead of all others"), "{text}");
    }

    #[test]
    fn what_each_can_do_is_said_and_shown() {
        let run = sample();
        let said = abilities(&run);
        assert!(
            said.contains(
                &"Io (TCP, UDP, Unix sockets): loop, tokio and smol; not sim.".to_owned()
            )
        );
        assert!(said.contains(&"Spawn (tasks, from any thread): every backend.".to_owned()));
        assert!(
            said.contains(
                &"several threads (tasks run at the same time): tokio and smol; not loop or sim."
                    .to_owned()
            )
        );
        let advice = advice(&run);
        assert!(advice.contains(
            &"Only sim has virtual time (an hour of sleep takes no time: for tests).".to_owned()
        ));
        let table = capability_table(&run);
        assert!(table.contains(
            "| virtual time | an hour of sleep takes no time: for tests | – | – | – | yes |"
        ));
        let guide = guide(&run);
        for part in [
            "## In short",
            "## What each can do",
            "## What each takes",
            "## What Kumi costs",
            "on several threads",
        ] {
            assert!(guide.contains(part), "{part}");
        }
    }

    #[test]
    fn a_readme_has_chart_table_and_command() {
        let block = crate::readme_block(&sample(), "cargo x compare", "chart.svg");
        assert!(block.starts_with(&format!(
            "![Kumi's backends side by side: time per unit]({})",
            "chart.svg"
        )));
        assert!(block.contains("```sh\ncargo x compare\n```"));
        assert!(block.contains("**41\u{a0}ns**"), "{block}");
    }
}
