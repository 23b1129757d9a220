//! Outputs as they come: [`as_completed`], a stream; and its forms in which a loop over it cannot stall.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::{FusedStream, Stream};

use super::each::{Fallible, ForEach, Plain, TryForEach};
use super::set::{End, Finished, Pool, Then, Turns};
use super::source::{Bound, IntoSource, Limit, Source, Unlimited};
use crate::context;

/// Runs all futures of `members` together, in place, and gives their outputs as they finish.
///
/// `members` is a `Vec`, an array, a boxed slice, an iterator, a tuple of one to twelve futures that
/// return the same; or a stream, which then needs a [`limit`](AsCompleted::limit). The result is a
/// [`Stream`], with a [`next`](AsCompleted::next) of its own; [`indexed`](AsCompleted::indexed) tells
/// which future it was. No futures give no outputs. (asyncio's `as_completed`, as an async iterator.)
///
/// Only those futures are polled that were woken, in the order of the wakes, and each is dropped as
/// soon as it is ready. They make progress only while this is polled.
///
/// Without a limit the futures are all taken out of `members` at the first poll, in one go; an iterator that
/// takes long to make them is better drawn on demand, with [`limit`](AsCompleted::limit). They begin in their
/// order, as many in each poll as the budget of the task allows.
///
/// # A stream that waits stalls its futures
///
/// The futures of a stream make progress only while the stream is polled. In
///
/// ```text
/// while let Some(page) = pages.next().await {
///     save(page).await;          // meanwhile nobody polls the other pages
/// }
/// ```
///
/// all others stand still while `save` waits. Mostly that costs time: connections run into their time
/// limits (futures-rs issue 2387). If `save` waits for something that one of them holds, such as a lock
/// or a permit, it is a deadlock (Oxide's RFD 609, "futurelock"); `buffered` and
/// `FuturesUnordered` have it, and so has every stream of this kind. In a scope that is cancelled
/// the same holds for regions in them: their clean-up waits until the stream is polled again.
///
/// - [`for_each`](AsCompleted::for_each) and [`try_for_each`](AsCompleted::try_for_each) poll the futures
///   *while* the body of the loop runs. They cannot stall.
/// - Tasks run by themselves: [`Combine::as_completed`](crate::spawned::Combine::as_completed), which makes
///   each future one, and `as_completed` over `JoinHandle`s cannot stall either.
///
/// The stream is for bodies that do not wait.
///
/// # Cancel safety
///
/// Nothing is lost when the future of `next` is dropped. In a scope that was cancelled it gives no more
/// outputs; the futures clean up as long as it is polled. Dropping the stream drops the futures.
///
/// # Panics
///
/// With the panic of a future; it cannot be polled any more after that.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kumi_core::combine::as_completed;
/// use kumi_core::runtime::{Clock, Runtime};
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// let after = |millis| {
///     let sleep = rt.sleep(Duration::from_millis(millis));
///     async move {
///         sleep.await;
///         millis
///     }
/// };
/// sim.block_on(async {
///     let mut sleeps = as_completed([after(30), after(10), after(20)]).indexed();
///     assert_eq!(sleeps.next().await, Some((1, 10)));
///     assert_eq!(sleeps.next().await, Some((2, 20)));
///     assert_eq!(sleeps.next().await, Some((0, 30)));
///     assert_eq!(sleeps.next().await, None);
/// });
/// ```
#[inline]
pub fn as_completed<C, Kind>(members: C) -> AsCompleted<C::Source>
where
    C: IntoSource<Kind>,
{
    AsCompleted::of(members.into_source())
}

/// The stream of [`as_completed`].
#[must_use = "streams do nothing unless polled"]
pub struct AsCompleted<S: Source, B = Unlimited> {
    pool: Pool<S>,
    bound: B,
}

impl<S: Source> AsCompleted<S> {
    /// The stream over a source.
    #[inline]
    pub(crate) fn of(source: S) -> Self {
        Self {
            pool: Pool::new(source),
            bound: Unlimited,
        }
    }

    /// Has never more than `limit` futures in flight; the next one is drawn when one has finished.
    ///
    /// Has to be called before the first poll. Memory for so many is taken then, unless the source
    /// says that it has fewer.
    ///
    /// # Panics
    ///
    /// If `limit` is zero: nothing would ever run.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::as_completed;
    /// use kumi_core::runtime::Runtime;
    ///
    /// kumi_sim::Sim::new().block_on(async {
    ///     // Without end, and drawn on demand.
    ///     let numbers = (0_u64..).map(|number| async move { number * number });
    ///     let mut squares = as_completed(numbers).limit(3);
    ///     assert_eq!(squares.next().await, Some(0));
    ///     assert_eq!(squares.next().await, Some(1));
    /// });
    /// ```
    #[track_caller]
    pub fn limit(self, limit: usize) -> AsCompleted<S, Limit> {
        AsCompleted {
            pool: self.pool,
            bound: Limit::new(limit),
        }
    }
}

impl<S: Source, B: Bound<S>> AsCompleted<S, B> {
    /// The same outputs with the places of their futures in the source, counted from zero.
    pub fn indexed(self) -> Indexed<S, B> {
        Indexed(self)
    }

    /// Waits for the next output; `None` when there are no more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    #[allow(
        clippy::should_implement_trait,
        reason = "a stream's `next`, as every crate of combinators names it"
    )]
    pub fn next(&mut self) -> Next<'_, Self> {
        Next(self)
    }

    /// Runs `body` for each output, one after the other, and the futures *while* `body` runs.
    ///
    /// So nothing stalls, even if `body` waits for something that one of the futures holds. Outputs
    /// that come meanwhile wait; with a [`limit`](AsCompleted::limit) they count as in flight.
    ///
    /// # Cancel safety
    ///
    /// A cancel unwinds the futures and `body`. Dropping it drops them, and outputs that waited.
    ///
    /// # Panics
    ///
    /// With the panic of a future or of `body`.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::{as_completed, yield_now};
    /// use kumi_core::runtime::Runtime;
    ///
    /// async fn fetch(page: u32) -> u32 {
    ///     yield_now().await;
    ///     page
    /// }
    ///
    /// let mut sum = 0;
    /// let sums = as_completed((1..=4).map(fetch)).limit(2).for_each(|page| {
    ///     sum += page;
    ///     yield_now()
    /// });
    /// kumi_sim::Sim::new().block_on(sums);
    /// assert_eq!(sum, 10);
    /// ```
    pub fn for_each<E, F>(self, body: E) -> ForEach<S, B, Plain<E>>
    where
        E: FnMut(<S::Child as Future>::Output) -> F,
        F: Future<Output = ()>,
    {
        ForEach::new(self.pool, self.bound, body)
    }

    /// [`for_each`](Self::for_each) with a body that can fail: then the futures are cancelled and clean
    /// up, and the error is returned.
    ///
    /// # Cancel safety
    ///
    /// As `for_each`.
    ///
    /// # Errors
    ///
    /// The first error of `body`.
    ///
    /// # Panics
    ///
    /// As `for_each`.
    pub fn try_for_each<E, F, Error>(self, body: E) -> TryForEach<S, B, Fallible<E>, Error>
    where
        E: FnMut(<S::Child as Future>::Output) -> F,
        F: Future<Output = Result<(), Error>>,
    {
        TryForEach::new(self.pool, self.bound, body)
    }

    fn poll_finished(&mut self, cx: &mut Context<'_>) -> Poll<Option<Finished<S>>> {
        // Each output is paid for, so that a loop over outputs that are ready gives way to others.
        if !context::spend() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let mut found = None;
        let limit = self.bound.get();
        let take = |number, output, _| {
            // In a cancelled scope nothing is given out; the others go on with their clean-ups.
            if context::is_cancelled() {
                drop(output);
                return Then::Draw;
            }
            found = Some((number, output));
            Then::Stop
        };
        let end = self
            .pool
            .poll(cx, limit, Then::Draw, Turns::New, "as_completed", take);
        match end {
            End::Stopped => Poll::Ready(found),
            End::Over if !context::is_cancelled() => Poll::Ready(None),
            End::Over | End::Pending => Poll::Pending,
        }
    }
}

impl<S: Source, B> Unpin for AsCompleted<S, B> {}

impl<S: Source, B: Bound<S>> Stream for AsCompleted<S, B> {
    type Item = <S::Child as Future>::Output;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let finished = self.get_mut().poll_finished(cx);
        finished.map(|finished| finished.map(|(_, output)| output))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.pool.size_hint()
    }
}

impl<S: Source, B: Bound<S>> FusedStream for AsCompleted<S, B> {
    fn is_terminated(&self) -> bool {
        self.pool.is_over()
    }
}

impl<S: Source, B> fmt::Debug for AsCompleted<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("AsCompleted").field(&self.pool).finish()
    }
}

/// The stream of [`AsCompleted::indexed`].
#[must_use = "streams do nothing unless polled"]
pub struct Indexed<S: Source, B = Unlimited>(AsCompleted<S, B>);

impl<S: Source, B: Bound<S>> Indexed<S, B> {
    /// Waits for the next output and its place; `None` when there are no more.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    #[allow(
        clippy::should_implement_trait,
        reason = "a stream's `next`, as every crate of combinators names it"
    )]
    pub fn next(&mut self) -> Next<'_, Self> {
        Next(self)
    }
}

impl<S: Source, B> Unpin for Indexed<S, B> {}

impl<S: Source, B: Bound<S>> Stream for Indexed<S, B> {
    type Item = Finished<S>;

    #[inline]
    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().0.poll_finished(cx)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl<S: Source, B: Bound<S>> FusedStream for Indexed<S, B> {
    fn is_terminated(&self) -> bool {
        self.0.is_terminated()
    }
}

impl<S: Source, B> fmt::Debug for Indexed<S, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Indexed").field(&self.0).finish()
    }
}

/// The future of [`AsCompleted::next`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Next<'a, S>(&'a mut S);

impl<S: Stream + Unpin> Future for Next<'_, S> {
    type Output = Option<S::Item>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        Pin::new(&mut *self.0).poll_next(cx)
    }
}
