//! Very many tasks in one group: joined, and cancelled.
//!
//! What must stay true: each task runs to its end or, in a group that is cancelled, is dropped; a group
//! that has ended keeps nothing of them. What a task costs while it waits is printed, with the size of
//! its future taken off.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kumi::{BackendKind, GroupError};

use crate::gauge::Gauge;
use crate::report::Checks;

/// Runs the part.
pub fn run(kind: BackendKind, count: usize, checks: &mut Checks) {
    crate::run(kind, Box::pin(part(count, checks)));
}

async fn part(count: usize, checks: &mut Checks) {
    joined(count, checks, false).await;
    cancelled(count, checks, false).await;
    let start = Gauge::now();
    joined(count, checks, true).await;
    start.check("joined", checks).await;
    cancelled(count, checks, true).await;
    start.check("cancelled", checks).await;
}

/// Spawns tasks that yield once, and waits for them.
async fn joined(count: usize, checks: &mut Checks, say: bool) {
    let ran = Arc::new(AtomicUsize::new(0));
    let began = Instant::now();
    let ended: Result<(), GroupError<()>> = kumi::task_group(async |group| {
        for _ in 0..count {
            let ran = Arc::clone(&ran);
            group.spawn(async move {
                kumi::yield_now().await;
                // Relaxed: the end of the group orders it.
                ran.fetch_add(1, Ordering::Relaxed);
                Ok(())
            });
        }
        Ok(())
    })
    .await;
    if say {
        checks.time("spawn, yield, join", count, began.elapsed());
    }
    checks.that(ended.is_ok(), || format!("the group ended with {ended:?}"));
    checks.equal("tasks that ran", ran.load(Ordering::Relaxed), count);
}

/// Counts the futures that are gone.
struct Gone(Arc<AtomicUsize>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Spawns tasks that wait for ever, and cancels them all.
async fn cancelled(count: usize, checks: &mut Checks, say: bool) {
    let (waits, gone) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let child = |waits: Arc<AtomicUsize>, gone: Gone| async move {
        let _gone = gone;
        waits.fetch_add(1, Ordering::Relaxed);
        pending::<Result<(), ()>>().await
    };
    let size = size_of_val(&child(Arc::clone(&waits), Gone(Arc::clone(&gone))));
    gone.store(0, Ordering::Relaxed);
    let before = Gauge::now();
    let began = Instant::now();
    let mut cancel = began;
    let ended: Result<(), GroupError<()>> = kumi::task_group(async |group| {
        for _ in 0..count {
            group.spawn(child(Arc::clone(&waits), Gone(Arc::clone(&gone))));
        }
        while waits.load(Ordering::Relaxed) < count {
            kumi::sleep(Duration::from_millis(1)).await;
        }
        if say {
            checks.time("spawn, wait", count, began.elapsed());
            let bytes = Gauge::now().bytes - before.bytes;
            let each = (bytes / count).saturating_sub(size);
            checks.line(&format!(
                "bytes of a task that waits: {each} B beside its future of {size} B"
            ));
            checks.that(each <= BYTES, || {
                format!("more than {BYTES} B for a task that waits: {each}")
            });
        }
        cancel = Instant::now();
        group.cancel();
        pending::<()>().await;
        Ok(())
    })
    .await;
    if say {
        checks.time("cancel, end", count, cancel.elapsed());
    }
    checks.that(matches!(ended, Err(GroupError::Cancelled(_))), || {
        format!("the group that was cancelled ended with {ended:?}")
    });
    checks.equal(
        "tasks that were polled",
        waits.load(Ordering::Relaxed),
        count,
    );
    checks.equal(
        "futures that were dropped",
        gone.load(Ordering::Relaxed),
        count,
    );
}

/// How many bytes a task that waits may have beside its future.
const BYTES: usize = 400;
