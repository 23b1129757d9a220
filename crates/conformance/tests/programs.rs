//! Random programs of scopes, regions, limits, tasks, groups and combinators, each cancelled at every await.
//!
//! A program is made from a seed, so a failure can be repeated: `KUMI_PROGRAMS=4711..4712`, and, for one
//! point of it, `KUMI_EVERYWHERE` as the failure says. Without it a few hundred are run; more with
//! `KUMI_PROGRAMS=0..100000`.

#[path = "programs/combine.rs"]
mod combine;
#[path = "programs/make.rs"]
mod make;
#[path = "programs/run.rs"]
mod run;

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use kumi_conformance::everywhere::Everywhere;
use kumi_sim::Sim;
use make::{Maker, Place, Program, Random};
use run::{World, run};

/// The seeds that are run.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("KUMI_PROGRAMS") else {
        return 0..300;
    };
    let parsed = text.split_once("..").and_then(|(from, to)| {
        let number = |text: &str| text.parse::<u64>().ok();
        Some(number(from)?..number(to)?)
    });
    parsed.unwrap_or_else(|| panic!("KUMI_PROGRAMS={text} is no range of seeds such as 0..300"))
}

#[test]
fn random_programs_leave_nothing_behind() {
    let (mut points, mut runs) = (0, 0);
    for seed in seeds() {
        let mut maker = Maker {
            random: Random(seed),
            numbers: 0,
        };
        let depth = 2 + maker.random.below(3);
        let place = Place {
            depth,
            may_wait: false,
        };
        let program = Arc::new(Program::Seq(maker.several(place)));
        let text = format!("{program:?}");
        let everywhere =
            Everywhere::new(format!("program {seed}")).limit(Duration::from_secs(3600));
        let check = || {
            everywhere.check(
                move || Sim::with_seed(seed),
                move |rt, ledger| run(&World::new(rt, ledger), &program),
            )
        };
        match catch_unwind(AssertUnwindSafe(check)) {
            Ok(summary) => {
                points += summary.points;
                runs += summary.runs;
            }
            Err(panic) => {
                eprintln!(
                    "again: KUMI_PROGRAMS={seed}..{}, the program is {text}",
                    seed + 1
                );
                resume_unwind(panic);
            }
        }
    }
    eprintln!("{points} points, {runs} runs");
}
