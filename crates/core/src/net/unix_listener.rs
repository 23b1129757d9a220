//! A listening Unix socket.

use std::fmt;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};

use super::UnixStream;
use super::accept::Acceptor;
use crate::runtime::Io;

/// A Unix socket that accepts connections.
///
/// The file of a socket stays when it is dropped, as with the standard library and tokio: whoever
/// binds to a path removes what an earlier run has left there, if that is right.
///
/// # Errors while accepting
///
/// A connection that failed before it was accepted (`ECONNABORTED`) is passed over. Every other error
/// of the system is handed out, and the next accept after it waits: 5 ms, doubling up to one second. So a
/// server may log errors and go on; with too many open files (`EMFILE`) it does not spin, and gets the
/// connections that wait once descriptors are free again.
pub struct UnixListener<R: Io> {
    acceptor: Acceptor<R, std::os::unix::net::UnixListener>,
}

impl<R: Io> UnixListener<R> {
    /// Binds to `path`, where no file may be, and listens.
    ///
    /// # Errors
    ///
    /// What the system says; `AddrInUse` if there is a file.
    pub fn bind(runtime: &R, path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(runtime, std::os::unix::net::UnixListener::bind(path)?)
    }

    /// Binds to `addr`, which may be an abstract name (on Linux), and listens.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn bind_addr(runtime: &R, addr: &SocketAddr) -> io::Result<Self> {
        Self::from_std(runtime, std::os::unix::net::UnixListener::bind_addr(addr)?)
    }

    /// Takes over a listening socket of the standard library and sets it to non-blocking mode.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(runtime: &R, listener: std::os::unix::net::UnixListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            acceptor: Acceptor::new(runtime, listener)?,
        })
    }

    /// Returns the socket of the standard library, to read or set what has no method here.
    #[must_use]
    pub fn get_ref(&self) -> &std::os::unix::net::UnixListener {
        self.acceptor.io.get()
    }

    /// Ends the registration and returns the socket of the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// If the runtime or the system cannot end it; then the socket is closed.
    pub fn into_std(self) -> io::Result<std::os::unix::net::UnixListener> {
        self.acceptor.io.into_inner()
    }

    /// Returns the address that it is bound to.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.get_ref().local_addr()
    }

    /// Accepts one connection; see [`accept`](Self::accept).
    ///
    /// Of two tasks that wait through this method or the same stream, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(UnixStream<R>, SocketAddr)>> {
        self.acceptor
            .poll_accept(cx, std::os::unix::net::UnixListener::accept)
            .map(|accepted| self.finish(accepted))
    }

    /// Waits for a connection and returns it with the address of the peer.
    ///
    /// Any number of tasks may wait here.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: a connection stays in the kernel's queue until it is
    /// returned.
    ///
    /// # Errors
    ///
    /// What the system says; see [the type](UnixListener#errors-while-accepting) for which, and what the next
    /// call does.
    pub async fn accept(&self) -> io::Result<(UnixStream<R>, SocketAddr)> {
        let accepted = self
            .acceptor
            .accept(std::os::unix::net::UnixListener::accept)
            .await;
        self.finish(accepted)
    }

    fn finish(
        &self,
        accepted: io::Result<(std::os::unix::net::UnixStream, SocketAddr)>,
    ) -> io::Result<(UnixStream<R>, SocketAddr)> {
        let (stream, peer) = accepted?;
        Ok((UnixStream::from_std(&self.acceptor.runtime, stream)?, peer))
    }

    /// Returns the connections as a stream, which never ends.
    ///
    /// Its errors are those of [`accept`](Self::accept), and it goes on after each.
    pub fn incoming(&self) -> UnixIncoming<'_, R> {
        UnixIncoming(self)
    }
}

/// The connections of a [`UnixListener`] as a stream; from [`UnixListener::incoming`].
#[must_use = "streams do nothing unless polled"]
#[derive(Debug)]
pub struct UnixIncoming<'a, R: Io>(&'a UnixListener<R>);

impl<R: Io> Stream for UnixIncoming<'_, R> {
    type Item = io::Result<UnixStream<R>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_accept(cx)
            .map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

impl<R: Io> FusedStream for UnixIncoming<'_, R> {
    fn is_terminated(&self) -> bool {
        false
    }
}

impl<R: Io> AsFd for UnixListener<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<R: Io> AsRawFd for UnixListener<R> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<R: Io> fmt::Debug for UnixListener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("UnixListener").field(self.get_ref()).finish()
    }
}
