//! A sleep whose deadline is moved, and one that is dropped.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Clock, Runtime, Sleep};
use kumi_core::task::{JoinHandle, SpawnExt};
use kumi_sim::{Sim, SimSleep};

use crate::probe::{Wakes, poll};

const SECOND: Duration = Duration::from_secs(1);

/// A sleep that a task waits for and the test can move.
type Shared = Arc<Mutex<Pin<Box<SimSleep>>>>;

/// A task that waits for a sleep which the test can move; the task tells how often it was polled.
fn waiter(sim: &Sim, sleep: SimSleep) -> (Shared, JoinHandle<u32>) {
    let shared = Arc::new(Mutex::new(Box::pin(sleep)));
    let wait = Arc::clone(&shared);
    let task = sim.spawn(async move {
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            wait.lock().unwrap().as_mut().poll(cx)
        })
        .await;
        polls
    });
    (shared, task)
}

/// Moves a sleep of ten seconds to `to` after its first poll; returns when it ended, and the polls.
fn moved_to(to: u32) -> (Duration, u32) {
    let sim = Sim::new();
    let start = sim.now();
    let polls = sim.block_on(async {
        let (sleep, task) = waiter(&sim, sim.sleep(10 * SECOND));
        yield_now().await;
        sim.sleep(SECOND).await;
        sleep.lock().unwrap().as_mut().reset(start + SECOND * to);
        assert_eq!(sleep.lock().unwrap().deadline(), start + SECOND * to);
        task.await.unwrap()
    });
    (sim.now() - start, polls)
}

#[test]
fn a_moved_deadline_wakes_without_another_poll() {
    assert_eq!(moved_to(5), (5 * SECOND, 2), "earlier");
    assert_eq!(moved_to(20), (20 * SECOND, 2), "later");
    assert_eq!(moved_to(0), (SECOND, 2), "to the past");
    assert_eq!(moved_to(1), (SECOND, 2), "to now");
}

#[test]
fn after_it_was_ready_it_is_pending_again() {
    let sim = Sim::new();
    let start = sim.now();
    sim.block_on(async {
        let mut sleep = pin!(sim.sleep(SECOND));
        for n in 1..5 {
            sleep.as_mut().await;
            assert_eq!(sim.now() - start, SECOND * n);
            let at = sim.now() + SECOND;
            sleep.as_mut().reset(at);
        }
    });
}

#[test]
fn a_reset_alone_wakes_nobody_after_it_was_ready() {
    let sim = Sim::new();
    let (wakes, waker) = Wakes::new();
    let mut sleep = pin!(sim.sleep(SECOND));
    assert!(poll(sleep.as_mut(), &waker).is_pending());
    sim.block_on(sim.sleep(2 * SECOND));
    assert!(poll(sleep.as_mut(), &waker).is_ready());
    assert_eq!(Arc::strong_count(&wakes), 2, "the test's own");
    sleep.as_mut().reset(sim.now() + SECOND);
    sim.block_on(sim.sleep(2 * SECOND));
    assert_eq!(wakes.count(), 1, "by the first deadline");
}

#[test]
fn moved_between_its_timer_and_the_next_poll_it_wakes_again() {
    let sim = Sim::new();
    let (wakes, waker) = Wakes::new();
    let mut sleep = pin!(sim.sleep(SECOND));
    assert!(poll(sleep.as_mut(), &waker).is_pending());
    sim.block_on(sim.sleep(2 * SECOND));
    assert_eq!(wakes.count(), 1);
    sleep.as_mut().reset(sim.now() + SECOND);
    sim.block_on(sim.sleep(2 * SECOND));
    assert_eq!(wakes.count(), 2);
    assert!(poll(sleep.as_mut(), &waker).is_ready());
}

#[test]
fn moved_before_its_first_poll_it_wakes_nobody() {
    let sim = Sim::new();
    let start = sim.now();
    let mut sleep = pin!(sim.sleep(10 * SECOND));
    sleep.as_mut().reset(start + SECOND);
    sim.block_on(sleep);
    assert_eq!(sim.now() - start, SECOND);
}

#[test]
fn the_longest_sleep_can_be_moved() {
    let sim = Sim::new();
    let start = sim.now();
    let polls = sim.block_on(async {
        let (sleep, task) = waiter(&sim, sim.sleep(Duration::MAX));
        yield_now().await;
        sleep.lock().unwrap().as_mut().reset(start + SECOND);
        task.await.unwrap()
    });
    assert_eq!((sim.now() - start, polls), (SECOND, 2));
}

#[test]
fn the_last_waker_counts_and_the_first_is_let_go() {
    let sim = Sim::new();
    let ((first, old), (second, new)) = (Wakes::new(), Wakes::new());
    let mut sleep = pin!(sim.sleep(SECOND));
    assert!(poll(sleep.as_mut(), &old).is_pending());
    assert!(poll(sleep.as_mut(), &new).is_pending());
    assert_eq!(Arc::strong_count(&first), 2, "the test has it twice");
    sim.block_on(sim.sleep(2 * SECOND));
    assert_eq!((first.count(), second.count()), (0, 1));
}

#[test]
fn a_new_waker_keeps_the_place_among_equal_deadlines() {
    let sim = Sim::new();
    let log = crate::probe::Log::new();
    sim.block_on(async {
        let mut early = Box::pin(sim.sleep(SECOND));
        let (_, old) = Wakes::new();
        assert!(poll(early.as_mut(), &old).is_pending());
        let (rt, note) = (sim.handle(), log.clone());
        let late = sim.spawn(async move {
            rt.sleep(SECOND).await;
            note.add("late");
        });
        yield_now().await;
        let note = log.clone();
        let early = sim.spawn(async move {
            early.await;
            note.add("early");
        });
        late.await.unwrap();
        early.await.unwrap();
    });
    assert_eq!(log.take(), ["early", "late"]);
}

#[test]
fn a_dropped_sleep_is_gone_at_once() {
    let sim = Sim::new();
    let (wakes, waker) = Wakes::new();
    let mut sleeps: Vec<_> = (1..100).map(|n| Box::pin(sim.sleep(SECOND * n))).collect();
    for sleep in &mut sleeps {
        assert!(poll(sleep.as_mut(), &waker).is_pending());
    }
    assert!(Arc::strong_count(&wakes) > 99);
    drop(sleeps);
    assert_eq!(Arc::strong_count(&wakes), 2, "the test's own");
    let start = sim.now();
    sim.block_on(sim.sleep(1000 * SECOND));
    assert_eq!(wakes.count(), 0);
    assert_eq!(sim.now() - start, 1000 * SECOND);
}

#[test]
fn a_sleep_is_send_and_sync() {
    fn check<T: Send + Sync + Unpin>() {}
    check::<SimSleep>();
    check::<Sim>();
}
