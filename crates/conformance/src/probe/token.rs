//! Values that notice being dropped: when, how often, on which thread, inside which task; and futures
//! that hold one to their own end.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::thread::{self, ThreadId};

use kumi_core::context;
use kumi_core::runtime::TaskId;
use pin_project_lite::pin_project;

use super::{in_call, lock};

/// A value whose end is noted.
pub(crate) struct Token(Arc<Mutex<Vec<Dropped>>>);

/// What [`Token`]s noted.
#[derive(Clone)]
pub(crate) struct Witness(Arc<Mutex<Vec<Dropped>>>);

/// The end of a token.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Dropped {
    pub(crate) thread: ThreadId,
    /// The task inside which it was dropped.
    pub(crate) task: Option<TaskId>,
    /// Whether there was an ambient runtime.
    pub(crate) ambient: bool,
    /// Whether it was dropped inside a call that a case had marked.
    pub(crate) in_call: bool,
}

/// Returns a token and its witness.
pub(crate) fn token() -> (Token, Witness) {
    let notes = Arc::default();
    (Token(Arc::clone(&notes)), Witness(notes))
}

impl Token {
    /// Another token of the same witness.
    pub(crate) fn like(other: &Self) -> Self {
        Self(Arc::clone(&other.0))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let note = Dropped {
            thread: thread::current().id(),
            task: context::current_task().map(|task| task.id()),
            ambient: context::with_current(|rt| rt.is_some()),
            in_call: in_call(),
        };
        lock(&self.0).push(note);
    }
}

impl Witness {
    /// Another token whose end this witness notes.
    pub(crate) fn token(&self) -> Token {
        Token(Arc::clone(&self.0))
    }

    /// How many tokens were dropped.
    pub(crate) fn count(&self) -> usize {
        lock(&self.0).len()
    }

    /// Whether the token was dropped.
    pub(crate) fn is_dropped(&self) -> bool {
        self.count() > 0
    }

    /// How the one token was dropped.
    #[track_caller]
    pub(crate) fn only(&self) -> Dropped {
        let notes = lock(&self.0).clone();
        assert_eq!(notes.len(), 1, "dropped exactly once: {notes:?}");
        notes[0]
    }
}

pin_project! {
    /// The future of [`hold`].
    pub(crate) struct Hold<T, F> {
        held: T,
        #[pin]
        future: F,
    }
}

/// Holds `held` until the future itself is dropped.
///
/// (What an async block holds is dropped already when the block ends, which says nothing of whoever
/// owns the future.)
pub(crate) fn hold<T, F>(held: T, future: F) -> Hold<T, F> {
    Hold { held, future }
}

impl<T, F: Future> Future for Hold<T, F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.project().future.poll(cx)
    }
}
