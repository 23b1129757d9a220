//! Conditions.

use asyncband::condvar::Condvar;

use super::{MutexGuard, OwnedMutexGuard, enter, waiting_for};

/// Lets tasks that hold a [`Mutex`](super::Mutex) wait until another one has changed what is in it.
///
/// One mutex may have several conditions. A notification is not kept: if nobody waits, it is gone. One that
/// was given to a task that then goes away is passed on to the next; so look at the value again
/// after each wait, or use [`wait_while`](Self::wait_while). (asyncio's `Condition`; the condition variable
/// of `asyncband`.)
///
/// # Examples
///
/// ```
/// use kumi::sync::{Condition, Mutex};
///
/// # #[cfg(feature = "sim")]
/// # kumi::run_on(kumi::BackendKind::Sim, async {
/// let (level, changed) = (Mutex::new(0), Condition::new());
/// let high = async {
///     let level = changed.wait_while(level.lock().await, |level| *level < 2).await;
///     *level
/// };
/// let rise = async {
///     for _ in 0..3 {
///         *level.lock().await += 1;
///         changed.notify_all();
///     }
/// };
/// let (level, ()) = kumi::gather((high, rise)).await;
/// assert!(level >= 2);
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Condition(Condvar);

impl Condition {
    /// A condition that nobody waits for.
    pub fn new() -> Self {
        Self::default()
    }

    /// Frees the mutex, waits for a notification, and locks the mutex again.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future frees the mutex for good, and passes a notification on to the next one.
    pub async fn wait<'a, T>(&self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        enter().await;
        waiting_for("a condition", self.0.wait(guard)).await
    }

    /// As [`wait`](Self::wait), with a guard that owns its lock.
    ///
    /// # Cancel safety
    ///
    /// As for `wait`.
    pub async fn wait_owned<T>(&self, guard: OwnedMutexGuard<T>) -> OwnedMutexGuard<T> {
        enter().await;
        waiting_for("a condition", self.0.wait_owned(guard)).await
    }

    /// Waits as long as `condition` is true of the value. Does not suspend if it is false already.
    ///
    /// # Cancel safety
    ///
    /// As for [`wait`](Self::wait).
    pub async fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        while condition(&mut guard) {
            guard = self.wait(guard).await;
        }
        guard
    }

    /// As [`wait_while`](Self::wait_while), with a guard that owns its lock.
    ///
    /// # Cancel safety
    ///
    /// As for [`wait`](Self::wait).
    pub async fn wait_while_owned<T>(
        &self,
        mut guard: OwnedMutexGuard<T>,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> OwnedMutexGuard<T> {
        while condition(&mut guard) {
            guard = self.wait_owned(guard).await;
        }
        guard
    }

    /// Wakes the one that has waited longest.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all that wait; they go on one by one, as they get the lock.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}
