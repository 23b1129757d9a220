//! One program from its start to its end: run main, then leave nothing behind.
//!
//! [`Runner::run`] drives main, and then, whether main returned, panicked or was interrupted:
//!
//! 1. asks every task that is left to end, and those that they spawn meanwhile;
//! 2. waits until nothing is left, but no longer than the grace period;
//! 3. reports by name what has not ended ([`Report::NotEnded`]);
//! 4. returns main's result, or goes on with its panic.
//!
//! (asyncio's `run` does the same in one sweep, without a limit: a task spawned by a clean-up is
//! missed, a task that does not end hangs it.)
//!
//! Main is a scope, and Ctrl-C cancels it: its clean-ups run, within the grace period. A second Ctrl-C
//! drops main, and ends the waiting of step 2.

#[cfg(unix)]
mod ctrl_c;
mod root;

use std::fmt;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use crate::cancel::{Alarms, Ended, ScopeState};
use crate::context::Wall;
use crate::debug::set_debug;
use crate::report::{Report, report};
use crate::runtime::{Runtime, Task};
use root::Root;

/// How long a run waits for what is left, if it is not told otherwise.
const GRACE: Duration = Duration::from_secs(10);

/// Runs `main` on `runtime`, with Ctrl-C and the usual grace period; see [`Runner`].
///
/// # Errors
///
/// [`Interrupted`] if Ctrl-C ended main before it returned.
///
/// # Panics
///
/// With main's panic, after what is left has ended; inside a task.
///
/// # Examples
///
/// ```
/// let sim = kumi_sim::Sim::new();
/// assert_eq!(kumi_core::run::run(&*sim, async { 42 }), Ok(42));
/// ```
pub fn run<R: Runtime, F: Future>(runtime: &R, main: F) -> Result<F::Output, Interrupted> {
    Runner::new().run(runtime, main)
}

/// How a program is run.
#[derive(Debug, Clone)]
#[must_use = "a runner does nothing until it runs"]
pub struct Runner {
    grace: Duration,
    ctrl_c: bool,
    debug: Option<bool>,
}

impl Default for Runner {
    fn default() -> Self {
        Self {
            grace: GRACE,
            ctrl_c: true,
            debug: None,
        }
    }
}

impl Runner {
    /// Ctrl-C is heeded, and what is left at the end has ten seconds.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how long the run waits for the tasks that main leaves behind; after Ctrl-C, for the
    /// clean-ups of main and these tasks together.
    ///
    /// [`Duration::MAX`] waits for ever, as asyncio does.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Sets whether Ctrl-C (`SIGINT`) ends the run; without it, it ends the process as usual.
    pub fn ctrl_c(mut self, heed: bool) -> Self {
        self.ctrl_c = heed;
        self
    }

    /// Turns [debug mode](crate::debug) on or off, for the process, when the run begins.
    ///
    /// (asyncio's `run(debug=...)`.) By default it is what it was, at first what the environment says.
    pub fn debug(mut self, on: bool) -> Self {
        self.debug = Some(on);
        self
    }

    /// Runs `main` on `runtime`, then ends what is left; see the [module's docs](self).
    ///
    /// What is left are the tasks that were spawned through this handle and its clones; on a runtime
    /// that others use as well, theirs are let be.
    /// Does not shut the runtime down; dropping its [`Owned`](crate::runtime::Owned) does.
    ///
    /// # Errors
    ///
    /// [`Interrupted`] if Ctrl-C ended main before it returned.
    ///
    /// # Panics
    ///
    /// With main's panic, after what is left has ended; inside a task.
    pub fn run<R: Runtime, F: Future>(
        self,
        runtime: &R,
        main: F,
    ) -> Result<F::Output, Interrupted> {
        if let Some(on) = self.debug {
            set_debug(on);
        }
        let root = Arc::new(Root::default());
        #[cfg(unix)]
        let _heed = self.ctrl_c.then(|| ctrl_c::heed(&root));
        runtime.block_on(async {
            let mut end = End {
                runtime,
                root: &root,
                grace: self.grace,
                over: None,
            };
            let ended = {
                let mut main = pin!(Some(main));
                let mut scope = ScopeState::new(Some(Arc::clone(root.scope())));
                poll_fn(|cx| {
                    root.register(cx);
                    let mut poll = || scope.poll(main.as_mut(), None, &mut end, cx);
                    match catch_unwind(AssertUnwindSafe(&mut poll)) {
                        Ok(poll) => poll.map(Ok),
                        Err(panic) => Poll::Ready(Err(panic)),
                    }
                })
                .await
            };
            self.drain(runtime, &root, end.over).await;
            match ended {
                Ok(Ended::Value(value)) => Ok(value),
                Ok(Ended::Cancelled) => Err(Interrupted(())),
                Err(panic) => resume_unwind(panic),
            }
        })
    }

    /// Cancels what is left and waits for it; if main was interrupted, its grace period goes on.
    async fn drain<R: Runtime>(&self, runtime: &R, root: &Root, over: Option<Pin<Box<R::Sleep>>>) {
        let mut over = over.unwrap_or_else(|| Box::pin(runtime.sleep(self.grace)));
        let drained = poll_fn(|cx| {
            root.register(cx);
            // First the waker, then the look: a task that is spawned after the look wakes us.
            let idle = runtime.poll_idle(cx);
            if idle.is_ready() {
                return Poll::Ready(true);
            }
            runtime.for_each_task(&mut |task: &Task| {
                task.cancel();
            });
            if root.requests() > 1 || over.as_mut().poll(cx).is_ready() {
                return Poll::Ready(false);
            }
            Poll::Pending
        });
        if !drained.await {
            // It keeps the last waker, and ours may own it.
            let _ = runtime.poll_idle(&mut Context::from_waker(Waker::noop()));
            let grace = self.grace;
            runtime.for_each_task(&mut |task: &Task| {
                report(&Report::NotEnded {
                    task: task.info().clone(),
                    grace,
                });
            });
        }
    }
}

/// What ends the clean-ups of a main that was interrupted: the grace period, or a second Ctrl-C.
struct End<'a, R: Runtime> {
    runtime: &'a R,
    root: &'a Root,
    grace: Duration,
    over: Option<Pin<Box<R::Sleep>>>,
}

impl<R: Runtime> Alarms for End<'_, R> {
    fn poll_due(&mut self, _: Wall, _: &mut Context<'_>) -> bool {
        false
    }

    fn poll_grace(&mut self, cx: &mut Context<'_>) -> bool {
        let start = || Box::pin(self.runtime.sleep(self.grace));
        let over = self.over.get_or_insert_with(start);
        over.as_mut().poll(cx).is_ready() || self.root.requests() > 1
    }
}

/// Ctrl-C ended main before it returned a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interrupted(());

impl Interrupted {
    /// Ends the process the way Ctrl-C would have without Kumi, so that a shell sees it.
    pub fn exit(self) -> ! {
        #[cfg(unix)]
        ctrl_c::die();
        #[cfg(not(unix))]
        std::process::exit(130);
    }
}

impl fmt::Display for Interrupted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("interrupted by Ctrl-C")
    }
}

impl std::error::Error for Interrupted {}
