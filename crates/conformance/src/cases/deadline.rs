//! Deadlines of scopes: when they are due, how they move, who sees them, and the grace period.
//!
//! (Trio DL, AnyIO's `deadline`. The durations are short because on most runtimes they are real.)

use std::future::{pending, ready};
use std::time::{Duration, Instant};

use kumi_core::cancel::{
    CancelHandle, CancelReason, CancelScope, Cancelled, checkpoint, effective_deadline,
};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::{timeout, timeout_at};
use kumi_core::report::Report;
use kumi_core::runtime::Runtime;

use crate::probe::{
    Gate, Log, Manual, both, counting_waker, poll_with, token, turns, unordered, until,
};
use crate::reports;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A scope and its handle.
fn scope() -> (CancelScope, CancelHandle) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    (scope, handle)
}

/// A scope ends at its deadline, not before, and says so.
pub async fn a_deadline_ends_it<R: Runtime>(rt: R) {
    let at = rt.now() + 3 * MS;
    let error = CancelScope::new()
        .deadline(at)
        .run(pending::<()>())
        .await
        .unwrap_err();
    assert!(rt.now() >= at);
    assert!(error.is_elapsed());
    assert_eq!(*error.reason(), CancelReason::Deadline);

    let (scope, handle) = scope();
    let scoped = scope.timeout(3 * MS).run(pending::<()>());
    // A time limit counts from the first poll.
    rt.sleep(5 * MS).await;
    let start = rt.now();
    assert!(scoped.await.unwrap_err().is_elapsed());
    assert!(rt.now() >= start + 3 * MS);
    assert_eq!(handle.reason(), Some(CancelReason::Deadline));
    assert!(!handle.cancel());
}

/// A deadline that has passed, or no time at all, polls once; what is ready then gives its value.
pub async fn a_deadline_that_has_passed<R: Runtime>(rt: R) {
    let past = rt.now();
    rt.sleep(MS).await;
    let hand = Manual::<()>::new();
    let late = CancelScope::new().deadline(past).run(hand.future());
    assert!(late.await.unwrap_err().is_elapsed());
    let none = CancelScope::new().timeout(Duration::ZERO);
    assert!(none.run(hand.future()).await.unwrap_err().is_elapsed());
    assert_eq!(hand.polls(), 2);
    let overrun = CancelScope::new().deadline(past).run(ready(7));
    assert_eq!(overrun.await, Ok(7));
}

/// A body that is ready when the deadline is found to have passed gives its value.
pub async fn the_value_beats_the_deadline<R: Runtime>(rt: R) {
    let (_, waker) = counting_waker();
    let hand = Manual::new();
    let mut scoped = loop {
        let mut scoped = Box::pin(CancelScope::new().timeout(2 * MS).run(hand.future()));
        // A machine that is too slow has to try again.
        if poll_with(&mut scoped, &waker).is_pending() {
            break scoped;
        }
    };
    rt.sleep(5 * MS).await;
    hand.set("late, but there");
    assert_eq!(scoped.as_mut().await, Ok("late, but there"));
}

/// `Duration::MAX` is no limit.
pub async fn the_longest_time<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let (scope, handle) = scope();
    let scoped = scope.timeout(Duration::MAX).run(hand.future());
    let wait = async {
        rt.sleep(3 * MS).await;
        assert!(!handle.is_cancelled());
        hand.finish(());
    };
    assert_eq!(both(scoped, wait).await.0, Ok(()));
}

/// A scope with a deadline that somebody cancels before was not ended by the deadline.
pub async fn a_cancel_before_the_deadline<R: Runtime>(_: R) {
    let (scope, handle) = scope();
    handle.cancel_with("by hand");
    let error = scope.timeout(HOUR).run(pending::<()>()).await.unwrap_err();
    assert!(!error.is_elapsed());
    assert_eq!(*error.reason(), "by hand".into());
}

/// A deadline can be moved while the scope runs: earlier, and into the past.
pub async fn moved_earlier<R: Runtime>(rt: R) {
    for into_the_past in [false, true] {
        for before in [None, Some(HOUR)] {
            let (scope, handle) = scope();
            let hand = Manual::<()>::new();
            let scope = match before {
                Some(limit) => scope.timeout(limit),
                None => scope,
            };
            let at = rt.now()
                + if into_the_past {
                    Duration::ZERO
                } else {
                    3 * MS
                };
            rt.sleep(MS).await;
            let move_it = async {
                until(|| hand.polls() > 0).await;
                handle.set_deadline(Some(at)).unwrap();
            };
            // The waker of the set is woken only by a wake of this very member.
            let body = unordered([scope.run(hand.future())]);
            let (ended, ()) = both(body, move_it).await;
            assert!(ended[0].as_ref().unwrap_err().is_elapsed());
            assert!(rt.now() >= at);
        }
    }
}

/// A deadline can be moved later, and to never.
pub async fn moved_later<R: Runtime>(rt: R) {
    for never in [false, true] {
        loop {
            let (scope, handle) = scope();
            let hand = Manual::<()>::new();
            let later = rt.now() + 20 * MS;
            let move_it = async {
                until(|| hand.polls() > 0).await;
                let moved = handle.set_deadline((!never).then_some(later));
                if never {
                    rt.sleep(10 * MS).await;
                    hand.finish(());
                }
                moved
            };
            let scoped = scope.timeout(4 * MS).run(hand.future());
            let (ended, moved) = both(scoped, move_it).await;
            if moved.is_err() {
                // A machine that is too slow has to try again.
                continue;
            }
            assert_eq!(ended.is_ok(), never);
            assert!(never || rt.now() >= later);
            break;
        }
    }
}

/// A deadline can be moved before the scope is entered, and by its own body.
pub async fn moved_before_and_from_inside<R: Runtime>(rt: R) {
    let (first, handle) = scope();
    handle.set_deadline(Some(rt.now())).unwrap();
    let late = first.timeout(HOUR).run(pending::<()>()).await;
    assert!(late.unwrap_err().is_elapsed());

    let (second, handle) = scope();
    let start = rt.now();
    let body = async {
        handle.set_deadline(Some(start + 3 * MS)).unwrap();
        pending::<()>().await;
    };
    assert!(second.run(body).await.unwrap_err().is_elapsed());
    assert!(rt.now() >= start + 3 * MS);
}

/// A cancel is not taken back: once the scope was due, was cancelled or has ended, its deadline does
/// not move.
pub async fn is_not_taken_back<R: Runtime>(rt: R) {
    let refused = |handle: &CancelHandle| {
        let error = handle.set_deadline(None).unwrap_err();
        assert!(error.to_string().contains("ended"), "{error}");
    };
    let (expired, handle) = scope();
    let body = finally(pending::<()>(), async {
        refused(&handle);
        rt.sleep(MS).await;
        refused(&handle);
    });
    assert!(expired.timeout(MS).run(body).await.is_err());
    refused(&handle);

    let (cancelled, handle) = scope();
    handle.cancel();
    refused(&handle);
    assert!(!cancelled.run(checkpoint()).await.unwrap_err().is_elapsed());

    let (ended, handle) = scope();
    ended.timeout(HOUR).run(ready(())).await.unwrap();
    refused(&handle);
}

/// Of nested scopes that are due together only the outermost reports, and the code between them does
/// not run.
pub async fn due_together<R: Runtime>(rt: R) {
    let log = Log::new();
    let at = rt.now() + 3 * MS;
    let due = || CancelScope::new().deadline(at);
    let inner = async {
        let _ = due().run(pending::<()>()).await;
        log.note("inner");
    };
    let middle = async {
        let _ = timeout_at(&rt, at, inner).await;
        log.note("middle");
    };
    assert!(due().run(middle).await.unwrap_err().is_elapsed());
    assert!(log.read().is_empty());
    // As well when all of them are overdue, in whatever order they were due.
    for [outer, inner] in [[at, at - MS], [at - MS, at]] {
        rt.sleep(MS).await;
        let body = async {
            let _ = CancelScope::new()
                .deadline(inner)
                .run(pending::<()>())
                .await;
            log.note("inner");
        };
        let ended = CancelScope::new().deadline(outer).run(body).await;
        assert!(ended.unwrap_err().is_elapsed());
    }
    assert!(log.read().is_empty());
}

/// A deadline outside of a shield does not keep the one inside from reporting.
pub async fn due_together_with_a_shield_between<R: Runtime>(rt: R) {
    let log = Log::new();
    let at = rt.now() + 3 * MS;
    let body = async {
        let shielded = CancelScope::new().shield(true).deadline(at);
        assert!(shielded.run(pending::<()>()).await.is_err());
        log.note("between");
        checkpoint().await;
        log.note("never");
    };
    let outer = CancelScope::new().deadline(at);
    assert!(outer.run(body).await.unwrap_err().is_elapsed());
    assert_eq!(log.read(), ["between"]);
}

/// The effective deadline is the earliest of those around, up to the nearest shield; it is told
/// inside of limits and scopes alike, and restored behind them.
pub async fn the_effective_one<R: Runtime>(rt: R) {
    assert_eq!(effective_deadline(), None);
    let late = rt.now() + 2 * HOUR;
    let soon = rt.now() + HOUR;
    let within = |at: Instant| CancelScope::new().deadline(at);
    let body = async {
        assert_eq!(effective_deadline(), Some(late));
        let told = within(soon).run(async { effective_deadline() });
        assert_eq!(told.await, Ok(Some(soon)));
        let told = timeout_at(&rt, soon, async { effective_deadline() });
        assert_eq!(told.await, Ok(Some(soon)));
        let told = within(late + HOUR).run(async { effective_deadline() });
        assert_eq!(told.await, Ok(Some(late)));
        let told = CancelScope::new().run(async { effective_deadline() });
        assert_eq!(told.await, Ok(Some(late)));
        assert_eq!(effective_deadline(), Some(late), "those inside have ended");
        let shield = || CancelScope::new().shield(true);
        let told = shield().run(async { effective_deadline() });
        assert_eq!(told.await, Ok(None));
        let told = shield().deadline(soon).run(async { effective_deadline() });
        assert_eq!(told.await, Ok(Some(soon)));
        assert_eq!(uncancellable(async { effective_deadline() }).await, None);
        let seen = std::cell::Cell::new(Some(soon));
        finally(ready(()), async { seen.set(effective_deadline()) }).await;
        assert_eq!(seen.get(), None, "a clean-up is shielded");
    };
    within(late).run(body).await.unwrap();
    assert_eq!(effective_deadline(), None);
    // Moved, and passed.
    let (moved, handle) = scope();
    handle.set_deadline(Some(soon)).unwrap();
    let told = moved.run(async { effective_deadline() });
    assert_eq!(told.await, Ok(Some(soon)));
    let now = rt.now();
    let told = within(now).run(async { effective_deadline() });
    assert_eq!(told.await, Ok(Some(now)));
}

/// What has not cleaned up when the grace period is over is dropped, and reported; the period does not
/// begin before the cancel.
pub async fn grace<R: Runtime>(rt: R) {
    let (scope, handle) = scope();
    let (inside, witness) = token();
    let log = Log::new();
    let body = finally(pending::<()>(), async {
        let _inside = inside;
        log.note("begun");
        pending::<()>().await;
        log.note("never");
    });
    let cancel = async {
        rt.sleep(5 * MS).await;
        assert!(!witness.is_dropped());
        let at = rt.now();
        handle.cancel();
        at
    };
    let scoped = scope.grace(3 * MS).run(body);
    let ((ended, at), reported) = reports::during(both(scoped, cancel)).await;
    assert_eq!(*ended.unwrap_err().reason(), CancelReason::Requested);
    assert!(rt.now() >= at + 3 * MS);
    assert!(witness.is_dropped());
    assert_eq!(log.read(), ["begun"]);
    let lost = |report: &Report| {
        matches!(
            report,
            Report::CleanUpLost {
                region: "finally",
                begun: true,
                ..
            }
        )
    };
    assert_eq!(reported.len(), 1, "{reported:?}");
    assert!(reported.iter().all(lost), "{reported:?}");
}

/// A clean-up that ends within the grace period is not disturbed, and nothing is reported.
pub async fn grace_that_suffices<R: Runtime>(rt: R) {
    let log = Log::new();
    let body = finally(pending::<()>(), async {
        rt.sleep(3 * MS).await;
        log.note("cleaned up");
    });
    let scoped = CancelScope::new().timeout(MS).grace(HOUR).run(body);
    let (ended, reported) = reports::during(scoped).await;
    assert!(ended.unwrap_err().is_elapsed());
    assert_eq!(log.read(), ["cleaned up"]);
    assert!(reported.is_empty(), "{reported:?}");
    let now = rt.now();
    assert!(
        CancelScope::new()
            .grace(MS)
            .run(async { rt.sleep(3 * MS).await })
            .await
            .is_ok()
    );
    assert!(
        rt.now() >= now + 3 * MS,
        "without a cancel there is no grace period"
    );
}

/// A clean-up has no limit if no grace period was set, and one of its own may be set inside.
pub async fn no_grace<R: Runtime>(rt: R) {
    let log = Log::new();
    let (hand, limited) = (Manual::<()>::new(), Gate::new());
    let (scope, handle) = scope();
    let body = finally(pending::<()>(), async {
        timeout(&rt, MS, pending::<()>()).await.unwrap_err();
        limited.open();
        hand.future().await;
        log.note("cleaned up");
    });
    let wait = async {
        limited.wait().await;
        rt.sleep(3 * MS).await;
        turns(&rt, 5).await;
        assert!(!handle.has_ended());
        hand.finish(());
    };
    let (ended, ()) = both(scope.timeout(MS).run(body), wait).await;
    assert_eq!(
        ended.map_err(|error: Cancelled| error.is_elapsed()),
        Err(true)
    );
    assert_eq!(log.read(), ["cleaned up"]);
}

/// The grace period counts as well when the cancel comes from outside.
pub async fn grace_under_a_cancel_from_outside<R: Runtime>(rt: R) {
    let inner = CancelScope::new().grace(MS);
    let handle = inner.handle();
    let outer = CancelScope::new().timeout(MS);
    let never = finally(pending::<()>(), pending::<()>());
    let ended = outer.run(async {
        let _ = inner.run(never).await;
        unreachable!("the outer one reports");
    });
    assert!(ended.await.unwrap_err().is_elapsed());
    assert!(handle.has_ended());
    let _ = rt;
}
