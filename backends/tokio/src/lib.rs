//! Kumi on tokio.
//!
//! [`Tokio`] is a handle to a tokio runtime: one of its own ([`Tokio::current_thread`],
//! [`Tokio::workers`]), or one that runs already ([`Tokio::attach`], [`Tokio::current`]).
//! Kumi's tasks and tokio's own live on it side by side.
//!
//! # How a task runs
//!
//! Each of Kumi's jobs becomes the future of one tokio task, which polls it with tokio's own waker. So
//! tokio's scheduling, budget and instrumentation apply as to any task; Kumi adds one allocation and
//! one entry in a table, by which the end of a run finds what is left.
//!
//! # What ends what
//!
//! A runtime made here is shut down when its [`Owned`](kumi_core::runtime::Owned) is dropped. An
//! attached one is not Kumi's to end: its owner's shutdown drops the tasks.
//! Local tasks run on the thread that spawned them, whenever it is inside `block_on`, and end with
//! that thread or the runtime.
//!
//! # Without threads
//!
//! If the system gives no thread and tokio's pool for blocking closures has none, tokio's `spawn_blocking`
//! panics, and so does Kumi's on this backend, in the task that called it. (The own loop asks again.)
//!
//! # Examples
//!
//! ```
//! use kumi_core::runtime::Runtime;
//! use kumi_core::task::SpawnExt;
//! use kumi_tokio::Tokio;
//!
//! let rt = Tokio::current_thread()?;
//! assert_eq!(rt.block_on(rt.spawn(async { 42 })).unwrap(), 42);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! Inside a program that tokio started:
//!
//! ```
//! use kumi_core::task::SpawnExt;
//! use kumi_tokio::Tokio;
//!
//! #[tokio::main(flavor = "current_thread")]
//! async fn main() {
//!     let rt = Tokio::current().expect("tokio runs");
//!     assert_eq!(rt.spawn(async { 42 }).await.unwrap(), 42);
//! }
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

#[cfg(unix)]
mod io;
mod local;
mod runtime;
mod sleep;

#[cfg(unix)]
pub use io::TokioIo;
pub use runtime::Tokio;
pub use sleep::TokioSleep;
