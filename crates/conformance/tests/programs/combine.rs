//! Combinators in random programs: what they are made of, and what has to come of them.

use std::sync::{Arc, Mutex};
use std::time::Duration;
use std::vec;

use kumi_conformance::forms::{Form, Member};
use kumi_core::cancel::CancelScope;
use kumi_core::combine::source::{FromIter, Limit};
use kumi_core::combine::{AsCompleted, ReturnWhen, as_completed, wait};

use super::make::{Maker, Place, Program};
use super::run::{World, lock, run};

type Members = Vec<Arc<Program>>;

/// A combinator over parts of a program. Each member returns its number, or fails with it.
#[derive(Debug)]
pub(crate) enum Combine {
    Gather(Form, Members),
    /// The members of these numbers fail.
    TryGather(Form, Members, Vec<usize>),
    Race(Form, Members),
    /// The members of these numbers fail.
    RaceOk(Form, Members, Vec<usize>),
    /// Waits for the first one, or so long; then for the rest.
    Wait(Option<u64>, Members),
    /// As `Wait`, but the rest is cancelled.
    WaitCut(Option<u64>, Members),
    /// Takes so many outputs, with a limit, and drops the rest, which has nothing to clean up.
    Few(usize, usize, Members),
    /// Takes so many outputs, with a limit; then the rest is cancelled.
    FewCut(usize, usize, Members),
    /// Runs the program for each output, with a limit.
    ForEach(usize, Members, Arc<Program>),
    /// As `ForEach`; the run for the output of this place fails.
    TryForEach(usize, Members, Arc<Program>, usize),
}

impl Combine {
    pub(crate) fn make(maker: &mut Maker, inside: Place) -> Self {
        match maker.random.usize(..13) {
            0 | 1 => {
                let (form, count) = form(maker);
                let members = (0..count).map(|_| maker.part(inside)).collect();
                Self::Gather(form, members)
            }
            2 | 3 => {
                let (form, count) = form(maker);
                let (members, decides) = decided(maker, form, count, inside);
                let mut fail: Vec<_> = decides.into_iter().collect();
                if maker.random.usize(..2) == 0 {
                    fail.push(maker.random.usize(..count));
                }
                Self::TryGather(form, members, fail)
            }
            4 | 5 => {
                let (form, count) = form(maker);
                let end = maker.random.usize(..count);
                Self::Race(form, up_to(maker, form, count, end, inside))
            }
            6 | 7 => {
                let (form, count) = form(maker);
                let (members, decides) = decided(maker, form, count, inside);
                let fails = |number: &usize| {
                    decides.is_none() || decides != Some(*number) && maker.random.usize(..2) == 0
                };
                let fail = (0..count).filter(fails).collect();
                Self::RaceOk(form, members, fail)
            }
            8 => {
                let limit = limit(maker);
                match maker.random.usize(..2) {
                    0 => Self::Wait(limit, maker.several(inside)),
                    // The first one ends it, if time does not.
                    _ => Self::WaitCut(limit, ending(maker, usize::from(limit.is_none()), inside)),
                }
            }
            9 => {
                let (few, take) = (1 + maker.random.usize(..3), maker.random.usize(..3));
                let simple = Place { depth: 0, ..inside };
                Self::Few(few, take, ending(maker, take, simple))
            }
            10 => {
                let (few, take) = (1 + maker.random.usize(..3), maker.random.usize(..3));
                Self::FewCut(few, take, ending(maker, take, inside))
            }
            11 => {
                let few = 1 + maker.random.usize(..3);
                Self::ForEach(few, maker.several(inside), maker.part(inside))
            }
            _ => {
                let (few, fails) = (1 + maker.random.usize(..3), maker.random.usize(..2));
                let members = ending(maker, fails + 1, inside);
                Self::TryForEach(few, members, maker.part(inside.alone()), fails)
            }
        }
    }
}

fn limit(maker: &mut Maker) -> Option<u64> {
    (maker.random.usize(..2) == 0).then(|| maker.random.u64(..4))
}

/// A form, and a number of members for it.
fn form(maker: &mut Maker) -> (Form, usize) {
    let count = 1 + maker.random.usize(..3);
    match maker.random.usize(..6) {
        0 | 1 => (Form::Vec, count),
        2 => (Form::Pair, 2),
        3 => (Form::Limit(1 + maker.random.usize(..2)), count),
        _ => (Form::Spawned, count),
    }
}

/// Members of which one may decide, and its number. The others then need not end.
fn decided(maker: &mut Maker, form: Form, count: usize, inside: Place) -> (Members, Option<usize>) {
    let decides = (maker.random.usize(..3) > 0).then(|| maker.random.usize(..count));
    let members = match decides {
        Some(end) => up_to(maker, form, count, end, inside),
        None => (0..count).map(|_| maker.part(inside)).collect(),
    };
    (members, decides)
}

/// Members of which that of the number `end` ends, and all that are needed for it to begin.
fn up_to(maker: &mut Maker, form: Form, count: usize, end: usize, inside: Place) -> Members {
    let member = |number| {
        let in_order = matches!(form, Form::Limit(_)) && number < end;
        maker.part(match in_order || number == end {
            true => inside.alone(),
            false => inside.limited(),
        })
    };
    (0..count).map(member).collect()
}

/// Members of which the first `end` end, and there are so many.
fn ending(maker: &mut Maker, end: usize, inside: Place) -> Members {
    let count = (end + maker.random.usize(..3)).max(1);
    let member = |number| {
        maker.part(match number < end {
            true => inside.alone(),
            false => inside.limited(),
        })
    };
    (0..count).map(member).collect()
}

/// The outputs of members as they come.
type Outputs = AsCompleted<FromIter<vec::IntoIter<Member<usize>>>, Limit>;

/// Lets the members of the numbers `fail` fail.
fn judge(fail: &[usize]) -> impl Fn(usize) -> Result<usize, usize> + Clone + Send + use<> {
    let fail = fail.to_vec();
    move |number| match fail.contains(&number) {
        true => Err(number),
        false => Ok(number),
    }
}

/// Which members have ended, in order.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<usize>>>);

impl Log {
    /// Whether `member` was the first of those that `decide`.
    fn is_first(&self, member: usize, decide: impl Fn(usize) -> bool) -> bool {
        let ended = lock(&self.0);
        ended.iter().copied().find(|&ended| decide(ended)) == Some(member)
    }
}

impl World {
    /// The members as futures of their numbers, as `result` says.
    fn members<T: 'static>(
        &self,
        log: &Log,
        members: &[Arc<Program>],
        result: impl Fn(usize) -> T + Clone + Send + 'static,
    ) -> Vec<Member<T>> {
        let member = |(number, member)| {
            let (run, log, result) = (run(self, member), log.clone(), result.clone());
            Box::pin(async move {
                run.await;
                lock(&log.0).push(number);
                result(number)
            }) as Member<T>
        };
        members.iter().enumerate().map(member).collect()
    }

    /// A combinator; when it has ended, all that began in it has.
    pub(crate) async fn combine(&self, combine: &Combine) {
        let inside = self.inside();
        let log = Log::default();
        match combine {
            Combine::Gather(form, members) => {
                let count = members.len();
                let members = inside.members(&log, members, |number| number);
                let numbers = form.gather(&self.rt, members).await;
                self.ledger
                    .check(numbers.into_iter().eq(0..count), "not all were gathered");
            }
            Combine::TryGather(form, members, fail) => {
                let members = inside.members(&log, members, judge(fail));
                let result = form.try_gather(&self.rt, members).await;
                let right = match result {
                    Ok(numbers) => fail.is_empty() && numbers.is_sorted(),
                    Err(Some(error)) => log.is_first(error, |number| fail.contains(&number)),
                    Err(None) => false,
                };
                self.ledger.check(right, "not the first error");
            }
            Combine::Race(form, members) => {
                let members = inside.members(&log, members, |number| number);
                let first = form.race(&self.rt, members).await;
                let right = first.is_ok_and(|first| log.is_first(first, |_| true));
                self.ledger.check(right, "not the first one won");
            }
            Combine::RaceOk(form, members, fail) => {
                let count = members.len();
                let members = inside.members(&log, members, judge(fail));
                let right = match form.race_ok(&self.rt, members).await {
                    Ok(first) => log.is_first(first, |number| !fail.contains(&number)),
                    Err(errors) => fail.len() == count && errors.into_iter().eq(0..count),
                };
                self.ledger.check(right, "not the first success");
            }
            Combine::Wait(limit, members) => {
                let members = inside.members(&log, members, |number| number);
                inside.wait(*limit, members, &log, || ()).await;
            }
            Combine::WaitCut(limit, members) => {
                let members = inside.members(&log, members, |number| number);
                let scope = CancelScope::new();
                let handle = scope.handle();
                let body = inside.wait(*limit, members, &log, || {
                    handle.cancel();
                });
                let ended = scope.run(body).await;
                self.goes_on(ended.is_err());
            }
            Combine::Few(limit, take, members) => {
                let members = inside.members(&log, members, |number| number);
                drop(inside.take(*limit, *take, members, &log).await);
            }
            Combine::FewCut(limit, take, members) => {
                let members = inside.members(&log, members, |number| number);
                let scope = CancelScope::new();
                let handle = scope.handle();
                let body = async {
                    let mut rest = inside.take(*limit, *take, members, &log).await;
                    handle.cancel();
                    while rest.next().await.is_some() {}
                };
                let ended = scope.run(body).await;
                self.goes_on(ended.is_err());
            }
            Combine::ForEach(limit, members, body) => {
                let count = members.len();
                let members = inside.members(&log, members, |number| number);
                let mut runs = 0;
                let each = as_completed(members).limit(*limit).for_each(|_| {
                    runs += 1;
                    run(&inside, body)
                });
                each.await;
                self.ledger
                    .check(runs == count, "a loop has not run for all outputs");
            }
            Combine::TryForEach(limit, members, body, fails) => {
                let members = inside.members(&log, members, |number| number);
                let mut runs = 0;
                let each = as_completed(members).limit(*limit).try_for_each(|_| {
                    let (run, place) = (run(&inside, body), runs);
                    runs += 1;
                    async move {
                        run.await;
                        match place == *fails {
                            true => Err(place),
                            false => Ok(()),
                        }
                    }
                });
                let failed = each.await;
                self.ledger.check(
                    failed == Err(*fails) && runs == fails + 1,
                    "a loop did not end with its error",
                );
            }
        }
        inside.is_closed();
    }

    /// Waits for the first one, or so long, then for the rest; calls `between` between them.
    async fn wait(
        &self,
        limit: Option<u64>,
        members: Vec<Member<usize>>,
        log: &Log,
        between: impl FnOnce(),
    ) {
        let count = members.len();
        let mut first = wait(members, ReturnWhen::FirstCompleted);
        if let Some(limit) = limit {
            first = first.timeout(Duration::from_millis(limit));
        }
        let first = first.await;
        let in_time = limit.is_some() || !first.done.is_empty();
        self.ledger
            .check(in_time, "it has not waited for the first one");
        between();
        let rest = wait(first.pending, ReturnWhen::AllCompleted).await;
        let done = first.done.into_iter().chain(rest.done);
        let done: Vec<_> = done.map(|(place, number)| [place, number]).collect();
        let ended = lock(&log.0).clone();
        let all = ended.len() == count && rest.pending.is_empty();
        let in_order = done.into_iter().eq(ended.into_iter().map(|n| [n; 2]));
        self.ledger
            .check(all && in_order, "it has not waited for all, as they came");
    }

    /// Takes the first outputs; returns the stream of the rest.
    async fn take(
        &self,
        limit: usize,
        take: usize,
        members: Vec<Member<usize>>,
        log: &Log,
    ) -> Outputs {
        let mut outputs = as_completed(members).limit(limit);
        for place in 0..take {
            let output = outputs.next().await;
            let ended = lock(&log.0).get(place).copied();
            self.ledger
                .check(output == ended && ended.is_some(), "not as they came");
        }
        outputs
    }
}
