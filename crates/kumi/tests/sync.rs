//! Locks, permits, events and barriers, poll by poll: the facts of asyncio's and Trio's that `kumi::sync` keeps,
//! also of those types that come from elsewhere.
//!
//! No runtime is needed, so no backend is: futures are polled by hand.

#[path = "sync/barrier.rs"]
mod barrier;
#[path = "sync/condition.rs"]
mod condition;
#[path = "sync/event.rs"]
mod event;
#[path = "sync/hand.rs"]
mod hand;
#[macro_use]
#[path = "channels/is.rs"]
mod is;
#[path = "sync/limiter.rs"]
mod limiter;
#[path = "sync/lock.rs"]
mod lock;
#[path = "sync/scopes.rs"]
mod scopes;
#[path = "sync/semaphore.rs"]
mod semaphore;
#[path = "sync/traits.rs"]
mod traits;

use hand::{Hand, now};
