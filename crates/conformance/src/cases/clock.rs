//! Time: sleeps are never early, come in order, can be moved, and leave nothing behind.
//!
//! The durations are short because on most runtimes they are real. Only lower bounds are asserted.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Wake, Waker};
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Runtime, Sleep};
use kumi_core::task::SpawnExt;

use crate::Fresh;
use crate::probe::{
    Gate, assert_cancelled, counting_waker, lock, park_on, poll_once, poll_with, thread,
};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

/// A sleep that several tasks can reach.
type Shared<S> = Arc<Mutex<Pin<Box<S>>>>;

fn share<S: Sleep>(sleep: S) -> Shared<S> {
    Arc::new(Mutex::new(Box::pin(sleep)))
}

/// Waits for a shared sleep; opens `parked` when it was found pending.
async fn wait<S: Sleep>(sleep: Shared<S>, parked: Gate) {
    poll_fn(|cx| {
        let poll = lock(&sleep).as_mut().poll(cx);
        if poll.is_pending() {
            parked.open();
        }
        poll
    })
    .await;
}

/// Time does not go backwards, inside tasks and outside.
pub async fn now_is_monotonic<R: Runtime>(rt: R) {
    let mut last = rt.now();
    for _ in 0..100 {
        let clock = rt.clone();
        let inside = rt.spawn(async move { clock.now() }).await.unwrap();
        let now = rt.now();
        assert!(last <= inside && inside <= now);
        last = now;
    }
}

/// A sleep is never early.
pub async fn a_sleep_is_never_early<R: Runtime>(rt: R) {
    for delay in [MS / 2, MS, 3 * MS, 7 * MS, 20 * MS] {
        let start = rt.now();
        rt.sleep(delay).await;
        assert!(rt.now() - start >= delay);
        let at = rt.now() + delay;
        rt.sleep_until(at).await;
        assert!(rt.now() >= at);
    }
}

/// A sleep that is polled all the time is not early either.
pub async fn a_sleep_that_is_polled_all_the_time<R: Runtime>(rt: R) {
    for _ in 0..5 {
        let at = rt.now() + 2 * MS;
        let mut sleep = Box::pin(rt.sleep_until(at));
        while poll_once(&mut sleep).await.is_pending() {
            yield_now().await;
        }
        assert!(rt.now() >= at);
    }
}

/// A sleep in a task ends, and the runtime waits for it although nothing else happens.
pub async fn a_sleep_in_a_task<R: Runtime>(rt: R) {
    let clock = rt.clone();
    let task = rt.spawn(async move {
        let start = clock.now();
        clock.sleep(5 * MS).await;
        clock.sleep(5 * MS).await;
        clock.now() - start
    });
    assert!(task.await.unwrap() >= 10 * MS);
}

/// Sleeps are woken in the order in which they are due, whatever the order in which they began.
pub async fn sleeps_end_in_order<R: Runtime>(rt: R) {
    struct Note(u32, Arc<Mutex<Vec<u32>>>);
    impl Wake for Note {
        fn wake(self: Arc<Self>) {
            lock(&self.1).push(self.0);
        }
    }
    let woken = Arc::new(Mutex::new(Vec::new()));
    let start = rt.now();
    let mut sleeps = Vec::new();
    for number in [3, 0, 4, 1, 2] {
        let mut sleep = Box::pin(rt.sleep_until(start + MS * (10 + 8 * number)));
        let waker = Waker::from(Arc::new(Note(number, Arc::clone(&woken))));
        // On a machine that is too slow it is ready already; then it wakes nobody.
        if poll_with(&mut sleep, &waker).is_pending() {
            sleeps.push(sleep);
        }
    }
    rt.sleep_until(start + 60 * MS).await;
    let woken = lock(&woken).clone();
    assert_eq!(woken.len(), sleeps.len(), "{woken:?}");
    assert!(woken.is_sorted(), "{woken:?}");
}

/// A sleep until now, or until a time that has passed, is ready at its first poll.
pub async fn no_sleep_at_all<R: Runtime>(rt: R) {
    let (_, waker) = counting_waker();
    let now = rt.now();
    assert!(poll_with(&mut Box::pin(rt.sleep(Duration::ZERO)), &waker).is_ready());
    assert!(poll_with(&mut Box::pin(rt.sleep_until(now)), &waker).is_ready());
    rt.sleep(2 * MS).await;
    assert!(poll_with(&mut Box::pin(rt.sleep_until(now)), &waker).is_ready());
    assert!(poll_with(&mut Box::pin(rt.sleep_until(now + MS)), &waker).is_ready());
}

/// A sleep whose maker says what time it is: due at once, or not early, and it can be moved.
pub async fn a_sleep_from_a_known_time<R: Runtime>(rt: R) {
    let now = rt.now();
    for at in [now, now.checked_sub(MS).unwrap_or(now)] {
        let mut sleep = Box::pin(rt.sleep_from(now, at));
        assert!(poll_once(&mut sleep).await.is_ready());
    }
    let at = now + 2 * MS;
    let mut sleep = Box::pin(rt.sleep_from(now, at));
    assert_eq!(sleep.deadline(), at);
    sleep.as_mut().await;
    assert!(rt.now() >= at);
    let mut sleep = Box::pin(rt.sleep_from(rt.now(), rt.now() + HOUR));
    assert!(poll_once(&mut sleep).await.is_pending());
    sleep.as_mut().reset(now);
    sleep.as_mut().await;
}

/// `Duration::MAX` is "never": no overflow, and no end.
pub async fn the_longest_sleep<R: Runtime>(rt: R) {
    let (wakes, waker) = counting_waker();
    let mut sleep = Box::pin(rt.sleep(Duration::MAX));
    assert!(sleep.deadline() > rt.now() + 1000 * 24 * HOUR);
    assert!(poll_with(&mut sleep, &waker).is_pending());
    rt.sleep(5 * MS).await;
    assert!(poll_with(&mut sleep, &waker).is_pending());
    assert_eq!(wakes.count(), 0);
}

/// A sleep tells when it is due, also after it was moved.
pub async fn the_deadline_is_told<R: Runtime>(rt: R) {
    let at = rt.now() + HOUR;
    let mut sleep = Box::pin(rt.sleep_until(at));
    assert_eq!(sleep.deadline(), at);
    let (_, waker) = counting_waker();
    assert!(poll_with(&mut sleep, &waker).is_pending());
    assert_eq!(sleep.deadline(), at);
    sleep.as_mut().reset(at + HOUR);
    assert_eq!(sleep.deadline(), at + HOUR);
    sleep.as_mut().reset(at - 2 * HOUR);
    assert_eq!(sleep.deadline(), at - 2 * HOUR);
}

/// Moved earlier: the task that waits is woken then, without polling once more.
pub async fn reset_to_earlier<R: Runtime>(rt: R) {
    let sleep = share(rt.sleep(HOUR));
    let parked = Gate::new();
    let task = rt.spawn(wait(Arc::clone(&sleep), parked.clone()));
    parked.wait().await;
    let at = rt.now() + 5 * MS;
    lock(&sleep).as_mut().reset(at);
    task.await.unwrap();
    assert!(rt.now() >= at);
}

/// Moved later: it is not ready before the new time.
pub async fn reset_to_later<R: Runtime>(rt: R) {
    let parked = Gate::new();
    loop {
        let early = rt.now() + 5 * MS;
        let sleep = share(rt.sleep_until(early));
        let task = rt.spawn(wait(Arc::clone(&sleep), parked.clone()));
        let at = early + 20 * MS;
        let in_time = {
            let mut sleep = lock(&sleep);
            sleep.as_mut().reset(at);
            rt.now() < early
        };
        task.await.unwrap();
        // A machine that was too slow to move it in time has to try again.
        if in_time {
            return assert!(rt.now() >= at);
        }
    }
}

/// Moved to the past: the task that waits is woken.
pub async fn reset_to_the_past<R: Runtime>(rt: R) {
    let start = rt.now();
    let sleep = share(rt.sleep(HOUR));
    let parked = Gate::new();
    let task = rt.spawn(wait(Arc::clone(&sleep), parked.clone()));
    parked.wait().await;
    lock(&sleep).as_mut().reset(start);
    task.await.unwrap();
    assert!(rt.now() < start + HOUR);
}

/// Moved after it was ready: pending again until the new time.
pub async fn reset_after_it_was_ready<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(MS));
    sleep.as_mut().await;
    for _ in 0..3 {
        let at = rt.now() + 10 * MS;
        sleep.as_mut().reset(at);
        let early = poll_once(&mut sleep).await.is_ready();
        if !early {
            sleep.as_mut().await;
        }
        assert!(rt.now() >= at);
    }
}

/// Moved before its first poll: only the new time counts.
pub async fn reset_before_the_first_poll<R: Runtime>(rt: R) {
    let mut sleep = Box::pin(rt.sleep(HOUR));
    let at = rt.now() + 5 * MS;
    sleep.as_mut().reset(at);
    sleep.await;
    assert!(rt.now() >= at);

    let mut sleep = Box::pin(rt.sleep(Duration::ZERO));
    let at = rt.now() + 5 * MS;
    sleep.as_mut().reset(at);
    sleep.await;
    assert!(rt.now() >= at);
}

/// Moved again and again, to and fro: the last time counts.
pub async fn reset_many_times<R: Runtime>(rt: R) {
    let sleep = share(rt.sleep(HOUR));
    let parked = Gate::new();
    let task = rt.spawn(wait(Arc::clone(&sleep), parked.clone()));
    parked.wait().await;
    let start = rt.now();
    for n in 0..1000 {
        lock(&sleep).as_mut().reset(start + HOUR + 2 * n * MS);
        lock(&sleep).as_mut().reset(start + HOUR - n * MS);
    }
    let at = rt.now() + 5 * MS;
    lock(&sleep).as_mut().reset(at);
    task.await.unwrap();
    assert!(rt.now() >= at);
}

/// A sleep that is dropped wakes nobody, and its waker is released.
pub async fn a_dropped_sleep_leaves_nothing<R: Runtime>(rt: R) {
    loop {
        let (wakes, waker) = counting_waker();
        let at = rt.now() + 5 * MS;
        let (mut soon, mut late) = (Box::pin(rt.sleep_until(at)), Box::pin(rt.sleep(HOUR)));
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

/// The last waker counts: polled by hand and then by a task, the task is woken.
pub async fn the_waker_is_replaced<R: Runtime>(rt: R) {
    let (first, waker) = counting_waker();
    let sleep = share(rt.sleep(HOUR));
    assert!(
        lock(&sleep)
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(waker);
    let parked = Gate::new();
    let task = rt.spawn(wait(Arc::clone(&sleep), parked.clone()));
    parked.wait().await;
    lock(&sleep).as_mut().reset(rt.now() + 5 * MS);
    task.await.unwrap();
    rt.sleep(5 * MS).await;
    assert_eq!(first.count(), 0);
    assert_eq!(
        Arc::strong_count(&first),
        1,
        "the first waker is still held"
    );
}

/// A sleep that was made outside of `block_on` works inside.
pub fn made_outside<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let start = rt.now();
    let sleep = rt.sleep(5 * MS);
    rt.block_on(sleep);
    assert!(rt.now() - start >= 5 * MS);
    let task = rt.spawn(rt.sleep(5 * MS));
    rt.block_on(task).unwrap();
    assert!(rt.now() - start >= 10 * MS);
}

/// A thread of no runtime may make, poll and drop a sleep, while somebody drives the runtime.
pub async fn on_a_foreign_thread<R: Runtime>(rt: R) {
    let clock = rt.clone();
    let moved = rt.sleep(5 * MS);
    let start = rt.now();
    let side = thread(move || {
        drop(clock.sleep(HOUR));
        park_on(moved);
        park_on(clock.sleep(5 * MS));
        clock.now()
    });
    assert!(side.await - start >= 10 * MS);
}

/// A foreign thread moves the sleep of a task, while the runtime waits for nothing else.
pub async fn reset_by_a_foreign_thread<R: Runtime>(rt: R) {
    let sleep = share(rt.sleep(HOUR));
    let parked = Gate::new();
    let task = rt.spawn(wait(Arc::clone(&sleep), parked.clone()));
    parked.wait().await;
    let at = rt.now() + 30 * MS;
    let side = thread(move || {
        // By now a runtime in real time sleeps for an hour.
        std::thread::sleep(10 * MS);
        lock(&sleep).as_mut().reset(at);
    });
    task.await.unwrap();
    side.await;
    assert!(rt.now() >= at);
}

/// Many sleeps end, with the same deadline and with different ones.
pub async fn a_thousand_sleeps<R: Runtime>(rt: R) {
    let start = rt.now();
    let tasks: Vec<_> = (0..1000)
        .map(|n| {
            let (clock, at) = (rt.clone(), start + MS * (n % 20));
            rt.spawn(async move {
                clock.sleep_until(at).await;
                assert!(clock.now() >= at);
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Tasks that are always ready do not keep timers from their turn.
pub async fn greedy_tasks_starve_no_timer<R: Runtime>(rt: R) {
    let stop = Arc::new(AtomicBool::new(false));
    let greedy: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            rt.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    yield_now().await;
                }
            })
        })
        .collect();
    rt.sleep(5 * MS).await;
    stop.store(true, Ordering::Relaxed);
    for task in greedy {
        task.await.unwrap();
    }
}

/// A task that sleeps can be cancelled, and its sleep goes with it.
pub async fn a_sleeping_task_is_cancelled<R: Runtime>(rt: R) {
    let sleep = share(rt.sleep(HOUR));
    let parked = Gate::new();
    let task = rt.spawn(wait(Arc::clone(&sleep), parked.clone()));
    parked.wait().await;
    assert_cancelled(task.cancel_and_join().await);
    assert_eq!(Arc::strong_count(&sleep), 1);
}
