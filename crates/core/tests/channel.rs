//! Channels beside a model of them, by random steps: what each poll gives, who is woken, what is dropped.
//! (The same program is the target `channel` of `fuzz/`.)

#[path = "channel/model.rs"]
mod model;
#[path = "channel/run.rs"]
mod run;

use fastrand::Rng;
use kumi_core::channel::{bounded, local};
use run::program;

/// A million steps, in programs of 250, and a quarter of that with the ends on one thread;
/// `KUMI_CHANNEL=n` runs n programs instead.
#[test]
fn random_programs_do_what_the_model_does() {
    let wanted = std::env::var("KUMI_CHANNEL").ok();
    let programs = wanted.map_or(4_000, |count| count.parse().expect("a number"));
    for seed in 0..programs {
        let run = || {
            let mut random = Rng::with_seed(seed);
            let mut choose = |bound| random.usize(..bound);
            program(bounded, &mut choose, 250);
            if seed % 4 == 0 {
                program(local::bounded, &mut choose, 250);
            }
        };
        if let Err(panic) = std::panic::catch_unwind(run) {
            eprintln!("in program {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
