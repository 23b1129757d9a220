//! The interface of asyncio's loop, fact by fact: what asyncio's own tests pin down, said in Rust.
//!
//! The numbers are those of the facts: LP for the loop, FU for its futures. What cannot be is in the table
//! of `kumi_loop::asyncio`.

#[path = "asyncio/calls.rs"]
mod calls;
#[path = "asyncio/promise.rs"]
mod promise;
#[path = "asyncio/run.rs"]
mod run;
#[path = "asyncio/support.rs"]
mod support;
#[path = "asyncio/threads.rs"]
mod threads;
#[path = "asyncio/watch.rs"]
mod watch;
