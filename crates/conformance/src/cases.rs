//! The cases, one file per subject; the first line of each case is the clause that it checks.
//!
//! The clauses themselves stand in [`kumi_core::runtime`] and [`kumi_core::task`].
//! An `async` case runs inside the `block_on` of a fresh runtime; one that takes [`Fresh`] starts and
//! ends runtimes itself.
//!
//! Cases lean on nothing but the contract: no order of tasks is assumed, a task may be polled once too
//! often, and no upper bound of real time is asserted.
//!
//! [`Fresh`]: crate::Fresh

pub mod algebra;
pub mod ambient;
pub mod as_completed;
pub mod block_on;
pub mod blocking;
pub mod bracket;
pub mod cancel;
pub mod channels;
pub mod checkpoint;
pub mod clock;
pub mod deadline;
pub mod debug_mode;
pub mod drop;
pub mod erased;
#[cfg(unix)]
pub mod erased_io;
pub mod exit_stack;
pub mod for_each;
pub mod gather;
pub mod gather_wakes;
pub mod group;
pub mod group_cancel;
pub mod in_flight;
pub mod inplace;
#[cfg(unix)]
pub mod io;
pub mod join;
pub mod limit;
pub mod live;
pub mod local;
pub mod locals;
#[cfg(unix)]
pub mod net;
#[cfg(unix)]
pub mod net_faults;
#[cfg(unix)]
pub mod net_options;
#[cfg(unix)]
pub mod net_udp;
#[cfg(unix)]
pub mod net_unix;
pub mod one_by_one;
pub mod panic;
pub mod panics;
pub mod programs;
pub mod race;
pub mod race_ok;
#[cfg(unix)]
pub mod readiness;
pub mod regions;
pub mod run;
pub mod scope;
pub mod shield;
pub mod shutdown;
pub mod spawn;
pub mod spawned;
pub mod spawned_cancel;
pub mod start;
pub mod threads;
pub mod timeout;
pub mod told;
pub mod try_gather;
pub mod uncancellable;
pub mod wait;
pub mod wake;
