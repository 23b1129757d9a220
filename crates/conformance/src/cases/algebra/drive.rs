//! Brings a combination about, by hand: the outer scope is polled only when it was woken, so a cancel
//! that wakes nobody is a failure.

use std::future::{Future, pending};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Instant;

use kumi_core::cancel::{CancelHandle, CancelReason, CancelScope, cancelled, checkpoint};
use kumi_core::cleanup::{bracket, finally, on_cancel, uncancellable};
use kumi_core::combine::timeout_at;
use kumi_core::runtime::Clock;

use super::scene::{Child, Form, Given, LAST, LATE, Scene, TAIL, Trace};
use crate::probe::{Ticks, counting_waker, hold, lock, poll_with, text};

/// More polls in one tick than any combination needs.
const POLLS: usize = 20;

type Value = Result<u32, &'static str>;
type Boxed<T> = Pin<Box<dyn Future<Output = T>>>;

/// What everybody in a combination has.
#[derive(Clone)]
pub(super) struct Stage {
    pub(super) ticks: Ticks,
    trace: Arc<Mutex<Trace>>,
}

impl Stage {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            ticks: Ticks::new(start),
            trace: Arc::default(),
        }
    }

    /// Writes something down, with the present tick.
    pub(super) fn note<T>(&self, note: impl FnOnce(&mut Trace, u32) -> T) -> T {
        let tick = self.ticks.tick();
        note(&mut lock(&self.trace), tick)
    }

    /// Takes what was written down.
    pub(super) fn take(&self) -> Trace {
        std::mem::take(&mut *lock(&self.trace))
    }

    /// Cleans up for some ticks.
    pub(super) async fn clean_up(self, takes: u32) {
        self.note(|trace, tick| trace.clean_ups.0.push(tick));
        self.ticks.wait(takes).await;
        self.note(|trace, tick| trace.clean_ups.1.push(tick));
    }
}

/// Notes its end as that of the child.
pub(super) struct Dropped(pub(super) Stage);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.note(|trace, tick| trace.dropped.push(tick));
    }
}

/// A scope that does not run yet.
struct Scope {
    kind: Kind,
    handle: Option<CancelHandle>,
}

enum Kind {
    Scope(CancelScope),
    Limit(Ticks, Instant),
}

impl Scope {
    /// `past` is a time of the ambient clock that has come.
    fn new(form: Form, at: Option<u32>, shield: bool, stage: &Stage, past: Instant) -> Self {
        if form == Form::Limit {
            let at = stage.ticks.time(at.unwrap_or(LAST + 1));
            let kind = Kind::Limit(stage.ticks.clone(), at);
            return Self { kind, handle: None };
        }
        let mut scope = CancelScope::new().shield(shield);
        if (form, at) == (Form::Deadline, Some(0)) {
            scope = scope.deadline(past);
        }
        Self {
            handle: Some(scope.handle()),
            kind: Kind::Scope(scope),
        }
    }

    fn run<T: 'static>(self, body: impl Future<Output = T> + 'static) -> Boxed<Result<T, String>> {
        match self.kind {
            Kind::Scope(scope) => Box::pin(async {
                let ended = scope.run(body).await;
                ended.map_err(|error| match error.reason() {
                    CancelReason::Deadline => "deadline".to_owned(),
                    reason => reason.to_string(),
                })
            }),
            Kind::Limit(ticks, at) => Box::pin(async move {
                let ended = timeout_at(&ticks, at, body).await;
                ended.map_err(|_| "elapsed".to_owned())
            }),
        }
    }
}

/// Panics without a word: the hook of the process would write thousands of them.
pub(super) fn fall(text: &'static str) {
    resume_unwind(Box::new(text));
}

/// The child.
async fn child(
    child: Child,
    stage: Stage,
    inner: Option<CancelHandle>,
    outer: Option<CancelHandle>,
) -> Value {
    let at = |tick| stage.ticks.at(tick);
    let clean_up = |takes| stage.clone().clean_up(takes);
    let ask = |handle: Option<CancelHandle>| {
        let told = handle.expect("it has one").cancel_with("child");
        stage.note(|trace, _| trace.asked.push(("child", told)));
    };
    stage.note(|trace, tick| trace.begun.push(tick));
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
        Child::CancelsInner { at: tick, returns } | Child::CancelsOuter { at: tick, returns } => {
            at(tick).await;
            ask(match child {
                Child::CancelsInner { .. } => inner,
                _ => outer,
            });
            if !returns {
                pending::<()>().await;
            }
        }
        Child::Finally { at: tick, takes } => finally(at(tick), clean_up(takes)).await,
        Child::FinallyPanics { at: tick, takes } => {
            let clean_up = async {
                clean_up(takes).await;
                fall("of the clean-up");
            };
            finally(at(tick), clean_up).await;
        }
        Child::OnCancel { at: tick, takes } => on_cancel(at(tick), clean_up(takes)).await,
        Child::Bracket { at: tick, takes } => {
            let (here, used) = (stage.clone(), stage.ticks.at(LATE));
            bracket(
                at(tick),
                async |(): &mut ()| used.await,
                move |()| here.clean_up(takes),
            )
            .await;
        }
        Child::Uncancellable(tick) => uncancellable(at(tick)).await,
        Child::UncancellableThenCheckpoint(tick) => {
            uncancellable(at(tick)).await;
            checkpoint().await;
        }
        Child::Told => {
            cancelled().await;
            return Ok(2);
        }
    }
    Ok(1)
}

/// Brings the combination about; says what was seen.
pub(super) fn see(scene: &Scene, clock: &impl Clock) -> Trace {
    // It has come on every clock of the scene.
    let past = clock.now();
    let stage = Stage::new(past);
    let forms = scene.forms;
    let inner = Scope::new(forms.inner, scene.inner, forms.shield, &stage, past);
    let outer = Scope::new(forms.outer, scene.outer, false, &stage, past);
    let mut handles = [
        ("inner", forms.inner, scene.inner, inner.handle.clone()),
        ("outer", forms.outer, scene.outer, outer.handle.clone()),
    ];
    let child = child(
        scene.child,
        stage.clone(),
        inner.handle.clone(),
        outer.handle.clone(),
    );
    let child = hold(Dropped(stage.clone()), child);
    let here = stage.clone();
    let body = async move {
        let given = match inner.run(child).await {
            Ok(value) => Given::Value(value),
            Err(why) => Given::Ended(why),
        };
        here.note(|trace, tick| trace.between.push((tick, given)));
        checkpoint().await;
        here.note(|trace, tick| trace.after.push(tick));
        here.ticks.at(TAIL).await;
        TAIL
    };
    let outer = outer.run(body);

    if scene.outer_first {
        handles.reverse();
    }
    let at_tick = |tick| {
        for (name, form, at, handle) in &handles {
            let (Some(handle), true) = (handle, *at == Some(tick)) else {
                continue;
            };
            let told = match form {
                Form::Handle => handle.cancel_with(*name),
                // It was given one when it was made.
                _ if tick == 0 => continue,
                _ => handle.set_deadline(Some(past)).is_ok(),
            };
            stage.note(|trace, _| trace.asked.push((name, told)));
        }
    };
    drive(outer, &stage, at_tick, |given| {
        let given = match given {
            Ok(Ok(value)) => Given::Value(Ok(value)),
            Ok(Err(why)) => Given::Ended(why),
            Err(panic) => Given::Panic(panic),
        };
        stage.note(|trace, tick| trace.outer.push((tick, given)));
    });
    stage.take()
}

/// Polls `future` from tick to tick, whenever it was woken; before the polls of a tick, `at_tick` is
/// called. `ended` gets what it returns, or the text of its panic. Then drops it, and checks that no
/// waker is left.
pub(super) fn drive<T>(
    mut future: Boxed<T>,
    stage: &Stage,
    at_tick: impl Fn(u32),
    ended: impl Fn(Result<T, String>),
) {
    let (wakes, waker) = counting_waker();
    let (mut alive, mut first, mut seen) = (true, true, 0);
    for tick in 0..=LAST {
        stage.ticks.go_to(tick);
        at_tick(tick);
        let mut polls = 0;
        while alive && (std::mem::take(&mut first) || wakes.count() > seen) {
            seen = wakes.count();
            polls += 1;
            assert!(polls < POLLS, "it wakes itself for ever");
            let poll = || poll_with(&mut future, &waker);
            match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(Poll::Pending) => {}
                Ok(Poll::Ready(value)) => {
                    ended(Ok(value));
                    alive = false;
                }
                Err(panic) => {
                    ended(Err(text(panic)));
                    alive = false;
                }
            }
        }
    }
    stage.ticks.go_to(LAST + 1);
    drop(future);
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1, "a waker is still held");
}
