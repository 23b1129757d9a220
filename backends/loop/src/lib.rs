//! Kumi's own event loop: one thread, a queue of ready tasks, timers, and readiness from the kernel.
//!
//! [`Loop`] is the handle (cheap to clone, usable on any thread), [`Loop::new`] makes the loop and
//! returns its owner. Most programs use it through the crate `kumi`, whose default it is.
//!
//! # One turn
//!
//! ```text
//!   ┌─▶ main, if it was woken ─▶ jobs that are ready ─▶ timers that are due ─▶ the kernel ─┐
//!   │      (one poll)            (the batch that stood   (in the order in      (does not   │
//!   │                            at its start; batches    which they are due)   wait if    │
//!   │                            until TURN_TIME is                             anything   │
//!   │                            over or TURN_JOBS ran)                         is ready)  │
//!   └──────────────────────────────────────────────────────────────────────────────────────┘
//! ```
//!
//! So a task that wakes itself for ever delays other tasks by one batch (at most [`CLOCK_JOBS`] jobs),
//! and timers and I/O by [`TURN_TIME`] and a batch, or [`TURN_JOBS`] jobs if that is less.
//!
//! # Reading order
//!
//! If event loops are new to you, begin with [`from_scratch`]: it builds one in twenty lines, and leads from
//! there to this one.
//!
//! `turn` (the loop itself), `here` (what belongs to the thread that drives it) and its table `live`,
//! `shared` (what other threads may touch), `sleep` (how they interrupt its sleep), `timers` and its wheel,
//! `io`, [`guest`] (a loop inside of another one), [`loop_pool`] (one loop per core), [`asyncio`]
//! (callbacks, promises, `stop`: what programs that come from there expect). The threads for blocking closures are core's
//! [`BlockingPool`](kumi_core::blocking::BlockingPool).
//!
//! # What ends what
//!
//! The loop belongs to the first thread that drives it ([`Runtime::block_on`]) or spawns a local task
//! on it; other threads may do everything else. Tasks run only while it is driven, and stay across
//! drives. [`Runtime::shutdown`], which the owner calls when it is dropped, drops all tasks, wakes
//! everybody who waits for a descriptor with an error, and closes the queue: what is spawned later is
//! dropped at once.
//!
//! # Examples
//!
//! ```
//! use std::time::Duration;
//! use kumi_core::runtime::{Clock, Runtime};
//! use kumi_core::task::SpawnExt;
//! use kumi_loop::Loop;
//!
//! let lp = Loop::new()?;
//! let sum = lp.block_on(async {
//!     let a = lp.spawn(async { 20 });
//!     lp.sleep(Duration::from_millis(1)).await;
//!     a.await.unwrap() + 22
//! });
//! assert_eq!(sum, 42);
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! [`Runtime::block_on`]: kumi_core::runtime::Runtime::block_on
//! [`Runtime::shutdown`]: kumi_core::runtime::Runtime::shutdown
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

pub mod asyncio;
pub mod from_scratch;
pub mod guest;
mod handle;
mod here;
mod io;
mod live;
mod loom;
pub mod loop_pool;
mod quiet;
mod shared;
mod sleep;
mod timers;
mod turn;

pub use guest::Guest;
pub use handle::{Builder, Loop};
pub use io::LoopIo;
pub use loop_pool::LoopPool;
pub use timers::LoopSleep;
pub use turn::{CLOCK_JOBS, TURN_JOBS, TURN_TIME, TurnEnd};

/// What the models in `tests/loom/` reach.
#[cfg(loom)]
#[doc(hidden)]
pub mod model {
    pub use crate::sleep::{Sleep, Waits};
}
