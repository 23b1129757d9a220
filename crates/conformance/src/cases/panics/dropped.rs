//! A primitive is dropped from outside, and a destructor inside of it panics.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::cleanup::{ExitStack, finally};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use super::bodies::{Primitive, run};
use super::faulty::{Plan, fall, map, unique};
use crate::probe::{Gate, Log, counting_waker, hold, poll_with, text, token, until};
use crate::reports;

use Primitive::*;

/// Those that hold their body themselves: what is in a task of its own is not dropped from outside.
const HOLDERS: [Primitive; 10] = [
    Scope,
    Limit,
    Uncancellable,
    Finally,
    OnCancel,
    Bracket,
    ExitStack,
    GroupBody,
    ScopeBody,
    ScopeChild,
];

/// The panic goes to whoever drops it, or is reported if that one is unwinding already, which would
/// end the process; the scope around has ended, nothing is kept; siblings are cancelled, releases run.
pub async fn in_a_drop<R: Runtime>(rt: R) {
    for primitive in HOLDERS {
        for unwinding in [false, true] {
            dropped(&rt, primitive, unwinding).await;
        }
    }
}

async fn dropped<R: Runtime>(rt: &R, primitive: Primitive, unwinding: bool) {
    let scene = format!("{primitive:?}, unwinding: {unwinding}");
    let (of_drop, of_caller) = (unique("of the destructor"), unique("of the caller"));
    let (body_token, body_witness) = token();
    let (clean_token, clean_witness) = token();
    let (sibling_token, sibling_witness) = token();
    let (begun, waits) = (Gate::new(), Gate::new());
    let polls = Arc::<AtomicUsize>::default();
    let body = Plan {
        poll: None,
        drop: Some(of_drop.clone()),
        time: Gate::new(),
        begun: begun.clone(),
        gone: Gate::new(),
        polls: Arc::default(),
        _token: body_token,
    };
    let open = Gate::new();
    open.open();
    let clean_up = Plan {
        poll: None,
        drop: None,
        time: open,
        begun: Gate::new(),
        gone: Gate::new(),
        polls: Arc::clone(&polls),
        _token: clean_token,
    };
    let log = Log::new();
    let (noted, waiting) = (log.clone(), waits.clone());
    let sibling = hold(sibling_token, async move {
        let clean_up = async {
            checkpoint().await;
            noted.note("sibling");
        };
        let never = async {
            waiting.open();
            std::future::pending::<()>().await;
        };
        finally(never, clean_up).await;
        Ok(())
    });

    let scope = CancelScope::new();
    let handle = scope.handle();
    let runs = run(rt, primitive, body.start(), clean_up.start(), sibling);
    let mut runs = Box::pin(scope.run(runs));
    let (_, waker) = counting_waker();
    assert!(poll_with(&mut runs, &waker).is_pending(), "{scene}");
    begun.wait().await;
    if matches!(primitive, GroupBody | ScopeBody | ScopeChild) {
        waits.wait().await;
    }
    let dropped = catch_unwind(AssertUnwindSafe(|| {
        let _runs = runs;
        if unwinding {
            fall(of_caller.clone());
        }
    }));
    let panic = text(dropped.expect_err("one of them panics"));
    let (goes_on, reported) = match unwinding {
        true => (&of_caller, 1),
        false => (&of_drop, 0),
    };
    assert_eq!(&panic, goes_on, "{scene}");
    assert_eq!(reports::of_panics(&of_drop), reported, "{scene}");

    assert!(handle.has_ended(), "{scene}");
    assert_eq!(body_witness.count(), 1, "{scene}");
    // What a runtime was given has to end as well.
    until(|| clean_witness.count() == 1 && sibling_witness.count() == 1).await;
    let released = matches!(primitive, Bracket | ExitStack);
    assert_eq!(polls.load(Ordering::SeqCst) > 0, released, "{scene}");
    assert_eq!(log.has("sibling"), primitive == GroupBody, "{scene}");
    assert_eq!(rt.spawn(async { 2 }).await.expect("it works"), 2);
}

/// A release panics after others have failed, and before another does: their errors, which the panic
/// keeps from the caller, are reported, once each.
pub async fn after_errors_of_releases<R: Runtime>(rt: R) {
    let (first, second) = (unique("the first error"), unique("the second error"));
    let (to_fail, also) = (first.clone(), second.clone());
    let task = rt.spawn(self::ExitStack::run(move |stack: self::ExitStack| {
        stack.push(async move { Err(also.into()) });
        stack.push(map(std::future::ready(()), |()| {
            fall("of the release".to_owned());
            Ok(())
        }));
        stack.push(async move { Err(to_fail.into()) });
        std::future::ready(())
    }));
    let joined = task.await.map(drop);
    assert_eq!(crate::probe::assert_panicked(joined), "of the release");
    assert_eq!(
        (reports::of_errors(&first), reports::of_errors(&second)),
        (1, 1)
    );
}
