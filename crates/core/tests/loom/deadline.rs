//! A deadline that is moved from another thread: the scope learns of it, and of the last one.

use std::future::pending;
use std::time::{Duration, Instant};

use kumi_core::cancel::{CancelScope, Cancelled};
use kumi_core::context::within;
use loom::future::block_on;
use loom::thread;

use crate::support::{Hand, check_three, now};

/// A time that never comes.
fn later() -> Instant {
    now() + Duration::from_secs(1)
}

/// Runs a scope until its deadline has passed.
fn run(scope: CancelScope) -> Cancelled {
    block_on(within(Hand::new(), scope.run(pending::<()>()))).unwrap_err()
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
