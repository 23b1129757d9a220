//! Loom models of what core's threads agree on through atomics and locks: the task cell, the queues of
//! jobs, the table of live tasks, scopes, groups,
//! combinators whose children are tasks, channels, pools of threads, and the readiness of descriptors.
//!
//! Each test explores every interleaving (within its bound) of a few operations that race in a
//! running program, and checks what must hold in all of them: nobody misses a wake, a future and an
//! output are dropped once, a cell is freed once.
//! They run with `RUSTFLAGS="--cfg loom" cargo test -p kumi-core --release --test loom`; without the
//! flag there is nothing here.
//! `loom/teeth.txt` lists, for every model, a fault that it must notice.
#![cfg(loom)]

#[path = "loom/biased.rs"]
mod biased;
#[path = "loom/blocking.rs"]
mod blocking;
#[path = "loom/cancel.rs"]
mod cancel;
#[path = "loom/channel.rs"]
mod channel;
#[path = "loom/deadline.rs"]
mod deadline;
#[path = "loom/group.rs"]
mod group;
#[path = "loom/host.rs"]
mod host;
#[path = "loom/join.rs"]
mod join;
#[path = "loom/lock.rs"]
mod lock;
#[path = "loom/queue.rs"]
mod queue;
#[path = "loom/readiness.rs"]
mod readiness;
#[path = "loom/refs.rs"]
mod refs;
#[path = "loom/scope.rs"]
mod scope;
#[path = "loom/set.rs"]
mod set;
#[path = "loom/shield.rs"]
mod shield;
#[path = "loom/spawned.rs"]
mod spawned;
#[path = "loom/start.rs"]
mod start;
#[path = "loom/support.rs"]
mod support;
#[path = "loom/tasks.rs"]
mod tasks;
#[path = "loom/told.rs"]
mod told;
#[path = "loom/wake.rs"]
mod wake;
#[path = "loom/yields.rs"]
mod yields;
