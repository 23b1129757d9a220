//! The driver: step after step, until main is ready.

use std::future::Future;
use std::pin::pin;
use std::sync::{Arc, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use kumi_core::context;
use kumi_core::runtime::Ran;
use kumi_core::util::{deadline_after, wake_all};

use crate::handle::Sim;
use crate::report;
use crate::state::{Next, Ready, Shared};

/// Wakes the main of one call of `block_on`.
struct Main {
    shared: Arc<Shared>,
    drive: u64,
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.shared.push_main(self.drive);
    }
}

/// One call of `block_on`, for as long as it lives.
struct Drive<'a> {
    shared: &'a Shared,
    number: u64,
}

impl<'a> Drive<'a> {
    #[track_caller]
    fn start(shared: &'a Shared) -> Self {
        shared.own("block_on");
        let mut state = shared.lock();
        let nested = state.drive != 0;
        if !nested {
            state.drives += 1;
            state.drive = state.drives;
        }
        let number = state.drive;
        drop(state);
        assert!(
            !nested,
            "`block_on` inside a closure that the same simulator runs: it runs blocking closures on \
             the thread that drives it, so what is waited for could not run meanwhile. Wait for it \
             with `.await` in a task, before or after the closure"
        );
        Self { shared, number }
    }
}

impl Drop for Drive<'_> {
    fn drop(&mut self) {
        let mut state = self.shared.lock();
        state.drive = 0;
        if std::mem::replace(&mut state.main_ready, false) {
            state.ready.retain(|ready| !matches!(ready, Ready::Main));
        }
        // It belonged to this main.
        let watcher = state.watcher.take();
        drop(state);
        drop(watcher);
    }
}

/// Drives the simulator until `future` is ready.
#[track_caller]
pub(crate) fn block_on<F: Future>(sim: &Sim, future: F) -> F::Output {
    context::assert_may_block("block_on");
    let shared = &*sim.shared;
    let drive = Drive::start(shared);
    let waker = Waker::from(Arc::new(Main {
        shared: Arc::clone(&sim.shared),
        drive: drive.number,
    }));
    let mut main = pin!(context::within(sim.clone(), future));
    waker.wake_by_ref();
    let mut steps = 0;
    loop {
        let mut state = shared.lock();
        if shared.limits.max_steps == Some(steps) && !state.ready.is_empty() {
            drop(state);
            panic!("{}", report::livelock(sim, steps));
        }
        let next = state.next();
        drop(state);
        let ready = match next {
            Next::Run(ready) => ready,
            Next::Wake(due) => {
                wake_all(due);
                continue;
            }
            Next::Stuck => {
                if !wait_for_others(shared) {
                    panic!("{}", report::deadlock(sim));
                }
                continue;
            }
            Next::Diverged(divergence) => panic!("{divergence}"),
        };
        steps += 1;
        match ready {
            Ready::Main => {
                let poll = main.as_mut().poll(&mut Context::from_waker(&waker));
                if let Poll::Ready(output) = poll {
                    return output;
                }
            }
            Ready::Job(job) => {
                let key = job.tag();
                match job.run() {
                    Ran::Pending => {}
                    Ran::Again(job) => shared.push(job),
                    Ran::Ended => shared.forget(key),
                }
            }
            Ready::Blocking(key, job) => {
                job.run();
                shared.forget(key);
            }
        }
    }
}

/// Blocks this thread, for real, until another one has left something to do; false if none did within
/// the limit.
fn wait_for_others(shared: &Shared) -> bool {
    let until = deadline_after(Instant::now(), shared.limits.patience);
    let mut state = shared.lock();
    state.listening = true;
    let found = loop {
        if !state.ready.is_empty() || state.time.next().is_some() {
            break true;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            break false;
        }
        let waited = shared.bell().wait_timeout(state, left);
        state = waited.unwrap_or_else(PoisonError::into_inner).0;
    };
    state.listening = false;
    found
}
