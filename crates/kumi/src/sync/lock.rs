//! Locks around a value.

use std::fmt;
use std::sync::Arc;

use asyncband::{mutex, rwlock};

use super::{
    MutexGuard, OwnedMutexGuard, OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLockReadGuard,
    RwLockWriteGuard, enter, waiting_for,
};

/// A value that one task at a time may use, in the order in which they ask.
///
/// It may be held across an await; for a value that is only used between awaits the lock of the standard
/// library is faster. A panic does not poison it. (asyncio's `Lock`; the lock of `asyncband`.)
///
/// # Examples
///
/// ```
/// use kumi::sync::Mutex;
///
/// # #[cfg(feature = "sim")]
/// # kumi::run_on(kumi::BackendKind::Sim, async {
/// let total = Mutex::new(0);
/// *total.lock().await += 1;
/// assert_eq!(*total.lock().await, 1);
/// # });
/// ```
pub struct Mutex<T> {
    // Shared with the guards that own their lock.
    inner: Arc<mutex::Mutex<T>>,
}

impl<T> Mutex<T> {
    /// A lock around `value` that nobody holds.
    pub fn new(value: T) -> Self {
        Self {
            inner: Arc::new(mutex::Mutex::new(value)),
        }
    }

    /// Waits until it is free, and locks it until the guard is dropped. If it is free at once this does
    /// not suspend.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place; a lock that it had been handed goes to the next.
    pub async fn lock(&self) -> MutexGuard<'_, T> {
        enter().await;
        waiting_for("a mutex", self.inner.lock()).await
    }

    /// As [`lock`](Self::lock), with a guard that can be moved into a task.
    ///
    /// # Cancel safety
    ///
    /// As for `lock`.
    pub async fn lock_owned(&self) -> OwnedMutexGuard<T> {
        enter().await;
        waiting_for("a mutex", Arc::clone(&self.inner).lock_owned()).await
    }

    /// Locks it if it is free and nobody waits for it.
    pub fn try_lock(&self) -> Option<MutexGuard<'_, T>> {
        self.inner.try_lock()
    }

    /// As [`try_lock`](Self::try_lock), with a guard that can be moved into a task.
    pub fn try_lock_owned(&self) -> Option<OwnedMutexGuard<T>> {
        Arc::clone(&self.inner).try_lock_owned()
    }

    /// The value, which nobody else can have while this is borrowed; none while a guard that owns its lock
    /// is alive.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        Arc::get_mut(&mut self.inner).map(mutex::Mutex::get_mut)
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// With the lock itself, while a guard that owns its lock is alive.
    pub fn into_inner(self) -> Result<T, Self> {
        let inner = Arc::try_unwrap(self.inner).map_err(|inner| Self { inner });
        inner.map(mutex::Mutex::into_inner)
    }
}

impl<T: Default> Default for Mutex<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for Mutex<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}

/// A value that many tasks may read, or one may change, in the order in which they ask: a reader that comes
/// after a waiting writer waits for it, so nobody starves.
///
/// A task that reads twice at a time can therefore wait for ever, for a writer between the two. A panic
/// does not poison it. (The lock of `asyncband`.)
///
/// # Examples
///
/// ```
/// use kumi::sync::RwLock;
///
/// # #[cfg(feature = "sim")]
/// # kumi::run_on(kumi::BackendKind::Sim, async {
/// let routes = RwLock::new(vec!["/"]);
/// let (one, two) = (routes.read().await, routes.read().await);
/// assert_eq!(one.len(), two.len());
/// drop((one, two));
/// routes.write().await.push("/about");
/// # });
/// ```
pub struct RwLock<T> {
    // Shared with the guards that own their lock.
    inner: Arc<rwlock::RwLock<T>>,
}

impl<T> RwLock<T> {
    /// A lock around `value` that nobody holds.
    pub fn new(value: T) -> Self {
        Self {
            inner: Arc::new(rwlock::RwLock::new(value)),
        }
    }

    /// Waits until no writer holds it or has come before, and locks it for reading.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future gives up its place; a lock that it had been handed goes to the next.
    pub async fn read(&self) -> RwLockReadGuard<'_, T> {
        enter().await;
        waiting_for("a lock to read", self.inner.read()).await
    }

    /// Waits until nobody holds it or has come before, and locks it for writing.
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    pub async fn write(&self) -> RwLockWriteGuard<'_, T> {
        enter().await;
        waiting_for("a lock to write", self.inner.write()).await
    }

    /// As [`read`](Self::read), with a guard that can be moved into a task.
    ///
    /// # Cancel safety
    ///
    /// As for `read`.
    pub async fn read_owned(&self) -> OwnedRwLockReadGuard<T> {
        enter().await;
        waiting_for("a lock to read", Arc::clone(&self.inner).read_owned()).await
    }

    /// As [`write`](Self::write), with a guard that can be moved into a task.
    ///
    /// # Cancel safety
    ///
    /// As for [`read`](Self::read).
    pub async fn write_owned(&self) -> OwnedRwLockWriteGuard<T> {
        enter().await;
        waiting_for("a lock to write", Arc::clone(&self.inner).write_owned()).await
    }

    /// Locks it for reading if that needs no waiting.
    pub fn try_read(&self) -> Option<RwLockReadGuard<'_, T>> {
        self.inner.try_read()
    }

    /// Locks it for writing if that needs no waiting.
    pub fn try_write(&self) -> Option<RwLockWriteGuard<'_, T>> {
        self.inner.try_write()
    }

    /// The value, which nobody else can have while this is borrowed; none while a guard that owns its lock
    /// is alive.
    pub fn get_mut(&mut self) -> Option<&mut T> {
        Arc::get_mut(&mut self.inner).map(rwlock::RwLock::get_mut)
    }

    /// The value.
    ///
    /// # Errors
    ///
    /// With the lock itself, while a guard that owns its lock is alive.
    pub fn into_inner(self) -> Result<T, Self> {
        let inner = Arc::try_unwrap(self.inner).map_err(|inner| Self { inner });
        inner.map(rwlock::RwLock::into_inner)
    }
}

impl<T: Default> Default for RwLock<T> {
    fn default() -> Self {
        Self::new(T::default())
    }
}

impl<T> From<T> for RwLock<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

impl<T: fmt::Debug> fmt::Debug for RwLock<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.inner.fmt(f)
    }
}
