//! `CancelScope`: what ends it, who reports, what is hidden, and when.
//!
//! (asyncio TK3-TK16 and Trio SC, SL, DL of the model; where a Trio body would see `Cancelled`, it is
//! unwound here.)

use std::future::{Future, pending, ready};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use kumi_core::cancel::{
    CancelHandle, CancelReason, CancelScope, Cancelled, cancelled, checkpoint,
};
use kumi_core::cleanup::finally;
use kumi_core::combine::timeout;
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, current_task};

use crate::probe::{
    Log, Manual, assert_cancelled, both, counting_waker, hold, panic_of, park_on, poll_with,
    thread, token, turns, unordered, until,
};

const MS: Duration = Duration::from_millis(1);

/// A scope and its handle.
fn scope() -> (CancelScope, CancelHandle) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    (scope, handle)
}

/// The reason for which a scope ended.
#[track_caller]
fn reason<T>(ended: Result<T, Cancelled>) -> CancelReason {
    match ended {
        Ok(_) => panic!("it gave a value, and should have been cancelled"),
        Err(cancelled) => cancelled.reason().clone(),
    }
}

/// A scope that nobody cancels gives the value of its body.
pub async fn gives_the_value<R: Runtime>(rt: R) {
    let (scope, handle) = scope();
    let task = rt.spawn(async { 5 });
    assert_eq!(scope.run(async { task.await.unwrap() }).await, Ok(5));
    assert!(handle.has_ended() && !handle.is_cancelled());
    assert_eq!(CancelScope::new().run(ready(6)).await, Ok(6));
}

/// A scope that is cancelled drops its body, then tells the reason; code after the await that was
/// cancelled never runs.
pub async fn ends_its_body<R: Runtime>(_: R) {
    let (scope, handle) = scope();
    let hand = Manual::<()>::new();
    let (inside, witness) = token();
    let body = async {
        hand.future().await;
        unreachable!("code after the await that was cancelled never runs");
    };
    let mut scoped = pin!(scope.run(hold(inside, body)));
    let cancel = async {
        until(|| hand.polls() > 0).await;
        assert!(!handle.is_cancelled() && handle.reason().is_none());
        assert!(handle.cancel());
        assert!(handle.is_cancelled() && !witness.is_dropped());
    };
    let (ended, ()) = both(scoped.as_mut(), cancel).await;
    let ended: Result<(), _> = ended;
    let error = ended.unwrap_err();
    assert_eq!(witness.count(), 1, "dropped before it resolved, once");
    assert_eq!(*error.reason(), CancelReason::Requested);
    assert!(!error.is_elapsed() && handle.has_ended());
}

/// Cancelling is idempotent: only the first request says true, and its reason stays.
pub async fn keeps_the_first_reason<R: Runtime>(_: R) {
    let (scope, handle) = scope();
    assert!(handle.cancel_with("first"));
    assert!(!handle.cancel_with("second"));
    assert!(!handle.clone().cancel());
    assert_eq!(handle.reason(), Some("first".into()));
    let error = scope.run(pending::<()>()).await.unwrap_err();
    assert_eq!(error.to_string(), "cancelled: first");
    assert!(!handle.cancel());
    assert_eq!(handle.reason(), Some("first".into()));
}

/// Threads that no runtime knows may cancel; one of them is the first.
pub async fn is_cancelled_from_any_thread<R: Runtime>(_: R) {
    for _ in 0..20 {
        let (scope, handle) = scope();
        let hand = Manual::<()>::new();
        let cancel = async {
            until(|| hand.polls() > 0).await;
            let threads: Vec<_> = ["a", "b", "c", "d"]
                .map(|name| {
                    let handle = handle.clone();
                    thread(move || handle.cancel_with(name).then_some(name))
                })
                .into();
            let mut winners = Vec::new();
            for thread in threads {
                winners.extend(thread.await);
            }
            winners
        };
        let (ended, winners) = both(scope.run(hand.future()), cancel).await;
        assert_eq!(winners.len(), 1, "{winners:?}");
        assert_eq!(reason(ended), winners[0].into());
    }
}

/// A scope that was cancelled before it is entered begins; its first checkpoint ends it.
pub async fn cancelled_before_it_is_entered<R: Runtime>(_: R) {
    let log = Log::new();
    let (first, handle) = scope();
    handle.cancel();
    let ended = first.run(async {
        log.note("begun");
        checkpoint().await;
        log.note("after");
    });
    assert_eq!(reason(ended.await), CancelReason::Requested);
    assert_eq!(log.read(), ["begun"]);
    // Without a checkpoint the value wins.
    let (second, handle) = scope();
    handle.cancel();
    assert_eq!(second.run(async { 1 }).await, Ok(1));
}

/// Requests after the end have no effect; also after the end of a scope that was dropped.
pub async fn after_the_end_nothing_is_cancelled<R: Runtime>(_: R) {
    let (first, handle) = scope();
    first.run(ready(())).await.unwrap();
    assert!(!handle.cancel() && !handle.is_cancelled() && handle.reason().is_none());

    let (second, handle) = scope();
    let (wakes, waker) = counting_waker();
    let (inside, witness) = token();
    let mut scoped = Box::pin(second.run(hold(inside, pending::<()>())));
    assert!(poll_with(&mut scoped, &waker).is_pending());
    assert!(!handle.has_ended());
    drop(scoped);
    assert!(witness.is_dropped() && handle.has_ended());
    assert!(!handle.cancel());
    drop(waker);
    assert_eq!(wakes.count(), 0);
    assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still held");
}

/// Of two scopes that are both cancelled only the outer one reports, and the code between them does
/// not run; whoever was asked first.
pub async fn the_outer_one_reports<R: Runtime>(_: R) {
    for inner_first in [true, false] {
        let log = Log::new();
        let (outer, outer_handle) = scope();
        let (inner, inner_handle) = scope();
        let hand = Manual::<()>::new();
        let body = async {
            let _ = inner.run(hand.future()).await;
            log.note("between");
        };
        let cancel = async {
            until(|| hand.polls() > 0).await;
            if inner_first {
                inner_handle.cancel_with("inner");
            }
            outer_handle.cancel_with("outer");
            inner_handle.cancel_with("inner");
        };
        let (ended, ()) = both(outer.run(body), cancel).await;
        assert_eq!(reason(ended), "outer".into());
        assert!(log.read().is_empty());
        assert!(inner_handle.has_ended());
    }
}

/// If only the inner scope is cancelled, it reports, and the code around it goes on.
pub async fn the_inner_one_reports<R: Runtime>(_: R) {
    let (outer, outer_handle) = scope();
    let (inner, inner_handle) = scope();
    let hand = Manual::<()>::new();
    let body = async {
        let ended = inner.run(hand.future()).await;
        checkpoint().await;
        ended
    };
    let cancel = async {
        until(|| hand.polls() > 0).await;
        inner_handle.cancel_with("inner");
    };
    let (ended, ()) = both(outer.run(body), cancel).await;
    assert_eq!(reason(ended.unwrap()), "inner".into());
    assert!(!outer_handle.is_cancelled());
}

/// A value wins over a cancel that comes in the same poll, and the cancel over what would wait then.
pub async fn the_value_of_the_body_wins<R: Runtime>(_: R) {
    let (first, handle) = scope();
    let hand = Manual::new();
    let cancel = async {
        until(|| hand.polls() > 0).await;
        hand.set("value");
        handle.cancel();
    };
    let (ended, ()) = both(first.run(hand.future()), cancel).await;
    assert_eq!(ended, Ok("value"));
    assert!(handle.is_cancelled());
}

/// A body may cancel its own scope: it ends at the next await, and a value wins.
pub async fn a_body_cancels_its_own_scope<R: Runtime>(_: R) {
    let (first, handle) = scope();
    let ended = first.run(async {
        checkpoint().await;
        handle.cancel_with("enough");
        checkpoint().await;
        unreachable!("code after the await that was cancelled never runs");
    });
    let ended: Result<(), _> = ended.await;
    assert_eq!(reason(ended), "enough".into());
    let (second, handle) = scope();
    let ended = second.run(async { handle.cancel() });
    assert_eq!(ended.await, Ok(true));
}

/// A cancel of the task reaches its scopes, and no scope reports it as its own.
pub async fn in_a_cancelled_task<R: Runtime>(rt: R) {
    for also_the_scope in [false, true] {
        let log = Log::new();
        let hand = Manual::<()>::new();
        let (scope, handle) = scope();
        let (wait, noted) = (hand.future(), log.clone());
        let task = rt.spawn(async move {
            let _ = scope.run(wait).await;
            noted.note("after");
        });
        until(|| hand.polls() > 0).await;
        task.cancel();
        if also_the_scope {
            handle.cancel();
        }
        assert_cancelled(task.await);
        assert!(handle.has_ended());
        assert!(log.read().is_empty());
    }
}

/// A panic of the body goes through, and ends the scope.
pub async fn a_panic_goes_through<R: Runtime>(_: R) {
    let (scope, handle) = scope();
    let (_, waker) = counting_waker();
    let mut scoped = Box::pin(scope.run(async { panic!("from inside") }));
    let text =
        panic_of(|| poll_with::<Pin<Box<_>>>(&mut scoped, &waker).map(drop::<Result<(), _>>));
    assert_eq!(text, "from inside");
    drop(scoped);
    assert!(handle.has_ended() && !handle.cancel());
}

/// A shielded scope does not see a cancel from outside, and the scopes around it wait until it has
/// ended; its own cancel, its deadline and those inside work.
pub async fn a_shield_hides_what_is_outside<R: Runtime>(rt: R) {
    let log = Log::new();
    let (outer, outer_handle) = scope();
    let (shielded, own) = scope();
    let body = async {
        let inner = shielded.shield(true).run(async {
            outer_handle.cancel_with("outer");
            checkpoint().await;
            rt.spawn(async {}).await.unwrap();
            log.note("went on");
            let (scope, handle) = scope();
            handle.cancel();
            scope.run(checkpoint()).await.unwrap_err();
            timeout(&rt, MS, pending::<()>()).await.unwrap_err();
            log.note("own limits work");
            own.cancel_with("own");
            checkpoint().await;
            log.note("never");
        });
        assert_eq!(reason(inner.await), "own".into());
        log.note("between");
        checkpoint().await;
        log.note("never");
    };
    assert_eq!(reason(outer.run(body).await), "outer".into());
    assert_eq!(log.read(), ["went on", "own limits work", "between"]);
}

/// A shielded scope that is cancelled itself, and from outside as well, reports; the code after it
/// runs to its next checkpoint.
pub async fn a_shielded_one_reports<R: Runtime>(_: R) {
    let log = Log::new();
    let (outer, outer_handle) = scope();
    let (inner, inner_handle) = scope();
    let inner = inner.shield(true);
    let hand = Manual::<()>::new();
    let body = async {
        assert_eq!(reason(inner.run(hand.future()).await), "inner".into());
        log.note("between");
        checkpoint().await;
        log.note("never");
    };
    let cancel = async {
        until(|| hand.polls() > 0).await;
        outer_handle.cancel_with("outer");
        inner_handle.cancel_with("inner");
    };
    let (ended, ()) = both(outer.run(body), cancel).await;
    assert_eq!(reason(ended), "outer".into());
    assert_eq!(log.read(), ["between"]);
}

/// Lowering a shield puts the hidden cancel in force at once: what is blocked inside ends, who listens
/// is told.
pub async fn a_lowered_shield_wakes_the_blocked<R: Runtime>(rt: R) {
    for told in [false, true] {
        let log = Log::new();
        let hand = Manual::<()>::new();
        let (outer, outer_handle) = scope();
        let (inner, inner_handle) = scope();
        let body = inner.shield(true).run(async {
            if told {
                both(hand.future(), async {
                    cancelled().await;
                    log.note("told");
                })
                .await;
            }
            hand.future().await;
        });
        // The waker of the set is woken only by a wake of this very member.
        let body = unordered([body]);
        let lower = async {
            until(|| hand.polls() > 0).await;
            outer_handle.cancel();
            turns(&rt, 5).await;
            assert!(!outer_handle.has_ended(), "the shield hides it");
            assert!(log.read().is_empty());
            inner_handle.set_shield(false);
        };
        let (ended, ()) = both(outer.run(body), lower).await;
        assert_eq!(reason(ended.map(drop)), CancelReason::Requested);
        assert!(inner_handle.has_ended() && !inner_handle.is_cancelled());
        assert_eq!(log.has("told"), told);
    }
}

/// A shield that is raised while the scope runs hides what comes later.
pub async fn a_raised_shield_hides<R: Runtime>(rt: R) {
    let log = Log::new();
    let hand = Manual::<()>::new();
    let (outer, outer_handle) = scope();
    let (inner, inner_handle) = scope();
    let body = inner.run(async {
        hand.future().await;
        checkpoint().await;
        log.note("went on");
    });
    let raise = async {
        until(|| hand.polls() > 0).await;
        inner_handle.set_shield(true);
        outer_handle.cancel();
        turns(&rt, 5).await;
        assert!(!outer_handle.has_ended(), "the shield hides it");
        hand.finish(());
    };
    let body = async {
        let ended = unordered([body]).await;
        log.note("between");
        checkpoint().await;
        ended
    };
    let (ended, ()) = both(outer.run(body), raise).await;
    assert_eq!(reason(ended), CancelReason::Requested);
    assert_eq!(log.read(), ["went on", "between"]);
}

/// Shields nest: a cancelled scope between two of them concerns only what lies between.
pub async fn between_two_shields<R: Runtime>(_: R) {
    let log = Log::new();
    let (outer, outer_handle) = scope();
    let (middle, middle_handle) = scope();
    let shield = || CancelScope::new().shield(true);
    let inside = async {
        checkpoint().await;
        log.note("innermost");
    };
    let between = middle.run(async {
        shield().run(inside).await.unwrap();
        log.note("middle");
        checkpoint().await;
        log.note("never");
    });
    let around = shield().run(async {
        assert_eq!(reason(between.await), "middle".into());
        checkpoint().await;
        log.note("outside of the middle");
    });
    outer_handle.cancel_with("outer");
    middle_handle.cancel_with("middle");
    let ended = outer.run(async {
        around.await.unwrap();
        log.note("outer");
        checkpoint().await;
        log.note("never");
    });
    assert_eq!(reason(ended.await), "outer".into());
    let expected = ["innermost", "middle", "outside of the middle", "outer"];
    assert_eq!(log.read(), expected);
}

/// Many scopes, one inside the other: the innermost ends by itself, the outermost ends them all.
pub async fn a_thousand_nested<R: Runtime>(_: R) {
    /// `depth` scopes around `leaf`, which count those that gave a value.
    fn nest<'a>(
        depth: usize,
        leaf: Pin<Box<dyn Future<Output = usize> + 'a>>,
    ) -> Pin<Box<dyn Future<Output = usize> + 'a>> {
        (0..depth).fold(leaf, |inside, _| {
            Box::pin(async {
                CancelScope::new()
                    .run(inside)
                    .await
                    .map_or(0, |count| count + 1)
            })
        })
    }
    async fn check(depth: usize) {
        let (outermost, outer_handle) = scope();
        let (innermost, inner_handle) = scope();
        let hand = Manual::<()>::new();
        let leaf = Box::pin(async {
            let ended = innermost.run(hand.future()).await;
            assert_eq!(reason(ended), CancelReason::Requested);
            1
        });
        let cancel = async {
            until(|| hand.polls() > 0).await;
            inner_handle.cancel();
        };
        let (ended, ()) = both(outermost.run(nest(depth, leaf)), cancel).await;
        assert_eq!(ended, Ok(depth + 1));
        assert!(!outer_handle.is_cancelled());

        let log = Log::new();
        let hand = Manual::<()>::new();
        let (outermost, outer_handle) = scope();
        let leaf = Box::pin(async {
            finally(hand.future(), async {
                checkpoint().await;
                log.note("cleaned up");
            })
            .await;
            0
        });
        let cancel = async {
            until(|| hand.polls() > 0).await;
            outer_handle.cancel();
        };
        let (ended, ()) = both(outermost.run(nest(depth, leaf)), cancel).await;
        assert_eq!(reason(ended), CancelReason::Requested);
        assert_eq!(log.read(), ["cleaned up"]);
    }
    check(100).await;
    // A poll goes through all of them, which without optimisation takes much of a stack.
    let deep = || park_on(check(1000));
    let deep = std::thread::Builder::new().stack_size(1 << 26).spawn(deep);
    deep.unwrap().join().unwrap();
}

/// Scopes side by side in a foreign combinator end each by itself, and together with the one around.
pub async fn through_a_foreign_join<R: Runtime>(_: R) {
    let log = Log::new();
    let (outer, outer_handle) = scope();
    let (left, left_handle) = scope();
    let (right, right_handle) = scope();
    let (a, b) = (Manual::<()>::new(), Manual::<()>::new());
    let body = async {
        let left = async {
            let ended = left.run(a.future()).await;
            log.note("left ended");
            ended
        };
        let right = async {
            let _ = right.run(b.future()).await;
            log.note("right ended");
        };
        both(left, right).await
    };
    let cancel = async {
        until(|| a.polls() > 0 && b.polls() > 0).await;
        left_handle.cancel();
        until(|| left_handle.has_ended()).await;
        until(|| log.has("left ended")).await;
        assert!(!right_handle.has_ended());
        outer_handle.cancel_with("all");
    };
    let (ended, ()) = both(outer.run(body), cancel).await;
    assert_eq!(reason(ended), "all".into());
    assert!(right_handle.has_ended());
    assert_eq!(log.read(), ["left ended"]);
}

/// Scopes in a set whose members have wakers of their own are woken each by its own cancel, and all by
/// that of the scope around the set.
pub async fn through_a_foreign_set<R: Runtime>(_: R) {
    const MEMBERS: usize = 50;
    let (scopes, handles): (Vec<_>, Vec<_>) = (0..MEMBERS).map(|_| scope()).unzip();
    let hands: Vec<_> = (0..MEMBERS).map(|_| Manual::<()>::new()).collect();
    let members = scopes
        .into_iter()
        .zip(&hands)
        .map(|(scope, hand)| scope.run(hand.future()));
    let cancel = async {
        until(|| hands.iter().all(|hand| hand.polls() > 0)).await;
        for (handle, hand) in handles.iter().zip(&hands).rev() {
            assert_eq!(hand.polls(), 1, "only whoever is woken is polled");
            handle.cancel();
            until(|| handle.has_ended()).await;
        }
    };
    let (ended, ()) = both(unordered(members), cancel).await;
    assert!(ended.into_iter().all(|ended| ended.is_err()));

    let log = Log::new();
    let (outer, outer_handle) = scope();
    let hands: Vec<_> = (0..MEMBERS).map(|_| Manual::<()>::new()).collect();
    let members = hands.iter().map(|hand| {
        CancelScope::new().run(finally(hand.future(), async {
            checkpoint().await;
            log.note("cleaned up");
        }))
    });
    let cancel = async {
        until(|| hands.iter().all(|hand| hand.polls() > 0)).await;
        outer_handle.cancel();
    };
    let (ended, ()) = both(outer.run(unordered(members)), cancel).await;
    assert_eq!(reason(ended.map(drop)), CancelReason::Requested);
    assert_eq!(log.read().len(), MEMBERS);
}

/// A scope that was polled in one task can go on in another: its cancel wakes whoever polls it now.
pub async fn moved_to_another_task<R: Runtime>(rt: R) {
    let (scope, handle) = scope();
    let hand = Manual::<()>::new();
    let (wakes, waker) = counting_waker();
    let mut scoped = Box::pin(scope.run(hand.future()));
    assert!(poll_with(&mut scoped, &waker).is_pending());
    let task = rt.spawn(scoped);
    until(|| hand.polls() > 1).await;
    turns(&rt, 5).await;
    handle.cancel_with("found it");
    assert_eq!(reason(task.await.unwrap()), "found it".into());
    drop(waker);
    assert_eq!(wakes.count(), 0);
    assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still held");
}

/// A scope leaves nothing behind: neither it nor its reason disturbs what its task does next.
pub async fn leaves_no_residue<R: Runtime>(rt: R) {
    let spawner = rt.clone();
    let task = rt.spawn(async move {
        for _ in 0..50 {
            let (scope, handle) = scope();
            handle.cancel();
            scope.run(checkpoint()).await.unwrap_err();
            checkpoint().await;
            spawner.spawn(checkpoint()).await.unwrap();
            assert!(!current_task().unwrap().is_cancel_requested());
        }
        "not cancelled"
    });
    assert_eq!(task.await.unwrap(), "not cancelled");
}
