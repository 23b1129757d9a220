//! Many seeds: the failing one is printed, and the panic goes on.

use std::cell::RefCell;
use std::env;
use std::process::Command;

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;
use kumi_sim::{Sim, Trace, explore};

use crate::probe::{Log, panic_of};

/// Set for the process whose standard error is read.
const CHILD: &str = "KUMI_SIM_EXPLORE_CHILD";

/// The order in which two tasks ran.
fn order(sim: &Sim) -> Vec<&'static str> {
    let log = Log::new();
    let tasks = ["a", "b"].map(|name| {
        let log = log.clone();
        sim.spawn(async move {
            log.add(name);
            yield_now().await;
        })
    });
    sim.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    log.take()
}

fn fails_in_one_order(sim: &Sim) {
    assert_eq!(order(sim), ["a", "b"], "the wrong way round");
}

fn first_failing_seed() -> u64 {
    let fails = |seed: &u64| order(&Sim::with_seed(*seed)) == ["b", "a"];
    (0..100).find(fails).expect("one of a hundred")
}

#[test]
fn each_seed_is_run_in_its_turn() {
    let traces = RefCell::new(Vec::new());
    explore([3, 1, 2], |sim| {
        order(&sim);
        traces.borrow_mut().push(sim.trace());
    });
    let wanted = [3, 1, 2].map(|seed| {
        let sim = Sim::with_seed(seed);
        order(&sim);
        sim.trace()
    });
    assert_eq!(*traces.borrow(), wanted);
}

#[test]
fn a_panic_goes_on_and_ends_the_search() {
    let runs = RefCell::new(0);
    let message = panic_of(|| {
        explore(0..100, |sim| {
            *runs.borrow_mut() += 1;
            fails_in_one_order(&sim);
        });
    });
    assert!(message.contains("the wrong way round"), "{message}");
    assert_eq!(*runs.borrow(), first_failing_seed() + 1);
}

#[test]
fn the_failing_seed_is_printed_with_a_trace_that_replays_it() {
    if env::var_os(CHILD).is_some() {
        return explore(0..100, |sim| fails_in_one_order(&sim));
    }
    let name = "explore::the_failing_seed_is_printed_with_a_trace_that_replays_it";
    let output = Command::new(env::current_exe().unwrap())
        .args(["--exact", name, "--nocapture"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    assert!(!output.status.success(), "the panic goes on");
    let printed = String::from_utf8(output.stderr).unwrap();

    let seed = first_failing_seed();
    let sim = Sim::with_seed(seed);
    order(&sim);
    let trace = sim.trace();
    for part in [
        format!(
            "failed under seed {seed}, after {} choices (hash {:016x})",
            trace.len(),
            trace.hash()
        ),
        format!("Sim::with_seed({seed})"),
        format!("Schedule::Replay(\"{trace}\".parse().unwrap())"),
    ] {
        assert!(printed.contains(&part), "{part} is not in: {printed}");
    }
    let pasted = printed
        .split('"')
        .find_map(|part| part.parse::<Trace>().ok());
    assert_eq!(pasted, Some(trace));
}
