//! hyper 1.x on any Kumi runtime.
//!
//! hyper brings no runtime of its own; it asks for a stream, an executor and a timer through the
//! traits of [`hyper::rt`]. Here they are, for every runtime that implements the contract of
//! `kumi-core`:
//!
//! | hyper asks for | take | needed for |
//! |---|---|---|
//! | [`Read`](hyper::rt::Read), [`Write`](hyper::rt::Write) | [`HyperIo`] around a socket of Kumi | everything |
//! | | [`FuturesIo`] around any other stream of `futures-io` | TLS, streams in memory |
//! | [`Executor`](hyper::rt::Executor) | [`HyperExecutor`], or [`HyperLocalExecutor`] for what is not `Send` | HTTP/2 |
//! | [`Timer`](hyper::rt::Timer) | [`HyperTimer`] | time limits, HTTP/2 keep-alive |
//!
//! # Example
//!
//! A server that works on every backend:
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//!
//! use hyper::server::conn::http1;
//! use hyper::service::service_fn;
//! use hyper::{Request, Response, body::Incoming};
//! use kumi_core::net::TcpListener;
//! use kumi_core::runtime::Io;
//! use kumi_core::task::SpawnExt;
//! use kumi_hyper::{HyperIo, HyperTimer};
//!
//! async fn hello(request: Request<Incoming>) -> Result<Response<String>, Infallible> {
//!     Ok(Response::new(format!("you asked for {}\n", request.uri().path())))
//! }
//!
//! async fn serve<R: Io>(rt: R) -> std::io::Result<()> {
//!     let listener = TcpListener::bind(&rt, "127.0.0.1:8080").await?;
//!     loop {
//!         let (stream, _) = listener.accept().await?;
//!         let connection = http1::Builder::new()
//!             .timer(HyperTimer::new(rt.clone()))
//!             .header_read_timeout(Duration::from_secs(10))
//!             .serve_connection(HyperIo::new(stream), service_fn(hello));
//!         rt.spawn(async move {
//!             if let Err(error) = connection.await {
//!                 eprintln!("a connection failed: {error}");
//!             }
//!         })
//!         .detach();
//!     }
//! }
//! ```
//!
//! # Is tokio in my program now?
//!
//! Its code in part, its runtime not. hyper itself uses the channels of `tokio::sync`, which work on
//! any executor, and HTTP/2 adds `tokio-util`, for the codec of its frames. Neither starts a thread,
//! asks for a reactor or needs `#[tokio::main]`: the tests of this crate run HTTP/1 and HTTP/2 on
//! every backend that has sockets.
//! Libraries that need a *running* tokio (reqwest, tonic's own transport, tokio-postgres) do not
//! become usable by this.
//!
//! # Traps
//!
//! What costs others time, and how it is here:
//!
//! - **40 ms per request.** A stream that claims vectored writes but forwards only the first slice
//!   makes hyper send a head and its body as two packets, and Nagle's algorithm together with
//!   delayed acknowledgements stalls each request for 40 ms. [`HyperIo`] claims them because its
//!   writes *are* one system call, [`FuturesIo`] claims nothing unless told to, and Kumi's sockets set
//!   `TCP_NODELAY`.
//! - **Zeroes.** A stream of `futures-io` reads into bytes, so hyper's buffer (8 KiB up to 400 KiB)
//!   has to be zeroed before each read, also when nothing arrives. [`FuturesIo`] does; [`HyperIo`]
//!   reads into uninitialised memory.
//! - **A read per poll.** hyper tries to read each time its task is polled. Kumi's backends remember
//!   that a socket has nothing, so such a try is no system call.
//! - **The other clock.** A timer of hyper whose `now` is the system's breaks under virtual time.
//!   [`HyperTimer`] gives the runtime's.
//! - **`Send + Sync`.** hyper's `Sleep` must be both, and the pooled client of `hyper-util` wants
//!   `Send` connections. Sleeps and sockets of Kumi are both on every backend, the single-threaded
//!   ones too.
//! - **A time limit that is configured but has no timer** makes hyper panic ("no timer set"): call
//!   `timer(...)` on the builder first.
//!
//! # How it ends
//!
//! A connection ends when its future is ready, or is dropped: then its socket is closed at once,
//! whatever was in flight. To end one gently call hyper's `graceful_shutdown` on the connection and
//! await it. Tasks of the executors are detached, so the end of a run cancels and awaits them.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![deny(unsafe_code)]

mod executor;
mod io;
#[cfg(unix)]
mod socket;
mod stream;
mod timer;

pub use executor::{HyperExecutor, HyperLocalExecutor};
#[cfg(unix)]
pub use socket::HyperIo;
pub use stream::FuturesIo;
pub use timer::{HyperSleep, HyperTimer};
