//! A connection between Unix sockets.

use std::future::Future;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::os::unix::net::SocketAddr;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::{Domain, SockAddr, SockRef, Socket, Type};

use super::byte_stream::{ByteStream, byte_stream, byte_traits, count, sealed::Sealed};
use super::fd::{Fd, socket_methods, socket_traits};
use super::system::{is_in_progress, unix_addr};
use super::{ReadHalf, WriteHalf};
use crate::runtime::{Direction, Done, Io};

/// How long to wait for room in the queue of a listener, at first and at most.
const FIRST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_millis(50);

/// A connection between Unix sockets.
///
/// Reads and writes as a [`TcpStream`](super::TcpStream) does.
///
/// Who the peer is, the system can say: `rustix::net::sockopt::socket_peercred(&stream)` on Linux, for
/// example, since a stream is [`AsFd`](std::os::fd::AsFd).
pub struct UnixStream<R: Io> {
    io: Fd<R, std::os::unix::net::UnixStream>,
}

impl<R: Io> UnixStream<R> {
    /// Connects to the socket at `path`.
    ///
    /// A listener whose queue is full is tried again, after 1 ms, doubling up to 50 ms: the kernel says
    /// "would block" then, and has no event for when there is room.
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up and closes the socket.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn connect(
        runtime: &R,
        path: impl AsRef<Path>,
    ) -> impl Future<Output = io::Result<Self>> + Send {
        Self::connect_sock_addr(runtime.clone(), SockAddr::unix(path.as_ref()))
    }

    /// Connects to `addr`, which may be an abstract name (on Linux); see [`connect`](Self::connect).
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up and closes the socket.
    ///
    /// # Errors
    ///
    /// What the system says; `InvalidInput` if the address has no name.
    pub fn connect_addr(
        runtime: &R,
        addr: &SocketAddr,
    ) -> impl Future<Output = io::Result<Self>> + Send + use<R> {
        Self::connect_sock_addr(runtime.clone(), unix_addr(addr))
    }

    async fn connect_sock_addr(runtime: R, addr: io::Result<SockAddr>) -> io::Result<Self> {
        let addr = addr?;
        let socket = Socket::new(Domain::UNIX, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let mut pause = FIRST;
        let connected = loop {
            match socket.connect(&addr) {
                Ok(()) => break true,
                // Some systems connect later.
                Err(error) if is_in_progress(&error) => break false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    runtime.sleep(pause).await;
                    pause = (pause * 2).min(LONGEST);
                }
                Err(error) => return Err(error),
            }
        };
        let stream = Self {
            io: Fd::new(&runtime, socket.into())?,
        };
        if !connected {
            stream.io.run(Direction::Write, is_connected).await?;
        }
        Ok(stream)
    }

    /// Makes two sockets that are connected with each other.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn pair(runtime: &R) -> io::Result<(Self, Self)> {
        let (one, other) = std::os::unix::net::UnixStream::pair()?;
        Ok((
            Self::from_std(runtime, one)?,
            Self::from_std(runtime, other)?,
        ))
    }

    /// Takes over a connected socket of the standard library and sets it to non-blocking mode.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(runtime: &R, stream: std::os::unix::net::UnixStream) -> io::Result<Self> {
        stream.set_nonblocking(true)?;
        Ok(Self {
            io: Fd::new(runtime, stream)?,
        })
    }

    socket_methods!(std::os::unix::net::UnixStream);

    /// Returns the local address, which is mostly without a name.
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
}

byte_stream!(UnixStream);
socket_traits!(UnixStream);

/// Whether a connect in progress has ended: well, badly, or not yet.
fn is_connected(socket: &std::os::unix::net::UnixStream) -> io::Result<Done<()>> {
    match socket.peer_addr() {
        Ok(_) => Ok(Done::more(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            let failed = socket.take_error()?;
            Err(failed.unwrap_or_else(|| io::ErrorKind::WouldBlock.into()))
        }
        Err(error) => Err(error),
    }
}
