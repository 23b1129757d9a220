//! The one place where core gets its synchronisation primitives.
//!
//! Under `--cfg loom` these are loom's, so that a model sees every access; otherwise they are the
//! standard library's.
//! Nothing else in core names `std::sync::atomic` or `std::sync::Mutex` for shared state that a
//! model should see (exempt are counters that only hand out numbers, and the mark of the thread that polls a
//! set, which means the same however old it is).
//!
//! Threads of a model share one thread of the system, so thread-local values that core keeps go
//! through [`thread_local`] as well.
//!
//! [`Mutex`] adds two rules of ours: a poisoned lock is simply taken over (every critical section
//! in core leaves its data consistent before anything that may panic), and in debug builds the
//! number of locks held by the thread is counted, so that [`assert_unlocked`] can prove that no
//! waker is woken, cloned or dropped under a lock.

mod lock;

#[cfg(not(loom))]
pub(crate) use lock::Spin as Lock;
#[cfg(loom)]
pub use lock::Spin;

#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

#[cfg(not(loom))]
pub(crate) use std::thread_local;

/// loom's `thread_local!`, with the form of the standard one that core uses.
#[cfg(loom)]
macro_rules! const_thread_local {
    (static $name:ident: $type:ty = const $init:block $(;)?) => {
        ::loom::thread_local! { static $name: $type = $init }
    };
}
#[cfg(loom)]
pub(crate) use const_thread_local as thread_local;

#[cfg(loom)]
pub(crate) use loom::cell::UnsafeCell;

/// The standard cell with loom's closure interface.
#[cfg(not(loom))]
#[derive(Debug)]
pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

#[cfg(not(loom))]
impl<T> UnsafeCell<T> {
    /// Wraps `value`.
    pub(crate) const fn new(value: T) -> Self {
        Self(std::cell::UnsafeCell::new(value))
    }

    /// Lends a pointer for reading.
    #[inline(always)]
    pub(crate) fn with<R>(&self, f: impl FnOnce(*const T) -> R) -> R {
        f(self.0.get())
    }

    /// Lends a pointer for writing.
    #[inline(always)]
    pub(crate) fn with_mut<R>(&self, f: impl FnOnce(*mut T) -> R) -> R {
        f(self.0.get())
    }
}

/// Whether the fault `name` is seeded: a step is to be skipped, or an ordering to be weakened.
///
/// In models, and under sanitizers, and there for one fault at a time: `tests/loom/teeth.txt` says which model
/// has to notice it.
#[cfg(any(loom, kumi_faults))]
pub(crate) fn fault(name: &str) -> bool {
    static SEEDED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let seeded = SEEDED.get_or_init(|| std::env::var("KUMI_SEEDED_FAULT").ok());
    seeded.as_deref() == Some(name)
}

/// Otherwise there is none.
#[cfg(not(any(loom, kumi_faults)))]
#[inline(always)]
pub(crate) const fn fault(_: &str) -> bool {
    false
}

/// `order`, or none if the fault `name` is seeded.
#[inline(always)]
pub(crate) fn order_unless(name: &str, order: Ordering) -> Ordering {
    match fault(name) {
        true => Ordering::Relaxed,
        false => order,
    }
}

/// Counts one less, as Acquire and Release; true if it was the last. In two steps if that fault is seeded.
#[inline(always)]
pub(crate) fn count_off(count: &AtomicUsize, in_two_steps: bool) -> bool {
    count_off_by(count, 1, in_two_steps)
}

/// The same for several at once.
#[inline(always)]
pub(crate) fn count_off_by(count: &AtomicUsize, by: usize, in_two_steps: bool) -> bool {
    if in_two_steps {
        let before = count.load(Ordering::Acquire);
        count.store(before - by, Ordering::Release);
        return before == by;
    }
    let before = count.fetch_sub(by, Ordering::AcqRel);
    debug_assert!(before >= by, "{before} less {by}");
    before == by
}

/// Changes `word` to what `next` makes of it, unless that is nothing. Gives what was there: `Ok` if it has
/// changed.
///
/// `fetch_update` of the standard library, which tries until no other thread has come in between. It may
/// call `next` more than once, so what that does besides must not matter until the word has changed.
/// Then a try that fails leaves nothing behind, and the one that succeeds is the same as a first one that
/// came later. So in a model it is one step: no thread comes in between.
#[inline(always)]
pub(crate) fn change(
    word: &AtomicUsize,
    order: Ordering,
    load: Ordering,
    next: impl FnMut(usize) -> Option<usize>,
) -> Result<usize, usize> {
    #[cfg(not(loom))]
    return word.fetch_update(order, load, next);
    #[cfg(loom)]
    one_step(
        || load_to_change(word, load),
        next,
        |old, new| word.compare_exchange(old, new, order, load),
    )
}

/// The same for a pointer.
#[inline(always)]
pub(crate) fn change_ptr<T>(
    pointer: &AtomicPtr<T>,
    order: Ordering,
    next: impl FnMut(*mut T) -> Option<*mut T>,
) -> Result<*mut T, *mut T> {
    let load = Ordering::Relaxed;
    #[cfg(not(loom))]
    return pointer.fetch_update(order, load, next);
    #[cfg(loom)]
    one_step(
        || {
            let null = std::ptr::null_mut();
            let found = pointer.compare_exchange(null, null, load, load);
            found.unwrap_or_else(|pointer| pointer)
        },
        next,
        |old, new| pointer.compare_exchange(old, new, order, load),
    )
}

/// Loads a word that the caller is about to change.
///
/// loom remembers one access to each atomic, the last. After a plain load that would be the caller's
/// own, so loom would not see that the change after it races with a load of another thread before
/// it, and would not explore their other order. So a model has an access here that counts as a change.
#[inline(always)]
pub(crate) fn load_to_change(word: &AtomicUsize, order: Ordering) -> usize {
    #[cfg(loom)]
    return word.fetch_or(0, order);
    #[cfg(not(loom))]
    word.load(order)
}

/// A load and an exchange without another thread in between; as in [`load_to_change`], `load` has to be
/// an access that counts as a change.
#[cfg(loom)]
fn one_step<T: Copy>(
    load: impl FnOnce() -> T,
    mut next: impl FnMut(T) -> Option<T>,
    exchange: impl FnOnce(T, T) -> Result<T, T>,
) -> Result<T, T> {
    let old = load();
    loom::stop_exploring();
    let changed = match next(old) {
        Some(new) => {
            let old = exchange(old, new);
            assert!(old.is_ok(), "another thread came in between");
            old
        }
        None => Err(old),
    };
    loom::explore();
    changed
}

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::PoisonError;

#[cfg(debug_assertions)]
thread_local! {
    static DEPTH: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// The handle of a thread.
#[cfg(loom)]
pub(crate) type ThreadHandle = loom::thread::JoinHandle<()>;
/// The handle of a thread.
#[cfg(not(loom))]
pub(crate) type ThreadHandle = std::thread::JoinHandle<()>;

/// A mutual exclusion lock that is never poisoned; see the module's docs.
pub(crate) struct Mutex<T> {
    value: std::sync::Mutex<T>,
    /// What a model sees. It is taken around `value`, which is then always free. Made at the first
    /// use, since `new` is constant and loom's is not.
    #[cfg(loom)]
    model: std::sync::OnceLock<loom::sync::Mutex<()>>,
}

impl<T> Mutex<T> {
    /// A free lock around `value`.
    #[allow(
        clippy::disallowed_methods,
        reason = "this newtype is the one way to a lock in core"
    )]
    pub(crate) const fn new(value: T) -> Self {
        Self {
            value: std::sync::Mutex::new(value),
            #[cfg(loom)]
            model: std::sync::OnceLock::new(),
        }
    }

    /// Returns what the lock protected.
    pub(crate) fn into_inner(self) -> T {
        self.value
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the lock and takes it.
    #[inline]
    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        #[cfg(loom)]
        let model = self.model.get_or_init(|| loom::sync::Mutex::new(()));
        #[cfg(loom)]
        let model = model.lock().unwrap_or_else(PoisonError::into_inner);
        let value = self.value.lock().unwrap_or_else(PoisonError::into_inner);
        MutexGuard {
            value,
            #[cfg(debug_assertions)]
            _counted: Counted::new(),
            #[cfg(loom)]
            lock: self,
            #[cfg(loom)]
            model,
        }
    }
}

/// A place for threads to wait, under a [`Mutex`], until somebody says that something has changed.
pub(crate) struct Condvar {
    #[cfg(not(loom))]
    inner: std::sync::Condvar,
    #[cfg(loom)]
    inner: loom::sync::Condvar,
}

impl Condvar {
    /// Nobody waits here.
    pub(crate) fn new() -> Self {
        #[cfg(not(loom))]
        let inner = std::sync::Condvar::new();
        #[cfg(loom)]
        let inner = loom::sync::Condvar::new();
        Self { inner }
    }

    /// Waits while `condition` holds, but no longer than `limit`.
    #[cfg(not(loom))]
    pub(crate) fn wait_while<'a, T>(
        &self,
        guard: MutexGuard<'a, T>,
        limit: std::time::Duration,
        condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        // The lock stays counted: this thread does nothing meanwhile.
        let waited = self
            .inner
            .wait_timeout_while(guard.value, limit, condition)
            .unwrap_or_else(PoisonError::into_inner);
        MutexGuard {
            value: waited.0,
            #[cfg(debug_assertions)]
            _counted: guard._counted,
        }
    }

    /// The same for models: the longest limit is none, every other is over at once.
    #[cfg(loom)]
    pub(crate) fn wait_while<'a, T>(
        &self,
        mut guard: MutexGuard<'a, T>,
        limit: std::time::Duration,
        mut condition: impl FnMut(&mut T) -> bool,
    ) -> MutexGuard<'a, T> {
        if limit < std::time::Duration::MAX {
            let lock = guard.lock;
            drop(guard);
            return lock.lock();
        }
        while condition(&mut guard) {
            let (lock, model) = (guard.lock, guard.model);
            drop(guard.value);
            let model = self
                .inner
                .wait(model)
                .unwrap_or_else(PoisonError::into_inner);
            guard = MutexGuard {
                value: lock.value.lock().unwrap_or_else(PoisonError::into_inner),
                #[cfg(debug_assertions)]
                _counted: guard._counted,
                lock,
                model,
            };
        }
        guard
    }

    /// Ends the wait of one thread.
    pub(crate) fn notify_one(&self) {
        self.inner.notify_one();
    }

    /// Ends the wait of all threads.
    pub(crate) fn notify_all(&self) {
        self.inner.notify_all();
    }
}

/// In models of what is under a lock, it is one whose waiters sleep: one that spins has far too many
/// executions. It has a model of its own.
#[cfg(loom)]
pub(crate) struct Lock<T>(Mutex<T>);

#[cfg(loom)]
impl<T> Lock<T> {
    /// A free lock around `value`.
    pub(crate) fn new(value: T) -> Self {
        Self(Mutex::new(value))
    }

    /// Takes the lock for `f`.
    pub(crate) fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(&mut self.0.lock())
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

/// The right to use what a [`Mutex`] protects.
// The fields are dropped in their order: the value is free before another thread of a model runs.
pub(crate) struct MutexGuard<'a, T> {
    value: std::sync::MutexGuard<'a, T>,
    #[cfg(debug_assertions)]
    _counted: Counted,
    #[cfg(loom)]
    lock: &'a Mutex<T>,
    #[cfg(loom)]
    model: loom::sync::MutexGuard<'a, ()>,
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.value
    }
}

/// A lock that this thread holds.
#[cfg(debug_assertions)]
struct Counted(());

#[cfg(debug_assertions)]
impl Counted {
    fn new() -> Self {
        count_lock(1);
        Self(())
    }
}

#[cfg(debug_assertions)]
impl Drop for Counted {
    fn drop(&mut self) {
        count_lock(-1);
    }
}

/// Counts a lock that was taken or freed.
#[cfg(debug_assertions)]
fn count_lock(change: isize) {
    let _ = DEPTH.try_with(|depth| depth.set(depth.get().wrapping_add_signed(change)));
}

/// Panics in debug builds if this thread holds one of core's locks.
///
/// Called where core is about to run code it does not know: wakers and destructors.
#[inline]
pub(crate) fn assert_unlocked() {
    #[cfg(debug_assertions)]
    {
        let depth = DEPTH.try_with(std::cell::Cell::get).unwrap_or(0);
        assert!(
            depth == 0,
            "kumi: foreign code would run under {depth} lock(s) of core"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_survives_a_panic_of_its_holder() {
        let lock = Mutex::new(1);
        let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            let mut held = lock.lock();
            *held = 2;
            panic!("holder");
        }));
        assert_eq!(*lock.lock(), 2);
        assert_unlocked();
    }

    #[cfg(debug_assertions)]
    #[test]
    #[should_panic(expected = "under 1 lock(s)")]
    fn foreign_code_under_a_lock_is_noticed() {
        let lock = Mutex::new(());
        let _held = lock.lock();
        assert_unlocked();
    }
}
