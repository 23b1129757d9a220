//! Time: tokio's own sleeps.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

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
    }
}

impl TokioSleep {
    pub(crate) fn new(inner: tokio::time::Sleep) -> Self {
        Self { inner }
    }
}

impl Future for TokioSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        // tokio rounds up to its grain of a millisecond, also what is due already.
        if tokio::time::Instant::now() >= self.inner.deadline() {
            return Poll::Ready(());
        }
        self.project().inner.poll(cx)
    }
}

impl Sleep for TokioSleep {
    fn deadline(&self) -> Instant {
        self.inner.deadline().into_std()
    }

    fn reset(self: Pin<&mut Self>, at: Instant) {
        self.project().inner.reset(at.into());
    }
}
