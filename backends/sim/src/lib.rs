//! Kumi in a deterministic simulator: for tests of concurrent code.
//!
//! [`Sim`] is the runtime's handle; [`Sim::new`] makes one and returns its owner.
//! It has the same traits as every backend of Kumi but one: nothing outside can be simulated, so there is
//! no [`Io`](kumi_core::runtime::Io), and code that needs descriptors does not compile on it.
//!
//! | it gives | by |
//! |---|---|
//! | tests that wait for nothing | virtual time, which moves only when nothing can run |
//! | the same run again | one thread, and a seed or a [`Trace`] that decides who runs next |
//! | runs that real machines rarely show | [`Schedule::Random`], and [`explore`] over many seeds |
//! | a hang that explains itself | the deadlock report |
//!
//! # Examples
//!
//! An hour of sleeping costs nothing:
//!
//! ```
//! use std::time::Duration;
//! use kumi_core::runtime::{Clock, Runtime};
//! use kumi_core::task::SpawnExt;
//! use kumi_sim::Sim;
//!
//! let sim = Sim::new();
//! let clock = sim.handle();
//! let slept = sim.block_on(async {
//!     let start = sim.now();
//!     let task = sim.spawn(async move { clock.sleep(Duration::from_secs(3600)).await });
//!     task.await.unwrap();
//!     sim.now() - start
//! });
//! assert_eq!(slept, Duration::from_secs(3600));
//! ```
//!
//! A test under a hundred schedules; the seed and the trace of one that fails are printed:
//!
//! ```
//! use kumi_core::runtime::Runtime;
//! use kumi_core::task::SpawnExt;
//!
//! kumi_sim::explore(0..100, |sim| {
//!     let a = sim.spawn(async { 20 });
//!     let b = sim.spawn(async { 22 });
//!     let sum = sim.block_on(async { a.await.unwrap() + b.await.unwrap() });
//!     assert_eq!(sum, 42);
//! });
//! ```
//!
//! # Steps
//!
//! Everything that is ready waits in one queue: tasks, the future of `block_on` ("main"), and
//! blocking closures. A step takes one of them out, as the [`Schedule`] says, and runs it: one poll,
//! or the whole closure. Where more than one was ready, the choice is written into the [`Trace`].
//! Nothing else is left to chance: no thread, no real clock, no random hash takes part. So the same
//! program with the same schedule takes the same path, whatever else runs in the process.
//!
//! # Time
//!
//! [`Clock::now`](kumi_core::runtime::Clock::now) stands still while anything can run. When nothing
//! can, it jumps to the earliest deadline, and the sleeps that are due then are woken in the order in
//! which they were armed. Consequences:
//!
//! - A task that is always ready again stops time. [`Builder::max_steps`] turns that into a report.
//! - The clock ends thirty years after its start, where [`Duration::MAX`](std::time::Duration::MAX)
//!   reaches. A sleep until then, or longer, never ends; it does not keep a deadlock from being found.
//!
//! # Blocking closures
//!
//! They run inline, on the thread that drives the simulator, as a step like any other, so their order
//! is part of the schedule too. Time stands still meanwhile, and no task runs. So a closure that
//! waits for a task, or for another closure, never ends; and `block_on` of the same simulator inside
//! a closure panics.
//!
//! # Deadlocks
//!
//! If nothing is ready, no sleep is armed and main is not done, nothing can ever happen again.
//! `block_on` then panics, with the list of the tasks that are left and where they were spawned.
//! A program with threads of its own, which may still wake something, needs [`Builder::patience`],
//! and gives determinism up by it.
//!
//! # What ends what
//!
//! A simulator belongs to the first thread that drives it or spawns a local task on it; other threads
//! may do everything else. Tasks run only inside `block_on`, and stay across calls.
//! [`Runtime::shutdown`](kumi_core::runtime::Runtime::shutdown), which the owner calls when it is
//! dropped, drops all tasks and closes the queue: what is spawned later is dropped at once.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![forbid(unsafe_code)]

mod drive;
mod explore;
mod handle;
mod live;
mod report;
mod schedule;
mod sleep;
mod state;
mod time;
mod trace;

pub use explore::explore;
pub use handle::{Builder, Sim};
pub use schedule::Schedule;
pub use sleep::SimSleep;
pub use trace::{ParseTraceError, Trace};
