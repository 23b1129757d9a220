//! A UDP socket.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::task::{Context, Poll};

use super::UdpOptions;
use super::addr::{Target, first_that_works, resolve};
use super::datagram::datagram;
use super::fd::{Fd, socket_methods, socket_traits};
use crate::runtime::{Direction, Done, Io};

/// A UDP socket.
///
/// Every method takes a shared reference, so any number of tasks may send and receive at once; of
/// those that wait through `poll_` methods, only the last in each direction is woken.
///
/// A datagram that is larger than the buffer is cut off: the rest of it is lost. Sending and receiving many
/// at once (GSO, GRO, ECN) is what `quinn-udp` does: it works on this socket, through
/// [`poll_io`](Self::poll_io), [`writable`](Self::writable), [`try_io`](Self::try_io) and the descriptor.
///
/// # Examples
///
/// ```no_run
/// use kumi_core::net::UdpSocket;
/// use kumi_core::runtime::Io;
///
/// async fn echo<R: Io>(rt: &R) -> std::io::Result<()> {
///     let socket = UdpSocket::bind(rt, "127.0.0.1:7").await?;
///     let mut buf = [0; 1500];
///     loop {
///         let (len, peer) = socket.recv_from(&mut buf).await?;
///         socket.send_to(&buf[..len], peer).await?;
///     }
/// }
/// ```
pub struct UdpSocket<R: Io> {
    runtime: R,
    io: Fd<R, std::net::UdpSocket>,
}

impl<R: Io> UdpSocket<R> {
    /// Binds to `addr`; port 0 lets the system choose one. For settings see [`UdpOptions`].
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
        UdpOptions::new().bind(runtime, addr)
    }

    /// Takes over a socket of the standard library and sets it to non-blocking mode.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn from_std(runtime: &R, socket: std::net::UdpSocket) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        Self::prepared(runtime, socket)
    }

    /// Takes over a socket that is in non-blocking mode.
    pub(super) fn prepared(runtime: &R, socket: std::net::UdpSocket) -> io::Result<Self> {
        Ok(Self {
            runtime: runtime.clone(),
            io: Fd::new(runtime, socket)?,
        })
    }

    socket_methods!(std::net::UdpSocket);

    /// Sets the one peer: [`send`](Self::send) sends to it, and only what comes from it is received.
    ///
    /// Nothing is sent, so of several addresses the first is taken that there is a route to.
    ///
    /// # Cancel safety
    ///
    /// Dropped before it is ready, it may have set the peer or not.
    ///
    /// # Errors
    ///
    /// What the look-up and the system say; of several addresses, the last error.
    pub async fn connect(&self, addr: impl Into<Target>) -> io::Result<()> {
        let addrs = resolve(self.runtime.clone(), addr.into()).await?;
        let connect = |addr| std::future::ready(self.io.get().connect(addr));
        first_that_works(addrs, connect).await
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

    datagram!(SocketAddr);

    /// Sends `buf` to `addr`; returns how much was sent, which is all of it.
    ///
    /// No name is looked up here; see [`lookup`](super::lookup).
    ///
    /// # Cancel safety
    ///
    /// Nothing was sent if it is dropped before it is ready.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        self.io
            .run(Direction::Write, |socket| {
                socket.send_to(buf, addr).map(Done::more)
            })
            .await
    }

    /// Sends `buf` to `addr`; see [`send_to`](Self::send_to).
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn poll_send_to(
        &self,
        cx: &mut Context<'_>,
        buf: &[u8],
        addr: SocketAddr,
    ) -> Poll<io::Result<usize>> {
        self.io.poll(cx, Direction::Write, |socket| {
            socket.send_to(buf, addr).map(Done::more)
        })
    }

    /// Sends `buf` to `addr`, now.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is no room; otherwise what the system says.
    pub fn try_send_to(&self, buf: &[u8], addr: SocketAddr) -> io::Result<usize> {
        self.io.try_now(Direction::Write, |socket| {
            socket.send_to(buf, addr).map(Done::more)
        })
    }

    /// Waits for a datagram and copies it to `buf` without taking it out.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn peek_from(&self, buf: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
        self.io
            .run(Direction::Read, |socket| {
                socket.peek_from(buf).map(Done::more)
            })
            .await
    }

    /// Waits for a datagram of the one peer and copies it to `buf` without taking it out.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub async fn peek(&self, buf: &mut [u8]) -> io::Result<usize> {
        self.io
            .run(Direction::Read, |socket| socket.peek(buf).map(Done::more))
            .await
    }
}

/// An option that the socket of the standard library has under the same name.
macro_rules! options {
    ($($(#[$doc:meta])* $get:ident, $set:ident: $type:ty;)*) => {
        impl<R: Io> UdpSocket<R> {
            $(
                $(#[$doc])*
                ///
                /// # Errors
                ///
                /// What the system says.
                pub fn $set(&self, value: $type) -> io::Result<()> {
                    self.io.get().$set(value)
                }

                #[doc = concat!("Returns what [`", stringify!($set), "`](Self::", stringify!($set), ") has set.")]
                ///
                /// # Errors
                ///
                /// What the system says.
                pub fn $get(&self) -> io::Result<$type> {
                    self.io.get().$get()
                }
            )*
        }
    };
}

options! {
    /// Allows sending to broadcast addresses.
    broadcast, set_broadcast: bool;
    /// Sets how many hops a packet may take (IPv4).
    ttl, set_ttl: u32;
    /// Sets whether multicasts that this socket sends come back to the groups of this host (IPv4).
    multicast_loop_v4, set_multicast_loop_v4: bool;
    /// Sets how many hops a multicast may take (IPv4); one by default: the local network.
    multicast_ttl_v4, set_multicast_ttl_v4: u32;
    /// Sets whether multicasts that this socket sends come back to the groups of this host (IPv6).
    multicast_loop_v6, set_multicast_loop_v6: bool;
}

impl<R: Io> UdpSocket<R> {
    /// Joins the multicast group `group` on the interface with the address `interface`; the system chooses
    /// one for `0.0.0.0`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn join_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.io.get().join_multicast_v4(group, interface)
    }

    /// Leaves the multicast group `group`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn leave_multicast_v4(&self, group: &Ipv4Addr, interface: &Ipv4Addr) -> io::Result<()> {
        self.io.get().leave_multicast_v4(group, interface)
    }

    /// Joins the multicast group `group` on the interface with the number `interface`; the system chooses
    /// one for 0.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn join_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get().join_multicast_v6(group, interface)
    }

    /// Leaves the multicast group `group`.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn leave_multicast_v6(&self, group: &Ipv6Addr, interface: u32) -> io::Result<()> {
        self.io.get().leave_multicast_v6(group, interface)
    }
}

socket_traits!(UdpSocket);
