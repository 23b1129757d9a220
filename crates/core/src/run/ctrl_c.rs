//! Ctrl-C: one thread that waits for `SIGINT` and tells the runs that heed it.
//!
//! A thread, and not the runtime's own I/O, because it works on every backend and also while the
//! runtime is stuck. It is started by the first run that heeds Ctrl-C and stays; while no run does,
//! it lets `SIGINT` end the process as it always would.

use std::sync::{Arc, OnceLock, Weak};
use std::thread;

use signal_hook::consts::SIGINT;
use signal_hook::iterator::Signals;

use super::root::Root;
use crate::loom::Mutex;

/// The runs that heed Ctrl-C.
static RUNS: Mutex<Vec<Weak<Root>>> = Mutex::new(Vec::new());

/// While it lives, Ctrl-C interrupts the run.
#[derive(Debug)]
pub(crate) struct Heed(Weak<Root>);

impl Drop for Heed {
    fn drop(&mut self) {
        RUNS.lock().retain(|run| !run.ptr_eq(&self.0));
    }
}

/// Lets Ctrl-C interrupt `root` until the returned value is dropped.
pub(crate) fn heed(root: &Arc<Root>) -> Heed {
    static STARTED: OnceLock<()> = OnceLock::new();
    STARTED.get_or_init(|| {
        if let Err(error) = start() {
            eprintln!("kumi: Ctrl-C will end the process at once: {error}");
        }
    });
    RUNS.lock().push(Arc::downgrade(root));
    Heed(Arc::downgrade(root))
}

fn start() -> std::io::Result<()> {
    let signals = Signals::new([SIGINT])?;
    let wait = move || {
        let mut signals = signals;
        for _ in signals.forever() {
            dispatch();
        }
    };
    thread::Builder::new()
        .name("kumi-ctrl-c".into())
        .spawn(wait)?;
    Ok(())
}

fn dispatch() {
    let runs: Vec<_> = RUNS.lock().iter().filter_map(Weak::upgrade).collect();
    if runs.is_empty() {
        die();
    }
    for run in runs {
        run.interrupt();
    }
}

/// Ends the process as `SIGINT` does without a handler.
pub(crate) fn die() -> ! {
    let _ = signal_hook::low_level::emulate_default_handler(SIGINT);
    std::process::exit(130)
}
