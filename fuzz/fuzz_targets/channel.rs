//! Channels beside their model: each byte is a choice of the program.
//!
//! ```sh
//! cargo +nightly fuzz run channel
//! ```
#![no_main]

#[path = "../../crates/core/tests/channel/model.rs"]
mod model;
#[path = "../../crates/core/tests/channel/run.rs"]
mod run;

use kumi_core::channel::{bounded, local};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let mut left = bytes.iter();
    let mut choose = |bound| left.next().map_or(0, |byte| usize::from(*byte) % bound);
    match choose(2) {
        0 => run::program(bounded, &mut choose, bytes.len()),
        _ => run::program(local::bounded, &mut choose, bytes.len()),
    }
});
