//! `cargo x asan`: memory that is used after its end (of the heap, of a stack, of a call that returned) or beyond
//! its bounds, and memory that nobody frees (AddressSanitizer and LeakSanitizer).
//!
//! The standard library is the ordinary one: what it allocates, frees, copies and compares is seen all the same,
//! since the sanitizer has these functions' places.

use super::teeth::Tooth;
use super::{Build, Sanitizer};

pub(crate) const ADDRESS: Sanitizer = Sanitizer {
    step: "asan",
    name: "address",
    // Frames of the context are on stacks, so those of calls that have returned are kept for a while.
    options: (
        "ASAN_OPTIONS",
        "detect_leaks=1:detect_stack_use_after_return=1",
    ),
    reports: &["ERROR: AddressSanitizer", "ERROR: LeakSanitizer"],
    args: &[],
    preload: None,
    builds: &BUILDS,
    left_out: &[],
    // Of the seeds of the simulator, whose 64 would take half an hour.
    rounds: &[("KUMI_ROUNDS", "2")],
    teeth: &TEETH,
};

/// All files with `unsafe` are in core and in `kumi-hyper`, whose tests run on every backend. The conformance
/// suites of the own loop and of the simulator see besides that no task, frame or waker of a program is left.
///
/// With debug assertions each task's memory is freed for good, so that what is used after its end is seen. The
/// second build is as production is: there it is recycled (`task/recycle.rs`).
const BUILDS: [Build; 2] = [
    Build {
        packages: &["kumi-core", "kumi-hyper", "kumi-loop", "kumi-sim"],
        debug_assertions: true,
    },
    Build {
        packages: &["kumi-core"],
        debug_assertions: false,
    },
];

/// A wake makes a second job of a task that has one, and so gives back a reference too many; a set that has ended
/// takes another wake, or forgets the references that wakers have given it.
const TEETH: [Tooth; 3] = [
    Tooth {
        fault: "every_wake_schedules",
        program: ("backends/loop", "it"),
        tests: "guest::a_busy_task",
        report: "heap-use-after-free",
    },
    Tooth {
        fault: "closed_is_ignored",
        program: ("crates/core", "combine"),
        tests: "",
        report: LEAK,
    },
    Tooth {
        fault: "what_was_given_is_lost",
        program: ("crates/core", "combine"),
        tests: "",
        report: LEAK,
    },
];

const LEAK: &str = "detected memory leaks";
