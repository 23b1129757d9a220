//! `uncancellable`: the cancel waits, the value is delivered, and code inside can ask.
//!
//! (Kotlin's `NonCancellable`, KO5; Trio's uninterruptible operations, SC13.)

use std::future::{Future, pending, ready};
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested, cancelled, checkpoint, effective_deadline};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::timeout;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinError, SpawnExt};

use crate::probe::{
    Gate, Log, Manual, assert_cancelled, assert_panicked, both, hold, poll_once, token, turns,
    unordered, until,
};

const MS: Duration = Duration::from_millis(1);

/// Who cancels.
#[derive(Debug, Clone, Copy)]
enum By {
    Task,
    Scope,
    Limit,
}

/// Runs `body` in a task and cancels it once `parked` is open, then lets `then` know; true is returned
/// where a scope or a limit reported, the task's own end otherwise.
async fn cancel<R, F>(
    rt: &R,
    by: By,
    body: F,
    parked: Gate,
    then: impl Future<Output = ()>,
) -> Result<bool, JoinError>
where
    R: Runtime,
    F: Future<Output = ()> + Send + 'static,
{
    let scope = CancelScope::new();
    let handle = scope.handle();
    let clock = rt.clone();
    let task = rt.spawn(async move {
        match by {
            By::Task => {
                body.await;
                false
            }
            By::Scope => scope.run(body).await.is_err(),
            By::Limit => timeout(&clock, MS, body).await.is_err(),
        }
    });
    parked.wait().await;
    match by {
        By::Task => drop(task.cancel()),
        By::Scope => drop(handle.cancel()),
        By::Limit => rt.sleep(2 * MS).await,
    }
    turns(rt, 3).await;
    assert!(!task.is_finished(), "the cancel waits");
    then.await;
    task.await
}

/// Asserts that the cancel took effect where it was made.
#[track_caller]
fn assert_ended(by: By, ended: Result<bool, JoinError>) {
    match by {
        By::Task => assert_cancelled(ended),
        By::Scope | By::Limit => assert!(ended.unwrap()),
    }
}

/// It runs to its end, its value is delivered, and the cancel shows where the code after it suspends.
pub async fn the_cancel_waits<R: Runtime>(rt: R) {
    for by in [By::Task, By::Scope, By::Limit] {
        let log = Log::new();
        let (parked, go_on) = (Gate::new(), Gate::new());
        let (noted, open, wait, clock) = (log.clone(), parked.clone(), go_on.wait(), rt.clone());
        let body = async move {
            let value = uncancellable(async {
                open.open();
                wait.await;
                checkpoint().await;
                clock.sleep(MS).await;
                assert_eq!(clock.spawn(async { 1 }).await.unwrap(), 1);
                noted.note("inside");
                2
            });
            assert_eq!(value.await, 2);
            noted.note("after");
            checkpoint().await;
            noted.note("never");
        };
        let ended = cancel(&rt, by, body, parked, async { go_on.open() }).await;
        assert_ended(by, ended);
        assert_eq!(log.read(), ["inside", "after"], "{by:?}");
    }
}

/// If nothing suspends after it, the value of the whole wins.
pub async fn the_value_wins<R: Runtime>(rt: R) {
    let (parked, go_on) = (Gate::new(), Gate::new());
    let (open, wait) = (parked.clone(), go_on.wait());
    let task = rt.spawn(uncancellable(async move {
        open.open();
        wait.await;
        "value"
    }));
    parked.wait().await;
    task.cancel();
    go_on.open();
    assert_eq!(task.await.unwrap(), "value");
}

/// Code inside is told of the cancel, and can end early by itself.
pub async fn code_inside_is_told<R: Runtime>(rt: R) {
    for by in [By::Task, By::Scope, By::Limit] {
        let log = Log::new();
        let (parked, go_on) = (Gate::new(), Gate::new());
        let (noted, open, wait) = (log.clone(), parked.clone(), go_on.wait());
        let body = async move {
            uncancellable(async {
                assert!(!cancel_requested());
                let told = async {
                    cancelled().await;
                    assert!(cancel_requested());
                    noted.note("told");
                };
                open.open();
                // The waker of the set is woken only by a wake of this very member.
                unordered([told]).await;
                cancelled().await;
                wait.await;
            })
            .await;
            assert!(cancel_requested());
            checkpoint().await;
            noted.note("never");
        };
        let log_seen = log.clone();
        let then = async {
            until(|| log_seen.has("told")).await;
            go_on.open();
        };
        let ended = cancel(&rt, by, body, parked, then).await;
        assert_ended(by, ended);
        assert_eq!(log.read(), ["told"], "{by:?}");
    }
}

/// In a scope that is cancelled already it does not begin.
pub async fn does_not_begin_in_a_cancelled_scope<R: Runtime>(_: R) {
    let scope = CancelScope::new();
    scope.handle().cancel();
    let (inside, witness) = token();
    let future = async { unreachable!("it does not begin") };
    let ended = scope.run(uncancellable(hold(inside, future))).await;
    let ended: Result<(), _> = ended;
    assert!(ended.is_err() && witness.is_dropped());
    // In a clean-up it does: the cancel is not seen there.
    let scope = CancelScope::new();
    scope.handle().cancel();
    let log = Log::new();
    let body = finally(pending::<()>(), uncancellable(async { log.note("begun") }));
    assert!(scope.run(body).await.is_err());
    assert_eq!(log.read(), ["begun"]);
}

/// Scopes, limits and regions inside work by themselves, and see nothing of the cancel outside.
pub async fn scopes_inside_work<R: Runtime>(rt: R) {
    let log = Log::new();
    let outer = CancelScope::new();
    let handle = outer.handle();
    let body = uncancellable(async {
        handle.cancel();
        assert!(timeout(&rt, MS, pending::<()>()).await.is_err());
        let scope = CancelScope::new();
        let own = scope.handle();
        let inner = scope.run(async {
            assert!(cancel_requested(), "the one outside can be asked for");
            finally(checkpoint(), async { log.note("after a value") }).await;
            own.cancel_with("own");
            finally(pending::<()>(), async { log.note("after a cancel") }).await;
        });
        let error = inner.await.unwrap_err();
        assert_eq!(error.to_string(), "cancelled: own");
        uncancellable(checkpoint()).await;
        assert_eq!(effective_deadline(), None);
        log.note("inside");
    });
    let ended = outer.run(async {
        body.await;
        log.note("after");
        checkpoint().await;
        log.note("never");
    });
    assert!(ended.await.is_err());
    let expected = ["after a value", "after a cancel", "inside", "after"];
    assert_eq!(log.read(), expected);
}

/// Inside of a shield the cancel that is hidden cannot be asked for either; lowered, it can.
pub async fn inside_of_a_shield<R: Runtime>(_: R) {
    let outer = CancelScope::new();
    let handle = outer.handle();
    let shielded = CancelScope::new().shield(true);
    let shield = shielded.handle();
    let log = Log::new();
    let body = async {
        uncancellable(async {
            handle.cancel();
            assert!(!cancel_requested());
            assert!(poll_once(&mut cancelled()).await.is_pending());
            let lower = async {
                checkpoint().await;
                shield.set_shield(false);
            };
            both(cancelled(), lower).await;
            log.note("told");
        })
        .await;
        checkpoint().await;
        log.note("never");
    };
    assert!(outer.run(shielded.run(body)).await.is_err());
    assert_eq!(log.read(), ["told"]);
}

/// A panic goes through, at once, whether somebody has cancelled or not.
pub async fn a_panic_goes_through<R: Runtime>(rt: R) {
    for cancels in [false, true] {
        let hand = Manual::<()>::new();
        let wait = hand.future();
        let task = rt.spawn(async move {
            uncancellable(async {
                wait.await;
                panic!("from inside");
            })
            .await
        });
        until(|| hand.polls() > 0).await;
        if cancels {
            task.cancel();
        }
        hand.finish(());
        let joined: Result<(), _> = task.await;
        assert_eq!(assert_panicked(joined), "from inside");
    }
}

/// Dropped from outside it drops its future, and nobody waits for it any more.
pub async fn dropped_from_outside<R: Runtime>(_: R) {
    let (inside, witness) = token();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let log = Log::new();
    let body = async {
        let mut region = Box::pin(uncancellable(hold(inside, pending::<()>())));
        assert!(poll_once(&mut region).await.is_pending());
        handle.cancel();
        drop(region);
        log.note("dropped");
        checkpoint().await;
        log.note("never");
    };
    assert!(scope.run(body).await.is_err());
    assert!(witness.is_dropped());
    assert_eq!(log.read(), ["dropped"]);
}

/// A scope waits for all of them, side by side in a set with wakers of its own.
pub async fn side_by_side<R: Runtime>(rt: R) {
    let log = Log::new();
    let gates: Vec<_> = (0..10).map(|_| Gate::new()).collect();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let members = gates.iter().map(|gate| async {
        uncancellable(gate.wait()).await;
        log.note("ended");
        checkpoint().await;
        log.note("never");
    });
    let cancel = async {
        turns(&rt, 2).await;
        handle.cancel();
        for (index, gate) in gates.iter().enumerate() {
            turns(&rt, 2).await;
            assert!(!handle.has_ended());
            gate.open();
            until(|| log.read().len() > index).await;
        }
    };
    let (ended, ()) = both(scope.run(unordered(members)), cancel).await;
    assert!(ended.is_err() && !log.has("never"));
}

/// It may be moved from one scope to another: the one that it is in waits.
pub async fn moved_to_another_scope<R: Runtime>(rt: R) {
    let hand = Manual::new();
    let (old, new) = (CancelScope::new(), CancelScope::new());
    let (old_handle, new_handle) = (old.handle(), new.handle());
    let mut region = Box::pin(uncancellable(hand.future()));
    let polled = old.run(async { poll_once(&mut region).await.is_pending() });
    assert_eq!(polled.await, Ok(true));
    assert!(!old_handle.cancel());
    let check = async {
        until(|| hand.polls() > 1).await;
        new_handle.cancel();
        turns(&rt, 5).await;
        assert!(!new_handle.has_ended());
        hand.finish("value");
    };
    let (ended, ()) = both(new.run(region), check).await;
    assert_eq!(ended, Ok("value"));
    assert!(new_handle.is_cancelled());
}

/// Without a cancel it is its future.
pub async fn without_a_cancel<R: Runtime>(rt: R) {
    assert_eq!(uncancellable(ready(1)).await, 1);
    let task = rt.spawn(uncancellable(async {
        checkpoint().await;
        assert!(!cancel_requested());
        2
    }));
    assert_eq!(task.await.unwrap(), 2);
}
