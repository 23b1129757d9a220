//! Permits.

use std::sync::Arc;

use asyncband::semaphore;

use super::{OwnedSemaphorePermit, SemaphorePermit, enter, waiting_for};

/// What a task waits for.
const PERMITS: &str = "permits of a semaphore";

/// A number of permits, handed out in the order in which tasks ask for them.
///
/// A task that asks for many is not overtaken by those that ask for few. (asyncio's `Semaphore`, whose
/// value may also be raised above the first one; the semaphore of `asyncband`.) To change the number of
/// permits while they are in use, take a [`Limiter`](super::Limiter). There is no `close`: cancel the
/// scope of those who wait.
///
/// # Examples
///
/// ```
/// use kumi::sync::Semaphore;
///
/// # #[cfg(feature = "sim")]
/// # kumi::run_on(kumi::BackendKind::Sim, async {
/// let permits = Semaphore::new(2);
/// let one = permits.acquire().await;
/// let two = permits.acquire_owned().await;
/// assert!(permits.try_acquire().is_none());
/// drop((one, two));
/// assert_eq!(permits.available(), 2);
/// # });
/// ```
#[derive(Debug)]
pub struct Semaphore {
    // Shared with the permits that own it.
    inner: Arc<semaphore::Semaphore>,
}

impl Semaphore {
    /// So many permits; none is fine.
    pub fn new(permits: usize) -> Self {
        Self {
            inner: Arc::new(semaphore::Semaphore::new(permits)),
        }
    }

    /// Waits for a permit, which is given back when it is dropped.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place; what it had been handed goes to the next.
    pub async fn acquire(&self) -> SemaphorePermit<'_> {
        self.acquire_many(1).await
    }

    /// Waits for so many permits at once; for ever, if there never are so many.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_many(&self, permits: usize) -> SemaphorePermit<'_> {
        enter().await;
        waiting_for(PERMITS, self.inner.acquire(permits)).await
    }

    /// As [`acquire`](Self::acquire), with a permit that can be moved into a task.
    ///
    /// # Cancel safety
    ///
    /// As for `acquire`.
    pub async fn acquire_owned(&self) -> OwnedSemaphorePermit {
        self.acquire_many_owned(1).await
    }

    /// As [`acquire_many`](Self::acquire_many), with permits that can be moved into a task.
    ///
    /// # Cancel safety
    ///
    /// As for [`acquire`](Self::acquire).
    pub async fn acquire_many_owned(&self, permits: usize) -> OwnedSemaphorePermit {
        enter().await;
        waiting_for(PERMITS, Arc::clone(&self.inner).acquire_owned(permits)).await
    }

    /// Takes a permit if there is one and nobody waits for it.
    pub fn try_acquire(&self) -> Option<SemaphorePermit<'_>> {
        self.inner.try_acquire(1)
    }

    /// As [`try_acquire`](Self::try_acquire), with a permit that can be moved into a task.
    pub fn try_acquire_owned(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.inner).try_acquire_owned(1)
    }

    /// Adds so many permits, also beyond the first number.
    ///
    /// # Panics
    ///
    /// If there would be more than `usize::MAX`.
    pub fn release(&self, permits: usize) {
        self.inner.release(permits);
    }

    /// How many permits are free.
    pub fn available(&self) -> usize {
        self.inner.available_permits()
    }
}
