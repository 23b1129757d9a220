//! Groups whose children run in the task that awaits them.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{pending, poll_fn};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use kumi_core::cleanup::finally;
use kumi_core::combine::{timeout, yield_now};
use kumi_core::group::{ChildError, Scope, ScopeSend, scope, scope_send};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{Gate, Manual, poll_once, text, token, turns};

type Fails = &'static str;

const MS: Duration = Duration::from_millis(1);

/// Children may borrow and need not be `Send`; the scope ends after them.
pub async fn children_may_borrow<R: Runtime>(rt: R) {
    let log = RefCell::new(Vec::new());
    let shared = Rc::new(());
    let value = scope(async |s: Scope<'_, Infallible>| {
        for number in 0..3 {
            let (log, shared, rt) = (&log, Rc::clone(&shared), &rt);
            s.spawn(async move {
                turns(rt, 3 - number).await;
                log.borrow_mut().push(number);
                drop(shared);
                Ok(())
            });
        }
        Ok(1)
    });
    assert_eq!(value.await.unwrap(), 1);
    assert_eq!(log.borrow().len(), 3);
    assert_eq!(Rc::strong_count(&shared), 1);
}

/// Handles give values; a child may spawn siblings.
pub async fn handles<R: Runtime>(_rt: R) {
    let value = scope(async |s: Scope<'_, Infallible>| {
        let inner = s.clone();
        let a = s.spawn(async move {
            let b = inner.spawn(async { Ok(20) });
            Ok(b.await.unwrap() + 1)
        });
        Ok(a.await.unwrap() * 2)
    });
    assert_eq!(value.await.unwrap(), 42);
}

/// Only a child that was woken is polled.
pub async fn only_the_woken_are_polled<R: Runtime>(_rt: R) {
    let polls = Cell::new(0);
    let (hand, other) = (Manual::<()>::new(), Manual::<()>::new());
    let mut group = Box::pin(scope(async |s: Scope<'_, Infallible>| {
        let polls = &polls;
        let parked = other.future();
        s.spawn(async move {
            let mut parked = std::pin::pin!(parked);
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                parked.as_mut().poll(cx)
            })
            .await;
            Ok(())
        });
        let woken = hand.future();
        s.spawn(async move {
            woken.await;
            Ok(())
        });
        Ok(())
    }));
    assert!(poll_once(&mut group).await.is_pending());
    assert_eq!(polls.get(), 1);
    hand.finish(());
    assert!(poll_once(&mut group).await.is_pending());
    assert_eq!(polls.get(), 1);
    other.finish(());
    group.await.unwrap();
    assert_eq!(polls.get(), 2);
}

/// The first error cancels the others, whose clean-ups run first.
pub async fn an_error_cancels_the_others<R: Runtime>(rt: R) {
    let cleaned = Cell::new(0);
    let failed = scope(async |s: Scope<'_, Fails>| {
        for _ in 0..3 {
            let (cleaned, rt) = (&cleaned, &rt);
            s.spawn(async move {
                finally(pending::<()>(), async {
                    turns(rt, 2).await;
                    cleaned.set(cleaned.get() + 1);
                })
                .await;
                Ok(())
            });
        }
        s.spawn(async {
            yield_now().await;
            Err::<(), _>("error")
        });
        pending::<Result<(), Fails>>().await
    });
    assert_eq!(failed.await.unwrap_err().into_vec(), ["error"]);
    assert_eq!(cleaned.get(), 3);
}

/// A panic of a child cancels the others and goes on when they have cleaned up.
pub async fn a_child_panics<R: Runtime>(rt: R) {
    let cleaned = Cell::new(false);
    let mut group = Box::pin(scope(async |s: Scope<'_, Fails>| {
        let (cleaned, rt) = (&cleaned, &rt);
        s.spawn(async move {
            finally(pending::<()>(), async {
                turns(rt, 2).await;
                cleaned.set(true);
            })
            .await;
            Ok(())
        });
        s.spawn(async {
            assert!(std::hint::black_box(false), "in place");
            Ok(())
        });
        Ok(())
    }));
    let panic = poll_fn(|cx| {
        let poll = || group.as_mut().poll(cx);
        match std::panic::catch_unwind(AssertUnwindSafe(poll)) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => panic!("it should have panicked"),
            Err(panic) => Poll::Ready(panic),
        }
    });
    assert_eq!(text(panic.await), "in place");
    assert!(cleaned.get());
}

/// A child can be cancelled alone, which is no failure.
pub async fn one_child_is_cancelled<R: Runtime>(_rt: R) {
    let value = scope(async |s: Scope<'_, Fails>| {
        let victim = s.spawn(async { pending::<Result<(), Fails>>().await });
        yield_now().await;
        assert!(victim.cancel());
        assert_eq!(victim.await, Err(ChildError::Cancelled));
        Ok(2)
    });
    assert_eq!(value.await.unwrap(), 2);
}

/// A cancel from outside unwinds body and children, and is not swallowed.
pub async fn cancelled_from_outside<R: Runtime>(rt: R) {
    let (cleaned, after) = (Cell::new(0), Cell::new(false));
    let limited = timeout(&rt, 3 * MS, async {
        let group = scope(async |s: Scope<'_, Fails>| {
            for _ in 0..3 {
                let (cleaned, rt) = (&cleaned, &rt);
                s.spawn(async move {
                    finally(pending::<()>(), async {
                        turns(rt, 2).await;
                        cleaned.set(cleaned.get() + 1);
                    })
                    .await;
                    Ok(())
                });
            }
            Ok(())
        });
        let _ = group.await;
        after.set(true);
    });
    assert!(limited.await.is_err());
    assert_eq!((cleaned.get(), after.get()), (3, false));
}

/// `cancel` is silent: the value of the body wins.
pub async fn cancelled_by_its_handle<R: Runtime>(_rt: R) {
    let (inside, witness) = token();
    let value = scope(async |s: Scope<'_, Fails>| {
        s.spawn(async move {
            let _inside = inside;
            pending::<Result<(), Fails>>().await
        });
        yield_now().await;
        s.cancel();
        Ok(9)
    });
    assert_eq!(value.await.unwrap(), 9);
    assert_eq!(witness.count(), 1);
}

/// Dropping it drops the children.
pub async fn dropped<R: Runtime>(_rt: R) {
    let (inside, witness) = token();
    let mut group = Box::pin(scope(async |s: Scope<'_, Fails>| {
        s.spawn(async move {
            let _inside = inside;
            pending::<Result<(), Fails>>().await
        });
        Ok(())
    }));
    assert!(poll_once(&mut group).await.is_pending());
    drop(group);
    assert_eq!(witness.count(), 1);
}

/// Children that are always ready starve nobody, and all of many end.
pub async fn many_ready_children<R: Runtime>(rt: R) {
    const CHILDREN: usize = 1_000;
    let count = Cell::new(0);
    let gate = Gate::new();
    let opener = gate.clone();
    let other = rt.spawn(async move { opener.open() });
    let group = scope(async |s: Scope<'_, Fails>| {
        for _ in 0..CHILDREN {
            let count = &count;
            s.spawn(async move {
                count.set(count.get() + 1);
                Ok(())
            });
        }
        // One that is always ready, until another task has had its turn.
        s.spawn(async {
            let mut opened = std::pin::pin!(gate.wait());
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                opened.as_mut().poll(cx)
            })
            .await;
            Ok(())
        });
        Ok(())
    });
    group.await.unwrap();
    other.await.unwrap();
    assert_eq!(count.get(), CHILDREN);
}

/// `scope_send` can be awaited in a task.
pub async fn in_a_task<R: Runtime>(rt: R) {
    let task = rt.spawn(async {
        let numbers = [1, 2, 3];
        let group = scope_send(async |s: ScopeSend<'_, Infallible>| {
            let mut sum = 0;
            for number in &numbers {
                sum += s.spawn(async move { Ok(*number) }).await.unwrap();
            }
            Ok(sum)
        });
        group.await.unwrap()
    });
    assert_eq!(task.await.unwrap(), 6);
}
