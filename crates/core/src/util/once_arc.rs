//! A place for an `Arc` that comes later, if at all, in one word.
#![allow(
    unsafe_code,
    reason = "an `Arc` as a pointer; `OnceLock` takes a word more in every task"
)]

use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicPtr, Ordering};

/// As `OnceLock<Arc<T>>`; if two threads fill it at the same time, one of their values is dropped.
///
/// # Invariant
///
/// The pointer is null, or came from `Arc::into_raw` and is worth one reference; once it is not null it
/// does not change.
pub(crate) struct OnceArc<T>(AtomicPtr<T>, PhantomData<Arc<T>>);

impl<T> OnceArc<T> {
    pub(crate) const fn new() -> Self {
        Self(AtomicPtr::new(ptr::null_mut()), PhantomData)
    }

    /// Whether it was filled.
    #[inline]
    pub(crate) fn is_some(&self) -> bool {
        !self.0.load(Ordering::Acquire).is_null()
    }

    /// Lends what it was filled with.
    #[inline]
    pub(crate) fn get(&self) -> Option<Lent<'_, T>> {
        // Acquire: pairs with the exchange in `get_or_init`.
        let pointer = self.0.load(Ordering::Acquire);
        // SAFETY: see `lend`; it is not null.
        (!pointer.is_null()).then(|| unsafe { self.lend(pointer) })
    }

    /// Lends what it was filled with; fills it with what `make` gives if it was not.
    pub(crate) fn get_or_init(&self, make: impl FnOnce() -> Arc<T>) -> Lent<'_, T> {
        if let Some(filled) = self.get() {
            return filled;
        }
        let fresh = Arc::into_raw(make()).cast_mut();
        let filled = self.0.compare_exchange(
            ptr::null_mut(),
            fresh,
            // Release: the value is there for whoever loads the pointer. Acquire: another's is, too.
            Ordering::AcqRel,
            Ordering::Acquire,
        );
        let pointer = match filled {
            Ok(_) => fresh,
            Err(others) => {
                // SAFETY: it is from `into_raw` above, and nobody else has seen it.
                drop(unsafe { Arc::from_raw(fresh) });
                others
            }
        };
        // SAFETY: it was just stored, or was there.
        unsafe { self.lend(pointer) }
    }

    /// # Safety
    ///
    /// The pointer is this one's, not null.
    #[inline]
    unsafe fn lend(&self, pointer: *mut T) -> Lent<'_, T> {
        // SAFETY: by the invariant. The result is never dropped, so the reference stays this one's, which
        // outlives it.
        let arc = unsafe { Arc::from_raw(pointer) };
        Lent(ManuallyDrop::new(arc), PhantomData)
    }
}

impl<T> Drop for OnceArc<T> {
    #[inline]
    fn drop(&mut self) {
        let pointer = *self.0.get_mut();
        if !pointer.is_null() {
            // SAFETY: by the invariant; nobody borrows it any more.
            drop(unsafe { Arc::from_raw(pointer) });
        }
    }
}

/// An `Arc` that somebody else has.
pub(crate) struct Lent<'a, T>(ManuallyDrop<Arc<T>>, PhantomData<&'a Arc<T>>);

impl<T> Deref for Lent<'_, T> {
    type Target = Arc<T>;

    #[inline]
    fn deref(&self) -> &Arc<T> {
        &self.0
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn it_is_filled_once_and_drops_what_it_has() {
        let place = OnceArc::new();
        assert!(!place.is_some() && place.get().is_none());
        let first = Arc::new(1);
        assert_eq!(**place.get_or_init(|| Arc::clone(&first)), 1);
        assert_eq!(**place.get_or_init(|| unreachable!("it is filled")), 1);
        let clone = place.get().map(|lent| Arc::clone(&lent));
        assert!(Arc::ptr_eq(&first, &clone.unwrap()));
        assert_eq!(Arc::strong_count(&first), 2);
        drop(place);
        assert_eq!(Arc::strong_count(&first), 1);
    }

    #[test]
    fn of_two_that_fill_it_one_is_dropped() {
        let values = [Arc::new(0), Arc::new(1)];
        for _ in 0..200 {
            let (place, start) = (OnceArc::new(), Barrier::new(2));
            let fill = |value: &Arc<u32>| {
                start.wait();
                **place.get_or_init(|| Arc::clone(value))
            };
            let [a, b] = thread::scope(|scope| {
                let other = scope.spawn(|| fill(&values[0]));
                [fill(&values[1]), other.join().unwrap()]
            });
            assert_eq!(a, b);
            assert_eq!(Arc::strong_count(&values[a as usize]), 2);
            assert_eq!(Arc::strong_count(&values[1 - a as usize]), 1);
        }
    }
}
