//! Loops over outputs that poll the futures while their body runs.
//!
//! # Shape
//!
//! An [`Each`] has a pool, the outputs that wait, and the run of the body, if there is one. One poll of it
//! polls all of the pool that can go on, then the run. Outputs that wait count for the limit, so a slow
//! body holds the source back. It is a [`Body`](super::policy::Body): an error of the run decides, and
//! then the rest is unwound in the scope of a [`Decide`].

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::decide::Decide;
use super::policy::{Body, over};
use super::set::{Pool, Then, Turns};
use super::source::{Bound, Source};
use crate::context;

/// The body of a loop over values `T`.
pub trait LoopBody<T> {
    /// What ends the loop.
    type Error;
    /// One run of the body.
    type Run: Future<Output = Result<(), Self::Error>>;

    /// Begins a run with `value`.
    fn begin(&mut self, value: T) -> Self::Run;
}

/// A body that cannot fail.
#[derive(Debug)]
pub struct Plain<E>(E);

impl<T, E, F> LoopBody<T> for Plain<E>
where
    E: FnMut(T) -> F,
    F: Future<Output = ()>,
{
    type Error = Infallible;
    type Run = PlainRun<F>;

    fn begin(&mut self, value: T) -> PlainRun<F> {
        PlainRun {
            run: (self.0)(value),
        }
    }
}

pin_project! {
    /// A run of a body that cannot fail.
    #[derive(Debug)]
    pub struct PlainRun<F> {
        #[pin]
        run: F,
    }
}

impl<F: Future<Output = ()>> Future for PlainRun<F> {
    type Output = Result<(), Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().run.poll(cx).map(Ok)
    }
}

/// A body that can fail.
#[derive(Debug)]
pub struct Fallible<E>(E);

impl<T, E, F, Error> LoopBody<T> for Fallible<E>
where
    E: FnMut(T) -> F,
    F: Future<Output = Result<(), Error>>,
{
    type Error = Error;
    type Run = F;

    fn begin(&mut self, value: T) -> F {
        (self.0)(value)
    }
}

/// What the futures of a source return.
type Output<S> = <<S as Source>::Child as Future>::Output;

pin_project! {
    /// A loop over the outputs of a pool.
    struct Each<S, B, E>
    where
        S: Source,
        E: LoopBody<Output<S>>,
    {
        pool: Pool<S>,
        bound: B,
        body: E,
        waiting: VecDeque<Output<S>>,
        #[pin]
        run: Option<E::Run>,
        name: &'static str,
    }
}

impl<S: Source, B: Bound<S>, E: LoopBody<Output<S>>> Each<S, B, E> {
    fn new(pool: Pool<S>, bound: B, body: E, name: &'static str) -> Self {
        Self {
            pool,
            bound,
            body,
            waiting: VecDeque::new(),
            run: None,
            name,
        }
    }
}

impl<S: Source, B: Bound<S>, E: LoopBody<Output<S>>> Body for Each<S, B, E> {
    type Kept = ();
    type Stop = E::Error;

    fn poll_body(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        stop: &mut Option<E::Error>,
    ) -> Poll<Option<()>> {
        let mut this = self.project();
        let limit = this.bound.get();
        let mut turns = Turns::New;
        loop {
            // Who has decided draws no more, and neither does a cancelled scope.
            let goes_on = stop.is_none() && !context::is_cancelled();
            let waiting = &mut *this.waiting;
            let then = |waiting: &VecDeque<_>, alive| match limit {
                _ if !goes_on => Then::Rest,
                Some(limit) if waiting.len() + alive >= limit => Then::Rest,
                _ => Then::Draw,
            };
            let first = then(waiting, this.pool.alive());
            this.pool
                .poll(cx, limit, first, turns, this.name, |_, output, alive| {
                    match goes_on {
                        true => waiting.push_back(output),
                        false => drop(output),
                    }
                    then(waiting, alive)
                });
            turns = Turns::Same;
            if !goes_on {
                this.waiting.clear();
            }
            if let Some(run) = this.run.as_mut().as_pin_mut() {
                let result = ready!(run.poll(cx));
                this.run.set(None);
                if let Err(error) = result {
                    *stop = Some(error);
                    // The scope tells the others, and polls this again.
                    return Poll::Pending;
                }
                if goes_on && !context::spend() {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if goes_on && this.waiting.is_empty() {
                    // There is room for more now.
                    continue;
                }
            }
            if !goes_on {
                return match stop.is_some() && this.pool.alive() == 0 {
                    true => Poll::Ready(None),
                    false => Poll::Pending,
                };
            }
            match this.waiting.pop_front() {
                Some(output) => {
                    let run = this.body.begin(output);
                    this.run.set(Some(run));
                }
                None if this.pool.is_over() => return Poll::Ready(Some(())),
                None => return Poll::Pending,
            }
        }
    }
}

pin_project! {
    /// The future of [`AsCompleted::for_each`](super::AsCompleted::for_each).
    #[must_use = "futures do nothing unless polled"]
    pub struct ForEach<S, B, E>
    where
        S: Source,
        E: LoopBody<Output<S>>,
    {
        #[pin]
        each: Each<S, B, E>,
        over: bool,
    }
}

impl<S, B, E, F> ForEach<S, B, Plain<E>>
where
    S: Source,
    B: Bound<S>,
    E: FnMut(Output<S>) -> F,
    F: Future<Output = ()>,
{
    pub(super) fn new(pool: Pool<S>, bound: B, body: E) -> Self {
        Self {
            each: Each::new(pool, bound, Plain(body), FOR_EACH),
            over: false,
        }
    }
}

const FOR_EACH: &str = "for_each";
const TRY_FOR_EACH: &str = "try_for_each";

impl<S, B, E> Future for ForEach<S, B, E>
where
    S: Source,
    B: Bound<S>,
    E: LoopBody<Output<S>, Error = Infallible>,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if *this.over {
            over(FOR_EACH);
        }
        let ended = ready!(this.each.poll_body(cx, &mut None));
        *this.over = true;
        ended.unwrap_or_default();
        Poll::Ready(())
    }
}

impl<S: Source, B, E: LoopBody<Output<S>>> fmt::Debug for ForEach<S, B, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ForEach")
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`AsCompleted::try_for_each`](super::AsCompleted::try_for_each).
    #[must_use = "futures do nothing unless polled"]
    pub struct TryForEach<S, B, E, Error>
    where
        S: Source,
        E: LoopBody<Output<S>>,
    {
        #[pin]
        inner: Decide<Each<S, B, E>, Error>,
    }
}

impl<S, B, E, F, Error> TryForEach<S, B, Fallible<E>, Error>
where
    S: Source,
    B: Bound<S>,
    E: FnMut(Output<S>) -> F,
    F: Future<Output = Result<(), Error>>,
{
    pub(super) fn new(pool: Pool<S>, bound: B, body: E) -> Self {
        Self {
            inner: Decide::new(Each::new(pool, bound, Fallible(body), TRY_FOR_EACH)),
        }
    }
}

impl<S: Source, B: Bound<S>, E: LoopBody<Output<S>>> Future for TryForEach<S, B, E, E::Error> {
    type Output = Result<(), E::Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.project().inner.poll(cx, TRY_FOR_EACH)
    }
}

impl<S: Source, B, E: LoopBody<Output<S>>, Error> fmt::Debug for TryForEach<S, B, E, Error> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TryForEach").finish_non_exhaustive()
    }
}
