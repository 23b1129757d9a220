//! Combinators: futures made of futures.
//!
//! Free functions work in place: children are polled by the awaiting task, may borrow, and need not
//! be `Send`.
//!
//! | to get | use |
//! |---|---|
//! | all outputs, in order | [`gather`] |
//! | all values, or the first error | [`try_gather`] |
//! | the first output | [`race`] |
//! | the first success, or all errors | [`race_ok`] |
//!
//! Each takes tuples, arrays, `Vec`, `Box<[F]>` and iterators ([`Container`]). The last three cancel
//! the others when one decides, and return when their clean-ups have ended. They are a container of
//! futures, a [`Policy`] that judges their outputs, and, but for `gather`, one scope; [`set`] is the engine.
//!
//! This is the place of [`timeout`] and [`yield_now`], and of every operation over
//! several futures; what a runtime can do better by itself (spawned forms) belongs to a trait over
//! [`Runtime`](crate::runtime::Runtime) beside them.

mod as_completed;
mod container;
mod decide;
mod each;
mod either;
mod gather;
mod limit;
mod policy;
mod race;
pub mod set;
pub mod source;
mod timeout;
mod try_gather;
pub mod tuple;
mod wait;
mod yield_now;

pub use as_completed::{AsCompleted, Indexed, Next, as_completed};
pub use container::{Container, Iter};
pub use each::{Fallible, ForEach, LoopBody, Plain, PlainRun, TryForEach};
pub use either::Either;
pub use gather::{Gather, gather};
pub(crate) use limit::BEGUN;
pub use limit::{Few, InFlight, Limited, Unbegun, limited};
pub use policy::{All, Body, First, FirstOk, Named, NoErr, Policy};
pub use race::{Race, RaceError, RaceOk, race, race_ok};
pub use timeout::{Elapsed, Timeout, timeout, timeout_at};
pub use try_gather::{TryGather, try_gather};
pub use wait::{
    AllCompleted, FirstCompleted, FirstError, Members, Pending, ReturnWhen, Wait, Waiting, When,
    wait,
};
pub use yield_now::{YieldNow, yield_now};
