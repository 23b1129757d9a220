//! What is dropped when, where, and how often.

use std::future::pending;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use kumi_core::combine::yield_now;
use kumi_core::context;
use kumi_core::runtime::{Runtime, Task};
use kumi_core::task::{JoinHandle, SpawnExt};

use crate::probe::{
    Gate, Manual, Slot, Token, assert_cancelled, assert_panicked, during, hold, lock, token, until,
};

/// However a task ends, what its future holds is dropped once, inside the task: its runtime is the
/// ambient one, and it is the current task.
pub async fn the_future_is_dropped_inside_its_task<R: Runtime>(rt: R) {
    for end in ["value", "cancel", "panic", "before the first poll"] {
        let (captured, witness) = token();
        let hand = Manual::<()>::new();
        let parked = hand.future();
        let body = async move {
            parked.await;
            assert_ne!(end, "panic", "as it is told to");
        };
        let task = rt.spawn(hold(captured, body));
        let id = task.id();
        if end != "before the first poll" {
            until(|| hand.polls() > 0).await;
        }
        match end {
            "value" | "panic" => hand.finish(()),
            _ => drop(task.cancel()),
        }
        let joined = task.await;
        match end {
            "value" => joined.unwrap(),
            "panic" => drop(assert_panicked(joined)),
            _ => assert_cancelled(joined),
        }
        let dropped = witness.only();
        assert_eq!(dropped.task, Some(id), "{end}");
        assert!(dropped.ambient, "{end}");
    }
}

/// The future is dropped when the task ends, whoever still holds a waker or a reference.
pub async fn wakers_and_references_keep_no_future<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    let hand = Manual::<()>::new();
    let parked = hand.future();
    let task = rt.spawn(async move {
        let _captured = captured;
        parked.await;
    });
    until(|| hand.polls() > 0).await;
    let (reference, waker) = (task.task(), hand.waker().unwrap());
    task.cancel();
    assert_cancelled(task.await);
    assert_eq!(witness.count(), 1);
    assert!(reference.is_finished());
    drop((reference, waker));
    assert_eq!(witness.count(), 1);
}

/// An output that nobody took is dropped with the handle, there and then.
pub async fn the_output_goes_with_the_handle<R: Runtime>(rt: R) {
    let (output, witness) = token();
    let task = rt.spawn(async { output });
    until(|| task.is_finished()).await;
    let (waker_side, reference) = (task.task(), task.task());
    assert!(!witness.is_dropped());
    during(|| drop(task));
    assert!(witness.only().in_call);
    drop((waker_side, reference));
    assert_eq!(witness.count(), 1);
}

/// The output of a detached task is dropped when the task ends, inside the task.
pub async fn the_output_of_a_detached_task<R: Runtime>(rt: R) {
    let (output, witness) = token();
    let gate = Gate::new();
    let wait = gate.wait();
    let task = rt.spawn(async move {
        wait.await;
        output
    });
    let reference = task.task();
    task.detach();
    gate.open();
    until(|| reference.is_finished()).await;
    until(|| witness.is_dropped()).await;
    let dropped = witness.only();
    assert_eq!(dropped.task, Some(reference.id()));
    assert!(dropped.ambient);

    // And of one that had ended before it was let go.
    let (output, witness) = token();
    let task = rt.spawn(async { output });
    until(|| task.is_finished()).await;
    task.detach();
    assert_eq!(witness.count(), 1);
}

/// The output of a task whose handle was dropped, and which returned a value all the same, is dropped.
pub async fn the_output_after_a_dropped_handle<R: Runtime>(rt: R) {
    let (output, witness) = token();
    let hand = Manual::new();
    let task = rt.spawn(hand.future());
    until(|| hand.polls() > 0).await;
    let reference = task.task();
    hand.set(output);
    drop(task);
    until(|| reference.is_finished()).await;
    until(|| witness.is_dropped()).await;
    assert_eq!(witness.count(), 1);
}

/// A destructor in a task may spawn, through its runtime and through the ambient one.
pub async fn a_destructor_may_spawn<R: Runtime>(rt: R) {
    struct Spawns<R: Runtime>(R, Slot<JoinHandle<u32>>, Slot<JoinHandle<u32>>);
    impl<R: Runtime> Drop for Spawns<R> {
        fn drop(&mut self) {
            self.1.put(self.0.spawn(async { 1 }));
            let ambient = context::with_current(|rt| rt.map(|rt| rt.to_any_runtime()));
            self.2.put(ambient.unwrap().spawn(async { 2 }));
        }
    }
    let (explicit, ambient) = (Slot::new(), Slot::new());
    let bad = Spawns(rt.clone(), explicit.clone(), ambient.clone());
    let task = rt.spawn(async move {
        let _bad = bad;
        pending::<()>().await;
    });
    assert_cancelled(task.cancel_and_join().await);
    assert_eq!(explicit.take().await.await.unwrap(), 1);
    assert_eq!(ambient.take().await.await.unwrap(), 2);
}

/// A destructor in a task may cancel and wake its own task.
pub async fn a_destructor_may_touch_its_own_task<R: Runtime>(rt: R) {
    struct Touches(Arc<Mutex<Option<Task>>>, Manual<()>, Option<Token>);
    impl Drop for Touches {
        fn drop(&mut self) {
            let task = lock(&self.0).take().unwrap();
            assert!(!task.is_finished());
            task.cancel();
            task.wake();
            self.1.wake();
            self.2.take();
        }
    }
    for cancelled in [false, true] {
        let (captured, witness) = token();
        let (hand, myself) = (Manual::new(), Arc::default());
        let touches = Touches(Arc::clone(&myself), hand.clone(), Some(captured));
        let parked = hand.future();
        let task = rt.spawn(async move {
            let _touches = touches;
            parked.await;
        });
        *lock(&myself) = Some(task.task());
        until(|| hand.polls() > 0).await;
        if cancelled {
            assert_cancelled(task.cancel_and_join().await);
        } else {
            hand.finish(());
            task.await.unwrap();
        }
        assert_eq!(witness.count(), 1);
    }
}

/// A task may own its own handle: it goes with the future, and nothing is left behind.
pub async fn a_task_may_own_its_handle<R: Runtime>(rt: R) {
    let place = Arc::new(Mutex::new(None::<JoinHandle<Token>>));
    let (output, witness) = token();
    let gate = Gate::new();
    let (wait, own) = (gate.wait(), Arc::clone(&place));
    let task = rt.spawn(async move {
        wait.await;
        let _handle = lock(&own).take();
        yield_now().await;
        output
    });
    let reference = task.task();
    *lock(&place) = Some(task);
    gate.open();
    until(|| reference.is_finished()).await;
    until(|| witness.is_dropped()).await;
    assert_eq!(witness.count(), 1);
}

/// Two tasks may own each other's handles; cancelling one ends both.
pub async fn two_tasks_may_own_each_other<R: Runtime>(rt: R) {
    let (a_slot, b_slot) = (Slot::new(), Slot::new());
    let (captured, witness) = token();
    let taken = Arc::new(AtomicUsize::new(0));
    let player = |own: Token, other: Slot<JoinHandle<()>>| {
        let taken = Arc::clone(&taken);
        rt.spawn(async move {
            let (_own, _other) = (own, other.take().await);
            taken.fetch_add(1, Ordering::Relaxed);
            pending::<()>().await;
        })
    };
    let first = player(captured, b_slot.clone());
    let second = player(witness.token(), a_slot.clone());
    let (first_task, second_task) = (first.task(), second.task());
    a_slot.put(first);
    b_slot.put(second);
    until(|| taken.load(Ordering::Relaxed) == 2).await;
    first_task.cancel();
    until(|| first_task.is_finished() && second_task.is_finished()).await;
    assert_eq!(witness.count(), 2);
}
