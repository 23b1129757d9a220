//! The combinators over several futures: their children clean up, whoever ends them.

use std::future::{Future, pending};
use std::pin::Pin;
use std::time::Duration;

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::cleanup::{bracket, finally, uncancellable};
use kumi_core::combine::{gather, race, race_ok, timeout, try_gather};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use super::{goodbye, panic_in, region, region_later, steps};
use crate::everywhere::Ledger;
use crate::probe::either;

type Child<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Fails after `count` steps.
async fn fails(ledger: &Ledger, count: usize) -> Result<(), &'static str> {
    steps(ledger, count).await;
    Err("of a child")
}

/// A region that never ends by itself.
async fn waits<T>(ledger: &Ledger, name: &'static str) -> T {
    region(ledger, name, pending()).await
}

/// Children of one type with a region in each, that end one after the other, and hold what they made.
pub async fn gather_of_regions<R: Runtime>(_: R, ledger: Ledger) {
    let child = async |(count, name)| {
        region(&ledger, name, steps(&ledger, count)).await;
        ledger.hold(name)
    };
    let made = gather([(3, "slow"), (0, "none"), (1, "quick")].map(child)).await;
    ledger.check(made.len() == 3, "an output was lost");
    steps(&ledger, 1).await;
}

/// A tuple, of a region, a bracket, and nothing special.
pub async fn gather_of_a_tuple<R: Runtime>(_: R, ledger: Ledger) {
    let opened = {
        let (open, close) = (ledger.clone(), ledger.clone());
        let open = async move {
            steps(&open, 1).await;
            open.due("connection");
            open.hold("connection")
        };
        let using = |_: &mut _| steps(&ledger, 1);
        let close = async move |held| {
            goodbye(&close, "connection").await;
            drop(held);
        };
        bracket(open, using, close)
    };
    let held = async {
        steps(&ledger, 1).await;
        ledger.hold("output")
    };
    gather((region(&ledger, "region", steps(&ledger, 2)), opened, held)).await;
    steps(&ledger, 1).await;
}

/// An error unwinds the regions of the others, one in another, before it is returned.
pub async fn an_error_unwinds<R: Runtime>(_: R, ledger: Ledger) {
    let nested = region(&ledger, "outer", waits(&ledger, "inner"));
    let value = async {
        let held = ledger.hold("value");
        steps(&ledger, 1).await;
        drop(held);
        Ok(())
    };
    let children: [Child<'_, _>; 4] = [
        Box::pin(nested),
        Box::pin(value),
        Box::pin(fails(&ledger, 2)),
        Box::pin(waits(&ledger, "sibling")),
    ];
    let failed = try_gather(children).await;
    ledger.check(failed == Err("of a child"), "the error was lost");
    steps(&ledger, 1).await;
}

/// The loser of a race has a connection, which it closes before the winner is given out.
pub async fn a_loser_releases<R: Runtime>(_: R, ledger: Ledger) {
    let (open, close) = (ledger.clone(), ledger.clone());
    let open = async move {
        open.due("connection");
        open.hold("connection")
    };
    let close = async move |held| {
        goodbye(&close, "connection").await;
        drop(held);
    };
    let loser = bracket(open, |_: &mut _| pending::<u32>(), close);
    let wins = async {
        steps(&ledger, 2).await;
        1
    };
    let winner = race((loser, wins, waits(&ledger, "region"))).await;
    ledger.check(winner == Ok(1), "the winner was lost");
    steps(&ledger, 1).await;
}

/// The first success, after a failure; the one that is left cleans up.
pub async fn the_first_success<R: Runtime>(_: R, ledger: Ledger) {
    let succeeds = async {
        steps(&ledger, 2).await;
        Ok::<_, &str>(())
    };
    let first = race_ok((
        fails(&ledger, 1),
        succeeds,
        waits::<Result<(), ()>>(&ledger, "left"),
    ));
    ledger.check(first.await.is_ok(), "the success was lost");
    steps(&ledger, 1).await;
}

/// In each other, with a limit and a scope between.
pub async fn in_each_other<R: Runtime>(rt: R, ledger: Ledger) {
    let lost = gather([waits::<()>(&ledger, "a"), waits(&ledger, "b")]);
    let lost = async {
        lost.await;
    };
    let limited = async {
        let never = try_gather((waits::<Result<(), ()>>(&ledger, "c"),));
        let ended = timeout(&rt, Duration::from_micros(1), never).await;
        ledger.check(ended.is_err(), "the limit did not expire");
    };
    let scope = CancelScope::new();
    let scoped = async {
        let won = race((lost, limited, pending())).await;
        ledger.check(won == Ok(()), "the winner was lost");
        steps(&ledger, 1).await;
    };
    let around = gather((scope.run(scoped), region(&ledger, "d", steps(&ledger, 1))));
    ledger.check(
        around.await.0.is_ok(),
        "a scope took a cancel of another one",
    );
}

/// In a task, and tasks as children, which are asked to end when they have lost.
pub async fn in_a_task<R: Runtime>(rt: R, ledger: Ledger) {
    let (own, inner) = (ledger.clone(), rt.clone());
    let task = rt.spawn(async move {
        let child = |name, count: Option<usize>| {
            let own = own.clone();
            inner.spawn(async move {
                let body = async {
                    match count {
                        Some(count) => steps(&own, count).await,
                        None => pending().await,
                    }
                };
                region_later(&own, name, body).await;
            })
        };
        let all = gather([child("first", Some(1)), child("second", Some(2))]).await;
        own.check(all.iter().all(Result::is_ok), "a task was cancelled");
        let here = region_later(&own, "here", async {
            pending::<()>().await;
            Ok(())
        });
        let first = race((child("winner", Some(1)), child("loser", None), here)).await;
        own.check(first.is_ok_and(|won| won.is_ok()), "the winner was lost");
    });
    steps(&ledger, 1).await;
    let _ = task.await;
}

/// Children that no cancel may cut: they go to their end, also as losers.
pub async fn with_uncancellable_children<R: Runtime>(_: R, ledger: Ledger) {
    let commit = |name, count| {
        let own = ledger.clone();
        let body = async move {
            checkpoint().await;
            steps(&own, count).await;
        };
        uncancellable(ledger.uncut(name, body))
    };
    gather([commit("one", 2), commit("two", 1)]).await;
    let wins = steps(&ledger, 1);
    let winner = race((commit("loser", 3), wins, waits(&ledger, "region"))).await;
    ledger.check(winner == Ok(()), "the winner was lost");
    steps(&ledger, 1).await;
}

/// A child panics; the regions of the others end with the scope that it goes through.
pub async fn with_a_panic<R: Runtime>(_: R, ledger: Ledger) {
    let panics = async {
        steps(&ledger, 2).await;
        panic!("a child of a scenario");
    };
    let held = async {
        let _held = ledger.hold("held");
        pending::<()>().await;
    };
    let children: [Child<'_, ()>; 3] = [
        Box::pin(held),
        Box::pin(panics),
        Box::pin(region(&ledger, "region", steps(&ledger, 1))),
    ];
    let text = panic_in(gather(children)).await;
    let expected = Some("a child of a scenario");
    ledger.check(text.as_deref() == expected, "the panic was lost");
    steps(&ledger, 1).await;
}

/// In a clean-up, which no cancel reaches: it decides, and unwinds, as anywhere.
pub async fn in_a_clean_up<R: Runtime>(_: R, ledger: Ledger) {
    let own = ledger.clone();
    let clean_up = async move {
        gather([1, 2].map(|count| steps(&own, count))).await;
        let first = race((waits(&own, "loser"), steps(&own, 1))).await;
        own.check(first == Ok(()), "the winner was lost");
        let failed = try_gather((fails(&own, 1), waits::<Result<(), _>>(&own, "sibling"))).await;
        own.check(failed.is_err(), "the error was lost");
    };
    let body = async {
        ledger.due("goodbye");
        steps(&ledger, 1).await;
    };
    finally(body, ledger.clean_up("goodbye", clean_up)).await;
    steps(&ledger, 1).await;
}

/// In a foreign `select!` that ends it before it has unwound, or while it does.
pub async fn dropped_by_a_foreign_select<R: Runtime>(_: R, ledger: Ledger) {
    let fails = async {
        let failed =
            try_gather((fails(&ledger, 1), waits::<Result<(), _>>(&ledger, "begun"))).await;
        ledger.check(failed.is_err(), "the error was lost");
    };
    either(fails, steps(&ledger, 2)).await;
    let never = async { gather([waits::<()>(&ledger, "never")]).await[0] };
    either(never, steps(&ledger, 1)).await;
    steps(&ledger, 1).await;
}

/// A hundred that take turns, of which the last one fails.
pub async fn a_crowd<R: Runtime>(_: R, ledger: Ledger) {
    const CHILDREN: usize = 100;
    let child = async |number: usize| {
        steps(&ledger, 1).await;
        match number {
            99 => fails(&ledger, 1).await,
            _ => waits(&ledger, "child").await,
        }
    };
    let failed = try_gather((0..CHILDREN).map(child)).await;
    ledger.check(failed == Err("of a child"), "the error was lost");
    steps(&ledger, 1).await;
}
