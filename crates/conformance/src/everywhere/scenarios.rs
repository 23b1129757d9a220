//! The scenarios of [`everywhere_suite!`](crate::everywhere_suite): ordinary programs, one for each
//! way in which the parts of core meet.
//!
//! Each is a function of a runtime and a [`Ledger`]. How often it suspends is recorded beside its name
//! in the list of the suite, and may not fall.

pub mod brackets;
pub mod channels;
pub mod combine;
pub mod groups;
pub mod regions;
pub mod scopes;
pub mod spawned;
pub mod tasks;

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;

use kumi_core::cleanup::finally;

use super::Ledger;
use crate::probe::text;

/// Suspends `count` times.
async fn steps(ledger: &Ledger, count: usize) {
    for _ in 0..count {
        ledger.step().await;
    }
}

/// The clean-up `name`, which suspends twice.
fn goodbye(ledger: &Ledger, name: &'static str) -> impl Future<Output = ()> + Send + use<> {
    let own = ledger.clone();
    ledger.clean_up(name, async move { steps(&own, 2).await })
}

/// Runs `body` in a region whose clean-up is `name`.
fn region<F: Future>(
    ledger: &Ledger,
    name: &'static str,
    body: F,
) -> impl Future<Output = F::Output> + use<F> {
    let own = ledger.clone();
    let body = async move {
        own.due(name);
        body.await
    };
    finally(body, goodbye(ledger, name))
}

/// [`region`] in a task that nobody waits for.
fn region_later<F: Future>(
    ledger: &Ledger,
    name: &'static str,
    body: F,
) -> impl Future<Output = F::Output> + use<F> {
    let own = ledger.clone();
    let body = async move {
        own.due_later(name);
        body.await
    };
    finally(body, goodbye(ledger, name))
}

/// Runs `body` to its end, and gives the text of its panic, if it panics.
async fn panic_in<F: Future>(body: F) -> Option<String> {
    let mut body = pin!(body);
    poll_fn(|cx| {
        let poll = catch_unwind(AssertUnwindSafe(|| body.as_mut().poll(cx)));
        match poll {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(Poll::Ready(_)) => Poll::Ready(None),
            Err(panic) => Poll::Ready(Some(text(panic))),
        }
    })
    .await
}
