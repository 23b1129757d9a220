//! Tables in Markdown.

use std::fmt::Write;

use crate::baseline::{Comparison, compare};
use crate::data::{Clock, Competitor, Kind, Run, Scenario};
use crate::family::{chosen, groups, titled};
use crate::figures::{Middle, Threads, best, middle, price, ratio};
use crate::text::{bytes, cell, date, number, percent, ratio as as_ratio, time};

/// One line of a table.
pub(crate) fn row(out: &mut String, cells: &[String]) {
    let _ = writeln!(out, "| {} |", cells.join(" | "));
}

/// The two lines at the top of a table: the first columns hold text, the others numbers.
pub(crate) fn head(out: &mut String, cells: &[String], texts: usize) {
    row(out, cells);
    let rule = |at: usize| if at < texts { "---" } else { "---:" };
    let rules: Vec<&str> = (0..cells.len()).map(rule).collect();
    let _ = writeln!(out, "|{}|", rules.join("|"));
}

/// What a kind is called in a table.
pub(crate) fn kind(one: &Competitor) -> &'static str {
    match one.kind {
        Kind::Kumi => "Kumi",
        Kind::Native => "native",
        Kind::Peer => "peer",
        Kind::Floor => "floor",
    }
}

/// All figures of a run, a table for each scenario; with a column beside an earlier run, if there is one.
#[must_use]
pub fn table(run: &Run, baseline: Option<&Run>) -> String {
    let comparison = baseline.map(|baseline| compare(run, baseline));
    let mut out = String::from("# The benches of Kumi\n\n");
    let machine = &run.machine;
    let _ = writeln!(
        out,
        "Version {}, {}, mode {}, made by `{}`, on {}, {}, {} at a time, {}.",
        cell(&run.version),
        date(run.at),
        cell(&run.mode),
        run.command.replace('`', "'"),
        cell(&machine.processor),
        cell(&machine.os),
        crate::text::count(machine.cores, "thread"),
        cell(&machine.compiler)
    );
    let conclusions = crate::conclusions(run);
    out.push('\n');
    for one in &conclusions.whole {
        let _ = writeln!(out, "- **{}.** {}", one.topic, cell(&one.text));
    }
    if let Some(comparison) = &comparison {
        out.push_str("\n## Beside the earlier run\n\n");
        for text in &comparison.sentences {
            let _ = writeln!(out, "- {}", cell(text));
        }
    }
    for (group, families) in groups(run) {
        let _ = writeln!(out, "\n## {}", cell(group));
        for scenario in families.iter().flat_map(|family| &family.sizes) {
            let _ = writeln!(
                out,
                "\n### {}\n\n{}\n",
                cell(&titled(scenario)),
                cell(&scenario.about)
            );
            let of = |one: &&crate::conclude::OfScenario| {
                one.name == scenario.name && one.size == scenario.size
            };
            for text in conclusions
                .scenarios
                .iter()
                .filter(of)
                .flat_map(|one| &one.sentences)
            {
                let _ = writeln!(out, "{}", cell(text));
            }
            out.push('\n');
            figures(&mut out, scenario, comparison.as_ref());
        }
    }
    out
}

/// The columns of a scenario's table: those that somebody has a number for.
pub(crate) struct Columns {
    price: bool,
    allocations: bool,
    bytes: bool,
    instructions: bool,
    change: bool,
}

impl Columns {
    pub(crate) fn of(scenarios: &[&Scenario], comparison: Option<&Comparison>) -> Columns {
        let any = |has: &dyn Fn(&Scenario, &Competitor) -> bool| {
            scenarios
                .iter()
                .any(|scenario| scenario.competitors.iter().any(|one| has(scenario, one)))
        };
        Columns {
            price: any(&|scenario, one| price(scenario, one).is_some()),
            allocations: any(&|_, one| one.allocations.is_some()),
            bytes: any(&|_, one| one.bytes.is_some()),
            instructions: any(&|_, one| one.instructions.is_some()),
            change: comparison.is_some(),
        }
    }

    /// The heads of the columns after the name.
    pub(crate) fn heads(&self, unit: &str) -> Vec<String> {
        let mut heads = vec![
            format!("time per {unit}"),
            "spread".to_owned(),
            "× best".to_owned(),
        ];
        for (there, head) in [
            (self.price, "× native"),
            (self.allocations, "allocations"),
            (self.bytes, "bytes"),
            (self.instructions, "instructions"),
            (self.change, "beside earlier"),
        ] {
            if there {
                heads.push(head.to_owned());
            }
        }
        heads
    }

    /// The figures of one who takes part.
    pub(crate) fn figures(
        &self,
        scenario: &Scenario,
        one: &Competitor,
        comparison: Option<&Comparison>,
    ) -> Vec<String> {
        let own = middle(one);
        let wall = if one.clock == Clock::Wall {
            " (wall)"
        } else {
            ""
        };
        let none = || "–".to_owned();
        let mut cells = vec![
            format!("{}{wall}", time(own.median)),
            percent(own.spread()),
            as_ratio(ratio(one, best(scenario, one)).median),
        ];
        if self.price {
            let price: Option<Middle> = price(scenario, one);
            cells.push(price.map_or_else(none, |price| as_ratio(price.median)));
        }
        if self.allocations {
            cells.push(one.allocations.map_or_else(none, number));
        }
        if self.bytes {
            cells.push(one.bytes.map_or_else(none, bytes));
        }
        if self.instructions {
            cells.push(one.instructions.map_or_else(none, number));
        }
        if self.change {
            let change = comparison.and_then(|comparison| comparison.of(scenario, &one.name));
            cells.push(change.map_or_else(none, |change| match change.own {
                Some(own) => format!("{} ({})", as_ratio(own), change.change.word()),
                None => change.change.word().to_owned(),
            }));
        }
        cells
    }
}

fn figures(out: &mut String, scenario: &Scenario, comparison: Option<&Comparison>) {
    let columns = Columns::of(&[scenario], comparison);
    let mut heads = vec!["who".to_owned(), "kind".to_owned()];
    heads.extend(columns.heads(&cell(&scenario.unit)));
    head(out, &heads, 2);
    for one in &scenario.competitors {
        let mut cells = vec![cell(&one.name), kind(one).to_owned()];
        cells.extend(columns.figures(scenario, one, comparison));
        row(out, &cells);
    }
}

/// Which backend can do what.
#[must_use]
pub fn capability_table(run: &Run) -> String {
    let mut out = String::new();
    let Some(first) = run.capabilities.first() else {
        return out;
    };
    let mut heads = vec!["capability".to_owned(), "what it gives".to_owned()];
    heads.extend(first.backends.iter().map(|(name, _)| cell(name)));
    head(&mut out, &heads, heads.len());
    for capability in &run.capabilities {
        let mut cells = vec![cell(&capability.name), cell(&capability.about)];
        let word = |can: bool| if can { "yes" } else { "–" };
        cells.extend(
            capability
                .backends
                .iter()
                .map(|(_, can)| word(*can).to_owned()),
        );
        row(&mut out, &cells);
    }
    out
}

/// The backends of Kumi in the scenarios that stand for the whole, with the quickest under its clock in bold.
#[must_use]
pub fn chosen_table(run: &Run) -> String {
    let scenarios = chosen(run);
    let mut names: Vec<&str> = Vec::new();
    for scenario in &scenarios {
        for one in scenario
            .competitors
            .iter()
            .filter(|one| one.kind == Kind::Kumi)
        {
            if !names.contains(&one.name.as_str()) {
                names.push(&one.name);
            }
        }
    }
    let mut out = String::new();
    let mut heads = vec!["time per unit".to_owned()];
    heads.extend(
        names
            .iter()
            .map(|name| cell(name.strip_prefix("kumi on ").unwrap_or(name))),
    );
    head(&mut out, &heads, 1);
    for scenario in scenarios {
        let mut cells = vec![cell(&format!(
            "{}, per {}",
            titled(scenario),
            scenario.unit
        ))];
        for name in &names {
            let one = scenario.competitors.iter().find(|one| one.name == *name);
            cells.push(one.map_or_else(|| "–".to_owned(), |one| chosen_cell(scenario, one)));
        }
        row(&mut out, &cells);
    }
    out
}

fn chosen_cell(scenario: &Scenario, one: &Competitor) -> String {
    let median = time(middle(one).median);
    let of_these = crate::conclude::contests([scenario], Threads::of(one));
    match of_these.first() {
        Some(ranked) if ranked[0].name == one.name => format!("**{median}**"),
        _ => median,
    }
}

/// What a README shows: the chart, a small table and the command that makes both.
///
/// The chart is the one of [`readme_chart`](crate::readme_chart), and lies at `chart`.
#[must_use]
pub fn readme_block(run: &Run, command: &str, chart: &str) -> String {
    let mut out = format!("![Kumi's backends side by side: time per unit]({chart})\n\n");
    out.push_str(&chosen_table(run));
    let machine = &run.machine;
    let threads = crate::text::count(machine.cores, "thread");
    let _ = writeln!(
        out,
        "\nMedians on {}, {threads} at a time, version {}, mode {}; the quickest backend on one thread, and on several, is in bold. \
         With several workers it is time on the wall, else the processor's time of the one thread.",
        cell(&machine.processor),
        cell(&run.version),
        cell(&run.mode)
    );
    let _ = writeln!(out, "\nMade by:\n\n```sh\n{command}\n```");
    out
}
