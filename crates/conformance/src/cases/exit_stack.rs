//! `ExitStack`: all releases run, last first, whatever happens.
//!
//! (Python's `AsyncExitStack`, CM3 to CM8.)

use std::error::Error;
use std::future::pending;
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested, checkpoint};
use kumi_core::cleanup::ExitStack;
use kumi_core::report::Report;
use kumi_core::run::Runner;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::Fresh;
use crate::probe::{
    ENDS, End, Gate, Log, assert_cancelled, bring_about, either, forget, panic_of, poll_once,
    token, turns, until,
};
use crate::reports;

const MS: Duration = Duration::from_millis(1);

type Exit = Result<(), Box<dyn Error + Send + Sync>>;

/// A release that takes a few turns.
async fn note(log: Log, event: &'static str) -> Exit {
    checkpoint().await;
    assert!(!cancel_requested());
    checkpoint().await;
    log.note(event);
    Ok(())
}

/// A release that fails after it was noted.
async fn fail(log: Log, event: &'static str) -> Exit {
    note(log, event).await?;
    Err(event.into())
}

/// A release that panics after it was noted.
async fn panics(log: Log, event: &'static str) -> Exit {
    note(log, event).await?;
    panic!("{event}");
}

/// Runs `main` to the end of a run, without Ctrl-C.
fn run<R: Runtime>(rt: &R, main: impl Future<Output = ()>) {
    Runner::new()
        .ctrl_c(false)
        .run(rt, main)
        .expect("nobody interrupts it");
}

/// The releases run after a value, a panic and every cancel, each to its end, last first.
pub async fn last_first_however_it_ends<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let (seen, text, _) = bring_about(&rt, end, |body| {
            let log = log.clone();
            async move {
                let stacked = ExitStack::run(async |stack| {
                    stack.push(note(log.clone(), "first"));
                    let noted = log.clone();
                    stack.push_fn(move || noted.note("second"));
                    stack.clone().push(note(log.clone(), "third"));
                    assert_eq!(stack.len(), 3);
                    body.await;
                });
                stacked.await.expect("no release fails");
            }
        })
        .await;
        assert_eq!(seen, end);
        assert_eq!(text.contains("of the body"), end == End::Panic, "{text}");
        assert_eq!(log.read(), ["third", "second", "first"], "{end:?}");
    }
}

/// An error of a release skips no other; the caller gets the value and all errors in their order.
pub async fn errors_are_kept<R: Runtime>(_: R) {
    let log = Log::new();
    let failed = ExitStack::run(async |stack| {
        stack.push(fail(log.clone(), "first"));
        stack.push(note(log.clone(), "second"));
        stack.push(fail(log.clone(), "third"));
        42
    });
    let failed = failed.await.unwrap_err();
    assert_eq!(failed.value, 42);
    assert_eq!(failed.to_string(), "releases failed: third; first");
    let texts: Vec<_> = failed.errors.iter().map(ToString::to_string).collect();
    assert_eq!(texts, ["third", "first"]);
    assert_eq!(failed.errors.into_vec().len(), 2);
    assert_eq!(log.read(), ["third", "second", "first"]);
}

/// Where the body is cancelled or panics there is no caller for the errors: each is reported.
pub async fn errors_after_a_cancel_are_reported<R: Runtime>(rt: R) {
    for end in [End::Task, End::Scope, End::Limit] {
        let log = Log::new();
        let (seen, _, id) = bring_about(&rt, end, |body| {
            let log = log.clone();
            async move {
                let stacked = ExitStack::run(async |stack| {
                    stack.push(fail(log.clone(), "first"));
                    stack.push(fail(log, "second"));
                    body.await;
                });
                stacked.await.expect("it is cancelled");
            }
        })
        .await;
        assert_eq!(seen, end);
        let message = |report| match report {
            Report::CleanUpFailed { message, .. } => Some(message),
            _ => None,
        };
        let reported: Vec<_> = reports::of(id).into_iter().filter_map(message).collect();
        assert_eq!(reported, ["second", "first"], "{end:?}");
    }
}

/// A panic of a release skips no other. The first one goes on; later ones, and those beside a panic of the
/// body, are reported.
pub async fn a_release_that_panics<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let (seen, text, id) = bring_about(&rt, end, |body| {
            let log = log.clone();
            async move {
                let stacked = ExitStack::run(async |stack| {
                    stack.push(note(log.clone(), "first"));
                    stack.push(panics(log.clone(), "second"));
                    stack.push(panics(log.clone(), "third"));
                    stack.push(note(log, "fourth"));
                    body.await;
                });
                stacked.await.expect("it panics");
            }
        })
        .await;
        assert_eq!(seen, End::Panic);
        assert_eq!(
            log.read(),
            ["fourth", "third", "second", "first"],
            "{end:?}"
        );
        let reported = reports::of_clean_ups(id);
        if end == End::Panic {
            assert!(text.contains("of the body"), "{text}");
            assert_eq!(reported, ["second", "third"]);
        } else {
            assert_eq!(text, "third", "{end:?}");
            assert_eq!(reported, ["second"]);
        }
    }
}

/// What the body could not acquire is not on the stack; what it had acquired before is released.
pub async fn a_body_that_gives_up<R: Runtime>(_: R) {
    let log = Log::new();
    let ended = ExitStack::run(async |stack| {
        stack.push(note(log.clone(), "first"));
        checkpoint().await;
        Err::<(), _>("there is no second")?;
        stack.push(note(log.clone(), "second"));
        Ok(())
    });
    assert_eq!(ended.await.unwrap(), Err("there is no second"));
    assert_eq!(log.read(), ["first"]);
}

/// `pop_all` moves everything to a stack of its own: nothing runs when the old one is left, and the new
/// one is closed by itself.
pub async fn popped<R: Runtime>(_: R) {
    let log = Log::new();
    let kept = ExitStack::run(async |stack| {
        stack.push(fail(log.clone(), "first"));
        stack.push(note(log.clone(), "second"));
        let kept = stack.pop_all();
        assert!(stack.is_empty());
        stack.push(note(log.clone(), "of the old one"));
        kept
    });
    let kept = kept.await.unwrap();
    assert_eq!(log.read(), ["of the old one"]);
    assert_eq!(kept.len(), 2);
    kept.push(note(log.clone(), "third"));
    let errors = kept.close().await.unwrap_err();
    assert_eq!(errors.to_string(), "releases failed: first");
    assert_eq!(log.read()[1..], ["third", "second", "first"]);
    ExitStack::new().close().await.unwrap();
}

/// A cancel waits for `close`, which is not disturbed.
pub async fn a_cancel_waits_for_close<R: Runtime>(rt: R) {
    let log = Log::new();
    let (begun, go_on) = (Gate::new(), Gate::new());
    let (noted, open, wait) = (log.clone(), begun.clone(), go_on.wait());
    let task = rt.spawn(async move {
        let stack = ExitStack::new();
        stack.push(note(noted.clone(), "first"));
        stack.push(async move {
            open.open();
            wait.await;
            Ok(())
        });
        stack.close().await.unwrap();
        noted.note("after");
        checkpoint().await;
        noted.note("never");
    });
    begun.wait().await;
    task.cancel();
    turns(&rt, 3).await;
    assert!(!task.is_finished());
    go_on.open();
    assert_cancelled(task.await);
    assert_eq!(log.read(), ["first", "after"]);
}

/// A stack that is dropped from outside, before it is left or while it is, loses nothing: the runtime
/// runs what has not ended, last first, and the end of the run waits for it.
pub fn dropped_from_outside<R: Runtime>(fresh: Fresh<'_, R>) {
    for while_it_is_left in [false, true] {
        let rt = fresh();
        let log = Log::new();
        let clock = rt.handle();
        run(&*rt, async {
            let region = ExitStack::run(async |stack| {
                stack.push(note(log.clone(), "first"));
                let noted = log.clone();
                stack.push(async move {
                    noted.note("begun");
                    clock.sleep(MS).await;
                    note(noted, "second").await
                });
                if !while_it_is_left {
                    log.note("parked");
                    pending::<()>().await;
                }
            });
            let until_there = until(|| log.has("parked") || log.has("begun"));
            either(async { drop(region.await) }, until_there).await;
        });
        let expected = match while_it_is_left {
            false => ["parked", "begun", "second", "first"].as_slice(),
            true => &["begun", "second", "first"],
        };
        assert_eq!(log.read(), expected);
    }
}

/// The same for a stack whose last handle is dropped without `close`, for one that was popped, and for
/// what is pushed too late.
pub fn dropped_without_close<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let log = Log::new();
    run(&*rt, async {
        let stack = ExitStack::new();
        stack.push(note(log.clone(), "of the first"));
        let other = stack.clone();
        drop(stack);
        assert_eq!(other.len(), 1);
        let popped = other.pop_all();
        drop(other);
        turns(&*rt, 2).await;
        assert!(log.read().is_empty());
        drop(popped);
        until(|| log.has("of the first")).await;

        // It hands a handle out, and pushes when it is being left and when it has been.
        let kept = ExitStack::run(async |stack| {
            let (again, noted) = (stack.clone(), log.clone());
            stack.push_fn(move || again.push(note(noted, "pushed by a release")));
            stack
        });
        let kept = kept.await.unwrap();
        kept.push(note(log.clone(), "pushed afterwards"));
        drop(kept);
    });
    let late = ["of the first", "pushed afterwards", "pushed by a release"];
    assert_eq!(log.read(), late);
}

/// When the grace period is over the release that runs is dropped and reported; those that had not begun
/// still run.
pub async fn cut_by_the_grace<R: Runtime>(rt: R) {
    let log = Log::new();
    let (inside, witness) = token();
    let scope = CancelScope::new().timeout(MS).grace(2 * MS);
    let ended = scope.run(ExitStack::run(async |stack| {
        stack.push(note(log.clone(), "first"));
        stack.push(async move {
            let _inside = inside;
            pending().await
        });
        pending::<()>().await;
    }));
    let (ended, reported) = reports::during(ended).await;
    assert!(ended.unwrap_err().is_elapsed());
    let lost = |report: &Report| match report {
        Report::CleanUpLost { region, begun, .. } => *region == "ExitStack" && *begun,
        _ => false,
    };
    assert!(
        reported.len() == 1 && reported.iter().all(lost),
        "{reported:?}"
    );
    assert!(witness.is_dropped());
    until(|| log.has("first")).await;
    drop(rt);
}

/// Thousands of releases need no more stack than one.
pub async fn ten_thousand<R: Runtime>(_: R) {
    let (first, witness) = token();
    let stacked = ExitStack::run(async |stack| {
        stack.push_fn(move || drop(first));
        for _ in 1..10_000 {
            let token = witness.token();
            stack.push_fn(move || drop(token));
        }
    });
    stacked.await.unwrap();
    assert_eq!(witness.count(), 10_000);
}

/// Outside of any runtime pushing panics, and says what to do.
pub fn outside_of_any_runtime<R: Runtime>(_: Fresh<'_, R>) {
    let text = panic_of(|| ExitStack::new().push_fn(|| ()));
    assert!(text.contains("`ExitStack::push`"), "{text}");
    assert!(text.contains("`kumi::run`"), "{text}");
}

/// A stack that is forgotten is never left, and harms nobody.
pub async fn forgotten<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        let never = || unreachable!("it is forgotten");
        let stack = ExitStack::new();
        stack.push_fn(never);
        forget(stack);
        let mut region = Box::pin(ExitStack::run(async |stack| {
            stack.push_fn(never);
            pending::<()>().await;
        }));
        assert!(poll_once(&mut region).await.is_pending());
        forget(region);
        checkpoint().await;
        5
    });
    assert_eq!(task.await.unwrap(), 5);
}
