//! The children, what they returned, and the poll of both.
//!
//! # Invariants
//!
//! 1. `started` children were polled. Those from there on are alive. If there is no block, those
//!    before have finished; if there is one, it says which.
//! 2. A finished child is dropped. What it returned is in its place in `kept`, as long as `holds` says
//!    so: until the outputs are handed out, or a child has decided.
//! 3. `children` is pinned with the set: nothing moves out of it.
#![allow(unsafe_code, reason = "children that are pinned in places of a slice")]

use std::fmt;
use std::future::Future;
use std::mem::{self, ManuallyDrop, MaybeUninit, needs_drop};
use std::ops::ControlFlow;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::block::{BlockRef, room_for};
use super::shape::{Boxed, Heap, Inline, Shape, into_places};
use super::turn::Turn;
use super::waker::{self, Starter};
use crate::combine::limit::{BEGUN, Unbegun};
use crate::combine::policy::{Body, Phase, Policy};
use crate::combine::source::FromIter;
use crate::context;

/// Children of one type, polled together; what they return is judged by `P`.
pub struct Set<F: Future, S: Shape, P: Policy<F::Output>> {
    children: S::Places<F>,
    kept: S::Places<P::Kept>,
    block: Option<BlockRef>,
    len: usize,
    started: usize,
    /// How many were started and have not finished.
    left: usize,
    /// What was kept is in its place.
    holds: bool,
    phase: Phase,
}

/// What is known of which children have finished.
trait Marks {
    fn is_done(&self, index: usize) -> bool;
    fn finish(&mut self, index: usize);
}

/// Without a block: those before have finished.
struct Before<'a>(&'a mut usize);

impl Marks for Before<'_> {
    #[inline(always)]
    fn is_done(&self, index: usize) -> bool {
        index < *self.0
    }

    #[inline(always)]
    fn finish(&mut self, index: usize) {
        *self.0 = index + 1;
    }
}

/// With a block.
struct Noted<'a, 'b> {
    turn: &'a Turn<'b>,
    started: usize,
    left: &'a mut usize,
}

impl Marks for Noted<'_, '_> {
    #[inline(always)]
    fn is_done(&self, index: usize) -> bool {
        index < self.started && self.turn.is_done(index as u32)
    }

    #[inline(always)]
    fn finish(&mut self, index: usize) {
        self.turn.finish(index as u32);
        *self.left -= 1;
    }
}

/// The places of a set during a poll.
struct Places<'a, F: Future, P: Policy<F::Output>> {
    children: &'a mut [MaybeUninit<F>],
    kept: &'a mut [MaybeUninit<P::Kept>],
    holds: &'a mut bool,
    stop: &'a mut Option<P::Stop>,
}

impl<F: Future, P: Policy<F::Output>> Places<'_, F, P> {
    /// Polls a child that is alive.
    #[inline(always)]
    fn poll(&mut self, index: usize, waker: &Waker) -> Poll<F::Output> {
        // SAFETY: the callers poll children that have not finished.
        let child = unsafe { self.children[index].assume_init_mut() };
        // SAFETY: invariant 3.
        let child = unsafe { Pin::new_unchecked(child) };
        child.poll(&mut Context::from_waker(waker))
    }

    /// A child has returned `output`: keeps it, or takes it as the decision; then drops the child.
    #[inline(always)]
    fn end(&mut self, index: usize, output: F::Output, mut marks: impl Marks) {
        let mut late = None;
        if self.stop.is_some() {
            late = Some(output);
        } else {
            match P::judge(output) {
                ControlFlow::Continue(kept) => {
                    self.kept[index].write(kept);
                }
                ControlFlow::Break(stop) => {
                    *self.stop = Some(stop);
                    if mem::take(self.holds) {
                        // SAFETY: what is done is kept, and nobody looks at it any more.
                        unsafe { drop_each(self.kept, |index| marks.is_done(index)) };
                    }
                }
            }
        }
        marks.finish(index);
        // SAFETY: it was alive, and is marked as finished.
        unsafe { self.children[index].assume_init_drop() };
        drop(late);
    }
}

/// Drops the values for whose index `is_there` holds; also the rest if one of them panics.
///
/// # Safety
///
/// They must be there, and be taken for empty afterwards.
unsafe fn drop_each<T>(places: &mut [MaybeUninit<T>], is_there: impl Fn(usize) -> bool) {
    /// Drops those from `next` on.
    struct Rest<'a, T, I: Fn(usize) -> bool> {
        places: &'a mut [MaybeUninit<T>],
        is_there: I,
        next: usize,
    }
    impl<T, I: Fn(usize) -> bool> Rest<'_, T, I> {
        fn go_on(&mut self) {
            while self.next < self.places.len() {
                let index = self.next;
                self.next += 1;
                if (self.is_there)(index) {
                    // SAFETY: by the caller of `drop_each`; each once.
                    unsafe { self.places[index].assume_init_drop() };
                }
            }
        }
    }
    impl<T, I: Fn(usize) -> bool> Drop for Rest<'_, T, I> {
        fn drop(&mut self) {
            self.go_on();
        }
    }
    if needs_drop::<T>() {
        let next = 0;
        Rest {
            places,
            is_there,
            next,
        }
        .go_on();
    }
}

impl<F: Future, S: Shape, P: Policy<F::Output>> Set<F, S, P> {
    /// A set of the children in `children`.
    ///
    /// # Safety
    ///
    /// All places must be filled.
    #[inline]
    unsafe fn new(mut children: S::Places<F>) -> Self {
        let len = children.as_mut().len();
        Self {
            children,
            kept: S::places(len),
            block: None,
            len,
            started: 0,
            left: 0,
            holds: true,
            phase: Phase::Open,
        }
    }
}

impl<F: Future, P: Policy<F::Output>> Set<F, Heap, P> {
    #[inline]
    pub(in crate::combine) fn of_vec(children: Vec<F>) -> Self {
        // SAFETY: all places are filled.
        unsafe { Self::new(into_places(children)) }
    }
}

impl<F: Future, P: Policy<F::Output>> Set<F, Heap, P> {
    /// A set of the futures that `children` gives, with room for the block behind them.
    #[inline]
    pub(in crate::combine) fn of_iter(children: impl Iterator<Item = F>) -> Self {
        let (len, most) = children.size_hint();
        if most != Some(len) || len == 0 || size_of::<F>() == 0 {
            return Self::of_vec(children.collect());
        }
        let room = room_for(len).div_ceil(size_of::<F>());
        let mut all = Vec::with_capacity(len + room);
        all.extend(children);
        Self::of_vec(all)
    }
}

impl<F: Future, P: Policy<F::Output>> Set<F, Boxed, P> {
    #[inline]
    pub(in crate::combine) fn of_box(children: Box<[F]>) -> Self {
        // SAFETY: all places are filled.
        unsafe { Self::new(into_places(children.into_vec())) }
    }
}

impl<F: Future, P: Policy<F::Output>, const N: usize> Set<F, Inline<N>, P> {
    #[inline]
    pub(in crate::combine) fn of_array(children: [F; N]) -> Self {
        // SAFETY: all places are filled.
        unsafe { Self::new(children.map(MaybeUninit::new)) }
    }
}

impl<F: Future, S: Shape, P: Policy<F::Output>> Set<F, S, P> {
    /// Polls who is to be polled; true if the set is to be polled again soon.
    #[inline]
    fn run(&mut self, waker: &Waker, stop: &mut Option<P::Stop>) -> bool {
        let room = match self.block {
            Some(_) => None,
            None => S::room(&mut self.children),
        };
        let mut places: Places<'_, F, P> = Places {
            children: self.children.as_mut(),
            kept: self.kept.as_mut(),
            holds: &mut self.holds,
            stop,
        };
        // The first one is free, so that each poll makes progress.
        let mut free = true;
        let mut may_poll = || mem::take(&mut free) || context::spend();
        let (turn, last) = if let Some(block) = &mut self.block {
            let turn = block.begin(waker);
            let last = turn.last();
            (turn, last)
        } else {
            let mut starter = Starter::new(self.len, waker, room, &mut self.block);
            let (index, poll) = loop {
                let index = self.started;
                if index == self.len || places.stop.is_some() {
                    return false;
                }
                if !may_poll() {
                    return true;
                }
                let poll = starter.with(index, |waker| places.poll(index, waker));
                match (poll, starter.settle()) {
                    (Poll::Ready(output), false) => {
                        places.end(index, output, Before(&mut self.started));
                    }
                    (Poll::Pending, false) => {
                        starter.make();
                        break (index, Poll::Pending);
                    }
                    (poll, true) => break (index, poll),
                }
            };
            drop(starter);
            self.started += 1;
            self.left += 1;
            let block = self.block.as_mut();
            let turn = block.unwrap_or_else(|| unreachable!("it is made")).resume();
            if let Poll::Ready(output) = poll {
                let (started, left) = (self.started, &mut self.left);
                places.end(
                    index,
                    output,
                    Noted {
                        turn: &turn,
                        started,
                        left,
                    },
                );
            }
            (turn, None)
        };
        while self.started < self.len && places.stop.is_none() {
            if !may_poll() {
                return true;
            }
            let index = self.started;
            self.started += 1;
            self.left += 1;
            if let Poll::Ready(output) =
                waker::with(&turn, index as u32, |waker| places.poll(index, waker))
            {
                let (started, left) = (self.started, &mut self.left);
                places.end(
                    index,
                    output,
                    Noted {
                        turn: &turn,
                        started,
                        left,
                    },
                );
            }
        }
        let decided = places.stop.is_some();
        let mut waits = last.is_some();
        while waits && may_poll() {
            let Some(next) = turn.pop() else { break };
            waits = last != Some(next);
            if turn.is_done(next) {
                continue;
            }
            let index = next as usize;
            if let Poll::Ready(output) = waker::with(&turn, next, |waker| places.poll(index, waker))
            {
                let (started, left) = (self.started, &mut self.left);
                places.end(
                    index,
                    output,
                    Noted {
                        turn: &turn,
                        started,
                        left,
                    },
                );
                if !decided && places.stop.is_some() {
                    break;
                }
            }
        }
        turn.end()
    }
}

impl<F: Future, S: Shape, P: Policy<F::Output>> Body for Set<F, S, P> {
    type Kept = S::Container<P::Kept>;
    type Stop = P::Stop;

    #[inline]
    fn poll_body(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        stop: &mut Option<P::Stop>,
    ) -> Poll<Option<Self::Kept>> {
        // SAFETY: nothing is moved out of the children.
        let this = unsafe { self.get_unchecked_mut() };
        this.phase.begin(P::NAME);
        let decided = stop.is_some();
        let again = this.run(cx.waker(), stop);
        if this.left > 0 || (stop.is_none() && this.started < this.len) {
            this.phase = Phase::Open;
            // Who has just decided is not waited for any more, or looked after by the scope.
            if again && (decided || stop.is_none()) {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        this.phase = Phase::Over;
        // In the memory of the children, it ends with them.
        match &mut this.block {
            Some(block) if block.is_housed() => drop(block.close()),
            block => *block = None,
        }
        if !mem::take(&mut this.holds) {
            return Poll::Ready(None);
        }
        // SAFETY: all have finished and none has decided, so all are kept; `holds` says that they
        // are gone.
        Poll::Ready(Some(unsafe { S::fill(&mut this.kept) }))
    }
}

impl<F: Future, S: Shape, P: Policy<F::Output>> Drop for Set<F, S, P> {
    fn drop(&mut self) {
        /// Drops what was kept, also if a child panics.
        struct Kept<'a, T, I: Fn(usize) -> bool>(&'a mut [MaybeUninit<T>], I);
        impl<T, I: Fn(usize) -> bool> Drop for Kept<'_, T, I> {
            fn drop(&mut self) {
                // SAFETY: what is done was kept, if anything was.
                unsafe { drop_each(self.0, &self.1) };
            }
        }
        // Wakes do nothing from here on.
        let _parent = self.block.as_mut().and_then(BlockRef::close);
        let housed = self.block.as_ref().is_some_and(BlockRef::is_housed);
        // In the memory of the children, the block frees that. It is no array, so it does not move.
        let mut left = housed.then(|| {
            let children = mem::replace(&mut self.children, S::none());
            ManuallyDrop::new(children)
        });
        let children = match &mut left {
            Some(children) => children.as_mut(),
            None => self.children.as_mut(),
        };
        // Until they are gone, their wakers go without atomic operations.
        let turn = self.block.as_mut().map(BlockRef::clear);
        let (started, holds) = (self.started, self.holds);
        let is_done =
            |index| index < started && turn.as_ref().is_none_or(|turn| turn.is_done(index as u32));
        let _kept = Kept(self.kept.as_mut(), |index| holds && is_done(index));
        if self.left > 0 || started < self.len {
            // SAFETY: those have not finished.
            unsafe { drop_each(children, |index| !is_done(index)) };
        }
    }
}

impl<F, S, P> Unbegun for Set<F, S, P>
where
    F: Future,
    S: Shape,
    P: Policy<F::Output>,
    S::Container<F>: IntoIterator<Item = F>,
{
    type Source = FromIter<<S::Container<F> as IntoIterator>::IntoIter>;
    type Shape = S;
    type Policy = P;

    #[track_caller]
    fn into_source(mut self) -> Self::Source {
        let untouched = self.started == 0 && matches!(self.phase, Phase::Open);
        assert!(untouched, "{BEGUN}");
        // From here on there are no children.
        self.len = 0;
        // SAFETY: none was started, so all are there; the length says that they are gone.
        let children = unsafe { S::fill(&mut self.children) };
        FromIter::new(children.into_iter())
    }
}

impl<F: Future, S: Shape, P: Policy<F::Output>> fmt::Debug for Set<F, S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Set")
            .field("children", &self.len)
            .field("started", &self.started)
            .field("unfinished", &self.left)
            .finish_non_exhaustive()
    }
}
