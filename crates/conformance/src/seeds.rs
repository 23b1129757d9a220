//! Which random programs are run.

use std::ops::Range;

/// The variable that names the seeds.
const SEEDS: &str = "KUMI_PROGRAMS";

/// The seeds that `KUMI_PROGRAMS=4711..4712` asks for; `otherwise` without it.
///
/// # Panics
///
/// If that is no range.
#[must_use]
pub fn seeds(otherwise: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var(SEEDS) else {
        return otherwise;
    };
    let parsed = text.split_once("..").and_then(|(from, to)| {
        let number = |text: &str| text.parse::<u64>().ok();
        Some(number(from)?..number(to)?)
    });
    parsed.unwrap_or_else(|| panic!("{SEEDS}={text} is no range of seeds such as 0..300"))
}
