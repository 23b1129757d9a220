//! The combinators over several futures, polled by hand: order, shapes, polls, drops, panics.

#[path = "combine/gather.rs"]
mod gather;
#[path = "combine/support.rs"]
mod support;
