//! Sockets on the ambient runtime.
//!
//! [`connect`] and [`listen`] find their runtime by themselves; the types are those of
//! [`kumi_core::net`], and with another runtime in hand `TcpStream::connect(&runtime, addr)` works as
//! well. The simulator has no sockets and says so with an error.

use std::io;
use std::net::SocketAddr;

use kumi_core::net;

use crate::backend::Backend;

pub use kumi_core::net::Target;

/// A TCP connection on any compiled-in backend.
pub type TcpStream = net::TcpStream<Backend>;

/// A listening TCP socket on any compiled-in backend.
pub type TcpListener = net::TcpListener<Backend>;

/// Connects to `addr` over TCP; a name is looked up, and its addresses are tried in order.
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
