//! A meeting of so many tasks.
//!
//! # Shape
//!
//! Each meeting is a [`Round`]. Who comes takes a place in the present one; the last one ends it, and puts
//! the next in its place under the same lock. So newcomers never meet those of a round before, and who
//! goes away gives its place back only in a round that has not ended.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

use super::{enter, guard, waiting_for};

/// Lets so many tasks wait for each other, again and again.
///
/// (asyncio's `Barrier`.)
///
/// # Examples
///
/// ```
/// use kumi::sync::Barrier;
///
/// # #[cfg(feature = "sim")]
/// # kumi::run_on(kumi::BackendKind::Sim, async {
/// let barrier = Barrier::new(3);
/// let mut places = kumi::gather([(); 3].map(|()| async { barrier.wait().await.unwrap() })).await;
/// places.sort();
/// assert_eq!(places, [0, 1, 2]);
/// # });
/// ```
pub struct Barrier {
    parties: usize,
    inner: Mutex<Inner>,
}

struct Inner {
    round: Arc<Round>,
    arrived: usize,
    aborted: bool,
}

/// One meeting.
#[derive(Default)]
struct Round {
    /// How it ended; written under the lock of the barrier.
    outcome: OnceLock<Result<(), BrokenBarrier>>,
    ended: event_listener::Event,
    /// How many of those that met have gone on.
    left: AtomicUsize,
}

impl Round {
    /// What one who came to it gets, once it has ended.
    fn result(&self) -> Option<Result<usize, BrokenBarrier>> {
        let outcome = *self.outcome.get()?;
        Some(outcome.map(|()| self.left.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A place in a round; given back if that has not ended.
struct Place<'a> {
    barrier: &'a Barrier,
    round: Arc<Round>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut inner = guard(&self.barrier.inner);
        if Arc::ptr_eq(&inner.round, &self.round) {
            inner.arrived -= 1;
        }
    }
}

impl Barrier {
    /// A barrier for so many.
    ///
    /// # Panics
    ///
    /// If there are none: nobody could ever come.
    #[track_caller]
    pub fn new(parties: usize) -> Self {
        assert!(parties > 0, "a barrier needs at least 1 party");
        Self {
            parties,
            inner: Mutex::new(Inner {
                round: Arc::default(),
                arrived: 0,
                aborted: false,
            }),
        }
    }

    /// Waits until all have come. Each of them gets a number of its own, counted from zero.
    ///
    /// Those who come while the others go on wait for the next round.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future before all have come gives its place back; somebody else may come for it.
    ///
    /// # Errors
    ///
    /// If the barrier is [reset](Self::reset) meanwhile, or was [aborted](Self::abort).
    pub async fn wait(&self) -> Result<usize, BrokenBarrier> {
        enter().await;
        let (round, last) = self.arrive()?;
        if last {
            round.ended.notify(usize::MAX);
        }
        let place = Place {
            barrier: self,
            round,
        };
        loop {
            let ended = place.round.ended.listen();
            if let Some(result) = place.round.result() {
                return result;
            }
            waiting_for("a barrier", ended).await;
        }
    }

    /// Takes a place; whether it was the last one.
    fn arrive(&self) -> Result<(Arc<Round>, bool), BrokenBarrier> {
        let mut inner = guard(&self.inner);
        if inner.aborted {
            return Err(BrokenBarrier(()));
        }
        inner.arrived += 1;
        if inner.arrived < self.parties {
            return Ok((Arc::clone(&inner.round), false));
        }
        Ok((inner.end(Ok(())), true))
    }

    /// Ends the present round: those who wait get an error, those who were released are left alone. Then
    /// the barrier can be used again, also after an [`abort`](Self::abort).
    pub fn reset(&self) {
        self.break_round(false);
    }

    /// Ends the present round as [`reset`](Self::reset) does, and gives an error to all who come, until it is
    /// reset.
    pub fn abort(&self) {
        self.break_round(true);
    }

    fn break_round(&self, aborted: bool) {
        let round = {
            let mut inner = guard(&self.inner);
            inner.aborted = aborted;
            inner.end(Err(BrokenBarrier(())))
        };
        round.ended.notify(usize::MAX);
    }

    /// How many have to come.
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// How many have come to the present round.
    pub fn waiting(&self) -> usize {
        guard(&self.inner).arrived
    }

    /// Whether it was aborted, and not reset since.
    pub fn is_broken(&self) -> bool {
        guard(&self.inner).aborted
    }
}

impl Inner {
    /// Ends the present round, and begins the next; the caller notifies those who wait.
    fn end(&mut self, outcome: Result<(), BrokenBarrier>) -> Arc<Round> {
        self.arrived = 0;
        let round = std::mem::take(&mut self.round);
        // It is empty: a round that has ended is not the present one.
        let _ = round.outcome.set(outcome);
        round
    }
}

impl fmt::Debug for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Barrier")
            .field("parties", &self.parties)
            .field("waiting", &self.waiting())
            .field("broken", &self.is_broken())
            .finish()
    }
}

/// A [`Barrier`] was reset while one waited, or it was aborted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BrokenBarrier(());

impl fmt::Display for BrokenBarrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the barrier was reset or aborted: not all parties have met")
    }
}

impl std::error::Error for BrokenBarrier {}
