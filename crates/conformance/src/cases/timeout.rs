//! `timeout` of core on the clock of the runtime.

use std::future::{pending, ready};
use std::time::Duration;

use kumi_core::combine::{timeout, timeout_at};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{Gate, Manual, counting_waker, poll_with, token};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A future that is ready in time gives its value, and no time passes beyond that.
pub async fn in_time<R: Runtime>(rt: R) {
    let start = rt.now();
    assert_eq!(timeout(&rt, HOUR, ready(1)).await, Ok(1));
    let gate = Gate::new();
    let wait = gate.wait();
    let task = rt.spawn(async move { gate.open() });
    timeout(&rt, HOUR, wait).await.unwrap();
    task.await.unwrap();
    assert!(rt.now() < start + HOUR);
}

/// A future that is not ready in time is given up, not before the limit.
pub async fn too_late<R: Runtime>(rt: R) {
    let start = rt.now();
    assert!(timeout(&rt, 5 * MS, pending::<()>()).await.is_err());
    assert!(rt.now() - start >= 5 * MS);
    let at = rt.now() + 5 * MS;
    let error = timeout_at(&rt, at, pending::<()>()).await.unwrap_err();
    assert!(rt.now() >= at);
    assert_eq!(
        std::io::Error::from(error).kind(),
        std::io::ErrorKind::TimedOut
    );
}

/// The future is dropped before the error is returned.
pub async fn the_future_is_dropped_first<R: Runtime>(rt: R) {
    let (inside, witness) = token();
    let body = async move {
        let _inside = inside;
        pending::<()>().await;
    };
    let mut limited = Box::pin(timeout(&rt, MS, body));
    assert!(limited.as_mut().await.is_err());
    assert_eq!(witness.count(), 1);
    drop(limited);
    assert_eq!(witness.count(), 1);
}

/// A value beats an expiry in the same poll.
pub async fn a_value_beats_the_expiry<R: Runtime>(rt: R) {
    let (_, waker) = counting_waker();
    let hand = Manual::new();
    let limited = loop {
        let mut limited = Box::pin(timeout(&rt, 2 * MS, hand.future()));
        // A machine that is too slow has to try again.
        if poll_with(&mut limited, &waker).is_pending() {
            break limited;
        }
    };
    rt.sleep(5 * MS).await;
    hand.set("late, but there");
    assert_eq!(limited.await, Ok("late, but there"));
}

/// A limit of zero, or one that has passed, polls once.
pub async fn no_time_at_all<R: Runtime>(rt: R) {
    assert_eq!(timeout(&rt, Duration::ZERO, ready(1)).await, Ok(1));
    let hand = Manual::<()>::new();
    assert!(timeout(&rt, Duration::ZERO, hand.future()).await.is_err());
    assert_eq!(hand.polls(), 1);
    let past = rt.now();
    rt.sleep(MS).await;
    assert_eq!(timeout_at(&rt, past, ready(2)).await, Ok(2));
    assert!(timeout_at(&rt, past, hand.future()).await.is_err());
    assert_eq!(hand.polls(), 2);
}

/// `Duration::MAX` is no limit.
pub async fn no_limit<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let limited = rt.spawn(timeout(&rt, Duration::MAX, gate.wait()));
    rt.sleep(3 * MS).await;
    assert!(!limited.is_finished());
    gate.open();
    limited.await.unwrap().unwrap();
}

/// The limit can be moved while it runs, later and earlier.
pub async fn rescheduled<R: Runtime>(rt: R) {
    let (_, waker) = counting_waker();
    let later = rt.now() + 20 * MS;
    let mut limited = Box::pin(timeout(&rt, 2 * MS, pending::<()>()));
    assert_eq!(limited.deadline(), None);
    assert!(limited.as_mut().reschedule(Some(later)));
    assert_eq!(limited.deadline(), Some(later));
    assert!(limited.await.is_err());
    assert!(rt.now() >= later);

    let mut limited = Box::pin(timeout(&rt, HOUR, pending::<()>()));
    assert!(poll_with(&mut limited, &waker).is_pending());
    let sooner = rt.now() + 2 * MS;
    assert!(limited.as_mut().reschedule(Some(sooner)));
    assert!(limited.await.is_err());
    assert!(rt.now() >= sooner);
}

/// A limit on `&mut handle` leaves the task alone: it can be awaited again.
pub async fn on_a_handle_by_reference<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let mut task = rt.spawn(gate.wait());
    assert!(timeout(&rt, MS, &mut task).await.is_err());
    assert!(!task.is_finished() && !task.task().is_cancel_requested());
    gate.open();
    timeout(&rt, HOUR, task).await.unwrap().unwrap();
}

/// A limit on the handle itself cancels the task when it is reached.
pub async fn on_a_handle<R: Runtime>(rt: R) {
    let task = rt.spawn(pending::<()>());
    let reference = task.task();
    assert!(timeout(&rt, MS, task).await.is_err());
    assert!(reference.is_cancel_requested());
    crate::probe::until(|| reference.is_finished()).await;
}

/// Of two limits, one inside the other, the one that is due first is reported.
pub async fn nested<R: Runtime>(rt: R) {
    let outer_first = timeout(&rt, 2 * MS, timeout(&rt, HOUR, pending::<()>())).await;
    assert!(outer_first.is_err());
    let inner_first = timeout(&rt, HOUR, timeout(&rt, 2 * MS, pending::<()>())).await;
    assert!(inner_first.unwrap().is_err());
}
