//! [`HyperIo`]: a socket of Kumi as a stream of hyper, with nothing in between.
//!
//! It ends as its socket does: dropping it closes the connection, hyper's shutdown closes the
//! direction for writing.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::rt::{Read, ReadBufCursor, Write};
use kumi_core::net::ByteStream;

use crate::io::fill_uninit;

/// A socket of Kumi, for hyper to read and write: a `TcpStream` or a `UnixStream`.
///
/// Reads go straight into hyper's buffer, which is neither zeroed before nor copied from after.
/// Vectored writes are one system call, and hyper is told so: a head and its body leave together
/// without being copied into one buffer.
///
/// For a stream that is no socket (TLS), see [`FuturesIo`](crate::FuturesIo).
///
/// # Examples
///
/// ```
/// use hyper::client::conn::http1::{self, SendRequest};
/// use kumi_core::net::TcpStream;
/// use kumi_core::runtime::Io;
/// use kumi_core::task::SpawnExt;
/// use kumi_hyper::HyperIo;
///
/// /// Connects to `addr` and lets a task of its own drive the connection.
/// async fn connect<R: Io>(rt: &R, addr: &str) -> Result<SendRequest<String>, Box<dyn std::error::Error>> {
///     let stream = TcpStream::connect(rt, addr).await?;
///     let (sender, connection) = http1::handshake(HyperIo::new(stream)).await?;
///     rt.spawn(connection).detach();
///     Ok(sender)
/// }
/// ```
#[derive(Debug)]
pub struct HyperIo<S> {
    socket: S,
}

impl<S> HyperIo<S> {
    /// Wraps `socket`.
    pub fn new(socket: S) -> Self {
        Self { socket }
    }

    /// Returns the socket, to ask for its addresses for example.
    pub fn get_ref(&self) -> &S {
        &self.socket
    }

    /// Returns the socket mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.socket
    }

    /// Returns the socket.
    ///
    /// What hyper has read beyond its last message is not in it any more: after an upgrade take
    /// `read_buf` of hyper's `Parts` as well.
    pub fn into_inner(self) -> S {
        self.socket
    }
}

impl<S: ByteStream> Read for HyperIo<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        fill_uninit(&self.socket, cx, buf)
    }
}

impl<S: ByteStream> Write for HyperIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_write(cx, buf)
    }

    fn is_write_vectored(&self) -> bool {
        // One system call: `ByteStream` promises it.
        true
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is kept back.
        Poll::Ready(Ok(()))
    }

    /// Closes the direction for writing; the peer reads the end of the stream.
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.socket.close_write())
    }
}
