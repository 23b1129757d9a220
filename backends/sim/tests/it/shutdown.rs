//! The end of a simulator: every task is dropped, every joiner gets its answer.

use std::future::pending;
use std::sync::{Arc, Weak};
use std::task::Poll;
use std::thread;

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, SpawnBlockingExt, SpawnExt, SpawnLocalExt};
use kumi_sim::Sim;

use crate::probe::{Wakes, poll};

/// Holds `token` and never ends.
async fn hold(token: Arc<()>) {
    let _token = token;
    pending::<()>().await;
}

/// Asserts that the handle resolves, now, to "cancelled".
fn assert_cancelled<T: std::fmt::Debug>(handle: JoinHandle<T>) {
    let (_, waker) = Wakes::new();
    match poll(Box::pin(handle).as_mut(), &waker) {
        Poll::Ready(Err(error)) => assert!(error.is_cancelled(), "{error}"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn parked_queued_and_local_tasks_are_dropped() {
    let token = Arc::new(());
    let sim = Sim::new();
    let parked = sim.spawn(hold(Arc::clone(&token)));
    let local = sim.spawn_local(hold(Arc::clone(&token)));
    sim.block_on(yield_now());
    let queued = sim.spawn(hold(Arc::clone(&token)));
    let held = Arc::clone(&token);
    let closure = sim.spawn_blocking(move || drop(held));
    let (wakes, waker) = Wakes::new();
    let mut joined = Box::pin(parked);
    assert!(poll(joined.as_mut(), &waker).is_pending());
    assert_eq!(Arc::strong_count(&token), 5);
    drop(sim);
    assert_eq!(Arc::strong_count(&token), 1);
    assert_eq!(wakes.count(), 1, "the joiner is woken");
    assert!(matches!(poll(joined.as_mut(), &waker), Poll::Ready(Err(_))));
    assert_cancelled(local);
    assert_cancelled(queued);
    assert_cancelled(closure);
}

#[test]
fn what_is_spawned_afterwards_is_dropped_at_once() {
    let sim = Sim::new();
    let handle = sim.handle();
    drop(sim);
    let token = Arc::new(());
    assert_cancelled(handle.spawn(hold(Arc::clone(&token))));
    assert_cancelled(handle.spawn_local(hold(Arc::clone(&token))));
    let held = Arc::clone(&token);
    assert_cancelled(handle.spawn_blocking(move || drop(held)));
    assert_eq!(Arc::strong_count(&token), 1);
    handle.shutdown();
}

#[test]
fn during_a_call_the_tasks_end_and_main_goes_on() {
    for seed in 0..20 {
        let sim = Sim::with_seed(seed);
        let token = Arc::new(());
        let parked = sim.spawn(hold(Arc::clone(&token)));
        let rt = sim.handle();
        let held = Arc::clone(&token);
        let closer = sim.spawn(async move {
            yield_now().await;
            rt.shutdown();
            hold(held).await;
        });
        sim.block_on(async {
            assert!(closer.await.unwrap_err().is_cancelled());
            assert!(parked.await.unwrap_err().is_cancelled());
            yield_now().await;
        });
        assert_eq!(Arc::strong_count(&token), 1);
    }
}

#[test]
fn a_task_may_be_left_to_another_thread_to_drop() {
    let sim = Sim::new();
    let token = Arc::new(());
    let task = sim.spawn(hold(Arc::clone(&token)));
    sim.block_on(yield_now());
    thread::spawn(move || drop(sim)).join().unwrap();
    assert_eq!(Arc::strong_count(&token), 1);
    assert_cancelled(task);
}

#[test]
fn destructors_may_spawn_wake_and_cancel() {
    struct Last(Sim, Option<JoinHandle<()>>, Weak<()>);
    impl Drop for Last {
        fn drop(&mut self) {
            drop(self.1.take());
            let token = self.2.upgrade().expect("the test holds it");
            self.0.spawn(hold(token)).detach();
        }
    }
    for run_before in [true, false] {
        let (sim, token) = (Sim::new(), Arc::new(()));
        let other = sim.spawn(hold(Arc::clone(&token)));
        let last = Last(sim.handle(), Some(other), Arc::downgrade(&token));
        sim.spawn(async move {
            let _last = last;
            pending::<()>().await;
        })
        .detach();
        if run_before {
            sim.block_on(yield_now());
        }
        drop(sim);
        assert_eq!(Arc::strong_count(&token), 1);
    }
}
