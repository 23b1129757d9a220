//! Which containers of futures the combinators take: tuples, arrays, `Vec`, `Box<[F]>`, iterators.

use std::future::Future;

use super::policy::{Body, Policy};
use super::set::{Boxed, Heap, Inline, Set};

/// A container of futures for a combinator with the policy `P`.
///
/// Implemented by tuples of up to twelve futures of different types, by arrays, `Vec` and `Box<[F]>`,
/// and by every iterator. `Kind` tells them apart and is always inferred.
///
/// # Examples
///
/// In a function over any container:
///
/// ```
/// use kumi_core::combine::{Body, Container, All, gather};
///
/// async fn both<C: Container<All, K>, K>(one: C, two: C) -> (<C::Body as Body>::Kept, <C::Body as Body>::Kept)
/// where
///     C::Body: Body<Stop = std::convert::Infallible>,
/// {
///     (gather(one).await, gather(two).await)
/// }
///
/// # use kumi_core::runtime::Runtime;
/// # kumi_sim::Sim::new().block_on(async {
/// use std::future::ready;
/// assert_eq!(both([ready(1)], [ready(2)]).await, ([1], [2]));
/// # });
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no container of futures for this combinator",
    note = "tuples of up to twelve futures, arrays, `Vec<F>`, `Box<[F]>` and iterators over futures are",
    note = "of another collection, pass its `into_iter()`"
)]
pub trait Container<P, Kind> {
    /// The futures, ready to be polled together.
    type Body: Body;

    /// Takes the futures.
    fn into_body(self) -> Self::Body;
}

/// The kind of every iterator.
#[derive(Debug)]
pub enum Iter {}

impl<F: Future, P: Policy<F::Output>> Container<P, Heap> for Vec<F> {
    type Body = Set<F, Heap, P>;

    #[inline]
    fn into_body(self) -> Self::Body {
        Set::of_vec(self)
    }
}

impl<I, P> Container<P, Iter> for I
where
    I: Iterator<Item: Future>,
    P: Policy<<I::Item as Future>::Output>,
{
    type Body = Set<I::Item, Heap, P>;

    #[inline]
    fn into_body(self) -> Self::Body {
        Set::of_iter(self)
    }
}

impl<F: Future, P: Policy<F::Output>> Container<P, Boxed> for Box<[F]> {
    type Body = Set<F, Boxed, P>;

    #[inline]
    fn into_body(self) -> Self::Body {
        Set::of_box(self)
    }
}

impl<F: Future, P: Policy<F::Output>, const N: usize> Container<P, Inline<N>> for [F; N] {
    type Body = Set<F, Inline<N>, P>;

    #[inline]
    fn into_body(self) -> Self::Body {
        Set::of_array(self)
    }
}
