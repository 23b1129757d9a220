//! All values, or the first error.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::container::Container;
use super::decide::Decide;
use super::policy::{Body, NoErr};
use crate::debug::Unpolled;

/// Runs all futures in `container` together, in place, and returns their values in their order, or the
/// first error.
///
/// At the first error no other future is begun or polled on: the others are cancelled, their
/// clean-ups (`finally`, `bracket`, ...) run to their end, and only then does this return. What else they
/// returned is dropped. A cancel from outside unwinds all of them, and then this does
/// not return. Otherwise it is [`gather`](super::gather): the same containers, costs and order.
///
/// (asyncio's `gather` without `return_exceptions`, but for the others, which asyncio lets run on.)
///
/// # Cancel safety
///
/// Dropping it drops the futures, and the values so far.
///
/// # Errors
///
/// With the error of the future that failed first; of several that fail in one poll, the one that
/// was woken first.
///
/// # Panics
///
/// With the panic of a future; it cannot be polled any more after that. When polled after it was
/// ready.
///
/// # Examples
///
/// ```
/// use kumi_core::combine::try_gather;
/// use kumi_core::runtime::Runtime;
///
/// async fn half(number: u32) -> Result<u32, String> {
///     match number % 2 {
///         0 => Ok(number / 2),
///         _ => Err(format!("{number} is odd")),
///     }
/// }
///
/// kumi_sim::Sim::new().block_on(async {
///     assert_eq!(try_gather([half(2), half(4)]).await, Ok([1, 2]));
///     assert_eq!(try_gather([half(2), half(3)]).await, Err("3 is odd".to_owned()));
/// });
/// ```
#[inline]
#[track_caller]
pub fn try_gather<C, Kind>(container: C) -> TryGather<C::Body, <C::Body as Body>::Stop>
where
    C: Container<NoErr, Kind>,
{
    TryGather::of(container.into_body())
}

impl<B: Body> TryGather<B, B::Stop> {
    #[inline]
    #[track_caller]
    pub(crate) fn of(body: B) -> Self {
        Self {
            inner: Decide::new(body),
            unpolled: Unpolled::new("try_gather"),
        }
    }

    pub(super) fn into_body(mut self) -> B {
        self.unpolled.polled();
        self.inner.into_body()
    }
}

pin_project! {
    /// The future of [`try_gather`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct TryGather<B, S> {
        #[pin]
        inner: Decide<B, S>,
        unpolled: Unpolled,
    }
}

impl<B: Body> Future for TryGather<B, B::Stop> {
    type Output = Result<B::Kept, B::Stop>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.unpolled.polled();
        this.inner.poll(cx, "try_gather")
    }
}
