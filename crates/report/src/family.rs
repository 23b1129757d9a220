//! Scenarios by name: one family holds all sizes of one name.

use crate::data::{Competitor, Kind, Run, Scenario};
use crate::figures::{Threads, middle};

/// All sizes of one scenario, the smallest first.
#[derive(Debug)]
pub(crate) struct Family<'a> {
    pub(crate) sizes: Vec<&'a Scenario>,
}

impl<'a> Family<'a> {
    /// The largest size: the one that is shown first.
    pub(crate) fn largest(&self) -> &'a Scenario {
        self.sizes[self.sizes.len() - 1]
    }

    pub(crate) fn name(&self) -> &'a str {
        &self.largest().name
    }

    /// The largest of those sizes that have the most backends.
    pub(crate) fn common(&self) -> &'a Scenario {
        let mut best = self.largest();
        for scenario in self.sizes.iter().rev() {
            if backends(scenario).count() > backends(best).count() {
                best = scenario;
            }
        }
        best
    }

    /// Whether there is something to draw over the sizes.
    pub(crate) fn grows(&self) -> bool {
        self.sizes.len() > 1 && self.sizes.iter().all(|one| one.size.is_some_and(|n| n > 0))
    }
}

/// The families in the order in which they ran.
pub(crate) fn families(run: &Run) -> Vec<Family<'_>> {
    let mut families: Vec<Family<'_>> = Vec::new();
    for scenario in &run.scenarios {
        let known = families
            .iter_mut()
            .find(|family| family.name() == scenario.name);
        match known {
            Some(family) => family.sizes.push(scenario),
            None => families.push(Family {
                sizes: vec![scenario],
            }),
        }
    }
    for family in &mut families {
        family.sizes.sort_by_key(|scenario| scenario.size);
    }
    families
}

/// The groups in the order in which they ran, each with its families.
pub(crate) fn groups(run: &Run) -> Vec<(&str, Vec<Family<'_>>)> {
    let mut groups: Vec<(&str, Vec<Family<'_>>)> = Vec::new();
    for family in families(run) {
        let name = family.sizes[0].group.as_str();
        match groups.iter_mut().find(|(group, _)| *group == name) {
            Some((_, families)) => families.push(family),
            None => groups.push((name, vec![family])),
        }
    }
    groups
}

/// The backends of Kumi that take part.
pub(crate) fn backends(scenario: &Scenario) -> impl Iterator<Item = &Competitor> {
    let all = scenario.competitors.iter();
    all.filter(|one| is_backend(one))
}

/// All of Kumi whose allocations were counted, with how many there are per unit.
pub(crate) fn counted(scenario: &Scenario) -> impl Iterator<Item = (&Competitor, f64)> {
    let all = scenario.competitors.iter();
    let ours = all.filter(|one| one.kind == Kind::Kumi);
    ours.filter_map(|one| Some((one, one.allocations?)))
}

/// Whether it is Kumi on some runtime.
pub(crate) fn is_backend(one: &Competitor) -> bool {
    one.kind == Kind::Kumi && !one.runtime.is_empty()
}

/// The names of all backends of a run, in the order in which they come.
pub(crate) fn backend_names(run: &Run) -> Vec<&str> {
    let mut names: Vec<&str> = Vec::new();
    for one in run.scenarios.iter().flat_map(backends) {
        if !names.contains(&one.name.as_str()) {
            names.push(&one.name);
        }
    }
    names
}

/// Those on so many threads, the quickest first.
pub(crate) fn ranked<'a>(
    all: impl Iterator<Item = &'a Competitor>,
    threads: Threads,
) -> Vec<&'a Competitor> {
    let mut ranked: Vec<&Competitor> = all.filter(|one| Threads::of(one) == threads).collect();
    ranked.sort_by(|a, b| middle(a).median.total_cmp(&middle(b).median));
    ranked
}

/// A scenario with its size, such as "spawn.ready at 1000 tasks".
pub(crate) fn titled(scenario: &Scenario) -> String {
    match scenario.size {
        Some(size) => {
            // One of what is counted has no plural; "1 tasks" would be wrong, and the singular is not known.
            let of = if size == 1 { "" } else { &scenario.size_of };
            let size = crate::text::whole(size);
            let text = format!("{} at {size}\u{a0}{of}", scenario.name);
            text.trim_end_matches('\u{a0}').to_owned()
        }
        None => scenario.name.clone(),
    }
}

/// The names that a reader knows already: a handful of scenarios that cover what a service does.
const FIRST: [&str; 7] = [
    "spawn.ready",
    "yield",
    "gather.ready",
    "chan.spsc",
    "timers.create",
    "tcp.echo",
    "http.fetch",
];

/// The scenarios that stand for the whole: those of [`FIRST`] that are there, each at the largest size that
/// most backends share; if there is none, the first of each group.
pub(crate) fn chosen(run: &Run) -> Vec<&Scenario> {
    let families = families(run);
    let of_name = |name: &&str| families.iter().find(|family| family.name() == *name);
    let chosen: Vec<&Scenario> = FIRST
        .iter()
        .filter_map(of_name)
        .map(Family::common)
        .collect();
    if !chosen.is_empty() {
        return chosen;
    }
    let first = |(_, families): &(&str, Vec<Family<'_>>)| families[0].common().name.clone();
    let names: Vec<String> = groups(run).iter().map(first).take(FIRST.len()).collect();
    let is_first = |family: &&Family<'_>| names.iter().any(|name| name == family.name());
    families
        .iter()
        .filter(is_first)
        .map(Family::common)
        .collect()
}
