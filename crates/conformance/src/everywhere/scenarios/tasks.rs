//! Tasks, their handles, and work that is shielded.

use std::future::pending;

use kumi_core::cancel::checkpoint;
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnBlockingExt, SpawnExt, shield, try_shield};

use super::{region, region_later, steps};
use crate::everywhere::Ledger;
use crate::probe::{both, either};

/// A task that is joined.
pub async fn one<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let task = rt.spawn(async move {
        let _held = own.hold("connection");
        region_later(&own, "close", steps(&own, 2)).await;
        42
    });
    steps(&ledger, 1).await;
    let joined = task.await;
    ledger.check(matches!(joined, Ok(42)), "the value of a task was lost");
}

/// A task that would not end, and is asked to.
pub async fn cancelled_and_joined<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let task = rt.spawn(async move { region_later(&own, "close", pending::<()>()).await });
    steps(&ledger, 2).await;
    let joined = task.cancel_and_join().await;
    ledger.check(joined.is_err(), "a cancelled task gave a value");
    steps(&ledger, 1).await;
}

/// A handle that is dropped cancels its task, which cleans up by itself.
pub async fn a_handle_is_dropped<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let task = rt.spawn(async move { region_later(&own, "close", pending::<()>()).await });
    steps(&ledger, 2).await;
    drop(task);
    steps(&ledger, 1).await;
}

/// A task that is let go ends by itself, whatever happens to the body.
pub async fn detached<R: Runtime>(rt: R, ledger: Ledger) {
    ledger.due_later("write");
    let own = ledger.clone();
    let write = ledger.clean_up("write", async move { steps(&own, 4).await });
    rt.spawn(write).detach();
    steps(&ledger, 2).await;
}

/// Tasks of tasks: whoever is cancelled cancels those that it owns.
pub async fn a_chain<R: Runtime>(rt: R, ledger: Ledger) {
    let (outer, inner) = (ledger.clone(), ledger.clone());
    let next = rt.clone();
    let task = rt.spawn(async move {
        let task = next.spawn(async move { region_later(&inner, "inner", steps(&inner, 4)).await });
        region_later(&outer, "outer", steps(&outer, 1)).await;
        let _ = task.await;
    });
    let _ = task.await;
    steps(&ledger, 1).await;
}

/// A task that panics: its clean-ups run, and whoever joins it is told.
pub async fn a_task_panics<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let task = rt.spawn(async move {
        let body = async {
            steps(&own, 1).await;
            panic!("a task of a scenario");
        };
        region_later(&own, "close", body).await;
    });
    let joined = task.await;
    let panicked = joined.is_err_and(|error| error.is_panic());
    ledger.check(panicked, "a panic was lost");
    steps(&ledger, 1).await;
}

/// Work that goes on although nobody waits for it any longer.
pub async fn shielded<R: Runtime>(rt: R, ledger: Ledger) {
    ledger.due_later("payment");
    let own = ledger.clone();
    let payment = async move {
        checkpoint().await;
        steps(&own, 3).await;
        checkpoint().await;
    };
    let work = shield(&rt, ledger.clean_up("payment", payment));
    steps(&ledger, 1).await;
    let _ = work.await;
    steps(&ledger, 1).await;
}

/// Shielded work that is awaited, left, and awaited again.
pub async fn shielded_and_awaited_again<R: Runtime>(rt: R, ledger: Ledger) {
    ledger.due_later("payment");
    let own = ledger.clone();
    let payment = async move { steps(&own, 4).await };
    let mut work = shield(&rt, ledger.clean_up("payment", payment));
    let awaited = async {
        let _ = (&mut work).await;
        true
    };
    let left = async {
        steps(&ledger, 1).await;
        false
    };
    // On some runtimes it has ended by then.
    if !either(awaited, left).await {
        let _ = work.await;
    }
    steps(&ledger, 1).await;
}

/// Shielded work that fails: whoever waits gets the error, and if nobody does, it is reported.
pub async fn shielded_and_failed<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let work = try_shield(&rt, async move {
        steps(&own, 2).await;
        Err::<(), _>("a payment of a scenario")
    });
    steps(&ledger, 1).await;
    let ended = work.await;
    ledger.check(
        ended.is_ok_and(|ended| ended.is_err()),
        "the error was lost",
    );
}

/// A closure on a thread: its outcome is waited for, also by a cancel.
pub async fn blocking<R: Runtime>(rt: R, ledger: Ledger) {
    let held = ledger.hold("token");
    let body = async {
        let joined = rt.spawn_blocking(move || drop(held)).await;
        ledger.check(joined.is_ok(), "the closure was lost");
    };
    region(&ledger, "close", body).await;
    steps(&ledger, 1).await;
}

/// Two tasks that wait beside each other.
pub async fn two_beside_each_other<R: Runtime>(rt: R, ledger: Ledger) {
    let spawn = |count: usize, name: &'static str| {
        let own = ledger.clone();
        rt.spawn(async move { region_later(&own, name, steps(&own, count)).await })
    };
    let (one, two) = (spawn(1, "one"), spawn(3, "two"));
    let (one, two) = both(one, region(&ledger, "wait", two)).await;
    ledger.check(one.is_ok() && two.is_ok(), "a task was lost");
}
