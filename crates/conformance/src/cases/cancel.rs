//! Cancelling: what a request does, to whom, and who wins.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::Poll;
use std::thread;

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, SpawnExt, current_task};

use crate::probe::{
    Gate, Manual, assert_cancelled, counting_waker, during, poll_with, token, turns, until,
};

/// A task that is cancelled before its first poll is never polled; what it captured is dropped once.
pub async fn before_the_first_poll<R: Runtime>(rt: R) {
    let mut never = 0;
    for _ in 0..1000 {
        let polls = Arc::new(AtomicUsize::new(0));
        let (captured, witness) = token();
        let count = Arc::clone(&polls);
        let task = rt.spawn(async move {
            let _captured = captured;
            count.fetch_add(1, Ordering::Relaxed);
            pending::<()>().await;
        });
        task.cancel();
        assert_cancelled(task.await);
        assert_eq!(witness.count(), 1);
        never += usize::from(polls.load(Ordering::Relaxed) == 0);
    }
    // With several threads the first poll may be faster than the request, but not every time.
    assert!(never > 0, "all of them were polled");
}

/// A parked task that is cancelled is dropped, exactly once, and its joiner gets "cancelled".
pub async fn while_parked<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let (captured, witness) = token();
    let parked = hand.future();
    let task = rt.spawn(async move {
        let _captured = captured;
        parked.await;
        unreachable!("code after the await that was cancelled never runs");
    });
    until(|| hand.polls() > 0).await;
    assert!(task.cancel());
    assert_cancelled(task.await);
    assert_eq!(witness.count(), 1);
    // The waker that is left behind wakes nobody.
    hand.finish(());
    turns(&rt, 10).await;
    assert_eq!(witness.count(), 1);
}

/// A cancel reaches a task that kept no waker at all.
pub async fn without_a_waker<R: Runtime>(rt: R) {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let task = rt.spawn(poll_fn(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Poll::<()>::Pending
    }));
    until(|| polls.load(Ordering::Relaxed) > 0).await;
    turns(&rt, 10).await;
    assert_cancelled(task.cancel_and_join().await);
}

/// A cancelled task is polled once more; if it returns a value then, the value wins.
pub async fn the_value_wins<R: Runtime>(rt: R) {
    // Ready, but nobody has told the task.
    a_value_beside_a_cancel(&rt, Manual::set).await;
}

/// A value and a cancel at the same time: the value wins.
pub async fn the_value_wins_when_both_are_due<R: Runtime>(rt: R) {
    a_value_beside_a_cancel(&rt, Manual::finish).await;
}

/// Gives a parked task its value and cancels it.
async fn a_value_beside_a_cancel<R: Runtime>(rt: &R, give: fn(&Manual<u32>, u32)) {
    let mut won = 0;
    for value in 0..100 {
        let (hand, polled_on) = (Manual::new(), Arc::new(OnceLock::new()));
        let (mut future, note) = (hand.future(), Arc::clone(&polled_on));
        let task = rt.spawn(poll_fn(move |cx| {
            note.get_or_init(|| thread::current().id());
            Pin::new(&mut future).poll(cx)
        }));
        until(|| hand.polls() > 0).await;
        give(&hand, value);
        task.cancel();
        match task.await {
            Ok(given) => {
                assert_eq!(given, value);
                won += 1;
            }
            // On another thread it may still be in its first poll, but not every time.
            Err(error) => {
                assert!(error.is_cancelled());
                assert_ne!(polled_on.get(), Some(&thread::current().id()));
            }
        }
    }
    assert!(won > 0, "it never won");
}

/// Cancelling is idempotent: only the first request, of a living task, says true.
pub async fn is_idempotent<R: Runtime>(rt: R) {
    let task = rt.spawn(pending::<()>());
    let reference = task.task();
    assert!(!reference.is_cancel_requested());
    assert!(task.cancel());
    assert!(reference.is_cancel_requested());
    assert!(!task.cancel());
    assert!(!reference.cancel());
    assert_cancelled(task.await);
    assert!(!reference.cancel());
}

/// Cancelling a task that has ended does nothing: its value stays.
pub async fn after_the_end<R: Runtime>(rt: R) {
    let task = rt.spawn(async { 8 });
    until(|| task.is_finished()).await;
    assert!(!task.cancel());
    assert!(!task.task().cancel());
    assert_eq!(task.await.unwrap(), 8);
}

/// Cancelling is a request: the call returns at once, and drops nothing on the caller's stack.
pub async fn is_a_request<R: Runtime>(rt: R) {
    for _ in 0..100 {
        let hand = Manual::<()>::new();
        let (captured, witness) = token();
        let parked = hand.future();
        let task = rt.spawn(async move {
            let _captured = captured;
            parked.await;
        });
        until(|| hand.polls() > 0).await;
        during(|| task.cancel());
        assert_cancelled(task.await);
        assert!(!witness.only().in_call, "dropped inside `cancel`");
    }
}

/// A task that cancels itself and then waits is cancelled there.
pub async fn of_oneself_then_waiting<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    let task = rt.spawn(async move {
        let _captured = captured;
        assert!(current_task().unwrap().cancel());
        yield_now().await;
        unreachable!("code after the await that was cancelled never runs");
    });
    assert_cancelled(task.await);
    assert_eq!(witness.count(), 1);
}

/// A task that cancels itself and then returns a value gives the value.
pub async fn of_oneself_then_returning<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        yield_now().await;
        assert!(current_task().unwrap().cancel());
        "value"
    });
    assert_eq!(task.await.unwrap(), "value");
}

/// `cancel_and_join` returns when the future is gone.
pub async fn cancel_and_join_waits<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let (captured, witness) = token();
    let parked = hand.future();
    let task = rt.spawn(async move {
        let _captured = captured;
        parked.await;
    });
    until(|| hand.polls() > 0).await;
    assert_cancelled(task.cancel_and_join().await);
    assert_eq!(witness.count(), 1);
    let ended = rt.spawn(async { 1 });
    until(|| ended.is_finished()).await;
    assert_eq!(ended.cancel_and_join().await.unwrap(), 1);
}

/// Dropping `cancel_and_join` leaves the task cancelled.
pub async fn cancel_and_join_dropped<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    let task = rt.spawn(async move {
        let _captured = captured;
        pending::<()>().await;
    });
    let (_, waker) = counting_waker();
    let mut join = task.cancel_and_join();
    let _ = poll_with(&mut join, &waker);
    drop(join);
    until(|| witness.is_dropped()).await;
}

/// Dropping the handle cancels the task.
pub async fn by_dropping_the_handle<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let (captured, witness) = token();
    let parked = hand.future();
    let task = rt.spawn(async move {
        let _captured = captured;
        parked.await;
    });
    until(|| hand.polls() > 0).await;
    let reference = task.task();
    during(|| drop(task));
    assert!(reference.is_cancel_requested());
    until(|| reference.is_finished()).await;
    assert!(
        !witness.only().in_call,
        "dropped inside the drop of the handle"
    );
}

/// A detached task runs on by itself.
pub async fn a_detached_task_runs_on<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let (output, witness) = token();
    let wait = gate.wait();
    let task = rt.spawn(async move {
        wait.await;
        output
    });
    let reference = task.task();
    task.detach();
    turns(&rt, 10).await;
    assert!(!reference.is_finished() && !reference.is_cancel_requested());
    gate.open();
    until(|| witness.is_dropped()).await;
    until(|| reference.is_finished()).await;
}

/// A reference cancels the task, whoever holds the handle, or nobody.
pub async fn by_a_reference<R: Runtime>(rt: R) {
    let task = rt.spawn(pending::<()>());
    assert!(task.task().cancel());
    assert_cancelled(task.await);

    let (captured, witness) = token();
    let detached = rt.spawn(async move {
        let _captured = captured;
        pending::<()>().await;
    });
    let reference = detached.task();
    detached.detach();
    assert!(reference.cancel());
    until(|| reference.is_finished()).await;
    assert_eq!(witness.count(), 1);
}

/// A task can cancel another one.
pub async fn by_another_task<R: Runtime>(rt: R) {
    let victim = rt.spawn(pending::<()>());
    let reference = victim.task();
    let other = rt.spawn(async move { reference.cancel() });
    assert_cancelled(victim.await);
    assert!(other.await.unwrap());
}

/// What a cancelled task owns goes with it: the tasks whose handles it held are cancelled too.
pub async fn passes_to_owned_tasks<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    fn chain<R: Runtime>(rt: R, depth: u32, leaf: crate::probe::Token) -> JoinHandle<()> {
        let spawner = rt.clone();
        rt.spawn(async move {
            if depth == 0 {
                let _leaf = leaf;
                pending::<()>().await;
            } else {
                chain(spawner, depth - 1, leaf).await.unwrap();
            }
        })
    }
    let task = chain(rt.clone(), 20, captured);
    turns(&rt, 50).await;
    assert_cancelled(task.cancel_and_join().await);
    until(|| witness.is_dropped()).await;
    assert_eq!(witness.count(), 1);
}

/// A task that is always ready again can be cancelled.
pub async fn of_a_greedy_task<R: Runtime>(rt: R) {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let greedy = rt.spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    });
    until(|| polls.load(Ordering::Relaxed) > 10).await;
    greedy.cancel();
    let joined: Result<(), _> = greedy.await;
    assert_cancelled(joined);
}

/// A request that comes while the task is being polled takes effect at the end of that poll.
pub async fn during_its_poll<R: Runtime>(rt: R) {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let task = rt.spawn(poll_fn(move |cx| {
        count.fetch_add(1, Ordering::Relaxed);
        // The waker, too, is used within the poll: neither loses the other.
        cx.waker().wake_by_ref();
        current_task().unwrap().cancel();
        Poll::<()>::Pending
    }));
    assert_cancelled(task.await);
    assert_eq!(polls.load(Ordering::Relaxed), 1);
}
