//! The core of Kumi: the contract between runtimes and everything that runs on them.
//!
//! | to | start at |
//! |---|---|
//! | write a library for any runtime | [`runtime::Runtime`], [`task::SpawnExt`] |
//! | write a backend | the clauses in [`runtime`] |
//! | know what cancel, join and drop mean | [`task`] |
//! | run futures together, in place or as tasks | [`combine`], [`spawned`] |
//! | hand values from task to task | [`channel`] |
//! | use sockets on any runtime | [`net`] |
//! | have a pool of threads that may block | [`blocking`] |
//! | write an application | the crate `kumi`, which chooses a backend and adds ambient functions |
//!
//! # Example
//!
//! A library function that runs on every backend:
//!
//! ```
//! use std::time::Duration;
//! use kumi_core::combine::timeout;
//! use kumi_core::runtime::{Clock, Runtime};
//! use kumi_core::task::SpawnExt;
//!
//! async fn answer<R: Runtime>(rt: &R) -> Option<u32> {
//!     let slow = rt.clone();
//!     let task = rt.spawn(async move {
//!         slow.sleep(Duration::from_secs(1)).await;
//!         42
//!     });
//!     timeout(rt, Duration::from_secs(2), task).await.ok()?.ok()
//! }
//!
//! let sim = kumi_sim::Sim::new();
//! assert_eq!(sim.block_on(answer(&*sim)), Some(42));
//! ```
//!
//! # Layers
//!
//! `runtime`, `context`, `report`, `util` know nothing above them; then come `net`, `combine`, `task`
//! and `run`, each importing only from below.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod blocking;
pub mod cancel;
pub mod channel;
pub mod cleanup;
pub mod combine;
pub mod context;
pub mod debug;
pub mod group;
mod loom;
#[cfg(unix)]
pub mod net;
pub mod report;
pub mod run;
pub mod runtime;
pub mod spawned;
pub mod task;
pub mod util;
