//! The first output, or the first success.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::container::Container;
use super::decide::Decide;
use super::policy::{Body, First, FirstOk};
use crate::debug::Unpolled;

/// Runs all futures in `container`, which have one type of output, in place, until the first is ready,
/// and returns its output.
///
/// The losers are cancelled, their clean-ups (`finally`, `bracket`, ...) run to their end, they are
/// dropped, and only then does this return. In the first round the futures are polled in order; of
/// several that are ready in one poll, the one that was woken first wins, and in a tuple the one
/// that comes first. A cancel from outside unwinds all of them, and then this does not return.
///
/// # Cancel safety
///
/// Dropping it drops the futures; a winner's output is lost only if that happens while the losers
/// clean up.
///
/// # Errors
///
/// [`RaceError`] if there is no future: it would never end.
///
/// # Panics
///
/// With the panic of a future; it cannot be polled any more after that. When polled after it was
/// ready.
///
/// # Examples
///
/// ```
/// use kumi_core::combine::race;
/// use kumi_core::runtime::{Clock, Runtime};
/// use std::time::Duration;
///
/// let sim = kumi_sim::Sim::new();
/// let after = async |seconds| {
///     sim.sleep(Duration::from_secs(seconds)).await;
///     seconds
/// };
/// let first = sim.block_on(race([after(3), after(1), after(2)]));
/// assert_eq!(first, Ok(1));
/// ```
#[inline]
#[track_caller]
pub fn race<C, Kind>(container: C) -> Race<C::Body, <C::Body as Body>::Stop>
where
    C: Container<First, Kind>,
{
    Race {
        inner: Decide::new(container.into_body()),
        unpolled: Unpolled::new("race"),
    }
}

pin_project! {
    /// The future of [`race`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct Race<B, S> {
        #[pin]
        inner: Decide<B, S>,
        unpolled: Unpolled,
    }
}

impl<B: Body> Future for Race<B, B::Stop> {
    type Output = Result<B::Stop, RaceError>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.unpolled.polled();
        let poll = this.inner.poll(cx, "race");
        poll.map(|ended| match ended {
            Ok(_) => Err(RaceError::new()),
            Err(first) => Ok(first),
        })
    }
}

/// Runs all futures in `container`, which return `Result`s, in place, until the first succeeds, and
/// returns its value.
///
/// Otherwise it is [`race`]: the losers are unwound before it returns. (`Promise.any` of JavaScript.)
///
/// # Cancel safety
///
/// Dropping it drops the futures, and the errors so far; a winner's value is lost only if that happens
/// while the losers clean up.
///
/// # Errors
///
/// With all errors, in the order of the futures and the shape of the container, if all fail; so with
/// none if there is no future.
///
/// # Panics
///
/// With the panic of a future; it cannot be polled any more after that. When polled after it was
/// ready.
///
/// # Examples
///
/// ```
/// use kumi_core::combine::race_ok;
/// use kumi_core::runtime::Runtime;
/// use std::future::ready;
///
/// kumi_sim::Sim::new().block_on(async {
///     assert_eq!(race_ok([ready(Err("no")), ready(Ok(1))]).await, Ok(1));
///     let failed: [Result<u32, _>; 2] = [Err("no"), Err("neither")];
///     assert_eq!(race_ok(failed.map(ready)).await, Err(["no", "neither"]));
/// });
/// ```
#[inline]
#[track_caller]
pub fn race_ok<C, Kind>(container: C) -> RaceOk<C::Body, <C::Body as Body>::Stop>
where
    C: Container<FirstOk, Kind>,
{
    RaceOk {
        inner: Decide::new(container.into_body()),
        unpolled: Unpolled::new("race_ok"),
    }
}

pin_project! {
    /// The future of [`race_ok`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct RaceOk<B, S> {
        #[pin]
        inner: Decide<B, S>,
        unpolled: Unpolled,
    }
}

impl<B: Body> Future for RaceOk<B, B::Stop> {
    type Output = Result<B::Stop, B::Kept>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.unpolled.polled();
        let poll = this.inner.poll(cx, "race_ok");
        poll.map(|ended| match ended {
            Ok(errors) => Err(errors),
            Err(first) => Ok(first),
        })
    }
}

/// A race had no winner: there was no future, or none was left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RaceError(());

impl RaceError {
    pub(crate) fn new() -> Self {
        Self(())
    }
}

impl fmt::Display for RaceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a race without a runner has no winner")
    }
}

impl std::error::Error for RaceError {}
