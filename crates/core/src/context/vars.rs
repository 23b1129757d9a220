//! Values that belong to a task and that its children inherit.
//!
//! [`task_local!`](crate::task_local) declares a variable; [`LocalKey::scope`] runs a future with a
//! value for it. A task that is spawned inside, a blocking closure too, starts with the values that
//! were in force where it was spawned (Python's `contextvars`, copied at `create_task`).
//!
//! The values in force form a list that is never changed, only shared: setting one puts a link in
//! front. So inheriting costs one reference count, and nothing where no value is set.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::frame;

/// The values in force: the innermost, and through it the others.
pub(crate) type Vars = Arc<Var>;

/// One value.
pub(crate) struct Var {
    /// The address of the key.
    key: usize,
    value: Box<dyn Any + Send + Sync>,
    next: Option<Vars>,
}

impl fmt::Debug for Var {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Var").finish_non_exhaustive()
    }
}

/// The links of a long list go one after the other, not one inside the other.
impl Drop for Var {
    fn drop(&mut self) {
        let mut next = self.next.take();
        while let Some(mut var) = next.and_then(Arc::into_inner) {
            next = var.next.take();
        }
    }
}

/// The values in force here, for a task that is being spawned.
#[inline]
pub(crate) fn inherit() -> Option<Vars> {
    frame::with_vars(|vars| vars.cloned())
}

/// Declares variables that belong to a task and are inherited by its children.
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::Runtime;
/// use kumi_core::task::SpawnExt;
///
/// kumi_core::task_local! {
///     /// Whose request this is.
///     static REQUEST: u32;
/// }
///
/// let sim = kumi_sim::Sim::new();
/// sim.block_on(async {
///     let rt = sim.handle();
///     REQUEST
///         .scope(7, async {
///             let child = rt.spawn(async { REQUEST.get() });
///             assert_eq!(child.await.unwrap(), 7);
///         })
///         .await;
///     assert!(REQUEST.try_with(|_| ()).is_none());
/// });
/// ```
#[macro_export]
macro_rules! task_local {
    ($($(#[$attr:meta])* $vis:vis static $name:ident: $type:ty);+ $(;)?) => {
        $($(#[$attr])*
        $vis static $name: $crate::context::LocalKey<$type> = $crate::context::LocalKey::new();)+
    };
}

/// A variable that belongs to a task and is inherited by its children; made by
/// [`task_local!`](crate::task_local).
pub struct LocalKey<T: 'static> {
    /// The address is the identity of the key, so it must have a size.
    _address: u8,
    value: PhantomData<fn() -> T>,
}

impl<T: Send + Sync + 'static> LocalKey<T> {
    /// A key; for [`task_local!`](crate::task_local).
    #[doc(hidden)]
    #[must_use]
    #[allow(clippy::new_without_default, reason = "a key is a static")]
    pub const fn new() -> Self {
        Self {
            _address: 0,
            value: PhantomData,
        }
    }

    fn address(&'static self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn link(&'static self, value: T) -> Vars {
        Arc::new(Var {
            key: self.address(),
            value: Box::new(value),
            next: inherit(),
        })
    }

    /// Runs `future` with `value` in force for this key, also in the tasks that it spawns.
    ///
    /// The other values in force are those of where this is called.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`.
    pub fn scope<F: Future>(&'static self, value: T, future: F) -> WithLocal<F> {
        WithLocal {
            vars: self.link(value),
            future,
        }
    }

    /// Calls `f` with `value` in force for this key, also in the tasks that it spawns.
    pub fn sync_scope<O>(&'static self, value: T, f: impl FnOnce() -> O) -> O {
        let vars = self.link(value);
        frame::enter_vars(&vars, f)
    }

    /// Lends the value to `f`.
    ///
    /// # Panics
    ///
    /// If no value is in force.
    #[track_caller]
    pub fn with<O>(&'static self, f: impl FnOnce(&T) -> O) -> O {
        self.try_with(f)
            .expect("no value for this task-local variable here: run the code inside `KEY.scope(value, ...)`")
    }

    /// Lends the value to `f`, if one is in force.
    pub fn try_with<O>(&'static self, f: impl FnOnce(&T) -> O) -> Option<O> {
        // Kept, so that `f` may do what it likes.
        let mut next = inherit();
        while let Some(var) = next {
            if var.key == self.address() {
                return var.value.downcast_ref().map(f);
            }
            next = var.next.clone();
        }
        None
    }

    /// Returns the value.
    ///
    /// # Panics
    ///
    /// If no value is in force.
    #[track_caller]
    pub fn get(&'static self) -> T
    where
        T: Clone,
    {
        self.with(T::clone)
    }
}

impl<T> fmt::Debug for LocalKey<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalKey").finish_non_exhaustive()
    }
}

pin_project! {
    /// The future of [`LocalKey::scope`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct WithLocal<F> {
        #[pin]
        future: F,
        vars: Vars,
    }
}

impl<F: Future> Future for WithLocal<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        frame::enter_vars(this.vars, || this.future.poll(cx))
    }
}
