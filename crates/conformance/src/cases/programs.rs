//! Random programs of combinators, groups, scopes, regions and tasks, of which is known what comes out:
//! the same on every runtime, whatever takes turns with what.
//!
//! A failure names the seed and the program: `KUMI_PROGRAMS=4711..4712` repeats it, and
//! `KUMI_PROGRAMS=0..5000` runs more.

mod make;
mod run;

use kumi_core::runtime::Runtime;

use crate::probe::until;
use crate::seeds::seeds;

use self::make::Maker;
use self::run::World;

/// Each gives what the rules say, and all clean-ups that began in it have ended, those among them that
/// had to run.
pub async fn what_comes_out_is_known<R: Runtime>(rt: R) {
    for seed in seeds(0..200) {
        let made = Maker::new(seed).program();
        let world = World::new(rt.clone());
        let outcome = run::run(&world, &made.part).await;
        // Tasks whose handles were dropped clean up by themselves.
        until(|| world.is_closed()).await;
        let part = &made.part;
        assert_eq!(
            outcome, made.outcome,
            "seen, expected, of program {seed}: {part:?}"
        );
        let left = world.not_cleaned(&made.regions);
        assert!(
            left.is_empty(),
            "regions {left:?} did not clean up in program {seed}: {part:?}"
        );
    }
}
