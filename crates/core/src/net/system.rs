//! System calls that the standard library has no form for, or one that costs more of them.

use std::ffi::OsStr;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net as unix;

use socket2::{SockAddr, SockRef};

/// Accepts a connection: in non-blocking mode, and without delay as the listener.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    // One call; and `TCP_NODELAY` is inherited.
    let flags = libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    let (socket, peer) = SockRef::from(listener).accept4(flags)?;
    let peer = peer.as_socket();
    let peer = peer.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok((socket.into(), peer))
}

/// Accepts a connection: in non-blocking mode, and without delay if the listener has none.
#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn accept_tcp(listener: &TcpListener) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, peer) = listener.accept()?;
    stream.set_nonblocking(true)?;
    // Some systems refuse it if the peer is gone already; reading will say so.
    let nodelay = SockRef::from(listener).tcp_nodelay().unwrap_or(true);
    let _ = stream.set_nodelay(nodelay);
    Ok((stream, peer))
}

/// Whether a connect goes on by itself.
pub(super) fn is_in_progress(error: &io::Error) -> bool {
    // The last two are answers to a second call, after one that was interrupted.
    let codes = [libc::EINPROGRESS, libc::EALREADY, libc::EISCONN];
    error
        .raw_os_error()
        .is_some_and(|code| codes.contains(&code))
}

/// The address of a Unix socket in the form of `socket2`: a path, or an abstract name.
pub(super) fn unix_addr(addr: &unix::SocketAddr) -> io::Result<SockAddr> {
    if let Some(path) = addr.as_pathname() {
        return SockAddr::unix(path);
    }
    if let Some(name) = abstract_name(addr) {
        let mut bytes = vec![0];
        bytes.extend(name);
        return SockAddr::unix(OsStr::from_bytes(&bytes));
    }
    let text = "a socket without a name cannot be connected to";
    Err(io::Error::new(io::ErrorKind::InvalidInput, text))
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn abstract_name(addr: &unix::SocketAddr) -> Option<&[u8]> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    addr.as_abstract_name()
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn abstract_name(_: &unix::SocketAddr) -> Option<&[u8]> {
    None
}
