//! Giving the others a turn.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Gives way to the other tasks once: pending at its first poll, ready at the next.
///
/// (asyncio's `sleep(0)`.) The task goes to the end of its runtime's queue.
///
/// # Cancel safety
///
/// Nothing is lost when it is dropped.
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::Runtime;
///
/// kumi_sim::Sim::new().block_on(async {
///     kumi_core::combine::yield_now().await;
/// });
/// ```
#[inline]
pub fn yield_now() -> YieldNow {
    YieldNow { yielded: false }
}

/// The future of [`yield_now`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct YieldNow {
    yielded: bool,
}

impl Future for YieldNow {
    type Output = ();

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.yielded, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}
