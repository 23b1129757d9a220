//! Conclusions: sentences that are computed from a run, and never typed.
//!
//! A difference that is smaller than the spread of its rounds is called equal, and where that spread is wide
//! nothing is said at all. Times under two clocks are never set against each other.

mod scenario;
mod standing;
mod whole;

pub use standing::{Price, Standing};

use crate::data::Run;

pub(crate) use standing::{contests, group_standing, prices, standings};

/// All that is concluded from a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusions {
    /// About the whole, the most important first.
    pub whole: Vec<Conclusion>,
    /// About each scenario, in the order of the run.
    pub scenarios: Vec<OfScenario>,
}

/// One conclusion about the whole.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conclusion {
    /// What it is about, in a word or two.
    pub topic: &'static str,
    /// A sentence or a few.
    pub text: String,
}

/// What is concluded from one scenario at one size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OfScenario {
    /// Its name.
    pub name: String,
    /// Its size.
    pub size: Option<u64>,
    /// A sentence or a few.
    pub sentences: Vec<String>,
}

/// Computes what follows from a run.
#[must_use]
pub fn conclusions(run: &Run) -> Conclusions {
    Conclusions {
        whole: whole::conclusions(run),
        scenarios: run
            .scenarios
            .iter()
            .map(|scenario| OfScenario {
                name: scenario.name.clone(),
                size: scenario.size,
                sentences: scenario::sentences(run, scenario),
            })
            .collect(),
    }
}

#[cfg(test)]
mod tests;
