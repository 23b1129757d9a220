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

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use kumi_conformance::everywhere::Everywhere;
use kumi_conformance::seeds::seeds;
use kumi_sim::Sim;
use make::{Maker, Place, Program};
use run::{World, run};

#[test]
fn random_programs_leave_nothing_behind() {
    let (mut points, mut runs) = (0, 0);
    for seed in seeds(0..300) {
        let mut maker = Maker {
            random: Rng::with_seed(seed),
            numbers: 0,
        };
        let depth = 2 + maker.random.usize(..3);
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
