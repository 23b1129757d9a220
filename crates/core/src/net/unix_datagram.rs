//! A Unix socket for datagrams.

use std::io;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::task::{Context, Poll};

use super::datagram::datagram;
use super::fd::{Fd, socket_methods, socket_traits};
use crate::runtime::{Direction, Done, Io};

/// A Unix socket for datagrams.
///
/// Every method takes a shared reference, so any number of tasks may send and receive at once; of
/// those that wait through `poll_` methods, only the last in each direction is woken.
///
/// Unlike UDP it loses nothing: who sends to a receiver whose queue is full waits. The file of a bound socket
/// stays when it is dropped.
pub struct UnixDatagram<R: Io> {
    io: Fd<R, std::os::unix::net::UnixDatagram>,
}

impl<R: Io> UnixDatagram<R> {
    /// Binds to `path`, where no file may be.
    ///
    /// # Errors
    ///
    /// What the system says; `AddrInUse` if there is a file.
    pub fn bind(runtime: &R, path: impl AsRef<Path>) -> io::Result<Self> {
        Self::from_std(runtime, std::os::unix::net::UnixDatagram::bind(path)?)
    }

    /// Binds to `addr`, which may be an abstract name (on Linux).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn bind_addr(runtime: &R, addr: &SocketAddr) -> io::Result<Self> {
        Self::from_std(runtime, std::os::unix::net::UnixDatagram::bind_addr(addr)?)
    }

    /// Makes a socket without a name: it can send, and receives only from its peer.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn unbound(runtime: &R) -> io::Result<Self> {
        Self::from_std(runtime, std::os::unix::net::UnixDatagram::unbound()?)
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn pair(runtime: &R) -> io::Result<(Self, Self)> {
        let (one, other) = std::os::unix::net::UnixDatagram::pair()?;
        Ok((
            Self::from_std(runtime, one)?,
            Self::from_std(runtime, other)?,
        ))
    }

    /// Takes over a socket of the standard library and sets it to non-blocking mode.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(runtime: &R, socket: std::os::unix::net::UnixDatagram) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Ok(Self {
            io: Fd::new(runtime, socket)?,
        })
    }

    socket_methods!(std::os::unix::net::UnixDatagram);

    /// Sets the one peer: [`send`](Self::send) sends to it, and only what comes from it is received.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect(&self, path: impl AsRef<Path>) -> io::Result<()> {
        self.io.get().connect(path)
    }

    /// Sets the one peer by its address, which may be an abstract name (on Linux).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect_addr(&self, addr: &SocketAddr) -> io::Result<()> {
        self.io.get().connect_addr(addr)
    }

    /// Returns the local address.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().local_addr()
    }

    /// Returns the address of the one peer.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get().peer_addr()
    }

    /// Closes one or both directions.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get().shutdown(how)
    }

    datagram!(SocketAddr);

    /// Sends `buf` to the socket at `path`; returns how much was sent, which is all of it.
    ///
    /// # Cancel safety
    ///
    /// Nothing was sent if it is dropped before it is ready.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        let path = path.as_ref();
        self.io
            .run(Direction::Write, |socket| {
                socket.send_to(buf, path).map(Done::more)
            })
            .await
    }

    /// Sends `buf` to `addr`, which may be an abstract name (on Linux).
    ///
    /// # Cancel safety
    ///
    /// Nothing was sent if it is dropped before it is ready.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn send_to_addr(&self, buf: &[u8], addr: &SocketAddr) -> io::Result<usize> {
        self.io
            .run(Direction::Write, |socket| {
                socket.send_to_addr(buf, addr).map(Done::more)
            })
            .await
    }

    /// Sends `buf` to the socket at `path`; see [`send_to`](Self::send_to).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        path: impl AsRef<Path>,
    ) -> Poll<io::Result<usize>> {
        let path = path.as_ref();
        self.io.poll(cx, Direction::Write, |socket| {
            socket.send_to(buf, path).map(Done::more)
        })
    }

    /// Sends `buf` to the socket at `path`, now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; otherwise what the system says.
    pub fn try_send_to(&self, buf: &[u8], path: impl AsRef<Path>) -> io::Result<usize> {
        self.io.try_now(Direction::Write, |socket| {
            socket.send_to(buf, path).map(Done::more)
        })
    }
}

socket_traits!(UnixDatagram);
