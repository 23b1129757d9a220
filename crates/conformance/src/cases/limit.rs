//! `timeout` as a scope: nested ones, cancels beside the expiry, clean-ups, moving the limit.
//!
//! (asyncio TO and WF; what ends a single future is in [`timeout`](super::timeout).)

use std::future::{pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use kumi_core::cancel::{CancelReason, CancelScope, cancel_requested, cancelled, checkpoint};
use kumi_core::cleanup::finally;
use kumi_core::combine::{timeout, timeout_at, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, current_task};

use crate::probe::{
    Gate, Log, Manual, assert_cancelled, both, counting_waker, panic_of, poll_once, poll_with,
    token, unordered, until,
};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// Of limits that are due at the same time only the outermost reports, and the code between does not
/// run.
pub async fn due_together<R: Runtime>(rt: R) {
    let log = Log::new();
    let at = rt.now() + 3 * MS;
    let inner = async {
        let _ = timeout_at(&rt, at, pending::<()>()).await;
        log.note("inner");
    };
    let middle = async {
        let _ = timeout_at(&rt, at, inner).await;
        log.note("middle");
    };
    assert!(timeout_at(&rt, at, middle).await.is_err());
    let none = async {
        let _ = timeout(&rt, Duration::ZERO, pending::<()>()).await;
        log.note("inner");
    };
    assert!(timeout(&rt, Duration::ZERO, none).await.is_err());
    assert!(log.read().is_empty());
}

/// As well if they were due one after the other and nobody has looked since.
pub async fn both_overdue<R: Runtime>(rt: R) {
    let log = Log::new();
    let first = rt.now();
    rt.sleep(MS).await;
    let second = rt.now();
    rt.sleep(MS).await;
    for (outer, inner) in [(first, second), (second, first)] {
        let body = async {
            let _ = timeout_at(&rt, inner, pending::<()>()).await;
            log.note("inner");
        };
        assert!(timeout_at(&rt, outer, body).await.is_err());
    }
    // Polled in time once, and then too late for both.
    let (_, waker) = counting_waker();
    for (outer, inner) in [(2 * MS, 4 * MS), (4 * MS, 2 * MS)] {
        let hand = Manual::<()>::new();
        let mut limited = Box::pin(timeout(&rt, outer, async {
            let _ = timeout(&rt, inner, hand.future()).await;
            log.note("inner");
        }));
        let start = rt.now();
        let poll = poll_with(&mut limited, &waker);
        // A machine that is too slow finds it overdue at once.
        if poll.is_pending() {
            rt.sleep(10 * MS).await;
            assert!(limited.await.is_err());
        }
        assert!(rt.now() >= start + outer.min(inner));
    }
    assert!(log.read().is_empty());
}

/// With a clean-up inside, too, only the outermost of those that are due together reports.
pub async fn due_together_with_a_clean_up<R: Runtime>(rt: R) {
    let log = Log::new();
    let at = rt.now() + 3 * MS;
    let inner = async {
        let body = finally(pending::<()>(), async {
            rt.sleep(3 * MS).await;
            log.note("cleaned up");
        });
        let _ = timeout_at(&rt, at, body).await;
        log.note("inner");
    };
    assert!(timeout_at(&rt, at, inner).await.is_err());
    assert_eq!(log.read(), ["cleaned up"]);
}

/// An outer limit that is reached while the inner one cleans up takes over: it reports.
pub async fn overtaken_during_the_clean_up<R: Runtime>(rt: R) {
    let log = Log::new();
    let start = rt.now();
    let inner = async {
        let body = finally(pending::<()>(), async {
            rt.sleep_until(start + 20 * MS).await;
            // On a machine that stood still until now, both are due: the outer one has to see that.
            yield_now().await;
            log.note("cleaned up");
        });
        let _ = timeout(&rt, 2 * MS, body).await;
        log.note("inner");
    };
    assert!(timeout_at(&rt, start + 10 * MS, inner).await.is_err());
    assert!(rt.now() >= start + 20 * MS);
    assert_eq!(log.read(), ["cleaned up"]);
}

/// A cancel of a scope around beats an expiry in the same poll; an outer expiry is not lost beside a
/// cancel inside.
pub async fn a_cancel_beside_the_expiry<R: Runtime>(rt: R) {
    let log = Log::new();
    let past = rt.now();
    rt.sleep(MS).await;

    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = scope.run(async {
        handle.cancel();
        let _ = timeout_at(&rt, past, pending::<()>()).await;
        log.note("between");
    });
    let error = ended.await.unwrap_err();
    assert_eq!(*error.reason(), CancelReason::Requested);

    let body = async {
        let scope = CancelScope::new();
        let handle = scope.handle();
        handle.cancel();
        let _ = scope.run(pending::<()>()).await;
        checkpoint().await;
        log.note("after");
    };
    assert!(timeout_at(&rt, past, body).await.is_err());
    assert!(log.read().is_empty());
}

/// A cancel of the task beats an expiry in the same poll: it is not lost (the open bug of asyncio's
/// `timeout(0)`).
pub async fn a_cancelled_task_beside_the_expiry<R: Runtime>(rt: R) {
    for limit in [Duration::ZERO, HOUR] {
        let log = Log::new();
        let (noted, clock) = (log.clone(), rt.clone());
        let task = rt.spawn(async move {
            current_task().unwrap().cancel();
            let _ = timeout(&clock, limit, pending::<()>()).await;
            noted.note("after");
        });
        assert_cancelled(task.await);
        assert!(log.read().is_empty());
    }
}

/// A task that is cancelled while a limit inside cleans up ends as cancelled, after the clean-up; the
/// limit does not report.
pub async fn a_task_cancelled_during_the_clean_up<R: Runtime>(rt: R) {
    let log = Log::new();
    let (begun, go_on) = (Gate::new(), Gate::new());
    let (noted, clock) = (log.clone(), rt.clone());
    let (open, wait) = (begun.clone(), go_on.wait());
    let task = rt.spawn(async move {
        let body = finally(pending::<()>(), async {
            open.open();
            wait.await;
            noted.note("cleaned up");
        });
        let _ = timeout(&clock, MS, body).await;
        noted.note("after");
    });
    begun.wait().await;
    go_on.awaited().await;
    task.cancel();
    go_on.open();
    assert_cancelled(task.await);
    assert_eq!(log.read(), ["cleaned up"]);
}

/// A scope that is cancelled inside of a limit reports there; the limit has its value.
pub async fn a_cancel_inside<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let limited = timeout(&rt, HOUR, async {
        let ended = scope.run(hand.future()).await;
        checkpoint().await;
        ended
    });
    let cancel = async {
        until(|| hand.polls() > 0).await;
        handle.cancel();
    };
    let (ended, ()) = both(limited, cancel).await;
    assert!(!ended.unwrap().unwrap_err().is_elapsed());
}

/// A limit that is reached leaves the task as it was: what comes next is not cancelled.
pub async fn leaves_no_residue<R: Runtime>(rt: R) {
    let clock = rt.clone();
    let task = rt.spawn(async move {
        for _ in 0..3 {
            assert!(timeout(&clock, MS, pending::<()>()).await.is_err());
            assert!(!cancel_requested());
            checkpoint().await;
            clock.spawn(checkpoint()).await.unwrap();
        }
        "not cancelled"
    });
    assert_eq!(task.await.unwrap(), "not cancelled");
}

/// It returns only after the clean-ups inside have ended, and says meanwhile that it has expired.
pub async fn waits_for_the_clean_up<R: Runtime>(rt: R) {
    let (inside, witness) = token();
    let go_on = Gate::new();
    let body = finally(pending::<()>(), async {
        let _inside = inside;
        rt.sleep(3 * MS).await;
        go_on.wait().await;
    });
    let mut limited = Box::pin(timeout(&rt, 2 * MS, body));
    assert!(!limited.is_expired());
    while !limited.is_expired() {
        assert!(poll_once(&mut limited).await.is_pending());
        rt.sleep(MS).await;
    }
    for _ in 0..4 {
        rt.sleep(5 * MS).await;
        assert!(poll_once(&mut limited).await.is_pending());
    }
    assert!(!witness.is_dropped());
    go_on.open();
    assert!(limited.as_mut().await.is_err());
    assert!(witness.is_dropped() && limited.is_expired());
}

/// Another error of the body passes through; also one that comes because of the expiry.
pub async fn an_error_passes_through<R: Runtime>(rt: R) {
    let failed = timeout(&rt, HOUR, ready(Err::<(), _>("full"))).await;
    assert_eq!(failed, Ok(Err("full")));
    let mut limited = Box::pin(timeout(&rt, MS, async {
        cancelled().await;
        Err::<(), _>("interrupted")
    }));
    assert_eq!(limited.as_mut().await, Ok(Err("interrupted")));
    assert!(limited.is_expired());
}

/// A body that takes notice of the expiry and returns a value all the same gives it.
pub async fn a_value_in_spite_of_the_expiry<R: Runtime>(rt: R) {
    let mut limited = Box::pin(timeout(&rt, MS, async {
        cancelled().await;
        assert!(cancel_requested());
        "the best so far"
    }));
    assert_eq!(limited.as_mut().await, Ok("the best so far"));
    assert!(limited.is_expired());
    let mut limited = Box::pin(timeout(&rt, HOUR, ready(1)));
    assert_eq!(limited.as_mut().await, Ok(1));
    assert!(!limited.is_expired());
}

/// A panic of the body goes through.
pub async fn a_panic_goes_through<R: Runtime>(rt: R) {
    let (_, waker) = counting_waker();
    let mut limited = Box::pin(timeout(&rt, HOUR, async { panic!("from inside") }));
    let text =
        panic_of(|| poll_with::<Pin<Box<_>>>(&mut limited, &waker).map(drop::<Result<(), _>>));
    assert_eq!(text, "from inside");
}

/// The limit counts from the first poll.
pub async fn counts_from_the_first_poll<R: Runtime>(rt: R) {
    let limited = timeout(&rt, 3 * MS, pending::<()>());
    rt.sleep(5 * MS).await;
    let start = rt.now();
    assert!(limited.await.is_err());
    assert!(rt.now() >= start + 3 * MS);
}

/// The limit can be moved into the past while it runs: then the next poll ends it.
pub async fn rescheduled_into_the_past<R: Runtime>(rt: R) {
    let past = rt.now();
    rt.sleep(MS).await;
    let hand = Manual::<()>::new();
    let mut limited = Box::pin(timeout(&rt, HOUR, hand.future()));
    assert!(poll_once(&mut limited).await.is_pending());
    assert!(limited.as_mut().reschedule(Some(past)));
    assert_eq!(limited.deadline(), Some(past));
    assert!(!limited.is_expired(), "not before it is polled");
    assert!(limited.as_mut().await.is_err());
    assert!(limited.is_expired());
    // The body is polled first: a value wins.
    let mut limited = Box::pin(timeout(&rt, HOUR, ready(1)));
    assert!(limited.as_mut().reschedule(Some(past)));
    assert_eq!(limited.await, Ok(1));
}

/// The limit can be taken away, and set again.
pub async fn rescheduled_to_never<R: Runtime>(rt: R) {
    let hand = Manual::new();
    let mut limited = Box::pin(timeout(&rt, HOUR, hand.future()));
    assert!(poll_once(&mut limited).await.is_pending());
    let soon = rt.now() + 2 * MS;
    // The sleep is on its way already when the limit goes.
    assert!(limited.as_mut().reschedule(Some(soon)));
    if poll_once(&mut limited).await.is_pending() {
        assert!(limited.as_mut().reschedule(None));
        assert_eq!(limited.deadline(), None);
        let wait = async {
            rt.sleep(10 * MS).await;
            hand.finish("no limit");
        };
        assert_eq!(both(limited.as_mut(), wait).await.0, Ok("no limit"));
        assert!(!limited.is_expired());
    }
    let mut limited = Box::pin(timeout(&rt, HOUR, pending::<()>()));
    assert!(limited.as_mut().reschedule(None));
    assert!(poll_once(&mut limited).await.is_pending());
    let soon = rt.now() + 2 * MS;
    assert!(limited.as_mut().reschedule(Some(soon)));
    assert!(limited.await.is_err());
    assert!(rt.now() >= soon);
}

/// An expiry is not taken back: neither during the clean-up nor after the end the limit moves.
pub async fn not_rescheduled_after_the_expiry<R: Runtime>(rt: R) {
    let go_on = Gate::new();
    let body = finally(pending::<()>(), go_on.wait());
    let mut limited = Box::pin(timeout(&rt, Duration::ZERO, body));
    assert!(poll_once(&mut limited).await.is_pending());
    assert!(limited.is_expired());
    let later = rt.now() + HOUR;
    assert!(!limited.as_mut().reschedule(Some(later)));
    assert!(!limited.as_mut().reschedule(None));
    go_on.open();
    assert!(limited.as_mut().await.is_err());
    assert!(!limited.as_mut().reschedule(None));

    let mut limited = Box::pin(timeout(&rt, HOUR, ready(())));
    limited.as_mut().await.unwrap();
    assert!(!limited.as_mut().reschedule(Some(later)));
}

/// A limit that is dropped leaves no timer and no waker behind.
pub async fn a_dropped_limit_leaves_nothing<R: Runtime>(rt: R) {
    loop {
        let (wakes, waker) = counting_waker();
        let at = rt.now() + 5 * MS;
        let mut soon = Box::pin(timeout_at(&rt, at, pending::<()>()));
        let mut late = Box::pin(timeout(&rt, HOUR, cancelled()));
        let _ = poll_with(&mut soon, &waker);
        assert!(poll_with(&mut late, &waker).is_pending());
        drop((soon, late, waker));
        // On a machine that was too slow it may have been due.
        if rt.now() >= at {
            continue;
        }
        // A runtime may clean up in its next turn.
        rt.sleep(10 * MS).await;
        rt.sleep(MS).await;
        assert_eq!(wakes.count(), 0);
        assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still held");
        return;
    }
}

/// A limit inside of a clean-up works by itself, while the one outside has been reached.
pub async fn inside_a_clean_up<R: Runtime>(rt: R) {
    let log = Log::new();
    let body = finally(pending::<()>(), async {
        assert!(!cancel_requested());
        assert!(timeout(&rt, 2 * MS, pending::<()>()).await.is_err());
        assert_eq!(timeout(&rt, HOUR, ready(2)).await, Ok(2));
        log.note("own limits work");
    });
    assert!(timeout(&rt, MS, body).await.is_err());
    assert_eq!(log.read(), ["own limits work"]);
}

/// Limits in a set whose members have wakers of their own are reached each at its time.
pub async fn in_a_foreign_set<R: Runtime>(rt: R) {
    let start = rt.now();
    let members = (0..40_u32).map(|n| {
        let limit = MS * (40 - n) / 4;
        let (clock, rt) = (rt.clone(), &rt);
        async move {
            let ended = timeout(&clock, limit, pending::<()>()).await;
            (ended, rt.now() >= start + limit)
        }
    });
    for (ended, in_time) in unordered(members).await {
        assert!(ended.is_err() && in_time);
    }
}

/// Many limits may share a deadline; dropping some does not disturb the others.
pub async fn many_at_the_same_time<R: Runtime>(rt: R) {
    let at = rt.now() + 5 * MS;
    let mut limits: Vec<_> = (0..100)
        .map(|_| Box::pin(timeout_at(&rt, at, pending::<()>())))
        .collect();
    let (_, waker) = counting_waker();
    // On a machine that is too slow some are due at once.
    limits.retain_mut(|limit| poll_with(limit, &waker).is_pending());
    let half = limits.len() / 2;
    for index in 0..half {
        drop(limits.remove(index));
    }
    // Polled here, by wakers that tell nobody: the set polls each once more.
    assert!(unordered(limits).await.iter().all(Result::is_err));
    assert!(rt.now() >= at);
}
