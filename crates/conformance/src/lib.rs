//! The suite that certifies a backend: one test for each clause of the contract.
//!
//! Whoever implements [`Runtime`](kumi_core::runtime::Runtime) adds this crate as a dev-dependency
//! and writes one file, `tests/conformance.rs`:
//!
//! ```
//! # use kumi_sim::Sim as MyRuntime;
//! kumi_conformance::suite!(mod my_runtime, MyRuntime::new);
//! # fn main() {}
//! ```
//!
//! [`suite!`] is for every runtime, [`local_suite!`] for one that implements
//! [`SpawnLocal`](kumi_core::runtime::SpawnLocal), [`io_suite!`] for one that implements
//! [`Io`](kumi_core::runtime::Io). Each expands to a module with one `#[test]` per case, so the usual
//! filters work: `cargo test --test conformance cancel::`.
//!
//! A runtime that cannot do everything, or a simulator that has a seed, implements [`Harness`]:
//!
//! ```
//! # use kumi_sim::Sim as MyRuntime;
//! use kumi_conformance::{Capability, Harness};
//! use kumi_core::runtime::Owned;
//!
//! struct Mine;
//!
//! impl Harness for Mine {
//!     type Runtime = MyRuntime;
//!
//!     fn fresh(&self, _round: u64) -> Owned<MyRuntime> {
//!         MyRuntime::new()
//!     }
//!
//!     fn lacks(&self) -> &[Capability] {
//!         &[
//!             Capability::ForeignThreads,
//!             Capability::ParallelBlocking,
//!             Capability::ParallelTasks,
//!         ]
//!     }
//! }
//!
//! kumi_conformance::suite!(mod my_runtime, Mine);
//! # fn main() {}
//! ```
//!
//! # Cancel at every await
//!
//! [`everywhere`] runs a scenario again and again and ends it at each of its awaits, in every way, and
//! looks whether anything is left behind. [`everywhere_suite!`] does it with the scenarios of this
//! crate, on a backend; [`Everywhere`](everywhere::Everywhere) with code of your own.
//!
//! # What a failure says
//!
//! The first line of a case's docs in [`cases`] is the clause that was broken.
//! A case of which a round has not ended after thirty seconds fails by its name; a lost wake-up looks
//! like that.
//! With several [rounds](Harness::rounds), the failing one is named, so that a seed can be replayed.
//!
//! # What the suite does to its process
//!
//! It takes the hook of [`kumi_core::report`] over, to read what core reports about its tasks.
//! Cases run beside each other, as `#[test]`s do; each has a runtime of its own.
#![forbid(unsafe_code)]

pub mod cases;
mod check;
pub mod everywhere;
mod expand;
#[doc(hidden)]
pub mod forms;
mod harness;
mod probe;
mod reports;
#[doc(hidden)]
pub mod seeds;
mod suite;

/// What the suites demand of a runtime; for the macros.
#[doc(hidden)]
pub mod bounds {
    #[cfg(unix)]
    pub use kumi_core::runtime::Io;
    pub use kumi_core::runtime::{Runtime, SpawnLocal};
}

pub use check::{Fresh, check, run};
pub use harness::{Capability, Harness};
