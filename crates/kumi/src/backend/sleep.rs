//! The sleep of a [`Backend`](super::Backend).

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use kumi_core::runtime::{BoxSleep, Sleep};
use pin_project_lite::pin_project;

/// Defines an enum whose variants are each one backend's sleep, pinned in place.
///
/// `pin_project!` does not take attributes on variants, so each backend's slot is a type that is
/// empty if the backend is not compiled in.
mod slot {
    macro_rules! slot {
        ($name:ident, $feature:literal, $type:ty) => {
            #[cfg(feature = $feature)]
            pub(super) type $name = $type;
            #[cfg(not(feature = $feature))]
            pub(super) type $name = super::Never;
        };
    }
    slot!(Loop, "loop", kumi_loop::LoopSleep);
    slot!(Tokio, "tokio", kumi_tokio::TokioSleep);
    slot!(Smol, "smol", kumi_smol::SmolSleep);
    slot!(Sim, "sim", kumi_sim::SimSleep);
}

/// The sleep of a backend that is not compiled in: there is none.
#[derive(Debug)]
#[allow(dead_code, reason = "used by the backends that are not compiled in")]
enum Never {}

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match *self {}
    }
}

impl Sleep for Never {
    fn deadline(&self) -> Instant {
        match *self {}
    }

    fn reset(self: Pin<&mut Self>, _: Instant) {
        match *self {}
    }
}

pin_project! {
    /// A sleep on a [`Backend`](crate::Backend).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped; its timer is gone at once.
    #[must_use = "futures do nothing unless polled"]
    pub struct BackendSleep {
        #[pin]
        inner: Inner,
    }
}

pin_project! {
    #[project = InnerProj]
    #[allow(dead_code, reason = "the variants of backends that are not compiled in")]
    pub(super) enum Inner {
        Loop { #[pin] sleep: slot::Loop },
        Tokio { #[pin] sleep: slot::Tokio },
        Smol { #[pin] sleep: slot::Smol },
        Sim { #[pin] sleep: slot::Sim },
        Other { #[pin] sleep: BoxSleep },
    }
}

impl BackendSleep {
    pub(super) fn new(inner: Inner) -> Self {
        Self { inner }
    }
}

macro_rules! each {
    ($inner:expr, $proj:ident, $sleep:ident => $do:expr) => {
        match $inner {
            $proj::Loop { sleep: $sleep } => $do,
            $proj::Tokio { sleep: $sleep } => $do,
            $proj::Smol { sleep: $sleep } => $do,
            $proj::Sim { sleep: $sleep } => $do,
            $proj::Other { sleep: $sleep } => $do,
        }
    };
}

impl Future for BackendSleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        each!(self.project().inner.project(), InnerProj, sleep => sleep.poll(cx))
    }
}

impl Sleep for BackendSleep {
    fn deadline(&self) -> Instant {
        each!(&self.inner, Inner, sleep => sleep.deadline())
    }

    fn reset(self: Pin<&mut Self>, at: Instant) {
        each!(self.project().inner.project(), InnerProj, sleep => sleep.reset(at));
    }
}

impl std::fmt::Debug for BackendSleep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BackendSleep")
            .field("at", &self.deadline())
            .finish_non_exhaustive()
    }
}
