//! The owner of a runtime: what ends it.

use std::fmt;
use std::ops::Deref;

use super::Runtime;
use crate::debug;

/// A runtime that is shut down when this value is dropped.
///
/// Constructors of backends return it; it dereferences to the handle, which is cheap to clone and
/// has the methods.
/// A handle that outlives its owner stays harmless: what is spawned through it is dropped at once,
/// and its joiner gets "cancelled".
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::SpawnExt;
///
/// let sim = kumi_sim::Sim::new();
/// let task = sim.spawn(async { 20 + 22 });
/// assert_eq!(sim.block_on(task).unwrap(), 42);
/// ```
#[must_use = "dropping it shuts the runtime down"]
// `None` only after `into_inner`.
pub struct Owned<R: Runtime>(Option<R>);

impl<R: Runtime> Owned<R> {
    /// Makes the dropping of the returned value the end of `runtime`.
    pub fn new(runtime: R) -> Self {
        debug::runtime_is_owned();
        Self(Some(runtime))
    }

    /// Gives the ownership up: from now on nobody ends the runtime, unless it is owned again.
    #[must_use = "nobody ends the runtime any more"]
    pub fn into_inner(mut self) -> R {
        debug::runtime_is_free();
        self.0.take().expect("it is taken once, here")
    }

    /// Returns a handle to the runtime.
    #[must_use]
    pub fn handle(&self) -> R {
        (**self).clone()
    }
}

impl<R: Runtime> Deref for Owned<R> {
    type Target = R;

    fn deref(&self) -> &R {
        self.0.as_ref().expect("it is taken only by `into_inner`")
    }
}

impl<R: Runtime> Drop for Owned<R> {
    fn drop(&mut self) {
        if let Some(runtime) = &self.0 {
            runtime.shutdown();
            debug::runtime_is_free();
        }
    }
}

impl<R: Runtime + fmt::Debug> fmt::Debug for Owned<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Owned").field(&self.0).finish()
    }
}
