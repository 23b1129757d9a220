//! A listening TCP socket.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::stream::{FusedStream, Stream};
use socket2::SockRef;

use super::accept::Acceptor;
use super::addr::Target;
use super::system::accept_tcp;
use super::{ListenOptions, TcpStream};
use crate::runtime::Io;

/// A TCP socket that accepts connections.
///
/// # Errors while accepting
///
/// A connection that failed before it was accepted (`ECONNABORTED`) is passed over. Every other error
/// of the system is handed out, and the next accept after it waits: 5 ms, doubling up to one second. So a
/// server may log errors and go on; with too many open files (`EMFILE`) it does not spin, and gets the
/// connections that wait once descriptors are free again.
pub struct TcpListener<R: Io> {
    acceptor: Acceptor<R, std::net::TcpListener>,
}

impl<R: Io> TcpListener<R> {
    /// Binds to `addr` and listens; port 0 lets the system choose one.
    ///
    /// `SO_REUSEADDR` is set, so that a server can be started again at once. For other settings see
    /// [`ListenOptions`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the socket.
    ///
    /// # Errors
    ///
    /// What the look-up and the system say. Of several addresses the first that works is taken, and
    /// otherwise the last error.
    pub fn bind<A: Into<Target>>(
        runtime: &R,
        addr: A,
    ) -> impl Future<Output = io::Result<Self>> + Send + use<R, A> {
        ListenOptions::new().listen(runtime, addr)
    }

    /// Takes over a listening socket of the standard library: sets it to non-blocking mode and without
    /// delay, which accepted connections inherit.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(runtime: &R, listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        SockRef::from(&listener).set_tcp_nodelay(true)?;
        Self::prepared(runtime, listener)
    }

    /// Takes over a socket that is in non-blocking mode and without delay.
    pub(super) fn prepared(runtime: &R, listener: std::net::TcpListener) -> io::Result<Self> {
        Ok(Self {
            acceptor: Acceptor::new(runtime, listener)?,
        })
    }

    /// Returns the socket of the standard library, to read or set what has no method here.
    #[must_use]
    pub fn get_ref(&self) -> &std::net::TcpListener {
        self.acceptor.io.get()
    }

    /// Ends the registration and returns the socket of the standard library, in non-blocking mode.
    ///
    /// # Errors
    ///
    /// If the runtime or the system cannot end it; then the socket is closed.
    pub fn into_std(self) -> io::Result<std::net::TcpListener> {
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
    ) -> Poll<io::Result<(TcpStream<R>, SocketAddr)>> {
        self.acceptor
            .poll_accept(cx, accept_tcp)
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
    /// What the system says; see [the type](TcpListener#errors-while-accepting) for which, and what the next
    /// call does.
    pub async fn accept(&self) -> io::Result<(TcpStream<R>, SocketAddr)> {
        let accepted = self.acceptor.accept(accept_tcp).await;
        self.finish(accepted)
    }

    fn finish(
        &self,
        accepted: io::Result<(std::net::TcpStream, SocketAddr)>,
    ) -> io::Result<(TcpStream<R>, SocketAddr)> {
        let (stream, peer) = accepted?;
        Ok((TcpStream::prepared(&self.acceptor.runtime, stream)?, peer))
    }

    /// Returns the connections as a stream, which never ends.
    ///
    /// Its errors are those of [`accept`](Self::accept), and it goes on after each.
    pub fn incoming(&self) -> TcpIncoming<'_, R> {
        TcpIncoming(self)
    }
}

/// The connections of a [`TcpListener`] as a stream; from [`TcpListener::incoming`].
#[must_use = "streams do nothing unless polled"]
#[derive(Debug)]
pub struct TcpIncoming<'a, R: Io>(&'a TcpListener<R>);

impl<R: Io> Stream for TcpIncoming<'_, R> {
    type Item = io::Result<TcpStream<R>>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0
            .poll_accept(cx)
            .map(|accepted| Some(accepted.map(|(stream, _)| stream)))
    }
}

impl<R: Io> FusedStream for TcpIncoming<'_, R> {
    fn is_terminated(&self) -> bool {
        false
    }
}

impl<R: Io> AsFd for TcpListener<R> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.get_ref().as_fd()
    }
}

impl<R: Io> AsRawFd for TcpListener<R> {
    fn as_raw_fd(&self) -> RawFd {
        self.get_ref().as_raw_fd()
    }
}

impl<R: Io> fmt::Debug for TcpListener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpListener").field(self.get_ref()).finish()
    }
}
