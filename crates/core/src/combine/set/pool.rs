//! The engine of the combinators that give outputs one by one, and of all limits.
//!
//! # Shape
//!
//! A [`Pool`] has a [`Supply`]: the source of its children and their *places*, made together at its
//! first poll, and never moved. A child is drawn when a place is free, and polled; when it has
//! finished, it is dropped, its output is given out at once, and the place is free. Wakers and queues
//! are those of [`set`](super): a block with a slot for each place, made when the first child is
//! pending, so that children that are ready at once need none.
//!
//! # Who ends what
//!
//! The pool alone polls and drops children. What has not finished is dropped with it, before the
//! block is let go; from then on wakes do nothing.
//!
//! # Invariants
//!
//! 1. Who is alive was drawn, polled, and has not finished.
//! 2. A child is polled when it was drawn, and then only if its place was woken since its last poll, in
//!    the order of the wakes. (A waker of an earlier child of the same place may wake it once too often.)
//! 3. Those that were woken before a poll of the combinator began are polled before new ones are drawn:
//!    a source that never ends starves nobody. What is woken during it waits for the next one. If the
//!    budget ends a poll before any of the new ones had his turn, the next poll begins with them, and
//!    the one after it again with those that were woken: neither starves the other.
//! 4. The first step of a poll of the combinator is free, the others are paid from the budget of the task.
//! 5. A poll that ended with a panic leaves `phase` at `Polling`: the pool can only be dropped.

use std::fmt;
use std::future::Future;
use std::mem;
use std::task::{Context, Poll};

use super::block::BlockRef;
use super::supply::Supply;
use super::waker::{self, Starter};
use crate::combine::policy::Phase;
use crate::combine::source::Source;
use crate::context;
use crate::loom::fault;

/// Children from a source `S`, so many at a time.
pub(in crate::combine) struct Pool<S: Source> {
    supply: Supply<S>,
    block: Option<BlockRef>,
    /// How many children are alive.
    alive: usize,
    /// The last of those that were woken before this turn of polls began, if it is still to be polled.
    mark: Option<u32>,
    /// The budget ended the last poll before anything was drawn: the next one draws first.
    owes_draw: bool,
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

/// What a child returned.
type Output<S> = <<S as Source>::Child as Future>::Output;

/// A child has finished: its number, and what it returned.
pub(in crate::combine) type Finished<S> = (usize, Output<S>);

/// What comes after an output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::combine) enum Then {
    /// The poll goes on, and new children are drawn.
    Draw,
    /// The poll goes on with those that are alive.
    Rest,
    /// The poll ends: whoever called polls again by himself.
    Stop,
}

/// How a poll has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::combine) enum End {
    /// After an output that said so.
    Stopped,
    /// The task is woken for the next one.
    Pending,
    /// All children have finished, and nothing is left to draw.
    Over,
}

impl<S: Source> Pool<S> {
    #[inline]
    pub(in crate::combine) fn new(source: S) -> Self {
        Self {
            supply: Supply::new(source),
            block: None,
            alive: 0,
            mark: None,
            owes_draw: false,
            phase: Phase::Open,
            cut_short: false,
        }
    }

    /// How many are alive, or still to be drawn: at least, and at most if that is known.
    pub(in crate::combine) fn size_hint(&self) -> (usize, Option<usize>) {
        let (least, most) = self.supply.more();
        let all = |count: usize| count.checked_add(self.alive);
        (least.saturating_add(self.alive), most.and_then(all))
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
        self.supply.drawn()
    }

    /// Polls who is to be polled, and gives each output to `take`, with the child's number and how many
    /// are alive.
    ///
    /// No more than `limit` are in flight; how many that is at most is settled by the first poll.
    /// New ones are drawn if `then` is `Draw`, and after an output if `take` says so.
    ///
    /// # Panics
    ///
    /// If a child has panicked before; `name` is that of the combinator.
    #[inline]
    pub(in crate::combine) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        limit: Option<usize>,
        then: Then,
        turns: Turns,
        name: &str,
        take: impl FnMut(usize, Output<S>, usize) -> Then,
    ) -> End {
        if self.is_over() {
            return End::Over;
        }
        self.phase.begin(name);
        self.cut_short = false;
        if self.rests(cx, then) {
            self.phase = Phase::Open;
            return End::Pending;
        }
        let (then, again) = self.run(cx, limit, then, turns, take);
        self.phase = Phase::Open;
        match then {
            Then::Stop => return End::Stopped,
            Then::Draw if self.supply.is_exhausted() && self.alive == 0 => {
                self.phase = Phase::Over;
                self.block = None;
                return End::Over;
            }
            Then::Draw | Then::Rest => {}
        }
        if again {
            cx.waker().wake_by_ref();
        }
        End::Pending
    }

    /// Whether nobody was woken, nothing is to be drawn, and the task's waker is the one that is known.
    #[inline(always)]
    fn rests(&mut self, cx: &Context<'_>, then: Then) -> bool {
        let full = self.alive == self.supply.places() || self.supply.is_exhausted();
        let block = self.block.as_mut().filter(|_| full || then != Then::Draw);
        self.alive > 0 && block.is_some_and(|block| block.rests(cx.waker()))
    }

    /// Polls until an output says that it is enough: what the last one said, or `then`; and whether to
    /// poll again soon.
    #[inline]
    fn run(
        &mut self,
        cx: &mut Context<'_>,
        limit: Option<usize>,
        mut then: Then,
        turns: Turns,
        mut take: impl FnMut(usize, Output<S>, usize) -> Then,
    ) -> (Then, bool) {
        let supply = &mut self.supply;
        if !supply.has_begun() {
            supply.begin(cx, limit);
        }
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
            let places = supply.places();
            let mut starter = Starter::new(places, cx.waker(), None, &mut self.block);
            let poll = loop {
                if supply.is_exhausted() || then != Then::Draw {
                    return (then, false);
                }
                if !may_step() {
                    self.cut_short = true;
                    return (then, true);
                }
                let Poll::Ready(Some(place)) = supply.draw(cx) else {
                    return (then, false);
                };
                // All that were drawn before have finished.
                let poll = starter.with(place as usize, |waker| supply.poll(place, waker));
                match (poll, starter.settle()) {
                    (Poll::Ready(Some((number, output))), false) => {
                        then = take(number, output, 0);
                        if then == Then::Stop {
                            return (then, false);
                        }
                    }
                    (Poll::Pending, false) => {
                        starter.make();
                        break Poll::Pending;
                    }
                    (poll, _) => break poll,
                }
            };
            drop(starter);
            let block = self.block.as_mut();
            let block = block.unwrap_or_else(|| unreachable!("it is made"));
            let turn = block.resume();
            match poll {
                Poll::Ready(Some((number, output))) => {
                    then = take(number, output, 0);
                    if then == Then::Stop {
                        if fault("first_turn_never_ends") {
                            mem::forget(turn);
                        }
                        return (then, false);
                    }
                }
                Poll::Ready(None) | Poll::Pending => self.alive = 1,
            }
            turn
        };
        let before = supply.drawn();
        let mut draws_first = mem::take(&mut self.owes_draw);
        loop {
            // First those that were woken before this poll.
            while let Some(last) = self.mark {
                if draws_first {
                    break;
                }
                if !may_step() {
                    self.cut_short = true;
                    self.owes_draw = supply.drawn() == before;
                    return (then, true);
                }
                let Some(next) = turn.pop() else { break };
                if next == last {
                    self.mark = None;
                }
                let poll = waker::with(&turn, next, |waker| supply.poll(next, waker));
                if let Poll::Ready(Some((number, output))) = poll {
                    self.alive -= 1;
                    then = take(number, output, self.alive);
                    if then == Then::Stop {
                        return (then, false);
                    }
                }
            }
            while then == Then::Draw && self.alive < supply.places() && !supply.is_exhausted() {
                if !may_step() {
                    self.cut_short = true;
                    self.owes_draw = supply.drawn() == before;
                    return (then, true);
                }
                let Poll::Ready(Some(place)) = supply.draw(cx) else {
                    break;
                };
                let poll = waker::with(&turn, place, |waker| supply.poll(place, waker));
                if let Poll::Ready(Some((number, output))) = poll {
                    then = take(number, output, self.alive);
                    if then == Then::Stop {
                        return (then, false);
                    }
                } else {
                    self.alive += 1;
                }
            }
            if !mem::take(&mut draws_first) {
                return (then, turn.end());
            }
        }
    }
}

// Nothing but the places is pinned, and those are on the heap.
impl<S: Source> Unpin for Pool<S> {}

impl<S: Source> fmt::Debug for Pool<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool")
            .field("drawn", &self.supply.drawn())
            .field("alive", &self.alive)
            .field("exhausted", &self.supply.is_exhausted())
            .finish_non_exhaustive()
    }
}

impl<S: Source> Drop for Pool<S> {
    fn drop(&mut self) {
        // Wakes do nothing from here on; the children go before the block does.
        let _parent = self.block.as_mut().and_then(BlockRef::close);
        let _turn = self.block.as_mut().map(BlockRef::clear);
        self.supply.clear();
    }
}
