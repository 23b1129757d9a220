//! The loop as a whole: run, stop, close, and what it is told.

use std::cell::Cell;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::thread;
use std::time::Duration;

use kumi_core::blocking::{self, BlockingPool};
use kumi_core::channel::oneshot;
use kumi_core::debug;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, SpawnBlockingExt};

use crate::handle::Loop;
use crate::turn;

/// The loop was stopped before the future was ready.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stopped(());

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop was stopped before the future was ready")
    }
}

impl std::error::Error for Stopped {}

/// The loop runs, so it cannot be closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Running(());

impl fmt::Display for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the event loop runs, and a loop that runs cannot be closed")
    }
}

impl std::error::Error for Running {}

/// The turn of a main future in the queue of callbacks: when this is dropped, the future begins.
struct Turn {
    lp: Loop,
    begins: Rc<Cell<bool>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.begins.set(true);
        self.lp.0.main.wake_by_ref();
    }
}

impl Loop {
    /// Drives the loop until `future` is ready.
    ///
    /// What was queued before comes before its first poll. To go on with a future after the loop was
    /// stopped, pass a reference to it: a task's handle, or `pin!(future).as_mut()`.
    ///
    /// As [`block_on`](Runtime::block_on), but it heeds [`stop`](Loop::stop).
    ///
    /// # Errors
    ///
    /// [`Stopped`] if the loop was stopped first.
    ///
    /// # Panics
    ///
    /// Inside a task or a driven loop, on another thread than the loop's, and if the loop has been closed.
    ///
    /// # Examples
    ///
    /// ```
    /// use kumi_core::task::SpawnExt;
    /// use kumi_loop::Loop;
    ///
    /// let lp = Loop::new()?;
    /// let mut task = lp.spawn(async { 42 });
    /// lp.stop();
    /// assert!(lp.run_until_complete(std::future::pending::<()>()).is_err());
    /// assert_eq!(lp.run_until_complete(&mut task).unwrap().unwrap(), 42);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn run_until_complete<F: Future>(&self, future: F) -> Result<F::Output, Stopped> {
        if self.take_stop() {
            turn::tick(self);
            self.take_stop();
            return Err(Stopped(()));
        }
        let mut future = pin!(future);
        let begins = Rc::new(Cell::new(false));
        let turn = Turn {
            lp: self.clone(),
            begins: Rc::clone(&begins),
        };
        self.0.own("run_until_complete");
        match self.is_closed() {
            true => drop(turn),
            false => drop(self.call_soon(move || drop(turn))),
        }
        self.block_on(poll_fn(|cx: &mut Context<'_>| {
            if !begins.get() {
                return Poll::Pending;
            }
            if let Poll::Ready(output) = future.as_mut().poll(cx) {
                return Poll::Ready(Ok(output));
            }
            match self.take_stop() {
                true => Poll::Ready(Err(Stopped(()))),
                false => Poll::Pending,
            }
        }))
    }

    /// Drives the loop until it is [stopped](Loop::stop).
    ///
    /// # Panics
    ///
    /// As [`run_until_complete`](Loop::run_until_complete).
    #[track_caller]
    pub fn run_forever(&self) {
        let Err(Stopped(())) = self.run_until_complete(pending::<std::convert::Infallible>());
    }

    /// Lets [`run_forever`](Loop::run_forever) or [`run_until_complete`](Loop::run_until_complete) return at
    /// the end of the batch that runs. What is queued meanwhile stays for the next run.
    ///
    /// If none of them runs, the next one looks at the kernel once, without waiting, calls what is ready by
    /// then, and returns. [`block_on`](Runtime::block_on) does not heed it. May be called on any thread.
    pub fn stop(&self) {
        // SeqCst: something is left for the loop, as by every waker of the main future.
        self.0.stop.store(true, Ordering::SeqCst);
        self.0.main.wake_by_ref();
    }

    fn take_stop(&self) -> bool {
        self.0.stop.swap(false, Ordering::SeqCst)
    }

    /// Shuts the loop down: drops its tasks and callbacks. Closing it again does nothing.
    ///
    /// # Errors
    ///
    /// [`Running`] if a thread drives the loop.
    pub fn close(&self) -> Result<(), Running> {
        if self.is_running() {
            return Err(Running(()));
        }
        self.shutdown();
        Ok(())
    }

    /// Whether a thread drives the loop.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.0.is_driven()
    }

    /// Whether the loop has been closed or shut down.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.0.is_closed()
    }

    /// Runs `f` on a thread of `pool`, or of the loop's own pool if there is none; returns the handle of its
    /// task. See [`blocking::run_in_executor`].
    ///
    /// The threads of the loop's own pool are made when they are needed.
    #[track_caller]
    pub fn run_in_executor<T: Send + 'static>(
        &self,
        pool: Option<&BlockingPool>,
        f: impl FnOnce() -> T + Send + 'static,
    ) -> JoinHandle<T> {
        match pool {
            Some(pool) => blocking::run_in_executor(self, pool, f),
            None => self.spawn_blocking(f),
        }
    }

    /// Closes the loop's own pool, and waits until its threads have ended, but no longer than `limit`; false
    /// if some have not, which are [reported](kumi_core::report::Report::ThreadNotEnded) by name.
    ///
    /// The loop goes on meanwhile: a thread of its own does the waiting. What is queued is dropped, and so
    /// is what comes later; their joiners get "cancelled".
    ///
    /// # Cancel safety
    ///
    /// The pool is closed by the call. If the future is dropped, nobody is told how it ended.
    ///
    /// # Errors
    ///
    /// If the system gives no thread for the waiting.
    pub fn shutdown_default_executor(
        &self,
        limit: Duration,
    ) -> impl Future<Output = io::Result<bool>> + Send + 'static {
        let pool = self.0.pool.clone();
        pool.close();
        let (sender, receiver) = oneshot::channel();
        let waits = move || {
            let _ = sender.send(pool.close_within(limit));
        };
        let started = thread::Builder::new()
            .name("kumi-closes".into())
            .spawn(waits);
        async move {
            started?;
            receiver.await.map_err(io::Error::other)
        }
    }

    /// Turns the [debug mode](debug) of the process on or off, for tasks that are spawned from now on.
    pub fn set_debug(&self, on: bool) {
        debug::set_debug(on);
    }

    /// Whether the debug mode is on.
    #[must_use]
    pub fn get_debug(&self) -> bool {
        debug::is_debug()
    }

    /// From which duration on the debug mode reports a poll or a callback as slow.
    #[must_use]
    pub fn slow_callback_duration(&self) -> Duration {
        debug::slow_callback_duration()
    }

    /// Sets from which duration on the debug mode reports a poll or a callback as slow.
    pub fn set_slow_callback_duration(&self, limit: Duration) {
        debug::set_slow_callback_duration(limit);
    }
}
