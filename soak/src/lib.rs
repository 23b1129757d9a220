//! Long runs over Kumi's public API: do they give back everything that they took?
//!
//! # Programs
//!
//! `cargo x soak` starts `soak`, which runs four parts on one backend:
//!
//! | part | what it does |
//! |---|---|
//! | [`tasks`] | spawns very many tasks in one group, lets each yield, joins them; and cancels as many |
//! | [`timers`] | arms very many timers, moves a half, drops a half, and looks at the order of the rest |
//! | [`connections`] | holds very many connections to a server in another process; opens and closes many more |
//! | [`channels`] | sends very many messages through small and large channels, and gives up waits meanwhile |
//!
//! `cargo x faults` starts `faulty`, which is one of three small programs, each on one thread. They go on
//! whatever happens, and say what they have seen ([`facts`]); whether that is right, `cargo x faults` knows.
//!
//! | program | what is wrong with the system |
//! |---|---|
//! | [`echo`] | a system call fails |
//! | [`crowd`] | there are no descriptors left |
//! | [`clocks`] | the clock is fast, slow, or jumps |
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
pub mod clocks;
pub mod connections;
pub mod crowd;
pub mod echo;
pub mod facts;
pub mod gauge;
pub mod report;
pub mod tasks;
pub mod timers;

use std::alloc::System;
use std::future::Future;
use std::pin::Pin;

use cap::Cap;
use kumi::{Backend, BackendKind, Interrupted, Runner};

/// Counts the bytes that are allocated.
#[global_allocator]
static ALLOCATOR: Cap<System> = Cap::new(System, usize::MAX);

/// A main future of any kind.
///
/// It is boxed in this crate: a future that is handed out is compiled once more in every program.
type Main<'a> = Pin<Box<dyn Future<Output = ()> + 'a>>;

/// Runs `main` on a new runtime.
fn run(kind: BackendKind, main: Main<'_>) {
    let runtime = kind.build().expect("a runtime");
    run_on(&runtime, Runner::new(), main).expect("nobody interrupts this");
}

/// Runs `main` on a runtime; an error if Ctrl-C has ended it.
fn run_on(runtime: &Backend, runner: Runner, main: Main<'_>) -> Result<(), Interrupted> {
    runner.run(runtime, main)
}

/// Makes and ends a runtime: what a process then has, it keeps. The reactor's thread of smol is one such.
pub fn warm_up(kind: BackendKind) {
    run(kind, Box::pin(kumi::yield_now()));
}
