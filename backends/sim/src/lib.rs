//! Kumi's deterministic simulator: one thread, virtual time, and an order of running that a seed
//! decides.
//!
//! [`Sim`] is a runtime like any other, so the program under test is unchanged. Time moves only when
//! nothing can run, and then at once to the next timer: an hour of sleeping costs nothing. With
//! [`Schedule::Random`] every choice of what runs next is drawn from a seed, so one test explores many
//! interleavings, and a failing one can be run again, step for step.
//!
//! ```
//! use std::time::Duration;
//! use kumi_core::runtime::{Clock, Runtime};
//! use kumi_sim::Sim;
//!
//! let sim = Sim::new();
//! let start = sim.now();
//! sim.block_on(sim.sleep(Duration::from_secs(3600)));
//! assert_eq!(sim.now() - start, Duration::from_secs(3600));
//! ```
//!
//! # Exploring
//!
//! ```
//! use kumi_core::runtime::Runtime;
//! use kumi_core::task::SpawnExt;
//!
//! kumi_sim::explore(0..64, |sim| {
//!     let (a, b) = (sim.spawn(async { 1 }), sim.spawn(async { 2 }));
//!     let sum = sim.block_on(async { a.await.unwrap() + b.await.unwrap() });
//!     assert_eq!(sum, 3);
//! });
//! ```
//!
//! # What it is not
//!
//! It has no I/O: that it does not implement `Io` is a compile error for code that needs sockets.
//! A blocking closure runs on the simulator's own thread, as one step, while virtual time stands
//! still; so a closure that waits for another closure waits for ever.
//! Threads that the test starts itself are outside of the simulation: see [`Builder::patience`].
//!
//! # What ends what
//!
//! Tasks run only inside `block_on`, by the thread that first called it, and stay across calls. When
//! nothing can run and no timer is set, while the future of `block_on` is pending, `block_on` panics
//! with a report that names every task that waits and where it was spawned.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod drive;
mod explore;
mod handle;
mod schedule;
mod sleep;
mod world;

pub use explore::explore;
pub use handle::{Builder, Sim};
pub use schedule::{ParseTraceError, Schedule, Trace};
pub use sleep::SimSleep;
