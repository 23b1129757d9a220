//! Settings of sockets that have to be made before they are bound or connected.
//!
//! [`ConnectOptions`], [`ListenOptions`] and [`UdpOptions`] are plain values, good for any number of
//! sockets and any runtime. What they do not have can be set on a socket of `socket2` before it is
//! handed over, by [`TcpStream::connect_socket`] or the `from_std` of each type, or later through the
//! descriptor (each type is [`AsFd`](std::os::fd::AsFd)).

use std::future::{Future, ready};
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};

use super::addr::{Target, first_that_works, resolve};
use super::{TcpListener, TcpStream, UdpSocket};
use crate::combine::timeout;
use crate::runtime::Io;

/// How many connections the kernel queues before they are accepted.
pub(super) const BACKLOG: u32 = 1024;

/// What every kind of socket can be told.
#[derive(Debug, Clone, Default)]
struct Common {
    reuse_address: Option<bool>,
    reuse_port: bool,
    recv_buffer: Option<usize>,
    send_buffer: Option<usize>,
    ttl: Option<u32>,
    only_v6: Option<bool>,
}

impl Common {
    /// A non-blocking socket with these settings.
    fn socket(&self, addr: SocketAddr, ty: Type, protocol: Protocol) -> io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(addr), ty, Some(protocol))?;
        socket.set_nonblocking(true)?;
        if let Some(reuse) = self.reuse_address {
            socket.set_reuse_address(reuse)?;
        }
        if self.reuse_port {
            reuse_port(&socket)?;
        }
        if let Some(size) = self.recv_buffer {
            socket.set_recv_buffer_size(size)?;
        }
        if let Some(size) = self.send_buffer {
            socket.set_send_buffer_size(size)?;
        }
        match self.ttl {
            Some(ttl) if addr.is_ipv4() => socket.set_ttl_v4(ttl)?,
            Some(hops) => socket.set_unicast_hops_v6(hops)?,
            None => {}
        }
        match self.only_v6 {
            Some(only) if addr.is_ipv6() => socket.set_only_v6(only)?,
            _ => {}
        }
        Ok(socket)
    }
}

#[cfg(not(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin")))]
fn reuse_port(socket: &Socket) -> io::Result<()> {
    socket.set_reuse_port(true)
}

#[cfg(any(target_os = "solaris", target_os = "illumos", target_os = "cygwin"))]
fn reuse_port(_: &Socket) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// The setters of [`Common`].
macro_rules! common_options {
    () => {
        /// Sets `SO_REUSEADDR`: an address may be bound while connections of an earlier socket are
        /// still in their last state (`TIME_WAIT`). Listeners do by default.
        pub fn reuse_address(mut self, reuse: bool) -> Self {
            self.common.reuse_address = Some(reuse);
            self
        }

        /// Sets `SO_REUSEPORT`: several sockets of one user may bind the same address. The kernel
        /// (Linux, the BSDs) spreads connections or datagrams over them, so that each thread or process can
        /// have its own.
        pub fn reuse_port(mut self, reuse: bool) -> Self {
            self.common.reuse_port = reuse;
            self
        }

        /// Sets how many bytes the kernel keeps that were not read yet (`SO_RCVBUF`). Linux doubles it.
        pub fn recv_buffer_size(mut self, bytes: usize) -> Self {
            self.common.recv_buffer = Some(bytes);
            self
        }

        /// Sets how many bytes the kernel keeps that were not sent yet (`SO_SNDBUF`). Linux doubles it.
        pub fn send_buffer_size(mut self, bytes: usize) -> Self {
            self.common.send_buffer = Some(bytes);
            self
        }

        /// Sets how many hops a packet may take (`IP_TTL`, `IPV6_UNICAST_HOPS`).
        pub fn ttl(mut self, hops: u32) -> Self {
            self.common.ttl = Some(hops);
            self
        }
    };
}

/// When a connection on which nothing happens is probed, and when it is given up.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use kumi_core::net::Keepalive;
///
/// let keepalive = Keepalive::after(Duration::from_secs(60))
///     .interval(Duration::from_secs(10))
///     .retries(3);
/// # let _ = keepalive;
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until it is given to a socket"]
pub struct Keepalive {
    idle: Duration,
    interval: Option<Duration>,
    retries: Option<u32>,
}

impl Keepalive {
    /// Probes for the first time after `idle` without traffic. Whole seconds count.
    pub fn after(idle: Duration) -> Self {
        Self {
            idle,
            interval: None,
            retries: None,
        }
    }

    /// Probes again after `interval` without an answer.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = Some(interval);
        self
    }

    /// Gives up after `retries` probes without an answer. Systems that have no such setting ignore it.
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = Some(retries);
        self
    }

    pub(super) fn set(&self, socket: &Socket) -> io::Result<()> {
        let mut params = TcpKeepalive::new().with_time(self.idle);
        if let Some(interval) = self.interval {
            params = params.with_interval(interval);
        }
        #[cfg(any(
            target_os = "android",
            target_os = "freebsd",
            target_os = "ios",
            target_os = "linux",
            target_os = "macos",
            target_os = "netbsd",
        ))]
        if let Some(retries) = self.retries {
            params = params.with_retries(retries);
        }
        socket.set_tcp_keepalive(&params)
    }
}

/// How to make a TCP connection: from which address, within which time, with which settings.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use kumi_core::net::{ConnectOptions, TcpStream};
/// use kumi_core::runtime::Io;
///
/// async fn connect<R: Io>(rt: &R) -> std::io::Result<TcpStream<R>> {
///     ConnectOptions::new()
///         .time_limit(Duration::from_secs(3))
///         .connect(rt, "example.org:80")
///         .await
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until it connects"]
pub struct ConnectOptions {
    common: Common,
    local: Option<SocketAddr>,
    limit: Option<Duration>,
    nodelay: bool,
    keepalive: Option<Keepalive>,
    linger: Option<Duration>,
}

impl Default for ConnectOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ConnectOptions {
    /// The settings of [`TcpStream::connect`]: any local address, no time limit, no delay.
    pub fn new() -> Self {
        Self {
            common: Common::default(),
            local: None,
            limit: None,
            nodelay: true,
            keepalive: None,
            linger: None,
        }
    }

    common_options!();

    /// Connects from this address; port 0 lets the system choose one.
    ///
    /// Only addresses of the same family are then tried.
    pub fn local_addr(mut self, addr: SocketAddr) -> Self {
        self.local = Some(addr);
        self
    }

    /// Gives each attempt so long, by the clock of the runtime; there is one attempt per address.
    ///
    /// Without it the system decides, and takes two minutes on Linux. A limit on everything together,
    /// the look-up too, is a [`timeout`] around it.
    pub fn time_limit(mut self, limit: Duration) -> Self {
        self.limit = Some(limit);
        self
    }

    /// Sets whether small writes are sent at once (`TCP_NODELAY`); they are by default.
    pub fn nodelay(mut self, nodelay: bool) -> Self {
        self.nodelay = nodelay;
        self
    }

    /// Probes the connection while nothing happens.
    pub fn keepalive(mut self, keepalive: Keepalive) -> Self {
        self.keepalive = Some(keepalive);
        self
    }

    /// Sets `SO_LINGER`; see [`TcpStream::set_linger`].
    pub fn linger(mut self, linger: Duration) -> Self {
        self.linger = Some(linger);
        self
    }

    /// Connects to `addr`; a name is looked up, and of several addresses one after the other is tried,
    /// in their order, until one works.
    ///
    /// (One at a time: there is no race between IPv6 and IPv4, as in RFC 8305. With a
    /// [`time_limit`](Self::time_limit), an address that does not answer holds the next one up for no longer
    /// than that.)
    ///
    /// # Cancel safety
    ///
    /// Dropping it gives the attempt up and closes the socket.
    ///
    /// # Errors
    ///
    /// What the look-up and the system say; of several addresses, the last error. `TimedOut` after the
    /// time limit. `InvalidInput` if no address is of the family of the local one.
    pub fn connect<R: Io, A: Into<Target>>(
        &self,
        runtime: &R,
        addr: A,
    ) -> impl Future<Output = io::Result<TcpStream<R>>> + Send + use<R, A> {
        let (options, runtime, target) = (self.clone(), runtime.clone(), addr.into());
        async move {
            let mut addrs = resolve(runtime.clone(), target).await?;
            if let Some(local) = options.local {
                addrs.retain(|addr| addr.is_ipv4() == local.is_ipv4());
                if addrs.is_empty() {
                    let text = format!("no address of the family of the local address {local}");
                    return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
                }
            }
            first_that_works(addrs, |addr| options.attempt(&runtime, addr)).await
        }
    }

    /// One attempt, within its time.
    async fn attempt<R: Io>(&self, runtime: &R, addr: SocketAddr) -> io::Result<TcpStream<R>> {
        let socket = self.common.socket(addr, Type::STREAM, Protocol::TCP)?;
        if let Some(local) = self.local {
            socket.bind(&local.into())?;
        }
        if let Some(keepalive) = &self.keepalive {
            keepalive.set(&socket)?;
        }
        if self.linger.is_some() {
            socket.set_linger(self.linger)?;
        }
        socket.set_tcp_nodelay(self.nodelay)?;
        let connect = TcpStream::connect_prepared(runtime, socket, addr);
        match self.limit {
            None => connect.await,
            Some(limit) => match timeout(runtime, limit, connect).await {
                Ok(connected) => connected,
                Err(_) => {
                    let text = format!("{addr} did not answer within {limit:?}");
                    Err(io::Error::new(io::ErrorKind::TimedOut, text))
                }
            },
        }
    }
}

/// How to listen for TCP connections.
///
/// # Examples
///
/// ```no_run
/// use kumi_core::net::{ListenOptions, TcpListener};
/// use kumi_core::runtime::Io;
///
/// /// One of several listeners of the same address, each on a runtime of its own.
/// async fn listen<R: Io>(rt: &R) -> std::io::Result<TcpListener<R>> {
///     ListenOptions::new()
///         .reuse_port(true)
///         .backlog(4096)
///         .listen(rt, "0.0.0.0:80")
///         .await
/// }
/// ```
#[derive(Debug, Clone)]
#[must_use = "it does nothing until it listens"]
pub struct ListenOptions {
    common: Common,
    backlog: u32,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl ListenOptions {
    /// The settings of [`TcpListener::bind`]: addresses are reused, and 1024 connections may wait.
    pub fn new() -> Self {
        Self {
            common: Common {
                reuse_address: Some(true),
                ..Common::default()
            },
            backlog: BACKLOG,
        }
    }

    common_options!();

    /// Sets how many connections may wait to be accepted. The system has a limit of its own
    /// (`somaxconn` on Linux).
    pub fn backlog(mut self, connections: u32) -> Self {
        self.backlog = connections;
        self
    }

    /// Sets whether an IPv6 socket leaves IPv4 alone; the system decides if this is not called.
    pub fn only_v6(mut self, only: bool) -> Self {
        self.common.only_v6 = Some(only);
        self
    }

    /// Binds to `addr` and listens; port 0 lets the system choose one. Of several addresses the first
    /// that works is taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the socket.
    ///
    /// # Errors
    ///
    /// What the look-up and the system say; of several addresses, the last error.
    pub fn listen<R: Io, A: Into<Target>>(
        &self,
        runtime: &R,
        addr: A,
    ) -> impl Future<Output = io::Result<TcpListener<R>>> + Send + use<R, A> {
        let (options, runtime, target) = (self.clone(), runtime.clone(), addr.into());
        async move {
            let addrs = resolve(runtime.clone(), target).await?;
            first_that_works(addrs, |addr| ready(options.listen_on(&runtime, addr))).await
        }
    }

    fn listen_on<R: Io>(&self, runtime: &R, addr: SocketAddr) -> io::Result<TcpListener<R>> {
        let socket = self.common.socket(addr, Type::STREAM, Protocol::TCP)?;
        socket.bind(&addr.into())?;
        // Accepted connections inherit it.
        socket.set_tcp_nodelay(true)?;
        socket.listen(i32::try_from(self.backlog).unwrap_or(i32::MAX))?;
        TcpListener::prepared(runtime, socket.into())
    }
}

/// How to make a UDP socket.
///
/// # Examples
///
/// ```no_run
/// use kumi_core::net::{UdpOptions, UdpSocket};
/// use kumi_core::runtime::Io;
///
/// async fn bind<R: Io>(rt: &R) -> std::io::Result<UdpSocket<R>> {
///     UdpOptions::new()
///         .recv_buffer_size(1 << 20)
///         .bind(rt, "[::]:4433")
///         .await
/// }
/// ```
#[derive(Debug, Clone, Default)]
#[must_use = "it does nothing until it binds"]
pub struct UdpOptions {
    common: Common,
    broadcast: bool,
}

impl UdpOptions {
    /// The settings of [`UdpSocket::bind`]: what the system does by itself.
    pub fn new() -> Self {
        Self::default()
    }

    common_options!();

    /// Sets whether an IPv6 socket leaves IPv4 alone; the system decides if this is not called.
    pub fn only_v6(mut self, only: bool) -> Self {
        self.common.only_v6 = Some(only);
        self
    }

    /// Allows sending to broadcast addresses.
    pub fn broadcast(mut self, broadcast: bool) -> Self {
        self.broadcast = broadcast;
        self
    }

    /// Binds to `addr`; port 0 lets the system choose one. Of several addresses the first that works is
    /// taken.
    ///
    /// # Cancel safety
    ///
    /// Dropping it closes the socket.
    ///
    /// # Errors
    ///
    /// What the look-up and the system say; of several addresses, the last error.
    pub fn bind<R: Io, A: Into<Target>>(
        &self,
        runtime: &R,
        addr: A,
    ) -> impl Future<Output = io::Result<UdpSocket<R>>> + Send + use<R, A> {
        let (options, runtime, target) = (self.clone(), runtime.clone(), addr.into());
        async move {
            let addrs = resolve(runtime.clone(), target).await?;
            first_that_works(addrs, |addr| ready(options.bind_to(&runtime, addr))).await
        }
    }

    fn bind_to<R: Io>(&self, runtime: &R, addr: SocketAddr) -> io::Result<UdpSocket<R>> {
        let socket = self.common.socket(addr, Type::DGRAM, Protocol::UDP)?;
        if self.broadcast {
            socket.set_broadcast(true)?;
        }
        socket.bind(&addr.into())?;
        UdpSocket::prepared(runtime, socket.into())
    }
}
