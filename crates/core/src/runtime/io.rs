//! Readiness of descriptors: the one I/O primitive.
//!
//! Sockets, pipes and whatever else has a descriptor are written once, on this, in core's `net`.
//! The shape (register, then `poll_io`, `ready`, `try_io`) is the one that zbus, trillium and quinn
//! arrived at independently.

use std::future::Future;
use std::io;
use std::os::fd::AsFd;
use std::task::{Context, Poll};

use super::Runtime;

/// What can be registered: owns a descriptor, and is good for any thread.
///
/// The descriptor has to stay open and the same for as long as the value is registered; events for
/// another one would otherwise wake the wrong tasks. Whatever owns one descriptor for life (sockets,
/// pipes, `OwnedFd`, `Arc` of them) does that.
pub trait Source: AsFd + Send + Sync + 'static {}

impl<F: AsFd + Send + Sync + 'static> Source for F {}

/// One of the two directions of a descriptor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Direction {
    /// There is something to read or to accept, or the end of the stream.
    Read,
    /// There is room to write, or a connect has finished.
    Write,
}

/// What a successful operation says about its descriptor besides its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<T> {
    /// The value of the operation.
    pub value: T,
    /// Whether the descriptor is known to have nothing more: a read that filled less than its
    /// buffer, a write that took less than it was given.
    ///
    /// Saves the system call that would only say "would block". Never required, and wrong only if
    /// the descriptor in truth had more. The end of a stream is no "more": a backend hands it out also
    /// after a drained read, although no further event will come.
    pub drained: bool,
}

impl<T> Done<T> {
    /// The operation succeeded, and the descriptor may have more.
    pub fn more(value: T) -> Self {
        Self {
            value,
            drained: false,
        }
    }

    /// The operation succeeded, and the descriptor has nothing more.
    pub fn drained(value: T) -> Self {
        Self {
            value,
            drained: true,
        }
    }
}

/// A runtime that waits for descriptors.
pub trait Io: Runtime {
    /// A registered descriptor of type `F`.
    type Registered<F: Source>: Registered<F>;

    /// Registers `source`, whose descriptor must be in non-blocking mode.
    ///
    /// The registration ends when the returned value is dropped, before the descriptor is closed.
    ///
    /// # Errors
    ///
    /// What the operating system says: no memory, too many descriptors, a kind of descriptor that
    /// has no readiness (a regular file).
    fn register<F: Source>(&self, source: F) -> io::Result<Self::Registered<F>>;
}

/// A descriptor that a runtime watches.
///
/// All methods may be called on any thread; there may be one waiter per direction through
/// [`poll_io`](Registered::poll_io), and any number through [`ready`](Registered::ready).
pub trait Registered<F>: Send + Sync + Sized + 'static {
    /// Returns the registered value.
    fn get_ref(&self) -> &F;

    /// Ends the registration and returns the registered value, whose descriptor stays open and in
    /// non-blocking mode.
    ///
    /// # Errors
    ///
    /// If the system or the runtime cannot end it; then the descriptor is closed.
    fn into_inner(self) -> io::Result<F>;

    /// Tries `op` until it does something else than to say "would block"; parks the task if it
    /// does.
    ///
    /// `op` is called only while the descriptor may be ready, so that a call with nothing to read
    /// costs no system call where the backend remembers readiness. Of two tasks that wait for the
    /// same direction through this method, only the last is woken.
    ///
    /// # Errors
    ///
    /// Whatever `op` returns but [`WouldBlock`](io::ErrorKind::WouldBlock);
    /// [`Interrupted`](io::ErrorKind::Interrupted) is handed out as well, not retried.
    /// If the runtime has been shut down, an error that says so, unless its reactor is shared with the
    /// whole process and goes on.
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>>;

    /// Waits until the descriptor may be ready in `direction`; any number of tasks may wait.
    ///
    /// Readiness is a hint: an operation after it may still say "would block".
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// If the runtime has been shut down, unless its reactor goes on.
    fn ready(
        &self,
        direction: Direction,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync + '_;

    /// Tries `op` once, now, outside of a poll.
    ///
    /// Remembers if it would block, so that a later [`ready`](Registered::ready) waits.
    ///
    /// # Errors
    ///
    /// Whatever `op` returns; [`WouldBlock`](io::ErrorKind::WouldBlock) without calling it if the
    /// descriptor is known not to be ready.
    fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&F) -> io::Result<Done<T>>,
    ) -> io::Result<T>;
}
