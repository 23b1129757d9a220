//! A `block_on` that cannot go on: it says so, and who is left.

use std::future::pending;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::{SpawnExt, TaskBuilder};
use kumi_sim::Sim;

use crate::probe::panic_of;

#[test]
fn a_deadlock_names_main_and_each_task_with_its_place() {
    let sim = Sim::new();
    let named = TaskBuilder::new()
        .name("consumer")
        .spawn_on(&*sim, pending::<()>());
    let (plain, ended) = (sim.spawn(pending::<()>()), sim.spawn(async {}));
    let wanted = format!(
        "deadlock: nothing can run, no timer is set\n  main is waiting\n  {}\n  {}",
        named.info(),
        plain.info()
    );
    let message = panic_of(|| sim.block_on(async { (ended.await.unwrap(), named.await) }));
    assert_eq!(message, wanted);
    assert!(message.contains(" `consumer`, spawned at "), "{message}");
    assert!(message.contains(file!()), "{message}");
}

#[test]
fn a_deadlock_is_found_when_the_last_timer_has_fired() {
    let sim = Sim::new();
    let start = sim.now();
    let rt = sim.handle();
    let task = sim.spawn(async move {
        rt.sleep(Duration::from_secs(5)).await;
        pending::<()>().await;
    });
    let message = panic_of(|| sim.block_on(task));
    assert!(message.starts_with("deadlock: "), "{message}");
    assert_eq!(sim.now() - start, Duration::from_secs(5));
}

#[test]
fn a_simulator_goes_on_after_a_deadlock() {
    let sim = Sim::new();
    let task = sim.spawn(pending::<()>());
    let reference = task.task();
    assert!(panic_of(|| sim.block_on(task)).starts_with("deadlock: "));
    // The handle was dropped with main, which cancels.
    assert!(reference.is_cancel_requested() && !reference.is_finished());
    assert_eq!(sim.block_on(async { 42 }), 42);
    sim.block_on(yield_now());
    assert!(reference.is_finished());
    let left = sim.spawn(pending::<()>());
    drop(sim);
    assert!(left.is_finished());
}

#[test]
fn a_main_that_waits_for_nothing_on_an_empty_simulator() {
    let message = panic_of(|| Sim::new().block_on(pending::<()>()));
    assert_eq!(
        message,
        "deadlock: nothing can run, no timer is set\n  main is waiting"
    );
}

#[test]
fn after_a_shutdown_the_report_says_so() {
    let sim = Sim::new();
    let message = panic_of(|| {
        sim.block_on(async {
            sim.shutdown();
            pending::<()>().await;
        })
    });
    assert!(message.contains("the simulator was shut down"), "{message}");
}

#[test]
fn the_number_of_steps_can_be_limited() {
    let sim = Sim::builder().max_steps(1000).build();
    let spin = TaskBuilder::new().name("spin").spawn_on(&*sim, async {
        loop {
            yield_now().await;
        }
    });
    let idle = sim.spawn(pending::<()>());
    let message = panic_of(|| sim.block_on(sim.sleep(Duration::from_secs(1))));
    let wanted = format!(
        "livelock: `block_on` has taken 1000 steps, and main is not done\n  \
         main is waiting\n  {} (ready)\n  {}",
        spin.info(),
        idle.info()
    );
    assert_eq!(message, wanted);
    // Each call has its own limit.
    assert!(panic_of(|| sim.block_on(pending::<()>())).starts_with("livelock: "));
    assert_eq!(sim.block_on(async { 42 }), 42);
}

#[test]
fn the_limit_itself_is_not_too_many() {
    let steps = |limit| {
        let sim = Sim::builder().max_steps(limit).build();
        sim.block_on(async {
            for _ in 0..9 {
                yield_now().await;
            }
        });
    };
    steps(10);
    let message = panic_of(|| steps(9));
    assert!(message.contains("9 steps"), "{message}");
    assert!(message.ends_with("main is ready"), "{message}");
}
