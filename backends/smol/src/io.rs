//! Readiness of descriptors: `async-io`'s `Async`.

use std::fmt;
use std::io;
use std::task::{Context, Poll, ready};

use async_io::Async;
use kumi_core::runtime::{Direction, Done, Registered, Source};

/// A descriptor registered with `async-io`.
///
/// The reactor remembers no readiness, so an operation is tried before the wait, and what it says of
/// a drained descriptor changes nothing.
pub struct SmolIo<F: Source>(Async<F>);

impl<F: Source> SmolIo<F> {
    pub(crate) fn new(source: F) -> io::Result<Self> {
        Async::new_nonblocking(source).map(Self)
    }
}

impl<F: Source> Registered<F> for SmolIo<F> {
    fn get_ref(&self) -> &F {
        self.0.get_ref()
    }

    fn into_inner(self) -> io::Result<F> {
        self.0.into_inner()
    }

    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        loop {
            match op(self.0.get_ref()) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                done => return Poll::Ready(done.map(|done| done.value)),
            }
            ready!(match direction {
                Direction::Read => self.0.poll_readable(cx),
                Direction::Write => self.0.poll_writable(cx),
            })?;
        }
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        match direction {
            Direction::Read => self.0.readable().await,
            Direction::Write => self.0.writable().await,
        }
    }

    fn try_io<T>(&self, _: Direction, op: impl FnOnce(&F) -> io::Result<Done<T>>) -> io::Result<T> {
        op(self.0.get_ref()).map(|done| done.value)
    }
}

impl<F: Source + fmt::Debug> fmt::Debug for SmolIo<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SmolIo").field(self.get_ref()).finish()
    }
}
