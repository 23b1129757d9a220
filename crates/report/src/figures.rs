//! Figures: what the rounds say, and how surely.
//!
//! A ratio is taken in each round, between two times that were measured one right after the other, and then
//! the median of the rounds: what slows a machine down for a second slows both down. How far the ratios of
//! the rounds lie apart is how much of a difference can be believed.

use crate::data::{Competitor, Kind, Scenario};

/// Rounds whose middle half spreads over more than this share of their median are noisy.
pub const NOISY: f64 = 0.20;

/// With fewer rounds nothing is judged.
pub const FEWEST: usize = 5;

/// No difference below this share is called one, however calm the rounds are.
pub const SMALLEST: f64 = 0.02;

/// A time per unit that changes by no more than this factor over all sizes is flat.
pub const FLAT: f64 = 1.25;

/// The value below which the given share of the sorted values lies, between two of them if need be.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return f64::NAN;
    };
    let at = share * last as f64;
    let (low, part) = (at.floor() as usize, at.fract());
    let high = (low + 1).min(last);
    sorted[low] + (sorted[high] - sorted[low]) * part
}

/// The median of some values and the middle half of them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Middle {
    /// The first quartile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The third quartile.
    pub high: f64,
    /// The number of values.
    pub count: usize,
}

impl Middle {
    /// Of these values; not numbers if there is none.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Middle {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        Middle {
            low: quantile(&sorted, 0.25),
            median: quantile(&sorted, 0.5),
            high: quantile(&sorted, 0.75),
            count: sorted.len(),
        }
    }

    /// How wide the middle half is, as a share of the median.
    #[must_use]
    pub fn spread(&self) -> f64 {
        (self.high - self.low) / self.median
    }

    /// How it stands to 1, if it is a ratio.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        if self.count < FEWEST {
            return Verdict::Unknown;
        }
        // A share of the smaller side, so that turning the ratio round changes nothing.
        let difference = self.median.max(1.0 / self.median) - 1.0;
        if difference <= self.spread().max(SMALLEST) {
            Verdict::Equal
        } else if self.median < 1.0 {
            Verdict::Less
        } else {
            Verdict::More
        }
    }
}

/// On how many threads tasks run: backends are set beside one another only if that is alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// On the one that blocks, or on one other.
    One,
    /// On several at the same time.
    Several,
}

impl Threads {
    /// Those of one who takes part.
    #[must_use]
    pub fn of(one: &Competitor) -> Self {
        match one.threads {
            0 | 1 => Self::One,
            _ => Self::Several,
        }
    }
}

/// How a ratio stands to 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Clearly below.
    Less,
    /// The difference is smaller than the spread.
    Equal,
    /// Clearly above.
    More,
    /// Too few rounds to judge.
    Unknown,
}

/// The median time of one competitor, in nanoseconds per unit, and the middle half of its rounds.
#[must_use]
pub fn middle(one: &Competitor) -> Middle {
    Middle::of(one.rounds.iter().copied())
}

/// The median of some values.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    Middle::of(values.iter().copied()).median
}

/// The interquartile range of some values as a share of their median.
#[must_use]
pub fn spread(values: &[f64]) -> f64 {
    Middle::of(values.iter().copied()).spread()
}

/// The times of one over those of another, round by round.
#[must_use]
pub fn ratio(one: &Competitor, other: &Competitor) -> Middle {
    let pairs = one.rounds.iter().zip(&other.rounds);
    Middle::of(pairs.map(|(one, other)| one / other))
}

/// Whether its times can be judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Quality {
    /// Enough rounds that agree.
    Good,
    /// The spread, above [`NOISY`].
    Noisy(f64),
    /// The number of rounds, below [`FEWEST`].
    TooFew(usize),
}

/// Whether the times of one competitor can be judged.
#[must_use]
pub fn quality(one: &Competitor) -> Quality {
    let middle = middle(one);
    if middle.count < FEWEST {
        Quality::TooFew(middle.count)
    } else if middle.spread() > NOISY {
        Quality::Noisy(middle.spread())
    } else {
        Quality::Good
    }
}

/// The geometric mean; none of no values.
pub fn geometric_mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (mut sum, mut count) = (0.0, 0u32);
    for value in values {
        sum += value.ln();
        count += 1;
    }
    (count > 0).then(|| (sum / f64::from(count)).exp())
}

/// The quickest by its median under the same clock as the given one, floors left out unless it is one that
/// has nobody else beside it.
#[must_use]
pub fn best<'a>(scenario: &'a Scenario, beside: &'a Competitor) -> &'a Competitor {
    let same_clock = scenario
        .competitors
        .iter()
        .filter(|one| one.clock == beside.clock && one.kind != Kind::Floor);
    same_clock
        .min_by(|a, b| middle(a).median.total_cmp(&middle(b).median))
        .unwrap_or(beside)
}

/// What one does with the native API of the same runtime, timed by the same clock.
#[must_use]
pub fn native<'a>(scenario: &'a Scenario, one: &Competitor) -> Option<&'a Competitor> {
    let name = one.native.as_ref()?;
    let mut all = scenario.competitors.iter();
    all.find(|other| other.name == *name && other.clock == one.clock)
}

/// The times of one over those of its native API, round by round.
#[must_use]
pub fn price(scenario: &Scenario, one: &Competitor) -> Option<Middle> {
    Some(ratio(one, native(scenario, one)?))
}

/// How the time per unit changes from the smallest to the largest size.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Growth {
    /// The smallest size.
    pub from: u64,
    /// The largest size.
    pub to: u64,
    /// The median time at the largest size over that at the smallest.
    pub factor: f64,
    /// The spreads of both.
    pub noise: f64,
}

impl Growth {
    /// Of one competitor over scenarios that differ in their size only; none if fewer than two sizes have it.
    #[must_use]
    pub fn of(sizes: &[&Scenario], name: &str) -> Option<Growth> {
        let mut of_size: Vec<(u64, Middle)> = Vec::new();
        for scenario in sizes {
            let mut all = scenario.competitors.iter();
            if let (Some(size), Some(one)) = (scenario.size, all.find(|one| one.name == name)) {
                of_size.push((size, middle(one)));
            }
        }
        of_size.sort_by_key(|(size, _)| *size);
        let (first, last) = (of_size.first()?, of_size.last()?);
        (first.0 < last.0).then(|| Growth {
            from: first.0,
            to: last.0,
            factor: last.1.median / first.1.median,
            noise: first.1.spread() + last.1.spread(),
        })
    }

    /// Whether it is flat, falls or grows, by more than [`FLAT`] and by more than the noise.
    #[must_use]
    pub fn verdict(&self) -> Verdict {
        let change = self.factor.max(1.0 / self.factor);
        if change <= FLAT.max(1.0 + self.noise) {
            Verdict::Equal
        } else if self.factor < 1.0 {
            Verdict::Less
        } else {
            Verdict::More
        }
    }

    /// The power of the size with which the time per unit grows: 0 is flat, 1 in proportion.
    #[must_use]
    pub fn power(&self) -> f64 {
        // A size of zero has no logarithm; it counts as one.
        self.factor.ln() / (self.to as f64 / self.from.max(1) as f64).ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{competitor, scenario};

    #[test]
    fn medians_and_spreads() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(spread(&[1.0, 2.0, 3.0, 4.0, 5.0]), 2.0 / 3.0);
        assert_eq!(spread(&[7.0]), 0.0);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        // The machine is three times slower in the middle, and the ratio does not see it.
        let one = competitor("a", Kind::Kumi, "", &[2.0, 6.0, 2.0, 6.0, 2.0]);
        let other = competitor("b", Kind::Peer, "", &[1.0, 3.0, 1.0, 3.0, 1.0]);
        let found = ratio(&one, &other);
        assert_eq!((found.median, found.spread()), (2.0, 0.0));
        assert_eq!(found.verdict(), Verdict::More);
        assert_eq!(ratio(&other, &one).verdict(), Verdict::Less);
        assert!(matches!(quality(&one), Quality::Noisy(_)));
    }

    #[test]
    fn a_difference_below_the_spread_is_none() {
        let equal = Middle::of([0.9, 1.0, 1.05, 1.1, 1.2]);
        assert_eq!(equal.verdict(), Verdict::Equal);
        let tiny = Middle::of([1.01; 9]);
        assert_eq!(tiny.verdict(), Verdict::Equal);
        let clear = Middle::of([1.05; 9]);
        assert_eq!(clear.verdict(), Verdict::More);
        assert_eq!(Middle::of([2.0; 4]).verdict(), Verdict::Unknown);
        let few = competitor("a", Kind::Kumi, "", &[1.0; 4]);
        assert_eq!(quality(&few), Quality::TooFew(4));
    }

    #[test]
    fn means() {
        assert_eq!(geometric_mean([]), None);
        let mean = geometric_mean([2.0, 8.0]).unwrap();
        assert!((mean - 4.0).abs() < 1e-9);
    }

    #[test]
    fn the_best_has_the_same_clock_and_is_no_floor() {
        let mut wall = competitor("wall", Kind::Kumi, "", &[1.0; 5]);
        wall.clock = crate::data::Clock::Wall;
        let floor = competitor("floor", Kind::Floor, "", &[1.0; 5]);
        let (slow, quick) = (
            competitor("slow", Kind::Kumi, "", &[4.0; 5]),
            competitor("quick", Kind::Peer, "", &[3.0; 5]),
        );
        let one = scenario("a", None, vec![wall, floor, slow, quick]);
        assert_eq!(best(&one, &one.competitors[2]).name, "quick");
        assert_eq!(best(&one, &one.competitors[0]).name, "wall");
    }

    #[test]
    fn a_price_needs_the_native_api_under_the_same_clock() {
        let mut kumi = competitor("kumi on tokio", Kind::Kumi, "tokio", &[3.0; 5]);
        kumi.native = Some("tokio".to_owned());
        let native = competitor("tokio", Kind::Native, "tokio", &[2.0; 5]);
        let mut one = scenario("a", None, vec![kumi, native]);
        assert_eq!(price(&one, &one.competitors[0]).unwrap().median, 1.5);
        assert!(price(&one, &one.competitors[1]).is_none());
        one.competitors[1].clock = crate::data::Clock::Wall;
        assert!(price(&one, &one.competitors[0]).is_none());
    }

    #[test]
    fn growth_is_from_the_smallest_to_the_largest() {
        let at = |size, time: f64| {
            let one = competitor("a", Kind::Kumi, "", &[time; 5]);
            scenario("s", Some(size), vec![one])
        };
        let sizes = [at(100_000, 30.0), at(10, 10.0), at(1, 3.0)];
        let sizes: Vec<&Scenario> = sizes.iter().collect();
        let growth = Growth::of(&sizes, "a").unwrap();
        assert_eq!((growth.from, growth.to), (1, 100_000));
        assert!((growth.factor - 10.0).abs() < 1e-9);
        assert!((growth.power() - 0.2).abs() < 1e-9);
        assert_eq!(growth.verdict(), Verdict::More);
        assert_eq!(Growth::of(&sizes[..1], "a"), None);
        assert_eq!(Growth::of(&sizes, "b"), None);
        let flat = Growth::of(&[&at(1, 10.0), &at(10, 11.0)], "a").unwrap();
        assert_eq!(flat.verdict(), Verdict::Equal);
    }
}
