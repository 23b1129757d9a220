//! Who runs next: [`Schedule`], and the chooser that carries it out.

use std::fmt;

use crate::trace::Trace;

/// Who runs next, of all that is ready.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Schedule {
    /// Whoever has been ready for the longest time, as on most real executors.
    #[default]
    Fifo,
    /// Anyone, by a generator that starts from this seed: the same seed, the same run.
    Random(u64),
    /// Whoever was chosen in an earlier run; after the end of the trace, as [`Fifo`](Self::Fifo).
    ///
    /// So a run that failed is repeated up to its failure, and goes on from there once the program is
    /// repaired; and a trace may be shortened by hand.
    /// `block_on` panics where the program shows another number of ready steps than the trace has:
    /// then it took another path than the program that made the trace.
    Replay(Trace),
}

/// The state of a schedule that is being carried out.
#[derive(Debug)]
pub(crate) enum Chooser {
    Fifo,
    Random(SplitMix),
    Replay(Replay),
}

impl Chooser {
    pub(crate) fn new(schedule: Schedule) -> Self {
        match schedule {
            Schedule::Fifo => Self::Fifo,
            Schedule::Random(seed) => Self::Random(SplitMix(seed)),
            Schedule::Replay(trace) => Self::Replay(Replay {
                trace,
                run: 0,
                used: 0,
                number: 0,
            }),
        }
    }

    /// Chooses one of `of`, which are two or more.
    pub(crate) fn choose(&mut self, of: usize) -> Result<usize, Divergence> {
        match self {
            Self::Fifo => Ok(0),
            Self::Random(generator) => Ok(generator.below(of)),
            Self::Replay(replay) => replay.next(of),
        }
    }
}

/// The generator splitmix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
///
/// Neighbouring seeds give unrelated numbers, which matters because people count seeds from zero.
#[derive(Debug)]
pub(crate) struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`. The high word of a product: the bias is below 2^-32 for any limit that
    /// a queue can have.
    fn below(&mut self, limit: usize) -> usize {
        let product = u128::from(self.next()) * limit as u128;
        usize::try_from(product >> 64).expect("it is below the limit")
    }
}

/// A place in a trace.
#[derive(Debug)]
pub(crate) struct Replay {
    trace: Trace,
    run: usize,
    /// How many times of that run are used up.
    used: u64,
    /// How many choices are used up.
    number: u64,
}

impl Replay {
    fn next(&mut self, of: usize) -> Result<usize, Divergence> {
        let Some(run) = self.trace.run(self.run) else {
            return Ok(0);
        };
        if run.of as usize != of {
            return Err(Divergence {
                number: self.number,
                recorded: run.of,
                found: of,
            });
        }
        self.number += 1;
        self.used += 1;
        if self.used == run.times {
            self.run += 1;
            self.used = 0;
        }
        Ok(run.choice as usize)
    }
}

/// A program that takes another path than its trace.
#[derive(Debug)]
pub(crate) struct Divergence {
    number: u64,
    recorded: u32,
    found: usize,
}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            number,
            recorded,
            found,
        } = self;
        write!(
            f,
            "replay: the program took another path than its trace: choice {number} (counted from 0) \
             was one of {recorded} and is now one of {found}. Either the program was changed since, \
             or it depends on something that the simulator does not control: a thread, the real \
             clock, the order of a hash map"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_splitmix64() {
        // From the reference implementation in C, seed 1234567.
        let mut generator = SplitMix(1_234_567);
        assert_eq!(generator.next(), 6_457_827_717_110_365_317);
        assert_eq!(generator.next(), 3_203_168_211_198_807_973);
    }

    #[test]
    fn every_number_below_the_limit_comes_about_as_often() {
        let mut generator = SplitMix(0);
        let mut counts = [0_u32; 5];
        for _ in 0..5000 {
            counts[generator.below(5)] += 1;
        }
        assert!(counts.iter().all(|n| (900..1100).contains(n)), "{counts:?}");
    }
}
