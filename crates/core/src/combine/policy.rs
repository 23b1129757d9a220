//! What becomes of the output of a child, and what all combinators over several futures have in
//! common.
//!
//! A combinator is a [`Policy`] (keep this output, or let it decide), a container of futures, and,
//! if one output can decide for all, a scope in which the others are unwound. The container
//! and the policy together make a [`Body`], which polls the futures; it is a [`Set`](super::set::Set) if they have one
//! type, and otherwise a tuple.

use std::convert::Infallible;
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Judges the output `O` of a child.
///
/// The policies are [`All`], [`NoErr`], [`First`] and [`FirstOk`].
pub trait Policy<O>: Named {
    /// What is kept until all have finished.
    type Kept;
    /// What decides for all.
    type Stop;
    /// Keeps an output, or lets it decide.
    fn judge(output: O) -> ControlFlow<Self::Stop, Self::Kept>;
}

/// A policy as the name of its combinator, for messages.
pub trait Named {
    /// The name.
    const NAME: &'static str;
}

/// The policy of [`gather`](super::gather): all are kept.
#[derive(Debug)]
pub enum All {}

impl Named for All {
    const NAME: &'static str = "gather";
}

impl<T> Policy<T> for All {
    type Kept = T;
    type Stop = Infallible;

    #[inline(always)]
    fn judge(output: T) -> ControlFlow<Infallible, T> {
        ControlFlow::Continue(output)
    }
}

/// The policy of [`try_gather`](super::try_gather): an error decides.
#[derive(Debug)]
pub enum NoErr {}

impl Named for NoErr {
    const NAME: &'static str = "try_gather";
}

impl<T, E> Policy<Result<T, E>> for NoErr {
    type Kept = T;
    type Stop = E;

    #[inline(always)]
    fn judge(output: Result<T, E>) -> ControlFlow<E, T> {
        match output {
            Ok(value) => ControlFlow::Continue(value),
            Err(error) => ControlFlow::Break(error),
        }
    }
}

/// The policy of [`race`](super::race): any output decides.
#[derive(Debug)]
pub enum First {}

impl Named for First {
    const NAME: &'static str = "race";
}

impl<T> Policy<T> for First {
    type Kept = Infallible;
    type Stop = T;

    #[inline(always)]
    fn judge(output: T) -> ControlFlow<T, Infallible> {
        ControlFlow::Break(output)
    }
}

/// The policy of [`race_ok`](super::race_ok): a success decides.
#[derive(Debug)]
pub enum FirstOk {}

impl Named for FirstOk {
    const NAME: &'static str = "race_ok";
}

impl<T, E> Policy<Result<T, E>> for FirstOk {
    type Kept = E;
    type Stop = T;

    #[inline(always)]
    fn judge(output: Result<T, E>) -> ControlFlow<T, E> {
        match output {
            Ok(value) => ControlFlow::Break(value),
            Err(error) => ControlFlow::Continue(error),
        }
    }
}

/// Futures that are polled together; what a [`Container`](super::Container) becomes.
pub trait Body {
    /// The outputs, if none decides.
    type Kept;
    /// The output that decides.
    type Stop;

    /// Polls those that are to be polled.
    ///
    /// If one decides, its output is put into `stop`, and this returns at once; then it is for the caller
    /// to poll again soon. Later calls poll the rest of those that had begun, and drop what they
    /// return. Ready when all that had begun have
    /// finished; with the outputs if none has decided.
    ///
    /// # Panics
    ///
    /// If it was ready before, or a future has panicked.
    fn poll_body(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        stop: &mut Option<Self::Stop>,
    ) -> Poll<Option<Self::Kept>>;
}

/// Whether a body can be polled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(usize)]
pub(super) enum Phase {
    Open,
    /// A poll goes on, or has panicked.
    Polling,
    /// The outputs were handed out.
    Over,
}

impl Phase {
    /// Begins a poll; it is for the caller to say when it has ended well.
    ///
    /// # Panics
    ///
    /// If it cannot be polled.
    #[inline(always)]
    pub(super) fn begin(&mut self, name: &str) {
        match self {
            Self::Open => *self = Self::Polling,
            Self::Polling => panicked(name),
            Self::Over => over(name),
        }
    }
}

#[cold]
fn panicked(name: &str) -> ! {
    panic!("`{name}` was polled after one of its futures had panicked")
}

/// Says that a combinator was polled after it was ready.
#[cold]
pub(super) fn over(name: &str) -> ! {
    panic!("`{name}` was polled after it was ready")
}
