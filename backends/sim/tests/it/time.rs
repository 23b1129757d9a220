//! Virtual time: it moves only when nothing can run, and then to the next deadline.

use std::time::{Duration, Instant};

use kumi_core::combine::{timeout, yield_now};
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::SpawnExt;
use kumi_sim::{Schedule, Sim};

use crate::probe::{Log, Wakes, panic_of, poll};

const NANO: Duration = Duration::from_nanos(1);
const SECOND: Duration = Duration::from_secs(1);
const YEAR: Duration = Duration::from_secs(86_400 * 365);

#[test]
fn a_year_costs_nothing() {
    let (sim, real) = (Sim::new(), Instant::now());
    let start = sim.now();
    sim.block_on(sim.sleep(YEAR));
    assert_eq!(sim.now() - start, YEAR);
    assert!(real.elapsed() < Duration::from_secs(60));
}

#[test]
fn sleeps_end_in_the_order_of_their_deadlines() {
    for schedule in [Schedule::Fifo, Schedule::Random(1), Schedule::Random(2)] {
        let sim = Sim::builder().schedule(schedule).build();
        let (start, log) = (sim.now(), Log::new());
        let tasks: Vec<_> = [5, 1, 4, 2, 3]
            .into_iter()
            .map(|n| {
                let (rt, log) = (sim.handle(), log.clone());
                sim.spawn(async move {
                    rt.sleep_until(start + NANO * n).await;
                    log.add((n, rt.now() - start));
                })
            })
            .collect();
        sim.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        let wanted: Vec<_> = (1..6).map(|n| (n, NANO * n)).collect();
        assert_eq!(log.take(), wanted);
    }
}

/// The order in which ten sleeps with one deadline end, in ten tasks.
fn equal_deadlines(schedule: Schedule) -> Vec<u32> {
    let sim = Sim::builder().schedule(schedule).build();
    let log = Log::new();
    let (_, waker) = Wakes::new();
    // Armed here, in this order; the tasks, under any schedule, only take them over.
    let sleeps: Vec<_> = (0..10)
        .map(|n| {
            let mut sleep = Box::pin(sim.sleep(SECOND));
            assert!(poll(sleep.as_mut(), &waker).is_pending());
            (n, sleep)
        })
        .collect();
    let tasks: Vec<_> = sleeps
        .into_iter()
        .rev()
        .map(|(n, sleep)| {
            let log = log.clone();
            sim.spawn(async move {
                sleep.await;
                log.add(n);
            })
        })
        .collect();
    sim.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    log.take()
}

#[test]
fn equal_deadlines_end_in_the_order_of_arming() {
    let order: Vec<u32> = (0..10).collect();
    assert_eq!(equal_deadlines(Schedule::Fifo), order);
    let mixed = |seed| equal_deadlines(Schedule::Random(seed)) != order;
    assert!((0..5).any(mixed), "at random they are chosen like others");
}

#[test]
fn time_stands_still_while_anything_can_run() {
    let sim = Sim::new();
    let start = sim.now();
    let result = sim.block_on(timeout(&*sim, NANO, async {
        for _ in 0..10_000 {
            yield_now().await;
        }
        sim.now()
    }));
    assert_eq!(result, Ok(start));
}

#[test]
fn time_goes_on_over_calls() {
    let sim = Sim::new();
    let start = sim.now();
    let rt = sim.handle();
    let task = sim.spawn(async move { rt.sleep(10 * SECOND).await });
    sim.block_on(sim.sleep(4 * SECOND));
    assert_eq!(sim.now() - start, 4 * SECOND);
    sim.block_on(task).unwrap();
    assert_eq!(sim.now() - start, 10 * SECOND);
}

#[test]
fn zero_and_the_past_are_ready_at_once() {
    let sim = Sim::new();
    let start = sim.now();
    sim.block_on(async {
        sim.sleep(SECOND).await;
        sim.sleep(Duration::ZERO).await;
        sim.sleep_until(start).await;
    });
    assert_eq!(sim.now() - start, SECOND);
}

#[test]
fn the_clock_starts_at_its_offset() {
    let (plain, later) = (Sim::new(), Sim::builder().start_offset(YEAR).build());
    assert_eq!(later.now() - plain.now(), YEAR);
    let start = later.now();
    later.block_on(later.sleep(SECOND));
    assert_eq!(later.now() - start, SECOND);
    assert_eq!(Sim::new().now(), plain.now(), "one base for all");
}

#[test]
fn an_offset_that_cannot_be_counted_is_refused() {
    let message = panic_of(|| Sim::builder().start_offset(Duration::MAX).build());
    assert!(
        message.contains("farther than this machine's clock"),
        "{message}"
    );
}

#[test]
fn the_longest_sleep_is_never() {
    let sim = Sim::new();
    let start = sim.now();
    let limited = timeout(&*sim, 29 * YEAR, sim.sleep(Duration::MAX));
    assert!(sim.block_on(limited).is_err());
    assert_eq!(sim.now() - start, 29 * YEAR);
    let message = panic_of(|| sim.block_on(sim.sleep(Duration::MAX)));
    assert!(message.starts_with("deadlock: "), "{message}");
    assert!(
        message.contains("no timer is set that will ever be due"),
        "{message}"
    );
    assert_eq!(sim.now() - start, 29 * YEAR);
}

#[test]
fn a_ticker_does_not_hide_a_deadlock_for_ever() {
    let sim = Sim::new();
    let rt = sim.handle();
    let ticks = sim.spawn(async move {
        loop {
            rt.sleep(YEAR).await;
        }
    });
    ticks.detach();
    let message = panic_of(|| sim.block_on(std::future::pending::<()>()));
    assert!(message.starts_with("deadlock: "), "{message}");
}
