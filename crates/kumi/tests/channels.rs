//! Channels and queues, poll by poll; and which ends may go to other threads.
//!
//! No runtime is needed, so no backend is.

#[path = "channels/bounded.rs"]
mod bounded;
#[path = "channels/broadcast.rs"]
mod broadcast;
#[path = "sync/hand.rs"]
mod hand;
#[macro_use]
#[path = "channels/is.rs"]
mod is;
#[path = "channels/oneshot.rs"]
mod oneshot;
#[path = "channels/queue.rs"]
mod queue;
#[path = "channels/scopes.rs"]
mod scopes;
#[path = "channels/threads.rs"]
mod threads;
#[path = "channels/traits.rs"]
mod traits;
#[path = "channels/watch.rs"]
mod watch;

use hand::{Hand, now};
