//! What the cases share: a server of one service, a client connection, a watchdog.

use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper::service::service_fn;
use hyper::{Request, Response};
use kumi_core::combine::timeout;
use kumi_core::net::{TcpListener, TcpStream};
use kumi_core::runtime::{Io, Runtime};
use kumi_core::task::{JoinHandle, SpawnExt};
use kumi_hyper::HyperIo;

pub(crate) type Body = Full<Bytes>;

/// Runs `case` to its end, which must come within half a minute.
pub(crate) fn run<R: Runtime>(runtime: &R, case: impl Future<Output = ()>) {
    let limit = Duration::from_secs(30);
    let ended = runtime.block_on(timeout(runtime, limit, case));
    ended.expect("the case hangs");
}

/// Answers with the body of the request.
pub(crate) async fn echo(request: Request<Incoming>) -> Result<Response<Body>, hyper::Error> {
    let body = request.into_body().collect().await?.to_bytes();
    Ok(Response::new(Full::new(body)))
}

/// An echo server over HTTP/1; dropping it ends it.
pub(crate) struct Server {
    pub(crate) addr: SocketAddr,
    accepted: Arc<AtomicUsize>,
    _task: JoinHandle<Infallible>,
}

impl Server {
    pub(crate) async fn start<R: Io>(rt: &R) -> Self {
        let (listener, addr) = listen(rt).await;
        let accepted = Arc::new(AtomicUsize::new(0));
        let (count, runtime) = (Arc::clone(&accepted), rt.clone());
        let task = rt.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                count.fetch_add(1, Ordering::Relaxed);
                let connection = hyper::server::conn::http1::Builder::new()
                    .serve_connection(HyperIo::new(stream), service_fn(echo));
                runtime.spawn(connection).detach();
            }
        });
        Self {
            addr,
            accepted,
            _task: task,
        }
    }

    /// How many connections it has accepted so far.
    pub(crate) fn accepted(&self) -> usize {
        self.accepted.load(Ordering::Relaxed)
    }
}

/// Listens on a port that the system chooses.
pub(crate) async fn listen<R: Io>(rt: &R) -> (TcpListener<R>, SocketAddr) {
    let listener = TcpListener::bind(rt, "127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    (listener, addr)
}

/// A connection of a client, driven by a task of its own.
pub(crate) async fn connect<R: Io>(rt: &R, addr: SocketAddr) -> SendRequest<Body> {
    let stream = TcpStream::connect(rt, addr).await.expect("a connection");
    let (sender, connection) = http1::handshake(HyperIo::new(stream))
        .await
        .expect("a handshake");
    rt.spawn(connection).detach();
    sender
}

/// A request with `body` in it.
pub(crate) fn post(body: Bytes) -> Request<Body> {
    Request::post("http://localhost/echo")
        .header("host", "localhost")
        .body(Full::new(body))
        .expect("a request")
}

/// Reads the whole body of `response`.
pub(crate) async fn body_of(response: Response<Incoming>) -> Bytes {
    response
        .into_body()
        .collect()
        .await
        .expect("a body")
        .to_bytes()
}

/// `len` bytes that are not all alike, so that one out of place is seen.
pub(crate) fn pattern(len: usize) -> Bytes {
    (0..len)
        .map(|i| (i ^ (i >> 8) ^ (i >> 16)).to_le_bytes()[0])
        .collect()
}
