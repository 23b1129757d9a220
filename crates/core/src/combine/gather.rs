//! All outputs, in the order of the futures.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::container::Container;
use super::policy::{All, Body};
use crate::debug::Unpolled;

/// Runs all futures in `container` together, in place, and returns their outputs in their order.
///
/// A tuple of futures gives a tuple of outputs, an array an array, a `Vec` or an iterator a `Vec`, a
/// `Box<[F]>` a `Box<[T]>`. Nothing is lost if some of the futures return errors: this is asyncio's
/// `gather(return_exceptions=True)`; see [`try_gather`](super::try_gather) for the other one. No
/// futures give no outputs, at once.
///
/// The futures may borrow and need not be `Send`; they take turns in the task that awaits this.
/// After the first round only those are polled that were woken, in the order of the wakes; in a tuple
/// all that are pending are. Each is dropped as soon as it is ready. Futures of one type cost at
/// most two allocations in all, a tuple none.
///
/// # Cancel safety
///
/// Dropping it drops the futures, and the outputs so far.
///
/// # Panics
///
/// With the panic of a future; it cannot be polled any more after that. When polled after it was
/// ready.
///
/// # Examples
///
/// ```
/// use kumi_core::combine::{gather, yield_now};
/// use kumi_core::runtime::Runtime;
///
/// async fn double(number: u32) -> u32 {
///     yield_now().await;
///     2 * number
/// }
///
/// kumi_sim::Sim::new().block_on(async {
///     assert_eq!(gather([double(1), double(2)]).await, [2, 4]);
///     assert_eq!(gather((1..4).map(double)).await, vec![2, 4, 6]);
/// });
/// ```
#[inline]
#[track_caller]
pub fn gather<C, Kind>(container: C) -> Gather<C::Body>
where
    C: Container<All, Kind>,
    C::Body: Body<Stop = Infallible>,
{
    Gather::of(container.into_body())
}

impl<B> Gather<B> {
    #[inline]
    #[track_caller]
    pub(crate) fn of(body: B) -> Self {
        let unpolled = Unpolled::new("gather");
        Self { body, unpolled }
    }

    pub(super) fn into_body(mut self) -> B {
        self.unpolled.polled();
        self.body
    }
}

pin_project! {
    /// The future of [`gather`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Gather<B> {
        #[pin]
        body: B,
        unpolled: Unpolled,
    }
}

impl<B: Body<Stop = Infallible>> Future for Gather<B> {
    type Output = B::Kept;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<B::Kept> {
        let this = self.project();
        this.unpolled.polled();
        let kept = ready!(this.body.poll_body(cx, &mut None));
        Poll::Ready(kept.unwrap_or_else(|| unreachable!("nothing can decide")))
    }
}
