//! Laws of the combinators, on random input: order, units, associativity, identities, and that a program
//! means the same whenever it is run.

use std::cell::RefCell;
use std::future::{Future, pending};
use std::pin::Pin;
use std::rc::Rc;
use std::time::Duration;

use fastrand::Rng;
use kumi_core::combine::{
    as_completed, gather, limited, race, race_ok, timeout, try_gather, yield_now,
};
use kumi_core::runtime::{Clock, Runtime};
use kumi_sim::Sim;

/// How many seeds each law is tried with.
const SEEDS: u64 = 300;

/// What a future did, in order: its number at each step.
type Trace = Rc<RefCell<Vec<u64>>>;

/// Suspends a few times, by itself or for a time, and gives its number, or fails with it.
#[derive(Clone, Copy, Debug)]
struct Part {
    number: u64,
    yields: u64,
    sleep: u64,
    fails: bool,
}

impl Part {
    fn random(random: &mut Rng, number: u64) -> Self {
        Self {
            number,
            yields: random.u64(..4),
            sleep: random.u64(..4),
            fails: random.u64(..4) == 0,
        }
    }

    async fn run(self, rt: &Sim, trace: &Trace) -> Result<u64, u64> {
        for _ in 0..self.yields {
            trace.borrow_mut().push(self.number);
            yield_now().await;
        }
        if self.sleep > 0 {
            rt.sleep(Duration::from_millis(self.sleep)).await;
        }
        trace.borrow_mut().push(self.number);
        if self.fails {
            Err(self.number)
        } else {
            Ok(self.number)
        }
    }
}

/// Tries a law with each seed: on random parts, and a schedule of that seed.
fn law(check: impl AsyncFn(&Sim, &mut Rng, Vec<Part>)) {
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        let count = random.u64(..12);
        let parts = (0..count).map(|number| Part::random(&mut random, number));
        let parts: Vec<_> = parts.collect();
        let sim = Sim::with_seed(seed);
        let rt = sim.handle();
        sim.block_on(check(&rt, &mut random, parts));
    }
}

/// What `future` gives, and what happened meanwhile, on a fresh simulator with the first schedule.
fn observe<T>(future: impl AsyncFnOnce(&Sim, &Trace) -> T) -> (T, Vec<u64>, Duration) {
    let trace = Trace::default();
    let sim = Sim::new();
    let (rt, start) = (sim.handle(), sim.now());
    let value = sim.block_on(future(&rt, &trace));
    (value, trace.take(), rt.now() - start)
}

#[test]
fn outputs_are_in_the_order_of_the_input() {
    law(async |rt, _, parts| {
        let trace = Trace::default();
        let outputs = gather(parts.iter().map(|part| part.run(rt, &trace))).await;
        let numbers = outputs
            .into_iter()
            .map(|output| output.unwrap_or_else(|failed| failed));
        assert!(numbers.eq(0..parts.len() as u64));
    });
}

#[test]
fn try_gather_is_gather_if_nobody_fails() {
    law(async |rt, _, parts| {
        let trace = Trace::default();
        let outputs = gather(parts.iter().map(|part| part.run(rt, &trace))).await;
        let tried = try_gather(parts.iter().map(|part| part.run(rt, &trace))).await;
        let expected: Result<Vec<_>, _> = outputs.iter().copied().collect();
        match tried {
            Ok(values) => assert_eq!(Ok(values), expected),
            // Which of several is first is a matter of time; but it did fail.
            Err(error) => assert!(outputs.contains(&Err(error))),
        }
    });
}

#[test]
fn race_ok_is_try_gather_with_its_sides_exchanged() {
    fn swap(output: Result<u64, u64>) -> Result<u64, u64> {
        output.map_or_else(Ok, Err)
    }
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        let parts: Vec<_> = (0..8)
            .map(|number| Part::random(&mut random, number))
            .collect();
        let one = observe(async |rt, trace| {
            race_ok(parts.iter().map(async |part| part.run(rt, trace).await)).await
        });
        let other = observe(async |rt, trace| {
            let swapped = parts
                .iter()
                .map(async |part| swap(part.run(rt, trace).await));
            try_gather(swapped).await.map_or_else(Ok, Err)
        });
        assert_eq!(one, other, "seed {seed}");
    }
}

#[test]
fn one_alone_is_the_future_itself() {
    for seed in 0..SEEDS {
        let part = Part::random(&mut Rng::with_seed(seed), 1);
        let itself = observe(async |rt, trace| part.run(rt, trace).await);
        let same = [
            observe(async |rt, trace| gather([part.run(rt, trace)]).await[0]),
            observe(async |rt, trace| gather((part.run(rt, trace),)).await.0),
            observe(async |rt, trace| gather(vec![part.run(rt, trace)]).await[0]),
            observe(async |rt, trace| race([part.run(rt, trace)]).await.unwrap()),
            observe(async |rt, trace| race((part.run(rt, trace),)).await.unwrap()),
            observe(async |rt, trace| try_gather([part.run(rt, trace)]).await.map(|[it]| it)),
            observe(async |rt, trace| race_ok([part.run(rt, trace)]).await.map_err(|[it]| it)),
            // Beside what never ends, and what is ready at once.
            observe(async |rt, trace| {
                let never = async { Ok(pending().await) };
                race((part.run(rt, trace), never)).await.unwrap()
            }),
            observe(async |rt, trace| gather((part.run(rt, trace), gather(()))).await.0),
        ];
        assert!(same.iter().all(|it| *it == itself), "{itself:?} {same:?}");
    }
}

#[test]
fn a_limit_that_is_never_reached_is_the_identity() {
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        let parts: Vec<_> = (0..8)
            .map(|number| Part::random(&mut random, number))
            .collect();
        let plain =
            observe(async |rt, trace| gather(parts.iter().map(|part| part.run(rt, trace))).await);
        let each = observe(async |rt, trace| {
            let limited = |part: &Part| timeout(rt, Duration::MAX, part.run(rt, trace));
            let outputs = gather(parts.iter().map(limited)).await;
            outputs
                .into_iter()
                .map(|it| it.expect("there is no limit"))
                .collect()
        });
        let all = observe(async |rt, trace| {
            let all = gather(parts.iter().map(|part| part.run(rt, trace)));
            timeout(rt, Duration::MAX, all)
                .await
                .expect("there is no limit")
        });
        assert_eq!((&plain, &plain), (&each, &all), "seed {seed}");
    }
}

#[test]
fn with_a_limit_of_one_they_run_one_after_the_other() {
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        let parts: Vec<_> = (0..8)
            .map(|number| Part::random(&mut random, number))
            .collect();
        let in_order = observe(async |rt, trace| {
            let mut outputs = Vec::new();
            for part in &parts {
                outputs.push(part.run(rt, trace).await);
            }
            outputs
        });
        let each = || parts.iter().copied();
        let same = [
            observe(async |rt, trace| {
                gather(each().map(|part| part.run(rt, trace)))
                    .limit(1)
                    .await
            }),
            observe(async |rt, trace| {
                gather(limited(1, each().map(|part| part.run(rt, trace)))).await
            }),
            observe(async |rt, trace| {
                let mut outputs = as_completed(each().map(|part| part.run(rt, trace))).limit(1);
                let mut all = Vec::new();
                while let Some(output) = outputs.next().await {
                    all.push(output);
                }
                all
            }),
        ];
        assert!(same.iter().all(|it| *it == in_order), "seed {seed}");
        // Up to the first error, if that decides.
        let in_order = observe(async |rt, trace| {
            let mut values = Vec::new();
            for part in &parts {
                values.push(part.run(rt, trace).await?);
            }
            Ok(values)
        });
        let tried = observe(async |rt, trace| {
            try_gather(each().map(|part| part.run(rt, trace)))
                .limit(1)
                .await
        });
        assert_eq!(tried, in_order, "seed {seed}");
    }
}

#[test]
fn a_limit_that_is_large_enough_is_none() {
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        let parts: Vec<_> = (0..8)
            .map(|number| Part::random(&mut random, number))
            .collect();
        let each = || parts.iter().copied();
        let plain = observe(async |rt, trace| gather(each().map(|part| part.run(rt, trace))).await);
        let limited = observe(async |rt, trace| {
            gather(each().map(|part| part.run(rt, trace)))
                .limit(8)
                .await
        });
        assert_eq!(plain, limited, "seed {seed}");
    }
}

#[test]
fn races_of_races_can_be_flattened() {
    for seed in 0..SEEDS {
        let mut random = Rng::with_seed(seed);
        // Of different lengths, so that one is the first.
        let mut parts: Vec<_> = (0..9)
            .map(|number| Part {
                number,
                yields: number % 3,
                sleep: number / 3,
                fails: false,
            })
            .collect();
        random.shuffle(&mut parts);
        let flat = observe(async |rt, trace| {
            race(parts.iter().map(|part| part.run(rt, trace)))
                .await
                .unwrap()
        });
        let (left, right) = parts.split_at(1 + random.usize(..8));
        let nested = observe(async |rt, trace| {
            let side = |side: &[Part]| {
                let runners: Vec<_> = side.iter().map(|part| part.run(rt, trace)).collect();
                async { race(runners).await.unwrap() }
            };
            race([side(left), side(right)]).await.unwrap()
        });
        assert_eq!(flat.0, nested.0, "seed {seed}");
    }
}

#[test]
fn gathers_of_gathers_can_be_flattened() {
    law(async |rt, random, parts| {
        let trace = Trace::default();
        let flat = gather(parts.iter().map(|part| part.run(rt, &trace))).await;
        let mut groups = Vec::new();
        let mut rest = &parts[..];
        while !rest.is_empty() {
            let (group, others) = rest.split_at(1 + random.usize(..rest.len()));
            groups.push(group);
            rest = others;
        }
        let group = |group: &&[Part]| {
            let members: Vec<_> = group.iter().map(|part| part.run(rt, &trace)).collect();
            gather(members)
        };
        let nested = gather(groups.iter().map(group)).await;
        assert_eq!(nested.concat(), flat);
        // And with errors: one, whichever comes first, or all values.
        let group = |group: &&[Part]| {
            let members: Vec<_> = group.iter().map(|part| part.run(rt, &trace)).collect();
            try_gather(members)
        };
        match try_gather(groups.iter().map(group)).await {
            Ok(values) => {
                let flat: Result<Vec<_>, _> = flat.into_iter().collect();
                assert_eq!(Ok(values.concat()), flat);
            }
            Err(error) => assert!(flat.contains(&Err(error))),
        }
    });
}

/// A random program of combinators.
enum Program {
    Leaf(Part),
    Gather(Vec<Program>),
    Pair(Box<[Program; 2]>),
    TryGather(Vec<Program>),
    Race(Vec<Program>),
    RaceOk(Vec<Program>),
    Limit(u64, Box<Program>),
}

impl Program {
    fn random(random: &mut Rng, depth: u64, numbers: &mut u64) -> Self {
        *numbers += 1;
        let kind = if depth == 0 { 0 } else { random.u64(..8) };
        let several = |random: &mut Rng, numbers: &mut u64| {
            let count = random.u64(..5);
            (0..count)
                .map(|_| Self::random(random, depth - 1, numbers))
                .collect()
        };
        match kind {
            0 | 1 => Self::Leaf(Part::random(random, *numbers)),
            2 => Self::Gather(several(random, numbers)),
            3 => Self::Pair(Box::new(
                [(); 2].map(|()| Self::random(random, depth - 1, numbers)),
            )),
            4 => Self::TryGather(several(random, numbers)),
            5 => Self::Race(several(random, numbers)),
            6 => Self::RaceOk(several(random, numbers)),
            _ => {
                let limit = random.u64(..6);
                Self::Limit(limit, Box::new(Self::random(random, depth - 1, numbers)))
            }
        }
    }

    fn run<'a>(&'a self, rt: &'a Sim, trace: &'a Trace) -> Run<'a> {
        let each = |parts: &'a [Self]| parts.iter().map(|part| part.run(rt, trace));
        match self {
            Self::Leaf(part) => Box::pin(part.run(rt, trace)),
            Self::Gather(parts) => Box::pin(async move { Ok(sum(gather(each(parts)).await)) }),
            Self::Pair(pair) => Box::pin(async move {
                let (one, two) = gather((pair[0].run(rt, trace), pair[1].run(rt, trace))).await;
                Ok(sum([one, two]))
            }),
            Self::TryGather(parts) => Box::pin(async move {
                let values = try_gather(each(parts)).await?;
                Ok(sum(values.into_iter().map(Ok)))
            }),
            Self::Race(parts) => Box::pin(async move { race(each(parts)).await.unwrap_or(Err(0)) }),
            Self::RaceOk(parts) => Box::pin(async move {
                let first = race_ok(each(parts)).await;
                first.map_err(|errors| sum(errors.into_iter().map(Err)))
            }),
            Self::Limit(limit, body) => Box::pin(async move {
                let limit = Duration::from_millis(*limit);
                let ended = timeout(rt, limit, body.run(rt, trace)).await;
                ended.unwrap_or(Err(1_000))
            }),
        }
    }
}

type Run<'a> = Pin<Box<dyn Future<Output = Result<u64, u64>> + 'a>>;

/// A number that shows all outputs and their order.
fn sum(outputs: impl IntoIterator<Item = Result<u64, u64>>) -> u64 {
    let number = |output: Result<u64, u64>| output.unwrap_or_else(|failed| failed ^ 0xff);
    outputs
        .into_iter()
        .fold(7, |sum, output| (sum * 31 + number(output)) % 1_000_003)
}

#[test]
fn a_program_does_the_same_whenever_it_is_run() {
    let mut steps = 0;
    for seed in 0..SEEDS {
        let program = Program::random(&mut Rng::with_seed(seed), 4, &mut 0);
        let one = observe(async |rt, trace| program.run(rt, trace).await);
        let two = observe(async |rt, trace| program.run(rt, trace).await);
        assert_eq!(one, two, "seed {seed}");
        steps += one.1.len();
    }
    assert!(steps > SEEDS as usize, "the programs do something");
}
