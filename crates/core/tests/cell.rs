//! Task cells by hand, without a backend: every order of what can happen to one.
//!
//! A job, a handle, a waker and a reference are used and dropped in every order up to a length, by one
//! thread. After each step the cell is compared with a small specification, and at the end everything
//! that was made must be gone, once: the future, the output, the wakers, the cell.
//! `KUMI_CELL_STEPS` sets the length; four takes a second, six some minutes.
//! The futures are ready, pending once, pending for ever, or panic: in a poll, in their destructor, in
//! that of their output, in that of what they panicked with.
//!
//! [`world`] has the cell and what holds it, [`spec`] what is to happen, [`probe`] the future;
//! [`misuse`] is about backends that break their contract, [`shapes`] about what is in front of a cell.

#[path = "cell/misuse.rs"]
mod misuse;
#[path = "cell/probe.rs"]
mod probe;
#[path = "cell/shapes.rs"]
mod shapes;
#[path = "cell/spec.rs"]
mod spec;
#[path = "cell/world.rs"]
mod world;

use std::sync::{Mutex, MutexGuard, PoisonError};

use probe::{Kind, Poll, quiet};
use spec::{Mode, Op, Spec};
use world::World;

/// Reports and panic hooks are the process's, so one test at a time.
#[allow(
    clippy::disallowed_methods,
    reason = "a lock of the test, not of what it tests"
)]
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let guard = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    quiet();
    guard
}

/// Prints what was being done when an assertion fails.
struct Trace<'a>(Kind, Mode, &'a [Op]);

impl Drop for Trace<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("after {:?} to {:?}, {:?}", self.2, self.0, self.1);
        }
    }
}

/// Does `ops`, comparing after each, then drops what is left.
fn run(kind: Kind, mode: Mode, ops: &[Op]) {
    let _trace = Trace(kind, mode, ops);
    let mut spec = Spec::new(kind, mode);
    let mut world = World::new(kind, mode);
    world.compare(&spec);
    for &op in ops {
        let expected = spec.step(op);
        let found = world.step(op);
        assert_eq!(found, expected, "the result of {op:?}");
        world.compare(&spec);
    }
    for op in spec.rest() {
        world.step(op);
        spec.step(op);
        world.compare(&spec);
    }
    world.finish(&spec);
}

/// Runs every sequence of `len` operations, and every shorter one after which nothing is left to do;
/// returns how many those were.
fn run_all(kind: Kind, mode: Mode, len: usize) -> usize {
    fn deeper(kind: Kind, mode: Mode, ops: &mut Vec<Op>, spec: &Spec, left: usize) -> usize {
        let mut ran = 0;
        if left > 0 {
            for op in spec.possible() {
                let mut spec = spec.clone();
                spec.step(op);
                ops.push(op);
                ran += deeper(kind, mode, ops, &spec, left - 1);
                ops.pop();
            }
        }
        if ran == 0 {
            run(kind, mode, ops);
            ran = 1;
        }
        ran
    }
    deeper(kind, mode, &mut Vec::new(), &Spec::new(kind, mode), len)
}

/// Runs every sequence for every kind of future.
fn every_kind(mode: Mode) {
    let _alone = alone();
    let len = std::env::var("KUMI_CELL_STEPS").map_or(4, |len| len.parse().expect("a number"));
    let ran: usize = Kind::all().map(|kind| run_all(kind, mode, len)).sum();
    assert!(ran > 10_000, "only {ran} sequences");
}

#[test]
fn every_order_of_a_job_that_is_run() {
    every_kind(Mode::Run);
}

#[test]
fn every_order_of_a_listed_job_that_is_run() {
    every_kind(Mode::Listed);
}

#[test]
fn every_order_of_a_job_that_a_host_polls() {
    every_kind(Mode::Hosted);
}

/// Longer sequences, for the future with the most to tell.
fn longer(mode: Mode) {
    let _alone = alone();
    let kind = Kind {
        polls: Poll::ReadySecond,
        keeps_waker: true,
        ..Kind::default()
    };
    assert!(run_all(kind, mode, 5) > 10_000);
}

#[test]
fn longer_orders_of_a_job_that_is_run() {
    longer(Mode::Run);
}

#[test]
fn longer_orders_of_a_job_that_a_host_polls() {
    longer(Mode::Hosted);
}
