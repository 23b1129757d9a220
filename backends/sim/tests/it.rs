//! The public behaviour of the simulator, one file per subject.

#[path = "it/blocking.rs"]
mod blocking;
#[path = "it/deadlock.rs"]
mod deadlock;
#[path = "it/explore.rs"]
mod explore;
#[path = "it/live.rs"]
mod live;
#[path = "it/local.rs"]
mod local;
#[path = "it/probe.rs"]
mod probe;
#[path = "it/schedule.rs"]
mod schedule;
#[path = "it/shutdown.rs"]
mod shutdown;
#[path = "it/sleep.rs"]
mod sleep;
#[path = "it/threads.rs"]
mod threads;
#[path = "it/time.rs"]
mod time;
