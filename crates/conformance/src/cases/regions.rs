//! `finally` and `on_cancel`: when they clean up, in what order, what the clean-up sees, and what becomes
//! of its failures.
//!
//! (asyncio CM and EL2, Trio's shielded `finally`.)

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::task::Poll;
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested, checkpoint};
use kumi_core::cleanup::{finally, on_cancel};
use kumi_core::combine::timeout;
use kumi_core::report::Report;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    ENDS, End, Gate, Log, Manual, assert_cancelled, both, bring_about, counting_waker, either,
    hold, panic_of, poll_once, poll_with, token, turns, unordered, until,
};
use crate::reports;

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// `finally` cleans up after a value, a panic and every cancel: once, to its end, when the body is gone;
/// and then the end of the body goes on.
pub async fn finally_runs_however_it_ends<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let (inside, witness) = token();
        let (noted, clock) = (log.clone(), rt.clone());
        let (seen, text, _) = bring_about(&rt, end, move |body| {
            finally(hold(inside, body), async move {
                assert_eq!(witness.count(), 1, "the body is dropped first");
                noted.note("begun");
                checkpoint().await;
                clock.sleep(MS).await;
                clock.spawn(checkpoint()).await.unwrap();
                noted.note("ended");
            })
        })
        .await;
        assert_eq!(seen, end);
        assert_eq!(text.contains("of the body"), end == End::Panic, "{text}");
        assert_eq!(log.read(), ["begun", "ended"], "{end:?}");
    }
}

/// `on_cancel` cleans up after every cancel, and after nothing else.
pub async fn on_cancel_runs_only_after_a_cancel<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let noted = log.clone();
        let (seen, ..) = bring_about(&rt, end, |body| {
            on_cancel(body, async move {
                checkpoint().await;
                noted.note("cleaned up");
            })
        })
        .await;
        assert_eq!(seen, end);
        let cancelled = !matches!(end, End::Value | End::Panic);
        assert_eq!(log.has("cleaned up"), cancelled, "{end:?}");
    }
}

/// A note that takes a few turns.
async fn note(log: Log, event: &'static str) {
    checkpoint().await;
    checkpoint().await;
    log.note(event);
}

/// Panics after a turn.
async fn fails(message: &'static str) {
    checkpoint().await;
    panic!("{message}");
}

/// A clean-up that does not begin.
async fn never() {
    unreachable!("it does not begin");
}

/// Regions clean up from the inside out, one after the other, however the body ends.
pub async fn from_the_inside_out<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let noted = log.clone();
        let (seen, ..) = bring_about(&rt, end, move |body| async move {
            let first = finally(body, note(noted.clone(), "first"));
            let second = CancelScope::new().run(finally(first, note(noted.clone(), "second")));
            finally(second, note(noted, "third")).await.unwrap();
        })
        .await;
        assert_eq!(seen, end);
        assert_eq!(log.read(), ["first", "second", "third"], "{end:?}");
    }
}

/// A clean-up is shielded: it sees no cancel, and may wait, spawn, have limits, scopes and regions of its
/// own.
pub async fn the_clean_up_is_shielded<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let (noted, clock) = (log.clone(), rt.clone());
        let clean_up = async move {
            assert!(!cancel_requested());
            let value = clock.spawn(async { 3 }).await;
            assert_eq!(value.unwrap(), 3);
            let limited = timeout(
                &clock,
                MS,
                finally(pending::<()>(), note(noted.clone(), "1")),
            );
            assert!(limited.await.is_err());
            let scope = CancelScope::new();
            let handle = scope.handle();
            handle.cancel();
            let scoped = scope.run(on_cancel(pending::<()>(), note(noted.clone(), "2")));
            assert!(scoped.await.is_err());
            assert!(!cancel_requested());
            checkpoint().await;
            noted.note("3");
        };
        let (seen, ..) = bring_about(&rt, end, move |body| finally(body, clean_up)).await;
        assert_eq!(seen, end);
        assert_eq!(log.read(), ["1", "2", "3"], "{end:?}");
    }
}

/// A panic of a clean-up skips no other. It goes on at whoever waits: after a value or a cancel as the
/// panic of the task; after a panic that one goes on, and it is reported.
pub async fn a_panic_of_a_clean_up<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let noted = log.clone();
        let (seen, text, id) = bring_about(&rt, end, move |body| async move {
            let first = finally(body, note(noted.clone(), "first"));
            let second = finally(first, fails("of the clean-up"));
            finally(second, note(noted.clone(), "third")).await;
            noted.note("after");
        })
        .await;
        assert_eq!(seen, End::Panic, "{end:?}");
        assert_eq!(log.read(), ["first", "third"], "{end:?}");
        if end == End::Panic {
            assert!(text.contains("of the body"), "{text}");
            assert_eq!(reports::of_clean_ups(id), ["of the clean-up"]);
        } else {
            assert_eq!(text, "of the clean-up", "{end:?}");
            assert!(reports::of_clean_ups(id).is_empty());
        }
    }
}

/// Of several panics the first goes on, and the others are reported.
pub async fn several_panics<R: Runtime>(rt: R) {
    for end in [End::Value, End::Task, End::Scope, End::Limit] {
        let log = Log::new();
        let noted = log.clone();
        let (seen, text, id) = bring_about(&rt, end, move |body| async move {
            let first = finally(body, fails("first"));
            let second = finally(first, fails("second"));
            finally(second, note(noted, "third")).await;
        })
        .await;
        assert_eq!((seen, &*text), (End::Panic, "first"), "{end:?}");
        assert_eq!(reports::of_clean_ups(id), ["second"], "{end:?}");
        assert_eq!(log.read(), ["third"]);
    }
}

/// A panic of a clean-up goes on at the scope that was cancelled, not before: the scopes inside of it do
/// not see it.
pub async fn a_panic_goes_on_at_the_cancelled_scope<R: Runtime>(_: R) {
    let log = Log::new();
    let outer = CancelScope::new();
    let handle = outer.handle();
    let body = async {
        handle.cancel();
        let body = finally(pending::<()>(), fails("of the clean-up"));
        let _ = CancelScope::new().run(body).await;
        log.note("between");
    };
    let (_, waker) = counting_waker();
    let mut scoped = Box::pin(outer.run(finally(body, note(log.clone(), "around"))));
    // The clean-up around takes a few turns.
    let mut polls = 0;
    let panic = panic_of(|| {
        while poll_with(&mut scoped, &waker).is_pending() {
            polls += 1;
        }
    });
    assert_eq!(panic, "of the clean-up");
    assert!(polls > 0 && handle.has_ended());
    assert_eq!(log.read(), ["around"]);

    // As well with nothing but scopes between.
    let outer = CancelScope::new();
    let handle = outer.handle();
    let mut scoped = Box::pin(outer.run(async {
        handle.cancel();
        let scope = CancelScope::new;
        let body = finally(pending::<()>(), fails("of the clean-up"));
        let _ = scope().run(scope().run(body)).await;
        log.note("between");
    }));
    let panic = panic_of(|| while poll_with(&mut scoped, &waker).is_pending() {});
    assert_eq!(panic, "of the clean-up");
    assert_eq!(log.read(), ["around"]);
}

/// The error of a clean-up is reported, with its task, and changes nothing of the outcome.
pub async fn an_error_is_reported<R: Runtime>(rt: R) {
    for end in ENDS {
        let (seen, _, id) = bring_about(&rt, end, |body| {
            finally(body, async {
                checkpoint().await;
                Err("disk full")
            })
        })
        .await;
        assert_eq!(seen, end);
        let failed = |report: &Report| match report {
            Report::CleanUpFailed { message, .. } => message == "disk full",
            _ => false,
        };
        assert_eq!(reports::of(id).iter().filter(|r| failed(r)).count(), 1);
    }
}

/// A region that is dropped from outside cannot clean up: that is reported, and whether it had begun.
/// One that was never polled, or has ended, loses nothing.
pub async fn a_dropped_region_is_reported<R: Runtime>(_: R) {
    let lost = |reported: &[Report]| -> Vec<_> {
        let lost = |report: &Report| match report {
            Report::CleanUpLost { region, begun, .. } => (*region, *begun),
            other => panic!("{other}"),
        };
        reported.iter().map(lost).collect()
    };
    let (_, reported) = reports::during(async {
        drop(finally(pending::<()>(), never()));
        drop(on_cancel(pending::<()>(), never()));
        finally(ready(()), async {}).await;
    })
    .await;
    assert!(reported.is_empty(), "{reported:?}");

    let (_, reported) = reports::during(async {
        either(finally(pending::<()>(), never()), checkpoint()).await;
        either(on_cancel(pending::<()>(), never()), checkpoint()).await;
        either(finally(ready(()), pending::<()>()), checkpoint()).await;
    })
    .await;
    let expected = [("finally", false), ("on_cancel", false), ("finally", true)];
    assert_eq!(lost(&reported), expected);

    // Inner and outer ones, and a scope that is dropped with a clean-up inside.
    let (_, reported) = reports::during(async {
        let inner = on_cancel(pending::<()>(), never());
        let outer = CancelScope::new().run(finally(inner, never()));
        either(async { drop(outer.await) }, checkpoint()).await;
    })
    .await;
    assert_eq!(lost(&reported), [("on_cancel", false), ("finally", false)]);
}

/// A region begins in a scope that is cancelled already: the body is polled, then it cleans up.
pub async fn begins_in_a_cancelled_scope<R: Runtime>(_: R) {
    let log = Log::new();
    let scope = CancelScope::new();
    scope.handle().cancel();
    let body = async {
        log.note("body");
        checkpoint().await;
        log.note("never");
    };
    let ended = scope.run(finally(body, note(log.clone(), "cleaned up")));
    assert!(ended.await.is_err());
    assert_eq!(log.read(), ["body", "cleaned up"]);
}

/// A cancel that comes while the region cleans up after a value does not disturb it; the value is
/// delivered, and code after it runs to its next checkpoint.
pub async fn a_cancel_during_the_clean_up<R: Runtime>(rt: R) {
    for checkpoint_after in [false, true] {
        let log = Log::new();
        let (begun, go_on) = (Gate::new(), Gate::new());
        let (noted, open, wait) = (log.clone(), begun.clone(), go_on.wait());
        let task = rt.spawn(async move {
            let value = finally(ready(4), async {
                open.open();
                wait.await;
                noted.note("cleaned up");
            })
            .await;
            noted.note("after");
            if checkpoint_after {
                checkpoint().await;
                noted.note("never");
            }
            value
        });
        begun.wait().await;
        task.cancel();
        turns(&rt, 5).await;
        assert!(!task.is_finished());
        go_on.open();
        match checkpoint_after {
            true => assert_cancelled(task.await),
            false => assert_eq!(task.await.unwrap(), 4),
        }
        assert_eq!(log.read(), ["cleaned up", "after"]);
    }
}

/// A scope waits for the slowest of the regions inside, and cancelling again does not disturb them.
pub async fn the_scope_waits_for_the_slowest<R: Runtime>(rt: R) {
    let log = Log::new();
    let gates: Vec<_> = (0..5).map(|_| Gate::new()).collect();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let members = gates.iter().map(|gate| {
        finally(pending::<()>(), async {
            gate.wait().await;
            log.note("ended");
        })
    });
    let cancel = async {
        turns(&rt, 2).await;
        handle.cancel();
        for (count, gate) in gates.iter().enumerate().rev() {
            turns(&rt, 2).await;
            assert!(!handle.has_ended());
            assert!(!handle.cancel());
            gate.open();
            until(|| log.read().len() == gates.len() - count).await;
        }
    };
    let (ended, ()) = both(scope.run(unordered(members)), cancel).await;
    assert!(ended.is_err());
}

/// Of regions side by side all clean up when one of the clean-ups panics; then the panic goes on.
pub async fn siblings_of_one_that_panics<R: Runtime>(rt: R) {
    const MEMBERS: usize = 20;
    for through_a_set in [true, false] {
        let log = Log::new();
        let noted = log.clone();
        let (seen, text, _) = bring_about(&rt, End::Scope, move |body| {
            let member = |n: usize| {
                let noted = noted.clone();
                finally(pending::<()>(), async move {
                    for _ in 0..n {
                        checkpoint().await;
                    }
                    assert_ne!(n, 1, "of a sibling");
                    noted.note("ended");
                })
            };
            let members: Vec<_> = (0..MEMBERS).map(member).collect();
            async move {
                match through_a_set {
                    true => drop(both(body, unordered(members)).await),
                    false => {
                        let all = members.into_iter().map(Box::pin);
                        let all = all.fold(body, |all, one| {
                            Box::pin(async {
                                both(all, one).await;
                            })
                        });
                        all.await;
                    }
                }
            }
        })
        .await;
        assert_eq!(seen, End::Panic);
        assert!(text.contains("of a sibling"), "{text}");
        assert_eq!(log.read().len(), MEMBERS - 1);
    }
}

/// Panics when it is dropped.
struct PanicsInDrop;

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("of the destructor");
    }
}

/// A destructor of the body that panics does not keep the region from cleaning up.
pub async fn a_destructor_of_the_body_panics<R: Runtime>(rt: R) {
    for end in [End::Value, End::Task, End::Scope, End::Limit] {
        let log = Log::new();
        let noted = log.clone();
        let (seen, text, _) = bring_about(&rt, end, move |body| {
            finally(hold(PanicsInDrop, body), note(noted, "cleaned up"))
        })
        .await;
        assert_eq!((seen, &*text), (End::Panic, "of the destructor"), "{end:?}");
        assert_eq!(log.read(), ["cleaned up"]);
    }
}

/// A destructor of the clean-up that panics: the same as if the clean-up did; beside its panic it is
/// reported.
pub async fn a_destructor_of_the_clean_up_panics<R: Runtime>(rt: R) {
    for end in [End::Value, End::Task, End::Scope, End::Limit] {
        for also_the_clean_up in [false, true] {
            let log = Log::new();
            let noted = log.clone();
            let clean_up = async move {
                checkpoint().await;
                assert!(!also_the_clean_up, "of the clean-up");
            };
            let (seen, text, id) = bring_about(&rt, end, move |body| {
                let inner = finally(body, hold(PanicsInDrop, clean_up));
                finally(inner, note(noted, "around"))
            })
            .await;
            assert_eq!(seen, End::Panic, "{end:?}");
            assert_eq!(log.read(), ["around"]);
            if also_the_clean_up {
                assert_eq!(text, "of the clean-up");
                assert_eq!(reports::of_clean_ups(id), ["of the destructor"]);
            } else {
                assert_eq!(text, "of the destructor");
            }
        }
    }
}

/// A region may be moved from one scope to another between polls: the one that it has left does not wait
/// for it, the one that it is in does.
pub async fn moved_to_another_scope<R: Runtime>(rt: R) {
    let log = Log::new();
    let go_on = Gate::new();
    let region = RefCell::new(Box::pin(finally(pending::<()>(), async {
        go_on.wait().await;
        log.note("cleaned up");
    })));
    let (old, new) = (CancelScope::new(), CancelScope::new());
    let (old_handle, new_handle) = (old.handle(), new.handle());
    let moved = Gate::new();
    let first = old.run(async {
        poll_fn(|cx| {
            assert!(region.borrow_mut().as_mut().poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
        pending::<()>().await;
    });
    let second = new.run(async {
        checkpoint().await;
        poll_fn(|cx| {
            let poll = region.borrow_mut().as_mut().poll(cx);
            moved.open();
            poll
        })
        .await;
    });
    let check = async {
        moved.wait().await;
        old_handle.cancel();
        until(|| old_handle.has_ended()).await;
        assert!(log.read().is_empty());
        new_handle.cancel();
        turns(&rt, 5).await;
        assert!(!new_handle.has_ended());
        go_on.open();
    };
    let ((old, new), ()) = both(both(first, second), check).await;
    assert!(old.is_err() && new.is_err());
    assert_eq!(log.read(), ["cleaned up"]);
}

/// A region that was polled in one task may go on in another: that one waits for it.
pub async fn moved_to_another_task<R: Runtime>(rt: R) {
    let log = Log::new();
    let hand = Manual::<()>::new();
    let noted = log.clone();
    let mut region = Box::pin(finally(hand.future(), note(noted, "cleaned up")));
    let scope = CancelScope::new();
    let polled = scope.run(async { poll_once(&mut region).await.is_pending() });
    assert_eq!(polled.await, Ok(true));
    let task = rt.spawn(region);
    until(|| hand.polls() > 1).await;
    assert_cancelled(task.cancel_and_join().await);
    assert_eq!(log.read(), ["cleaned up"]);
    // Also while it cleans up.
    let log = Log::new();
    let hand = Manual::<()>::new();
    let (noted, wait) = (log.clone(), hand.future());
    let mut region = Box::pin(finally(ready(6), async move {
        wait.await;
        noted.note("cleaned up");
    }));
    assert!(poll_once(&mut region).await.is_pending());
    let task = rt.spawn(CancelScope::new().run(region));
    until(|| hand.polls() > 1).await;
    task.cancel();
    hand.finish(());
    // The value was there before the cancel.
    assert_eq!(task.await.unwrap(), Ok(6));
    assert_eq!(log.read(), ["cleaned up"]);
}

/// A limit of the clean-up's own on what it waits for, an hour of it, costs nothing when it ends early.
pub async fn without_waiting_longer_than_needed<R: Runtime>(rt: R) {
    let start = rt.now();
    let scope = CancelScope::new();
    scope.handle().cancel();
    let clean_up = async {
        let limited = timeout(&rt, HOUR, checkpoint()).await;
        limited.map_err(|_| "it hangs")
    };
    assert!(scope.run(finally(pending::<()>(), clean_up)).await.is_err());
    assert!(rt.now() < start + HOUR);
}
