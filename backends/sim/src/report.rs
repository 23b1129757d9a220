//! The texts of a `block_on` that cannot go on: deadlock and livelock.

use std::collections::BTreeSet;
use std::fmt::{self, Write};

use kumi_core::debug;

use crate::handle::Sim;
use crate::state::Ready;

/// Nothing can ever happen again.
pub(crate) fn deadlock(sim: &Sim) -> String {
    let shared = &*sim.shared;
    let patience = shared.limits.patience;
    let endless = shared.lock().time.endless();
    let mut text = String::from("deadlock: nothing can run, no timer is set");
    if endless > 0 {
        text.push_str(" that will ever be due");
    }
    if !patience.is_zero() {
        let waited = format_args!("no other thread woke anything for {patience:?}");
        add(&mut text, waited);
    }
    list(&mut text, sim);
    text
}

/// A limit was set, and main is not done after so many steps.
pub(crate) fn livelock(sim: &Sim, steps: u64) -> String {
    let mut text = format!("livelock: `block_on` has taken {steps} steps, and main is not done");
    list(&mut text, sim);
    text
}

/// One line for main and for each live task, in the order in which they were spawned; in debug mode each
/// below the one that spawned it, with what it waits for.
fn list(text: &mut String, sim: &Sim) {
    let shared = &*sim.shared;
    let state = shared.lock();
    let ready: BTreeSet<u32> = state.ready.iter().filter_map(key).collect();
    let main_ready = state.main_ready;
    let closed = state.closed;
    let tasks = state.live.in_order();
    drop(state);
    if closed {
        add(text, format_args!("the simulator was shut down"));
    }
    let tree = debug::is_debug().then(|| debug::tasks(sim));
    if tree
        .as_ref()
        .is_none_or(|tree| tree.main_waits_for().is_empty())
    {
        let main = if main_ready { "ready" } else { "waiting" };
        add(text, format_args!("main is {main}"));
    }
    if let Some(tree) = tree {
        let lines = tree.to_string();
        return lines
            .lines()
            .for_each(|line| add(text, format_args!("{line}")));
    }
    for (key, task) in tasks {
        let ready = if ready.contains(&key) { " (ready)" } else { "" };
        add(text, format_args!("{}{ready}", task.info()));
    }
}

fn key(ready: &Ready) -> Option<u32> {
    match ready {
        Ready::Main => None,
        Ready::Job(job) => Some(job.tag()),
        Ready::Blocking(key, _) => Some(*key),
    }
}

fn add(text: &mut String, line: fmt::Arguments<'_>) {
    write!(text, "\n  {line}").expect("a string takes every text");
}
