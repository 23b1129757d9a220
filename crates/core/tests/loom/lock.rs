//! The lock that is freed by a plain store.

use std::sync::Arc;

use kumi_core::util::Spin;
use loom::thread;

use crate::support::check;

/// Two threads change a value under it: each sees what the other did, and none loses anything.
#[test]
fn one_at_a_time() {
    check(|| {
        let lock = Arc::new(Spin::new(0));
        let other = Arc::clone(&lock);
        let thread = thread::spawn(move || other.with(|value| *value += 1));
        lock.with(|value| *value += 1);
        thread.join().unwrap();
        assert_eq!(lock.with(|value| *value), 2);
    });
}
