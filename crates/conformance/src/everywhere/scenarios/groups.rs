//! Groups of tasks, and of futures in place.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use kumi_core::cancel::checkpoint;
use kumi_core::cleanup::finally;
use kumi_core::combine::timeout;
use kumi_core::group::{GroupBuilder, GroupError, scope, scope_send, task_group};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use super::{goodbye, panic_in, region, steps};
use crate::everywhere::Ledger;

/// A child that works for some steps.
async fn worker(ledger: Ledger, name: &'static str, count: usize) -> Result<usize, Infallible> {
    let _held = ledger.hold(name);
    region(&ledger, name, steps(&ledger, count)).await;
    Ok(count)
}

/// A child that waits for ever.
async fn waits(ledger: Ledger, name: &'static str) -> Result<(), &'static str> {
    let _held = ledger.hold(name);
    region(&ledger, name, pending::<()>()).await;
    Ok(())
}

/// A child that fails.
async fn fails(ledger: Ledger) -> Result<(), &'static str> {
    region(&ledger, "fails", steps(&ledger, 1)).await;
    Err("a child of a scenario")
}

/// Children that all end well; the body waits for some.
pub async fn children<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        let one = group.spawn(worker(ledger.clone(), "one", 1));
        group.spawn(worker(ledger.clone(), "two", 3));
        steps(&ledger, 1).await;
        one.await
            .map_err(|_| unreachable!("no child fails"))
            .map(drop)
    });
    ledger.check(group.await.is_ok(), "a group failed");
    steps(&ledger, 1).await;
}

/// A child that fails cancels the others, and the body.
pub async fn a_child_fails<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        group.spawn(waits(ledger.clone(), "other"));
        group.spawn(fails(ledger.clone()));
        region(&ledger, "body", pending::<()>()).await;
        Ok(())
    });
    let failed = group.await;
    let first = failed.err().and_then(GroupError::into_first);
    ledger.check(first == Some("a child of a scenario"), "the error was lost");
    steps(&ledger, 1).await;
}

/// The body fails while children run.
pub async fn the_body_fails<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        group.spawn(waits(ledger.clone(), "child"));
        steps(&ledger, 1).await;
        Err::<(), _>("a body of a scenario")
    });
    let first = group.await.err().and_then(GroupError::into_first);
    ledger.check(first == Some("a body of a scenario"), "the error was lost");
}

/// A child panics: the others clean up, then the panic goes on.
pub async fn a_child_panics<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        group.spawn(waits(ledger.clone(), "other"));
        let own = ledger.clone();
        group.spawn::<_, ()>(async move {
            steps(&own, 1).await;
            panic!("a child of a scenario");
        });
        steps(&ledger, 1).await;
        Ok(())
    });
    let panicked = panic_in(group).await;
    ledger.check(panicked.is_some(), "the panic was lost");
    steps(&ledger, 1).await;
}

/// A group in a child of a group.
pub async fn in_each_other<R: Runtime>(rt: R, ledger: Ledger) {
    let next = rt.clone();
    let group = task_group(&rt, async |group| {
        let own = ledger.clone();
        group.spawn(async move {
            let inner = task_group(&next, async |group| {
                group.spawn(worker(own.clone(), "inner", 2));
                group.spawn(worker(own.clone(), "inner", 1));
                Ok(())
            });
            let ended = region(&own, "outer", inner).await;
            own.check(ended.is_ok(), "a group failed");
            Ok::<_, Infallible>(())
        });
        steps(&ledger, 1).await;
        Ok(())
    });
    ledger.check(group.await.is_ok(), "a group failed");
}

/// Never more than two at a time; those that have not begun hold nothing.
pub async fn with_a_limit<R: Runtime>(rt: R, ledger: Ledger) {
    let group = GroupBuilder::new().limit(2).run(&rt, async |group| {
        for name in ["one", "two", "three", "four"] {
            group.spawn(worker(ledger.clone(), name, 1));
        }
        steps(&ledger, 1).await;
        Ok(())
    });
    ledger.check(group.await.is_ok(), "a group failed");
}

/// Children in the background are ended when the others have.
pub async fn in_the_background<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        group.spawn_background(waits(ledger.clone(), "heartbeat"));
        let own = ledger.clone();
        group.spawn(async move {
            steps(&own, 2).await;
            Ok(())
        });
        Ok(())
    });
    ledger.check(group.await.is_ok(), "a group failed");
    steps(&ledger, 1).await;
}

/// A server that says when it is ready.
pub async fn a_handshake<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        let own = ledger.clone();
        let started = group.start(async move |ready| {
            let body = async {
                steps(&own, 1).await;
                ready.ready(8080);
                pending::<Result<(), Infallible>>().await
            };
            region(&own, "server", body).await
        });
        let port = started.await;
        ledger.check(port == Ok(8080), "the value of the handshake was lost");
        steps(&ledger, 1).await;
        group.cancel();
        Ok(())
    });
    ledger.check(group.await.is_ok(), "a group failed");
}

/// Failures that are looked at, and leave the others alone.
pub async fn supervised<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let seen = move |_| own.note("a child failed");
    let group = GroupBuilder::new().supervise(seen).run(&rt, async |group| {
        group.spawn(fails(ledger.clone()));
        let own = ledger.clone();
        group.spawn(async move {
            region(&own, "other", steps(&own, 3)).await;
            Ok(())
        });
        steps(&ledger, 1).await;
        Ok(())
    });
    ledger.check(group.await.is_ok(), "a group failed");
}

/// A group that its body cancels: no failure, and no end of what is around it.
pub async fn cancelled_by_itself<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        group.spawn(waits(ledger.clone(), "child"));
        steps(&ledger, 1).await;
        group.cancel();
        checkpoint().await;
        ledger.check(false, "code after a cancel was run");
        Ok(())
    });
    let ended = group.await;
    let cancelled = ended.is_err_and(|error| error.is_cancelled());
    ledger.check(cancelled, "a group that was cancelled gave something");
    steps(&ledger, 1).await;
}

/// A group in a clean-up, which waits for its children whatever happens outside.
pub async fn in_a_clean_up<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let clean_up = {
        let (rt, ledger) = (rt.clone(), ledger.clone());
        async move {
            let group = task_group(&rt, async |group| {
                group.spawn(worker(ledger.clone(), "flush", 1));
                group.spawn(worker(ledger.clone(), "sync", 2));
                Ok(())
            });
            ledger.check(group.await.is_ok(), "a group failed");
        }
    };
    let body = async move {
        own.due("save");
        steps(&own, 2).await;
    };
    finally(body, ledger.clean_up("save", clean_up)).await;
}

/// A group under a time limit that expires: the limit resolves after the children's clean-ups.
pub async fn under_a_limit<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        group.spawn(waits(ledger.clone(), "child"));
        group.spawn(waits(ledger.clone(), "other"));
        Ok(())
    });
    let ended = timeout(&rt, Duration::from_micros(1), group).await;
    ledger.check(ended.is_err(), "the limit did not expire");
    steps(&ledger, 1).await;
}

/// A child that spawns a sibling, and a child that is cancelled alone.
pub async fn siblings<R: Runtime>(rt: R, ledger: Ledger) {
    let group = task_group(&rt, async |group| {
        let (more, own) = (group.clone(), ledger.clone());
        group.spawn(async move {
            steps(&own, 1).await;
            // The group may have been asked to end meanwhile.
            let _ = more.try_spawn(worker(own.clone(), "sibling", 1));
            Ok::<_, Infallible>(())
        });
        let alone = group.spawn(async {
            pending::<()>().await;
            Ok(())
        });
        steps(&ledger, 1).await;
        alone.cancel();
        ledger.check(alone.await.is_err(), "a cancelled child gave a value");
        Ok(())
    });
    ledger.check(group.await.is_ok(), "a group failed");
}

/// Children that borrow, in the task itself.
pub async fn in_place<R: Runtime>(_: R, ledger: Ledger) {
    let sum = Cell::new(0);
    let run = scope(async |s| {
        for (count, name) in [(1, "one"), (2, "two")] {
            let (sum, own) = (&sum, ledger.clone());
            s.spawn(async move {
                let count = worker(own, name, count).await?;
                sum.set(sum.get() + count);
                Ok::<_, Infallible>(())
            });
        }
        Ok(())
    });
    ledger.check(run.await.is_ok(), "a scope failed");
    ledger.check(sum.get() == 3, "a child was lost");
    steps(&ledger, 1).await;
}

/// A child in place fails: the others clean up.
pub async fn a_child_in_place_fails<R: Runtime>(_: R, ledger: Ledger) {
    let run = scope_send(async |s| {
        s.spawn(waits(ledger.clone(), "other"));
        s.spawn(fails(ledger.clone()));
        region(&ledger, "body", pending::<()>()).await;
        Ok(())
    });
    let first = run.await.err().and_then(GroupError::into_first);
    ledger.check(first == Some("a child of a scenario"), "the error was lost");
    steps(&ledger, 1).await;
}

/// A group in place around a group of tasks, and a task that is nobody's child.
pub async fn all_together<R: Runtime>(rt: R, ledger: Ledger) {
    let run = scope_send(async |s| {
        let (rt, own) = (rt.clone(), ledger.clone());
        s.spawn(async move {
            let group = task_group(&rt, async |group| {
                group.spawn(worker(own.clone(), "task", 2));
                Ok(())
            });
            group.await.map(drop).map_err(|_| "a group of a scenario")
        });
        s.spawn(async {
            region(&ledger, "in place", steps(&ledger, 1)).await;
            Ok(())
        });
        Ok(())
    });
    ledger.check(run.await.is_ok(), "a scope failed");
    let task = rt.spawn(goodbye_later(ledger.clone()));
    let _ = task.await;
}

async fn goodbye_later(ledger: Ledger) {
    ledger.due_later("task");
    finally(steps(&ledger, 1), goodbye(&ledger, "task")).await;
}
