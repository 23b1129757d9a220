//! Kumi on smol.
//!
//! [`Smol`] is a handle to an executor made here ([`Smol::current_thread`], [`Smol::threads`]) or,
//! with the feature `global`, to the one behind `smol::spawn`.
//! It is built of the parts of smol (`async-executor`, `async-io`, `blocking`), so nothing is started
//! that is not used.
//!
//! # How a task runs
//!
//! Each of Kumi's jobs becomes the future of one task of the executor, which polls it with its own
//! waker. Kumi adds one allocation and one entry in a table, by which the end of a run finds what is
//! left. Timers and descriptors belong to `async-io`'s reactor, which all of the process share;
//! blocking closures run on the pool of `blocking`, which is shared as well.
//!
//! # What ends what
//!
//! An executor made here is shut down when its [`Owned`](kumi_core::runtime::Owned) is dropped: every
//! task is dropped, its threads end. Local tasks run on the thread that spawned them, whenever it is
//! inside `block_on`.
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

mod executors;
#[cfg(unix)]
mod io;
mod local;
mod runtime;
mod sleep;
mod threads;

#[cfg(unix)]
pub use io::SmolIo;
pub use runtime::Smol;
pub use sleep::SmolSleep;
