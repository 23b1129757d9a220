//! Regions: `finally`, `on_cancel`, `uncancellable`, alone, in each other, and in the combinators of
//! others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested, cancelled, checkpoint};
use kumi_core::cleanup::{finally, on_cancel, uncancellable};
use kumi_core::combine::timeout;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use super::{goodbye, region, steps};
use crate::everywhere::Ledger;
use crate::probe::{both, either, unordered};

/// One region around a body that waits.
pub async fn one<R: Runtime>(_: R, ledger: Ledger) {
    let _connection = ledger.hold("connection");
    region(&ledger, "goodbye", steps(&ledger, 3)).await;
}

/// Three regions in each other: the inner ones first, each to its end.
pub async fn nested<R: Runtime>(_: R, ledger: Ledger) {
    let order = Arc::new(AtomicUsize::new(0));
    let ended = |place: usize| {
        let (order, ledger) = (Arc::clone(&order), ledger.clone());
        async move {
            steps(&ledger, 1).await;
            // A region that was never entered is no gap: the count of those inside is at least `place`.
            let before = order.fetch_add(1, Ordering::SeqCst);
            ledger.check(
                before <= place,
                "an outer clean-up ended before an inner one",
            );
        }
    };
    let enter = |name: &'static str| ledger.due(name);
    let inner = finally(
        async {
            enter("inner");
            steps(&ledger, 2).await;
        },
        ledger.clean_up("inner", ended(0)),
    );
    let middle = finally(
        async {
            enter("middle");
            steps(&ledger, 1).await;
            inner.await;
            steps(&ledger, 1).await;
        },
        ledger.clean_up("middle", ended(1)),
    );
    let outer = finally(
        async {
            enter("outer");
            middle.await;
        },
        ledger.clean_up("outer", ended(2)),
    );
    outer.await;
}

/// Regions one after another, of which only the present one is alive.
pub async fn in_a_row<R: Runtime>(_: R, ledger: Ledger) {
    for name in ["first", "second", "third"] {
        let _held = ledger.hold(name);
        region(&ledger, name, steps(&ledger, 1)).await;
        steps(&ledger, 1).await;
    }
}

/// `on_cancel` cleans up after a cancel only; after a value nothing is due.
pub async fn only_on_cancel<R: Runtime>(_: R, ledger: Ledger) {
    let body = async {
        ledger.due("undo");
        steps(&ledger, 2).await;
        ledger.waive("undo");
    };
    on_cancel(body, goodbye(&ledger, "undo")).await;
    steps(&ledger, 1).await;
}

/// A clean-up with a time limit, a task and a region of its own: it hears no cancel from outside.
pub async fn a_rich_clean_up<R: Runtime>(rt: R, ledger: Ledger) {
    let clean_up = {
        let (rt, ledger) = (rt.clone(), ledger.clone());
        async move {
            ledger.check(
                !cancel_requested(),
                "a clean-up hears the cancel from outside",
            );
            let saved = region(&ledger, "unlock", steps(&ledger, 1));
            let limited = timeout(&rt, Duration::from_secs(3600), saved).await;
            ledger.check(
                limited.is_ok(),
                "the time limit of a clean-up was cut short",
            );
            let own = ledger.clone();
            let task = rt.spawn(async move { steps(&own, 1).await }).await;
            ledger.check(task.is_ok(), "a task of a clean-up was cancelled");
            checkpoint().await;
        }
    };
    let body = async {
        ledger.due("save");
        steps(&ledger, 2).await;
    };
    finally(body, ledger.clean_up("save", clean_up)).await;
}

/// The time limit of a clean-up expires: that ends what it limits, and the clean-up goes on.
pub async fn a_clean_up_whose_limit_expires<R: Runtime>(rt: R, ledger: Ledger) {
    let clean_up = {
        let (rt, ledger) = (rt.clone(), ledger.clone());
        async move {
            let never = region(&ledger, "abort", std::future::pending::<()>());
            let limited = timeout(&rt, Duration::from_micros(1), never).await;
            ledger.check(limited.is_err(), "nothing ended it");
            steps(&ledger, 1).await;
        }
    };
    let body = async {
        ledger.due("save");
        steps(&ledger, 1).await;
    };
    finally(body, ledger.clean_up("save", clean_up)).await;
}

/// Two steps that belong together: both or none.
pub async fn both_or_none<R: Runtime>(_: R, ledger: Ledger) {
    steps(&ledger, 1).await;
    let commit = async {
        steps(&ledger, 2).await;
        cancel_requested()
    };
    let asked = uncancellable(ledger.uncut("commit", commit)).await;
    if asked {
        // Now it takes effect.
        checkpoint().await;
        ledger.check(false, "code after a cancel was run");
    }
    steps(&ledger, 1).await;
}

/// A part that the cancel waits for, inside a clean-up, inside such a part.
pub async fn uncancellable_in_a_clean_up<R: Runtime>(_: R, ledger: Ledger) {
    let clean_up = {
        let ledger = ledger.clone();
        async move { uncancellable(ledger.uncut("clean-up", steps(&ledger, 2))).await }
    };
    let body = async {
        ledger.due("close");
        let flush = region(&ledger, "flush", steps(&ledger, 1));
        uncancellable(ledger.uncut("all of it", flush)).await;
        steps(&ledger, 1).await;
    };
    finally(body, ledger.clean_up("close", clean_up)).await;
}

/// A part that the cancel waits for, and that listens for it to finish early by itself.
pub async fn finishes_early<R: Runtime>(_: R, ledger: Ledger) {
    let flush = async {
        let work = async {
            steps(&ledger, 3).await;
            "done"
        };
        let asked = async {
            cancelled().await;
            "asked"
        };
        let how = either(work, asked).await;
        ledger.note(how);
        steps(&ledger, 2).await;
    };
    uncancellable(ledger.uncut("flush", flush)).await;
}

/// Regions beside each other in a foreign `join!`: all of them clean up.
pub async fn in_a_foreign_join<R: Runtime>(_: R, ledger: Ledger) {
    let one = region(&ledger, "one", steps(&ledger, 2));
    let two = region(&ledger, "two", region(&ledger, "three", steps(&ledger, 1)));
    both(one, both(two, steps(&ledger, 4))).await;
}

/// Regions in a foreign set that gives each member a waker of its own.
pub async fn in_a_foreign_set<R: Runtime>(_: R, ledger: Ledger) {
    let names = ["one", "two", "three"];
    let member = |(count, name)| region(&ledger, name, steps(&ledger, count));
    let members = names.into_iter().enumerate().map(member);
    both(unordered(members), steps(&ledger, 1)).await;
}

/// A foreign `select!` drops a region: the loss is reported, nothing hangs.
pub async fn dropped_by_a_foreign_select<R: Runtime>(_: R, ledger: Ledger) {
    either(
        steps(&ledger, 2),
        region(&ledger, "lost", std::future::pending::<()>()),
    )
    .await;
    region(&ledger, "kept", steps(&ledger, 1)).await;
}

/// A clean-up that panics: the others run all the same, and the panic is not lost.
pub async fn a_clean_up_panics<R: Runtime>(_: R, ledger: Ledger) {
    let inner = {
        fn fail() {
            panic!("a clean-up of a scenario");
        }
        let own = ledger.clone();
        let body = async {
            ledger.due("inner");
            steps(&ledger, 1).await;
        };
        let clean_up = ledger.clean_up("inner", async move {
            steps(&own, 1).await;
            fail();
        });
        region(&ledger, "outer", finally(body, clean_up))
    };
    let text = super::panic_in(inner).await;
    ledger.check(
        text.is_none_or(|text| text == "a clean-up of a scenario"),
        "another panic went on",
    );
}

/// A body that panics in the middle: its clean-ups run, then the panic goes on.
pub async fn a_body_panics<R: Runtime>(_: R, ledger: Ledger) {
    let body = async {
        steps(&ledger, 2).await;
        panic!("a body of a scenario");
    };
    let body = region(&ledger, "outer", region(&ledger, "inner", body));
    let text = super::panic_in(body).await;
    ledger.check(
        text.is_none_or(|text| text == "a body of a scenario"),
        "another panic went on",
    );
}

/// A region that is entered in a scope that is cancelled already still cleans up.
pub async fn entered_late<R: Runtime>(_: R, ledger: Ledger) {
    uncancellable(async {
        steps(&ledger, 2).await;
        region(&ledger, "late", steps(&ledger, 1)).await;
    })
    .await;
    let _ = CancelScope::new()
        .run(region(&ledger, "after", steps(&ledger, 1)))
        .await;
}

/// A hundred regions beside each other.
pub async fn a_crowd<R: Runtime>(_: R, ledger: Ledger) {
    let members = (0..100).map(|_| region(&ledger, "member", steps(&ledger, 1)));
    unordered(members).await;
}
