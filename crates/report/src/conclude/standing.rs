//! How backends stand to one another, and to the native APIs, over many scenarios.

use crate::data::{Competitor, Run, Scenario};
use crate::family::{backend_names, backends, ranked};
use crate::figures::{FEWEST, Middle, Threads, Verdict, geometric_mean, price, ratio};

/// How one backend stands in all scenarios in which at least two backends run on as many threads.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// The backend, such as "kumi on loop".
    pub name: String,
    /// On how many threads it runs.
    pub threads: Threads,
    /// In how many it is clearly the quickest.
    pub wins: usize,
    /// In how many it is as quick as the quickest, or the quickest beside others as quick.
    pub equals: usize,
    /// In how many it took part.
    pub of: usize,
    /// The geometric mean of its times over those of the quickest backend; 1 is the best there is.
    pub mean: f64,
}

/// What Kumi costs over the native API of one runtime.
#[derive(Clone, Debug, PartialEq)]
pub struct Price {
    /// The runtime, such as "tokio, current thread".
    pub runtime: String,
    /// The geometric mean of all ratios.
    pub mean: f64,
    /// The middle half of the ratios.
    pub middle: Middle,
    /// The lowest ratio, and where.
    pub least: (f64, String),
    /// The highest ratio, and where.
    pub most: (f64, String),
}

/// The backends of one scenario on so many threads, the quickest first: at least two, with enough rounds.
pub(crate) fn contest(scenario: &Scenario, threads: Threads) -> Option<Vec<&Competitor>> {
    let ranked = ranked(backends(scenario), threads);
    let enough = ranked.len() > 1 && ranked[0].rounds.len() >= FEWEST;
    enough.then_some(ranked)
}

/// All contests on so many threads.
pub(crate) fn contests<'a>(
    scenarios: impl IntoIterator<Item = &'a Scenario>,
    threads: Threads,
) -> Vec<Vec<&'a Competitor>> {
    let all = scenarios.into_iter();
    all.filter_map(|one| contest(one, threads)).collect()
}

/// How all backends stand, the quickest on the whole first; those on one thread before those on several.
pub(crate) fn standings(run: &Run) -> Vec<Standing> {
    let mut all = Vec::new();
    for threads in [Threads::One, Threads::Several] {
        let contests = contests(&run.scenarios, threads);
        let names = backend_names(run);
        let of_these = names
            .iter()
            .filter_map(|name| standing(&contests, name, threads));
        let mut of_these: Vec<Standing> = of_these.collect();
        of_these.sort_by(|a, b| a.mean.total_cmp(&b.mean));
        all.extend(of_these);
    }
    all
}

/// How one backend stands in these scenarios.
pub(crate) fn group_standing(
    scenarios: &[&Scenario],
    name: &str,
    threads: Threads,
) -> Option<Standing> {
    standing(&contests(scenarios.iter().copied(), threads), name, threads)
}

fn standing(contests: &[Vec<&Competitor>], name: &str, threads: Threads) -> Option<Standing> {
    let (mut wins, mut equals, mut ratios) = (0, 0, Vec::new());
    for contest in contests {
        let Some(own) = contest.iter().find(|one| one.name == name) else {
            continue;
        };
        let first = contest[0];
        ratios.push(ratio(own, first).median);
        let beside = if own.name == first.name {
            contest[1]
        } else {
            first
        };
        let equal = ratio(own, beside).verdict() == Verdict::Equal;
        wins += usize::from(own.name == first.name && !equal);
        equals += usize::from(equal);
    }
    let of = ratios.len();
    let mean = geometric_mean(ratios)?;
    Some(Standing {
        name: name.to_owned(),
        threads,
        wins,
        equals,
        of,
        mean,
    })
}

/// What Kumi costs over each runtime, in the order in which they come.
pub(crate) fn prices(run: &Run) -> Vec<Price> {
    let mut runtimes: Vec<(&str, Vec<(f64, String)>)> = Vec::new();
    for scenario in &run.scenarios {
        for one in backends(scenario) {
            let Some(price) = price(scenario, one).filter(|price| price.count >= FEWEST) else {
                continue;
            };
            let found = (price.median, crate::family::titled(scenario));
            match runtimes.iter_mut().find(|(name, _)| *name == one.runtime) {
                Some((_, all)) => all.push(found),
                None => runtimes.push((&one.runtime, vec![found])),
            }
        }
    }
    let price = |(runtime, all): (&str, Vec<(f64, String)>)| {
        let by_ratio = |a: &&(f64, String), b: &&(f64, String)| a.0.total_cmp(&b.0);
        Some(Price {
            runtime: runtime.to_owned(),
            mean: geometric_mean(all.iter().map(|(ratio, _)| *ratio))?,
            middle: Middle::of(all.iter().map(|(ratio, _)| *ratio)),
            least: all.iter().min_by(by_ratio)?.clone(),
            most: all.iter().max_by(by_ratio)?.clone(),
        })
    };
    runtimes.into_iter().filter_map(price).collect()
}
