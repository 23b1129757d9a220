//! Task groups: tasks that end before the code that started them goes on.
//!
//! | to | use |
//! |---|---|
//! | run children as tasks (parallel, `Send + 'static`) | [`task_group`], [`TaskGroup`] |
//! | limit, supervise | [`GroupBuilder`] |
//! | run children in place (they may borrow, need not be `Send`) | [`scope`], [`scope_send`] |
//!
//! # What ends what
//!
//! ```text
//!   body ──────────────┐ returns, fails, panics, or is cancelled and dropped
//!   children ──────────┤ each ends: future gone, output stored, no longer listed
//!   background ────────┤ cancelled once the body and the children have ended
//!                      ▼
//!                the group resolves
//! ```
//!
//! # Invariants
//!
//! 1. A group resolves only when its body is gone and every child has ended, whatever happened. A group
//!    that is dropped instead (the hard way) cancels its children; they clean up, and the runtime
//!    waits for them at the end of the run.
//! 2. The first error or panic of a child or of the body cancels the group: the siblings and the body.
//!    A child that was cancelled by itself is no failure.
//! 3. Of what a group has to say the most urgent is said: a panic goes on; else the errors, in the
//!    order in which they came; else the value of the body; else that the group was cancelled.
//!    If a cancel from outside is in force, and there is neither panic, error nor value, the group never
//!    resolves, like any cancelled region.
//! 4. A group is a region: the scopes around it wait for it. Its children are cancelled with it, at
//!    once, however deep.
//! 5. Nothing of a child that has ended is kept.
//!
//! (asyncio's and AnyIO's `TaskGroup`, Trio's nursery.)

mod child;
mod error;
mod future;
mod inplace;
mod shared;
mod start;

pub use child::{ChildBuilder, ChildError, ChildHandle};
pub use error::{Closed, Failure, GroupError};
pub use future::{GroupBuilder, task_group};
pub use inplace::{Scope, ScopeHandle, ScopeSend, scope, scope_send};
pub use shared::TaskGroup;
pub use start::{Start, StartError, Started};
