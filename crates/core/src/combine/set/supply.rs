//! Where the children of a pool come from, and the places that they are put in.
//!
//! # Shape
//!
//! Without a limit all children are taken out of the source at once, and the place of a child is its
//! number: nothing is moved, and if they come from a `Vec`, its memory may be that of the places. With
//! a limit there are as many places as may be in flight. A child is drawn when one is free; a word
//! beside each place keeps the number of the child, or, if the place is free again, which was free
//! before it.
//!
//! # Invariants
//!
//! 1. The row is never moved, and neither grows nor shrinks: a child leaves its place only by being
//!    dropped there.
//! 2. A place is taken by one child at a time. Without a limit no place is taken twice.
#![allow(unsafe_code, reason = "children that are pinned in a row")]

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use super::block::MOST;
use crate::combine::source::Source;

/// No place is free that was in use before.
const NONE: usize = usize::MAX;

/// The places of children, of which those that are taken are alive.
struct Row<F>(Vec<Option<F>>);

impl<F: Future> Row<F> {
    #[inline(always)]
    fn at(&mut self, place: u32) -> Pin<&mut Option<F>> {
        // SAFETY: invariant 1.
        unsafe { Pin::new_unchecked(&mut self.0[place as usize]) }
    }
}

/// Children from a source `S`, and their places.
pub(super) struct Supply<S: Source> {
    /// None if all were taken out of it.
    source: Option<S>,
    row: Row<S::Child>,
    /// With a limit: the number of the child in each place, or the next one that is free.
    notes: Vec<usize>,
    /// The place that was in use last and is free again.
    free: usize,
    /// With a limit: how many places were ever in use.
    used: u32,
    drawn: usize,
    exhausted: bool,
    /// The places are there.
    begun: bool,
}

impl<S: Source> Supply<S> {
    #[inline]
    pub(super) fn new(source: S) -> Self {
        Self {
            source: Some(source),
            row: Row(Vec::new()),
            notes: Vec::new(),
            free: NONE,
            used: 0,
            drawn: 0,
            exhausted: false,
            begun: false,
        }
    }

    /// Whether the places were made.
    #[inline(always)]
    pub(super) fn has_begun(&self) -> bool {
        self.begun
    }

    /// Makes the places: for all, or for as many as may be in flight.
    ///
    /// # Panics
    ///
    /// If they are too many.
    pub(super) fn begin(&mut self, cx: &mut Context<'_>, limit: Option<usize>) {
        self.begun = true;
        let source = self.source.take();
        let source = source.unwrap_or_else(|| unreachable!("it is taken here only"));
        let Some(limit) = limit else {
            self.row = Row(source.draw_all(cx));
            self.exhausted = self.places() == 0;
            assert_few(self.places());
            return;
        };
        let count = limit.min(source.size_hint().1.unwrap_or(limit));
        self.source = Some(source);
        assert_few(count);
        self.row = Row((0..count).map(|_| None).collect());
        self.notes = vec![NONE; count];
    }

    /// How many places there are.
    #[inline(always)]
    pub(super) fn places(&self) -> usize {
        self.row.0.len()
    }

    /// How many were drawn.
    #[inline(always)]
    pub(super) fn drawn(&self) -> usize {
        self.drawn
    }

    /// Whether nothing is left to draw, as far as is known.
    #[inline(always)]
    pub(super) fn is_exhausted(&self) -> bool {
        self.exhausted
    }

    /// How many are still to be drawn, at least, and at most if that is known.
    pub(super) fn more(&self) -> (usize, Option<usize>) {
        let left = self.places() - if self.notes.is_empty() { self.drawn } else { 0 };
        match &self.source {
            _ if self.exhausted => (0, Some(0)),
            Some(source) => source.size_hint(),
            None => (left, Some(left)),
        }
    }

    /// Draws the next child; in which place it is. There must be a free one.
    #[inline(always)]
    pub(super) fn draw(&mut self, cx: &mut Context<'_>) -> Poll<Option<u32>> {
        let Some(source) = &mut self.source else {
            let place = self.drawn;
            self.drawn += 1;
            self.exhausted = self.drawn >= self.places();
            return Poll::Ready(Some(place as u32));
        };
        let future = match source.poll_draw(cx) {
            Poll::Ready(Some(future)) => future,
            Poll::Ready(None) => {
                self.exhausted = true;
                return Poll::Ready(None);
            }
            Poll::Pending => return Poll::Pending,
        };
        let place = match self.free {
            NONE => {
                self.used += 1;
                self.used - 1
            }
            free => {
                self.free = self.notes[free];
                free as u32
            }
        };
        self.row.at(place).set(Some(future));
        self.notes[place as usize] = self.drawn;
        self.drawn += 1;
        Poll::Ready(Some(place))
    }

    /// Polls the child in a place, if there is one; drops it when it has finished. Its number, and what
    /// it returned.
    #[inline(always)]
    pub(super) fn poll(
        &mut self,
        place: u32,
        waker: &Waker,
    ) -> Poll<Option<(usize, <S::Child as Future>::Output)>> {
        let mut at = self.row.at(place);
        let Some(child) = at.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let output = match child.poll(&mut Context::from_waker(waker)) {
            Poll::Ready(output) => output,
            Poll::Pending => return Poll::Pending,
        };
        at.set(None);
        let mut number = place as usize;
        if let Some(note) = self.notes.get_mut(number) {
            (number, *note) = (*note, self.free);
            self.free = place as usize;
        }
        Poll::Ready(Some((number, output)))
    }

    /// Drops all children.
    pub(super) fn clear(&mut self) {
        // The row is dropped as a whole, so also the others if one of them panics.
        drop(std::mem::take(&mut self.row.0));
    }
}

fn assert_few(count: usize) {
    assert!(
        count < MOST,
        "{count} futures in flight are too many: use a smaller limit"
    );
}
