//! The engine of the combinators that give outputs one by one, and of all limits: places that are used
//! again.
//!
//! # Shape
//!
//! A [`Pool`] has a number of *places*, allocated together at its first poll, and never moved. A child
//! is drawn from the source when a place is free, put there, and polled; when it has finished, it is
//! dropped, its output is given out at once, and the place is free. Wakers and queues are those of
//! [`set`](super): a block with a slot for each place, made when the first child is pending, so
//! that children that are ready at once need none.
//!
//! # Who ends what
//!
//! The pool alone polls and drops children. What has not finished is dropped with it, before the
//! block is let go; from then on wakes do nothing.
//!
//! # Invariants
//!
//! 1. `places` is pinned: a child leaves its place only by being dropped there.
//! 2. A child is polled when it was drawn, and then only if its place was woken since its last poll, in
//!    the order of the wakes. (A waker of an earlier child of the same place may wake it once too often.)
//! 3. Those that were woken before a poll of the combinator began are polled before new ones are drawn:
//!    a source that never ends starves nobody. What is woken during it waits for the next one.
//! 4. The first step of a poll of the combinator is free, the others are paid from the budget of the task.
//! 5. A poll that ended with a panic leaves `phase` at `Polling`: the pool can only be dropped.
#![allow(unsafe_code, reason = "children that are pinned in a slice")]

use std::fmt;
use std::future::Future;
use std::mem;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};
use std::vec;

use pin_project_lite::pin_project;

use super::block::{BlockRef, MOST};
use super::waker::{self, Starter};
use crate::combine::policy::Phase;
use crate::combine::source::Source;
use crate::context;

pin_project! {
    /// A child, and how many were drawn before it.
    struct Child<F> {
        #[pin]
        future: F,
        number: usize,
    }
}

/// A row of places.
type Row<F> = Box<[Option<Child<F>>]>;

/// Children from a source `S`, so many at a time.
pub(in crate::combine) struct Pool<S: Source> {
    source: S,
    /// All of a source that does not know how many it has, and has no limit.
    collected: Option<vec::IntoIter<S::Child>>,
    /// None before the first poll.
    places: Option<Pin<Row<S::Child>>>,
    block: Option<BlockRef>,
    /// Those that were in use, and are free again.
    free: Vec<u32>,
    /// How many places were ever in use.
    used: u32,
    /// How many children are alive.
    alive: usize,
    drawn: usize,
    exhausted: bool,
    /// The last of those that were woken before this turn of polls began, if it is still to be polled.
    mark: Option<u32>,
    phase: Phase,
    /// The budget of the task ended the last poll, so somebody may not have had his turn.
    cut_short: bool,
}

/// Which poll it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::combine) enum Turns {
    /// The first one since the combinator was polled.
    New,
    /// Another one in the same poll of the combinator.
    Same,
}

/// A child has finished: its number, and what it returned.
pub(in crate::combine) type Finished<S> = (usize, <<S as Source>::Child as Future>::Output);

/// The places, while the pool is polled.
struct Places<'a, F>(Pin<&'a mut [Option<Child<F>>]>);

impl<F: Future> Places<'_, F> {
    #[inline(always)]
    fn at(&mut self, place: u32) -> Pin<&mut Option<Child<F>>> {
        let places = self.0.as_mut();
        // SAFETY: an element of a pinned slice is pinned (invariant 1).
        unsafe { places.map_unchecked_mut(|places| &mut places[place as usize]) }
    }

    /// Polls the child there, if there is one; drops it when it has finished.
    #[inline(always)]
    fn poll(&mut self, place: u32, waker: &Waker) -> Poll<Option<(usize, F::Output)>> {
        let mut place = self.at(place);
        let Some(child) = place.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let child = child.project();
        let number = *child.number;
        let poll = child.future.poll(&mut Context::from_waker(waker));
        poll.map(|output| {
            place.set(None);
            Some((number, output))
        })
    }
}

impl<S: Source> Pool<S> {
    #[inline]
    pub(in crate::combine) fn new(source: S) -> Self {
        Self {
            source,
            collected: None,
            places: None,
            block: None,
            free: Vec::new(),
            used: 0,
            alive: 0,
            drawn: 0,
            exhausted: false,
            mark: None,
            phase: Phase::Open,
            cut_short: false,
        }
    }

    /// How many are alive, or still to be drawn: at least, and at most if that is known.
    pub(in crate::combine) fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = match self.exhausted {
            true => (0, Some(0)),
            false => self.more(),
        };
        let all = |count: usize| count.checked_add(self.alive);
        (least.saturating_add(self.alive), most.and_then(all))
    }

    /// How many are still to be drawn.
    fn more(&self) -> (usize, Option<usize>) {
        match &self.collected {
            Some(collected) => collected.size_hint(),
            None => self.source.size_hint(),
        }
    }

    /// How many children are alive.
    pub(in crate::combine) fn alive(&self) -> usize {
        self.alive
    }

    /// Whether everything was drawn and has finished.
    pub(in crate::combine) fn is_over(&self) -> bool {
        matches!(self.phase, Phase::Over)
    }

    /// Whether the budget of the task ended the last poll: it is polled again soon.
    pub(in crate::combine) fn was_cut_short(&self) -> bool {
        self.cut_short
    }

    /// How many children have begun.
    pub(in crate::combine) fn drawn(&self) -> usize {
        self.drawn
    }

    /// Polls until a child has finished. `None` when all have, and nothing is left to draw.
    ///
    /// No more than `limit` are in flight; how many that is at most is settled by the first poll.
    /// Nothing is drawn unless `draws`.
    ///
    /// # Panics
    ///
    /// If a child has panicked before; `name` is that of the combinator.
    #[inline]
    pub(in crate::combine) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        limit: Option<usize>,
        draws: bool,
        turns: Turns,
        name: &str,
    ) -> Poll<Option<Finished<S>>> {
        if self.is_over() {
            return Poll::Ready(None);
        }
        self.phase.begin(name);
        self.cut_short = false;
        let (poll, again) = self.run(cx, limit, draws, turns);
        self.phase = Phase::Open;
        if poll.is_pending() {
            if draws && self.exhausted && self.alive == 0 {
                self.phase = Phase::Over;
                self.block = None;
                return Poll::Ready(None);
            }
            if again {
                cx.waker().wake_by_ref();
            }
        }
        poll.map(Some)
    }

    /// Makes the places: for all, or for as many as may be in flight.
    fn make_places(&mut self, cx: &mut Context<'_>, limit: Option<usize>) {
        let (least, most) = self.source.size_hint();
        let count = match (limit, most) {
            (Some(limit), most) => limit.min(most.unwrap_or(limit)),
            (None, Some(most)) if most == least => most,
            (None, _) => {
                let mut all = Vec::with_capacity(least);
                while let Poll::Ready(Some(future)) = self.source.poll_draw(cx) {
                    all.push(future);
                }
                let count = all.len();
                self.collected = Some(all.into_iter());
                count
            }
        };
        assert!(
            count < MOST,
            "{count} futures in flight are too many: use a smaller limit"
        );
        self.places = Some(Box::into_pin((0..count).map(|_| None).collect()));
    }

    /// Polls until a child has finished; and whether to poll again soon otherwise.
    #[inline]
    fn run(
        &mut self,
        cx: &mut Context<'_>,
        limit: Option<usize>,
        draws: bool,
        turns: Turns,
    ) -> (Poll<Finished<S>>, bool) {
        if self.places.is_none() {
            self.make_places(cx, limit);
        }
        let places = self.places.as_mut().expect("they were just made");
        let mut places = Places(places.as_mut());
        let count = places.0.len();
        // A poll of the combinator is free of charge once, however often it polls this.
        let mut first = turns == Turns::New;
        let mut may_step = || mem::take(&mut first) || context::spend();
        let turn = if let Some(block) = &mut self.block {
            let turn = block.begin(cx.waker());
            if turns == Turns::New {
                self.mark = turn.last();
            }
            turn
        } else {
            let mut starter = Starter::new(count, cx.waker(), None, &mut self.block);
            let poll = loop {
                if self.exhausted || !draws {
                    return (Poll::Pending, false);
                }
                if !may_step() {
                    self.cut_short = true;
                    return (Poll::Pending, true);
                }
                let future = match draw(&mut self.collected, &mut self.source, cx) {
                    Poll::Ready(Some(future)) => future,
                    Poll::Ready(None) => {
                        self.exhausted = true;
                        continue;
                    }
                    Poll::Pending => return (Poll::Pending, false),
                };
                let number = self.drawn;
                self.drawn += 1;
                places.at(0).set(Some(Child { future, number }));
                let poll = starter.with(0, |waker| places.poll(0, waker));
                match (poll, starter.settle()) {
                    (Poll::Ready(Some(finished)), false) => {
                        return (Poll::Ready(finished), false);
                    }
                    (Poll::Pending, false) => {
                        starter.make();
                        break Poll::Pending;
                    }
                    (poll, _) => break poll,
                }
            };
            drop(starter);
            self.used = 1;
            if let Poll::Ready(Some(finished)) = poll {
                self.free.push(0);
                return (Poll::Ready(finished), false);
            }
            self.alive = 1;
            let block = self.block.as_mut();
            let block = block.unwrap_or_else(|| unreachable!("it is made"));
            block.resume()
        };
        // First those that were woken before this poll.
        while let Some(last) = self.mark {
            if !may_step() {
                self.cut_short = true;
                return (Poll::Pending, true);
            }
            let Some(next) = turn.pop() else { break };
            if next == last {
                self.mark = None;
            }
            let poll = waker::with(&turn, next, |waker| places.poll(next, waker));
            if let Poll::Ready(Some(finished)) = poll {
                self.alive -= 1;
                if self.collected.is_none() && self.source.size_hint().1 != Some(0) {
                    self.free.push(next);
                }
                return (Poll::Ready(finished), false);
            }
        }
        while draws && self.alive < count && !self.exhausted {
            if !may_step() {
                self.cut_short = true;
                return (Poll::Pending, true);
            }
            let future = match draw(&mut self.collected, &mut self.source, cx) {
                Poll::Ready(Some(future)) => future,
                Poll::Ready(None) => {
                    self.exhausted = true;
                    break;
                }
                Poll::Pending => break,
            };
            let number = self.drawn;
            self.drawn += 1;
            let place = self.free.pop().unwrap_or_else(|| {
                self.used += 1;
                self.used - 1
            });
            places.at(place).set(Some(Child { future, number }));
            self.alive += 1;
            let poll = waker::with(&turn, place, |waker| places.poll(place, waker));
            if let Poll::Ready(Some(finished)) = poll {
                self.alive -= 1;
                self.free.push(place);
                return (Poll::Ready(finished), false);
            }
        }
        (Poll::Pending, turn.end())
    }
}

/// Draws the next child.
#[inline]
fn draw<S: Source>(
    collected: &mut Option<vec::IntoIter<S::Child>>,
    source: &mut S,
    cx: &mut Context<'_>,
) -> Poll<Option<S::Child>> {
    match collected {
        Some(collected) => Poll::Ready(collected.next()),
        None => source.poll_draw(cx),
    }
}

// Nothing but the places is pinned, and those are on the heap.
impl<S: Source> Unpin for Pool<S> {}

impl<S: Source> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("drawn", &self.drawn)
            .field("alive", &self.alive)
            .field("exhausted", &self.exhausted)
            .finish_non_exhaustive()
    }
}

impl<S: Source> Drop for Pool<S> {
    fn drop(&mut self) {
        // Wakes do nothing from here on; the children go before the block does.
        let _parent = self.block.as_mut().and_then(BlockRef::close);
        let _turn = self.block.as_mut().map(BlockRef::clear);
        self.places = None;
    }
}
