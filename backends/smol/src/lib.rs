//! Kumi on smol.
//!
//! [`Smol`] is a handle to an executor made here ([`Smol::current_thread`], [`Smol::threads`]) or,
//! with the feature `global`, to the one behind `smol::spawn`.
//! It is built of the parts of smol (`async-executor`, `async-io`, `blocking`), so nothing is started
//! that is not used.
//!
//! # How a task runs
//!
//! Jobs that are due lie in a queue of Kumi's own. A few long-lived tasks of the executor, the *drainers*, take them
//! out and run them, up to sixteen in a poll as long as they are short (see `jobs`). So a task of Kumi's costs the
//! executor nothing of its own, and beside native tasks the executor still decides when it is Kumi's turn.
//! A local task is a task of a `LocalExecutor`, which polls it with its own waker.
//! Core keeps the table by which the end of a run finds what is left. Timers and descriptors belong to `async-io`'s
//! reactor, which all of the process share; blocking closures run on the pool of `blocking`, which is shared as well.
//!
//! # What ends what
//!
//! An executor made here is shut down when its [`Owned`](kumi_core::runtime::Owned) is dropped: every
//! task is dropped, its threads end. Local tasks run on the thread that spawned them, whenever it is
//! inside `block_on`.
//!
//! # Without threads or descriptors
//!
//! `async-io` makes its reactor and its thread when they are first needed, and panics there if the system has
//! none left. If there is no thread for a blocking closure, `blocking` asks again without a pause, on the
//! thread that called, until there is one. (The own loop says so when it is made; for a thread it
//! asks again, with pauses.)
//!
//! # Examples
//!
//! ```
//! use kumi_core::runtime::Runtime;
//! use kumi_core::task::SpawnExt;
//! use kumi_smol::Smol;
//!
//! let rt = Smol::current_thread();
//! assert_eq!(rt.block_on(rt.spawn(async { 42 })).unwrap(), 42);
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(not(loom))]
mod executors;
#[cfg(all(unix, not(loom)))]
mod io;
#[cfg(not(loom))]
mod jobs;
#[cfg(not(loom))]
mod local;
mod loom;
mod ready;
#[cfg(not(loom))]
mod runtime;
#[cfg(not(loom))]
mod sleep;
#[cfg(not(loom))]
mod threads;

#[cfg(all(unix, not(loom)))]
pub use io::SmolIo;
#[cfg(not(loom))]
pub use runtime::Smol;
#[cfg(not(loom))]
pub use sleep::SmolSleep;

/// What the models in `tests/loom/` reach.
#[cfg(loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::ready::Ready;
}
