//! Joining: the outcomes, and what a handle gives to whom.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Wake, Waker};

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    Gate, Manual, Slot, Witness, assert_cancelled, assert_panicked, counting_waker, hold,
    panicking_waker, poll_once, poll_with, text, token, until,
};

/// Value, cancelled and panicked are three distinct outcomes.
pub async fn three_outcomes<R: Runtime>(rt: R) {
    let value = rt.spawn(async { 1 }).await;
    assert_eq!(value.unwrap(), 1);

    let cancelled = rt.spawn(pending::<u8>());
    cancelled.cancel();
    let error = cancelled.await.unwrap_err();
    assert!(error.is_cancelled() && !error.is_panic());
    let error = error.try_into_panic().unwrap_err();
    assert!(error.to_string().contains("was cancelled"), "{error}");

    let task = rt.spawn(async { panic!("no luck") });
    let id = task.id();
    let error = task.await.map(drop::<()>).unwrap_err();
    assert!(error.is_panic() && !error.is_cancelled());
    assert_eq!(error.task().id(), id);
    assert!(error.to_string().contains("no luck"), "{error}");
    assert_eq!(text(error.into_panic()), "no luck");
}

/// The task's own error is in its value.
pub async fn an_error_is_a_value<R: Runtime>(rt: R) {
    let failed = rt.spawn(async { Err::<(), _>("full") });
    assert_eq!(failed.await.unwrap(), Err("full"));
}

/// A cancelled child is no cancellation of its joiner: the joiner gets an error and goes on.
pub async fn the_cancellation_of_a_child_stays_there<R: Runtime>(rt: R) {
    let spawner = rt.clone();
    let parent = rt.spawn(async move {
        let child = spawner.spawn(pending::<()>());
        child.cancel();
        assert_cancelled(child.await);
        yield_now().await;
        "went on"
    });
    assert_eq!(parent.await.unwrap(), "went on");
}

/// Awaiting `&mut handle` loses nothing when it is dropped: the output stays for the next await.
pub async fn awaiting_by_reference_loses_nothing<R: Runtime>(rt: R) {
    let hand = Manual::new();
    let mut task = rt.spawn(hand.future());
    for _ in 0..3 {
        assert!(poll_once(&mut &mut task).await.is_pending());
    }
    until(|| hand.polls() > 0).await;
    hand.finish(5);
    until(|| task.is_finished()).await;
    assert_eq!((&mut task).await.unwrap(), 5);
}

/// A handle that is polled again after it was ready panics, and says why.
pub async fn polling_after_ready_panics<R: Runtime>(rt: R) {
    let mut task = rt.spawn(async { 1 });
    assert_eq!((&mut task).await.unwrap(), 1);
    let (_, waker) = counting_waker();
    let again = catch_unwind(AssertUnwindSafe(|| poll_with(&mut task, &waker).is_ready()));
    let message = text(again.unwrap_err());
    assert!(message.contains("polled after it was ready"), "{message}");
}

/// `is_finished` tells whether the task has ended; then awaiting does not wait.
pub async fn is_finished_tells<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let mut task = rt.spawn(gate.wait());
    let reference = task.task();
    assert!(!task.is_finished() && !reference.is_finished());
    gate.open();
    until(|| task.is_finished()).await;
    assert!(reference.is_finished());
    assert!(matches!(poll_once(&mut task).await, Poll::Ready(Ok(()))));
    assert!(task.is_finished(), "also after the output was taken");
}

/// The output waits for the joiner, however late, and is moved out once.
pub async fn the_output_waits<R: Runtime>(rt: R) {
    let (output, witness) = token();
    let task = rt.spawn(async { output });
    until(|| task.is_finished()).await;
    crate::probe::turns(&rt, 10).await;
    assert!(!witness.is_dropped());
    let output = task.await.unwrap();
    assert!(!witness.is_dropped(), "it was moved, not dropped");
    drop(output);
    assert_eq!(witness.count(), 1);
}

/// Tasks can be joined in any order.
pub async fn joined_in_reverse<R: Runtime>(rt: R) {
    let tasks: Vec<_> = (0..100).map(|n| rt.spawn(async move { n })).collect();
    for (n, task) in tasks.into_iter().enumerate().rev() {
        assert_eq!(task.await.unwrap(), n);
    }
}

/// The joiner is woken by the waker of its last poll, also after the handle has moved on.
pub async fn the_waker_of_the_joiner_is_replaced<R: Runtime>(rt: R) {
    let hand = Manual::new();
    let mut task = rt.spawn(hand.future());
    let (first, first_waker) = counting_waker();
    let (second, second_waker) = counting_waker();
    assert!(poll_with(&mut task, &first_waker).is_pending());
    assert!(poll_with(&mut task, &second_waker).is_pending());
    drop(first_waker);
    assert_eq!(Arc::strong_count(&first), 1, "the old waker is gone");
    // Moved to a task, which waits with a waker of its own.
    let waits = Gate::new();
    let polled = waits.clone();
    let joiner = rt.spawn(poll_fn(move |cx| {
        let poll = Pin::new(&mut task).poll(cx);
        polled.open();
        poll
    }));
    waits.wait().await;
    until(|| hand.polls() > 0).await;
    hand.finish("moved");
    assert_eq!(joiner.await.unwrap().unwrap(), "moved");
    assert_eq!(first.count() + second.count(), 0);
    drop(second_waker);
    assert_eq!(Arc::strong_count(&second), 1);
}

/// The waker of the joiner is woken once the task has ended, and released.
pub async fn the_joiner_is_woken<R: Runtime>(rt: R) {
    let hand = Manual::new();
    let mut task = rt.spawn(hand.future());
    let (wakes, waker) = counting_waker();
    assert!(poll_with(&mut task, &waker).is_pending());
    assert!(poll_with(&mut task, &waker).is_pending());
    drop(waker);
    until(|| hand.polls() > 0).await;
    assert_eq!(wakes.count(), 0);
    hand.finish(1);
    until(|| wakes.count() == 1).await;
    assert_eq!(task.await.unwrap(), 1);
    until(|| Arc::strong_count(&wakes) == 1).await;
    assert_eq!(wakes.count(), 1);
}

/// A handle that goes while a waker is registered releases it without a wake.
pub async fn a_dropped_handle_releases_its_waker<R: Runtime>(rt: R) {
    let mut task = rt.spawn(pending::<()>());
    let (wakes, waker) = counting_waker();
    assert!(poll_with(&mut task, &waker).is_pending());
    task.detach();
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1);
    assert_eq!(wakes.count(), 0);
}

/// The future is gone when the joiner is told, at that very moment.
pub async fn the_future_is_gone_when_the_joiner_is_told<R: Runtime>(rt: R) {
    struct Looks(Witness, Slot<usize>);
    impl Wake for Looks {
        fn wake(self: Arc<Self>) {
            self.1.put(self.0.count());
        }
    }
    for _ in 0..20 {
        let (inside, witness) = token();
        let hand = Manual::new();
        let mut task = rt.spawn(hold(inside, hand.future()));
        until(|| hand.polls() > 0).await;
        let seen = Slot::new();
        let waker = Waker::from(Arc::new(Looks(witness.clone(), seen.clone())));
        assert!(poll_with(&mut task, &waker).is_pending());
        hand.finish(());
        assert_eq!(seen.take().await, 1);
        task.await.unwrap();
        assert_eq!(witness.count(), 1);
    }
}

/// A joiner whose waker panics harms nobody, and is reported.
pub async fn a_joiner_whose_waker_panics<R: Runtime>(rt: R) {
    let hand = Manual::new();
    let mut task = rt.spawn(hand.future());
    let id = task.id();
    assert!(poll_with(&mut task, &panicking_waker()).is_pending());
    until(|| hand.polls() > 0).await;
    hand.finish(3);
    until(|| task.is_finished()).await;
    assert_eq!(task.await.unwrap(), 3);
    assert_eq!(rt.spawn(async { 4 }).await.unwrap(), 4);
    until(|| !crate::reports::of(id).is_empty()).await;
}

/// A panic can be passed on by the joiner.
pub async fn a_panic_can_be_passed_on<R: Runtime>(rt: R) {
    let spawner = rt.clone();
    let outer = rt.spawn(async move {
        let inner = spawner.spawn(async { panic!("from below") });
        match inner.await {
            Ok(()) => unreachable!("it panics"),
            Err(error) => {
                let _ = error.resume_panic();
            }
        }
    });
    assert_eq!(assert_panicked(outer.await), "from below");
}
