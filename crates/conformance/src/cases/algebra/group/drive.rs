//! Brings a combination with a group about.

use std::future::pending;
use std::sync::{Arc, Mutex, OnceLock};

use kumi_core::cancel::{CancelHandle, CancelScope, cancelled, checkpoint};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::group::{ChildError, GroupError, TaskGroup, task_group};
use kumi_core::runtime::{Runtime, Task};
use kumi_core::task::current_task;

use super::super::drive::{Dropped, Stage, fall};
use super::super::scene::{Given, Trace};
use super::super::turns::{Turns, guarded};
use super::{Body, Child, END, LAST, LATE, Scene, TAIL, Whom};
use crate::probe::hold;

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

/// The group, in the outer scope, and the code behind it.
async fn outer<R: Runtime>(scene: Scene, stage: Stage, rt: R, all: Arc<Whoever<R>>) -> u32 {
    let given = task_group(&rt, async |group: TaskGroup<&'static str, R>| {
        assert!(all.group.set(group.clone()).is_ok());
        if scene.of_group == Some(0) {
            let told = all.ask(Whom::Group, "group");
            stage.note(|trace, _| trace.asked.push(("group", told)));
        }
        let child = child(scene.child, stage.clone(), Arc::clone(&all));
        let child = guarded(child, stage.clone(), Arc::clone(&all), |all| &all.lock);
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
    let at_tick = |tick| {
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
    };
    let turns = Turns {
        stage: &stage,
        lock: &all.lock,
        task: &all.child,
        expected,
        task_first: false,
        end: END,
        scene,
    };
    turns.drive(scope.run(body), at_tick).await;
    stage.take()
}
