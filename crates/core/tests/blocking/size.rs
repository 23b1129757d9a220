//! How many threads there are, and which of them gets the next closure.

use std::thread;
use std::time::Duration;

use kumi_core::blocking::{BlockingPool, run_in_executor};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnBlockingExt, TaskBuilder};
use kumi_sim::Sim;

use crate::support::{gated, pooled, until};

fn forever() -> kumi_core::blocking::Settings {
    BlockingPool::settings().idle(Duration::MAX)
}

/// It starts empty, grows to its bound, and queues what is more.
#[test]
fn it_grows_to_the_bound() {
    let (_sim, rt) = pooled(forever().max_threads(2));
    assert_eq!(rt.pool.threads(), 0);
    let (closures, gates): (Vec<_>, Vec<_>) = (0..3).map(|_| gated()).unzip();
    let tasks: Vec<_> = closures.into_iter().map(|f| rt.spawn_blocking(f)).collect();
    gates[0].wait_for_the_start();
    gates[1].wait_for_the_start();
    assert_eq!((rt.pool.threads(), rt.pool.queued()), (2, 1));
    assert!(!gates[2].has_started());
    let mut gates = gates.into_iter();
    gates.next().unwrap().open();
    let (second, third) = (gates.next().unwrap(), gates.next().unwrap());
    third.wait_for_the_start();
    second.open();
    third.open();
    for task in tasks {
        rt.block_on(task).unwrap();
    }
    assert_eq!(rt.pool.threads(), 2);
}

/// A closure that starts keeps its thread until it returns, also if nobody waits for it any more.
#[test]
fn a_closure_that_nobody_waits_for_keeps_its_thread() {
    let (_sim, rt) = pooled(forever().max_threads(1));
    let (closure, gate) = gated();
    let task = rt.spawn_blocking(closure);
    gate.wait_for_the_start();
    drop(task);
    let (next, next_gate) = gated();
    let next = rt.spawn_blocking(next);
    assert_eq!((rt.pool.threads(), rt.pool.queued()), (1, 1));
    gate.open();
    next_gate.wait_for_the_start();
    next_gate.open();
    rt.block_on(next).unwrap();
}

/// While a thread is idle, no other is made.
#[test]
fn an_idle_thread_is_used_again() {
    let (_sim, rt) = pooled(forever());
    for _ in 0..10 {
        rt.block_on(rt.spawn_blocking(|| ())).unwrap();
        until(|| rt.pool.idle() == 1);
    }
    assert_eq!(rt.pool.threads(), 1);
}

/// Of two idle threads, the one that became idle last is used, so the other one can end.
#[test]
fn the_thread_that_waited_least_is_used() {
    let (_sim, rt) = pooled(forever());
    let tasks = [(); 2].map(|()| {
        let (closure, gate) = gated();
        let task = rt.spawn_blocking(closure);
        gate.wait_for_the_start();
        (task, gate)
    });
    for (idle, (task, gate)) in tasks.into_iter().enumerate() {
        gate.open();
        rt.block_on(task).unwrap();
        until(|| rt.pool.idle() == idle + 1);
    }
    let mut used: Vec<_> = (0..10)
        .map(|_| {
            let id = rt.block_on(rt.spawn_blocking(|| thread::current().id()));
            until(|| rt.pool.idle() == 2);
            id.unwrap()
        })
        .collect();
    used.dedup();
    assert_eq!(used.len(), 1);
}

/// A thread that has nothing to do ends, and a closure that comes later gets another.
#[test]
fn it_shrinks() {
    let (_sim, rt) = pooled(BlockingPool::settings().idle(Duration::ZERO));
    for _ in 0..3 {
        rt.block_on(rt.spawn_blocking(|| ())).unwrap();
        until(|| rt.pool.threads() == 0);
    }
}

/// A panic reaches the joiner, and the thread goes on.
#[test]
fn a_panic_leaves_the_thread_alone() {
    let (_sim, rt) = pooled(forever());
    let task = rt.spawn_blocking(|| std::panic::resume_unwind(Box::new("a panic")));
    let error = rt.block_on(task).unwrap_err();
    assert!(error.is_panic());
    until(|| rt.pool.idle() == 1);
    rt.block_on(rt.spawn_blocking(|| ())).unwrap();
    assert_eq!(rt.pool.threads(), 1);
}

/// Threads have the name that was set, with a number, and the stack that was set.
#[test]
fn names_and_stacks() {
    let settings = BlockingPool::settings().name("deep").stack_size(64 << 20);
    let (_sim, rt) = pooled(settings);
    fn depth(levels: usize) -> usize {
        let frame = std::hint::black_box([levels; 128]);
        match levels {
            0 => 0,
            _ => 1 + depth(frame[5] - 1),
        }
    }
    let task = rt.spawn_blocking(|| {
        // More than the usual two megabytes.
        assert_eq!(depth(10_000), 10_000);
        thread::current().name().map(str::to_owned)
    });
    assert_eq!(rt.block_on(task).unwrap().as_deref(), Some("deep-1"));
}

/// A program runs a closure on a pool of its own, beside the runtime's.
#[test]
fn two_pools() {
    let (_sim, rt) = pooled(forever().name("one"));
    let other = forever().name("other").build();
    let name = || thread::current().name().map(str::to_owned).unwrap();
    let here = rt.spawn_blocking(name);
    let there = run_in_executor(&rt, &other, name);
    let named = TaskBuilder::new()
        .name("task")
        .run_in_executor(&rt, &other, || ());
    assert_eq!(named.name(), Some("task"));
    assert!(rt.block_on(here).unwrap().starts_with("one-"));
    assert!(rt.block_on(there).unwrap().starts_with("other-"));
    rt.block_on(named).unwrap();
}

/// A simulator takes the closures of all pools: they are steps.
#[test]
fn a_simulator_uses_no_pool() {
    let sim = Sim::new();
    let pool = forever().build();
    let here = thread::current().id();
    let task = run_in_executor(&*sim, &pool, || thread::current().id());
    assert_eq!(sim.block_on(task).unwrap(), here);
    let erased = kumi_core::runtime::AnyRuntime::new(sim.handle());
    let task = run_in_executor(&erased, &pool, || thread::current().id());
    assert_eq!(sim.block_on(task).unwrap(), here);
    assert_eq!(pool.threads(), 0);
}
