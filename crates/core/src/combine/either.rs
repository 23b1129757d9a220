//! Futures of different types and one output, as one type: so a tuple of them is a source of futures.

use std::array;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::source::{FromIter, IntoSource};
use super::tuple::Tuple;

pin_project! {
    /// One of two futures that return the same; what a member of a tuple becomes.
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Either<L, R> {
        #[pin]
        one: One<L, R>,
    }
}

pin_project! {
    #[derive(Debug)]
    #[project = OneProjection]
    enum One<L, R> {
        Left { #[pin] left: L },
        Right { #[pin] right: R },
    }
}

impl<L, R> Either<L, R> {
    fn left(left: L) -> Self {
        let one = One::Left { left };
        Self { one }
    }

    fn right(right: R) -> Self {
        let one = One::Right { right };
        Self { one }
    }
}

impl<L: Future, R: Future<Output = L::Output>> Future for Either<L, R> {
    type Output = L::Output;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<L::Output> {
        match self.project().one.project() {
            OneProjection::Left { left } => left.poll(cx),
            OneProjection::Right { right } => right.poll(cx),
        }
    }
}

/// The type of the members of a tuple of these types.
macro_rules! member {
    ($last:ident) => { $last };
    ($first:ident $($rest:ident)+) => { Either<$first, member!($($rest)+)> };
}

/// A member, behind as many others as there are `Right`s.
macro_rules! behind {
    ($member:expr;) => { $member };
    ($member:expr; Right $($more:ident)*) => { Either::right(behind!($member; $($more)*)) };
}

/// The members as an array.
macro_rules! members {
    ([$($done:expr),*] [$($others:ident)*] $last:ident) => {
        [$($done,)* behind!($last; $($others)*)]
    };
    ([$($done:expr),*] [$($others:ident)*] $first:ident $($rest:ident)+) => {
        members!(
            [$($done,)* behind!(Either::left($first); $($others)*)]
            [Right $($others)*]
            $($rest)+
        )
    };
}

/// Implements the source for tuples of this length.
macro_rules! tuples {
    ($count:literal; $first:ident $($name:ident)*) => {
        impl<$first: Future $(, $name: Future<Output = $first::Output>)*> IntoSource<Tuple>
            for ($first, $($name,)*)
        {
            type Source = FromIter<array::IntoIter<member!($first $($name)*), $count>>;

            #[inline]
            #[allow(non_snake_case, reason = "each value has the name of its type")]
            fn into_source(self) -> Self::Source {
                let ($first, $($name,)*) = self;
                FromIter::new(members!([] [] $first $($name)*).into_iter())
            }
        }
    };
}

tuples!(1; A);
tuples!(2; A B);
tuples!(3; A B C);
tuples!(4; A B C D);
tuples!(5; A B C D E);
tuples!(6; A B C D E F);
tuples!(7; A B C D E F G);
tuples!(8; A B C D E F G H);
tuples!(9; A B C D E F G H I);
tuples!(10; A B C D E F G H I J);
tuples!(11; A B C D E F G H I J K);
tuples!(12; A B C D E F G H I J K L);
