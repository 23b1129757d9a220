//! The engine of every combinator over several futures: it polls the children that were woken.
//!
//! | file | subject |
//! |---|---|
//! | `block` | the shared record: a slot per child, the queues of the woken, the parent's waker |
//! | `waker` | wakers of children: pointers into the block; the first round, which does without |
//! | `pool` | children from a source, whose outputs are given out one by one |
//! | `supply` | the source, and the places of its children |
//! | `children` | the futures, their outputs, and the poll |
//! | `shape` | how a container's children and outputs lie in memory |
//!
//! # Shape
//!
//! A [`Set`] owns its children and the places for their outputs, side by side: in the `Vec` that was
//! given and one more, or inside of itself if they are arrays. Children never move once polled. The
//! *block* is one allocation with reference counting, made when the first child is pending or clones
//! its waker: children that are ready at once cost no block. It has one slot for each child; the
//! waker of a child is a pointer to its slot, and counts for the block, not for the child.
//!
//! # Who ends what
//!
//! - The set alone polls and drops children. One is dropped as soon as it is ready, and never polled
//!   again; the rest when the set is dropped.
//! - The set *closes* the block when it ends: wakes do nothing from then on, and the parent's waker
//!   goes. The memory goes with the last waker.
//! - What a child returned belongs to the set until it hands all of it out together; the
//!   first output that decides (an error of `try_gather`, the winner of `race`) is given out at once,
//!   and the outputs so far are dropped.
//!
//! # Invariants
//!
//! 1. The first round polls all children in order. After it, a child is polled only if it was woken
//!    since its last poll, in the order of the wakes.
//! 2. A poll of the set polls those that were woken before it began. What is woken meanwhile waits for
//!    the next poll, for which the parent is woken once: so a child that yields gives way to
//!    the whole program. The budget of the task ends a poll early, but never before one child
//!    was polled: so however deep sets are nested, each poll makes progress.
//! 3. From outside, only the wake that finds nobody waiting wakes the parent.
//! 4. No waker is woken, cloned or dropped, and no child is polled or dropped, while the queues are
//!    half changed. A panic of a child, or of a waker, leaves a set that can be dropped, and that
//!    says so when it is polled again.

mod block;
mod children;
mod parent;
mod pool;
mod shape;
mod supply;
mod turn;
mod waker;

pub use children::Set;
pub(super) use pool::{End, Finished, Pool, Then, Turns};
pub use shape::{Boxed, Heap, Inline, Room, Shape};
