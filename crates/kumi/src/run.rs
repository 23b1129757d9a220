//! The way in: run a program on a backend.

use std::future::Future;

use kumi_core::run::Runner;
use kumi_core::runtime::Runtime;

use crate::backend::BackendKind;

/// Runs `main` on the backend that is compiled in, or that `KUMI_BACKEND` names; returns its output.
///
/// Like `asyncio.run`: makes a runtime, runs `main`, then cancels every task that is left, waits for
/// them (ten seconds at most; [`Runner`] changes that), reports by name what has not ended, and shuts
/// the runtime down. `main` may borrow and need not be `Send`.
///
/// Ctrl-C cancels `main`; a second one drops what is still there. If `main` was cancelled before it
/// returned, there is no value to return: the process then ends as Ctrl-C ends it without Kumi, after
/// the clean-up. [`Runner::run`] returns an error instead.
///
/// # Panics
///
/// With the panic of `main`; if the backend cannot be [chosen](BackendKind::choose) or the system
/// gives no descriptors; inside a task. The messages name the fix.
///
/// # Examples
///
/// ```no_run
/// let sum = kumi::run(async { kumi::spawn(async { 20 + 22 }).await.unwrap() });
/// assert_eq!(sum, 42);
/// ```
#[track_caller]
pub fn run<F: Future>(main: F) -> F::Output {
    match BackendKind::choose() {
        Ok(kind) => run_on(kind, main),
        Err(error) => panic!("{error}"),
    }
}

/// Runs `main` on a backend named at run time; see [`run`].
///
/// # Panics
///
/// As [`run`].
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")]
/// assert_eq!(kumi::run_on(kumi::BackendKind::Sim, async { 42 }), 42);
/// ```
#[track_caller]
pub fn run_on<F: Future>(kind: BackendKind, main: F) -> F::Output {
    kumi_core::context::assert_may_block("run");
    match kind.build() {
        Ok(runtime) => run_with(&*runtime, main),
        Err(error) => panic!("the backend `{kind}` cannot be started: {error}"),
    }
}

/// Runs `main` on a runtime that exists already, of any type; see [`run`].
///
/// Does not shut the runtime down: whoever owns it does.
///
/// # Panics
///
/// With the panic of `main`; inside a task.
///
/// # Examples
///
/// ```
/// # #[cfg(feature = "sim")] {
/// let sim = kumi::backend::Sim::with_seed(7);
/// assert_eq!(kumi::run_with(&*sim, async { kumi::spawn(async { 42 }).await.unwrap() }), 42);
/// # }
/// ```
#[track_caller]
pub fn run_with<R: Runtime, F: Future>(runtime: &R, main: F) -> F::Output {
    match Runner::new().run(runtime, main) {
        Ok(output) => output,
        Err(interrupted) => interrupted.exit(),
    }
}
