//! A registered socket: what every type of socket does in the same way.
//!
//! Every operation is a checkpoint, so a loop over a socket that is always ready can be cancelled
//! and gives way; and an interruption by a signal is tried again, never handed out.
//!
//! There are two ways to wait. [`Fd::poll`] is for `poll_` methods and keeps one waker per direction,
//! the last. [`Fd::run`] is for async methods, and any number of tasks may wait in it.

use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, ready};

use crate::cancel::poll_checkpoint;
use crate::debug::{WaitsFor, noted, waiting_for};
use crate::runtime::{Direction, Done, Io, Registered, Source};

/// A socket of type `S`, registered with the runtime `R`.
pub(super) struct Fd<R: Io, S: Source>(R::Registered<S>);

impl<R: Io, S: Source> Fd<R, S> {
    /// Registers `socket`, which has to be in non-blocking mode.
    pub(super) fn new(runtime: &R, socket: S) -> io::Result<Self> {
        runtime.register(socket).map(Self)
    }

    pub(super) fn get(&self) -> &S {
        self.0.get_ref()
    }

    pub(super) fn into_inner(self) -> io::Result<S> {
        self.0.into_inner()
    }

    /// Tries `op` until it neither would block nor was interrupted.
    pub(super) fn poll<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        loop {
            ready!(poll_checkpoint(cx));
            let done = self.0.poll_io(cx, direction, &mut op);
            match ready!(noted(done, || WaitsFor::Other(what(direction)))) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }

    /// The same for any number of tasks.
    pub(super) async fn run<T>(
        &self,
        direction: Direction,
        mut op: impl FnMut(&S) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        loop {
            poll_fn(poll_checkpoint).await;
            match self.0.try_io(direction, &mut op) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    waiting_for(what(direction), self.0.ready(direction)).await?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }

    /// Tries `op` once, now.
    pub(super) fn try_now<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&S) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        self.0.try_io(direction, op)
    }

    pub(super) async fn ready(&self, direction: Direction) -> io::Result<()> {
        poll_fn(poll_checkpoint).await;
        waiting_for(what(direction), self.0.ready(direction)).await
    }
}

/// What a task waits for.
fn what(direction: Direction) -> &'static str {
    match direction {
        Direction::Read => "a socket to be readable",
        Direction::Write => "a socket to be writable",
    }
}

/// The methods that every socket has.
macro_rules! socket_methods {
    ($std:ty) => {
        /// Returns the socket of the standard library, to read or set what has no method here.
        ///
        /// Reading and writing through it goes past what the runtime knows of its readiness: use
        /// [`try_io`](Self::try_io) for that.
        #[must_use]
        pub fn get_ref(&self) -> &$std {
            self.io.get()
        }

        /// Ends the registration and returns the socket of the standard library, in non-blocking mode.
        ///
        /// # Errors
        ///
        /// If the runtime or the system cannot end it; then the socket is closed.
        pub fn into_std(self) -> std::io::Result<$std> {
            self.io.into_inner()
        }

        /// Waits until there may be something to read; any number of tasks may wait.
        ///
        /// Readiness is a hint: an operation after it may still say "would block".
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost when it is dropped.
        ///
        /// # Errors
        ///
        /// If the runtime has been shut down.
        pub async fn readable(&self) -> std::io::Result<()> {
            self.io.ready(crate::runtime::Direction::Read).await
        }

        /// Waits until there may be room to write; see [`readable`](Self::readable).
        ///
        /// # Cancel safety
        ///
        /// Nothing is lost when it is dropped.
        ///
        /// # Errors
        ///
        /// If the runtime has been shut down.
        pub async fn writable(&self) -> std::io::Result<()> {
            self.io.ready(crate::runtime::Direction::Write).await
        }

        /// Tries an operation of one's own, until it does not say "would block"; see
        /// [`Registered::poll_io`](crate::runtime::Registered::poll_io).
        ///
        /// Of two tasks that wait for the same direction through `poll_` methods, only the last is
        /// woken.
        ///
        /// # Errors
        ///
        /// What `op` returns, if it is neither "would block" nor "interrupted".
        pub fn poll_io<T>(
            &self,
            cx: &mut std::task::Context<'_>,
            direction: crate::runtime::Direction,
            op: impl FnMut(&$std) -> std::io::Result<crate::runtime::Done<T>>,
        ) -> std::task::Poll<std::io::Result<T>> {
            self.io.poll(cx, direction, op)
        }

        /// Tries an operation of one's own, once, now; see
        /// [`Registered::try_io`](crate::runtime::Registered::try_io).
        ///
        /// # Errors
        ///
        /// What `op` returns; "would block" without calling it if the socket is known not to be ready.
        pub fn try_io<T>(
            &self,
            direction: crate::runtime::Direction,
            op: impl FnOnce(&$std) -> std::io::Result<crate::runtime::Done<T>>,
        ) -> std::io::Result<T> {
            self.io.try_now(direction, op)
        }

        /// Returns the error that the socket has kept, and clears it.
        ///
        /// # Errors
        ///
        /// What the system says.
        pub fn take_error(&self) -> std::io::Result<Option<std::io::Error>> {
            self.io.get().take_error()
        }
    };
}
pub(super) use socket_methods;

/// The descriptor of a socket, and what it looks like.
macro_rules! socket_traits {
    ($name:ident) => {
        impl<R: crate::runtime::Io> Unpin for $name<R> {}

        /// For options that have no method here, such as those of `socket2::SockRef`.
        impl<R: crate::runtime::Io> std::os::fd::AsFd for $name<R> {
            fn as_fd(&self) -> std::os::fd::BorrowedFd<'_> {
                self.io.get().as_fd()
            }
        }

        impl<R: crate::runtime::Io> std::os::fd::AsRawFd for $name<R> {
            fn as_raw_fd(&self) -> std::os::fd::RawFd {
                std::os::fd::AsRawFd::as_raw_fd(self.io.get())
            }
        }

        impl<R: crate::runtime::Io> std::fmt::Debug for $name<R> {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.debug_tuple(stringify!($name))
                    .field(self.io.get())
                    .finish()
            }
        }
    };
}
pub(super) use socket_traits;
