//! Tuples of futures of different types.
//!
//! A tuple becomes a [`Chain`] of places, each with a future or what was kept of it, inside of the
//! combinator: nothing is allocated. There are no wakers of their own: each poll polls all that are
//! pending, in order. For so few that is cheaper than to note who was woken.
//!
//! A place drops its future as soon as that is ready. If one decides, nobody behind it is begun.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::container::Container;
use super::policy::{Body, Named, Phase, Policy};

/// The kind of every tuple.
#[derive(Debug)]
pub enum Tuple {}

pin_project! {
    /// A future, or what was kept of it.
    #[derive(Debug)]
    #[project = PlaceProjection]
    #[project_replace = PlaceReplaced]
    enum Place<F, K> {
        Pending { #[pin] future: F },
        Kept { kept: K },
        Gone,
    }
}

/// The first round is not over.
const NONE_YET: usize = usize::MAX;

/// The places of a tuple, judged by `P`, with the decision `S`.
pub trait Chain<P, S> {
    /// What is kept, as nested pairs.
    type Kept;

    /// Polls those that are pending, but none whose number, counted from `number`, is not less than
    /// `begun`; false if none is pending.
    ///
    /// Returns when one decides. In the first round sets `begun` behind the last that was polled.
    fn poll_each(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        stop: &mut Option<S>,
        number: usize,
        begun: &mut usize,
    ) -> bool;

    /// Takes what was kept, if that is all.
    fn take(self: Pin<&mut Self>) -> Option<Self::Kept>;
}

/// The end of a tuple.
#[derive(Debug)]
pub struct End;

impl<P, S> Chain<P, S> for End {
    type Kept = ();

    #[inline(always)]
    fn poll_each(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        _: &mut Option<S>,
        number: usize,
        begun: &mut usize,
    ) -> bool {
        if *begun == NONE_YET {
            *begun = number;
        }
        false
    }

    #[inline(always)]
    fn take(self: Pin<&mut Self>) -> Option<()> {
        Some(())
    }
}

pin_project! {
    /// The first future of a tuple, and the rest.
    #[derive(Debug)]
    pub struct Link<F, K, R> {
        #[pin]
        place: Place<F, K>,
        #[pin]
        rest: R,
    }
}

impl<F, K, R> Link<F, K, R> {
    #[inline(always)]
    fn new(future: F, rest: R) -> Self {
        let place = Place::Pending { future };
        Self { place, rest }
    }
}

impl<F, P, S, R> Chain<P, S> for Link<F, P::Kept, R>
where
    F: Future,
    P: Policy<F::Output, Stop = S>,
    R: Chain<P, S>,
{
    type Kept = (P::Kept, R::Kept);

    #[inline(always)]
    fn poll_each(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        stop: &mut Option<S>,
        number: usize,
        begun: &mut usize,
    ) -> bool {
        if number >= *begun {
            return false;
        }
        let this = self.project();
        let mut place = this.place;
        let mut pending = false;
        if let PlaceProjection::Pending { future } = place.as_mut().project() {
            match future.poll(cx) {
                Poll::Pending => pending = true,
                Poll::Ready(_) if stop.is_some() => place.set(Place::Gone),
                Poll::Ready(output) => match P::judge(output) {
                    ControlFlow::Continue(kept) => place.set(Place::Kept { kept }),
                    ControlFlow::Break(decision) => {
                        *stop = Some(decision);
                        if *begun == NONE_YET {
                            *begun = number + 1;
                        }
                        place.set(Place::Gone);
                        return true;
                    }
                },
            }
        }
        this.rest.poll_each(cx, stop, number + 1, begun) || pending
    }

    #[inline(always)]
    fn take(self: Pin<&mut Self>) -> Option<Self::Kept> {
        let this = self.project();
        match this.place.project_replace(Place::Gone) {
            PlaceReplaced::Kept { kept } => Some((kept, this.rest.take()?)),
            _ => None,
        }
    }
}

/// Nested pairs as a tuple.
pub trait Flatten {
    /// The tuple.
    type Flat;

    /// Takes the pairs apart.
    fn flatten(self) -> Self::Flat;
}

pin_project! {
    /// The futures of a tuple, polled together.
    pub struct TupleBody<C, P, S> {
        #[pin]
        chain: C,
        begun: usize,
        phase: Phase,
        policy: PhantomData<fn() -> (P, S)>,
    }
}

impl<C, P, S> TupleBody<C, P, S> {
    #[inline(always)]
    fn new(chain: C) -> Self {
        Self {
            chain,
            begun: NONE_YET,
            phase: Phase::Open,
            policy: PhantomData,
        }
    }
}

impl<C, P, S> Body for TupleBody<C, P, S>
where
    C: Chain<P, S, Kept: Flatten>,
    P: Named,
{
    type Kept = <C::Kept as Flatten>::Flat;
    type Stop = S;

    #[inline]
    fn poll_body(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        stop: &mut Option<S>,
    ) -> Poll<Option<Self::Kept>> {
        let mut this = self.project();
        this.phase.begin(P::NAME);
        if this.chain.as_mut().poll_each(cx, stop, 0, this.begun) {
            *this.phase = Phase::Open;
            return Poll::Pending;
        }
        *this.phase = Phase::Over;
        Poll::Ready(this.chain.take().map(Flatten::flatten))
    }
}

impl<C, P, S> fmt::Debug for TupleBody<C, P, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TupleBody")
            .field("phase", &self.phase)
            .finish_non_exhaustive()
    }
}

impl Flatten for () {
    type Flat = ();

    fn flatten(self) {}
}

impl<P: Named> Container<P, Tuple> for () {
    type Body = TupleBody<End, P, Infallible>;

    fn into_body(self) -> Self::Body {
        TupleBody::new(End)
    }
}

/// The pairs of some futures, as a type, a value, a pattern.
macro_rules! pairs {
    (kept) => { () };
    (kept $first:ident $($rest:ident)*) => { ($first, pairs!(kept $($rest)*)) };
    (links $policy:ident) => { End };
    (links $policy:ident $first:ident $($rest:ident)*) => {
        Link<
            $first,
            <$policy as Policy<$first::Output>>::Kept,
            pairs!(links $policy $($rest)*),
        >
    };
    (new) => { End };
    (new $first:ident $($rest:ident)*) => { Link::new($first, pairs!(new $($rest)*)) };
}

/// Implements the traits for tuples of these lengths.
macro_rules! tuples {
    ($($name:ident)+) => {
        impl<$($name),+> Flatten for pairs!(kept $($name)+) {
            type Flat = ($($name,)+);

            #[inline(always)]
            #[allow(non_snake_case, reason = "each value has the name of its type")]
            fn flatten(self) -> Self::Flat {
                let pairs!(kept $($name)+) = self;
                ($($name,)+)
            }
        }

        impl<Judge, Stop, $($name: Future),+> Container<Judge, Tuple> for ($($name,)+)
        where
            Judge: Named $(+ Policy<$name::Output, Stop = Stop>)+,
        {
            type Body = TupleBody<pairs!(links Judge $($name)+), Judge, Stop>;

            #[inline]
            #[allow(non_snake_case, reason = "each value has the name of its type")]
            fn into_body(self) -> Self::Body {
                let ($($name,)+) = self;
                TupleBody::new(pairs!(new $($name)+))
            }
        }
    };
}

tuples!(A);
tuples!(A B);
tuples!(A B C);
tuples!(A B C D);
tuples!(A B C D E);
tuples!(A B C D E F);
tuples!(A B C D E F G);
tuples!(A B C D E F G H);
tuples!(A B C D E F G H I);
tuples!(A B C D E F G H I J);
tuples!(A B C D E F G H I J K);
tuples!(A B C D E F G H I J K L);
