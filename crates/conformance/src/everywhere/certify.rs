//! What the macros call: a scenario in all rounds of a harness.

use std::future::Future;

use kumi_core::report::Report;

use super::{Everywhere, Ledger};
use crate::Harness;

/// How many rounds of a harness are used at most.
const ROUNDS: u64 = 4;

/// Runs one scenario in the rounds of a harness.
///
/// # Panics
///
/// If it fails.
pub fn rounds<H, S, F>(everywhere: Everywhere, make: fn() -> H, scenario: S)
where
    H: Harness + 'static,
    S: Fn(H::Runtime, Ledger) -> F + Copy + Send + 'static,
    F: Future<Output = ()> + Send + 'static,
{
    for round in 0..make().rounds().min(ROUNDS) {
        let everywhere = everywhere.clone().round(round);
        everywhere.check(move || make().fresh(round), scenario);
    }
}

/// [`rounds`] for a scenario that is not `Send`.
///
/// # Panics
///
/// If it fails.
pub fn rounds_local<H, S, F>(everywhere: Everywhere, make: fn() -> H, scenario: S)
where
    H: Harness + 'static,
    S: Fn(H::Runtime, Ledger) -> F + Copy + Send + 'static,
    F: Future<Output = ()> + 'static,
{
    for round in 0..make().rounds().min(ROUNDS) {
        let everywhere = everywhere.clone().round(round);
        everywhere.check_local(move || make().fresh(round), scenario);
    }
}

/// The scenario has panics, of which some reach nobody.
pub fn panics(everywhere: Everywhere) -> Everywhere {
    everywhere.allow(|report| {
        matches!(
            report,
            Report::PanicNotJoined { .. } | Report::PanicInCleanUp { .. }
        )
    })
}

/// The scenario has errors, of which some reach nobody.
pub fn fails(everywhere: Everywhere) -> Everywhere {
    everywhere.allow(|report| {
        matches!(
            report,
            Report::CleanUpFailed { .. }
                | Report::ErrorNotTaken { .. }
                | Report::GroupErrorsLost { .. }
        )
    })
}
