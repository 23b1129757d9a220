//! All the ways in which the body of a region can end.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use kumi_core::cancel::CancelScope;
use kumi_core::combine::timeout;
use kumi_core::runtime::{Runtime, TaskId};
use kumi_core::task::SpawnExt;

use super::{Manual, text, until};

/// How the body of a region ends, and how its task does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// It returns.
    Value,
    /// It panics.
    Panic,
    /// Its task is cancelled.
    Task,
    /// A scope around it is cancelled.
    Scope,
    /// A limit on it is reached.
    Limit,
}

pub(crate) const ENDS: [End; 5] = [End::Value, End::Panic, End::Task, End::Scope, End::Limit];

pub(crate) type Body = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Runs `region` of a body in a task, brings the end of the body about, and returns how the task ended,
/// the text of its panic, and who it was.
pub(crate) async fn bring_about<R, F>(
    rt: &R,
    end: End,
    region: impl FnOnce(Body) -> F,
) -> (End, String, TaskId)
where
    R: Runtime,
    F: Future<Output = ()> + Send + 'static,
{
    let hand = Manual::<bool>::new();
    let wait = hand.future();
    let body = async move {
        assert!(wait.await, "of the body");
    };
    let region = region(Box::pin(body));
    let scope = CancelScope::new();
    let handle = scope.handle();
    let clock = rt.clone();
    let task = rt.spawn(async move {
        match end {
            End::Value | End::Panic | End::Task => {
                region.await;
                End::Value
            }
            End::Scope => match scope.run(region).await {
                Ok(()) => End::Value,
                Err(_) => End::Scope,
            },
            End::Limit => match timeout(&clock, Duration::from_millis(1), region).await {
                Ok(()) => End::Value,
                Err(_) => End::Limit,
            },
        }
    });
    let id = task.id();
    until(|| hand.polls() > 0).await;
    match end {
        End::Value => hand.finish(true),
        End::Panic => hand.finish(false),
        End::Task => drop(task.cancel()),
        End::Scope => drop(handle.cancel()),
        End::Limit => {}
    }
    match task.await {
        Ok(end) => (end, String::new(), id),
        Err(error) if error.is_cancelled() => (End::Task, String::new(), id),
        Err(error) => (End::Panic, text(error.into_panic()), id),
    }
}
