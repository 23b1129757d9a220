//! A shared pointer whose references one thread at a time can count without atomic operations.
//!
//! The handle of a loop is cloned and dropped for each task and each timer, nearly always on the thread that
//! drives the loop. With an `Arc` these two operations would be a third of what such a task costs. (Biased
//! reference counting: Choi, Shull and Torrellas, 2018, made simpler: who counts is said by a value that can
//! be cleared, not by a thread's number.)
//!
//! # What ends what
//!
//! The value is dropped by whoever gives the last reference back: a [`BiasedArc`], or a [`Spare`] that has
//! some left when it is cleared or dropped. A spare that is forgotten leaks the value.
//!
//! # PROTOCOL
//!
//! The count is that of an `Arc`: each reference is worth one, whoever has it. A spare *owns* references,
//! that is all: a thread that has one takes its clones out of it and puts what it drops back in, and touches
//! the count only when it is empty or too full, for many at a time.
//!
//! # Invariants
//!
//! 1. The count is the number of `BiasedArc`s and of references in spares. The value lives until it is zero.
//! 2. The references in a spare are of the value that its `of` points to. While it has none, that may be gone,
//!    and another value be where it was.
#![allow(unsafe_code, reason = "a reference count; see the invariants")]

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr::NonNull;
use std::task::{RawWaker, RawWakerVTable, Waker};

use crate::loom::{AtomicUsize, Ordering, count_off_by, fault};

/// How many references an empty spare takes at once, and a full one gives back: at twice as many.
const BATCH: usize = 64;

/// More references than this are a leak that is about to become unsound.
const MAX: usize = isize::MAX as usize;

/// A value whose references may be counted by one thread at a time.
pub trait Bias: Sized + Send + Sync {
    /// Lends the spare references of the calling thread, if it has any, be it of this value or another.
    ///
    /// Called whenever a reference is cloned or dropped; what it lends is a thread-local, as a rule.
    fn with_spare<R>(f: impl FnOnce(&Spare<Self>) -> R) -> Option<R>;
}

struct Inner<T> {
    count: AtomicUsize,
    value: T,
}

/// A reference to a value, as an `Arc`; but the thread whose [`Spare`] [holds](Spare::hold) it clones and drops
/// its references without atomic operations.
///
/// For the handles of a backend, of which each task and each timer has one, and which are nearly always cloned and
/// dropped by the thread that drives it.
///
/// # Examples
///
/// ```
/// use kumi_core::util::{Bias, BiasedArc, Spare};
///
/// struct Shared(u32);
///
/// thread_local! {
///     static SPARE: Spare<Shared> = const { Spare::new() };
/// }
///
/// impl Bias for Shared {
///     fn with_spare<R>(f: impl FnOnce(&Spare<Self>) -> R) -> Option<R> {
///         SPARE.try_with(f).ok()
///     }
/// }
///
/// let shared = BiasedArc::new(Shared(7));
/// SPARE.with(|spare| spare.hold(&shared));
/// let handles: Vec<_> = (0..10).map(|_| shared.clone()).collect();
/// assert_eq!(handles.iter().map(|handle| handle.0).sum::<u32>(), 70);
/// drop(handles);
/// SPARE.with(Spare::clear);
/// ```
pub struct BiasedArc<T: Bias>(NonNull<Inner<T>>, PhantomData<Inner<T>>);

// SAFETY: as for `Arc`: the value is shared, and dropped by whoever is last; it is `Send` and `Sync` (`Bias`).
unsafe impl<T: Bias> Send for BiasedArc<T> {}
// SAFETY: as above.
unsafe impl<T: Bias> Sync for BiasedArc<T> {}

/// What can be a waker by itself, as with [`Wake`](std::task::Wake), counted as a [`BiasedArc`].
pub trait BiasedWake: Bias + 'static {
    /// Wakes whomever it is for.
    fn wake(&self);
}

/// The value does not move, whoever moves the reference.
impl<T: Bias> Unpin for BiasedArc<T> {}

/// References of a thread that it hands out and takes back without an atomic operation.
///
/// It has none until it is told [of which value](Spare::hold).
pub struct Spare<T: Bias> {
    of: Cell<Option<NonNull<Inner<T>>>>,
    left: Cell<usize>,
}

impl<T: Bias> BiasedArc<T> {
    /// Puts the value on the heap.
    pub fn new(value: T) -> Self {
        let inner = Inner {
            count: AtomicUsize::new(1),
            value,
        };
        Self(NonNull::from(Box::leak(Box::new(inner))), PhantomData)
    }

    #[inline]
    fn inner(&self) -> &Inner<T> {
        // SAFETY: this is a reference (1).
        unsafe { self.0.as_ref() }
    }

    /// Counts so many references more.
    #[inline]
    fn add(&self, count: usize) {
        let counter = &self.inner().count;
        if fault("references_come_in_two_steps") {
            let old = counter.load(Ordering::Relaxed);
            return counter.store(old + count, Ordering::Relaxed);
        }
        // Relaxed, as for `Arc`: who adds has one.
        let old = counter.fetch_add(count, Ordering::Relaxed);
        if old > MAX {
            too_many();
        }
    }
}

impl<T: BiasedWake> BiasedArc<T> {
    /// One place for the whole program, so that [`Waker::will_wake`] can tell.
    #[inline(never)]
    fn table() -> &'static RawWakerVTable {
        &RawWakerVTable::new(
            Self::clone_waker,
            Self::wake_by_value,
            Self::wake_by_ref,
            Self::drop_waker,
        )
    }

    /// Makes a waker of this reference.
    #[must_use]
    pub fn into_waker(self) -> Waker {
        let raw = RawWaker::new(self.into_raw(), Self::table());
        // SAFETY: the functions of the table keep the contract of `RawWaker`: each waker is a reference, and the
        // value may be used by any thread (`Bias`).
        unsafe { Waker::from_raw(raw) }
    }

    #[inline]
    fn into_raw(self) -> *const () {
        ManuallyDrop::new(self).0.as_ptr().cast_const().cast()
    }

    /// # Safety
    ///
    /// The data is from `into_raw`, and the reference becomes the result's.
    #[inline]
    unsafe fn from_raw(data: *const ()) -> Self {
        let inner = NonNull::new(data.cast_mut().cast());
        Self(inner.expect("it is a reference"), PhantomData)
    }

    /// # Safety
    ///
    /// The data is that of a live waker, whose reference stays its own.
    #[inline]
    unsafe fn borrowed(data: *const ()) -> ManuallyDrop<Self> {
        // SAFETY: by the contract; it is not dropped.
        ManuallyDrop::new(unsafe { Self::from_raw(data) })
    }

    unsafe fn clone_waker(data: *const ()) -> RawWaker {
        // SAFETY: by the contract of `RawWaker`, as below.
        let this = unsafe { Self::borrowed(data) };
        RawWaker::new(Self::clone(&this).into_raw(), Self::table())
    }

    unsafe fn wake_by_value(data: *const ()) {
        // SAFETY: as above; the waker is used up.
        unsafe { Self::from_raw(data) }.wake();
    }

    unsafe fn wake_by_ref(data: *const ()) {
        // SAFETY: as above.
        unsafe { Self::borrowed(data) }.wake();
    }

    unsafe fn drop_waker(data: *const ()) {
        // SAFETY: as above; the waker is used up.
        drop(unsafe { Self::from_raw(data) });
    }
}

/// Ends the process before the count can run over; a panic would not do, as a program that goes on could
/// count more.
#[cold]
fn too_many() -> ! {
    eprintln!("kumi: too many references to one value");
    std::process::abort()
}

/// Gives so many references back, and drops the value if they were the last.
///
/// # Safety
///
/// The caller has as many, and gives them up.
#[inline]
unsafe fn give_back<T>(inner: NonNull<Inner<T>>, count: usize) {
    // SAFETY: the caller has references, so it lives.
    let counter = &unsafe { inner.as_ref() }.count;
    let last = count_off_by(counter, count, fault("references_go_in_two_steps"));
    if last {
        // SAFETY: it came from a box, and no reference is left.
        drop(unsafe { Box::from_raw(inner.as_ptr()) });
    }
}

impl<T: Bias> Clone for BiasedArc<T> {
    #[inline]
    fn clone(&self) -> Self {
        // What the closure saw counts, and not what somebody's `with_spare` makes of it.
        let mut taken = false;
        let _ = T::with_spare(|spare| taken = spare.take(self));
        if !taken {
            self.add(1);
        }
        Self(self.0, PhantomData)
    }
}

impl<T: Bias> Drop for BiasedArc<T> {
    #[inline]
    fn drop(&mut self) {
        let mut put = false;
        let _ = T::with_spare(|spare| put = spare.put(self.0));
        if !put {
            // SAFETY: this was a reference, and is nobody else's.
            unsafe { give_back(self.0, 1) }
        }
    }
}

impl<T: Bias> Deref for BiasedArc<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.inner().value
    }
}

impl<T: Bias + fmt::Debug> fmt::Debug for BiasedArc<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: Bias> Spare<T> {
    /// A spare without references, of no value.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            of: Cell::new(None),
            left: Cell::new(0),
        }
    }

    /// From now on this has the references of this thread to `value`, until it is [cleared](Spare::clear).
    #[inline]
    pub fn hold(&self, value: &BiasedArc<T>) {
        self.replace(Some(value.0));
    }

    /// Gives back what it has; it is of no value then.
    #[inline]
    pub fn clear(&self) {
        self.replace(None);
    }

    #[inline]
    fn replace(&self, of: Option<NonNull<Inner<T>>>) {
        let (old, left) = (self.of.replace(of), self.left.take());
        if left > 0 {
            // At the end: the destructor of the value may come here again.
            Self::give_back(old, left);
        }
    }

    #[cold]
    fn give_back(of: Option<NonNull<Inner<T>>>, left: usize) {
        let of = of.expect("there are none of no value");
        // SAFETY: these are references (2), and are given up.
        unsafe { give_back(of, left) }
    }

    /// Gives up one reference, which becomes the caller's; false if it is of another value.
    #[inline]
    fn take(&self, value: &BiasedArc<T>) -> bool {
        if self.of.get() != Some(value.0) {
            return false;
        }
        let left = match self.left.get() {
            0 => {
                value.add(BATCH);
                // It is alive, and perhaps not the one that was here at first (2).
                self.of.set(Some(value.0));
                BATCH
            }
            left => left,
        };
        self.left.set(left - 1);
        true
    }

    /// Takes over one reference of the caller's; false if it is of another value.
    #[inline]
    fn put(&self, value: NonNull<Inner<T>>) -> bool {
        if self.of.get() != Some(value) {
            return false;
        }
        let left = self.left.get() + 1;
        self.of.set(Some(value));
        self.left.set(left);
        if left >= 2 * BATCH {
            self.left.set(left - BATCH);
            // SAFETY: these are references (2), and are given up; others are left.
            unsafe { give_back(value, BATCH) }
        }
        true
    }
}

impl<T: Bias> Default for Spare<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Bias> Drop for Spare<T> {
    fn drop(&mut self) {
        self.clear();
    }
}

impl<T: Bias> fmt::Debug for Spare<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spare").field("left", &self.left).finish()
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use std::sync::Arc;
    use std::thread;

    use super::*;

    struct Value(#[allow(dead_code, reason = "its count says whether this is alive")] Arc<()>);

    thread_local! {
        static SPARE: Spare<Value> = const { Spare::new() };
    }

    impl Bias for Value {
        fn with_spare<R>(f: impl FnOnce(&Spare<Self>) -> R) -> Option<R> {
            SPARE.try_with(f).ok()
        }
    }

    fn count(value: &BiasedArc<Value>) -> usize {
        value.inner().count.load(Ordering::Relaxed)
    }

    /// Runs `f` on a thread that ends then, as scoped threads need not have when their scope has.
    #[allow(clippy::disallowed_methods, reason = "there is no runtime here")]
    fn elsewhere<T: Send + 'static>(f: impl FnOnce() -> T + Send + 'static) -> T {
        thread::spawn(f).join().unwrap()
    }

    fn left() -> usize {
        SPARE.with(|spare| spare.left.get())
    }

    #[test]
    fn without_a_spare_it_counts_as_an_arc_does() {
        let alive = Arc::new(());
        let value = BiasedArc::new(Value(Arc::clone(&alive)));
        let clone = value.clone();
        assert_eq!((count(&value), left()), (2, 0));
        elsewhere(|| drop(clone));
        assert_eq!(count(&value), 1);
        drop(value);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn a_spare_counts_many_at_a_time() {
        let alive = Arc::new(());
        let value = BiasedArc::new(Value(Arc::clone(&alive)));
        SPARE.with(|spare| spare.hold(&value));
        let mut clones: Vec<_> = (0..BATCH).map(|_| value.clone()).collect();
        assert_eq!((count(&value), left()), (1 + BATCH, 0));
        clones.push(value.clone());
        assert_eq!((count(&value), left()), (1 + 2 * BATCH, BATCH - 1));
        // One of another thread comes back here, and one from here goes there.
        let here = clones.pop().unwrap();
        let there = elsewhere(move || here.clone());
        assert_eq!(count(&value), 1 + 2 * BATCH);
        drop(there);
        assert_eq!(left(), BATCH);
        // What is of another value is left alone.
        let other = BiasedArc::new(Value(Arc::clone(&alive)));
        drop(other.clone());
        assert_eq!((count(&other), left()), (1, BATCH));
        drop(clones);
        assert_eq!((count(&value), left()), (1 + BATCH, BATCH));
        SPARE.with(Spare::clear);
        assert_eq!((count(&value), left()), (1, 0));
        drop((value, other));
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    impl BiasedWake for Value {
        fn wake(&self) {
            WOKEN.set(WOKEN.get() + 1);
        }
    }

    thread_local! {
        static WOKEN: Cell<usize> = const { Cell::new(0) };
    }

    #[test]
    fn each_waker_is_a_reference() {
        let alive = Arc::new(());
        let value = BiasedArc::new(Value(Arc::clone(&alive)));
        let waker = value.clone().into_waker();
        assert_eq!(count(&value), 2);
        let clone = waker.clone();
        assert!(clone.will_wake(&waker));
        assert_eq!(count(&value), 3);
        clone.wake_by_ref();
        assert_eq!((count(&value), WOKEN.get()), (3, 1));
        clone.wake();
        assert_eq!((count(&value), WOKEN.get()), (2, 2));
        drop(value);
        let there = elsewhere(move || {
            waker.wake_by_ref();
            let clone = waker.clone();
            drop(waker);
            (clone, WOKEN.get())
        });
        assert_eq!((Arc::strong_count(&alive), there.1), (2, 1));
        there.0.wake();
        assert_eq!((Arc::strong_count(&alive), WOKEN.get()), (1, 3));
    }

    /// A value whose destructor uses the spare that is being cleared.
    struct Nested(
        Option<BiasedArc<Nested>>,
        #[allow(dead_code, reason = "its count says whether this is alive")] Arc<()>,
    );

    thread_local! {
        static NESTED: Spare<Nested> = const { Spare::new() };
        /// What `with_spare` does not say, though it is so.
        static LIES: Cell<bool> = const { Cell::new(false) };
    }

    impl Bias for Nested {
        fn with_spare<R>(f: impl FnOnce(&Spare<Self>) -> R) -> Option<R> {
            NESTED.try_with(f).ok().filter(|_| !LIES.get())
        }
    }

    impl Drop for Nested {
        fn drop(&mut self) {
            if let Some(inner) = self.0.take() {
                NESTED.with(|spare| spare.hold(&inner));
                drop(inner.clone());
            }
        }
    }

    #[test]
    fn a_destructor_uses_the_spare_that_is_cleared() {
        let alive = Arc::new(());
        let nested = |inner| BiasedArc::new(Nested(inner, Arc::clone(&alive)));
        let (outer, last) = (nested(Some(nested(None))), nested(None));
        NESTED.with(|spare| spare.hold(&outer));
        drop(outer);
        assert_eq!(Arc::strong_count(&alive), 4, "the spare has it");
        NESTED.with(|spare| spare.hold(&last));
        // The spare is that of the one inside now, whose last reference it has.
        assert_eq!(Arc::strong_count(&alive), 3);
        let clone = last.clone();
        assert_eq!(last.inner().count.load(Ordering::Relaxed), 2);
        elsewhere(move || drop(clone));
        NESTED.with(Spare::clear);
        assert_eq!(Arc::strong_count(&alive), 2);
        drop(last);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn what_a_spare_did_is_not_asked_of_whoever_lends_it() {
        let alive = Arc::new(());
        let value = BiasedArc::new(Nested(None, Arc::clone(&alive)));
        NESTED.with(|spare| spare.hold(&value));
        LIES.set(true);
        drop(value.clone());
        drop(value);
        assert_eq!(Arc::strong_count(&alive), 2, "the spare has it");
        NESTED.with(Spare::clear);
        assert_eq!(Arc::strong_count(&alive), 1);
    }

    #[test]
    fn the_last_reference_may_be_in_a_spare() {
        let alive = Arc::new(());
        let value = BiasedArc::new(Value(Arc::clone(&alive)));
        let in_thread = Arc::clone(&alive);
        elsewhere(move || {
            SPARE.with(|spare| spare.hold(&value));
            drop(value.clone());
            drop(value);
            assert_eq!(Arc::strong_count(&in_thread), 3, "the spare has it");
        });
        assert_eq!(Arc::strong_count(&alive), 1);
    }
}
