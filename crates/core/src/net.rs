//! Sockets, written once for every runtime that has [`Io`](crate::runtime::Io).
//!
//! | to | take | with settings |
//! |---|---|---|
//! | connect over TCP | [`TcpStream::connect`] | [`ConnectOptions`] |
//! | listen for TCP connections | [`TcpListener::bind`] | [`ListenOptions`] |
//! | send datagrams | [`UdpSocket::bind`] | [`UdpOptions`] |
//! | talk to processes of this machine | [`UnixStream`], [`UnixListener`], [`UnixDatagram`] | |
//! | look a name up | [`lookup`] | |
//!
//! All carry their runtime in their type and are `Send + Sync`. Each can be made of a socket of the
//! standard library and turned back into one, and is [`AsFd`](std::os::fd::AsFd), for settings that have no
//! method here.
//!
//! # Streams
//!
//! Streams implement the traits of `futures-io`, also by shared reference, so one task may read while
//! another writes; [`into_split`](TcpStream::into_split) gives two halves that own. Vectored writes
//! are real (and [`TcpStream::is_write_vectored`] says so: a wrapper that claims them without
//! forwarding them costs HTTP 40 ms per request), `TCP_NODELAY` is set, and a read that fills less
//! than its buffer saves the system call that would only say "would block". With the feature `tokio-io`
//! they implement `tokio::io::{AsyncRead, AsyncWrite}` too; the crate `kumi-hyper` has the traits of hyper.
//!
//! # Waiting
//!
//! `poll_` methods and the traits keep one waker per direction, the last. The async methods
//! (`accept`, `recv_from`, `readable`, ...) may be awaited by any number of tasks at once.
//!
//! Every operation is a checkpoint: in a scope that was cancelled it takes nothing, and a task that
//! never finds its socket empty gives way to others now and then; see
//! [`poll_checkpoint`](crate::cancel::poll_checkpoint).
//!
//! # Faults
//!
//! An interruption by a signal is not handed out. What [`TcpListener`] does about errors while
//! accepting is said there. A name is looked up on a thread that may block, so the loop goes on meanwhile.
//!
//! # The end
//!
//! A socket ends when it is dropped: its registration first, then its descriptor. An event that the
//! kernel had for it, and that comes in later, finds nobody, also if the descriptor's number is in
//! use again.

mod accept;
mod addr;
mod byte_stream;
mod datagram;
mod fd;
mod halves;
mod options;
mod system;
mod tcp_listener;
mod tcp_stream;
mod udp_socket;
mod unix_datagram;
mod unix_listener;
mod unix_stream;

pub use addr::{Target, lookup};
pub use byte_stream::ByteStream;
pub use halves::{ReadHalf, ReuniteError, WriteHalf};
pub use options::{ConnectOptions, Keepalive, ListenOptions, UdpOptions};
pub use tcp_listener::{TcpIncoming, TcpListener};
pub use tcp_stream::TcpStream;
pub use udp_socket::UdpSocket;
pub use unix_datagram::UnixDatagram;
pub use unix_listener::{UnixIncoming, UnixListener};
pub use unix_stream::UnixStream;
