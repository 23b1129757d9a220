//! Which containers of futures can become tasks, and the handles of those.

use super::rule::Rule;
use super::shared::Recruiter;
use crate::combine::Iter;
use crate::combine::set::{Boxed, Heap, Inline};
use crate::runtime::{Spawn, Task};
use crate::task::{JoinError, JoinHandle};

/// A container of futures that can become tasks.
///
/// Implemented by tuples of up to twelve futures of different types, by arrays, `Vec` and `Box<[F]>`,
/// and by every iterator. `Kind` tells them apart and is always inferred.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no container of futures that can be spawned",
    note = "tuples of up to twelve futures, arrays, `Vec<F>`, `Box<[F]>` and iterators over futures are",
    note = "of another collection, pass its `into_iter()`"
)]
pub trait Spawnable<Kind> {
    /// The futures, ready to be spawned.
    type Crew;

    /// Takes the futures.
    fn into_crew(self) -> Self::Crew;
}

/// Futures that become the children of a combinator with the rule `P`; what a [`Spawnable`] becomes.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be spawned by this combinator",
    note = "the futures and what they return have to be `Send + 'static`",
    note = "`try_gather` and `race_ok` want futures that return a `Result`"
)]
pub trait Crew<P>: Sized {
    /// The handles of the tasks.
    type Handles: Handles;
    /// What is returned if no child decides.
    type Kept;
    /// What decides for all.
    type Stop: Send + 'static;

    /// Makes each future a task.
    fn recruit<R: Spawn>(
        self,
        recruiter: &mut Recruiter<'_, P, Self::Stop, Self::Handles, R>,
    ) -> Self::Handles;

    /// Takes what the tasks, which have ended, returned; sets `cut` if one of them was cancelled.
    fn keep(handles: Self::Handles, cut: &mut bool) -> Self::Kept;
}

/// The handles of the children of a combinator.
pub trait Handles: Send + 'static {
    /// Adds the tasks to `list`.
    fn list(&self, list: &mut Vec<Task>);

    /// Whether one of the tasks, which have ended, was cancelled. Drops what they returned.
    fn were_cut(self) -> bool;
}

/// What a child that has ended returned.
fn outcome<T>(mut handle: JoinHandle<T>) -> Result<T, JoinError> {
    match handle.take_now() {
        Some(outcome) => outcome,
        None => unreachable!("every child has ended"),
    }
}

/// Whether a child that has ended was cancelled.
pub(super) fn was_cut<T>(handle: JoinHandle<T>) -> bool {
    outcome(handle).is_err()
}

/// Makes what is kept of the outcome of a child that has ended, where none has decided.
#[inline]
pub(super) fn keep<O, P: Rule<O>>(handle: JoinHandle<Option<P::Value>>, cut: &mut bool) -> P::Kept {
    let outcome = outcome(handle);
    *cut |= outcome.is_err();
    P::keep(outcome.map(|value| match value {
        Some(value) => value,
        None => unreachable!("no child has decided"),
    }))
}

impl<T: Send + 'static> Handles for Vec<JoinHandle<T>> {
    fn list(&self, list: &mut Vec<Task>) {
        list.extend(self.iter().map(JoinHandle::task));
    }

    fn were_cut(self) -> bool {
        // All of them are looked at, so that all values are dropped here.
        self.into_iter().fold(false, |cut, it| was_cut(it) | cut)
    }
}

impl<T: Send + 'static, const N: usize> Handles for [JoinHandle<T>; N] {
    fn list(&self, list: &mut Vec<Task>) {
        list.extend(self.iter().map(JoinHandle::task));
    }

    fn were_cut(self) -> bool {
        self.into_iter().fold(false, |cut, it| was_cut(it) | cut)
    }
}

impl<F: Future> Spawnable<Heap> for Vec<F> {
    type Crew = Self;

    fn into_crew(self) -> Self {
        self
    }
}

impl<I: Iterator<Item: Future>> Spawnable<Iter> for I {
    type Crew = Vec<I::Item>;

    fn into_crew(self) -> Self::Crew {
        self.collect()
    }
}

impl<F: Future> Spawnable<Boxed> for Box<[F]> {
    type Crew = Self;

    fn into_crew(self) -> Self {
        self
    }
}

impl<F: Future, const N: usize> Spawnable<Inline<N>> for [F; N] {
    type Crew = Self;

    fn into_crew(self) -> Self {
        self
    }
}

impl<F, P> Crew<P> for Vec<F>
where
    F: Future + Send + 'static,
    P: Rule<F::Output>,
{
    type Handles = Vec<JoinHandle<Option<P::Value>>>;
    type Kept = Vec<P::Kept>;
    type Stop = P::Stop;

    fn recruit<R: Spawn>(
        self,
        recruiter: &mut Recruiter<'_, P, P::Stop, Self::Handles, R>,
    ) -> Self::Handles {
        recruiter.expect(self.len());
        let futures = self.into_iter();
        futures.map(|future| recruiter.recruit(future)).collect()
    }

    fn keep(handles: Self::Handles, cut: &mut bool) -> Self::Kept {
        let handles = handles.into_iter();
        handles.map(|it| keep::<F::Output, P>(it, cut)).collect()
    }
}

impl<F, P> Crew<P> for Box<[F]>
where
    F: Future + Send + 'static,
    P: Rule<F::Output>,
{
    type Handles = Vec<JoinHandle<Option<P::Value>>>;
    type Kept = Box<[P::Kept]>;
    type Stop = P::Stop;

    fn recruit<R: Spawn>(
        self,
        recruiter: &mut Recruiter<'_, P, P::Stop, Self::Handles, R>,
    ) -> Self::Handles {
        self.into_vec().recruit(recruiter)
    }

    fn keep(handles: Self::Handles, cut: &mut bool) -> Self::Kept {
        <Vec<F> as Crew<P>>::keep(handles, cut).into_boxed_slice()
    }
}

impl<F, P, const N: usize> Crew<P> for [F; N]
where
    F: Future + Send + 'static,
    P: Rule<F::Output>,
{
    type Handles = [JoinHandle<Option<P::Value>>; N];
    type Kept = [P::Kept; N];
    type Stop = P::Stop;

    fn recruit<R: Spawn>(
        self,
        recruiter: &mut Recruiter<'_, P, P::Stop, Self::Handles, R>,
    ) -> Self::Handles {
        recruiter.expect(N);
        self.map(|future| recruiter.recruit(future))
    }

    fn keep(handles: Self::Handles, cut: &mut bool) -> Self::Kept {
        handles.map(|it| keep::<F::Output, P>(it, cut))
    }
}
