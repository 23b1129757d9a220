//! The table of live tasks, and the watch for idleness.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::run::Runner;
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt, TaskBuilder};
use kumi_sim::Sim;

use crate::probe::Wakes;

fn names(sim: &Sim) -> Vec<String> {
    let mut names = Vec::new();
    sim.for_each_task(&mut |task| names.push(task.name().unwrap_or("-").to_owned()));
    names
}

#[test]
fn tasks_are_visited_in_the_order_of_spawning_also_when_places_are_reused() {
    let sim = Sim::new();
    let named = |name: &str| {
        TaskBuilder::new()
            .name(name)
            .spawn_on(&*sim, pending::<()>())
    };
    sim.block_on(async {
        let (a, b, c) = (named("a"), named("b"), named("c"));
        yield_now().await;
        b.cancel_and_join().await.unwrap_err();
        a.cancel_and_join().await.unwrap_err();
        let (d, e, f) = (named("d"), named("e"), named("f"));
        assert_eq!(names(&sim), ["c", "d", "e", "f"]);
        drop((c, d, e, f));
        while !names(&sim).is_empty() {
            yield_now().await;
        }
    });
}

#[test]
fn idleness_is_told_once_the_last_task_has_ended() {
    let sim = Sim::new();
    sim.block_on(async {
        poll_fn(|cx| sim.poll_idle(cx)).await;
        let rt = sim.handle();
        let task = sim.spawn(async move { rt.sleep(Duration::from_secs(9)).await });
        let reference = task.task();
        task.detach();
        poll_fn(|cx| sim.poll_idle(cx)).await;
        assert!(reference.is_finished());
    });
}

#[test]
fn a_new_task_wakes_the_watcher_and_the_watch_ends_with_the_call() {
    let sim = Sim::new();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    sim.block_on(async {
        sim.spawn(pending::<()>()).detach();
        assert!(sim.poll_idle(&mut cx).is_pending());
        sim.spawn(pending::<()>()).detach();
        assert_eq!(wakes.count(), 1);
        assert!(sim.poll_idle(&mut cx).is_pending());
        sim.spawn_blocking(|| ()).detach();
        assert_eq!(wakes.count(), 2);
        assert!(sim.poll_idle(&mut cx).is_pending());
        assert_eq!(Arc::strong_count(&wakes), 3);
    });
    assert_eq!(Arc::strong_count(&wakes), 2, "the test's own");
}

#[test]
fn a_shutdown_is_idleness() {
    let sim = Sim::new();
    let (wakes, waker) = Wakes::new();
    let mut cx = Context::from_waker(&waker);
    sim.block_on(async {
        sim.spawn(pending::<()>()).detach();
        assert!(sim.poll_idle(&mut cx).is_pending());
        sim.shutdown();
        assert_eq!(wakes.count(), 1);
        assert!(sim.poll_idle(&mut cx).is_ready());
    });
}

#[test]
fn a_run_leaves_nothing_behind() {
    for seed in 0..20 {
        let sim = Sim::with_seed(seed);
        let runner = Runner::new().ctrl_c(false);
        let left = runner.run(&*sim, async {
            let task = sim.spawn(pending::<()>());
            let reference = task.task();
            task.detach();
            reference
        });
        assert!(left.unwrap().is_finished());
        assert!(names(&sim).is_empty());
    }
}
