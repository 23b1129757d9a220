//! The backends that are compiled in, behind one type.
//!
//! [`Backend`] is an enum: the compiled-in backends by name, and one erased variant for strangers. It
//! is itself a runtime, so everything of core takes it. [`BackendKind`] names one, for attributes,
//! command lines and the environment.

mod forward;
#[cfg(unix)]
mod io;
mod kind;
mod sleep;

use kumi_core::context;
use kumi_core::runtime::{Ambient, AnyRuntime, Runtime};

#[cfg(unix)]
pub use io::BackendIo;
pub use kind::{BackendKind, ChooseError};
pub use sleep::BackendSleep;

#[cfg(feature = "loop")]
pub use kumi_loop::Loop;
#[cfg(feature = "sim")]
pub use kumi_sim::Sim;
#[cfg(feature = "smol")]
pub use kumi_smol::Smol;
#[cfg(feature = "tokio")]
pub use kumi_tokio::Tokio;

/// A runtime: one of the compiled-in backends, or a stranger.
///
/// Cheap to clone, usable on any thread.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")]
/// kumi::run_on(kumi::BackendKind::Sim, async {
///     let here = kumi::Backend::current();
///     assert_eq!(here.kind(), Some(kumi::BackendKind::Sim));
/// });
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Backend {
    /// Kumi's own event loop.
    #[cfg(feature = "loop")]
    Loop(Loop),
    /// tokio.
    #[cfg(feature = "tokio")]
    Tokio(Tokio),
    /// smol.
    #[cfg(feature = "smol")]
    Smol(Smol),
    /// The simulator.
    #[cfg(feature = "sim")]
    Sim(Sim),
    /// A runtime that implements core's contract and is not one of the above.
    Other(AnyRuntime),
}

impl Backend {
    /// Returns the runtime of the code that runs right now.
    ///
    /// # Panics
    ///
    /// If there is none; the message says what to do.
    #[must_use]
    #[track_caller]
    pub fn current() -> Self {
        match Self::try_current() {
            Some(backend) => backend,
            None => panic!("{NO_RUNTIME}"),
        }
    }

    /// Returns the runtime of the code that runs right now, if there is one.
    ///
    /// That is the one whose task, `block_on` or blocking closure this is; outside of Kumi, with the
    /// feature `tokio`, the tokio runtime that this thread is in.
    #[must_use]
    pub fn try_current() -> Option<Self> {
        context::with_current(|ambient| ambient.map(Self::from_ambient)).or_else(Self::of_host)
    }

    /// Makes `runtime` a `Backend`, as the variant of its type.
    pub fn from_runtime<R: Runtime>(runtime: &R) -> Self {
        match runtime.ambient() {
            Some(ambient) => Self::from_ambient(ambient),
            None => Self::Other(AnyRuntime::new(runtime.clone())),
        }
    }

    /// Says which backend this is; `None` for a stranger.
    #[must_use]
    pub fn kind(&self) -> Option<BackendKind> {
        match self {
            #[cfg(feature = "loop")]
            Self::Loop(_) => Some(BackendKind::Loop),
            #[cfg(feature = "tokio")]
            Self::Tokio(_) => Some(BackendKind::Tokio),
            #[cfg(feature = "smol")]
            Self::Smol(_) => Some(BackendKind::Smol),
            #[cfg(feature = "sim")]
            Self::Sim(_) => Some(BackendKind::Sim),
            Self::Other(_) => None,
        }
    }

    /// Asks whoever else may run this thread.
    pub(crate) fn of_host() -> Option<Self> {
        #[cfg(feature = "tokio")]
        if let Some(tokio) = Tokio::current() {
            return Some(Self::Tokio(tokio));
        }
        None
    }

    fn from_ambient(ambient: Ambient<'_>) -> Self {
        #[cfg(feature = "loop")]
        if let Some(found) = ambient.downcast::<Loop>() {
            return Self::Loop(found.clone());
        }
        #[cfg(feature = "tokio")]
        if let Some(found) = ambient.downcast::<Tokio>() {
            return Self::Tokio(found.clone());
        }
        #[cfg(feature = "smol")]
        if let Some(found) = ambient.downcast::<Smol>() {
            return Self::Smol(found.clone());
        }
        #[cfg(feature = "sim")]
        if let Some(found) = ambient.downcast::<Sim>() {
            return Self::Sim(found.clone());
        }
        if let Some(found) = ambient.downcast::<Self>() {
            return found.clone();
        }
        Self::Other(ambient.to_any_runtime())
    }
}

/// What ambient functions say when there is no runtime.
pub(crate) const NO_RUNTIME: &str = "no Kumi runtime here. Call this inside `kumi::run(...)`, \
     `#[kumi::main]`, `#[kumi::test]` or a task; on a thread of your own, wrap it in \
     `kumi::enter(&backend, || ...)`; inside a program that tokio started, turn on the feature \
     `tokio` of the crate `kumi`";
