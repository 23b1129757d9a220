//! Runs programs.

use std::collections::BTreeSet;
use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kumi_core::cancel::CancelScope;
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::{ReturnWhen, as_completed, gather, timeout, wait, yield_now};
use kumi_core::group::{GroupError, scope_send, task_group};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, shield};

use crate::forms::Member;
use crate::probe::lock;

use super::make::{CUT, Outcome, Part, Parts, mix};

/// What the parts of a program share.
#[derive(Clone)]
pub(super) struct World<R> {
    rt: R,
    book: Arc<Mutex<Book>>,
}

/// Which regions have begun, and which have cleaned up.
#[derive(Default)]
struct Book {
    begun: BTreeSet<u64>,
    ended: BTreeSet<u64>,
}

type Run = Member<Outcome>;

impl<R: Runtime> World<R> {
    pub(super) fn new(rt: R) -> Self {
        Self {
            rt,
            book: Arc::default(),
        }
    }

    /// Whether all that has begun has cleaned up.
    pub(super) fn is_closed(&self) -> bool {
        let book = lock(&self.book);
        book.begun == book.ended
    }

    /// Those of `regions` that have not cleaned up.
    pub(super) fn not_cleaned(&self, regions: &[u64]) -> Vec<u64> {
        let book = lock(&self.book);
        let regions = regions.iter().copied();
        regions
            .filter(|region| !book.ended.contains(region))
            .collect()
    }

    fn all(&self, parts: &Parts) -> Vec<Run> {
        parts.iter().map(|part| run(self, part)).collect()
    }
}

/// Runs a part; boxed, because it is made of itself.
pub(super) fn run<R: Runtime>(world: &World<R>, part: &Arc<Part>) -> Run {
    let (world, part) = (world.clone(), Arc::clone(part));
    Box::pin(async move { world.run(&part).await })
}

fn far() -> Duration {
    Duration::from_secs(3600)
}

fn values(values: Result<Vec<u64>, Option<u64>>) -> Outcome {
    let values = values.map_err(|error| error.expect("nobody else cancels"));
    values.map(|values| mix(values.into_iter().map(Ok)))
}

impl<R: Runtime> World<R> {
    async fn run(&self, part: &Part) -> Outcome {
        match part {
            Part::Value(value) => Ok(*value),
            Part::Fail(error) => Err(*error),
            Part::Forever => pending().await,
            Part::Yield(part) => {
                yield_now().await;
                run(self, part).await
            }
            Part::Sleep(time, part) => {
                self.rt.sleep(Duration::from_millis(*time)).await;
                run(self, part).await
            }
            Part::Catch(part) => run(self, part).await.or_else(Ok),
            Part::Throw(part) => run(self, part).await.and_then(Err),
            Part::Seq(parts) => {
                let mut all = Vec::new();
                for part in parts {
                    all.push(Ok(run(self, part).await?));
                }
                Ok(mix(all))
            }
            Part::Region(number, body, clean) => {
                let body = async {
                    assert!(lock(&self.book).begun.insert(*number), "it begins once");
                    run(self, body).await
                };
                let clean_up = async {
                    let _ = run(self, clean).await;
                    assert!(lock(&self.book).ended.insert(*number), "it ends once");
                };
                finally(body, clean_up).await
            }
            Part::Uncut(part) => uncancellable(run(self, part)).await,
            Part::Work(part) => {
                let work = shield(&self.rt, run(self, part)).await;
                work.expect("nobody cancels the work")
            }
            Part::Task(part) => {
                let task = self.rt.spawn(run(self, part)).await;
                task.expect("nobody cancels the task")
            }
            Part::Limit(part) => {
                let ended = timeout(&self.rt, far(), run(self, part)).await;
                ended.expect("the limit is far away")
            }
            Part::Expired(time, part) => {
                let limit = Duration::from_millis(*time);
                match timeout(&self.rt, limit, run(self, part)).await {
                    Ok(_) => Err(0),
                    Err(_) => CUT,
                }
            }
            Part::Cut(part, rest) => {
                let scope = CancelScope::new();
                let handle = scope.handle();
                let part = async {
                    let _ = run(self, part).await;
                    handle.cancel();
                };
                match scope.run(gather((part, run(self, rest)))).await {
                    Ok(_) => Err(0),
                    Err(_) => CUT,
                }
            }
            Part::Group(parts) => self.group(parts).await,
            Part::InPlace(parts) => self.in_place(parts).await,
            Part::Gather(form, parts) => Ok(mix(form.gather(&self.rt, self.all(parts)).await)),
            Part::TryGather(form, parts) => {
                values(form.try_gather(&self.rt, self.all(parts)).await)
            }
            Part::Race(form, parts) => {
                let first = form.race(&self.rt, self.all(parts)).await;
                first.expect("there are runners")
            }
            Part::RaceOk(form, parts) => {
                let first = form.race_ok(&self.rt, self.all(parts)).await;
                first.map_err(|errors| mix(errors.into_iter().map(Err)))
            }
            Part::Wait(time, parts) => {
                let limit = Duration::from_millis(*time);
                let first = wait(self.all(parts), ReturnWhen::FirstCompleted);
                let first = first.timeout(limit).await;
                let rest = wait(first.pending, ReturnWhen::AllCompleted).await;
                let mut done = [first.done, rest.done].concat();
                done.sort_unstable();
                Ok(mix(done.into_iter().map(|(_, outcome)| outcome)))
            }
            Part::ForEach(limit, parts) => {
                let members = self.all(parts).into_iter().enumerate();
                let members = members.map(async |(place, member)| (place, member.await));
                let members: Vec<Pin<Box<dyn Future<Output = _> + Send>>> =
                    members.map(|member| Box::pin(member) as _).collect();
                let mut done = Vec::new();
                let each = as_completed(members).limit(*limit).for_each(|output| {
                    done.push(output);
                    yield_now()
                });
                each.await;
                done.sort_unstable();
                Ok(mix(done.into_iter().map(|(_, outcome)| outcome)))
            }
            Part::Take(count, parts) => {
                let mut outputs = Vec::new();
                let scope = CancelScope::new();
                let handle = scope.handle();
                let body = async {
                    let mut members = as_completed(self.all(parts)).limit(1);
                    for _ in 0..*count {
                        outputs.extend(members.next().await);
                    }
                    // The next one begins, or there is none.
                    let cancel = async { handle.cancel() };
                    gather((members.next(), cancel)).await;
                };
                let _ = scope.run(body).await;
                Ok(mix(outputs))
            }
        }
    }

    async fn group(&self, parts: &Parts) -> Outcome {
        let group = task_group(&self.rt, |group| {
            let children: Vec<_> = self
                .all(parts)
                .into_iter()
                .map(|run| group.spawn(run))
                .collect();
            async move {
                let mut all = Vec::new();
                for child in children {
                    // If one has failed, the group cancels its body.
                    if let Ok(value) = child.await {
                        all.push(value);
                    }
                }
                Ok(all)
            }
        });
        values(group.await.map_err(GroupError::into_first))
    }

    async fn in_place(&self, parts: &Parts) -> Outcome {
        let slots: Arc<Mutex<Vec<u64>>> = Arc::new(Mutex::new(vec![0; parts.len()]));
        let scope = scope_send(|s| {
            for (place, run) in self.all(parts).into_iter().enumerate() {
                let slots = Arc::clone(&slots);
                s.spawn(async move {
                    let value = run.await?;
                    lock(&slots)[place] = value;
                    Ok(())
                });
            }
            async { Ok(()) }
        });
        let ended = scope.await.map_err(GroupError::into_first);
        values(ended.map(|()| lock(&slots).clone()))
    }
}
