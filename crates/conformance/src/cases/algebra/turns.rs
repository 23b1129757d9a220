//! Ticks beside tasks: a scope is polled by hand, and only when it was woken; a task that belongs to it
//! is run by the runtime. Each tick lasts until what is expected of it has happened.
//!
//! Other threads may run the task. What belongs to one tick happens at once all the same: one lock is
//! held while requests are made, while the task is polled, and while the scope is.

use std::fmt::Debug;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::{Arc, Mutex, OnceLock};
use std::task::Poll;
use std::time::{Duration, Instant};

use kumi_core::cancel::{Cancelled, cancelled};
use kumi_core::combine::yield_now;
use kumi_core::runtime::Task;

use super::drive::Stage;
use super::scene::{Given, Trace};
use crate::probe::{counting_waker, lock, poll_with, text};

/// After so long it is said which combination hangs, before the whole case is given up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Polls `future` under a lock, and a listener beside it: so a request that comes at the end of a poll
/// is seen by one more.
pub(super) async fn guarded<F: Future, A>(
    future: F,
    stage: Stage,
    all: Arc<A>,
    guard: impl Fn(&A) -> &Mutex<()>,
) -> F::Output {
    let (mut future, mut listener) = (pin!(future), pin!(cancelled()));
    let (mut begun, mut heard) = (false, false);
    poll_fn(|cx| {
        let _held = lock(guard(&all));
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

/// What a drive needs.
pub(super) struct Turns<'a, S> {
    pub(super) stage: &'a Stage,
    pub(super) lock: &'a Mutex<()>,
    /// The task that belongs to the scope, once there is one.
    pub(super) task: &'a OnceLock<Task>,
    pub(super) expected: &'a Trace,
    /// A task that is to end in a tick does so before the scope is polled in it.
    pub(super) task_first: bool,
    /// The last tick.
    pub(super) end: u32,
    pub(super) scene: &'a S,
}

impl<S: Debug> Turns<'_, S> {
    /// Polls `scope` from tick to tick; at the beginning of each `at_tick` is called. Then drops it, and
    /// checks that no waker is left.
    pub(super) async fn drive(
        &self,
        scope: impl Future<Output = Result<u32, Cancelled>>,
        at_tick: impl Fn(u32),
    ) {
        let (stage, expected, scene) = (self.stage, self.expected, self.scene);
        let mut scope = Some(Box::pin(scope));
        let (wakes, waker) = counting_waker();
        let (mut first, mut seen) = (true, 0);
        for tick in 0..=self.end {
            {
                let _held = lock(self.lock);
                stage.ticks.go_to(tick);
                at_tick(tick);
            }
            let since = Instant::now();
            loop {
                assert!(
                    since.elapsed() < PATIENCE,
                    "it hangs in tick {tick} of {scene:?}\n     seen {:?}\n expected {expected:?}",
                    stage.take()
                );
                let gone = expected.dropped.iter().all(|at| *at > tick)
                    || self.task.get().is_some_and(Task::is_finished);
                let ready = gone || !self.task_first;
                let woken = ready && (std::mem::take(&mut first) || wakes.count() > seen);
                if let (Some(scoped), true) = (&mut scope, woken) {
                    seen = wakes.count();
                    let poll = || {
                        let _held = lock(self.lock);
                        poll_with(scoped, &waker)
                    };
                    let given = match catch_unwind(AssertUnwindSafe(poll)) {
                        Ok(Poll::Pending) => {
                            // Its budget may be used up; it is filled when this task has yielded.
                            yield_now().await;
                            continue;
                        }
                        Ok(Poll::Ready(Ok(value))) => Given::Value(Ok(value)),
                        Ok(Poll::Ready(Err(error))) => Given::Ended(error.reason().to_string()),
                        Err(panic) => Given::Panic(text(panic)),
                    };
                    stage.note(|trace, tick| trace.outer.push((tick, given)));
                    scope = None;
                }
                if gone && stage.note(|trace, tick| trace.has_all(expected, tick)) {
                    break;
                }
                yield_now().await;
            }
        }
        drop(scope);
        drop(waker);
        // Another thread may be about to let go of the last one.
        let since = Instant::now();
        while Arc::strong_count(&wakes) > 1 {
            let hangs = since.elapsed() > PATIENCE;
            assert!(!hangs, "a waker is still held after {scene:?}");
            yield_now().await;
        }
    }
}
