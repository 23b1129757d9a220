//! Makes programs together with what they have to give.

use std::sync::Arc;

use fastrand::Rng;

use crate::forms::Form;

/// What a part of a program gives.
pub(super) type Outcome = Result<u64, u64>;

pub(super) type Parts = Vec<Arc<Part>>;

/// A part of a program.
#[derive(Debug)]
pub(super) enum Part {
    Value(u64),
    Fail(u64),
    Forever,
    Yield(Arc<Part>),
    Sleep(u64, Arc<Part>),
    /// Turns a failure into a value.
    Catch(Arc<Part>),
    /// Turns a value into a failure.
    Throw(Arc<Part>),
    /// One after the other, up to a failure.
    Seq(Parts),
    Region(u64, Arc<Part>, Arc<Part>),
    Uncut(Arc<Part>),
    Work(Arc<Part>),
    Task(Arc<Part>),
    /// With a limit that is far away.
    Limit(Arc<Part>),
    /// With a limit that expires: the part never ends.
    Expired(u64, Arc<Part>),
    /// The first, beside the second, which never ends; then their scope is cancelled.
    Cut(Arc<Part>, Arc<Part>),
    /// Children of a group, which may fail.
    Group(Parts),
    InPlace(Parts),
    Gather(Form, Parts),
    TryGather(Form, Parts),
    Race(Form, Parts),
    RaceOk(Form, Parts),
    /// Waits so long for the first one, then for all.
    Wait(u64, Parts),
    /// A loop, with a limit.
    ForEach(usize, Parts),
    /// So many outputs, one after the other; the scope of the rest is cancelled.
    Take(usize, Parts),
}

/// A part, and what is known of it.
pub(super) struct Made {
    pub(super) part: Arc<Part>,
    pub(super) outcome: Outcome,
    /// The regions in it that run for sure.
    pub(super) regions: Vec<u64>,
}

/// One number for several outcomes in their order.
pub(super) fn mix(outcomes: impl IntoIterator<Item = Outcome>) -> u64 {
    outcomes.into_iter().fold(7, |sum: u64, outcome| {
        let number = match outcome {
            Ok(value) => value.wrapping_mul(2),
            Err(error) => error.wrapping_mul(2).wrapping_add(1),
        };
        sum.wrapping_mul(1_000_003).wrapping_add(number)
    })
}

/// What an expired limit gives, and a scope that was cancelled.
pub(super) const CUT: Outcome = Ok(11);

/// Makes programs from a seed.
pub(super) struct Maker {
    random: Rng,
    numbers: u64,
}

impl Maker {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            random: Rng::with_seed(seed),
            numbers: 0,
        }
    }

    pub(super) fn program(&mut self) -> Made {
        let depth = 2 + self.random.u64(..4);
        self.part(depth)
    }

    fn number(&mut self) -> u64 {
        self.numbers += 1;
        self.numbers
    }

    /// A part that ends.
    fn part(&mut self, depth: u64) -> Made {
        let number = self.number();
        let Some(inside) = depth.checked_sub(1) else {
            return match self.random.u64(..4) {
                0 => made(Part::Fail(number), Err(number), Vec::new()),
                _ => made(Part::Value(number), Ok(number), Vec::new()),
            };
        };
        match self.random.u64(..20) {
            0 => self.part(inside).map(Part::Yield),
            1 => {
                let time = self.random.u64(..3);
                self.part(inside).map(|part| Part::Sleep(time, part))
            }
            2 => self.succeeds(inside),
            3 => self.fails(inside),
            4 | 5 => {
                let mut parts = Vec::new();
                let mut regions = Vec::new();
                let mut values = Vec::new();
                let mut failed = None;
                for _ in 0..=self.random.u64(..3) {
                    let next = self.part(inside);
                    parts.push(next.part);
                    if failed.is_none() {
                        regions.extend(next.regions);
                        values.push(next.outcome);
                        failed = next.outcome.err();
                    }
                }
                let outcome = failed.map_or_else(|| Ok(mix(values)), Err);
                made(Part::Seq(parts), outcome, regions)
            }
            6 | 7 => {
                let (clean, mut body) = (self.part(inside), self.part(inside));
                body.regions.push(number);
                body.regions.extend(clean.regions);
                body.map(|body| Part::Region(number, body, clean.part))
            }
            8 => self.part(inside).map(match self.random.u64(..3) {
                0 => Part::Uncut,
                1 => Part::Work,
                _ => Part::Limit,
            }),
            9 => self.part(inside).map(Part::Task),
            10 => {
                let part = Part::Expired(self.random.u64(..3), self.endless(inside));
                made(part, CUT, Vec::new())
            }
            11 => {
                let rest = self.endless(inside);
                let Made { part, regions, .. } = self.part(inside);
                made(Part::Cut(part, rest), CUT, regions)
            }
            12 => {
                let (_, count) = self.form();
                let part = match self.random.u64(..2) {
                    0 => Part::Group,
                    _ => Part::InPlace,
                };
                self.values_or_failure(inside, count, None, part)
            }
            13 | 14 => {
                let (form, count) = self.form();
                self.all(inside, count, |parts| Part::Gather(form, parts))
            }
            15 => {
                let (form, count) = self.form();
                let part = |parts| Part::TryGather(form, parts);
                self.values_or_failure(inside, count, Some(form), part)
            }
            16 => {
                let (form, count) = self.form();
                let winner = self.part(inside);
                self.decided(count, inside, Some(form), winner, |parts| {
                    Part::Race(form, parts)
                })
            }
            17 => {
                let (form, count) = self.form();
                if self.random.u64(..3) > 0 {
                    let winner = self.succeeds(inside);
                    return self.decided(count, inside, Some(form), winner, |parts| {
                        Part::RaceOk(form, parts)
                    });
                }
                let failures: Vec<_> = (0..count).map(|_| self.fails(inside)).collect();
                let (parts, outcomes, regions) = unzip(failures);
                made(Part::RaceOk(form, parts), Err(mix(outcomes)), regions)
            }
            18 => {
                let (_, count) = self.form();
                let number = self.random.u64(..3);
                match self.random.u64(..2) {
                    0 => self.all(inside, count, |parts| Part::Wait(number, parts)),
                    _ => self.all(inside, count, |parts| Part::ForEach(1 + count / 2, parts)),
                }
            }
            _ => {
                let (_, count) = self.form();
                let few: Vec<_> = (0..count).map(|_| self.part(inside)).collect();
                let (mut parts, outcomes, regions) = unzip(few);
                parts.extend((0..self.random.u64(..3)).map(|_| self.endless(inside)));
                // The outputs are mixed outside of the scope, which may have been cancelled.
                made(Part::Take(count, parts), Ok(mix(outcomes)), regions)
            }
        }
    }

    fn form(&mut self) -> (Form, usize) {
        let count = 1 + self.random.usize(..3);
        match self.random.u64(..5) {
            0 => (Form::Vec, count),
            1 => (Form::Pair, 2),
            2 => (Form::Limit(1 + self.random.usize(..2)), count),
            _ => (Form::Spawned, count),
        }
    }

    fn succeeds(&mut self, depth: u64) -> Made {
        let mut part = self.part(depth);
        part.outcome = part.outcome.or_else(Ok::<_, u64>);
        part.map(Part::Catch)
    }

    fn fails(&mut self, depth: u64) -> Made {
        let mut part = self.part(depth);
        part.outcome = part.outcome.and_then(Err);
        part.map(Part::Throw)
    }

    /// A combinator whose members all end.
    fn all(&mut self, depth: u64, count: usize, part: impl FnOnce(Parts) -> Part) -> Made {
        let members: Vec<_> = (0..count).map(|_| self.part(depth)).collect();
        let (parts, outcomes, regions) = unzip(members);
        made(part(parts), Ok(mix(outcomes)), regions)
    }

    /// A combinator whose members all succeed, or one fails and the others never end.
    fn values_or_failure(
        &mut self,
        depth: u64,
        count: usize,
        form: Option<Form>,
        part: impl FnOnce(Parts) -> Part,
    ) -> Made {
        if self.random.u64(..2) == 0 {
            let failure = self.fails(depth);
            return self.decided(count, depth, form, failure, part);
        }
        let values: Vec<_> = (0..count).map(|_| self.succeeds(depth)).collect();
        let (parts, outcomes, regions) = unzip(values);
        made(part(parts), Ok(mix(outcomes)), regions)
    }

    /// A combinator one of whose members decides, and the others never end.
    fn decided(
        &mut self,
        count: usize,
        depth: u64,
        form: Option<Form>,
        decides: Made,
        part: impl FnOnce(Parts) -> Part,
    ) -> Made {
        let mut parts: Parts = (1..count).map(|_| self.endless(depth)).collect();
        let place = match form {
            // Whoever never ends keeps its place.
            Some(Form::Limit(_)) => 0,
            _ => self.random.usize(..count),
        };
        parts.insert(place, decides.part);
        made(part(parts), decides.outcome, decides.regions)
    }

    /// A part that does not end unless it is cancelled.
    fn endless(&mut self, depth: u64) -> Arc<Part> {
        let Some(inside) = depth.checked_sub(1) else {
            return Arc::new(Part::Forever);
        };
        let (form, _) = self.form();
        let form = match form {
            Form::Limit(_) | Form::Pair => Form::Vec,
            form => form,
        };
        Arc::new(match self.random.u64(..10) {
            0 | 1 => Part::Forever,
            2..=4 => Part::Region(self.number(), self.endless(inside), self.part(inside).part),
            5 => Part::Sleep(self.random.u64(..3), self.endless(inside)),
            6 => Part::Task(self.endless(inside)),
            7 => Part::Gather(form, vec![self.part(inside).part, self.endless(inside)]),
            8 => Part::Race(form, vec![self.endless(inside), self.endless(inside)]),
            _ => Part::Group(vec![self.succeeds(inside).part, self.endless(inside)]),
        })
    }
}

fn made(part: Part, outcome: Outcome, regions: Vec<u64>) -> Made {
    Made {
        part: Arc::new(part),
        outcome,
        regions,
    }
}

impl Made {
    fn map(self, part: impl FnOnce(Arc<Part>) -> Part) -> Self {
        made(part(self.part), self.outcome, self.regions)
    }
}

fn unzip(all: Vec<Made>) -> (Parts, Vec<Outcome>, Vec<u64>) {
    let (mut parts, mut outcomes, mut regions) = (Vec::new(), Vec::new(), Vec::new());
    for made in all {
        parts.push(made.part);
        outcomes.push(made.outcome);
        regions.extend(made.regions);
    }
    (parts, outcomes, regions)
}
