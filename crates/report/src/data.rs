//! A run of the benches, in the form in which it is kept.
//!
//! Rounds stay apart: the n-th time of one competitor and the n-th of another were measured one right after
//! the other, so a ratio is taken in each round, and only then the median over the rounds.

use serde::{Deserialize, Serialize};

/// The number of this form. A file with another number was written by another version.
pub const FORMAT: u32 = 1;

/// All that one run measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// [`FORMAT`] at the time of writing.
    pub format: u32,
    /// The version of Kumi.
    pub version: String,
    /// When it began, in seconds since 1970, UTC.
    pub at: u64,
    /// How long was measured: "quick" or "full".
    pub mode: String,
    /// The command that makes such a run.
    pub command: String,
    /// What it ran on.
    pub machine: Machine,
    /// What each backend of Kumi can do.
    pub capabilities: Vec<Capability>,
    /// In the order in which they ran; the sizes of one scenario stand together.
    pub scenarios: Vec<Scenario>,
}

/// What a run ran on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// Such as "linux".
    pub os: String,
    /// The name of the processor, or its architecture if that is not known.
    pub processor: String,
    /// How many threads run at the same time.
    pub cores: usize,
    /// As `rustc --version` says it.
    pub compiler: String,
}

/// Something that a backend can do or not, as the traits say that it implements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capability {
    /// The trait, such as "SpawnLocal".
    pub name: String,
    /// What it gives, in a few words: "tasks that may not leave their thread".
    pub about: String,
    /// Each backend, such as "loop", and whether it implements it; always the same backends in the same order.
    pub backends: Vec<(String, bool)>,
}

/// One scenario at one size.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Scenario {
    /// To which chapter of the page it belongs, such as "Tasks".
    pub group: String,
    /// The same for all sizes, such as "spawn.ready".
    pub name: String,
    /// One sentence that says what is done.
    pub about: String,
    /// What the times are per, in the singular, such as "task".
    pub unit: String,
    /// How many, if the scenario has sizes.
    pub size: Option<u64>,
    /// What the size counts, in the plural, such as "tasks". Empty if there is none.
    pub size_of: String,
    /// All who took part, in the order in which they are to be shown.
    pub competitors: Vec<Competitor>,
}

impl Scenario {
    /// The name and the size: "spawn.ready 1000".
    pub fn title(&self) -> String {
        match self.size {
            Some(size) => format!("{} {size}", self.name),
            None => self.name.clone(),
        }
    }
}

/// One who took part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Competitor {
    /// Such as "kumi on loop".
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// The runtime below it, such as "tokio, current thread"; the same words for Kumi on it and for its
    /// native API. Empty where there is none.
    pub runtime: String,
    /// Who does the same with the native API of the same runtime: the price of Kumi is the ratio to it.
    pub native: Option<String>,
    /// What was timed.
    pub clock: Clock,
    /// How many threads run its tasks.
    #[serde(default = "one")]
    pub threads: usize,
    /// Nanoseconds per unit, one number for each round. In the same order for all of a scenario.
    pub rounds: Vec<f64>,
    /// Allocations per unit, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocations: Option<f64>,
    /// The most bytes that were allocated at a time beyond those at the start, per unit, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<f64>,
    /// Instructions per unit, if they were counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<f64>,
}

fn one() -> usize {
    1
}

/// What one who takes part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A backend of Kumi, or Kumi without one.
    Kumi,
    /// The native API of a runtime that Kumi has a backend for.
    Native,
    /// Another library.
    Peer,
    /// Only what nobody can avoid.
    Floor,
}

/// What was timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Clock {
    /// The processor's time of the one thread that does all the work.
    Thread,
    /// Time on the wall, since several threads work.
    Wall,
}
