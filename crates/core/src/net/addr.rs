//! Addresses: what can be connected or bound to, and the look-up of names.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6, ToSocketAddrs};

use crate::runtime::{Spawn, SpawnBlocking};

/// What can be connected or bound to: an address, or a name that has to be looked up.
///
/// [`TcpStream::connect`](super::TcpStream::connect) and
/// [`TcpListener::bind`](super::TcpListener::bind) take whatever converts to it: a [`SocketAddr`] or
/// its parts, a pair of host and port, text like `"example.org:80"`, or several addresses, which are tried
/// in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// An address: no look-up.
    Addr(SocketAddr),
    /// Several addresses: no look-up either.
    Addrs(Vec<SocketAddr>),
    /// A name with a port, as `host:port`: looked up on a thread that may block.
    Name(String),
}

macro_rules! from_addr {
    ($($type:ty),*) => {$(
        impl From<$type> for Target {
            fn from(addr: $type) -> Self {
                Self::Addr(addr.into())
            }
        }
    )*};
}

from_addr!(
    SocketAddr,
    SocketAddrV4,
    SocketAddrV6,
    (IpAddr, u16),
    (Ipv4Addr, u16),
    (Ipv6Addr, u16)
);

impl From<Vec<SocketAddr>> for Target {
    fn from(addrs: Vec<SocketAddr>) -> Self {
        Self::Addrs(addrs)
    }
}

impl From<&[SocketAddr]> for Target {
    fn from(addrs: &[SocketAddr]) -> Self {
        Self::Addrs(addrs.to_vec())
    }
}

impl<const N: usize> From<[SocketAddr; N]> for Target {
    fn from(addrs: [SocketAddr; N]) -> Self {
        Self::Addrs(addrs.into())
    }
}

impl From<&str> for Target {
    fn from(text: &str) -> Self {
        text.parse()
            .map_or_else(|_| Self::Name(text.to_owned()), Self::Addr)
    }
}

impl From<String> for Target {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<&String> for Target {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<(&str, u16)> for Target {
    fn from((host, port): (&str, u16)) -> Self {
        match host.parse::<IpAddr>() {
            Ok(ip) => Self::Addr((ip, port).into()),
            Err(_) => Self::Name(format!("{host}:{port}")),
        }
    }
}

/// Returns the addresses that `target` stands for, in the order in which to try them.
///
/// A name is looked up by the system's resolver, on a thread of `runtime` that may block.
///
/// # Cancel safety
///
/// Dropping it loses the answer; the look-up itself runs on if it has started.
///
/// # Errors
///
/// What the resolver says; `InvalidInput` for text without a port, `NotFound` if there is no address.
pub fn lookup<R: Spawn + SpawnBlocking, A: Into<Target>>(
    runtime: &R,
    target: A,
) -> impl Future<Output = io::Result<Vec<SocketAddr>>> + Send + use<R, A> {
    resolve(runtime.clone(), target.into())
}

/// The body of [`lookup`].
pub(crate) async fn resolve<R: Spawn + SpawnBlocking>(
    runtime: R,
    target: Target,
) -> io::Result<Vec<SocketAddr>> {
    use crate::task::TaskBuilder;
    let name = match target {
        Target::Addr(addr) => return Ok(vec![addr]),
        Target::Addrs(addrs) if addrs.is_empty() => return Err(nothing("an empty list")),
        Target::Addrs(addrs) => return Ok(addrs),
        Target::Name(name) => name,
    };
    let builder = TaskBuilder::new().name(format!("look-up of {name}"));
    let found = builder.spawn_blocking_on(&runtime, move || {
        let addrs: Vec<_> = name.to_socket_addrs()?.collect();
        if addrs.is_empty() {
            return Err(nothing(&format!("`{name}`")));
        }
        Ok(addrs)
    });
    found.await?
}

fn nothing(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::NotFound, format!("{what} has no address"))
}

/// Tries one address after the other; the last error if none works. `addrs` is not empty.
pub(super) async fn first_that_works<T, F>(
    addrs: Vec<SocketAddr>,
    mut attempt: impl FnMut(SocketAddr) -> F,
) -> io::Result<T>
where
    F: Future<Output = io::Result<T>>,
{
    let mut last = None;
    for addr in addrs {
        match attempt(addr).await {
            Ok(value) => return Ok(value),
            Err(error) => last = Some(error),
        }
    }
    Err(last.expect("a look-up that succeeds finds at least one address"))
}
