//! What each backend can do, read off the traits that it implements.

use std::io;
use std::marker::PhantomData;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use kumi_core::runtime::{self as rt, Owned, Runtime};
use kumi_core::task::SpawnExt;
use kumi_report::data::Capability;

/// What all types have; see [`capability`].
trait Otherwise {
    const YES: bool = false;
}

/// A row of the matrix.
///
/// Asks the compiler whether a type implements a trait, and goes on either way: an associated constant of the
/// type itself, which is there only with the trait, is taken before that of a trait that all types have.
macro_rules! capability {
    ($name:literal, $about:literal, $($bound:tt)+) => {{
        struct Asked<T>(PhantomData<T>);
        impl<T> Otherwise for Asked<T> {}
        impl<T: $($bound)+> Asked<T> {
            const YES: bool = true;
        }
        row($name, $about, [
            <Asked<kumi_loop::Loop>>::YES,
            <Asked<kumi_tokio::Tokio>>::YES,
            <Asked<kumi_smol::Smol>>::YES,
            <Asked<kumi_sim::Sim>>::YES,
        ])
    }};
}

/// All rows: traits, then what only trying shows.
pub(crate) fn all() -> Vec<Capability> {
    vec![
        capability!("Spawn", "tasks, from any thread", rt::Spawn),
        capability!("SpawnLocal", "tasks that are not `Send`", rt::SpawnLocal),
        capability!(
            "SpawnBlocking",
            "threads for what blocks",
            rt::SpawnBlocking
        ),
        capability!("Clock", "sleeps and timeouts", rt::Clock),
        capability!("Io", "TCP, UDP, Unix sockets", rt::Io),
        capability!(
            "AsFd",
            "its loop can be driven by a foreign one",
            std::os::fd::AsRawFd
        ),
        row(
            "several threads",
            "tasks run at the same time",
            [
                meets(kumi_loop::Loop::new()),
                meets(kumi_tokio::Tokio::workers(2)),
                meets(kumi_smol::Smol::threads(2)),
                meets(Ok(kumi_sim::Sim::new())),
            ],
        ),
        row(
            "virtual time",
            "an hour of sleep takes no time: for tests",
            [
                skips_time(kumi_loop::Loop::new()),
                skips_time(kumi_tokio::Tokio::current_thread()),
                skips_time(Ok(kumi_smol::Smol::current_thread())),
                skips_time(Ok(kumi_sim::Sim::new())),
            ],
        ),
    ]
}

fn row(name: &str, about: &str, answers: [bool; 4]) -> Capability {
    let backends = ["loop", "tokio", "smol", "sim"].map(str::to_owned);
    Capability {
        name: name.to_owned(),
        about: about.to_owned(),
        backends: backends.into_iter().zip(answers).collect(),
    }
}

/// Whether two tasks that block their threads until both are there meet.
fn meets<R: Runtime>(runtime: io::Result<Owned<R>>) -> bool {
    const PATIENCE: Duration = Duration::from_millis(200);
    let Ok(runtime) = runtime else {
        return false;
    };
    let there = Arc::new(AtomicUsize::new(0));
    let task = || {
        let there = Arc::clone(&there);
        runtime.spawn(async move {
            there.fetch_add(1, Ordering::Relaxed);
            let begin = Instant::now();
            while begin.elapsed() < PATIENCE {
                if there.load(Ordering::Relaxed) == 2 {
                    return true;
                }
                thread::yield_now();
            }
            false
        })
    };
    let tasks = [task(), task()];
    runtime.block_on(async {
        let mut met = true;
        for task in tasks {
            met &= task.await.unwrap_or(false);
        }
        met
    })
}

/// Whether a sleep is over before its time.
fn skips_time<R: Runtime>(runtime: io::Result<Owned<R>>) -> bool {
    const DELAY: Duration = Duration::from_millis(20);
    let Ok(runtime) = runtime else {
        return false;
    };
    let begin = Instant::now();
    runtime.block_on(runtime.sleep(DELAY));
    begin.elapsed() < DELAY
}
