//! The closures that primitives call panic before they have made a future.

use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kumi_core::cleanup::{ExitStack, bracket, finally};
use kumi_core::group::{GroupBuilder, Scope, Started, TaskGroup, scope, task_group};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnBlockingExt, SpawnExt};

use super::faulty::{fall, unique};
use crate::probe::{Gate, Log, assert_panicked, hold, panic_of, text, token, until};
use crate::reports;

type Fails = &'static str;

/// A result that is never returned: the panic comes before.
fn falls<T>(what: &str) -> T {
    fall(what.to_owned());
    unreachable!("it has panicked")
}

/// That of a group, after it has spawned: the caller gets the panic, and the child is cancelled.
pub async fn in_the_body_of_a_group<R: Runtime>(rt: R) {
    let (inside, witness) = token();
    let log = Log::new();
    let noted = log.clone();
    let made = || {
        task_group(&rt, |group: TaskGroup<Fails, R>| {
            let again = group.clone();
            group.spawn(hold((inside, again), async move {
                finally(pending::<()>(), async { noted.note("cleaned up") }).await;
                Ok(())
            }));
            falls::<std::future::Ready<Result<(), Fails>>>("of the closure")
        })
    };
    assert_eq!(panic_of(made), "of the closure");
    until(|| witness.count() == 1).await;
    let next = task_group(&rt, async |_: TaskGroup<Fails, R>| Ok(1));
    assert_eq!(next.await.expect("it works"), 1);
}

/// That of a scope, after it has spawned: the child is dropped, although it has a handle of the scope.
pub async fn in_the_body_of_a_scope<R: Runtime>(_: R) {
    let (inside, witness) = token();
    let made = || {
        scope(|s: Scope<'_, Fails>| {
            let again = s.clone();
            s.spawn(hold((inside, again), pending::<Result<(), Fails>>()));
            falls::<std::future::Ready<Result<(), Fails>>>("of the closure")
        })
    };
    assert_eq!(panic_of(made), "of the closure");
    assert_eq!(witness.count(), 1);
    let next = scope(async |_: Scope<'_, Fails>| Ok(1));
    assert_eq!(next.await.expect("it works"), 1);
}

/// That of a stack, after it has pushed: the release runs all the same.
pub async fn in_the_body_of_a_stack<R: Runtime>(rt: R) {
    let log = Log::new();
    let noted = log.clone();
    let task = rt.spawn(ExitStack::run(move |stack: ExitStack| {
        stack.push_fn(move || noted.note("released"));
        falls::<std::future::Ready<()>>("of the closure")
    }));
    assert_eq!(assert_panicked(task.await.map(drop)), "of the closure");
    until(|| log.has("released")).await;
}

/// That of a child that is started: the starter gets the panic, and the group is unharmed.
pub async fn in_the_child_of_a_start<R: Runtime>(rt: R) {
    let group = task_group(&rt, async |group: TaskGroup<Fails, R>| {
        let start = || {
            group.start(|started: Started<u32>| {
                drop(started);
                falls::<std::future::Ready<Result<(), Fails>>>("of the closure")
            })
        };
        assert_eq!(panic_of(start), "of the closure");
        assert!(group.is_empty() && !group.is_cancelled());
        let next = group.start(async |started: Started<u32>| {
            started.ready(2);
            Ok(())
        });
        Ok(next.await)
    });
    assert_eq!(group.await.expect("nothing fails"), Ok(2));
}

/// That which is told of failures: that is a failure of the group, and every child ends.
pub async fn in_the_handler_of_a_group<R: Runtime>(rt: R) {
    let told = Arc::<AtomicUsize>::default();
    let count = Arc::clone(&told);
    let (inside, witness) = token();
    let group = GroupBuilder::new().supervise(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        fall("of the handler".to_owned());
    });
    let group = group.run(&rt, async |group: TaskGroup<Fails, R>| {
        group.spawn(hold(inside, pending::<Result<(), _>>()));
        group.spawn(ready(Err::<(), _>("failed")));
        pending::<Result<(), _>>().await
    });
    assert_eq!(panic_in(group).await, "of the handler");
    assert_eq!((told.load(Ordering::SeqCst), witness.count()), (1, 1));
}

/// The text of the panic of a future.
async fn panic_in<F: Future>(future: F) -> String {
    let mut future = Box::pin(future);
    std::future::poll_fn(|cx| {
        let poll = || future.as_mut().poll(cx).map(drop);
        match catch_unwind(AssertUnwindSafe(poll)) {
            Ok(poll) => poll.map(|()| panic!("it should have panicked")),
            Err(panic) => std::task::Poll::Ready(text(panic)),
        }
    })
    .await
}

/// Those of a bracket: what was acquired is released after the one, and dropped after the other.
pub async fn in_the_use_and_the_release<R: Runtime>(_: R) {
    let (acquired, witness) = token();
    let log = Log::new();
    let noted = log.clone();
    let used = bracket(
        ready(acquired),
        |_: &mut _| falls::<std::future::Ready<()>>("of the use"),
        move |acquired| async move {
            noted.note("released");
            drop(acquired);
        },
    );
    assert_eq!(panic_in(used).await, "of the use");
    assert_eq!((log.has("released"), witness.count()), (true, 1));

    let (acquired, witness) = token();
    let used = bracket(
        ready(acquired),
        async |_: &mut _| 1,
        |_acquired| falls::<std::future::Ready<()>>("of the release"),
    );
    assert_eq!(panic_in(used).await, "of the release");
    assert_eq!(witness.count(), 1);

    // Both: the first goes on.
    let second = unique("of the release");
    let text = second.clone();
    let used = bracket(
        ready(()),
        |(): &mut ()| falls::<std::future::Ready<()>>("of the use"),
        move |()| falls::<std::future::Ready<()>>(&text),
    );
    assert_eq!(panic_in(used).await, "of the use");
    assert_eq!(reports::of_panics(&second), 1);
}

/// Panics when it is dropped.
struct FallsInDrop(String);

impl Drop for FallsInDrop {
    fn drop(&mut self) {
        fall(self.0.clone());
    }
}

/// One that runs on a blocking thread, what it has captured, and what it returns.
pub async fn in_a_blocking_closure<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let sibling = rt.spawn(gate.wait());
    let (inside, witness) = token();
    let task = rt.spawn_blocking(move || {
        let _inside = inside;
        falls::<()>("of the closure");
    });
    assert_eq!(assert_panicked(task.await), "of the closure");
    assert_eq!(witness.count(), 1);

    // Cancelled before it begins or not, what it has captured is dropped once.
    let in_drop = unique("of what it captured");
    let captured = FallsInDrop(in_drop.clone());
    let task = rt.spawn_blocking(move || drop(captured));
    assert_eq!(assert_panicked(task.await), in_drop);

    let of_output = unique("of the output");
    let output = FallsInDrop(of_output.clone());
    rt.spawn_blocking(move || output).detach();
    until(|| reports::of_panics(&of_output) == 1).await;

    gate.open();
    sibling.await.expect("the sibling finishes");
    assert_eq!(rt.spawn_blocking(|| 3).await.expect("it works"), 3);
}
