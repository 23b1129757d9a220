//! A listening TCP socket.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, Socket, Type};

use super::TcpStream;
use super::addr::{Target, resolve};
use crate::runtime::{Direction, Done, Io, Registered};

/// How many connections the kernel queues before they are accepted.
const BACKLOG: i32 = 1024;

/// A TCP socket that accepts connections.
pub struct TcpListener<R: Io> {
    runtime: R,
    io: R::Registered<std::net::TcpListener>,
}

impl<R: Io> TcpListener<R> {
    /// Binds to `addr` and listens; port 0 lets the system choose one.
    ///
    /// `SO_REUSEADDR` is set, so that a server can be started again at once.
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
        let (runtime, target) = (runtime.clone(), addr.into());
        async move {
            let mut last = None;
            for addr in resolve(runtime.clone(), target).await? {
                match Self::bind_to(&runtime, addr) {
                    Ok(listener) => return Ok(listener),
                    Err(error) => last = Some(error),
                }
            }
            Err(last.expect("a look-up that succeeds finds at least one address"))
        }
    }

    fn bind_to(runtime: &R, addr: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())?;
        socket.listen(BACKLOG)?;
        Self::from_std(runtime, socket.into())
    }

    /// Takes over a listening socket of the standard library and sets it to non-blocking mode.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(runtime: &R, listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        Ok(Self {
            runtime: runtime.clone(),
            io: runtime.register(listener)?,
        })
    }

    /// Returns the address that it is bound to.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.io.get_ref().local_addr()
    }

    /// Accepts one connection; see [`accept`](Self::accept).
    ///
    /// Of two tasks that wait through this method, only the last is woken.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub fn poll_accept(
        &self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(TcpStream<R>, SocketAddr)>> {
        loop {
            let accepted = self.io.poll_io(cx, Direction::Read, |socket| {
                socket.accept().map(Done::more)
            });
            match std::task::ready!(accepted) {
                Ok((stream, peer)) => {
                    let stream = TcpStream::from_std(&self.runtime, stream);
                    return Poll::Ready(stream.map(|stream| (stream, peer)));
                }
                // The peer went away while it waited in the queue: no business of the caller's.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    /// Waits for a connection and returns it with the address of the peer.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped: a connection stays in the kernel's queue until it is
    /// returned.
    ///
    /// # Errors
    ///
    /// What the system says. Too many open files (`EMFILE`) leaves the connection in the queue, so
    /// that calling again at once fails again: wait a little first.
    pub async fn accept(&self) -> io::Result<(TcpStream<R>, SocketAddr)> {
        poll_fn(|cx| self.poll_accept(cx)).await
    }
}

impl<R: Io> fmt::Debug for TcpListener<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TcpListener")
            .field(self.io.get_ref())
            .finish()
    }
}
