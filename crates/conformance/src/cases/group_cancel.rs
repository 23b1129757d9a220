//! Task groups that are cancelled: from inside, from outside, by being dropped.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::combine::{timeout, yield_now};
use kumi_core::group::{GroupBuilder, TaskGroup, task_group};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use super::group::{Fails, parked, wait};
use crate::probe::{Gate, Token, forget, poll_once, token, turns, until};

const MS: Duration = Duration::from_millis(1);

/// `cancel` ends the group without an error: the value of the body, or that it was cancelled (TG23).
pub async fn cancelled_by_its_handle<R: Runtime>(rt: R) {
    let (inside, witness) = token();
    let value = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn(async move {
            let _inside = inside;
            pending::<Result<(), Fails>>().await
        });
        turns(&rt, 2).await;
        assert!(group.cancel() && !group.cancel() && group.is_cancelled());
        Ok("value")
    });
    assert_eq!(value.await.unwrap(), "value");
    assert_eq!(witness.count(), 1);

    let cut = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let handle = group.clone();
        group.spawn(async move {
            handle.cancel_with("enough");
            Ok(())
        });
        pending::<Result<(), Fails>>().await
    });
    let error = cut.await.unwrap_err();
    assert!(error.is_cancelled());
    assert_eq!(error.to_string(), "the task group was cancelled: enough");
}

/// After an aborted group the awaits of its caller are undisturbed (TG12).
pub async fn leaves_no_residue<R: Runtime>(rt: R) {
    let failed = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn(async { Err::<(), _>("error") });
        pending::<Result<(), Fails>>().await
    });
    assert!(failed.await.is_err());
    for _ in 0..3 {
        checkpoint().await;
    }
    rt.spawn(yield_now()).await.unwrap();
}

/// A cancel from outside reaches the children, waits for them, and is not swallowed (TG9).
pub async fn cancelled_from_outside<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let scope = CancelScope::new();
    let handle = scope.handle();
    let after = AtomicBool::new(false);
    let outcome = scope.run(async {
        let group = task_group(&rt, async |group: TaskGroup<Fails, R>| {
            for _ in 0..3 {
                group.spawn(parked(rt.clone(), Arc::clone(&begun), Arc::clone(&ended)));
            }
            until(|| begun.load(Ordering::SeqCst) == 3).await;
            handle.cancel();
            pending::<Result<(), Fails>>().await
        });
        let _ = group.await;
        after.store(true, Ordering::SeqCst);
    });
    assert!(outcome.await.is_err());
    assert_eq!(ended.load(Ordering::SeqCst), 3);
    assert!(!after.load(Ordering::SeqCst));
}

/// So it is while the group only waits for its children; and by a timeout.
pub async fn a_timeout_around_it<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let group = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn(parked(rt.clone(), Arc::clone(&begun), Arc::clone(&ended)));
        until(|| begun.load(Ordering::SeqCst) == 1).await;
        Ok(())
    });
    assert!(timeout(&rt, 5 * MS, group).await.is_err());
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

/// A cancel together with an error: the error wins, and the cancel takes effect at the next await
/// (TG10).
pub async fn an_error_beside_a_cancel<R: Runtime>(rt: R) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let (seen, after) = (AtomicBool::new(false), AtomicBool::new(false));
    let outcome = scope.run(async {
        let failed = task_group(&rt, async |group: TaskGroup<Fails, R>| {
            let begun = Gate::new();
            let opener = begun.clone();
            group.spawn(async move {
                opener.open();
                kumi_core::cancel::cancelled().await;
                Err::<(), _>("in clean-up")
            });
            begun.wait().await;
            handle.cancel();
            pending::<Result<(), Fails>>().await
        });
        seen.store(
            failed.await.unwrap_err().into_vec() == ["in clean-up"],
            Ordering::SeqCst,
        );
        checkpoint().await;
        after.store(true, Ordering::SeqCst);
    });
    assert!(outcome.await.is_err());
    assert!(seen.load(Ordering::SeqCst) && !after.load(Ordering::SeqCst));
}

/// A cancel goes through three levels of groups at once: every leaf ends without further turns of
/// those between.
pub async fn cancels_go_all_the_way_down<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let group = task_group(&rt, async |one: TaskGroup<Fails, R>| {
        for _ in 0..2 {
            let (rt, begun, ended) = (rt.clone(), Arc::clone(&begun), Arc::clone(&ended));
            one.spawn(async move {
                let inner = task_group(&rt.clone(), async |two: TaskGroup<Fails, R>| {
                    for _ in 0..2 {
                        two.spawn(parked(rt.clone(), Arc::clone(&begun), Arc::clone(&ended)));
                    }
                    Ok(())
                });
                inner.await.map_err(|_| "inner")
            });
        }
        until(|| begun.load(Ordering::SeqCst) == 4).await;
        one.cancel();
        Ok(())
    });
    group.await.unwrap();
    assert_eq!(ended.load(Ordering::SeqCst), 4);
}

/// A child that is spawned into a cancelled group is accepted and never polled; what it has is dropped
/// (SC12).
pub async fn spawn_into_a_cancelled_group<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    let polled = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&polled);
    let value = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        group.cancel();
        let child = group.spawn(async move {
            let _captured = captured;
            note.store(true, Ordering::SeqCst);
            Ok(())
        });
        drop(child);
        Ok(1)
    });
    assert_eq!(value.await.unwrap(), 1);
    assert_eq!(witness.count(), 1);
    assert!(!polled.load(Ordering::SeqCst));
}

/// A timeout around `spawn` does not concern the child (NU7).
pub async fn a_timeout_around_spawn<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let value = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let child = timeout(&rt, MS, async {
            drop(group.spawn(wait(gate.clone())));
            pending::<()>().await;
        });
        assert!(child.await.is_err());
        gate.open();
        Ok(())
    });
    value.await.unwrap();
}

/// Children that wait for their turn when the group is cancelled are never polled, and the group ends.
pub async fn limited_and_cancelled<R: Runtime>(rt: R) {
    let (captured, witness) = token();
    let polled = Arc::new(AtomicUsize::new(0));
    let builder = GroupBuilder::new().limit(1);
    let count = Arc::clone(&polled);
    let cut = builder.run(&rt, async |group: TaskGroup<Fails, R>| {
        for _ in 0..10 {
            let (captured, polled) = (Token::like(&captured), Arc::clone(&count));
            group.spawn(async move {
                let _captured = captured;
                polled.fetch_add(1, Ordering::SeqCst);
                pending::<Result<(), Fails>>().await
            });
        }
        drop(captured);
        until(|| count.load(Ordering::SeqCst) == 1).await;
        Err::<(), _>("body")
    });
    assert!(cut.await.is_err());
    assert_eq!(witness.count(), 11);
    assert_eq!(polled.load(Ordering::SeqCst), 1);
}

/// A group that is dropped cancels its children; they clean up, and the runtime waits for them.
pub async fn dropped<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let mut group = Box::pin(task_group(&rt, async |group: TaskGroup<Fails, R>| {
        for _ in 0..3 {
            group.spawn(parked(rt.clone(), Arc::clone(&begun), Arc::clone(&ended)));
        }
        pending::<Result<(), Fails>>().await
    }));
    assert!(poll_once(&mut group).await.is_pending());
    until(|| begun.load(Ordering::SeqCst) == 3).await;
    drop(group);
    until(|| ended.load(Ordering::SeqCst) == 3).await;
}

/// A group that is forgotten is harmless.
pub async fn forgotten<R: Runtime>(rt: R) {
    let mut group = Box::pin(task_group(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn(async { Ok(()) });
        pending::<Result<(), Fails>>().await
    }));
    assert!(poll_once(&mut group).await.is_pending());
    forget(group);
    turns(&rt, 3).await;
}

/// Cancelling a group of many parked children polls each of them once more, and no more.
pub async fn cancelling_is_linear<R: Runtime>(rt: R) {
    const CHILDREN: usize = 3_000;
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let cut = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        for _ in 0..CHILDREN {
            let polls = Arc::clone(&count);
            group.spawn(poll_fn(move |_| {
                polls.fetch_add(1, Ordering::SeqCst);
                Poll::<Result<(), Fails>>::Pending
            }));
        }
        until(|| count.load(Ordering::SeqCst) >= CHILDREN).await;
        group.cancel();
        Ok(())
    });
    cut.await.unwrap();
    let polls = polls.load(Ordering::SeqCst);
    assert!(polls <= 2 * CHILDREN, "{polls} polls");
}
