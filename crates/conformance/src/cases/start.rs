//! `TaskGroup::start`: a child that says when it is ready.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kumi_core::cleanup::finally;
use kumi_core::combine::timeout;
use kumi_core::group::{StartError, TaskGroup, task_group};
use kumi_core::runtime::Runtime;

use crate::probe::{Gate, poll_once, turns};

type Fails = &'static str;

const MS: Duration = Duration::from_millis(1);

/// The value of `ready` comes back while the child goes on (NU8).
pub async fn gives_the_value<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let done = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let child = gate.clone();
        let value = group.start(async move |ready| {
            ready.ready(5);
            child.wait().await;
            Ok(())
        });
        assert_eq!(value.await, Ok(5));
        assert_eq!(group.len(), 1);
        gate.open();
        Ok(())
    });
    done.await.unwrap();
}

/// A child that fails before it is ready fails the starter; the group is unharmed.
pub async fn fails_before<R: Runtime>(rt: R) {
    let done = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let value = group.start::<(), _, _>(async |_ready| Err("early")).await;
        assert_eq!(value, Err(StartError::Failed("early")));
        assert!(!group.is_cancelled());
        Ok(1)
    });
    assert_eq!(done.await.unwrap(), 1);
}

/// One that ends without saying so is an error of the starter.
pub async fn ends_before<R: Runtime>(rt: R) {
    let done = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let value = group.start::<(), _, _>(async |_ready| Ok(())).await;
        assert_eq!(value, Err(StartError::Ended));
        Ok(())
    });
    done.await.unwrap();
}

/// A failure after that is an ordinary one of the group (NU9).
pub async fn fails_after<R: Runtime>(rt: R) {
    let failed = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let value = group.start(async |ready| {
            ready.ready(());
            Err("late")
        });
        value.await.unwrap();
        Ok(())
    });
    assert_eq!(failed.await.unwrap_err().into_vec(), ["late"]);
}

/// A starter that is cancelled cancels the child and waits for it (NU10).
pub async fn the_starter_is_cancelled<R: Runtime>(rt: R) {
    let cleaned = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&cleaned);
    let done = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let clock = rt.clone();
        let start = group.start::<(), _, _>(async move |_ready| {
            finally(pending::<()>(), async {
                turns(&clock, 2).await;
                note.store(true, Ordering::SeqCst);
            })
            .await;
            Ok(())
        });
        assert!(timeout(&rt, 3 * MS, start).await.is_err());
        assert!(cleaned.load(Ordering::SeqCst));
        assert!(group.is_empty() || cleaned.load(Ordering::SeqCst));
        Ok(())
    });
    done.await.unwrap();
}

/// A starter that is dropped cancels the child; one that was ready goes on.
pub async fn the_starter_is_dropped<R: Runtime>(rt: R) {
    let done = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let mut start = Box::pin(group.start::<(), _, _>(async |_ready| {
            pending::<()>().await;
            Ok(())
        }));
        assert!(poll_once(&mut start).await.is_pending());
        turns(&rt, 2).await;
        drop(start);
        Ok(())
    });
    done.await.unwrap();
}

/// A pending start keeps the group open (NU11).
pub async fn keeps_the_group_open<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let opener = gate.clone();
    let mut group = Box::pin(task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let starter = group.clone();
        group.spawn(async move {
            let value = starter.start(async move |ready| {
                gate.wait().await;
                ready.ready(2);
                Ok(())
            });
            assert_eq!(value.await, Ok(2));
            Ok(())
        });
        Ok(())
    }));
    assert!(poll_once(&mut group).await.is_pending());
    turns(&rt, 4).await;
    opener.open();
    group.await.unwrap();
}
