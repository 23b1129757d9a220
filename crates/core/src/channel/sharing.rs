//! By whom the ends of a channel are shared, and so what keeps them apart: [`Sharing`].

use std::cell::RefCell;

use crate::loom::Lock;

/// By whom the ends of a channel are shared: by [`Threads`], or by the tasks of [`OneThread`].
pub trait Sharing: Sealed {}

/// What keeps those who share a channel apart. There are no others than those of this module.
#[expect(unnameable_types, reason = "so that nobody else implements it")]
pub trait Sealed: 'static {
    /// A value that one of them changes at a time.
    type Lock<V>: Exclusive<V>;
}

/// A value that one at a time may change.
#[expect(unnameable_types, reason = "only the channel uses it")]
pub trait Exclusive<V> {
    /// A value that nobody changes.
    fn new(value: V) -> Self;

    /// Changes it; what `f` does must not come here again.
    fn with<R>(&self, f: impl FnOnce(&mut V) -> R) -> R;
}

/// The ends may be on different threads: see [`bounded`](super::bounded).
#[derive(Debug, Clone, Copy)]
pub enum Threads {}

/// All ends are on one thread: see [`local`](super::local).
#[derive(Debug, Clone, Copy)]
pub enum OneThread {}

impl Sharing for Threads {}
impl Sharing for OneThread {}

impl Sealed for Threads {
    type Lock<V> = Locked<V>;
}

impl Sealed for OneThread {
    type Lock<V> = RefCell<V>;
}

/// A value under a lock.
#[expect(unnameable_types, reason = "only the channel uses it")]
#[expect(missing_debug_implementations, reason = "nobody sees it")]
pub struct Locked<V>(Lock<V>);

impl<V> Exclusive<V> for Locked<V> {
    #[inline(always)]
    fn new(value: V) -> Self {
        Self(Lock::new(value))
    }

    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut V) -> R) -> R {
        self.0.with(f)
    }
}

impl<V> Exclusive<V> for RefCell<V> {
    #[inline(always)]
    fn new(value: V) -> Self {
        Self::new(value)
    }

    #[inline(always)]
    fn with<R>(&self, f: impl FnOnce(&mut V) -> R) -> R {
        f(&mut self.borrow_mut())
    }
}
