//! Loom models of what the loop's threads agree on through atomics.
//!
//! Each test explores every interleaving (within its bound) of a few operations that race in a running
//! program. They run with `RUSTFLAGS="--cfg loom" cargo test -p kumi-loop --release --test loom`; without
//! the flag there is nothing here.
//! `loom/teeth.txt` lists, for every model, a fault that it must notice.
#![cfg(loom)]

#[path = "loom/sleep.rs"]
mod sleep;
#[path = "loom/support.rs"]
mod support;
#[path = "loom/timers.rs"]
mod timers;
