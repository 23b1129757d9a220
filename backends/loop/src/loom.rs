//! The one place where the loop gets what a model is to see: atomics, locks, what belongs to a thread, the
//! kernel and the clock.
//!
//! Under `--cfg loom` they are loom's, or such as loom can follow; otherwise the standard library's and `mio`'s.
//! A file whose threads agree on something takes them from here, and has models in `tests/loom/`, which reach
//! what is not public through `model` (in `lib.rs`).

#[cfg(loom)]
mod kernel;

#[cfg(loom)]
pub(crate) use kernel::{Interrupt, Kernel, now};
#[cfg(loom)]
pub(crate) use loom::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
#[cfg(loom)]
pub(crate) use loom::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use mio::{Poll as Kernel, Waker as Interrupt};
#[cfg(not(loom))]
pub(crate) use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering};
#[cfg(not(loom))]
pub(crate) use std::sync::{Mutex, MutexGuard};
#[cfg(not(loom))]
pub(crate) use std::thread_local;

/// loom's `thread_local!`, with the form of the standard one that the loop uses.
#[cfg(loom)]
macro_rules! const_thread_local {
    (static $name:ident: $type:ty = const $init:block $(;)?) => {
        ::loom::thread_local! { static $name: $type = $init }
    };
}
#[cfg(loom)]
pub(crate) use const_thread_local as thread_local;

/// What ends a wait of `kernel`.
#[cfg(not(loom))]
pub(crate) fn interrupt(kernel: &Kernel, token: mio::Token) -> std::io::Result<Interrupt> {
    Interrupt::new(kernel.registry(), token)
}

/// The same in models.
#[cfg(loom)]
pub(crate) fn interrupt(kernel: &Kernel, _: mio::Token) -> std::io::Result<Interrupt> {
    Ok(kernel.interrupt())
}

/// What time it is.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) fn now() -> std::time::Instant {
    std::time::Instant::now()
}

/// Whether the fault `name` is seeded: a step is to be skipped, or an ordering to be weakened.
///
/// In models only, and there for one fault at a time: `tests/loom/teeth.txt` says which model has to
/// notice it.
#[cfg(loom)]
pub(crate) fn fault(name: &str) -> bool {
    static SEEDED: std::sync::OnceLock<Option<String>> = std::sync::OnceLock::new();
    let seeded = SEEDED.get_or_init(|| std::env::var("KUMI_SEEDED_FAULT").ok());
    seeded.as_deref() == Some(name)
}

/// There is none outside of models.
#[cfg(not(loom))]
#[inline(always)]
pub(crate) const fn fault(_: &str) -> bool {
    false
}
