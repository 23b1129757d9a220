//! `bracket` and `ExitStack`: what was acquired is released, whatever happens.

use std::future::Future;

use kumi_core::cancel::{cancel_requested, checkpoint};
use kumi_core::cleanup::{ExitStack, bracket};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use super::{goodbye, region, steps};
use crate::everywhere::{Held, Ledger};

/// A connection: what was opened has to be closed.
struct Connection {
    ledger: Ledger,
    name: &'static str,
    held: Held,
}

impl Connection {
    async fn open(ledger: Ledger, name: &'static str) -> Self {
        steps(&ledger, 1).await;
        ledger.due(name);
        let held = ledger.hold(name);
        Self { ledger, name, held }
    }

    async fn close(self) {
        let asked = cancel_requested();
        self.ledger
            .check(!asked, "a release hears the cancel from outside");
        goodbye(&self.ledger, self.name).await;
        drop(self.held);
    }
}

/// Opens `name`, does `body` with it, and closes it.
fn with<F: Future>(
    ledger: &Ledger,
    name: &'static str,
    body: F,
) -> impl Future<Output = F::Output> + use<F> {
    bracket(
        Connection::open(ledger.clone(), name),
        move |_: &mut Connection| body,
        Connection::close,
    )
}

/// One resource.
pub async fn one<R: Runtime>(_: R, ledger: Ledger) {
    with(&ledger, "connection", steps(&ledger, 2)).await;
}

/// A session over a connection, with a region in it.
pub async fn nested<R: Runtime>(_: R, ledger: Ledger) {
    let inside = region(&ledger, "unlock", steps(&ledger, 1));
    let session = with(&ledger, "session", inside);
    with(&ledger, "connection", session).await;
}

/// The use ends by an error, early.
pub async fn the_use_fails<R: Runtime>(_: R, ledger: Ledger) {
    let body = async {
        steps(&ledger, 1).await;
        Err::<(), _>("no such table")
    };
    let failed = with(&ledger, "session", body).await;
    ledger.check(failed.is_err(), "the error was lost");
    steps(&ledger, 1).await;
}

/// The use panics.
pub async fn the_use_panics<R: Runtime>(_: R, ledger: Ledger) {
    let body = async {
        steps(&ledger, 1).await;
        panic!("a use of a scenario");
    };
    super::panic_in(with(&ledger, "session", body)).await;
}

/// A resource that a task owns, and its handle too.
pub async fn in_a_task<R: Runtime>(rt: R, ledger: Ledger) {
    let own = ledger.clone();
    let task = rt.spawn(async move {
        let open = async {
            steps(&own, 1).await;
            own.due_later("connection");
            (own.clone(), own.hold("connection"))
        };
        let using = async |(ledger, _): &mut (Ledger, Held)| steps(ledger, 2).await;
        let close = |(ledger, held): (Ledger, Held)| async move {
            goodbye(&ledger, "connection").await;
            drop(held);
        };
        bracket(open, using, close).await;
    });
    steps(&ledger, 1).await;
    let _ = task.await;
}

/// What is pushed is closed, last first.
pub async fn a_stack<R: Runtime>(_: R, ledger: Ledger) {
    let run = ExitStack::run(async |stack| {
        for name in ["first", "second", "third"] {
            steps(&ledger, 1).await;
            ledger.due(name);
            let held = ledger.hold(name);
            let close = goodbye(&ledger, name);
            stack.push(async move {
                close.await;
                drop(held);
                Ok(())
            });
        }
        checkpoint().await;
        steps(&ledger, 1).await;
    });
    ledger.check(run.await.is_ok(), "a release failed");
}

/// What is taken off is somebody else's, who closes it.
pub async fn a_stack_that_is_handed_on<R: Runtime>(_: R, ledger: Ledger) {
    let run = ExitStack::run(async |stack| {
        ledger.due("kept");
        let close = goodbye(&ledger, "kept");
        stack.push(async move {
            close.await;
            Ok(())
        });
        steps(&ledger, 1).await;
        stack.pop_all()
    });
    let Ok(stack) = run.await else {
        return ledger.check(false, "a release failed");
    };
    // Nothing waits between.
    ledger.check(stack.close().await.is_ok(), "a release failed");
}

/// A release that fails keeps none of the others from running.
pub async fn a_release_fails<R: Runtime>(_: R, ledger: Ledger) {
    let run = ExitStack::run(async |stack| {
        ledger.due("first");
        let close = goodbye(&ledger, "first");
        stack.push(async move {
            close.await;
            Ok(())
        });
        ledger.due("fails");
        let close = goodbye(&ledger, "fails");
        stack.push(async move {
            close.await;
            Err("a release of a scenario".into())
        });
        steps(&ledger, 1).await;
    });
    let failed = run.await;
    ledger.check(failed.is_err(), "the error of a release was lost");
}

/// A stack in which a bracket is open.
pub async fn a_stack_and_a_bracket<R: Runtime>(_: R, ledger: Ledger) {
    let run = ExitStack::run(async |stack| {
        ledger.due("log");
        let close = goodbye(&ledger, "log");
        stack.push(async move {
            close.await;
            Ok(())
        });
        with(&ledger, "connection", steps(&ledger, 1)).await;
        steps(&ledger, 1).await;
    });
    ledger.check(run.await.is_ok(), "a release failed");
}
