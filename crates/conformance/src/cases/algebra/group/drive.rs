//! Brings a combination with a group about. The scope around the group is polled by hand, and only
//! when it was woken; the child is run by the runtime, and each tick lasts until what is expected of
//! it has happened.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use kumi_core::cancel::{CancelHandle, CancelScope, cancelled, checkpoint};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::yield_now;
use kumi_core::group::{ChildError, GroupError, TaskGroup, task_group};
use kumi_core::runtime::{Runtime, Task};
use kumi_core::task::current_task;

use super::super::drive::{Dropped, Stage, fall};
use super::super::scene::{Given, Trace};
use super::{Body, Child, END, LAST, LATE, Scene, TAIL, Whom};
use crate::probe::{counting_waker, hold, lock, poll_with, text};

/// After so long it is said which combination hangs, before the whole case is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Those who can be asked to end.
struct Whoever<R> {
    child: OnceLock<Task>,
    group: OnceLock<TaskGroup<&'static str, R>>,
    outer: CancelHandle,
    /// Held by the polls of the child and of the outer scope, and while requests are made.
    lock: Mutex<()>,
}

impl<R: Runtime> Whoever<R> {
    fn ask(&self, whom: Whom, name: &'static str) -> bool {
        match whom {
            Whom::Child => self.child.get().expect("it was spawned").cancel(),
            Whom::Group => self.group.get().expect("it began").cancel_with(name),
            Whom::Outer => self.outer.cancel_with(name),
        }
    }
}

/// The child.
async fn child<R: Runtime>(
    child: Child,
    stage: Stage,
    all: Arc<Whoever<R>>,
) -> Result<u32, &'static str> {
    let at = |tick| stage.ticks.at(tick);
    match child {
        Child::Returns(tick) => at(tick).await,
        Child::Fails(tick) => {
            at(tick).await;
            return Err("failed");
        }
        Child::Panics(tick) => {
            at(tick).await;
            fall("of the child");
        }
        Child::Pending => pending().await,
        Child::Asks {
            at: tick,
            whom,
            returns,
        } => {
            at(tick).await;
            let told = match whom {
                Whom::Child => current_task().expect("it is a task").cancel(),
                _ => all.ask(whom, "child"),
            };
            stage.note(|trace, _| trace.asked.push(("child itself", told)));
            if !returns {
                pending::<()>().await;
            }
        }
        Child::Finally { takes } => {
            finally(pending::<()>(), stage.clone().clean_up(takes)).await;
        }
        Child::Uncancellable(tick) => uncancellable(at(tick)).await,
        Child::Told => {
            cancelled().await;
            return Ok(2);
        }
    }
    Ok(1)
}

/// Polls `future` under the lock, and a listener beside it.
async fn guarded<R: Runtime, F: Future>(
    future: F,
    stage: Stage,
    all: Arc<Whoever<R>>,
) -> F::Output {
    let (mut future, mut listener) = (pin!(future), pin!(cancelled()));
    let (mut begun, mut heard) = (false, false);
    poll_fn(|cx| {
        let _held = lock(&all.lock);
        if !std::mem::replace(&mut begun, true) {
            stage.note(|trace, tick| trace.begun.push(tick));
        }
        let poll = future.as_mut().poll(cx);
        if poll.is_pending() && !heard {
            heard = listener.as_mut().poll(cx).is_ready();
        }
        poll
    })
    .await
}

/// The group, in the outer scope, and the code behind it.
async fn outer<R: Runtime>(scene: Scene, stage: Stage, rt: R, all: Arc<Whoever<R>>) -> u32 {
    let given = task_group(&rt, async |group: TaskGroup<&'static str, R>| {
        assert!(all.group.set(group.clone()).is_ok());
        if scene.of_group == Some(0) {
            let told = all.ask(Whom::Group, "group");
            stage.note(|trace, _| trace.asked.push(("group", told)));
        }
        let child = child(scene.child, stage.clone(), Arc::clone(&all));
        let child = guarded(child, stage.clone(), Arc::clone(&all));
        let handle = group.spawn(hold(Dropped(stage.clone()), child));
        assert!(all.child.set(handle.task().clone()).is_ok());
        match scene.body {
            Body::Returns => Ok(5),
            Body::Waits => {
                stage.ticks.at(LATE).await;
                Ok(5)
            }
            Body::Joins => Ok(match handle.await {
                Ok(value) => value,
                Err(ChildError::Cancelled) => 100,
                Err(ChildError::Failed) => 101,
            }),
        }
    });
    let given = match given.await {
        Ok(value) => Given::Value(Ok(value)),
        Err(GroupError::Cancelled(reason)) => Given::Ended(reason.to_string()),
        Err(GroupError::Failed { first, rest }) => {
            assert!(rest.is_empty(), "it failed once");
            Given::Value(Err(first))
        }
    };
    stage.note(|trace, tick| trace.between.push((tick, given)));
    checkpoint().await;
    stage.note(|trace, tick| trace.after.push(tick));
    stage.ticks.at(TAIL).await;
    TAIL
}

/// Brings the combination about; says what was seen. Waits in each tick for what is `expected`.
pub(in super::super) async fn see<R: Runtime>(scene: &Scene, expected: &Trace, rt: &R) -> Trace {
    let stage = Stage::new(rt.now());
    let scope = CancelScope::new();
    let all = Arc::new(Whoever {
        child: OnceLock::new(),
        group: OnceLock::new(),
        outer: scope.handle(),
        lock: Mutex::new(()),
    });
    let body = outer(*scene, stage.clone(), rt.clone(), Arc::clone(&all));
    let mut future: Option<Pin<Box<_>>> = Some(Box::pin(scope.run(body)));
    let (wakes, waker) = counting_waker();
    let (mut first, mut seen) = (true, 0);
    for tick in 0..=END {
        {
            let _held = lock(&all.lock);
            stage.ticks.go_to(tick);
            for whom in scene.order() {
                // The body of the group has asked it before it spawned.
                let by_body = whom == Whom::Group && tick == 0;
                if scene.of(whom) == Some(tick) && !by_body {
                    let name = match whom {
                        Whom::Child => "child",
                        Whom::Group => "group",
                        Whom::Outer => "outer",
                    };
                    let told = all.ask(whom, name);
                    stage.note(|trace, _| trace.asked.push((name, told)));
                }
            }
            if tick == LAST {
                all.outer.cancel_with("last");
            }
        }
        let since = Instant::now();
        loop {
            if let Some(scoped) = &mut future {
                if std::mem::take(&mut first) || wakes.count() > seen {
                    seen = wakes.count();
                    let poll = || {
                        let _held = lock(&all.lock);
                        poll_with(scoped, &waker)
                    };
                    let given = match catch_unwind(AssertUnwindSafe(poll)) {
                        Ok(Poll::Pending) => continue,
                        Ok(Poll::Ready(Ok(value))) => Given::Value(Ok(value)),
                        Ok(Poll::Ready(Err(error))) => Given::Ended(error.reason().to_string()),
                        Err(panic) => Given::Panic(text(panic)),
                    };
                    stage.note(|trace, tick| trace.outer.push((tick, given)));
                    future = None;
                }
            }
            let gone = expected.dropped.iter().all(|at| *at > tick)
                || all.child.get().is_some_and(Task::is_finished);
            if gone && stage.note(|trace, tick| trace.has_all(expected, tick)) {
                break;
            }
            assert!(
                since.elapsed() < PATIENCE,
                "it hangs in tick {tick} of {scene:?}\n     seen {:?}\n expected {expected:?}",
                stage.take()
            );
            yield_now().await;
        }
    }
    drop(future);
    drop(waker);
    // Another thread may be about to let go of the last one.
    let since = Instant::now();
    while Arc::strong_count(&wakes) > 1 {
        let hangs = since.elapsed() > PATIENCE;
        assert!(!hangs, "a waker is still held after {scene:?}");
        yield_now().await;
    }
    stage.take()
}
