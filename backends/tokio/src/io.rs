//! Readiness of descriptors: tokio's `AsyncFd`.

use std::fmt;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::task::{Context, Poll, ready};

use kumi_core::runtime::{Direction, Done, Registered, Source};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// A source as `AsyncFd` wants it.
struct Fd<F>(F);

impl<F: Source> AsRawFd for Fd<F> {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

/// A descriptor registered with tokio.
pub struct TokioIo<F: Source>(AsyncFd<Fd<F>>);

impl<F: Source> TokioIo<F> {
    /// Registers with the runtime that is entered.
    #[allow(
        deprecated,
        reason = "the successor is an `unsafe fn` whose one condition, that the descriptor stays the \
                  same while it is registered, is a clause of `Source`"
    )]
    pub(crate) fn new(source: F) -> io::Result<Self> {
        let all = Interest::READABLE | Interest::WRITABLE | Interest::ERROR;
        AsyncFd::with_interest(Fd(source), all).map(Self)
    }
}

/// What an operation in `direction` waits for.
///
/// An error that comes without data (the refusal of a datagram) is nothing readable for tokio, but
/// reading is how one learns of it. `poll_read_ready` of tokio cannot be told so.
fn interest(direction: Direction) -> Interest {
    match direction {
        Direction::Read => Interest::READABLE | Interest::ERROR,
        Direction::Write => Interest::WRITABLE,
    }
}

impl<F: Source> Registered<F> for TokioIo<F> {
    fn get_ref(&self) -> &F {
        &self.0.get_ref().0
    }

    fn into_inner(self) -> io::Result<F> {
        Ok(self.0.into_inner().0)
    }

    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        loop {
            let mut guard = ready!(match direction {
                Direction::Read => self.0.poll_read_ready(cx),
                Direction::Write => self.0.poll_write_ready(cx),
            })?;
            match op(self.get_ref()) {
                Ok(done) => {
                    if done.drained {
                        guard.clear_ready();
                    }
                    return Poll::Ready(Ok(done.value));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => guard.clear_ready(),
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        let mut guard = self.0.ready(interest(direction)).await?;
        guard.retain_ready();
        Ok(())
    }

    fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&F) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        // `AsyncFd` cannot be told here that the descriptor is drained; the next try finds out.
        let mut op = Some(op);
        let mut once = |interest| {
            self.0.try_io(interest, |fd| match op.take() {
                Some(op) => op(&fd.0).map(|done| Some(done.value)),
                None => Ok(None),
            })
        };
        let mut done = once(match direction {
            Direction::Read => Interest::READABLE,
            Direction::Write => Interest::WRITABLE,
        });
        // A try is for one interest. If the first has called `op`, this one finds it gone.
        let blocked = |done: &io::Result<_>| {
            let error = done.as_ref().err();
            error.is_some_and(|error| error.kind() == io::ErrorKind::WouldBlock)
        };
        if direction == Direction::Read && blocked(&done) {
            done = once(Interest::ERROR);
        }
        done?.ok_or_else(|| io::ErrorKind::WouldBlock.into())
    }
}

impl<F: Source + fmt::Debug> fmt::Debug for TokioIo<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TokioIo").field(self.get_ref()).finish()
    }
}
