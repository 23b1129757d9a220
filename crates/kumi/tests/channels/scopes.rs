//! In a scope that was cancelled nothing is taken, and nothing counts as seen.

use std::future::Future;

use kumi::CancelScope;
use kumi::channel::{broadcast, oneshot, watch};

use super::now;

/// `future` does not get to its end in a scope that is cancelled.
fn is_cancelled<T>(future: impl Future<Output = T>) -> bool {
    let scope = CancelScope::new();
    scope.handle().cancel();
    now(scope.run(future)).is_err()
}

#[test]
fn nothing_is_taken() {
    let (sender, mut receiver) = oneshot::channel();
    sender.send(1).unwrap();
    assert!(is_cancelled(&mut receiver));
    assert_eq!(receiver.try_recv(), Ok(1));

    let (sender, mut receiver) = watch::channel(0);
    sender.send(1).unwrap();
    assert!(is_cancelled(receiver.changed()));
    assert_eq!(receiver.has_changed(), Ok(true));
    drop(receiver);
    assert!(is_cancelled(sender.closed()));

    let (sender, mut receiver) = broadcast::channel(1);
    sender.send(1).unwrap();
    assert!(is_cancelled(receiver.recv()));
    assert_eq!(receiver.try_recv(), Ok(1));
}
