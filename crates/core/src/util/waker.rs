//! Wakers of whoever waits: they are foreign code, so their panics are contained and reported.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

use super::{discard, panic_message};
use crate::loom::{Mutex, assert_unlocked};
use crate::report::{Report, report};

/// Runs `f`, which wakes or drops a waker; its panic is reported and goes no further.
fn contain(f: impl FnOnce()) {
    assert_unlocked();
    if let Err(panic) = catch_unwind(AssertUnwindSafe(f)) {
        let message = panic_message(&*panic).to_owned();
        report(&Report::PanicInWaker { message });
        discard(panic);
    }
}

/// Wakes every one of `wakers`; a panic of one is reported.
pub(crate) fn wake_contained(wakers: impl IntoIterator<Item = Waker>) {
    for waker in wakers {
        contain(|| waker.wake());
    }
}

/// Drops a waker; its panic is reported.
#[inline]
pub(crate) fn drop_foreign(waker: Option<Waker>) {
    if let Some(waker) = waker {
        contain(|| drop(waker));
    }
}

/// A place for the waker of the one who waits.
///
/// A lock, and no `AtomicWaker` of the ecosystem: that one is of no use any more once a waker has
/// panicked while it was cloned or dropped there.
pub(crate) struct WakerSlot(Mutex<Option<Waker>>);

impl WakerSlot {
    /// An empty one.
    pub(crate) fn new() -> Self {
        Self(Mutex::new(None))
    }

    /// Stores a clone of `waker`, unless the one that is here wakes the same.
    ///
    /// # Panics
    ///
    /// If `waker` does when it is cloned; what was here stays.
    pub(crate) fn register(&self, waker: &Waker) {
        let same = |old: &Option<Waker>| old.as_ref().is_some_and(|old| old.will_wake(waker));
        if same(&self.0.lock()) {
            return;
        }
        assert_unlocked();
        let fresh = Some(waker.clone());
        let old = std::mem::replace(&mut *self.0.lock(), fresh);
        drop_foreign(old);
    }

    /// Wakes the one who waits, if there is one.
    pub(crate) fn wake(&self) {
        wake_contained(self.take());
    }

    /// Takes the waker out, if there is one.
    pub(crate) fn take(&self) -> Option<Waker> {
        self.0.lock().take()
    }
}

impl fmt::Debug for WakerSlot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WakerSlot")
    }
}
