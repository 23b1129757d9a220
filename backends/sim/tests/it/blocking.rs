//! Blocking closures: steps like any other.

use std::thread;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt};
use kumi_sim::Sim;

use crate::probe::{Log, panic_of};

#[test]
fn a_closure_runs_inline_in_its_turn_and_no_time_passes() {
    let (sim, log) = (Sim::new(), Log::new());
    let note = |text| {
        let log = log.clone();
        move || log.add(text)
    };
    let first = sim.spawn({
        let note = note("task before");
        async move { note() }
    });
    let inside = note("closure");
    let rt = sim.handle();
    let closure = sim.spawn_blocking(move || {
        inside();
        (thread::current().id(), rt.now())
    });
    let last = sim.spawn({
        let note = note("task after");
        async move { note() }
    });
    let start = sim.now();
    let ran = sim.block_on(async {
        first.await.unwrap();
        last.await.unwrap();
        closure.await.unwrap()
    });
    assert_eq!(ran, (thread::current().id(), start));
    assert_eq!(log.take(), ["task before", "closure", "task after"]);
}

#[test]
fn a_closure_is_live_until_it_has_ended() {
    let sim = Sim::new();
    sim.block_on(async {
        let closure = sim.spawn_blocking(|| ());
        let mut names = 0;
        sim.for_each_task(&mut |task| names += usize::from(task.id() == closure.id()));
        assert_eq!(names, 1);
        closure.await.unwrap();
        sim.for_each_task(&mut |task| panic!("{task:?} is left"));
    });
}

#[test]
fn a_closure_that_is_cancelled_before_its_turn_never_runs() {
    let sim = Sim::new();
    let closure = sim.spawn_blocking(|| unreachable!("it was cancelled"));
    closure.cancel();
    let joined: Result<(), _> = sim.block_on(closure);
    assert!(joined.unwrap_err().is_cancelled());
}

#[test]
fn a_closure_may_not_drive_its_simulator() {
    let sim = Sim::new();
    let inner = sim.handle();
    let closure = sim.spawn_blocking(move || inner.block_on(async {}));
    let message = panic_of(|| {
        let joined = sim.block_on(closure);
        std::panic::resume_unwind(joined.unwrap_err().into_panic())
    });
    assert!(
        message.contains("`block_on` inside a closure that the same simulator runs"),
        "{message}"
    );
    assert!(
        message.contains("`.await` in a task"),
        "it names the fix: {message}"
    );
    assert_eq!(sim.block_on(async { 42 }), 42);
}

#[test]
fn a_closure_may_drive_another_simulator() {
    let sim = Sim::new();
    let closure = sim.spawn_blocking(|| {
        let other = Sim::new();
        other.block_on(other.sleep(Duration::from_secs(1)));
        other.block_on(async { 42 })
    });
    assert_eq!(sim.block_on(closure).unwrap(), 42);
}

#[test]
fn main_may_not_be_nested() {
    let sim = Sim::new();
    let message = panic_of(|| sim.block_on(async { sim.block_on(async {}) }));
    assert!(
        message.contains("`block_on` was called inside a task"),
        "{message}"
    );
    sim.block_on(yield_now());
}

#[test]
fn closures_and_tasks_mix_at_random() {
    let order = |seed| {
        let (sim, log) = (Sim::with_seed(seed), Log::new());
        let (a, b) = (log.clone(), log.clone());
        let task = sim.spawn(async move { a.add("task") });
        let closure = sim.spawn_blocking(move || b.add("closure"));
        sim.block_on(async { (task.await.unwrap(), closure.await.unwrap()) });
        log.take()
    };
    let closure_first = (0..50).filter(|&seed| order(seed)[0] == "closure").count();
    assert!((10..40).contains(&closure_first), "{closure_first} of 50");
}
