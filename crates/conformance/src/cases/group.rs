//! Task groups: nothing outlives them, the first failure cancels the others, nothing is lost.

use std::convert::Infallible;
use std::future::pending;
use std::num::ParseIntError;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use kumi_core::cancel::cancelled;
use kumi_core::cleanup::finally;
use kumi_core::combine::timeout;
use kumi_core::group::{ChildError, Failure, GroupBuilder, GroupError, TaskGroup, task_group};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{Gate, lock, poll_once, text, token, turns, until};

pub(super) type Fails = &'static str;

const HOUR: Duration = Duration::from_secs(3600);

/// Waits for a gate, with a result.
pub(super) async fn wait(gate: Gate) -> Result<(), Fails> {
    gate.wait().await;
    Ok(())
}

/// Parked until cancelled; cleans up with some turns, and counts that it did.
pub(super) async fn parked<R: Runtime>(
    rt: R,
    begun: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
) -> Result<(), Fails> {
    begun.fetch_add(1, Ordering::SeqCst);
    finally(pending::<()>(), async {
        turns(&rt, 2).await;
        ended.fetch_add(1, Ordering::SeqCst);
    })
    .await;
    Ok(())
}

/// The group ends after its children, although the body returned before (asyncio TG1, Trio NU1).
pub async fn waits_for_children<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let done = Arc::new(AtomicBool::new(false));
    let (opener, told) = (gate.clone(), Arc::clone(&done));
    let mut group = Box::pin(task_group(&rt, async |group| {
        group.spawn(async move {
            gate.wait().await;
            told.store(true, Ordering::SeqCst);
            Ok::<_, Infallible>(())
        });
        Ok("body")
    }));
    assert!(poll_once(&mut group).await.is_pending());
    turns(&rt, 3).await;
    assert!(poll_once(&mut group).await.is_pending());
    opener.open();
    assert_eq!(group.await.unwrap(), "body");
    assert!(done.load(Ordering::SeqCst));
}

/// A group without children gives the value of its body, at once.
pub async fn without_children<R: Runtime>(rt: R) {
    let mut group = Box::pin(task_group(&rt, async |_| Ok::<_, Fails>(7)));
    assert!(matches!(poll_once(&mut group).await, Poll::Ready(Ok(7))));
}

/// Handles give the values of children, in any order, and may be dropped.
pub async fn handles<R: Runtime>(rt: R) {
    let sum = task_group(&rt, async |group| {
        let a = group.spawn(async { Ok::<_, Fails>(1) });
        let b = group.spawn(async { Ok(2) });
        drop(group.spawn(async { Ok(3) }));
        let b = b.await.unwrap();
        Ok(a.await.unwrap() + b)
    });
    assert_eq!(sum.await.unwrap(), 3);
}

/// The first error cancels the siblings, which clean up before the group fails with it (TG4).
pub async fn an_error_cancels_the_siblings<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let failed = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        for _ in 0..5 {
            group.spawn(parked(rt.clone(), Arc::clone(&begun), Arc::clone(&ended)));
        }
        until(|| begun.load(Ordering::SeqCst) == 5).await;
        group.spawn(async { Err::<(), _>("first") });
        Ok(())
    });
    let error = failed.await.unwrap_err();
    assert_eq!(ended.load(Ordering::SeqCst), 5);
    assert_eq!(error.into_vec(), ["first"]);
}

/// It cancels the body as well, whose clean-ups run; code after the await does not.
pub async fn an_error_cancels_the_body<R: Runtime>(rt: R) {
    let cleaned = AtomicBool::new(false);
    let failed = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn(async { Err::<(), _>("child") });
        finally(pending::<()>(), async {
            turns(&rt, 2).await;
            cleaned.store(true, Ordering::SeqCst);
        })
        .await;
        panic!("the body goes on");
        #[allow(unreachable_code, reason = "it says what the body returns")]
        Ok(())
    });
    assert_eq!(failed.await.unwrap_err().into_vec(), ["child"]);
    assert!(cleaned.load(Ordering::SeqCst));
}

/// Errors are listed in the order in which they came, those that come because of the cancel last.
pub async fn errors_in_order<R: Runtime>(rt: R) {
    let failed = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let begun = Gate::new();
        let opener = begun.clone();
        group.spawn(async move {
            opener.open();
            cancelled().await;
            Err::<(), _>("second")
        });
        begun.wait().await;
        group.spawn(async { Err::<(), _>("first") });
        Ok(())
    });
    assert_eq!(failed.await.unwrap_err().into_vec(), ["first", "second"]);
}

/// The error of the body cancels the children and is the group's (TG7).
pub async fn the_body_fails<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let failed: Result<(), GroupError<ParseIntError>> = task_group(&rt, async |group| {
        let child = parked(rt.clone(), Arc::clone(&begun), Arc::clone(&ended));
        group.spawn(async {
            let _ = child.await;
            Ok(())
        });
        until(|| begun.load(Ordering::SeqCst) == 1).await;
        let _: u32 = "x".parse()?;
        Ok(())
    })
    .await;
    assert!(failed.unwrap_err().first().is_some());
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

/// A panic of a child cancels the siblings, waits for them, and then goes on.
pub async fn a_child_panics<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (b, e, clock) = (Arc::clone(&begun), Arc::clone(&ended), rt.clone());
    let task = rt.spawn(async move {
        let group = task_group(&clock, async |group: TaskGroup<Fails, R>| {
            group.spawn(parked(clock.clone(), Arc::clone(&b), e));
            until(|| b.load(Ordering::SeqCst) == 1).await;
            group.spawn(async {
                assert!(std::hint::black_box(false), "child's panic");
                Ok(())
            });
            pending::<Result<(), Fails>>().await
        });
        drop(group.await);
    });
    let panic = task.await.unwrap_err().into_panic();
    assert_eq!(text(panic), "child's panic");
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

/// A panic of the body does the same.
pub async fn the_body_panics<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let (b, e, clock) = (Arc::clone(&begun), Arc::clone(&ended), rt.clone());
    let task = rt.spawn(async move {
        let group = task_group(&clock, async |group: TaskGroup<Fails, R>| {
            group.spawn(parked(clock.clone(), Arc::clone(&b), e));
            until(|| b.load(Ordering::SeqCst) == 1).await;
            assert!(std::hint::black_box(false), "body's panic");
            Ok(())
        });
        drop(group.await);
    });
    assert_eq!(text(task.await.unwrap_err().into_panic()), "body's panic");
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

/// A child that was cancelled by itself is no failure, and its handle says so (TG6).
pub async fn a_cancelled_child_is_no_failure<R: Runtime>(rt: R) {
    let value = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let victim = group.spawn(async { pending::<Result<(), Fails>>().await });
        let sibling = group.spawn(async { Ok(1) });
        turns(&rt, 2).await;
        assert!(victim.cancel());
        assert_eq!(victim.await, Err(ChildError::Cancelled));
        Ok(sibling.await.unwrap())
    });
    assert_eq!(value.await.unwrap(), 1);
}

/// The handle of a child that failed says so, and the error is the group's.
pub async fn the_handle_of_a_failed_child<R: Runtime>(rt: R) {
    let seen = Arc::new(Mutex::new(None));
    let note = Arc::clone(&seen);
    let mut builder = GroupBuilder::new();
    builder = builder.supervise(|_| ());
    let done = builder.run(&rt, async |group: TaskGroup<Fails, R>| {
        let child = group.spawn(async { Err::<(), _>("error") });
        *lock(&note) = Some(child.await);
        Ok(())
    });
    done.await.unwrap();
    assert_eq!(*lock(&seen), Some(Err(ChildError::Failed)));
}

/// Children may add siblings while the group waits; when it has ended the future is given back
/// (TG2, TG3).
pub async fn spawn_while_waiting<R: Runtime>(rt: R) {
    let count = Arc::new(AtomicUsize::new(0));
    let kept = Arc::new(Mutex::new(None));
    let slot = Arc::clone(&kept);
    let total = Arc::clone(&count);
    task_group(&rt, async |group: TaskGroup<Fails, R>| {
        fn more<R: Runtime>(group: TaskGroup<Fails, R>, count: Arc<AtomicUsize>, depth: usize) {
            let next = group.clone();
            group.spawn(async move {
                count.fetch_add(1, Ordering::SeqCst);
                if depth > 0 {
                    more(next, count, depth - 1);
                }
                Ok(())
            });
        }
        *lock(&slot) = Some(group.clone());
        more(group, total, 20);
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 21);
    let group = lock(&kept).take().unwrap();
    assert!(group.is_closed());
    let (captured, witness) = token();
    let back = group.try_spawn(async move {
        drop(captured);
        Ok(())
    });
    let closed = back.unwrap_err();
    assert_eq!(witness.count(), 0);
    assert!(closed.to_string().contains("has ended"));
    rt.spawn(async move { closed.0.await.unwrap() })
        .await
        .unwrap();
    assert_eq!(witness.count(), 1);
}

/// An inner group that fails is an error of the outer one, once, in its place (TG13).
pub async fn nested<R: Runtime>(rt: R) {
    let failed = task_group(&rt, async |outer: TaskGroup<String, R>| {
        let clock = rt.clone();
        outer.spawn(async move {
            let inner = task_group(&clock, async |inner: TaskGroup<Fails, R>| {
                inner.spawn(async { Err::<(), _>("inner") });
                Ok(())
            });
            inner.await.map_err(|error| error.to_string())
        });
        Ok(())
    });
    assert_eq!(failed.await.unwrap_err().into_vec(), ["inner"]);
}

/// A supervisor is told of failures, which leave the others alone; the body's failure does not (KO3).
pub async fn supervised<R: Runtime>(rt: R) {
    let told = Arc::new(Mutex::new(Vec::new()));
    let note = Arc::clone(&told);
    let builder = GroupBuilder::new().supervise(move |failure| {
        lock(&note).push(match failure {
            Failure::Error(error) => error,
            Failure::Panic(_) => "panic",
        });
    });
    let value = builder.run(&rt, async |group: TaskGroup<Fails, R>| {
        let bad = group.spawn(async { Err::<(), _>("error") });
        let worse = group.spawn(async {
            assert!(std::hint::black_box(false), "a supervised panic");
            Ok(())
        });
        assert_eq!(bad.await, Err(ChildError::Failed));
        assert_eq!(worse.await, Err(ChildError::Failed));
        let good = group.spawn(async { Ok(5) });
        Ok(good.await.unwrap())
    });
    assert_eq!(value.await.unwrap(), 5);
    assert_eq!(lock(&told).len(), 2);

    let (inside, witness) = token();
    let builder = GroupBuilder::new().supervise(|_| ());
    let failed = builder.run(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn(async move {
            let _inside = inside;
            pending::<Result<(), Fails>>().await
        });
        Err::<(), _>("body")
    });
    assert_eq!(failed.await.unwrap_err().into_vec(), ["body"]);
    assert_eq!(witness.count(), 1);
}

/// Background children end with the others, and clean up.
pub async fn background<R: Runtime>(rt: R) {
    let (begun, ended) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let value = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn_background(parked(rt.clone(), Arc::clone(&begun), Arc::clone(&ended)));
        let clock = rt.clone();
        let ended = Arc::clone(&ended);
        group.spawn(async move {
            turns(&clock, 5).await;
            assert_eq!(ended.load(Ordering::SeqCst), 0);
            Ok(())
        });
        until(|| begun.load(Ordering::SeqCst) == 1).await;
        Ok(3)
    });
    assert_eq!(value.await.unwrap(), 3);
    assert_eq!(ended.load(Ordering::SeqCst), 1);
}

/// No more than the limit run at a time, in the order of spawning; all run in the end.
pub async fn limited<R: Runtime>(rt: R) {
    let (now, most, order) = (
        Arc::new(AtomicUsize::new(0)),
        Arc::new(AtomicUsize::new(0)),
        Arc::new(Mutex::new(Vec::new())),
    );
    let builder = GroupBuilder::new().limit(3);
    let done = builder.run(&rt, async |group: TaskGroup<Fails, R>| {
        for number in 0..30 {
            let (now, most, order) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&order));
            let clock = rt.clone();
            group.spawn(async move {
                lock(&order).push(number);
                let running = now.fetch_add(1, Ordering::SeqCst) + 1;
                most.fetch_max(running, Ordering::SeqCst);
                turns(&clock, number % 4).await;
                now.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            });
        }
        assert!(group.len() <= 30);
        Ok(())
    });
    done.await.unwrap();
    assert!(most.load(Ordering::SeqCst) <= 3);
    assert_eq!(lock(&order).len(), 30);
}

/// A hundred thousand short children leave nothing behind, and all their values were there.
pub async fn many_children<R: Runtime>(rt: R) {
    const CHILDREN: usize = 2_000;
    let sum = Arc::new(AtomicUsize::new(0));
    let total = Arc::clone(&sum);
    task_group(&rt, async |group: TaskGroup<Fails, R>| {
        for round in 0..CHILDREN {
            let sum = Arc::clone(&total);
            group.spawn(async move {
                sum.fetch_add(1, Ordering::SeqCst);
                Ok(())
            });
            if round % 10 == 9 {
                until(|| group.is_empty()).await;
            }
        }
        Ok(())
    })
    .await
    .unwrap();
    assert_eq!(sum.load(Ordering::SeqCst), CHILDREN);
}

/// A limit of zero is refused with a message.
pub async fn a_limit_of_zero<R: Runtime>(_rt: R) {
    let message = crate::probe::panic_of(|| GroupBuilder::<Fails>::new().limit(0));
    assert!(message.contains("limit of 0"), "{message}");
}

/// The group is `Send` if its body is, and so can be awaited in a task.
pub async fn in_a_task<R: Runtime>(rt: R) {
    let clock = rt.clone();
    let task = rt.spawn(async move {
        let group = task_group(&clock, async |group: TaskGroup<Fails, R>| {
            Ok(group.spawn(async { Ok(4) }).await.unwrap())
        });
        timeout(&clock, HOUR, group).await.unwrap().unwrap()
    });
    assert_eq!(task.await.unwrap(), 4);
}
