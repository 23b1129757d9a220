//! A TCP connection.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::mem::MaybeUninit;
use std::net::{Shutdown, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_io::{AsyncRead, AsyncWrite};
use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::addr::{Target, resolve};
use crate::runtime::{Direction, Done, Io, Registered};

/// A TCP connection.
///
/// Reads and writes through the traits of `futures-io`, on the value or on a shared reference to it.
/// One task may read and one may write at the same time.
pub struct TcpStream<R: Io> {
    io: R::Registered<std::net::TcpStream>,
}

impl<R: Io> Unpin for TcpStream<R> {}

impl<R: Io> TcpStream<R> {
    /// Connects to `addr`; a name is looked up, and its addresses are tried in order.
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
        let (runtime, target) = (runtime.clone(), addr.into());
        async move {
            let mut last = None;
            for addr in resolve(runtime.clone(), target).await? {
                match Self::connect_to(&runtime, addr).await {
                    Ok(stream) => return Ok(stream),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.expect("a look-up that succeeds finds at least one address"))
        }
    }

    async fn connect_to(runtime: &R, addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        match socket.connect(&addr.into()) {
            Ok(()) => {}
            // An interrupted connect goes on by itself, like one that would block.
            Err(error) if is_in_progress(&error) => {}
            Err(error) => return Err(error),
        }
        let stream = Self {
            io: runtime.register(socket.into())?,
        };
        poll_fn(|cx| stream.io.poll_io(cx, Direction::Write, is_connected)).await?;
        stream.set_nodelay(true)?;
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
        Ok(Self {
            io: runtime.register(stream)?,
        })
    }

    /// Returns the local address.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Returns the address of the peer.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().peer_addr()
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`); they are by default.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn set_nodelay(&self, nodelay: bool) -> io::Result<()> {
        self.io.get_ref().set_nodelay(nodelay)
    }

    /// Returns whether small writes are sent at once.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn nodelay(&self) -> io::Result<bool> {
        self.io.get_ref().nodelay()
    }

    /// Closes one or both directions.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
        self.io.get_ref().shutdown(how)
    }

    /// Whether vectored writes reach the system as one call: they do.
    ///
    /// `futures-io` has no such question, so adapters ask here.
    #[must_use]
    pub const fn is_write_vectored(&self) -> bool {
        true
    }

    /// Reads into memory that need not be initialised; returns how many bytes were.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>> {
        let len = buf.len();
        self.retry(cx, Direction::Read, |socket| {
            SockRef::from(socket).recv(buf).map(|n| count(n, len))
        })
    }

    /// Waits until there may be something to read.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// If the runtime has been shut down.
    pub async fn readable(&self) -> io::Result<()> {
        self.io.ready(Direction::Read).await
    }

    /// Waits until there may be room to write.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// If the runtime has been shut down.
    pub async fn writable(&self) -> io::Result<()> {
        self.io.ready(Direction::Write).await
    }

    /// `poll_io` that does not hand out interruptions by signals.
    fn retry<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&std::net::TcpStream) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        loop {
            match ready!(self.io.poll_io(cx, direction, &mut op)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                done => return Poll::Ready(done),
            }
        }
    }
}

/// A transfer of `n` bytes out of `len` that were possible: fewer means that there was no more.
///
/// Not so for zero: the end of the stream is there again at the next read.
fn count(n: usize, len: usize) -> Done<usize> {
    Done {
        value: n,
        drained: 0 < n && n < len,
    }
}

fn is_in_progress(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    ) || error.raw_os_error() == Some(in_progress())
}

/// `EINPROGRESS`, which has no stable [`io::ErrorKind`].
fn in_progress() -> i32 {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        115
    } else {
        36
    }
}

/// Whether a connect in progress has ended: well, badly, or not yet.
fn is_connected(socket: &std::net::TcpStream) -> io::Result<Done<()>> {
    if let Some(error) = socket.take_error()? {
        return Err(error);
    }
    match socket.peer_addr() {
        Ok(_) => Ok(Done::more(())),
        Err(error) if error.kind() == io::ErrorKind::NotConnected => {
            Err(io::ErrorKind::WouldBlock.into())
        }
        Err(error) => Err(error),
    }
}

impl<R: Io> AsyncRead for &TcpStream<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let len = buf.len();
        self.retry(cx, Direction::Read, |mut socket| {
            socket.read(buf).map(|n| count(n, len))
        })
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.retry(cx, Direction::Read, |mut socket| {
            socket.read_vectored(bufs).map(|n| count(n, len))
        })
    }
}

impl<R: Io> AsyncWrite for &TcpStream<R> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.retry(cx, Direction::Write, |mut socket| {
            socket.write(buf).map(|n| count(n, buf.len()))
        })
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let len = bufs.iter().map(|buf| buf.len()).sum();
        self.retry(cx, Direction::Write, |mut socket| {
            socket.write_vectored(bufs).map(|n| count(n, len))
        })
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    /// Closes the direction for writing; the peer reads the end of the stream.
    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(())),
        }
    }
}

impl<R: Io> AsyncRead for TcpStream<R> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read(cx, buf)
    }

    fn poll_read_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_read_vectored(cx, bufs)
    }
}

impl<R: Io> AsyncWrite for TcpStream<R> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut &*self).poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_flush(cx)
    }

    fn poll_close(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut &*self).poll_close(cx)
    }
}

impl<R: Io> fmt::Debug for TcpStream<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpStream").field(self.io.get_ref()).finish()
    }
}
