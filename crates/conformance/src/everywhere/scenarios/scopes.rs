//! Scopes, time limits and what belongs to them.

use std::future::pending;
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested, cancelled, checkpoint};
use kumi_core::combine::{timeout, timeout_at};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;
use kumi_core::task_local;

use super::{region, steps};
use crate::everywhere::Ledger;
use crate::probe::both;

const SOON: Duration = Duration::from_micros(1);
const LATE: Duration = Duration::from_secs(3600);

task_local! {
    static REQUEST: &'static str;
}

/// A scope in the body that is cancelled by its own code: the body goes on after it.
pub async fn one_cancels_itself<R: Runtime>(_: R, ledger: Ledger) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let body = async {
        steps(&ledger, 1).await;
        handle.cancel();
        region(&ledger, "inside", steps(&ledger, 2)).await;
        checkpoint().await;
        ledger.check(false, "code after a cancel was run");
    };
    let ended = scope.run(region(&ledger, "around", body)).await;
    ledger.check(ended.is_err(), "the scope gave a value");
    ledger.check(!cancel_requested(), "code after a cancel was run");
    steps(&ledger, 1).await;
}

/// Three scopes in each other, of which the middle one is cancelled.
pub async fn the_middle_one_is_cancelled<R: Runtime>(_: R, ledger: Ledger) {
    let [outer, middle, inner] = std::array::from_fn(|_| CancelScope::new());
    let (handle, witness) = (middle.handle(), outer.handle());
    let body = inner.run(async {
        region(&ledger, "inner", steps(&ledger, 1)).await;
        handle.cancel();
        steps(&ledger, 1).await;
        cancelled().await;
    });
    let body = middle.run(region(&ledger, "middle", body));
    let body = outer.run(async {
        let ended = body.await;
        ledger.check(
            ended.is_err() || witness.is_cancelled(),
            "the cancel was lost",
        );
        steps(&ledger, 1).await;
    });
    let ended = body.await;
    ledger.check(ended.is_ok(), "a scope took the cancel of another one");
    steps(&ledger, 1).await;
}

/// A scope is cancelled by a task of the body, while it waits.
pub async fn cancelled_by_a_task<R: Runtime>(rt: R, ledger: Ledger) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let own = ledger.clone();
    let task = rt.spawn(async move {
        steps(&own, 1).await;
        handle.cancel();
    });
    let ended = scope.run(region(&ledger, "inside", pending::<()>())).await;
    ledger.check(ended.is_err(), "the scope gave a value");
    let _ = task.await;
}

/// A time limit that expires: the body cleans up before it resolves.
pub async fn a_limit_expires<R: Runtime>(rt: R, ledger: Ledger) {
    let body = region(&ledger, "inside", pending::<()>());
    let ended = timeout(&rt, SOON, body).await;
    ledger.check(ended.is_err(), "the limit did not expire");
    steps(&ledger, 1).await;
}

/// A time limit that is not reached.
pub async fn a_limit_is_kept<R: Runtime>(rt: R, ledger: Ledger) {
    let body = region(&ledger, "inside", steps(&ledger, 2));
    let ended = timeout(&rt, LATE, body).await;
    ledger.check(ended.is_ok(), "the limit expired");
    steps(&ledger, 1).await;
}

/// Limits in each other: the one that expires first ends what is inside of it, and no more.
pub async fn limits_in_each_other<R: Runtime>(rt: R, ledger: Ledger) {
    let inner = timeout(&rt, LATE, region(&ledger, "inner", pending::<()>()));
    let middle = timeout(&rt, SOON, region(&ledger, "middle", inner));
    let outer = async {
        let ended = middle.await;
        ledger.check(ended.is_err(), "the limit did not expire");
        steps(&ledger, 1).await;
    };
    let ended = timeout_at(&rt, rt.now() + LATE, outer).await;
    ledger.check(
        ended.is_ok(),
        "an outer limit reported the end of an inner one",
    );
}

/// A limit that is moved while it runs, into the past.
pub async fn a_limit_is_moved<R: Runtime>(rt: R, ledger: Ledger) {
    let scope = CancelScope::new().timeout(LATE);
    let handle = scope.handle();
    let body = region(&ledger, "inside", async {
        steps(&ledger, 1).await;
        let moved = handle.set_deadline(Some(rt.now()));
        ledger.check(moved.is_ok(), "the limit cannot be moved");
        pending::<()>().await;
    });
    let ended = scope.run(body).await;
    let elapsed = ended.is_err_and(|cancelled| cancelled.is_elapsed());
    ledger.check(elapsed, "the limit did not expire");
    steps(&ledger, 1).await;
}

/// A part that no cancel from outside reaches, in pieces that would be ended by it.
pub async fn behind_a_shield<R: Runtime>(_: R, ledger: Ledger) {
    let scope = CancelScope::new().shield(true);
    let body = async {
        let transfer = async {
            checkpoint().await;
            steps(&ledger, 2).await;
            checkpoint().await;
        };
        ledger.uncut("transfer", transfer).await;
    };
    let ended = scope.run(region(&ledger, "close", body)).await;
    ledger.check(ended.is_ok(), "a shielded scope was cancelled from outside");
    steps(&ledger, 1).await;
}

/// A shield that is lowered while a cancel waits behind it.
pub async fn a_shield_is_lowered<R: Runtime>(_: R, ledger: Ledger) {
    let scope = CancelScope::new().shield(true);
    let handle = scope.handle();
    let body = async {
        steps(&ledger, 2).await;
        handle.set_shield(false);
        steps(&ledger, 2).await;
    };
    let _ = scope.run(region(&ledger, "close", body)).await;
    steps(&ledger, 1).await;
}

/// A loop that never waits for anything but asks now and then.
pub async fn a_busy_loop<R: Runtime>(_: R, ledger: Ledger) {
    let body = async {
        for _ in 0..300 {
            checkpoint().await;
        }
    };
    region(&ledger, "count", body).await;
}

/// Code that asks, and ends by itself.
pub async fn asks<R: Runtime>(_: R, ledger: Ledger) {
    let body = async {
        for _ in 0..4 {
            if cancel_requested() {
                ledger.note("asked");
                break;
            }
            steps(&ledger, 1).await;
        }
    };
    both(
        region(&ledger, "count", body),
        region(&ledger, "other", steps(&ledger, 2)),
    )
    .await;
}

/// What a region inherits is there in its clean-up, too, and nowhere else.
pub async fn a_value_of_the_task<R: Runtime>(_: R, ledger: Ledger) {
    let clean_up = {
        let ledger = ledger.clone();
        async move {
            let there = REQUEST.try_with(|request| *request == "GET /");
            ledger.check(
                there == Some(true),
                "a clean-up has lost a value of its task",
            );
            steps(&ledger, 1).await;
        }
    };
    let body = async {
        ledger.due("log");
        steps(&ledger, 2).await;
    };
    let region = kumi_core::cleanup::finally(body, ledger.clean_up("log", clean_up));
    REQUEST.scope("GET /", region).await;
    ledger.check(
        REQUEST.try_with(|_| ()).is_none(),
        "a value outlives its scope",
    );
    steps(&ledger, 1).await;
}
