//! Where the futures of a combinator come from, one by one: iterators and streams.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::Stream;

use super::container::Iter;

/// Futures that are drawn when there is room for them.
pub trait Source {
    /// What it gives.
    type Child: Future;

    /// Draws the next one; `None` if there are no more, and then it is not asked again.
    fn poll_draw(&mut self, cx: &mut Context<'_>) -> Poll<Option<Self::Child>>;

    /// How many there still are, at least, and at most if that is known.
    fn size_hint(&self) -> (usize, Option<usize>);

    /// Draws all that there are, each into a place of its own.
    fn draw_all(mut self, cx: &mut Context<'_>) -> Vec<Option<Self::Child>>
    where
        Self: Sized,
    {
        let mut all = Vec::with_capacity(self.size_hint().0);
        while let Poll::Ready(Some(child)) = self.poll_draw(cx) {
            all.push(Some(child));
        }
        all
    }
}

/// A source that ends and never makes anybody wait, so that all can be drawn at once.
pub trait Finite: Source {}

/// The source over an iterator.
#[derive(Debug, Clone)]
pub struct FromIter<I>(I);

impl<I: Iterator<Item: Future>> FromIter<I> {
    pub(crate) fn new(iter: I) -> Self {
        Self(iter)
    }

    pub(in crate::combine) fn into_inner(self) -> I {
        self.0
    }

    #[inline]
    pub(crate) fn draw(&mut self) -> Option<I::Item> {
        self.0.next()
    }
}

impl<I: Iterator<Item: Future>> Source for FromIter<I> {
    type Child = I::Item;

    #[inline]
    fn poll_draw(&mut self, _: &mut Context<'_>) -> Poll<Option<I::Item>> {
        Poll::Ready(self.0.next())
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }

    #[inline]
    fn draw_all(self, _: &mut Context<'_>) -> Vec<Option<I::Item>> {
        // In place, if it is that of a `Vec` and the option takes no more room.
        self.0.map(Some).collect()
    }
}

impl<I: Iterator<Item: Future>> Finite for FromIter<I> {}

/// The source over a stream.
#[derive(Debug, Clone)]
pub struct FromStream<S>(S);

impl<S: Stream<Item: Future> + Unpin> FromStream<S> {
    pub(super) fn new(stream: S) -> Self {
        Self(stream)
    }
}

impl<S: Stream<Item: Future> + Unpin> Source for FromStream<S> {
    type Child = S::Item;

    #[inline]
    fn poll_draw(&mut self, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

/// The kind of every stream.
#[derive(Debug)]
pub enum Streamed {}

/// What futures can be drawn from: everything that is an iterator or can become one (`Vec`, arrays,
/// `Box<[F]>`), every stream that is [`Unpin`], and tuples of one to twelve futures that return the same.
///
/// `Kind` tells them apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "no futures can be drawn from `{Self}`",
    note = "`Vec<F>`, `[F; N]`, iterators over futures and streams of futures work",
    note = "so do tuples of one to twelve futures that all return the same type",
    note = "a stream has to be `Unpin`: pass `std::pin::pin!(stream)` or `Box::pin(stream)`",
    note = "more futures of different types have to be boxed"
)]
pub trait IntoSource<Kind> {
    /// The source.
    type Source: Source;

    /// Makes the source.
    fn into_source(self) -> Self::Source;
}

impl<C: IntoIterator<Item: Future>> IntoSource<Iter> for C {
    type Source = FromIter<C::IntoIter>;

    #[inline]
    fn into_source(self) -> Self::Source {
        FromIter::new(self.into_iter())
    }
}

impl<S: Stream<Item: Future> + Unpin> IntoSource<Streamed> for S {
    type Source = FromStream<S>;

    #[inline]
    fn into_source(self) -> Self::Source {
        FromStream::new(self)
    }
}

/// How many futures of a source `S` may be in flight.
pub trait Bound<S> {
    /// The number; `None` for all.
    fn get(&self) -> Option<usize>;
}

/// All of a source that ends.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

#[diagnostic::do_not_recommend]
impl<S: Finite> Bound<S> for Unlimited {
    fn get(&self) -> Option<usize> {
        None
    }
}

/// So many; see the methods called `limit`.
#[derive(Debug, Clone, Copy)]
pub struct Limit(usize);

impl Limit {
    /// # Panics
    ///
    /// If `limit` is zero: nothing would ever run.
    #[track_caller]
    pub(crate) fn new(limit: usize) -> Self {
        assert!(
            limit > 0,
            "a limit of 0 would run nothing, and wait for ever: use at least 1"
        );
        Self(limit)
    }
}

impl<S> Bound<S> for Limit {
    fn get(&self) -> Option<usize> {
        Some(self.0)
    }
}
