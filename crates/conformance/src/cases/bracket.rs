//! `bracket`: what was acquired is released, whatever happens.
//!
//! (`async with` of Python, CM; what a borrowing region cannot do is to survive being dropped.)

use std::cell::Cell;
use std::future::{Future, pending, ready};
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested, checkpoint};
use kumi_core::cleanup::{bracket, finally};
use kumi_core::context;
use kumi_core::report::Report;
use kumi_core::run::Runner;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::Fresh;
use crate::probe::{
    Body, ENDS, End, Gate, Log, Manual, assert_cancelled, assert_panicked, bring_about,
    counting_waker, either, forget, panic_of, poll_once, poll_with, token, turns, until,
};
use crate::reports;

const MS: Duration = Duration::from_millis(1);

/// What is acquired.
struct Resource(Log);

impl Resource {
    async fn open(log: Log) -> Self {
        checkpoint().await;
        log.note("acquired");
        Self(log)
    }

    async fn close(self) {
        checkpoint().await;
        assert!(!cancel_requested());
        checkpoint().await;
        self.0.note("released");
    }
}

/// Acquires, runs `body`, and releases.
fn around<F: Future>(log: Log, body: F) -> impl Future<Output = F::Output> {
    bracket(
        Resource::open(log),
        async |resource: &mut Resource| {
            resource.0.note("used");
            body.await
        },
        Resource::close,
    )
}

const ALL: [&str; 3] = ["acquired", "used", "released"];

/// Acquire, use, release, in this order; the release gets what was acquired, as the use has left it.
pub async fn acquires_uses_and_releases<R: Runtime>(_: R) {
    let log = Log::new();
    assert_eq!(around(log.clone(), async { 42 }).await, 42);
    assert_eq!(log.read(), ALL);
    let (token, witness) = token();
    let mut count = 0;
    let length = bracket(
        async { (token, vec![1]) },
        async |(_, list): &mut (_, Vec<u32>)| {
            list.push(2);
            count += 1;
            list.len()
        },
        async |(token, list): (_, Vec<u32>)| {
            assert_eq!(list, [1, 2]);
            drop(token);
        },
    );
    assert_eq!(length.await, 2);
    assert_eq!((count, witness.count()), (1, 1));
}

/// The release runs after a value, a panic and every cancel, once, to its end.
pub async fn releases_however_the_use_ends<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let (seen, text, _) = bring_about(&rt, end, |body| around(log.clone(), body)).await;
        assert_eq!(seen, end);
        assert_eq!(text.contains("of the body"), end == End::Panic, "{text}");
        assert_eq!(log.read(), ALL, "{end:?}");
    }
}

/// Brackets inside of each other release from the inside out.
pub async fn from_the_inside_out<R: Runtime>(rt: R) {
    for end in ENDS {
        let log = Log::new();
        let level = |name, body: Body| -> Body {
            let log = log.clone();
            let release = async move |()| {
                checkpoint().await;
                log.note(name);
            };
            Box::pin(bracket(
                ready(()),
                async move |(): &mut ()| body.await,
                release,
            ))
        };
        let region = |body| level("outer", level("middle", level("inner", body)));
        let (seen, ..) = bring_about(&rt, end, region).await;
        assert_eq!(seen, end);
        assert_eq!(log.read(), ["inner", "middle", "outer"], "{end:?}");
    }
}

/// While it acquires it can be cancelled, and can fail: then there is nothing to release.
pub async fn acquiring_is_cancelled_or_fails<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let wait = hand.future();
    let (polled, used) = (Log::new(), Log::new());
    let (noted, log) = (polled.clone(), used.clone());
    let task = rt.spawn(bracket(
        async move {
            noted.note("acquiring");
            wait.await;
        },
        async move |(): &mut ()| log.note("used"),
        never,
    ));
    until(|| hand.polls() > 0).await;
    assert_cancelled(task.cancel_and_join().await);
    let failing = async {
        checkpoint().await;
        panic!("nothing there");
    };
    let task = rt.spawn(bracket(failing, async |(): &mut ()| (), never));
    assert_eq!(assert_panicked(task.await), "nothing there");
    assert!(polled.has("acquiring") && used.read().is_empty());
}

/// What was acquired in a scope that is cancelled already is released: nothing comes between.
pub async fn acquired_in_a_cancelled_scope<R: Runtime>(rt: R) {
    let log = Log::new();
    let scope = CancelScope::new();
    scope.handle().cancel();
    let (noted, close) = (log.clone(), log.clone());
    let body = bracket(
        async { noted.note("acquired") },
        async |(): &mut ()| {
            noted.note("used");
            checkpoint().await;
            noted.note("never");
        },
        move |()| Resource(close).close(),
    );
    assert!(scope.run(body).await.is_err());
    assert_eq!(log.read(), ALL);
    // The cancel comes in the very poll in which it is acquired.
    let log = Log::new();
    let hand = Manual::new();
    let (wait, noted) = (hand.future(), log.clone());
    let task = rt.spawn(bracket(
        wait,
        async move |_: &mut Resource| {
            checkpoint().await;
            noted.note("never");
        },
        Resource::close,
    ));
    until(|| hand.polls() > 0).await;
    hand.set(Resource(log.clone()));
    assert_cancelled(task.cancel_and_join().await);
    assert_eq!(log.read(), ["released"]);
}

/// A release that panics after a turn.
async fn fails() {
    checkpoint().await;
    panic!("of the release");
}

/// A release that does not begin.
async fn never((): ()) {
    unreachable!("nothing was acquired");
}

/// A release that panics: after a value or a cancel its panic is the outcome, after a panic it is
/// reported; the same if it panics before it returns its future.
pub async fn a_release_that_panics<R: Runtime>(rt: R) {
    for end in ENDS {
        for at_once in [false, true] {
            let log = Log::new();
            let noted = log.clone();
            let release = move |()| {
                assert!(!at_once, "of the release");
                fails()
            };
            let region = |body: Body| {
                let inner = bracket(ready(()), async move |(): &mut ()| body.await, release);
                finally(inner, async move { noted.note("around") })
            };
            let (seen, text, id) = bring_about(&rt, end, region).await;
            assert_eq!(seen, End::Panic, "{end:?}");
            assert_eq!(log.read(), ["around"]);
            if end == End::Panic {
                assert!(text.contains("of the body"), "{text}");
                assert_eq!(reports::of_clean_ups(id), ["of the release"]);
            } else {
                assert_eq!(text, "of the release");
            }
        }
    }
}

/// The error of a release is reported with its task.
pub async fn a_release_that_fails<R: Runtime>(rt: R) {
    for end in ENDS {
        let (seen, _, id) = bring_about(&rt, end, |body| {
            let release = async |()| Err::<(), _>("still in use");
            bracket(ready(()), async move |(): &mut ()| body.await, release)
        })
        .await;
        assert_eq!(seen, end);
        let failed = |report: &Report| match report {
            Report::CleanUpFailed { message, .. } => message == "still in use",
            _ => false,
        };
        assert_eq!(reports::of(id).iter().filter(|r| failed(r)).count(), 1);
    }
}

/// How far a bracket gets before it is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Made,
    Acquiring,
    Using,
    Releasing,
    Ended,
}

/// A bracket that is dropped from outside, at whatever stage, loses nothing: the runtime runs the
/// release, from where it was, as a task that is not cancelled, and the end of the run waits for it.
pub fn dropped_at_every_stage<R: Runtime>(fresh: Fresh<'_, R>) {
    use Stage::{Acquiring, Ended, Made, Releasing, Using};
    thread_local! {
        /// Whether this thread is dropping the region. Another one may begin the release meanwhile.
        static DROPPING: Cell<bool> = const { Cell::new(false) };
    }
    for stage in [Made, Acquiring, Using, Releasing, Ended] {
        let log = Log::new();
        let rt = fresh();
        let clock = rt.handle();
        let (opened, used) = (Gate::new(), Gate::new());
        let main = async {
            let acquire = async {
                opened.wait().await;
                log.note("acquired");
            };
            let (noted, noted_again) = (log.clone(), log.clone());
            let release = async move |()| {
                if DROPPING.get() {
                    noted.note("where it is dropped");
                }
                noted.note("releasing");
                checkpoint().await;
                clock.sleep(MS).await;
                assert!(context::with_current(|rt| rt.is_some()));
                noted.note("released");
            };
            let use_it = async |(): &mut ()| {
                noted_again.note("used");
                used.wait().await;
            };
            let mut region = Box::pin(bracket(acquire, use_it, release));
            if stage != Made {
                assert!(poll_once(&mut region).await.is_pending());
            }
            if !matches!(stage, Made | Acquiring) {
                opened.open();
                assert!(poll_once(&mut region).await.is_pending());
            }
            if matches!(stage, Releasing | Ended) {
                used.open();
                assert!(poll_once(&mut region).await.is_pending());
                assert!(log.has("releasing"));
            }
            if stage == Ended {
                region.as_mut().await;
            }
            let before = log.read().len();
            DROPPING.set(true);
            drop(region);
            DROPPING.set(false);
            before
        };
        let run = || Runner::new().ctrl_c(false).run(&*rt, main);
        let before = run().unwrap();
        let all = ["acquired", "used", "releasing", "released"];
        let begun = match stage {
            Made | Acquiring => 0,
            Using => 2,
            Releasing => 3,
            Ended => 4,
        };
        assert_eq!(before, begun);
        let expected = if begun == 0 { &all[..0] } else { &all };
        assert_eq!(log.read(), expected, "{stage:?}");
    }
}

/// A foreign `select!` that drops it, and a scope that is dropped with it inside: the same.
pub fn dropped_by_a_select<R: Runtime>(fresh: Fresh<'_, R>) {
    for in_a_scope in [false, true] {
        let log = Log::new();
        let rt = fresh();
        let main = async {
            let region = around(log.clone(), pending::<()>());
            let until_used = until(|| log.has("used"));
            match in_a_scope {
                false => either(region, until_used).await,
                true => {
                    either(
                        async { drop(CancelScope::new().run(region).await) },
                        until_used,
                    )
                    .await
                }
            }
        };
        Runner::new().ctrl_c(false).run(&*rt, main).unwrap();
        assert_eq!(log.read(), ALL);
    }
}

/// A release that was handed to the runtime and fails or panics is reported.
pub fn a_release_that_was_handed_over_fails<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let ids = Log::new();
    let task = rt.block_on(async {
        let seen = ids.clone();
        let region = bracket(
            ready(()),
            async |(): &mut ()| pending::<()>().await,
            async move |()| {
                seen.note("released");
                Err::<(), _>("still in use")
            },
        );
        either(region, checkpoint()).await;
        // Whoever runs it is named after the region.
        let mut found = None;
        rt.for_each_task(&mut |task| {
            if task.name() == Some("bracket") {
                found = Some(task.id());
            }
        });
        until(|| ids.has("released")).await;
        turns(&*rt, 3).await;
        found
    });
    // On a runtime with threads of its own it may have ended before it was looked for.
    if let Some(id) = task {
        let failed = |report: &Report| matches!(report, Report::CleanUpFailed { .. });
        rt.block_on(until(|| reports::of(id).iter().any(failed)));
    }
}

/// A release that has not ended when the grace period is over is dropped and reported; brackets around
/// it, whose release had not begun, still release.
pub async fn cut_by_the_grace<R: Runtime>(rt: R) {
    let log = Log::new();
    let inner = bracket(
        ready(()),
        async |(): &mut ()| pending::<()>().await,
        async |()| pending::<()>().await,
    );
    let scope = CancelScope::new().timeout(MS).grace(2 * MS);
    let outer = around(log.clone(), inner);
    let (ended, reported) = reports::during(scope.run(outer)).await;
    assert!(ended.unwrap_err().is_elapsed());
    let lost = |report: &Report| match report {
        Report::CleanUpLost { region, begun, .. } => *region == "bracket" && *begun,
        _ => false,
    };
    assert!(
        reported.len() == 1 && reported.iter().all(lost),
        "{reported:?}"
    );
    until(|| log.has("released")).await;
    drop(rt);
}

/// Outside of any runtime it panics before it acquires anything, and says what to do.
pub fn outside_of_any_runtime<R: Runtime>(_: Fresh<'_, R>) {
    let log = Log::new();
    let mut region = Box::pin(around(log.clone(), pending::<()>()));
    let (_, waker) = counting_waker();
    let text = panic_of(|| poll_with(&mut region, &waker));
    assert!(text.contains("`bracket`"), "{text}");
    assert!(text.contains("`kumi::run`"), "{text}");
    assert!(log.read().is_empty());
}

/// A bracket that is forgotten is never released, and harms nobody: its task gives its value, and a scope
/// with a grace period ends.
pub async fn forgotten<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        let log = Log::new();
        let mut region = Box::pin(around(log.clone(), pending::<()>()));
        for _ in 0..3 {
            assert!(poll_once(&mut region).await.is_pending());
        }
        assert!(log.has("used"));
        forget(region);
        checkpoint().await;
        log.read().len()
    });
    assert_eq!(task.await.unwrap(), 2);
    let scope = CancelScope::new().grace(MS);
    let handle = scope.handle();
    let ended = scope.run(async {
        let mut region = Box::pin(finally(pending::<()>(), async {}));
        assert!(poll_once(&mut region).await.is_pending());
        forget(region);
        handle.cancel();
        checkpoint().await;
    });
    assert!(ended.await.is_err());
}
