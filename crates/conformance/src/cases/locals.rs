//! `task_local!`: values that belong to a task and that its children inherit.
//!
//! (Python's `contextvars`, TK19.)
#![allow(
    clippy::async_yields_async,
    reason = "the handle is what the scope gives"
)]

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::cleanup::finally;
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnBlockingExt, SpawnExt};

use crate::probe::{Gate, Log, assert_panicked, both, panic_of, token, turns, unordered, until};

kumi_core::task_local! {
    /// The variable of most cases.
    static NUMBER: u32;
    /// Another one of the same type.
    static OTHER: u32;
    /// One that cannot be copied.
    static SHARED: Arc<dyn Send + Sync>;
}

/// The value, if there is one.
fn number() -> Option<u32> {
    NUMBER.try_with(|number| *number)
}

/// A value is in force inside of its scope, over awaits, and nowhere else.
pub async fn inside_of_its_scope<R: Runtime>(_: R) {
    assert_eq!(number(), None);
    let inside = NUMBER.scope(1, async {
        assert_eq!(NUMBER.get(), 1);
        checkpoint().await;
        NUMBER.with(|number| number + 1)
    });
    assert_eq!(number(), None);
    assert_eq!(inside.await, 2);
    assert_eq!(number(), None);
    assert_eq!(NUMBER.sync_scope(3, number), Some(3));
    assert_eq!(number(), None);
}

/// An inner scope hides the value of the outer one, and it is back afterwards; keys do not disturb each
/// other.
pub async fn nested<R: Runtime>(_: R) {
    let inner = async {
        let both = NUMBER.scope(3, async {
            checkpoint().await;
            (NUMBER.get(), OTHER.get())
        });
        assert_eq!(both.await, (3, 2));
        assert_eq!(NUMBER.sync_scope(4, || (NUMBER.get(), OTHER.get())), (4, 2));
        (NUMBER.get(), OTHER.get())
    };
    let outer = async {
        assert_eq!(OTHER.try_with(|_| ()), None);
        OTHER.scope(2, inner).await
    };
    assert_eq!(NUMBER.scope(1, outer).await, (1, 2));
}

/// A task inherits the values of where it is spawned, and hands them on to those that it spawns.
pub async fn inherited_by_tasks<R: Runtime>(rt: R) {
    let spawner = rt.clone();
    let child = NUMBER.sync_scope(7, || {
        rt.spawn(async move {
            checkpoint().await;
            let grandchild = spawner.spawn(async {
                checkpoint().await;
                NUMBER.get()
            });
            (NUMBER.get(), grandchild.await.unwrap())
        })
    });
    assert_eq!(child.await.unwrap(), (7, 7));
    assert_eq!(rt.spawn(async { number() }).await.unwrap(), None);
}

/// A blocking closure inherits them too, and so do tasks that it spawns.
pub async fn inherited_by_closures<R: Runtime>(rt: R) {
    let spawner = rt.clone();
    let closure = NUMBER.scope(8, async {
        rt.spawn_blocking(move || (number(), spawner.spawn(async { number() })))
    });
    let (inside, child) = closure.await.await.unwrap();
    assert_eq!(inside, Some(8));
    assert_eq!(child.await.unwrap(), Some(8));
}

/// A child sees the values at the time of its spawn; later ones on either side stay there.
pub async fn later_values_are_not_seen<R: Runtime>(rt: R) {
    let (spawned, set) = (Gate::new(), Gate::new());
    let (open, wait) = (spawned.clone(), set.wait());
    NUMBER
        .scope(1, async {
            let child = rt.spawn(async move {
                let own = NUMBER.scope(3, async {
                    open.open();
                    wait.await;
                    NUMBER.get()
                });
                (own.await, NUMBER.get())
            });
            spawned.wait().await;
            assert_eq!(NUMBER.get(), 1);
            NUMBER
                .scope(2, async {
                    set.open();
                    checkpoint().await;
                    assert_eq!(child.await.unwrap(), (3, 1));
                })
                .await;
        })
        .await;
}

/// Tasks that take turns, and members of a combinator, do not see each other's values.
pub async fn each_sees_its_own<R: Runtime>(rt: R) {
    let many = |n: u32| async move {
        for _ in 0..20 {
            checkpoint().await;
            assert_eq!(number(), Some(n));
        }
    };
    let tasks: Vec<_> = (0..20)
        .map(|n| rt.spawn(NUMBER.scope(n, many(n))))
        .collect();
    let members = unordered((100..120).map(|n| NUMBER.scope(n, many(n))));
    let pair = both(NUMBER.scope(1, many(1)), NUMBER.scope(2, many(2)));
    both(members, pair).await;
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(number(), None);
}

/// After a panic the values of outside are in force again.
pub async fn restored_after_a_panic<R: Runtime>(rt: R) {
    let body = async {
        assert_eq!(
            panic_of(|| NUMBER.sync_scope(2, || panic!("within"))),
            "within"
        );
        assert_eq!(NUMBER.get(), 1);
        let mut failing = pin!(NUMBER.scope(3, async { panic!("inside") }));
        let panicked = poll_fn(|cx| {
            let poll = catch_unwind(AssertUnwindSafe(|| {
                let _: Poll<()> = failing.as_mut().poll(cx);
            }));
            Poll::Ready(poll.is_err())
        });
        assert!(panicked.await);
        assert_eq!(NUMBER.get(), 1);
    };
    NUMBER.scope(1, body).await;
    let failing = rt.spawn(NUMBER.scope(4, async { panic!("the task") }));
    let joined: Result<(), _> = failing.await;
    assert_eq!(assert_panicked(joined), "the task");
    for _ in 0..5 {
        assert_eq!(rt.spawn(async { number() }).await.unwrap(), None);
    }
}

/// A value that is missing is a panic that says what to do.
pub async fn a_missing_value<R: Runtime>(rt: R) {
    for text in [
        panic_of(|| NUMBER.get()),
        panic_of(|| NUMBER.with(|_| ())),
        assert_panicked(rt.spawn(async { NUMBER.get() }).await),
    ] {
        assert!(text.contains("KEY.scope(value, ...)"), "{text}");
    }
}

/// A value lives until the last one that could see it has ended, and is dropped once.
pub async fn dropped_after_the_last<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let wait = gate.wait();
    let (value, witness) = token();
    let child = SHARED
        .scope(Arc::new(value), async {
            rt.spawn(async move {
                wait.await;
                SHARED.with(|_| ());
            })
        })
        .await;
    turns(&rt, 3).await;
    assert!(!witness.is_dropped());
    gate.open();
    child.await.unwrap();
    until(|| witness.is_dropped()).await;
    assert_eq!(witness.count(), 1);
}

/// Scopes and clean-ups inside see the value.
pub async fn inside_of_scopes_and_clean_ups<R: Runtime>(rt: R) {
    let log = Log::new();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let body = finally(
        async {
            assert_eq!(NUMBER.get(), 5);
            handle.cancel();
            checkpoint().await;
        },
        async {
            assert_eq!(NUMBER.get(), 5);
            assert_eq!(rt.spawn(async { number() }).await.unwrap(), Some(5));
            log.note("cleaned up");
        },
    );
    assert!(NUMBER.scope(5, scope.run(body)).await.is_err());
    assert_eq!(log.read(), ["cleaned up"]);
}
