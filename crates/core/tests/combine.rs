//! The combinators over several futures, polled by hand: order, shapes, polls, drops, panics.

#[path = "combine/elsewhere.rs"]
mod elsewhere;
#[path = "combine/ends.rs"]
mod ends;
#[path = "combine/gather.rs"]
mod gather;
#[path = "combine/shapes.rs"]
mod shapes;
#[path = "combine/streams.rs"]
mod streams;
#[path = "combine/support.rs"]
mod support;
#[path = "combine/timeout.rs"]
mod timeout;
#[path = "combine/unwind.rs"]
mod unwind;
#[path = "combine/wakes.rs"]
mod wakes;
