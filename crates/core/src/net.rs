//! Sockets, written once for every runtime that has [`Io`](crate::runtime::Io).
//!
//! [`TcpStream`] and [`TcpListener`] carry their runtime in their type and are `Send + Sync`.
//! They implement the traits of `futures-io`, also by shared reference, so one task may read while
//! another writes. Vectored writes are real (and [`TcpStream::is_write_vectored`] says so: a wrapper
//! that claims them without forwarding them costs HTTP 40 ms per request), `TCP_NODELAY` is set, and
//! a read that fills less than its buffer saves the system call that would only say "would block".
//!
//! A socket ends when it is dropped: its registration first, then its descriptor.

mod addr;
mod tcp_listener;
mod tcp_stream;

pub use addr::{Target, lookup};
pub use tcp_listener::TcpListener;
pub use tcp_stream::TcpStream;
