//! Tasks that are bound to the simulator's thread.

use std::cell::Cell;
use std::rc::Rc;
use std::thread;

use kumi_core::combine::yield_now;
use kumi_core::context;
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, SpawnLocalExt};
use kumi_sim::Sim;

use crate::probe::panic_of;

#[test]
fn local_tasks_share_what_is_not_send() {
    let sim = Sim::new();
    let count = Rc::new(Cell::new(0));
    let tasks: Vec<_> = (0..5)
        .map(|n| {
            let count = Rc::clone(&count);
            sim.spawn_local(async move {
                yield_now().await;
                count.set(count.get() + n);
            })
        })
        .collect();
    sim.block_on(async {
        for task in tasks {
            task.await.unwrap();
        }
    });
    assert_eq!((count.get(), Rc::strong_count(&count)), (10, 1));
}

#[test]
fn a_local_task_binds_the_simulator_to_its_thread() {
    let sim = Sim::new();
    let task = sim.spawn_local(async { 42 });
    let handle = sim.handle();
    let side = thread::spawn(move || {
        let local = panic_of(|| handle.spawn_local(async {}));
        (local, panic_of(|| handle.block_on(async {})))
    });
    let (local, driven) = side.join().unwrap();
    assert!(
        local.contains("`spawn_local` on a simulator that belongs to another"),
        "{local}"
    );
    assert!(local.contains("with `spawn`"), "it names the fix: {local}");
    assert!(driven.contains("`block_on` on a simulator"), "{driven}");
    assert_eq!(sim.block_on(task).unwrap(), 42);
}

#[test]
fn the_ambient_runtime_runs_local_tasks() {
    let sim = Sim::new();
    let inside = || {
        context::with_current(|rt| {
            let rt = rt.expect("there is an ambient runtime");
            assert!(rt.local().is_some());
            rt.downcast::<Sim>().expect("it is a simulator").clone()
        })
    };
    let task = sim.spawn(async move {
        let sim = inside();
        sim.spawn_local(async { 42 }).await.unwrap()
    });
    assert_eq!(sim.block_on(task).unwrap(), 42);
    sim.block_on(async { drop(inside()) });
}

#[test]
fn a_wake_from_another_thread_runs_it_at_home() {
    let sim = Sim::new();
    let (send, receive) = std::sync::mpsc::channel::<std::task::Waker>();
    let mut polls = 0;
    let task = sim.spawn_local(std::future::poll_fn(move |cx| {
        polls += 1;
        if polls == 2 {
            return std::task::Poll::Ready(thread::current().id());
        }
        send.send(cx.waker().clone()).unwrap();
        std::task::Poll::Pending
    }));
    sim.block_on(yield_now());
    let side = thread::spawn(move || receive.recv().unwrap().wake());
    side.join().unwrap();
    assert_eq!(sim.block_on(task).unwrap(), thread::current().id());
}
