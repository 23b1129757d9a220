//! Who runs next: in the order of waking, at random from a seed, or as in an earlier run.

use std::future::{Future, pending, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Clock, Owned, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt, SpawnLocalExt};
use kumi_sim::{Schedule, Sim, Trace};

use crate::probe::{Log, panic_of};

/// A program in which all kinds of steps compete; returns the order in which they ran.
fn program(sim: &Sim) -> Vec<u32> {
    let log = Log::new();
    sim.block_on(async {
        let mut tasks = Vec::new();
        for n in 0..6 {
            let (rt, note) = (sim.clone(), log.clone());
            tasks.push(sim.spawn(async move {
                for round in 0..3 {
                    note.add(n * 10 + round);
                    yield_now().await;
                }
                // Four of the six are due together.
                rt.sleep(Duration::from_secs(u64::from(n / 4))).await;
                note.add(n * 10 + 9);
            }));
            let note = log.clone();
            tasks.push(sim.spawn_blocking(move || note.add(100 + n)));
        }
        let note = log.clone();
        tasks.push(sim.spawn_local(async move { note.add(200) }));
        for task in tasks {
            task.await.unwrap();
            log.add(300);
        }
    });
    log.take()
}

fn run(schedule: Schedule) -> (Vec<u32>, Trace) {
    let sim = Sim::builder().schedule(schedule).build();
    let order = program(&sim);
    (order, sim.trace())
}

/// Uses up numbers of tasks, and leaves some alive.
fn disturb(tasks: usize) -> Owned<Sim> {
    let sim = Sim::with_seed(99);
    for _ in 0..tasks {
        sim.spawn(pending::<()>()).detach();
    }
    sim.block_on(yield_now());
    sim
}

#[test]
fn the_same_seed_gives_the_same_run() {
    for seed in 0..20 {
        let first = run(Schedule::Random(seed));
        for tasks in [1, 2, 5] {
            let _alive = disturb(tasks);
            assert_eq!(run(Schedule::Random(seed)), first, "seed {seed}");
        }
    }
    assert_eq!(run(Schedule::Fifo), run(Schedule::Fifo));
}

#[test]
fn the_order_in_which_a_run_ends_its_tasks_does_not_depend_on_their_numbers() {
    let trace = || {
        let sim = Sim::with_seed(3);
        let mut visited = Vec::new();
        sim.block_on(async {
            let tasks: Vec<_> = (0..10).map(|_| sim.spawn(pending::<()>())).collect();
            let ids: Vec<_> = tasks.iter().map(|task| task.id()).collect();
            yield_now().await;
            sim.for_each_task(&mut |task| {
                visited.push(ids.iter().position(|id| *id == task.id()).unwrap());
                task.cancel();
            });
            for task in tasks {
                task.await.unwrap_err();
            }
        });
        (visited, sim.trace())
    };
    let first = trace();
    assert!(first.0.is_sorted(), "{:?}", first.0);
    for tasks in [1, 2, 3, 4] {
        let _alive = disturb(tasks);
        assert_eq!(trace(), first);
    }
}

#[test]
fn different_seeds_give_different_orders() {
    let mut orders: Vec<_> = (0..50).map(|seed| run(Schedule::Random(seed)).0).collect();
    orders.sort();
    orders.dedup();
    assert_eq!(
        orders.len(),
        50,
        "so many steps hardly ever agree by chance"
    );
}

#[test]
fn every_order_of_three_tasks_comes_up() {
    let order = |seed| {
        let (sim, log) = (Sim::with_seed(seed), Log::new());
        let tasks = [1, 2, 3].map(|n| {
            let log = log.clone();
            sim.spawn(async move { log.add(n) })
        });
        sim.block_on(async {
            for task in tasks {
                task.await.unwrap();
            }
        });
        log.take()
    };
    let mut orders: Vec<_> = (0..200).map(order).collect();
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 6, "{orders:?}");
}

#[test]
fn fifo_is_the_order_of_waking() {
    let (sim, log) = (Sim::new(), Log::new());
    let tasks: Vec<_> = ["a", "b", "c"]
        .into_iter()
        .map(|name| {
            let log = log.clone();
            sim.spawn(async move {
                log.add(name);
                yield_now().await;
                log.add(name);
            })
        })
        .collect();
    sim.block_on(async {
        log.add("main");
        yield_now().await;
        log.add("main");
        for task in tasks {
            task.await.unwrap();
        }
    });
    let round = ["a", "b", "c", "main"];
    assert_eq!(log.take(), [round, round].concat());
    assert!(
        sim.trace().to_string().starts_with("04"),
        "{:?}",
        sim.trace()
    );
}

#[test]
fn main_is_one_of_those_that_are_chosen() {
    let main_was_first = |seed| {
        let (sim, log) = (Sim::with_seed(seed), Log::new());
        let note = log.clone();
        let task = sim.spawn(async move { note.add("task") });
        sim.block_on(async {
            log.add("main");
            task.await.unwrap();
        });
        log.take()[0] == "main"
    };
    let first = (0..100).filter(|&seed| main_was_first(seed)).count();
    assert!((25..75).contains(&first), "{first} of 100");
}

#[test]
fn a_trace_is_replayed() {
    for seed in 0..20 {
        let (order, trace) = run(Schedule::Random(seed));
        assert!(trace.len() > 20, "{trace}");
        let pasted: Trace = trace.to_string().parse().unwrap();
        assert_eq!(pasted.hash(), trace.hash());
        assert_eq!(run(Schedule::Replay(pasted)), (order, trace));
    }
    let fifo = run(Schedule::Fifo);
    assert_eq!(run(Schedule::Replay(fifo.1.clone())), fifo);
}

#[test]
fn after_the_end_of_a_trace_it_goes_on_in_order() {
    let (_, trace) = run(Schedule::Random(5));
    let start: Trace = trace.to_string()[..4].parse().unwrap();
    let (_, whole) = run(Schedule::Replay(start));
    let text = whole.to_string();
    assert!(text.starts_with(&trace.to_string()[..4]), "{text}");
    assert_eq!(run(Schedule::Replay(Trace::default())), run(Schedule::Fifo));
}

#[test]
fn a_program_that_leaves_the_trace_is_told_so() {
    // A task and main: two are ready, twice.
    let replay = |trace: &str| {
        let schedule = Schedule::Replay(trace.parse().unwrap());
        let sim = Sim::builder().schedule(schedule).build();
        let task = sim.spawn(yield_now());
        sim.block_on(async {
            yield_now().await;
            task.await.unwrap();
        });
    };
    replay("02*2");
    replay("1202");
    for (trace, place, recorded) in [("23", 0, 3), ("03", 0, 3), ("0245", 1, 5), ("1205", 1, 5)] {
        let message = panic_of(|| replay(trace));
        let wanted = format!(
            "replay: the program took another path than its trace: choice {place} (counted from 0) \
             was one of {recorded} and is now one of 2"
        );
        assert!(message.starts_with(&wanted), "{trace}: {message}");
    }
}

#[test]
fn the_trace_goes_on_over_calls_and_can_be_read_in_between() {
    let sim = Sim::with_seed(0);
    assert!(sim.trace().is_empty());
    sim.spawn(async {
        loop {
            yield_now().await;
        }
    })
    .detach();
    let mut lengths = vec![0];
    for _ in 0..3 {
        sim.block_on(async {
            yield_now().await;
            lengths.push(sim.trace().len());
        });
    }
    assert!(lengths.is_sorted_by(|a, b| a < b), "{lengths:?}");
}

#[test]
fn main_is_polled_once_however_often_it_was_woken() {
    let sim = Sim::new();
    let mut polls = 0;
    sim.block_on(async {
        let mut task = pin!(sim.spawn(yield_now()));
        poll_fn(|cx| {
            polls += 1;
            if polls == 1 {
                (0..5).for_each(|_| cx.waker().wake_by_ref());
            }
            task.as_mut().poll(cx)
        })
        .await
        .unwrap();
    });
    assert_eq!(polls, 3, "first, woken by itself, woken by the task");
}

#[test]
fn a_wake_of_an_earlier_main_does_not_poll_the_next_one() {
    let sim = Sim::new();
    let mut old = None;
    sim.block_on(poll_fn(|cx| {
        // Woken, and gone before it is polled again.
        cx.waker().wake_by_ref();
        old = Some(cx.waker().clone());
        Poll::Ready(())
    }));
    let old = old.unwrap();
    old.wake_by_ref();
    let task = sim.spawn(async move {
        for _ in 0..5 {
            old.wake_by_ref();
            yield_now().await;
        }
    });
    let mut polls = 0;
    sim.block_on(async {
        let mut task = pin!(task);
        poll_fn(|cx| {
            polls += 1;
            task.as_mut().poll(cx)
        })
        .await
        .unwrap();
    });
    assert_eq!(polls, 2, "first, and woken by the task");
}
