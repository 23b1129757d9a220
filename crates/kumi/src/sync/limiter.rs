//! A semaphore whose size can be changed.
//!
//! # Shape
//!
//! A semaphore has the free tokens and those who wait. If the total is lowered by more than are free, the
//! difference is `debt`: so many of the tokens that come back are taken out for good. Tokens are put
//! into the semaphore outside of the lock, since that wakes others; so whoever has put some in, or
//! may have, looks at the debt afterwards ([`Limiter::settle`]).
//!
//! Invariant, whenever nobody is in the middle of a call: there is no debt while a token is free, and
//! free + borrowed or handed over = total + debt.

use std::fmt;
use std::sync::{Arc, Mutex};

use asyncband::semaphore::Semaphore;

use super::{enter, guard, waiting_for};

/// Limits how many do something at a time, with a total that can be changed at any time.
///
/// Tokens are handed out in the order in which tasks ask. (AnyIO's and Trio's `CapacityLimiter`. There a
/// task may not borrow twice, since it would wait for itself; here a token is a value that can be
/// passed on, and nobody's.)
///
/// # Examples
///
/// ```
/// use kumi::sync::Limiter;
///
/// # #[cfg(feature = "sim")]
/// # kumi::run_on(kumi::BackendKind::Sim, async {
/// let limiter = Limiter::new(1);
/// let token = limiter.acquire().await;
/// assert!(limiter.try_acquire().is_none());
/// limiter.set_total(2);
/// assert!(limiter.try_acquire().is_some());
/// drop(token);
/// assert_eq!(limiter.borrowed(), 0);
/// # });
/// ```
#[derive(Clone)]
pub struct Limiter(Arc<Inner>);

struct Inner {
    free: Semaphore,
    counts: Mutex<Counts>,
}

struct Counts {
    total: usize,
    /// So many of the tokens that are out do not come back.
    debt: usize,
    borrowed: usize,
}

impl Limiter {
    /// A total without end.
    pub const UNLIMITED: usize = usize::MAX;

    /// A limiter of so many tokens; none is fine.
    pub fn new(total: usize) -> Self {
        let counts = Counts {
            total,
            debt: 0,
            borrowed: 0,
        };
        Self(Arc::new(Inner {
            free: Semaphore::new(total),
            counts: Mutex::new(counts),
        }))
    }

    /// Waits for a token, which is given back when it is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place; a token that it had been handed goes to the next.
    pub async fn acquire(&self) -> Token {
        /// A future that is dropped may have given a token back.
        struct Settle<'a>(&'a Limiter);
        impl Drop for Settle<'_> {
            fn drop(&mut self) {
                self.0.settle();
            }
        }
        enter().await;
        let settle = Settle(self);
        waiting_for("a token of a limiter", self.0.free.acquire(1))
            .await
            .forget();
        std::mem::forget(settle);
        self.lend()
    }

    /// Takes a token if there is one and nobody waits for it.
    pub fn try_acquire(&self) -> Option<Token> {
        self.0.free.try_acquire(1)?.forget();
        Some(self.lend())
    }

    /// The token that was taken from the free ones.
    fn lend(&self) -> Token {
        guard(&self.0.counts).borrowed += 1;
        Token(self.clone())
    }

    /// Changes the total: more are handed out at once to those who wait; if there are to be fewer, those
    /// that are borrowed stay so until they are given back.
    pub fn set_total(&self, total: usize) {
        let more = {
            let mut counts = guard(&self.0.counts);
            let old = std::mem::replace(&mut counts.total, total);
            counts.debt += old.saturating_sub(total);
            let more = total.saturating_sub(old);
            let settled = more.min(counts.debt);
            counts.debt -= settled;
            more - settled
        };
        self.put_back(more);
    }

    /// Puts tokens back, and wakes those who get them.
    fn put_back(&self, tokens: usize) {
        self.0.free.release(tokens);
        self.settle();
    }

    /// Takes free tokens out for good, as long as there is debt.
    fn settle(&self) {
        let mut counts = guard(&self.0.counts);
        if counts.debt > 0 {
            counts.debt -= self.0.free.forget(counts.debt);
        }
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        guard(&self.0.counts).total
    }

    /// How many are out; more than the total, if that was lowered meanwhile.
    pub fn borrowed(&self) -> usize {
        guard(&self.0.counts).borrowed
    }

    /// How many can be had at once.
    pub fn available(&self) -> usize {
        self.0.free.available_permits()
    }
}

impl fmt::Debug for Limiter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Limiter")
            .field("total", &self.total())
            .field("borrowed", &self.borrowed())
            .finish_non_exhaustive()
    }
}

/// A token of a [`Limiter`]; dropping it gives it back.
#[derive(Debug)]
#[must_use = "dropping it gives the token back"]
pub struct Token(Limiter);

impl Drop for Token {
    fn drop(&mut self) {
        let limiter = &self.0;
        let kept = {
            let mut counts = guard(&limiter.0.counts);
            counts.borrowed -= 1;
            let kept = counts.debt > 0;
            counts.debt -= usize::from(kept);
            kept
        };
        if !kept {
            limiter.put_back(1);
        }
    }
}
