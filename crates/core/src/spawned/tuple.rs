//! Tuples of futures of different types as children.

use std::convert::Infallible;

use super::crew::{Crew, Handles, Spawnable, keep, was_cut};
use super::rule::Rule;
use super::shared::Recruiter;
use crate::combine::tuple::Tuple;
use crate::runtime::{Spawn, Task};
use crate::task::JoinHandle;

impl Handles for () {
    fn list(&self, _: &mut Vec<Task>) {}

    fn were_cut(self) -> bool {
        false
    }
}

impl Spawnable<Tuple> for () {
    type Crew = ();

    fn into_crew(self) {}
}

impl<P> Crew<P> for () {
    type Handles = ();
    type Kept = ();
    type Stop = Infallible;

    fn recruit<R: Spawn>(self, _: &mut Recruiter<'_, P, Infallible, (), R>) {}

    fn keep((): (), _: &mut bool) {}
}

/// The number of the names.
macro_rules! count {
    () => { 0 };
    ($first:ident $($rest:ident)*) => { 1 + count!($($rest)*) };
}

/// Implements the traits for tuples of these lengths.
macro_rules! tuples {
    ($($name:ident)+) => {
        #[allow(non_snake_case, reason = "each value has the name of its type")]
        impl<$($name: Send + 'static),+> Handles for ($(JoinHandle<$name>,)+) {
            fn list(&self, list: &mut Vec<Task>) {
                let ($($name,)+) = self;
                $( list.push($name.task()); )+
            }

            fn were_cut(self) -> bool {
                let ($($name,)+) = self;
                // All of them are looked at, so that all values are dropped here.
                [$(was_cut($name)),+].contains(&true)
            }
        }

        impl<$($name: Future),+> Spawnable<Tuple> for ($($name,)+) {
            type Crew = Self;

            fn into_crew(self) -> Self {
                self
            }
        }

        #[allow(non_snake_case, reason = "each value has the name of its type")]
        impl<Judge, Stop, $($name),+> Crew<Judge> for ($($name,)+)
        where
            Stop: Send + 'static,
            $($name: Future + Send + 'static, Judge: Rule<$name::Output, Stop = Stop>,)+
        {
            type Handles = ($(JoinHandle<Option<<Judge as Rule<$name::Output>>::Value>>,)+);
            type Kept = ($(<Judge as Rule<$name::Output>>::Kept,)+);
            type Stop = Stop;

            fn recruit<R: Spawn>(
                self,
                recruiter: &mut Recruiter<'_, Judge, Stop, Self::Handles, R>,
            ) -> Self::Handles {
                recruiter.expect(count!($($name)+));
                let ($($name,)+) = self;
                ($(recruiter.recruit($name),)+)
            }

            fn keep(handles: Self::Handles, cut: &mut bool) -> Self::Kept {
                let ($($name,)+) = handles;
                ($(keep::<$name::Output, Judge>($name, cut),)+)
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
