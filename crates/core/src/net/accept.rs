//! Accepting connections, the same for TCP and Unix sockets.
//!
//! A connection that failed while it waited in the kernel's queue is no business of the caller's: the
//! next one is taken. Every other error of the system is handed out, and *the next accept after it
//! waits*: 5 ms, doubling up to one second, and back to none with the first connection that is
//! accepted. Such errors (too many open files above all) leave the connection in the queue, so the
//! socket stays ready, and a server that only logs them would otherwise spin at full speed, on a
//! single-threaded loop without ever giving way. The readiness is kept: once descriptors are free again the
//! next accept gets the connection, without a further event.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::fd::Fd;
use crate::loom::Mutex;
use crate::runtime::{Direction, Done, Io, Sleep, Source};

/// The first pause after an error.
const FIRST: Duration = Duration::from_millis(5);

/// The longest pause after an error.
const LONGEST: Duration = Duration::from_secs(1);

/// So many failed connections in a row are taken for an error that stays.
const FAILED: usize = 32;

/// A listening socket, and how it copes with errors.
pub(super) struct Acceptor<R: Io, S: Source> {
    pub(super) runtime: R,
    pub(super) io: Fd<R, S>,
    pace: Mutex<Pace>,
    /// The pause of `poll_accept`; the async form has its own.
    sleep: Mutex<Option<Pin<Box<R::Sleep>>>>,
}

/// How long the next accept waits.
#[derive(Debug, Default)]
struct Pace {
    /// Zero after a success.
    pause: Duration,
    until: Option<Instant>,
}

impl<R: Io, S: Source> Acceptor<R, S> {
    pub(super) fn new(runtime: &R, socket: S) -> io::Result<Self> {
        Ok(Self {
            runtime: runtime.clone(),
            io: Fd::new(runtime, socket)?,
            pace: Mutex::new(Pace::default()),
            sleep: Mutex::new(None),
        })
    }

    /// Accepts for any number of tasks.
    pub(super) async fn accept<T>(
        &self,
        mut accept: impl FnMut(&S) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut failed = 0;
        loop {
            let until = self.pace.lock().until;
            if let Some(until) = until.filter(|until| *until > self.runtime.now()) {
                self.runtime.sleep_until(until).await;
            }
            let op = |socket: &S| accept(socket).map(Done::more);
            let accepted = self.io.run(Direction::Read, op).await;
            if let Some(result) = self.judge(accepted, &mut failed) {
                return result;
            }
        }
    }

    /// Accepts for the last task that waits here.
    pub(super) fn poll_accept<T>(
        &self,
        cx: &mut Context<'_>,
        mut accept: impl FnMut(&S) -> io::Result<T>,
    ) -> Poll<io::Result<T>> {
        let mut failed = 0;
        loop {
            ready!(self.poll_pause(cx));
            let op = |socket: &S| accept(socket).map(Done::more);
            let accepted = ready!(self.io.poll(cx, Direction::Read, op));
            if let Some(result) = self.judge(accepted, &mut failed) {
                return Poll::Ready(result);
            }
        }
    }

    fn poll_pause(&self, cx: &mut Context<'_>) -> Poll<()> {
        let until = self.pace.lock().until;
        let Some(until) = until.filter(|until| *until > self.runtime.now()) else {
            return Poll::Ready(());
        };
        // A sleep clones wakers, which are foreign code: not under the lock.
        let kept = self.sleep.lock().take();
        let mut sleep = kept.unwrap_or_else(|| Box::pin(self.runtime.sleep_until(until)));
        if sleep.deadline() != until {
            sleep.as_mut().reset(until);
        }
        let poll = sleep.as_mut().poll(cx);
        if poll.is_pending() {
            let other = self.sleep.lock().replace(sleep);
            drop(other);
        }
        poll
    }

    /// What to do with the outcome of a call: hand it out, or try again.
    fn judge<T>(&self, outcome: io::Result<T>, failed: &mut usize) -> Option<io::Result<T>> {
        match outcome {
            Ok(accepted) => {
                let mut pace = self.pace.lock();
                if pace.until.is_some() {
                    *pace = Pace::default();
                }
                drop(pace);
                Some(Ok(accepted))
            }
            Err(error) if is_of_the_connection(&error) => {
                *failed += 1;
                if *failed % FAILED == 0 {
                    self.slow_down();
                }
                None
            }
            Err(error) => {
                // Others come from the runtime, whose clock may have stopped.
                if error.raw_os_error().is_some() {
                    self.slow_down();
                }
                Some(Err(error))
            }
        }
    }

    fn slow_down(&self) {
        let now = self.runtime.now();
        let mut pace = self.pace.lock();
        pace.pause = (pace.pause * 2).clamp(FIRST, LONGEST);
        pace.until = Some(now + pace.pause);
    }
}

/// Whether it was the connection that failed, and not the accepting.
///
/// Linux hands out what is wrong with the network of a connection that waits; see accept(2).
fn is_of_the_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
    )
}
