//! What a run of Kumi's benches found, as data, and all that is made from it for people.
//!
//! The benches write a [`Run`] as JSON, and everything that is shown is computed from that file: the page, the
//! charts, the tables, and the sentences that say what follows from them. No figure and no conclusion is typed
//! by hand.
//!
//! | to | use |
//! |---|---|
//! | read and write a run | [`Run::from_json`], [`Run::to_json`] |
//! | write the page, the charts and the tables | [`write`](fn@write) |
//! | know what follows | [`conclusions`], [`standings`], [`prices`] |
//! | set a run beside an earlier one | [`compare`] |
//! | fill a README and a guide | [`readme_block`], [`readme_chart`], [`guide`](fn@guide), [`capability_table`] |
//! | judge times | [`figures`] |
#![forbid(unsafe_code)]

mod baseline;
mod chart;
mod conclude;
pub mod data;
mod family;
pub mod figures;
mod filter;
mod guide;
mod json;
mod markdown;
mod page;
#[doc(hidden)]
pub mod sample;
mod text;
mod write;

pub use baseline::{Change, Changed, Comparison, SMALLEST_CHANGE, compare};
pub use conclude::{Conclusion, Conclusions, OfScenario, Price, Standing, conclusions};
pub use data::Run;
pub use filter::fits;
pub use guide::guide;
pub use json::Error;
pub use markdown::{capability_table, chosen_table, readme_block, table};
pub use write::{readme_chart, write};

/// How all backends stand, the quickest on the whole first; those on one thread before those on several.
#[must_use]
pub fn standings(run: &Run) -> Vec<Standing> {
    conclude::standings(run)
}

/// What Kumi costs over each runtime, in the order in which they come.
#[must_use]
pub fn prices(run: &Run) -> Vec<Price> {
    conclude::prices(run)
}
