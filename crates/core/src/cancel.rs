//! Cancellation: scopes, what is asked of them, and what is in force.
//!
//! Cancelling is a request. It is made of a *scope*: a task, a [`CancelScope`], a
//! [`timeout`](crate::combine::timeout), a group. A scope that is asked to end is polled once more with
//! that knowledge; if its body returns a value, the value wins. Otherwise the regions alive in it
//! (`finally`, `bracket`, ...) clean up, from the inside out, then the body is dropped, and the
//! scope resolves. Code after the await that was cancelled never runs, so a cancel cannot be
//! swallowed.
//!
//! | to | use |
//! |---|---|
//! | cancel a part of a task | [`CancelScope`], [`CancelHandle`] |
//! | ask whether a cancel is wanted | [`cancel_requested`], [`cancelled`] |
//! | give way, and be cancellable there | [`checkpoint`] |
//! | make a primitive of one's own cancellable and fair | [`poll_checkpoint`] |
//!
//! # Invariants
//!
//! 1. Whether a cancel is in force is decided from the outside in, in each poll: it is if the scope
//!    itself was asked to end, or if it is in force around the scope and no wall is between.
//! 2. A scope resolves as cancelled only if it was itself asked to end and no cancel is in force
//!    around it. So of two nested scopes that are both to end only the outer one reports, and
//!    the code between them does not run.
//! 3. A scope drops a pending body only when no region is alive in it, or when the grace period is
//!    over.
//! 4. A request cannot be taken back; the first reason stays.
//!
//! The model is that of Trio's and AnyIO's cancel scopes; what differs is that a cancel is no
//! exception that code could catch.

mod check;
mod clock;
mod poll;
mod scope;

pub use crate::context::CancelReason;
pub use check::{
    Checkpoint, WaitCancelled, cancel_requested, cancelled, checkpoint, effective_deadline,
    poll_checkpoint,
};
pub(crate) use clock::AmbientSleep;
pub(crate) use poll::{Alarms, Ended, ScopeState};
pub use scope::{CancelHandle, CancelScope, Cancelled, ScopeEnded, Scoped};
