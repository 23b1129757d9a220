//! Futures that panic where they are told to.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use crate::probe::{Gate, Token, Wait};

/// Panics without a word: the hook of the process would write every one of them.
pub(super) fn fall(text: String) {
    resume_unwind(Box::new(text));
}

/// A text that no other panic has.
pub(in crate::cases) fn unique(what: &str) -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("{what} {}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What a future does, and what is seen of it.
pub(super) struct Plan {
    /// Panics with this when its time has come; returns otherwise.
    pub(super) poll: Option<String>,
    /// Panics with this when it is dropped.
    pub(super) drop: Option<String>,
    /// When its time has come.
    pub(super) time: Gate,
    /// Opened at its first poll.
    pub(super) begun: Gate,
    /// Opened when it is dropped.
    pub(super) gone: Gate,
    pub(super) polls: Arc<AtomicUsize>,
    /// Notes its end.
    pub(super) _token: Token,
}

impl Plan {
    pub(super) fn start(self) -> Faulty {
        Faulty {
            wait: self.time.wait(),
            plan: self,
        }
    }
}

/// The future of a [`Plan`]. It does not wait inside of an async block: that would drop it while it
/// unwinds, and a destructor that panics then ends the process, here as everywhere.
pub(super) struct Faulty {
    plan: Plan,
    wait: Wait,
}

impl Future for Faulty {
    type Output = Result<u32, &'static str>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.plan.polls.fetch_add(1, Ordering::SeqCst);
        self.plan.begun.open();
        if Pin::new(&mut self.wait).poll(cx).is_pending() {
            return Poll::Pending;
        }
        if let Some(text) = self.plan.poll.take() {
            fall(text);
        }
        Poll::Ready(Ok(1))
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.plan.gone.open();
        if let Some(text) = self.plan.drop.take() {
            fall(text);
        }
    }
}

/// Gives the output of `future` to `f`; holds it without an async block, for the same reason.
pub(super) fn map<F: Future, T>(future: F, f: impl Fn(F::Output) -> T) -> impl Future<Output = T> {
    let mut future = Box::pin(future);
    std::future::poll_fn(move |cx| future.as_mut().poll(cx).map(&f))
}
