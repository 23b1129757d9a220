//! A TCP connection.

use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{SockRef, Socket};

use super::addr::Target;
use super::byte_stream::{ByteStream, byte_stream, byte_traits, count, sealed::Sealed};
use super::fd::{Fd, socket_methods, socket_traits};
use super::system::is_in_progress;
use super::{ConnectOptions, Keepalive, ReadHalf, WriteHalf};
use crate::runtime::{Direction, Done, Io};

/// A TCP connection.
///
/// Reads and writes through the traits of `futures-io`, on the value or on a shared reference to it.
/// One task may read and one may write at the same time, through two references or through the halves
/// of [`into_split`](Self::into_split).
pub struct TcpStream<R: Io> {
    io: Fd<R, std::net::TcpStream>,
}

impl<R: Io> TcpStream<R> {
    /// Connects to `addr`; a name is looked up, and of several addresses one after the other is tried.
    ///
    /// For settings, a local address or a time limit see [`ConnectOptions`].
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up and closes the socket.
    ///
    /// # Errors
    ///
    /// What the look-up and the system say; of several addresses, the last error.
    pub fn connect<A: Into<Target>>(
        runtime: &R,
        addr: A,
    ) -> impl Future<Output = io::Result<Self>> + Send + use<R, A> {
        ConnectOptions::new().connect(runtime, addr)
    }

    /// Connects a TCP socket that the caller has made, with whatever options it has (one of `socket2`,
    /// for example), to `addr`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up and closes the socket.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect_socket(
        runtime: &R,
        socket: impl Into<OwnedFd>,
        addr: SocketAddr,
    ) -> impl Future<Output = io::Result<Self>> + Send {
        let (runtime, socket) = (runtime.clone(), Socket::from(socket.into()));
        async move {
            socket.set_nonblocking(true)?;
            Self::connect_prepared(&runtime, socket, addr).await
        }
    }

    /// Connects a socket that is in non-blocking mode.
    pub(super) async fn connect_prepared(
        runtime: &R,
        socket: Socket,
        addr: SocketAddr,
    ) -> io::Result<Self> {
        while let Err(error) = socket.connect(&addr.into()) {
            if is_in_progress(&error) {
                break;
            }
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
        let stream = Self {
            io: Fd::new(runtime, socket.into())?,
        };
        poll_fn(|cx| stream.io.poll(cx, Direction::Write, is_connected)).await?;
        Ok(stream)
    }

    /// Takes over a connected socket of the standard library: sets it to non-blocking mode and
    /// without delay.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(runtime: &R, stream: std::net::TcpStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        stream.set_nodelay(true)?;
        Self::prepared(runtime, stream)
    }

    /// Takes over a socket that is in non-blocking mode.
    pub(super) fn prepared(runtime: &R, stream: std::net::TcpStream) -> io::Result<Self> {
        Ok(Self {
            io: Fd::new(runtime, stream)?,
        })
    }

    socket_methods!(std::net::TcpStream);

    /// Returns the local address.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr()
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`); they are by default.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get().set_nodelay(nodelay)
    }

    /// Returns whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get().nodelay()
    }

    /// Sets what becomes of bytes that were written and not yet sent when the socket is closed
    /// (`SO_LINGER`).
    ///
    /// With zero they are thrown away and the peer gets a reset. With more, closing *blocks* the thread
    /// for up to so long, and so does dropping the stream; so zero and `None`, the default, are what an
    /// asynchronous program wants.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_linger(&self, linger: Option<Duration>) -> io::Result<()> {
        SockRef::from(self).set_linger(linger)
    }

    /// Returns what becomes of bytes that were not yet sent; see [`set_linger`](Self::set_linger).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn linger(&self) -> io::Result<Option<Duration>> {
        SockRef::from(self).linger()
    }

    /// Probes the connection while nothing happens, or no more.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_keepalive(&self, keepalive: Option<&Keepalive>) -> io::Result<()> {
        match keepalive {
            Some(keepalive) => keepalive.set(&SockRef::from(self)),
            None => SockRef::from(self).set_keepalive(false),
        }
    }

    /// Returns whether the connection is probed while nothing happens.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn keepalive(&self) -> io::Result<bool> {
        SockRef::from(self).keepalive()
    }

    /// Sets how many hops a packet may take (IPv4).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_ttl(&self, ttl: u32) -> io::Result<()> {
        self.io.get().set_ttl(ttl)
    }

    /// Returns how many hops a packet may take (IPv4).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn ttl(&self) -> io::Result<u32> {
        self.io.get().ttl()
    }

    /// Waits for bytes and copies them to `buf` without taking them out; zero at the end of the stream.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        let peek = |socket: &std::net::TcpStream| socket.peek(buf).map(Done::more);
        self.io.run(Direction::Read, peek).await
    }

    /// Copies bytes to `buf` without taking them out; see [`peek`](Self::peek).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn poll_peek(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
        let peek = |socket: &std::net::TcpStream| socket.peek(buf).map(Done::more);
        self.io.poll(cx, Direction::Read, peek)
    }
}

byte_stream!(TcpStream);
socket_traits!(TcpStream);

/// Whether a connect in progress has ended: well, badly, or not yet.
fn is_connected(socket: &std::net::TcpStream) -> io::Result<Done<()>> {
    match socket.peer_addr() {
        Ok(_) => Ok(Done::more(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            // It has failed, or has not ended.
            let failed = socket.take_error()?;
            Err(failed.unwrap_or_else(|| io::ErrorKind::WouldBlock.into()))
        }
        Err(error) => Err(error),
    }
}
