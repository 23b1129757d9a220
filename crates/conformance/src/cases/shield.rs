//! `shield`: work that goes on although its awaiters are cancelled or dropped.

use std::future::pending;
use std::time::Duration;

use kumi_core::combine::timeout;
use kumi_core::report::Report;
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, shield, try_shield};

use crate::probe::{Gate, assert_cancelled, poll_once, text, token, until};
use crate::reports;

const MS: Duration = Duration::from_millis(1);

/// Value and panic pass through (SH1).
pub async fn the_outcome_passes<R: Runtime>(rt: R) {
    assert_eq!(shield(&rt, async { 4 }).await.unwrap(), 4);
    let panicked = shield(&rt, async {
        assert!(std::hint::black_box(false), "inside")
    });
    assert_eq!(text(panicked.await.unwrap_err().into_panic()), "inside");
}

/// It survives awaiters that are cancelled and dropped, and can be awaited again (SH2, SH7).
pub async fn survives_its_awaiters<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let inside = gate.clone();
    let mut work = shield(&rt, async move {
        inside.wait().await;
        7
    });
    for _ in 0..2 {
        assert!(timeout(&rt, 2 * MS, &mut work).await.is_err());
        assert!(poll_once(&mut work).await.is_pending());
    }
    let waiter = rt.spawn(work);
    rt.spawn(async {}).await.unwrap();
    gate.open();
    assert_eq!(waiter.await.unwrap().unwrap(), 7);
}

/// The task that awaits it is cancelled: the work goes on to its end (SH2).
pub async fn survives_the_task<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let done = Gate::new();
    let begun = Gate::new();
    let (inside, finished, clock) = (gate.clone(), done.clone(), rt.clone());
    let opener = begun.clone();
    let waiter = rt.spawn(async move {
        let work = shield(&clock, async move {
            opener.open();
            inside.wait().await;
            finished.open();
        });
        work.await.unwrap();
    });
    begun.wait().await;
    assert_cancelled(waiter.cancel_and_join().await);
    gate.open();
    done.wait().await;
}

/// Cancelling the work itself is seen as that (SH3).
pub async fn the_work_is_cancelled<R: Runtime>(rt: R) {
    let mut work = shield(&rt, pending::<()>());
    assert!(poll_once(&mut work).await.is_pending());
    work.task().unwrap().cancel();
    assert_cancelled(work.await);
}

/// An error that nobody takes is reported once; one that somebody takes is not (SH5).
pub async fn an_error_that_nobody_takes<R: Runtime>(rt: R) {
    let lost = try_shield(&rt, async { Err::<(), _>("lost error") });
    let task = lost.task().unwrap();
    drop(lost);
    until(|| task.is_finished()).await;
    let of = |id| {
        let errors = reports::of(id).into_iter();
        errors
            .filter(|report| matches!(report, Report::ErrorNotTaken { .. }))
            .count()
    };
    until(|| of(task.id()) > 0).await;
    assert_eq!(of(task.id()), 1);

    let mut taken = try_shield(&rt, async { Err::<(), _>("taken error") });
    let task = taken.task().unwrap();
    assert!(timeout(&rt, MS, pending::<()>()).await.is_err());
    assert_eq!((&mut taken).await.unwrap(), Err("taken error"));
    drop(taken);
    assert_eq!(of(task.id()), 0);
}

/// What is inside is dropped once, wherever the value goes.
pub async fn drops_once<R: Runtime>(rt: R) {
    let (value, witness) = token();
    let work = shield(&rt, async move { value });
    let task = work.task().unwrap();
    drop(work);
    until(|| task.is_finished()).await;
    until(|| witness.count() == 1).await;
}
