//! Combinators whose children are tasks.

use std::future::{Future, pending};
use std::time::Duration;

use kumi_core::combine::{ReturnWhen, timeout, wait};
use kumi_core::runtime::Runtime;
use kumi_core::spawned::{Combine, SpawnedError};
use kumi_core::task::SpawnExt;

use super::{panic_in, region, region_later, steps};
use crate::everywhere::Ledger;
use crate::probe::both;

/// A child that works for some steps, and cleans up.
async fn worker(ledger: Ledger, name: &'static str, count: usize) -> usize {
    let _held = ledger.hold(name);
    region(&ledger, name, steps(&ledger, count)).await;
    count
}

/// [`worker`] in a task that nobody waits for.
async fn worker_later(ledger: Ledger, name: &'static str, count: usize) -> usize {
    let _held = ledger.hold(name);
    region_later(&ledger, name, steps(&ledger, count)).await;
    count
}

/// A child that waits for ever.
async fn waits<T>(ledger: Ledger, name: &'static str) -> T {
    let _held = ledger.hold(name);
    region(&ledger, name, pending::<T>()).await
}

/// A child that fails after some steps.
async fn fails(ledger: Ledger, count: usize) -> Result<usize, &'static str> {
    region(&ledger, "fails", steps(&ledger, count)).await;
    Err("a child of a scenario")
}

/// Awaits `future`, but not alone: so the body is ended at each step of the children.
async fn beside<F: Future>(ledger: &Ledger, future: F) -> F::Output {
    both(future, steps(ledger, 6)).await.0
}

/// All end well.
pub async fn gathered<R: Runtime>(rt: R, ledger: Ledger) {
    let child = |count| worker(ledger.clone(), "child", count);
    let outcomes = beside(&ledger, rt.gather((0..3).map(child))).await;
    let mut whole = outcomes.iter().enumerate();
    let whole = whole.all(|(number, it)| it.as_ref().is_ok_and(|count| *count == number));
    ledger.check(whole && outcomes.len() == 3, "an output was lost");
    steps(&ledger, 1).await;
}

/// Children of different types, in a region.
pub async fn a_tuple<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let second = async move {
        let held = own.hold("output");
        own.step().await;
        held
    };
    let pair = rt.gather((worker(ledger.clone(), "first", 2), second));
    let (first, second) = region(&ledger, "both", beside(&ledger, pair)).await;
    ledger.check(first.is_ok() && second.is_ok(), "an output was lost");
    steps(&ledger, 1).await;
}

/// One fails, the others are unwound.
pub async fn one_fails<R: Runtime>(rt: R, ledger: Ledger) {
    let children = (
        waits::<Result<(), _>>(ledger.clone(), "other"),
        fails(ledger.clone(), 1),
    );
    let failed = beside(&ledger, rt.try_gather(children)).await;
    let error = failed.err().and_then(SpawnedError::into_failed);
    ledger.check(error == Some("a child of a scenario"), "the error was lost");
    steps(&ledger, 1).await;
}

/// A race: the losers are unwound.
pub async fn raced<R: Runtime>(rt: R, ledger: Ledger) {
    let children = (
        waits(ledger.clone(), "loser"),
        worker(ledger.clone(), "winner", 2),
        worker(ledger.clone(), "late", 9),
    );
    let won = beside(&ledger, rt.race(children)).await;
    // On threads of their own the faster one may be the slower.
    ledger.check(matches!(won, Ok(2 | 9)), "nobody won");
    steps(&ledger, 1).await;
}

/// A race for a success, after two errors.
pub async fn raced_for_a_success<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let succeeds = async move { Ok::<_, &str>(worker(own, "winner", 3).await) };
    let children = (
        fails(ledger.clone(), 0),
        succeeds,
        fails(ledger.clone(), 1),
        waits::<Result<usize, &str>>(ledger.clone(), "loser"),
    );
    let won = beside(&ledger, rt.race_ok(children)).await;
    ledger.check(matches!(won, Ok(3)), "the wrong one won");
    steps(&ledger, 1).await;
}

/// A child panics: the others clean up, then the panic goes on.
pub async fn one_panics<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let bad = async move {
        steps(&own, 1).await;
        panic!("a child of a scenario");
    };
    let gather = rt.gather((waits::<()>(ledger.clone(), "other"), bad));
    let panicked = panic_in(beside(&ledger, gather)).await;
    ledger.check(panicked.is_some(), "the panic was lost");
    steps(&ledger, 1).await;
}

/// A child is cancelled by somebody else, which concerns no other.
pub async fn one_is_cancelled<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let cancels_itself = async move {
        if let Some(task) = kumi_core::context::current_task() {
            task.cancel();
        }
        waits::<()>(own, "cancelled").await;
    };
    let gather = rt.gather((cancels_itself, worker(ledger.clone(), "other", 1)));
    let (cut, other) = beside(&ledger, gather).await;
    ledger.check(
        cut.is_err() && matches!(other, Ok(1)),
        "a cancel went to the wrong one",
    );
    steps(&ledger, 1).await;
}

/// A gather in the children of a race, under a limit, in a task.
pub async fn in_each_other<R: Runtime>(rt: R, ledger: Ledger) {
    let next = rt.clone();
    let own = ledger.clone();
    let task = async move {
        let inner = |name, count: usize| {
            let (rt, own) = (next.clone(), own.clone());
            async move {
                let child = |extra| worker_later(own.clone(), name, count + extra);
                rt.gather([child(0), child(1)]).await.len()
            }
        };
        let race = next.race([inner("first", 2), inner("second", 20)]);
        timeout(&next, Duration::from_secs(60), race).await
    };
    let won = region(&ledger, "task", beside(&ledger, rt.spawn(task))).await;
    ledger.check(matches!(won, Ok(Ok(Ok(2)))), "the wrong one won");
    steps(&ledger, 1).await;
}

/// Outcomes one by one, with a pause between them.
pub async fn one_by_one<R: Runtime>(rt: R, ledger: Ledger) {
    let child = |count| worker(ledger.clone(), "child", count);
    let mut outcomes = rt.as_completed((0..3).map(child));
    let mut sum = 0;
    while let Some(outcome) = outcomes.next().await {
        sum += outcome.unwrap_or_default();
        steps(&ledger, 1).await;
    }
    ledger.check(sum == 3, "an output was lost");
}

/// Never more than two, and one fails.
pub async fn with_a_limit<R: Runtime>(rt: R, ledger: Ledger) {
    let child = |count| worker(ledger.clone(), "child", count);
    let outcomes = beside(&ledger, rt.gather((0..3).map(child)).limit(2)).await;
    let whole = outcomes.iter().all(Result::is_ok);
    ledger.check(whole && outcomes.len() == 3, "an output was lost");
    let failed = |_: usize| fails(ledger.clone(), 1);
    let failed = rt.try_gather((0..3).map(failed)).limit(1).await;
    ledger.check(failed.is_err(), "an error was lost");
}

/// The first, and then the others.
pub async fn waited_for<R: Runtime>(rt: R, ledger: Ledger) {
    let child = |count| worker(ledger.clone(), "child", count);
    let first = rt.wait((0..3).map(child), ReturnWhen::FirstCompleted).await;
    steps(&ledger, 2).await;
    let rest = wait(first.pending, ReturnWhen::AllCompleted).await;
    let count = first.done.len() + rest.done.len();
    ledger.check(count == 3, "an output was lost");
}
