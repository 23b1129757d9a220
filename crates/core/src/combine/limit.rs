//! Never more than so many in flight: `limit` on [`gather`](super::gather) and
//! [`try_gather`](super::try_gather), and [`limited`].
//!
//! # Shape
//!
//! A [`Limited`] is a [`Body`] over a pool: it keeps the outputs at the places of their futures. The source
//! is drawn when a future has finished.
//!
//! An iterator that is given to `gather` itself is drawn at once, also if a limit follows: a future that
//! held the iterator, and with it a closure over borrowed items, could often not be proved to be
//! `Send` inside of a task. Who wants it drawn on demand says so, with [`limited`].

use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::mem;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use super::container::Container;
use super::gather::Gather;
use super::policy::{Body, Phase, Policy};
use super::set::{End, Heap, Pool, Shape, Then, Turns};
use super::source::{Bound, IntoSource, Limit, Source};
use super::try_gather::TryGather;

/// What the futures of a source return.
type Output<S> = <<S as Source>::Child as Future>::Output;

/// Futures of a source of which never more than so many are in flight; what becomes of their
/// outputs says `P`, and of what kind the container of outputs is, `C`.
pub struct Limited<S: Source, C, P: Policy<Output<S>>> {
    pool: Pool<S>,
    limit: Limit,
    kept: Vec<Option<P::Kept>>,
    phase: Phase,
    shape: PhantomData<C>,
}

impl<S: Source, C: Shape, P: Policy<Output<S>>> Limited<S, C, P> {
    pub(crate) fn new(source: S, limit: Limit) -> Self {
        Self {
            pool: Pool::new(source),
            limit,
            kept: Vec::new(),
            phase: Phase::Open,
            shape: PhantomData,
        }
    }
}

/// Keeps the output of a future; or drops what was kept, and returns the decision.
fn judge<T, P: Policy<T>>(
    kept: &mut Vec<Option<P::Kept>>,
    number: usize,
    output: T,
) -> Option<P::Stop> {
    match P::judge(output) {
        ControlFlow::Continue(output) => {
            if kept.len() <= number {
                kept.resize_with(number + 1, || None);
            }
            kept[number] = Some(output);
            None
        }
        ControlFlow::Break(decision) => {
            kept.clear();
            Some(decision)
        }
    }
}

// Nothing in it is pinned but what the pool pins on the heap.
impl<S: Source, C, P: Policy<Output<S>>> Unpin for Limited<S, C, P> {}

impl<S: Source, C: Shape, P: Policy<Output<S>>> Body for Limited<S, C, P> {
    type Kept = C::Container<P::Kept>;
    type Stop = P::Stop;

    fn poll_body(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        stop: &mut Option<P::Stop>,
    ) -> Poll<Option<Self::Kept>> {
        let this = self.get_mut();
        this.phase.begin(P::NAME);
        let limit = Bound::<S>::get(&this.limit);
        let then = match stop {
            Some(_) => Then::Rest,
            None => Then::Draw,
        };
        let kept = &mut this.kept;
        let take = |number, output, alive| {
            if stop.is_some() {
                drop(output);
                return Then::Rest;
            }
            *stop = judge::<_, P>(kept, number, output);
            match stop {
                None => Then::Draw,
                // The scope tells those that are left, and polls this again.
                Some(_) if alive > 0 => Then::Stop,
                Some(_) => Then::Rest,
            }
        };
        let end = this.pool.poll(cx, limit, then, Turns::New, P::NAME, take);
        let result = match end {
            End::Over => {
                let kept = mem::take(&mut this.kept).into_iter();
                let kept = kept.map(|kept| kept.expect("each has returned something"));
                Poll::Ready(Some(C::of_vec(kept.collect())))
            }
            End::Pending if stop.is_some() && this.pool.alive() == 0 => Poll::Ready(None),
            End::Pending | End::Stopped => Poll::Pending,
        };
        this.phase = match result {
            Poll::Ready(_) => Phase::Over,
            Poll::Pending => Phase::Open,
        };
        result
    }
}

impl<S: Source, C, P: Policy<Output<S>>> fmt::Debug for Limited<S, C, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limited")
            .field("limit", &self.limit)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

/// A body that has not begun, and can begin with a limit.
pub trait Unbegun {
    /// The source of its futures.
    type Source: Source;
    /// The kind of the container of outputs.
    type Shape: Shape;
    /// What becomes of the outputs.
    type Policy: Policy<Output<Self::Source>>;

    /// The source.
    ///
    /// # Panics
    ///
    /// If it has begun.
    fn into_source(self) -> Self::Source;
}

/// What the policy of a body takes for a decision.
type StopOf<B> = <WithLimit<B> as Body>::Stop;

/// What [`Gather::limit`] and [`TryGather::limit`] make of a body.
type WithLimit<B> = Limited<<B as Unbegun>::Source, <B as Unbegun>::Shape, <B as Unbegun>::Policy>;

impl<B> Gather<B> {
    /// Has never more than `limit` futures in flight; the next one is drawn when one has finished.
    ///
    /// For `Vec`, arrays, boxed slices and iterators. All futures are there from the beginning, and begin
    /// one by one; [`limited`] draws them on demand, also from streams. `limit(1)` runs them one after the
    /// other. It allocates places for `limit` futures, and for the outputs.
    ///
    /// # Panics
    ///
    /// If `limit` is zero: nothing would ever run. If it was polled before.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::combine::{gather, yield_now};
    /// use kumi_core::runtime::Runtime;
    ///
    /// async fn square(number: u64) -> u64 {
    ///     yield_now().await;
    ///     number * number
    /// }
    ///
    /// let squares = gather((1..=5).map(square)).limit(2);
    /// assert_eq!(kumi_sim::Sim::new().block_on(squares), [1, 4, 9, 16, 25]);
    /// ```
    #[track_caller]
    pub fn limit(self, limit: usize) -> Gather<WithLimit<B>>
    where
        B: Unbegun,
    {
        let limit = Limit::new(limit);
        Gather::of(Limited::new(self.into_body().into_source(), limit))
    }
}

impl<B: Body> TryGather<B, B::Stop> {
    /// Has never more than `limit` futures in flight; see [`Gather::limit`]. After an error nothing more
    /// is drawn.
    ///
    /// # Panics
    ///
    /// If `limit` is zero: nothing would ever run. If it was polled before.
    #[track_caller]
    pub fn limit(self, limit: usize) -> TryGather<WithLimit<B>, StopOf<B>>
    where
        B: Unbegun,
    {
        let limit = Limit::new(limit);
        TryGather::of(Limited::new(self.into_body().into_source(), limit))
    }
}

/// The futures of `source`, of which never more than `limit` are to be in flight, for
/// [`gather`](super::gather) and its relatives.
///
/// The source, an iterator or a stream, is drawn when a future has finished: it may be long, or
/// have no end, and its futures exist only while they run.
///
/// # Panics
///
/// If `limit` is zero: nothing would ever run.
///
/// # Examples
///
/// ```
/// use kumi_core::combine::{as_completed, gather, limited};
/// use kumi_core::runtime::Runtime;
/// use std::future::ready;
///
/// kumi_sim::Sim::new().block_on(async {
///     // A stream of futures: here, of those that some others return.
///     let stream = as_completed([ready(ready(1)), ready(ready(2))]);
///     assert_eq!(gather(limited(10, stream)).await, [1, 2]);
///     let numbers = (0_u64..1_000_000).map(|number| async move { number });
///     assert_eq!(gather(limited(100, numbers)).await.len(), 1_000_000);
/// });
/// ```
#[track_caller]
pub fn limited<C, Kind>(limit: usize, source: C) -> InFlight<C::Source>
where
    C: IntoSource<Kind>,
{
    InFlight {
        source: source.into_source(),
        limit: Limit::new(limit),
    }
}

/// The container that [`limited`] returns.
#[derive(Debug, Clone)]
pub struct InFlight<S> {
    source: S,
    limit: Limit,
}

/// The kind of [`InFlight`].
#[derive(Debug)]
pub enum Few {}

impl<S: Source, P: Policy<Output<S>>> Container<P, Few> for InFlight<S> {
    type Body = Limited<S, Heap, P>;

    fn into_body(self) -> Self::Body {
        Limited::new(self.source, self.limit)
    }
}

pub(crate) const BEGUN: &str = "`limit` was called after the first poll: call it before";
