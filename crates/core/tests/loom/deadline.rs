//! A deadline that is moved from another thread: the scope learns of it, and of the last one.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::OnceLock;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use kumi_core::cancel::{CancelScope, Cancelled};
use kumi_core::context::within;
use kumi_core::runtime::{Ambient, BlockingJob, Clock, Job, Runtime, Sleep, Spawn, SpawnBlocking};
use loom::future::block_on;
use loom::thread;

use crate::support::check_three;

/// A time that is now, for every clock of a model.
#[allow(clippy::disallowed_methods, reason = "any point in time will do")]
fn now() -> Instant {
    static NOW: OnceLock<Instant> = OnceLock::new();
    *NOW.get_or_init(Instant::now)
}

/// A time that never comes.
fn later() -> Instant {
    now() + Duration::from_secs(1)
}

/// Runs a scope until its deadline has passed.
fn run(scope: CancelScope) -> Cancelled {
    block_on(within(Still, scope.run(pending::<()>()))).unwrap_err()
}

/// A deadline that is moved beside the first poll, or while the scope waits: it is seen.
#[test]
fn a_move_beside_the_polls() {
    check_three(|| {
        let scope = CancelScope::new().deadline(later());
        let handle = scope.handle();
        let thread = thread::spawn(move || handle.set_deadline(Some(now())));
        assert!(run(scope).is_elapsed());
        assert!(thread.join().unwrap().is_ok());
    });
}

/// Of two moves the last one counts, whatever the scope has seen of the first.
#[test]
fn two_moves_beside_the_polls() {
    check_three(|| {
        let scope = CancelScope::new().deadline(later());
        let handle = scope.handle();
        let thread = thread::spawn(move || {
            let moves = [later(), now()].map(|at| handle.set_deadline(Some(at)));
            assert_eq!(moves, [Ok(()), Ok(())]);
        });
        assert!(run(scope).is_elapsed());
        thread.join().unwrap();
    });
}

/// A runtime whose time stands still, and which runs nothing.
#[derive(Clone)]
struct Still;

impl Spawn for Still {
    fn spawn_job(&self, _: Job) {
        unreachable!("no model spawns here")
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self))
    }
}

impl SpawnBlocking for Still {
    fn spawn_blocking_job(&self, _: BlockingJob) {
        unreachable!("no model blocks here")
    }
}

impl Clock for Still {
    type Sleep = Until;

    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, at: Instant) -> Until {
        Until(at)
    }
}

impl Runtime for Still {
    fn block_on<F: Future>(&self, _: F) -> F::Output {
        unreachable!("no model calls it")
    }

    fn shutdown(&self) {}
}

/// Ready if the time is not in the future; nobody is woken, since no time passes.
struct Until(Instant);

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.0 <= now() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Sleep for Until {
    fn deadline(&self) -> Instant {
        self.0
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0 = at;
    }
}
