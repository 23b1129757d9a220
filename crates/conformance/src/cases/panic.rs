//! Panics: contained in their task, never lost, never in the way of others.

use std::future::{pending, poll_fn};
use std::panic::panic_any;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use kumi_core::combine::yield_now;
use kumi_core::context;
use kumi_core::report::Report;
use kumi_core::runtime::{Runtime, TaskId};
use kumi_core::task::SpawnExt;

use crate::probe::{Gate, assert_panicked, panic_of, token, turns, until};
use crate::reports;

/// Panics when it is dropped.
struct PanicsInDrop(&'static str);

impl Drop for PanicsInDrop {
    fn drop(&mut self) {
        panic!("{}", self.0);
    }
}

/// The texts of the reports of destructors of this task that panicked.
fn in_drop(id: TaskId) -> Vec<String> {
    let text = |report| match report {
        Report::PanicInDrop { message, .. } => Some(message),
        _ => None,
    };
    reports::of(id).into_iter().filter_map(text).collect()
}

/// The texts of the reports of panics of this task that nobody joined.
fn not_joined(id: TaskId) -> Vec<String> {
    let text = |report| match report {
        Report::PanicNotJoined { message, .. } => Some(message),
        _ => None,
    };
    reports::of(id).into_iter().filter_map(text).collect()
}

/// A panic is the outcome of its task: the joiner gets its text.
pub async fn is_contained<R: Runtime>(rt: R) {
    let first = rt.spawn(async { panic!("in poll {}", 1) });
    let second = rt.spawn(async {
        yield_now().await;
        panic!("in poll {}", 2);
    });
    assert_eq!(assert_panicked::<()>(first.await), "in poll 1");
    assert_eq!(assert_panicked::<()>(second.await), "in poll 2");
    assert_eq!(rt.spawn(async { "alive" }).await.unwrap(), "alive");
}

/// The joiner gets the payload itself, of whatever type.
pub async fn the_payload_reaches_the_joiner<R: Runtime>(rt: R) {
    #[derive(Debug, PartialEq)]
    struct Payload(u32);
    let task = rt.spawn(async { panic_any(Payload(9)) });
    let error = task.await.map(drop::<()>).unwrap_err();
    let payload = error.into_panic().downcast::<Payload>().unwrap();
    assert_eq!(*payload, Payload(9));
}

/// Other tasks go on, those that wait and those that are ready.
pub async fn others_go_on<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let waiting = rt.spawn(gate.wait());
    let failing: Vec<_> = (0..20)
        .map(|_| rt.spawn(async { panic!("one of many") }))
        .collect();
    let ready = rt.spawn(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
    for task in failing {
        assert_panicked::<()>(task.await);
    }
    ready.await.unwrap();
    gate.open();
    waiting.await.unwrap();
}

/// The future is dropped after its panic, once, before the joiner is told, inside its task.
pub async fn the_future_is_dropped<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    let task = rt.spawn(poll_fn(move |_| -> Poll<()> {
        let _keep = &captured;
        panic!("it keeps its token")
    }));
    let id = task.id();
    assert_panicked(task.await);
    assert_eq!(witness.only().task, Some(id));
}

/// After a panic the thread's frame is as before: no task, and the ambient runtime of `block_on`.
pub async fn the_frame_is_restored<R: Runtime>(rt: R) {
    for _ in 0..10 {
        let task = rt.spawn(async { panic!("leaves through the frame") });
        assert_panicked::<()>(task.await);
        assert!(context::current_task().is_none());
        assert!(context::with_current(|rt| rt.is_some()));
    }
}

/// A destructor that panics when the task is cancelled is the task's outcome.
pub async fn in_the_drop_of_a_cancelled_future<R: Runtime>(rt: R) {
    let parked = Gate::new();
    let opener = parked.clone();
    let task = rt.spawn(async move {
        let _bad = PanicsInDrop("bad clean-up");
        opener.open();
        pending::<()>().await;
    });
    parked.wait().await;
    assert_eq!(
        assert_panicked(task.cancel_and_join().await),
        "bad clean-up"
    );
    rt.spawn(async {}).await.unwrap();
}

/// A destructor that panics after the future returned does not take the value away; it is reported.
pub async fn in_the_drop_of_a_finished_future<R: Runtime>(rt: R) {
    let bad = PanicsInDrop("bad capture");
    // The closure keeps what it captured until it is dropped itself.
    let task = rt.spawn(poll_fn(move |_| {
        let _keep = &bad;
        Poll::Ready(6)
    }));
    let id = task.id();
    assert_eq!(task.await.unwrap(), 6);
    assert_eq!(in_drop(id), ["bad capture"]);
}

/// Two panics, of the poll and of the destructor: the first is the outcome, the second is reported.
pub async fn in_the_drop_of_a_panicked_future<R: Runtime>(rt: R) {
    let bad = PanicsInDrop("second");
    let task = rt.spawn(poll_fn(move |_| -> Poll<()> {
        let _keep = &bad;
        panic!("first")
    }));
    let id = task.id();
    assert_eq!(assert_panicked(task.await), "first");
    assert_eq!(in_drop(id), ["second"]);
}

/// An output that panics when it is dropped, because nobody wants it, is contained and reported.
pub async fn in_the_drop_of_the_output<R: Runtime>(rt: R) {
    let detached = rt.spawn(async { PanicsInDrop("bad output") });
    let id = detached.id();
    detached.detach();
    until(|| in_drop(id) == ["bad output"]).await;

    let dropped = rt.spawn(async { PanicsInDrop("worse output") });
    let id = dropped.id();
    until(|| dropped.is_finished()).await;
    drop(dropped);
    assert_eq!(in_drop(id), ["worse output"]);
    rt.spawn(async {}).await.unwrap();
}

/// A panic that nobody joins is reported, with the task that it was.
pub async fn that_nobody_joins_is_reported<R: Runtime>(rt: R) {
    let detached = rt.spawn(async { panic!("all alone") });
    let id = detached.id();
    let _: () = detached.detach();
    until(|| not_joined(id) == ["all alone"]).await;

    let dropped = rt.spawn(async { panic!("dropped") });
    let id = dropped.id();
    until(|| dropped.is_finished()).await;
    assert!(not_joined(id).is_empty(), "it may still be joined");
    let _: () = drop::<kumi_core::task::JoinHandle<()>>(dropped);
    assert_eq!(not_joined(id), ["dropped"]);
}

/// A panic that was joined is not reported.
pub async fn that_was_joined_is_not_reported<R: Runtime>(rt: R) {
    let mut task = rt.spawn(async { panic!("joined") });
    let id = task.id();
    assert_panicked::<()>((&mut task).await);
    drop(task);
    turns(&rt, 10).await;
    assert!(reports::of(id).is_empty());
}

/// A panic of the future of `block_on` leaves `block_on`, and the runtime can be used again.
pub fn of_main_leaves_block_on<R: Runtime>(fresh: crate::Fresh<'_, R>) {
    let rt = fresh();
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let gate = Gate::new();
    let wait = gate.wait();
    let task = rt.spawn(async move {
        count.fetch_add(1, Ordering::Relaxed);
        wait.await;
        5
    });
    let main = async {
        until(|| polls.load(Ordering::Relaxed) > 0).await;
        panic!("main fell");
    };
    assert_eq!(panic_of(|| rt.block_on(main)), "main fell");
    assert!(context::with_current(|rt| rt.is_none()));
    gate.open();
    assert_eq!(rt.block_on(task).unwrap(), 5);
}
