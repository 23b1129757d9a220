//! A run as JSON: written small, and read with errors that name the place.

use std::fmt;

use serde::Deserialize;

use crate::data::{Competitor, FORMAT, Run, Scenario};

/// Why a text is no run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Error {
    /// It is no JSON, or not of this form.
    Json(String),
    /// It was written by another version.
    Format {
        /// The number in the file.
        found: u64,
    },
    /// It holds no scenario.
    Empty,
    /// A scenario is not what it should be.
    Scenario {
        /// Its name, with its size.
        scenario: String,
        /// What is wrong.
        problem: String,
    },
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Json(problem) => write!(f, "this is no run of the benches: {problem}"),
            Error::Format { found } => write!(
                f,
                "the file has format {found}, and this version reads format {FORMAT}: \
                 run the benches again"
            ),
            Error::Empty => f.write_str("the run has no scenario"),
            Error::Scenario { scenario, problem } => write!(f, "scenario {scenario}: {problem}"),
        }
    }
}

impl std::error::Error for Error {}

/// All that is read before the format is known.
#[derive(Deserialize)]
struct Head {
    format: u64,
}

impl Run {
    /// Reads a run, and checks that it can be judged.
    ///
    /// # Errors
    ///
    /// If it is no JSON, has another [`FORMAT`] or no scenario, or if a scenario has nobody who takes part,
    /// competitors with different numbers of rounds, a time that is not positive and finite, two competitors
    /// of one name, or a native one that does not take part.
    pub fn from_json(text: &str) -> Result<Run, Error> {
        let no_json = |error: serde_json::Error| Error::Json(error.to_string());
        let head: Head = serde_json::from_str(text).map_err(no_json)?;
        if head.format != u64::from(FORMAT) {
            return Err(Error::Format { found: head.format });
        }
        let run: Run = serde_json::from_str(text).map_err(no_json)?;
        run.check()?;
        Ok(run)
    }

    /// Writes the run, its times rounded to four significant digits.
    #[must_use]
    pub fn to_json(&self) -> String {
        let mut run = self.clone();
        for scenario in &mut run.scenarios {
            for competitor in &mut scenario.competitors {
                let Competitor {
                    rounds,
                    allocations,
                    bytes,
                    instructions,
                    ..
                } = competitor;
                let counts = [allocations, bytes, instructions];
                for value in rounds.iter_mut().chain(counts.into_iter().flatten()) {
                    *value = rounded(*value);
                }
            }
        }
        // The types have string keys only and no failing impl: there is nothing that could go wrong.
        let mut text = serde_json::to_string_pretty(&run).unwrap_or_default();
        join_rounds(&mut text);
        text.push('\n');
        text
    }

    /// Whether every scenario can be judged.
    ///
    /// # Errors
    ///
    /// The same as those of [`from_json`](Run::from_json), except the format.
    pub fn check(&self) -> Result<(), Error> {
        if self.scenarios.is_empty() {
            return Err(Error::Empty);
        }
        for (at, scenario) in self.scenarios.iter().enumerate() {
            let same =
                |other: &Scenario| other.name == scenario.name && other.size == scenario.size;
            let problem = if self.scenarios[..at].iter().any(same) {
                Some("it is there twice".to_owned())
            } else {
                problem(scenario)
            };
            if let Some(problem) = problem {
                let name = format!("{:?}", scenario.name);
                let scenario = match scenario.size {
                    Some(size) => format!("{name} at {size}"),
                    None => name,
                };
                return Err(Error::Scenario { scenario, problem });
            }
        }
        let mut capabilities = self.capabilities.iter();
        if let Some(first) = capabilities.next() {
            let names = |of: &crate::data::Capability| -> Vec<String> {
                of.backends.iter().map(|(name, _)| name.clone()).collect()
            };
            if let Some(other) = capabilities.find(|other| names(other) != names(first)) {
                return Err(Error::Json(format!(
                    "the capabilities {:?} and {:?} name different backends",
                    first.name, other.name
                )));
            }
        }
        Ok(())
    }
}

fn problem(scenario: &Scenario) -> Option<String> {
    let all = &scenario.competitors;
    let Some(first) = all.first() else {
        return Some("nobody takes part".to_owned());
    };
    for (at, one) in all.iter().enumerate() {
        let name = &one.name;
        if all[..at].iter().any(|other| other.name == *name) {
            return Some(format!("{name:?} takes part twice"));
        }
        if one.rounds.is_empty() {
            return Some(format!("{name:?} has no round"));
        }
        if one.rounds.len() != first.rounds.len() {
            return Some(format!(
                "{name:?} has {} and {:?} {} rounds, and rounds are compared one by one",
                one.rounds.len(),
                first.name,
                first.rounds.len()
            ));
        }
        let bad = |time: &f64| !(time.is_finite() && *time > 0.0);
        if let Some(at) = one.rounds.iter().position(bad) {
            return Some(format!(
                "round {} of {name:?} took {} ns, which is no time",
                at + 1,
                one.rounds[at]
            ));
        }
        let counts = [one.allocations, one.bytes, one.instructions];
        let bad = |count: &f64| !(count.is_finite() && *count >= 0.0);
        if let Some(count) = counts.into_iter().flatten().find(bad) {
            return Some(format!("{name:?} has the count {count}, which is none"));
        }
        if let Some(native) = &one.native {
            if !all.iter().any(|other| other.name == *native) {
                return Some(format!(
                    "{name:?} is compared with {native:?}, which does not take part"
                ));
            }
        }
    }
    None
}

/// To four significant digits.
fn rounded(value: f64) -> f64 {
    format!("{value:.3e}").parse().unwrap_or(value)
}

/// Puts each list of rounds on one line: a changed scenario is then a few changed lines.
fn join_rounds(text: &mut String) {
    const BEGIN: &str = "\"rounds\": [";
    let mut joined = String::with_capacity(text.len());
    let mut rest = text.as_str();
    while let Some(at) = rest.find(BEGIN) {
        let inside = at + BEGIN.len();
        // A name that contains this text has its quotes escaped, so this is the key.
        let Some(end) = rest[inside..].find(']') else {
            break;
        };
        joined.push_str(&rest[..inside]);
        let numbers: Vec<&str> = rest[inside..inside + end].split_whitespace().collect();
        joined.push_str(&numbers.join(" "));
        rest = &rest[inside + end..];
    }
    joined.push_str(rest);
    *text = joined;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::sample;

    fn error(change: impl FnOnce(&mut Run)) -> String {
        let mut run = sample();
        change(&mut run);
        Run::from_json(&run.to_json()).unwrap_err().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let run = sample();
        let text = run.to_json();
        let read = Run::from_json(&text).unwrap();
        assert_eq!(read.to_json(), text);
        assert_eq!(read.scenarios.len(), run.scenarios.len());
        let longest = text
            .lines()
            .find(|line| line.contains("\"rounds\""))
            .unwrap();
        assert!(longest.contains("],"), "rounds are on one line: {longest}");
        assert_eq!(rounded(123_456.7), 123_500.0);
        assert_eq!(rounded(0.000_123_456), 0.000_123_5);
    }

    #[test]
    fn errors_say_what_is_wrong_and_where() {
        let not_json = Run::from_json("{").unwrap_err().to_string();
        assert!(not_json.contains("no run of the benches"), "{not_json}");
        let other = Run::from_json("{\"format\": 7, \"new\": true}").unwrap_err();
        assert_eq!(other, Error::Format { found: 7 });
        let other = other.to_string();
        assert!(
            other.contains("format 7") && other.contains("format 1") && other.contains("again"),
            "{other}"
        );
        assert_eq!(
            error(|run| run.scenarios.clear()),
            "the run has no scenario"
        );
        for (expected, change) in [
            (
                "nobody takes part",
                (|one| one.competitors.clear()) as fn(&mut Scenario),
            ),
            ("has 1 and", |one| one.competitors[1].rounds.truncate(1)),
            ("no round", |one| one.competitors[1].rounds.clear()),
            ("round 2 of", |one| one.competitors[1].rounds[1] = -1.0),
            ("which is no time", |one| one.competitors[1].rounds[0] = 0.0),
            ("does not take part", |one| {
                one.competitors[0].native = Some("nobody".to_owned());
            }),
            ("takes part twice", |one| {
                let again = one.competitors[0].clone();
                one.competitors.push(again);
            }),
        ] {
            let found = error(|run| change(&mut run.scenarios[0]));
            assert!(found.contains(expected), "{found}");
            assert!(
                found.starts_with("scenario \"spawn.ready\" at 1: "),
                "{found}"
            );
        }
        let mut run = sample();
        run.scenarios[0].competitors[0].rounds[0] = f64::INFINITY;
        assert!(run.check().unwrap_err().to_string().contains("no time"));
        let twice = error(|run| run.scenarios.push(run.scenarios[0].clone()));
        assert!(twice.contains("there twice"), "{twice}");
        let backends = error(|run| run.capabilities[1].backends[0].0 = "other".to_owned());
        assert!(backends.contains("different backends"), "{backends}");
    }
}
