//! Loom models of what those who push jobs and those who run them agree on through atomics.
//!
//! They run with `RUSTFLAGS="--cfg loom" cargo test -p kumi-smol --release --test loom`; without the flag there is
//! nothing here.
//! `loom/teeth.txt` lists, for every model, a fault that it must notice.
#![cfg(loom)]

#[path = "loom/ready.rs"]
mod ready;
