//! The tree of scopes: a cancel from another thread finds everyone, whatever they are doing.
//!
//! The thread of the model polls; a lost wake-up is a deadlock that loom reports.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::task::Poll;

use kumi_core::cancel::{CancelReason, CancelScope, cancelled};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::yield_now;
use kumi_core::task::SpawnExt;
use loom::future::block_on;
use loom::thread;

use crate::support::{Hand, check_three, poll_once};

/// A cancel beside a region that begins: its clean-up runs, and the scope resolves.
#[test]
fn cancel_beside_a_region_that_begins() {
    check_three(|| {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let thread = thread::spawn(move || handle.cancel());
        let cleaned = Cell::new(0);
        let body = finally(pending::<()>(), async { cleaned.set(cleaned.get() + 1) });
        assert!(block_on(scope.run(body)).is_err());
        assert_eq!(cleaned.get(), 1);
        assert!(thread.join().unwrap());
    });
}

/// A cancel beside a region that ends by itself: the value, or the cancel, and one clean-up.
#[test]
fn cancel_beside_a_region_that_ends() {
    check_three(|| {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let thread = thread::spawn(move || handle.cancel());
        let cleaned = Cell::new(0);
        let body = finally(yield_now(), async { cleaned.set(cleaned.get() + 1) });
        let ended = block_on(scope.run(body));
        assert_eq!(cleaned.get(), 1);
        let first = thread.join().unwrap();
        assert!(first || ended.is_ok());
    });
}

/// A cancel beside the drop of the scope's future: nothing is left that could be cancelled.
#[test]
fn cancel_beside_the_drop() {
    check_three(|| {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let other = handle.clone();
        let mut future = Box::pin(scope.run(uncancellable(pending::<()>())));
        block_on(poll_fn(|cx| {
            assert!(future.as_mut().poll(cx).is_pending());
            Poll::Ready(())
        }));
        let thread = thread::spawn(move || other.cancel());
        drop(future);
        thread.join().unwrap();
        assert!(handle.has_ended());
        assert!(!handle.cancel());
    });
}

/// Of two cancels at the same time one is the first, and its reason stays.
#[test]
fn two_cancels() {
    check_three(|| {
        let scope = CancelScope::new();
        let [one, two] = [scope.handle(), scope.handle()];
        let one = thread::spawn(move || one.cancel_with("one"));
        let two = thread::spawn(move || two.cancel_with("two"));
        let ended = block_on(scope.run(pending::<()>())).unwrap_err();
        let (one, two) = (one.join().unwrap(), two.join().unwrap());
        assert!(one != two, "one of them is the first");
        let first = if one { "one" } else { "two" };
        assert_eq!(*ended.reason(), CancelReason::from(first));
    });
}

/// A cancel beside somebody who begins to wait for it: he is told.
#[test]
fn cancel_beside_a_listener() {
    check_three(|| {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let thread = thread::spawn(move || handle.cancel());
        let told = block_on(scope.run(async {
            cancelled().await;
            5
        }));
        assert_eq!(told, Ok(5));
        assert!(thread.join().unwrap());
    });
}

/// A cancel of the outer scope, and a shield that is lowered meanwhile: both are seen.
#[test]
fn cancel_beside_a_shield_that_is_lowered() {
    check_three(|| {
        let (outer, inner) = (CancelScope::new(), CancelScope::new().shield(true));
        let (cancel, lower) = (outer.handle(), inner.handle());
        let cancel = thread::spawn(move || cancel.cancel());
        let lower = thread::spawn(move || lower.set_shield(false));
        // With a region in it, it keeps the outer scope waiting also without a shield.
        let cleaned = Cell::new(0);
        let body = finally(pending::<()>(), async { cleaned.set(cleaned.get() + 1) });
        let ended = block_on(outer.run(inner.run(body)));
        assert!(ended.is_err());
        assert_eq!(cleaned.get(), 1);
        assert!(cancel.join().unwrap());
        lower.join().unwrap();
    });
}

/// A request to a task beside its run, in which a region begins: the clean-up runs, and then the task
/// has ended; the handle may go meanwhile.
#[test]
fn cancel_of_a_task_beside_a_region_that_begins() {
    check_three(|| {
        let hand = Hand::new();
        let cleaned = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&cleaned);
        let handle = hand.spawn(async move {
            finally(pending::<()>(), async {
                // The task is not to end meanwhile.
                yield_now().await;
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            })
            .await;
        });
        let task = handle.task();
        hand.run(hand.job());
        let thread = thread::spawn(move || drop(handle));
        while !task.is_finished() {
            if hand.has_jobs() {
                hand.run(hand.job());
            }
            thread::yield_now();
        }
        thread.join().unwrap();
        assert_eq!(cleaned.load(std::sync::atomic::Ordering::Relaxed), 1);
        drop(task);
        hand.assert_empty();
    });
}

/// A region whose future another thread may take out and drop.
#[allow(
    clippy::disallowed_methods,
    reason = "a lock of the test, which no model is to see"
)]
#[derive(Clone, Default)]
struct Movable(std::sync::Arc<std::sync::Mutex<Option<Pinned>>>);

type Pinned = Pin<Box<dyn Future<Output = ()> + Send>>;

impl Movable {
    fn new() -> Self {
        let this = Self::default();
        *this.0.lock().unwrap() = Some(Box::pin(uncancellable(pending::<()>())));
        this
    }

    /// Polls it where it is.
    async fn stay(&self) {
        poll_fn(|cx| match &mut *self.0.lock().unwrap() {
            Some(region) => region.as_mut().poll(cx),
            None => Poll::Pending,
        })
        .await;
    }

    fn take(&self) -> Option<Pinned> {
        self.0.lock().unwrap().take()
    }
}

/// The last region of a cancelled scope ends on another thread, because its future was moved there:
/// the scope learns of it.
#[test]
fn the_last_region_ends_elsewhere() {
    check_three(|| {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let region = Movable::new();
        let mut future = pin!(scope.run(region.stay()));
        poll_once(future.as_mut());
        handle.cancel();
        let moved = region.take();
        let thread = thread::spawn(move || drop(moved));
        assert!(block_on(future).is_err());
        thread.join().unwrap();
    });
}

/// Two regions of a scope in a cancelled scope end at once, one of them on another thread: the outer
/// scope learns of the last one, whichever that is.
#[test]
fn two_regions_of_an_inner_scope_end_elsewhere() {
    check_three(|| {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let handle = outer.handle();
        let (one, two) = (Movable::new(), Movable::new());
        let both = async {
            let (mut one, mut two) = (pin!(one.stay()), pin!(two.stay()));
            poll_fn(|cx| {
                assert!(one.as_mut().poll(cx).is_pending());
                two.as_mut().poll(cx)
            })
            .await;
        };
        let mut future = pin!(outer.run(inner.run(both)));
        poll_once(future.as_mut());
        let (one, two) = (one.take(), two.take());
        let thread = thread::spawn(move || drop(one));
        handle.cancel();
        drop(two);
        assert!(block_on(future).is_err());
        thread.join().unwrap();
    });
}

/// The last region of a cancelled task ends on another thread beside the task's poll: the task learns
/// of it.
#[test]
fn the_last_region_of_a_task_ends_elsewhere() {
    check_three(|| {
        let hand = Hand::new();
        let region = Movable::new();
        let inside = region.clone();
        let handle = hand.spawn(async move { inside.stay().await });
        hand.run(hand.job());
        let region = region.take();
        let thread = thread::spawn(move || drop(region));
        handle.cancel();
        hand.run_all();
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_finished());
        drop(handle);
        hand.assert_empty();
    });
}

/// The last handle of a task goes, which cancels it, while a region in it is alive and the task runs to
/// its end elsewhere: one clean-up, to its end.
#[test]
fn the_drop_of_a_handle_beside_a_region_that_ends() {
    check_three(|| {
        let hand = Hand::new();
        let cleaned = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&cleaned);
        let handle = hand.spawn(async move {
            finally(yield_now(), async {
                yield_now().await;
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            })
            .await;
        });
        let task = handle.task();
        // The region is alive now, and the job is queued again.
        hand.run(hand.job());
        let runner = hand.clone();
        let thread = thread::spawn(move || runner.run_all());
        drop(handle);
        thread.join().unwrap();
        hand.run_all();
        assert!(task.is_finished());
        assert_eq!(cleaned.load(std::sync::atomic::Ordering::Relaxed), 1);
        drop(task);
        hand.assert_empty();
    });
}

/// A child scope ends by itself, and with it what ties it, beside a cancel of the scope around it, in
/// which another region begins after it: whatever began cleans up, and nothing is waited for twice.
#[test]
fn cancel_beside_the_end_of_a_child_scope() {
    check_three(|| {
        let (outer, inner) = (CancelScope::new(), CancelScope::new());
        let (cancel, _inner) = (outer.handle(), inner.handle());
        let thread = thread::spawn(move || cancel.cancel());
        let cleaned = [Cell::new(0), Cell::new(0)];
        let clean = |place: usize| {
            let count = &cleaned[place];
            async move {
                yield_now().await;
                count.set(count.get() + 1);
            }
        };
        let ended = block_on(outer.run(async {
            inner.run(finally(yield_now(), clean(0))).await.ok();
            finally(pending::<()>(), clean(1)).await;
        }));
        assert!(ended.is_err());
        assert!(thread.join().unwrap());
        assert_eq!(cleaned[0].get(), 1);
        assert!(cleaned[1].get() <= 1);
    });
}

/// A region moves to another scope beside a cancel of the one it was in: from then on it belongs to
/// the new one, which waits for its clean-up.
#[test]
fn cancel_beside_a_region_that_moves() {
    check_three(|| {
        let (old, new) = (CancelScope::new(), CancelScope::new());
        let (cancel_old, cancel_new) = (old.handle(), new.handle());
        let cleaned = Cell::new(0);
        let mut region = Box::pin(finally(pending::<()>(), async {
            yield_now().await;
            cleaned.set(cleaned.get() + 1);
        }));
        let thread = thread::spawn(move || cancel_old.cancel());
        let moved = block_on(old.run(async {
            crate::support::poll_once(region.as_mut());
        }));
        assert_eq!(moved, Ok(()), "the value wins");
        cancel_new.cancel();
        assert!(block_on(new.run(region)).is_err());
        assert_eq!(cleaned.get(), 1);
        thread.join().unwrap();
    });
}
