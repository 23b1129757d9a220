//! Time: tokio's own sleeps.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use kumi_core::debug::{WaitsFor, noted};
use kumi_core::runtime::Sleep;
use pin_project_lite::pin_project;

pin_project! {
    /// A sleep on tokio's clock.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped; its timer is gone at once.
    #[derive(Debug)]
    pub struct TokioSleep {
        #[pin]
        inner: tokio::time::Sleep,
        // It was not due a moment ago, at the deadline it has now.
        waiting: bool,
    }
}

impl TokioSleep {
    /// `waiting`: it is not due yet.
    pub(crate) fn new(inner: tokio::time::Sleep, waiting: bool) -> Self {
        Self { inner, waiting }
    }
}

impl Future for TokioSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        // tokio rounds up to its grain of a millisecond, also what is due already. And it makes a task
        // that has used its budget up wait, also for a limit that is there to end it.
        let ask = !*this.waiting || !tokio::task::coop::has_budget_remaining();
        if ask && tokio::time::Instant::now() >= this.inner.deadline() {
            return Poll::Ready(());
        }
        *this.waiting = true;
        let deadline = this.inner.deadline();
        noted(this.inner.poll(cx), || WaitsFor::Sleep(deadline.into_std()))
    }
}

impl Sleep for TokioSleep {
    fn deadline(&self) -> Instant {
        self.inner.deadline().into_std()
    }

    fn reset(self: Pin<&mut Self>, at: Instant) {
        let this = self.project();
        *this.waiting = false;
        this.inner.reset(at.into());
    }
}
