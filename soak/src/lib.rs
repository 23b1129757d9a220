//! Long runs over Kumi's public API: do they give back everything that they took?
//!
//! # Programs
//!
//! `soak` runs the four parts below on one backend. `faulty` is a small client and server that is run
//! while its system calls fail, and while the clock lies; `cargo x soak` and `cargo x faults` start them.
//!
//! | part | what it does |
//! |---|---|
//! | [`tasks`] | spawns very many tasks in one group, lets each yield, joins them; and cancels as many |
//! | [`timers`] | arms very many timers, moves a half, drops a half, and looks at the order of the rest |
//! | [`connections`] | holds very many connections to a server in another process; opens and closes many more |
//! | [`channels`] | sends very many messages through small and large channels, and gives up waits meanwhile |
//!
//! # What must stay true
//!
//! 1. Each part first warms up in the same way, so that whatever is kept for the next time (tables,
//!    recycled memory, threads) is there. After that, a round ends with the bytes of the allocator and with
//!    the number of descriptors with which it began ([`gauge`]).
//! 2. Nothing that was counted is off by one: every task is joined or cancelled, every timer that is left
//!    fires once, every byte is echoed, every message arrives once.
//! 3. A check that fails is remembered, said in one line, and makes the exit code 1; the other parts run all
//!    the same ([`report`]).
//!
//! # What ends what
//!
//! Each part has a runtime of its own, which ends with it; that, too, gives everything back. The server of
//! `connections` is a child process, and ends when its standard input does, so it never outlives the part.

#![forbid(unsafe_code)]
#![allow(
    clippy::print_stdout,
    reason = "a command-line tool reports on standard output"
)]

pub mod channels;
pub mod connections;
pub mod gauge;
pub mod report;
pub mod tasks;
pub mod timers;

use std::alloc::System;

use cap::Cap;

/// Counts the bytes that are allocated.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);
