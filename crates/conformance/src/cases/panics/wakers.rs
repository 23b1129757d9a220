//! The waker of whoever awaits a primitive panics: when it is woken, when it is dropped.

use std::future::{Future, pending, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Wake, Waker};

use kumi_core::cancel::{CancelScope, cancelled};
use kumi_core::cleanup::{ExitStack, bracket, finally, on_cancel, uncancellable};
use kumi_core::group::{Scope, TaskGroup, scope, task_group};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, shield};

use super::faulty::{fall, unique};
use crate::probe::{Gate, both, counting_waker, poll_with, until};
use crate::reports;

type Fails = &'static str;

/// Something to await, and what makes it ready.
struct Primitive<'a> {
    name: &'static str,
    future: Pin<Box<dyn Future<Output = ()> + 'a>>,
    trigger: Box<dyn FnOnce() + 'a>,
}

fn primitive<'a>(
    name: &'static str,
    future: impl Future<Output = ()> + 'a,
    trigger: impl FnOnce() + 'a,
) -> Primitive<'a> {
    Primitive {
        name,
        future: Box::pin(future),
        trigger: Box::new(trigger),
    }
}

/// A scope that is cancelled, around something that never ends by itself.
fn cancelled_around<'a, F: Future + 'a>(name: &'static str, inside: F) -> Primitive<'a> {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let future = async move { assert!(scope.run(inside).await.is_err()) };
    primitive(name, future, move || {
        handle.cancel();
    })
}

/// Everything that keeps a waker of whoever awaits it.
fn primitives<R: Runtime>(rt: &R) -> Vec<Primitive<'_>> {
    let mut all = vec![
        cancelled_around("scope", pending::<()>()),
        cancelled_around("finally", finally(pending::<()>(), async {})),
        cancelled_around("on_cancel", on_cancel(pending::<()>(), async {})),
        cancelled_around(
            "bracket",
            bracket(
                ready(()),
                async |(): &mut ()| pending::<()>().await,
                |()| async {},
            ),
        ),
        cancelled_around("ExitStack", ExitStack::run(async |_| pending::<()>().await)),
        cancelled_around(
            "both",
            both(pending::<()>(), finally(pending::<()>(), async {})),
        ),
    ];

    let told = CancelScope::new();
    let cancel = told.handle();
    let listening = async move { told.run(cancelled()).await.expect("it is told") };
    all.push(primitive("cancelled", listening, move || {
        cancel.cancel();
    }));
    let scope_ended = CancelScope::new();
    let (deadline, at) = (scope_ended.handle(), rt.now());
    let limited = async move { assert!(scope_ended.run(pending::<()>()).await.is_err()) };
    all.push(primitive("set_deadline", limited, move || {
        deadline.set_deadline(Some(at)).expect("it runs");
    }));
    let kept = CancelScope::new();
    let cancel = kept.handle();
    let told = async move {
        let kept = kept.run(uncancellable(cancelled()));
        kept.await.expect("it returns");
    };
    all.push(primitive("uncancellable", told, move || {
        cancel.cancel();
    }));

    let gate = Gate::new();
    let task = rt.spawn(gate.wait());
    let joins = async { task.await.expect("it returns") };
    all.push(primitive("JoinHandle", joins, move || gate.open()));
    let gate = Gate::new();
    let work = shield(rt, gate.wait());
    let joins = async { work.await.expect("it returns") };
    all.push(primitive("Shield", joins, move || gate.open()));

    // The last child ends, fails, is joined, says that it is ready; the group is cancelled.
    for (name, fails) in [("child ends", false), ("child fails", true)] {
        let gate = Gate::new();
        let wait = gate.wait();
        let group = task_group(rt, async move |group: TaskGroup<Fails, R>| {
            group.spawn(async move {
                wait.await;
                if fails { Err("failed") } else { Ok(()) }
            });
            Ok(())
        });
        let group = async move { assert_eq!(group.await.is_err(), fails) };
        all.push(primitive(name, group, move || gate.open()));
    }
    let gate = Gate::new();
    let wait = gate.wait();
    let group = task_group(rt, async move |group: TaskGroup<Fails, R>| {
        let child = group.spawn(async move {
            wait.await;
            Ok(4)
        });
        Ok(child.await)
    });
    let group = async move { assert_eq!(group.await.expect("nothing fails"), Ok(4)) };
    all.push(primitive("ChildHandle", group, move || gate.open()));
    let gate = Gate::new();
    let wait = gate.wait();
    let group = task_group(rt, async move |group: TaskGroup<Fails, R>| {
        let start = group.start(async move |started| {
            wait.await;
            started.ready(4);
            Ok(())
        });
        Ok(start.await)
    });
    let group = async move { assert_eq!(group.await.expect("nothing fails"), Ok(4)) };
    all.push(primitive("start", group, move || gate.open()));
    let cancel = Arc::new(std::sync::OnceLock::new());
    let known = Arc::clone(&cancel);
    let group = task_group(rt, async move |group: TaskGroup<Fails, R>| {
        assert!(known.set(group.clone()).is_ok());
        group.spawn(pending::<Result<(), _>>());
        pending::<Result<(), _>>().await
    });
    let group = async move { assert!(group.await.is_err()) };
    all.push(primitive("TaskGroup::cancel", group, move || {
        let group: &TaskGroup<Fails, R> = cancel.get().expect("it began");
        group.cancel();
    }));

    let gate = Gate::new();
    let wait = gate.wait();
    let in_place = async move {
        let ended = scope(async move |s: Scope<'_, Fails>| {
            let child = s.spawn(async move {
                wait.await;
                Ok(4)
            });
            Ok(child.await)
        });
        assert_eq!(ended.await.expect("nothing fails"), Ok(4));
    };
    all.push(primitive("ScopeHandle", in_place, move || gate.open()));
    all
}

/// A waker that panics when it is woken or when it is dropped.
struct Falls {
    wake: Option<String>,
    drop: Option<String>,
}

impl Wake for Falls {
    fn wake(self: Arc<Self>) {
        if let Some(text) = &self.wake {
            fall(text.clone());
        }
    }
}

impl Drop for Falls {
    fn drop(&mut self) {
        if let Some(text) = self.drop.take() {
            fall(text);
        }
    }
}

/// What was made ready is, for a waker that does not panic; and the runtime works.
async fn goes_on<R: Runtime>(rt: &R, primitive: Pin<Box<dyn Future<Output = ()> + '_>>) {
    primitive.await;
    assert_eq!(rt.spawn(async { 1 }).await.expect("it works"), 1);
}

/// A waker panics when it is woken: that is reported; whoever wakes it does not suffer, nor does
/// anybody else; what it was to be told of has happened.
pub async fn in_the_wake_of_a_waker<R: Runtime>(rt: R) {
    let all = primitives(&rt);
    assert_eq!(all.len(), 17, "so many primitives");
    for Primitive {
        name,
        mut future,
        trigger,
    } in all
    {
        let gate = Gate::new();
        let sibling = rt.spawn(gate.wait());
        let text = unique("in the wake of a waker");
        let bad = Waker::from(Arc::new(Falls {
            wake: Some(text.clone()),
            drop: None,
        }));
        assert!(poll_with(&mut future, &bad).is_pending(), "{name}");
        let told = catch_unwind(AssertUnwindSafe(trigger));
        assert!(told.is_ok(), "{name}");
        until(|| reports::of_panics(&text) > 0).await;
        goes_on(&rt, future).await;
        gate.open();
        sibling.await.expect("the sibling finishes");
    }
}

/// A waker panics when it is dropped, which a poll with another one does: that is reported, and what
/// is awaited stays as it was.
pub async fn in_the_drop_of_a_waker<R: Runtime>(rt: R) {
    for Primitive {
        name,
        mut future,
        trigger,
    } in primitives(&rt)
    {
        let text = unique("in the drop of a waker");
        let bad = Waker::from(Arc::new(Falls {
            wake: None,
            drop: Some(text.clone()),
        }));
        assert!(poll_with(&mut future, &bad).is_pending(), "{name}");
        // The primitive has the last ones now.
        drop(bad);
        let (wakes, good) = counting_waker();
        let poll = || poll_with(&mut future, &good);
        let poll = catch_unwind(AssertUnwindSafe(poll));
        assert!(poll.is_ok_and(|poll| poll.is_pending()), "{name}");
        assert_eq!(reports::of_panics(&text), 1, "{name}");
        trigger();
        until(|| wakes.count() > 0).await;
        goes_on(&rt, future).await;
    }
}
