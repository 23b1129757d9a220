//! Regions: code whose clean-up is awaited when it is cancelled.
//!
//! | to | use |
//! |---|---|
//! | run something after a future, however it ends | [`finally`] |
//! | run something only if a future is cancelled | [`on_cancel`] |
//! | acquire, use, release (`async with`) | [`bracket`] |
//! | collect releases while code goes on | [`ExitStack`] |
//! | keep a future from being cut | [`uncancellable`] |
//!
//! # How a region ends
//!
//! ```text
//!            the body returns, panics, or is cancelled and nothing in it is alive any more
//!   body ─────────────────────────────────────────────────────────────────▶ clean-up ──▶ the outcome
//!     │                                                                        │
//!     └──────────────── the region's future is dropped (the hard way) ─────────┘
//!                  `bracket`, `ExitStack`: the release goes to the runtime
//!                  `finally`, `on_cancel`: the loss is reported
//! ```
//!
//! # Invariants
//!
//! 1. From its first poll until its clean-up has ended a region is counted as alive in the scopes around
//!    it, so none of them drops it.
//! 2. The body is dropped before the clean-up begins. Inner regions clean up before outer ones.
//! 3. A clean-up is shielded: the cancel in force around it is not seen inside; its own timeouts and
//!    scopes work.
//! 4. A panic of a clean-up skips no other: the regions around it clean up, and then it goes on. Of
//!    several panics the first goes on, the others are [reported](crate::report).
//! 5. A region that is cancelled resolves never; the scope that was cancelled drops it.
//! 6. A region begins in a cancelled scope as well, so that what was acquired before it is released.
//!    Only [`uncancellable`] does not: it is a point at which a cancel takes effect.

mod bracket;
mod exit_stack;
mod output;
mod region;
mod uncancellable;

pub use bracket::bracket;
pub use exit_stack::{ExitErrors, ExitFailed, ExitStack};
pub use output::CleanUpOutput;
pub use region::{Finally, OnCancel, finally, on_cancel};
pub use uncancellable::{Uncancellable, uncancellable};
