//! Checkpoints: where a cancel takes effect, where a task gives way, and how one asks.
//!
//! (Trio CP.)
#![allow(
    clippy::async_yields_async,
    reason = "the handle is what the scope gives"
)]

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use kumi_core::cancel::{CancelScope, cancel_requested, cancelled, checkpoint, poll_checkpoint};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, current_task};

use crate::Fresh;
use crate::probe::{
    Gate, Log, Manual, assert_cancelled, both, counting_waker, hold, poll_once, poll_with, token,
    turns, unordered, until,
};

/// How many operations a task may do in one poll, as the docs of `poll_checkpoint` say.
const BUDGET: usize = 128;

/// An operation that is always ready.
async fn operation() {
    poll_fn(poll_checkpoint).await;
}

/// How many operations are ready one after the other in this poll.
fn spend(cx: &mut Context<'_>, most: usize) -> usize {
    (0..most)
        .take_while(|_| poll_checkpoint(cx).is_ready())
        .count()
}

/// A checkpoint is pending once, wakes its task for it, and is ready then.
pub async fn gives_way_once<R: Runtime>(rt: R) {
    let (wakes, waker) = counting_waker();
    let mut point = checkpoint();
    assert!(poll_with(&mut point, &waker).is_pending());
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(&mut point, &waker).is_ready());
    // Two loops of them run side by side.
    let (a, b) = (Gate::new(), Gate::new());
    let (wait_a, wait_b) = (a.wait(), b.wait());
    let greedy = |mine: Gate, other| {
        rt.spawn(async move {
            let (mut other, mut polls) = (pin!(other), 0_u64);
            while poll_once(&mut other).await.is_pending() {
                polls += 1;
                if polls > 10 {
                    mine.open();
                }
                checkpoint().await;
            }
            mine.open();
        })
    };
    let (a, b) = (greedy(a, wait_b), greedy(b, wait_a));
    a.await.unwrap();
    b.await.unwrap();
}

/// In a scope that is cancelled a checkpoint is never ready, also one that has given way before, and
/// wakes nobody.
pub async fn ends_a_cancelled_scope<R: Runtime>(_: R) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let (wakes, waker) = counting_waker();
    let log = Log::new();
    let ended = scope.run(async {
        let mut begun = checkpoint();
        assert!(poll_with(&mut begun, &waker).is_pending());
        handle.cancel();
        assert!(poll_with(&mut begun, &waker).is_pending());
        assert!(poll_with(&mut checkpoint(), &waker).is_pending());
        let spent = spend(&mut Context::from_waker(&waker), 1);
        assert_eq!((spent, wakes.count()), (0, 1));
        log.note("before");
        begun.await;
        log.note("never");
    });
    assert!(ended.await.is_err());
    assert_eq!(log.read(), ["before"]);
}

/// A task may do so many operations in one poll, and as many in the next; then it is woken at once.
pub async fn the_budget_is_fresh_in_each_poll<R: Runtime>(rt: R) {
    let counts = rt.spawn(async {
        let mut counts = Vec::new();
        poll_fn(move |cx| {
            counts.push(spend(cx, 10 * BUDGET));
            match counts.len() {
                5 => Poll::Ready(std::mem::take(&mut counts)),
                _ => Poll::Pending,
            }
        })
        .await
    });
    assert_eq!(counts.await.unwrap(), [BUDGET; 5]);
    let (wakes, waker) = counting_waker();
    spend(&mut Context::from_waker(&waker), 2 * BUDGET);
    assert_eq!(wakes.count(), 1);
}

/// Everything inside of a task shares its budget: scopes, regions, members of a combinator.
pub async fn the_budget_is_shared_inside_of_a_task<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        let count = Arc::new(AtomicUsize::new(0));
        let polls = Arc::new(AtomicUsize::new(0));
        let member = || {
            let count = Arc::clone(&count);
            CancelScope::new().run(poll_fn(move |cx| {
                count.fetch_add(spend(cx, BUDGET), Ordering::Relaxed);
                Poll::<()>::Pending
            }))
        };
        let mut members = unordered((0..10).map(|_| member()));
        polls.fetch_add(1, Ordering::Relaxed);
        let spent = poll_fn(|cx| {
            let _ = poll_with(&mut members, cx.waker());
            Poll::Ready(count.load(Ordering::Relaxed))
        });
        spent.await
    });
    assert_eq!(task.await.unwrap(), BUDGET);
}

/// A loop over what is always ready starves no other task, and can be cancelled.
pub async fn an_always_ready_loop<R: Runtime>(rt: R) {
    let count = Arc::new(AtomicUsize::new(0));
    let (inside, witness) = token();
    let counted = Arc::clone(&count);
    let greedy = rt.spawn(hold(inside, async move {
        loop {
            operation().await;
            counted.fetch_add(1, Ordering::Relaxed);
        }
    }));
    until(|| count.load(Ordering::Relaxed) > 10 * BUDGET).await;
    turns(&rt, 10).await;
    greedy.cancel();
    let joined: Result<(), _> = greedy.await;
    assert_cancelled(joined);
    assert!(witness.is_dropped());
    // The same in main, in a scope that another task cancels.
    let scope = CancelScope::new();
    let handle = scope.handle();
    let other = rt.spawn(async move {
        for _ in 0..5 {
            checkpoint().await;
        }
        handle.cancel()
    });
    let ended = scope.run(async {
        loop {
            operation().await;
        }
    });
    let ended: Result<(), _> = ended.await;
    assert!(ended.is_err() && other.await.unwrap());
}

/// Outside of tasks there is no limit.
pub fn outside_of_tasks<R: Runtime>(_: Fresh<'_, R>) {
    let mut cx = Context::from_waker(Waker::noop());
    assert_eq!(spend(&mut cx, 100 * BUDGET), 100 * BUDGET);
    assert!(!cancel_requested());
    assert!(pin!(cancelled()).poll(&mut cx).is_pending());
}

/// Joining takes nothing in a scope that is cancelled: the output stays for the next await.
pub async fn joining_in_a_cancelled_scope<R: Runtime>(rt: R) {
    let mut task = rt.spawn(async { 5 });
    until(|| task.is_finished()).await;
    let scope = CancelScope::new();
    let handle = scope.handle();
    let log = Log::new();
    let ended = scope.run(CancelScope::new().run(async {
        handle.cancel();
        let _ = (&mut task).await;
        log.note("never");
    }));
    assert!(ended.await.is_err() && log.read().is_empty());
    assert_eq!(task.await.unwrap(), 5);
}

/// Joining tasks that have ended is an operation of which a task may do so many in one poll.
pub async fn joining_costs_one<R: Runtime>(rt: R) {
    let tasks: Vec<_> = (0..3 * BUDGET)
        .map(|n| rt.spawn(async move { n }))
        .collect();
    until(|| tasks.iter().all(|task| task.is_finished())).await;
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let joiner = rt.spawn(async move {
        let mut all = pin!(async {
            for (n, task) in tasks.into_iter().enumerate() {
                assert_eq!(task.await.unwrap(), n);
            }
        });
        poll_fn(|cx| {
            count.fetch_add(1, Ordering::Relaxed);
            all.as_mut().poll(cx)
        })
        .await;
    });
    joiner.await.unwrap();
    assert!(polls.load(Ordering::Relaxed) >= 3);
}

/// Whoever waits for the cancel is told, each by its own waker; a value wins then.
pub async fn listeners_are_told<R: Runtime>(rt: R) {
    let begun = Gate::new();
    let open = begun.clone();
    let task = rt.spawn(async move {
        let listeners = (0..10).map(|n| {
            let open = open.clone();
            async move {
                open.open();
                cancelled().await;
                assert!(cancel_requested());
                n
            }
        });
        unordered(listeners).await
    });
    // The cancel may come at any time from now on, also during the first poll.
    begun.wait().await;
    task.cancel();
    assert_eq!(task.await.unwrap(), Vec::from_iter(0..10));
    // A task that is cancelled by itself tells them, too.
    let task = rt.spawn(async {
        let cancel = async {
            checkpoint().await;
            current_task().unwrap().cancel();
        };
        both(cancelled(), cancel).await;
        "told"
    });
    assert_eq!(task.await.unwrap(), "told");
}

/// One that is dropped leaves nothing behind; one that is polled elsewhere listens there.
pub async fn a_listener_comes_and_goes<R: Runtime>(_: R) {
    let (old, new) = (CancelScope::new(), CancelScope::new());
    let (old_handle, new_handle) = (old.handle(), new.handle());
    let (wakes, waker) = counting_waker();
    let mut listener = cancelled();
    let mut first = Box::pin(old.run(async {
        poll_fn(|_| Poll::Ready(poll_with(&mut listener, &waker).is_pending())).await;
        drop(cancelled());
        assert!(poll_with(&mut cancelled(), &waker).is_pending());
        pending::<()>().await;
    }));
    assert!(poll_with(&mut first, Waker::noop()).is_pending());
    // Only the one that is left keeps the waker.
    assert_eq!(Arc::strong_count(&wakes), 3);
    drop(first);
    assert!(old_handle.has_ended());
    let told = Log::new();
    let moved = new.run(both(
        async {
            (&mut listener).await;
            told.note("told");
            pending::<()>().await;
        },
        async {
            checkpoint().await;
            assert!(told.read().is_empty());
            new_handle.cancel();
        },
    ));
    assert!(moved.await.is_err());
    assert_eq!(told.read(), ["told"]);
    drop((listener, waker));
    assert_eq!(wakes.count(), 0);
    assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still held");
}

/// A request concerns what is inside of its scope: not main, not the tasks that are spawned there.
pub async fn who_is_concerned<R: Runtime>(rt: R) {
    assert!(!cancel_requested());
    let hand = Manual::<()>::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope.run(async {
        assert!(!cancel_requested());
        let wait = hand.future();
        let child = rt.spawn(async move {
            wait.await;
            checkpoint().await;
            cancel_requested()
        });
        handle.cancel();
        assert!(cancel_requested());
        child
    });
    let child = ended.await.unwrap();
    assert!(!cancel_requested());
    until(|| hand.polls() > 0).await;
    hand.finish(());
    assert!(!child.await.unwrap());
}
