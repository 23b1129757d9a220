//! A run beside an earlier one.
//!
//! Two runs are hours or weeks apart, and the machine is not what it was: what is not Kumi shows by how much.
//! So a change is divided by the geometric mean of the changes of the native APIs and the other libraries in
//! the same scenario, or, if none takes part there, in the whole run.

use crate::data::{Competitor, Kind, Run, Scenario};
use crate::family::titled;
use crate::figures::{FEWEST, geometric_mean, middle};
use crate::text::{count, date, list, percent, times, whole};

/// No change below this share is called one.
pub const SMALLEST_CHANGE: f64 = 0.05;

/// What has become of a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// It takes clearly longer.
    Slower,
    /// It takes clearly less.
    Quicker,
    /// The difference is smaller than the spread.
    Same,
    /// It was not measured earlier.
    New,
    /// It was measured earlier only.
    Gone,
}

impl Change {
    /// In a word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Change::Slower => "slower",
            Change::Quicker => "quicker",
            Change::Same => "the same",
            Change::New => "new",
            Change::Gone => "gone",
        }
    }
}

/// One who takes part, now and earlier.
#[derive(Clone, Debug, PartialEq)]
pub struct Changed {
    /// The name of the scenario.
    pub scenario: String,
    /// Its size.
    pub size: Option<u64>,
    /// Who takes part.
    pub competitor: String,
    /// What it is.
    pub kind: Kind,
    /// What has become of its time.
    pub change: Change,
    /// The time now over that of then, as measured. None if it is new or gone.
    pub measured: Option<f64>,
    /// By how much the machine changed, going by what is not Kumi; 1 if there is nothing to go by.
    pub machine: f64,
    /// The measured ratio with the machine's change taken out.
    pub own: Option<f64>,
    /// What the own ratio has to exceed to be called a change, as a share.
    pub noise: f64,
}

/// A run beside an earlier one.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Each competitor of each scenario, in the order of the new run; what is gone stands at the end.
    pub changes: Vec<Changed>,
    /// The geometric mean of the changes of all that is not Kumi.
    pub machine: Option<f64>,
    /// What follows, in sentences.
    pub sentences: Vec<String>,
}

impl Comparison {
    /// The change of one competitor of a scenario.
    #[must_use]
    pub fn of(&self, scenario: &Scenario, competitor: &str) -> Option<&Changed> {
        self.changes.iter().find(|one| {
            one.scenario == scenario.name
                && one.size == scenario.size
                && one.competitor == competitor
        })
    }
}

/// Compares a run with an earlier one.
#[must_use]
pub fn compare(run: &Run, baseline: &Run) -> Comparison {
    let mut pairs = Vec::new();
    for scenario in &run.scenarios {
        let earlier = same(baseline, scenario);
        for one in &scenario.competitors {
            let before = earlier.and_then(|earlier| named(earlier, &one.name));
            // Under another clock it is another measurement.
            let before = before.filter(|before| before.clock == one.clock);
            pairs.push(Pair {
                scenario,
                one,
                before,
            });
        }
    }
    let machine = geometric_mean(
        pairs
            .iter()
            .filter(|pair| !pair.is_kumi())
            .filter_map(Pair::ratio),
    );
    let mut changes: Vec<Changed> = pairs
        .iter()
        .map(|pair| pair.judged(&pairs, machine))
        .collect();
    for scenario in &baseline.scenarios {
        let now = same(run, scenario);
        for one in &scenario.competitors {
            if now.and_then(|now| named(now, &one.name)).is_none() {
                changes.push(only(scenario, one, Change::Gone));
            }
        }
    }
    let sentences = sentences(run, baseline, &changes, machine);
    Comparison {
        changes,
        machine,
        sentences,
    }
}

fn same<'a>(run: &'a Run, scenario: &Scenario) -> Option<&'a Scenario> {
    let mut all = run.scenarios.iter();
    all.find(|one| one.name == scenario.name && one.size == scenario.size)
}

fn named<'a>(scenario: &'a Scenario, name: &str) -> Option<&'a Competitor> {
    scenario.competitors.iter().find(|one| one.name == name)
}

fn only(scenario: &Scenario, one: &Competitor, change: Change) -> Changed {
    Changed {
        scenario: scenario.name.clone(),
        size: scenario.size,
        competitor: one.name.clone(),
        kind: one.kind,
        change,
        measured: None,
        machine: 1.0,
        own: None,
        noise: 0.0,
    }
}

struct Pair<'a> {
    scenario: &'a Scenario,
    one: &'a Competitor,
    before: Option<&'a Competitor>,
}

impl Pair<'_> {
    fn is_kumi(&self) -> bool {
        self.one.kind == Kind::Kumi
    }

    fn ratio(&self) -> Option<f64> {
        Some(middle(self.one).median / middle(self.before?).median)
    }

    /// The squares of both spreads: errors that know nothing of each other add up like that.
    fn square(&self) -> f64 {
        let square = |one: &Competitor| middle(one).spread().powi(2);
        square(self.one) + self.before.map_or(0.0, square)
    }

    fn judged(&self, all: &[Pair<'_>], machine: Option<f64>) -> Changed {
        let (Some(measured), Some(before)) = (self.ratio(), self.before) else {
            return only(self.scenario, self.one, Change::New);
        };
        let beside = |pair: &&Pair<'_>| {
            std::ptr::eq(pair.scenario, self.scenario)
                && !pair.is_kumi()
                && pair.before.is_some()
                && pair.one.name != self.one.name
        };
        let beside: Vec<&Pair<'_>> = all.iter().filter(beside).collect();
        let here = geometric_mean(beside.iter().filter_map(|pair| pair.ratio()));
        let machine = here.or(machine).unwrap_or(1.0);
        let squares: f64 = beside.iter().map(|pair| pair.square()).sum();
        let of_machine = squares / (beside.len().max(1) as f64).powi(2);
        let noise = (self.square() + of_machine).sqrt().max(SMALLEST_CHANGE);
        let own = measured / machine;
        let few = self.one.rounds.len().min(before.rounds.len()) < FEWEST;
        let change = if few || own.max(1.0 / own) - 1.0 <= noise {
            Change::Same
        } else if own > 1.0 {
            Change::Slower
        } else {
            Change::Quicker
        };
        Changed {
            measured: Some(measured),
            machine,
            own: Some(own),
            noise,
            change,
            ..only(self.scenario, self.one, change)
        }
    }
}

/// "3 % slower", "3 % quicker", "as quick"; more than twice is a factor.
fn in_words(ratio: f64) -> String {
    match ratio {
        more if more >= 1.995 => format!("slower by a factor of {}", times(more)),
        less if less <= 0.505 => format!("quicker by a factor of {}", times(1.0 / less)),
        more if more > 1.0005 => format!("{} slower", percent(more - 1.0)),
        less if less < 0.9995 => format!("{} quicker", percent(1.0 - less)),
        _ => "as quick".to_owned(),
    }
}

fn sentences(run: &Run, baseline: &Run, changes: &[Changed], machine: Option<f64>) -> Vec<String> {
    let mut all = vec![format!(
        "The earlier run is of {}, version {}, mode {}.",
        date(baseline.at),
        baseline.version,
        baseline.mode
    )];
    all.extend(circumstances(run, baseline));
    all.push(match machine {
        Some(ratio) => format!(
            "What is not Kumi is {} now than then, on the geometric mean: that is the machine's change, and it is \
             taken out of the changes below, scenario by scenario.",
            in_words(ratio)
        )
        .replace("as quick now than", "as quick now as"),
        None => "Both runs share nothing that is not Kumi, so a change may as well be the machine's.".to_owned(),
    });
    let kumi: Vec<&Changed> = changes
        .iter()
        .filter(|one| one.kind == Kind::Kumi)
        .collect();
    let number = |change: Change| kumi.iter().filter(|one| one.change == change).count();
    let (slower, quicker) = (number(Change::Slower), number(Change::Quicker));
    all.push(format!(
        "Of {} of Kumi, {} slower, {} quicker and {} the same; {} new and {} gone.",
        count(kumi.len(), "time"),
        are(slower),
        are(quicker),
        are(number(Change::Same)),
        are(number(Change::New)),
        are(number(Change::Gone)),
    ));
    for (change, turned, what) in [
        (Change::Slower, 1.0, "loss"),
        (Change::Quicker, -1.0, "gain"),
    ] {
        let clear = kumi.iter().filter(|one| one.change == change);
        let most = clear.max_by(|a, b| {
            let key = |one: &Changed| turned * one.own.unwrap_or(1.0);
            key(a).total_cmp(&key(b))
        });
        if let Some((one, own)) = most.and_then(|one| Some((one, one.own?))) {
            let found = run
                .scenarios
                .iter()
                .find(|scenario| scenario.name == one.scenario && scenario.size == one.size);
            let at = found.map(titled).unwrap_or_default();
            all.push(format!(
                "The largest {what}: {} in {at} is {}.",
                one.competitor,
                in_words(own)
            ));
        }
    }
    all
}

fn are(number: usize) -> String {
    format!(
        "{} {}",
        whole(number as u64),
        if number == 1 { "is" } else { "are" }
    )
}

/// What was different about the earlier run.
fn circumstances(run: &Run, baseline: &Run) -> Option<String> {
    let (now, then) = (&run.machine, &baseline.machine);
    let cores = |cores| count(cores, "core");
    let pairs = [
        (now.processor.clone(), then.processor.clone()),
        (cores(now.cores), cores(then.cores)),
        (now.os.clone(), then.os.clone()),
        (now.compiler.clone(), then.compiler.clone()),
        (
            format!("mode {}", run.mode),
            format!("mode {}", baseline.mode),
        ),
    ];
    let different = pairs.into_iter().filter(|(now, then)| now != then);
    let different: Vec<String> = different
        .map(|(now, then)| format!("{then} then and {now} now"))
        .collect();
    (!different.is_empty()).then(|| format!("The circumstances differ: {}.", list(&different)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{competitor, earlier, run, sample, scenario};

    fn one(kumi: f64, native: f64) -> Run {
        let all = vec![
            competitor("kumi on loop", Kind::Kumi, "loop", &[kumi; 7]),
            competitor("tokio", Kind::Native, "tokio", &[native; 7]),
        ];
        run(vec![scenario("a", Some(1), all)])
    }

    fn change(new: &Run, old: &Run) -> Changed {
        let found = compare(new, old);
        found.of(&new.scenarios[0], "kumi on loop").unwrap().clone()
    }

    #[test]
    fn a_change_that_all_show_is_the_machines() {
        let found = change(&one(20.0, 30.0), &one(10.0, 15.0));
        assert_eq!((found.change, found.measured), (Change::Same, Some(2.0)));
        assert_eq!((found.machine, found.own), (2.0, Some(1.0)));
        let slower = change(&one(20.0, 15.0), &one(10.0, 15.0));
        assert_eq!((slower.change, slower.own), (Change::Slower, Some(2.0)));
        let quicker = change(&one(10.0, 30.0), &one(10.0, 15.0));
        assert_eq!((quicker.change, quicker.own), (Change::Quicker, Some(0.5)));
    }

    #[test]
    fn the_spread_is_taken_into_account() {
        let (mut new, old) = (one(12.0, 15.0), one(10.0, 15.0));
        assert_eq!(change(&new, &old).change, Change::Slower);
        new.scenarios[0].competitors[0].rounds = vec![9.0, 10.0, 11.0, 12.0, 13.0, 14.0, 15.0];
        assert_eq!(change(&new, &old).change, Change::Same);
        new.scenarios[0].competitors[0].rounds = vec![99.0; 3];
        assert_eq!(change(&new, &old).change, Change::Same);
    }

    #[test]
    fn what_is_new_and_what_is_gone() {
        let (mut new, old) = (one(12.0, 15.0), one(10.0, 15.0));
        new.scenarios[0].competitors[0].name = "kumi on smol".to_owned();
        let found = compare(&new, &old);
        let words: Vec<_> = found.changes.iter().map(|one| one.change.word()).collect();
        assert_eq!(words, ["new", "the same", "gone"]);
        new.scenarios[0].size = Some(2);
        let found = compare(&new, &old);
        assert_eq!(found.machine, None);
        assert!(
            found
                .sentences
                .iter()
                .any(|text| text.contains("share nothing"))
        );
    }

    #[test]
    fn changes_in_words() {
        for (ratio, expected) in [
            (1.03, "3 % slower"),
            (0.97, "3 % quicker"),
            (1.0, "as quick"),
            (12.0, "slower by a factor of 12"),
            (0.4, "quicker by a factor of 2.5"),
        ] {
            assert_eq!(in_words(ratio).replace('\u{a0}', " "), expected);
        }
    }

    #[test]
    fn the_machine_and_the_circumstances_are_named() {
        let found = compare(&sample(), &earlier());
        let text = found.sentences.join(" ").replace('\u{a0}', " ");
        assert!(
            text.contains("What is not Kumi is 9 % quicker now than then"),
            "{text}"
        );
        assert!(
            text.contains("slower") && text.contains("are gone"),
            "{text}"
        );
        let mut other = sample();
        other.machine.cores = 1;
        let text = compare(&sample(), &other).sentences.join(" ");
        assert!(
            text.contains("1\u{a0}core then and 2\u{a0}cores now"),
            "{text}"
        );
        assert!(text.contains("as quick now as then"), "{text}");
    }
}
