//! `cargo x tsan`: memory that two threads touch with no order between them, one of them to write
//! (ThreadSanitizer).
//!
//! It has to see every access and every atomic operation, also those of the standard library, which is therefore
//! built from its source as our own code is.
//!
//! Two things give an order of which it does not know. One is `atomic::fence`: nothing of ours has one, and
//! those of `concurrent-queue`, `event-listener` and `piper` only order what is atomic by itself. The other is a
//! second descriptor of one epoll instance, which it is told of (`dup.c`).

use super::teeth::Tooth;
use super::{Build, Sanitizer};

pub(crate) const THREAD: Sanitizer = Sanitizer {
    step: "tsan",
    name: "thread",
    options: ("TSAN_OPTIONS", "halt_on_error=0"),
    reports: &[
        "WARNING: ThreadSanitizer",
        "ERROR: ThreadSanitizer",
        "FATAL: ThreadSanitizer",
    ],
    // What is not ours is optimised, for time.
    args: &[
        "-Zbuild-std",
        "--config",
        r#"profile.dev.package."*".opt-level=1"#,
    ],
    preload: Some(("dup.so", include_str!("dup.c"))),
    builds: &BUILDS,
    left_out: &LEFT_OUT,
    // A tenth: they have one thread.
    rounds: &[("KUMI_CHANNEL", "400")],
    teeth: &TEETH,
};

/// Whatever has threads.
const BUILDS: [Build; 1] = [Build {
    packages: &[
        "kumi-core",
        "kumi",
        "kumi-hyper",
        "kumi-loop",
        "kumi-tokio",
        "kumi-smol",
    ],
    debug_assertions: true,
}];

/// The sanitizer keeps a signal back until the thread that got it calls a function that the sanitizer knows. A
/// signal to the process goes to its main thread, and that of a test program is in a `futex` until its tests end.
const LEFT_OUT: [(&str, &str, &str); 1] = [("crates/kumi", "processes", "ctrl_c")];

/// An order that is missing where a task ends, where its last reference goes, where a lock is freed, and where
/// another thread wakes a task of a loop.
const TEETH: [Tooth; 4] = [
    Tooth {
        fault: "complete_relaxed",
        program: ("crates/core", "blocking"),
        tests: "",
        report: RACE,
    },
    Tooth {
        fault: "drop_ref_relaxed",
        program: ("crates/core", "blocking"),
        tests: "",
        report: RACE,
    },
    Tooth {
        fault: "lock_is_freed_too_early",
        program: ("crates/core", "kumi_core"),
        tests: "one_at_a_time",
        report: RACE,
    },
    Tooth {
        fault: "push_relaxed",
        program: ("backends/loop", "it"),
        tests: "",
        report: RACE,
    },
];

const RACE: &str = "data race";
