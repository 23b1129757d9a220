//! Shielded work: it is cancelled itself, the scope that awaits it is, the scope around that one is.
//!
//! # The rules
//!
//! 1. What becomes of those who await does not concern the work.
//! 2. Awaiting it takes nothing in a scope that was asked to end; of two that were, the outer one
//!    reports.
//! 3. What was not taken can be awaited again.

use std::future::{pending, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, OnceLock};

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::runtime::{Runtime, Task};
use kumi_core::task::{JoinError, Shield, shield};

use super::drive::{Dropped, Stage, fall};
use super::scene::{Given, Trace};
use super::turns::{Turns, guarded};
use crate::probe::{hold, lock, text};

/// The tick at which the outer body returns, if it has come so far.
const TAIL: u32 = 6;

/// The tick at which what is still pending is cancelled.
const LAST: u32 = 7;

const NEVER: u32 = u32::MAX;

/// What the work does.
#[derive(Debug, Clone, Copy)]
enum Work {
    Returns(u32),
    Fails(u32),
    Panics(u32),
    Pending,
}

/// One combination.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene {
    work: Work,
    of_work: Option<u32>,
    of_inner: Option<u32>,
    of_outer: Option<u32>,
    /// In a tick in which the work ends, it does so before its awaiters are polled.
    work_first: bool,
}

/// Every combination.
pub(super) fn scenes() -> Vec<Scene> {
    let times = [None, Some(1), Some(2), Some(3)];
    let mut works = vec![Work::Pending];
    for at in [1, 2, 3] {
        works.extend([Work::Returns(at), Work::Fails(at), Work::Panics(at)]);
    }
    let mut all = Vec::new();
    for work in works {
        for of_work in times {
            // Before the first poll, too.
            for of_inner in times.into_iter().chain([Some(0)]) {
                for of_outer in times.into_iter().chain([Some(0)]) {
                    all.extend([false, true].map(|work_first| Scene {
                        work,
                        of_work,
                        of_inner,
                        of_outer,
                        work_first,
                    }));
                }
            }
        }
    }
    all
}

/// Says what has to happen, and what is there to be awaited again.
pub(super) fn expect(scene: &Scene) -> (Trace, Option<Given>) {
    let of_work = scene.of_work.unwrap_or(LAST);
    let inner = scene.of_inner.unwrap_or(NEVER);
    let outer = scene.of_outer.unwrap_or(LAST);
    let (ended, outcome) = match scene.work {
        Work::Returns(at) if at <= of_work => (at, Given::Value(Ok(1))),
        Work::Fails(at) if at <= of_work => (at, Given::Value(Err("failed"))),
        Work::Panics(at) if at <= of_work => (at, Given::Panic("of the work".to_owned())),
        _ => (of_work, Given::Ended("cancelled".to_owned())),
    };
    let mut trace = Trace {
        begun: vec![0],
        dropped: vec![ended],
        ..Trace::default()
    };
    let cut = inner.min(outer);
    let taken = ended < cut;
    let at = ended.min(cut);
    let why = match scene.of_outer {
        Some(_) => "outer",
        None => "last",
    };
    if !taken && outer <= cut {
        trace.outer = vec![(outer, Given::Ended(why.to_owned()))];
    } else {
        trace.between = vec![(
            at,
            match taken {
                true => outcome.clone(),
                false => Given::Ended("inner".to_owned()),
            },
        )];
        trace.after = vec![at];
        trace.outer = vec![match outer < TAIL {
            true => (outer, Given::Ended(why.to_owned())),
            false => (TAIL, Given::Value(Ok(TAIL))),
        }];
    }
    let inner_ended = trace.between.first().map_or(outer, |(at, _)| *at);
    let outer_ended = trace.outer[0].0;
    let all = [
        ("work", scene.of_work, ended),
        ("inner", scene.of_inner, inner_ended),
        ("outer", scene.of_outer, outer_ended),
    ];
    for tick in 0..LAST {
        for (name, at, end) in all {
            if at == Some(tick) {
                trace.asked.push((name, tick <= end));
            }
        }
    }
    (trace, (!taken).then_some(outcome))
}

/// What the work has left.
fn given(outcome: Result<Result<u32, &'static str>, JoinError>) -> Given {
    match outcome {
        Ok(value) => Given::Value(value),
        Err(error) if error.is_cancelled() => Given::Ended("cancelled".to_owned()),
        Err(error) => Given::Panic(text(error.into_panic())),
    }
}

/// What the work and those who await it share.
struct Shared {
    work: Mutex<Option<Shield<Result<u32, &'static str>>>>,
    lock: Mutex<()>,
}

impl Shared {
    /// Awaits the work; what is taken is gone.
    async fn join(&self) -> Given {
        let outcome = poll_fn(|cx| {
            let mut work = lock(&self.work);
            Pin::new(work.as_mut().expect("it is there")).poll(cx)
        });
        let outcome = outcome.await;
        drop(lock(&self.work).take());
        given(outcome)
    }
}

/// The work.
async fn work(work: Work, stage: Stage) -> Result<u32, &'static str> {
    match work {
        Work::Returns(at) => stage.ticks.at(at).await,
        Work::Fails(at) => {
            stage.ticks.at(at).await;
            return Err("failed");
        }
        Work::Panics(at) => {
            stage.ticks.at(at).await;
            fall("of the work");
        }
        Work::Pending => pending().await,
    }
    Ok(1)
}

/// Brings the combination about; says what was seen, and what the work gave when it was awaited again.
pub(super) async fn see<R: Runtime>(
    scene: &Scene,
    expected: &Trace,
    rt: &R,
) -> (Trace, Option<Given>) {
    let stage = Stage::new(rt.now());
    let shared = Arc::new(Shared {
        work: Mutex::new(None),
        lock: Mutex::new(()),
    });
    let future = work(scene.work, stage.clone());
    let future = guarded(future, stage.clone(), Arc::clone(&shared), |all| &all.lock);
    let shielded = shield(rt, hold(Dropped(stage.clone()), future));
    let task: Task = shielded.task().expect("nobody has taken the value");
    *lock(&shared.work) = Some(shielded);
    let (inner, outer) = (CancelScope::new(), CancelScope::new());
    let handles = [("inner", inner.handle()), ("outer", outer.handle())];
    let at_tick = |tick| {
        for (name, at) in [
            ("work", scene.of_work),
            ("inner", scene.of_inner),
            ("outer", scene.of_outer),
        ] {
            if at == Some(tick) {
                let handle = handles.iter().find(|(of, _)| *of == name);
                let told = match handle {
                    Some((_, handle)) => handle.cancel_with(name),
                    None => task.cancel(),
                };
                stage.note(|trace, _| trace.asked.push((name, told)));
            }
        }
        if tick == LAST {
            task.cancel();
            handles[1].1.cancel_with("last");
        }
    };
    let (here, all) = (stage.clone(), Arc::clone(&shared));
    let body = async move {
        let given = match inner.run(all.join()).await {
            Ok(given) => given,
            Err(error) => Given::Ended(error.reason().to_string()),
        };
        here.note(|trace, tick| trace.between.push((tick, given)));
        checkpoint().await;
        here.note(|trace, tick| trace.after.push(tick));
        here.ticks.at(TAIL).await;
        TAIL
    };
    let known = OnceLock::from(task.clone());
    let turns = Turns {
        stage: &stage,
        lock: &shared.lock,
        task: &known,
        expected,
        task_first: scene.work_first,
        end: LAST,
        scene,
    };
    turns.drive(outer.run(body), at_tick).await;
    let left = lock(&shared.work).is_some();
    let again = match left {
        true => Some(shared.join().await),
        false => None,
    };
    (stage.take(), again)
}
