//! Sockets on the ambient runtime.
//!
//! The functions here find their runtime by themselves; the types are those of [`kumi_core::net`],
//! which has more to say about them, and with another runtime in hand
//! `TcpStream::connect(&runtime, addr)` works as well. The simulator has no sockets and says so with
//! an error.
//!
//! | to | call |
//! |---|---|
//! | connect over TCP | [`connect`], [`connect_with`] settings |
//! | listen for TCP connections | [`listen`], [`listen_with`] settings |
//! | send datagrams | [`bind_udp`], [`bind_udp_with`] settings |
//! | talk to processes of this machine | [`connect_unix`], [`listen_unix`], [`bind_unix_datagram`] |
//! | look a name up | [`lookup`] |
//!
//! # Examples
//!
//! ```no_run
//! use std::time::Duration;
//! use kumi::net::{self, ConnectOptions};
//!
//! # async fn example() -> std::io::Result<()> {
//! let options = ConnectOptions::new().time_limit(Duration::from_secs(3));
//! let stream = net::connect_with(&options, "example.org:80").await?;
//! let (reader, writer) = stream.into_split();
//! # drop((reader, writer));
//! # Ok(())
//! # }
//! ```

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use kumi_core::net;

use crate::backend::Backend;

pub use kumi_core::net::{
    ByteStream, ConnectOptions, Keepalive, ListenOptions, ReadHalf, ReuniteError, Target,
    UdpOptions, WriteHalf,
};

/// A TCP connection on any compiled-in backend.
pub type TcpStream = net::TcpStream<Backend>;

/// A listening TCP socket on any compiled-in backend.
pub type TcpListener = net::TcpListener<Backend>;

/// A UDP socket on any compiled-in backend.
pub type UdpSocket = net::UdpSocket<Backend>;

/// A connection between Unix sockets on any compiled-in backend.
pub type UnixStream = net::UnixStream<Backend>;

/// A listening Unix socket on any compiled-in backend.
pub type UnixListener = net::UnixListener<Backend>;

/// A Unix socket for datagrams on any compiled-in backend.
pub type UnixDatagram = net::UnixDatagram<Backend>;

/// Connects to `addr` over TCP; a name is looked up, and of several addresses one after the other is
/// tried.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up and closes the socket.
///
/// # Errors
///
/// What the look-up and the system say; of several addresses, the last error.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
///
/// # Examples
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// let stream = kumi::net::connect("localhost:80").await?;
/// # Ok(())
/// # }
/// ```
pub async fn connect(addr: impl Into<Target>) -> io::Result<TcpStream> {
    TcpStream::connect(&Backend::current(), addr.into()).await
}

/// Connects to `addr` over TCP, with settings; see [`ConnectOptions::connect`].
///
/// # Cancel safety
///
/// Dropping it gives the attempt up and closes the socket.
///
/// # Errors
///
/// As [`connect`], and `TimedOut` after the time limit.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub async fn connect_with(
    options: &ConnectOptions,
    addr: impl Into<Target>,
) -> io::Result<TcpStream> {
    options.connect(&Backend::current(), addr.into()).await
}

/// Binds to `addr` over TCP and listens; port 0 lets the system choose one.
///
/// # Cancel safety
///
/// Dropping it closes the socket.
///
/// # Errors
///
/// What the look-up and the system say; of several addresses, the last error.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub async fn listen(addr: impl Into<Target>) -> io::Result<TcpListener> {
    TcpListener::bind(&Backend::current(), addr.into()).await
}

/// Binds to `addr` over TCP and listens, with settings; see [`ListenOptions::listen`].
///
/// # Cancel safety
///
/// Dropping it closes the socket.
///
/// # Errors
///
/// As [`listen`].
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub async fn listen_with(
    options: &ListenOptions,
    addr: impl Into<Target>,
) -> io::Result<TcpListener> {
    options.listen(&Backend::current(), addr.into()).await
}

/// Binds a UDP socket to `addr`; port 0 lets the system choose one.
///
/// # Cancel safety
///
/// Dropping it closes the socket.
///
/// # Errors
///
/// What the look-up and the system say; of several addresses, the last error.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub async fn bind_udp(addr: impl Into<Target>) -> io::Result<UdpSocket> {
    UdpSocket::bind(&Backend::current(), addr.into()).await
}

/// Binds a UDP socket to `addr`, with settings; see [`UdpOptions::bind`].
///
/// # Cancel safety
///
/// Dropping it closes the socket.
///
/// # Errors
///
/// As [`bind_udp`].
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub async fn bind_udp_with(options: &UdpOptions, addr: impl Into<Target>) -> io::Result<UdpSocket> {
    options.bind(&Backend::current(), addr.into()).await
}

/// Connects to the Unix socket at `path`.
///
/// # Cancel safety
///
/// Dropping it gives the attempt up and closes the socket.
///
/// # Errors
///
/// What the system says.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub async fn connect_unix(path: impl AsRef<Path>) -> io::Result<UnixStream> {
    UnixStream::connect(&Backend::current(), path).await
}

/// Binds a Unix socket to `path`, where no file may be, and listens. The file stays when the socket is
/// dropped.
///
/// # Errors
///
/// What the system says; `AddrInUse` if there is a file.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub fn listen_unix(path: impl AsRef<Path>) -> io::Result<UnixListener> {
    UnixListener::bind(&Backend::current(), path)
}

/// Binds a Unix socket for datagrams to `path`, where no file may be. The file stays when the socket is
/// dropped.
///
/// # Errors
///
/// What the system says; `AddrInUse` if there is a file.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub fn bind_unix_datagram(path: impl AsRef<Path>) -> io::Result<UnixDatagram> {
    UnixDatagram::bind(&Backend::current(), path)
}

/// Returns the addresses that `target` stands for, in the order in which to try them.
///
/// # Cancel safety
///
/// Dropping it loses the answer; the look-up itself runs on if it has started.
///
/// # Errors
///
/// What the resolver says.
///
/// # Panics
///
/// Outside of any runtime; the message names the fix.
pub async fn lookup(target: impl Into<Target>) -> io::Result<Vec<SocketAddr>> {
    net::lookup(&Backend::current(), target.into()).await
}
