//! Combinators: futures made of futures.
//!
//! Free functions work in place: children are polled by the awaiting task, may borrow, and need not
//! be `Send`. This is the place of [`timeout`] and [`yield_now`], and of every operation over
//! several futures; what a runtime can do better by itself (spawned forms) belongs to a trait over
//! [`Runtime`](crate::runtime::Runtime) beside them.

mod container;
mod decide;
mod gather;
mod policy;
mod race;
pub mod set;
mod timeout;
mod try_gather;
pub mod tuple;
mod yield_now;

pub use container::{Container, Iter};
pub use gather::{Gather, gather};
pub use policy::{All, Body, First, FirstOk, Named, NoErr, Policy};
pub use race::{Race, RaceError, RaceOk, race, race_ok};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use try_gather::{TryGather, try_gather};
pub use yield_now::{YieldNow, yield_now};
