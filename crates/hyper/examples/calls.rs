//! HTTP requests in one thread, client and server, for counting what they cost.
//!
//! ```text
//! cargo build --release -p kumi-hyper --example calls
//! strace -f -c -o calls.txt target/release/examples/calls loop 32 300
//! ```
//!
//! The arguments are the backend (`loop`, `smol`, `tokio`, or `native`: tokio without Kumi), the number
//! of connections, and the requests over each. Each request has a body of 64 bytes and gets it back.
//! Divide the difference between two runs with different numbers of requests by that of the requests:
//! then what the start costs is not counted.
#![cfg(unix)]
#![allow(clippy::print_stdout, reason = "it is a program")]

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper::service::service_fn;
use hyper::{Request, Response};
use kumi_core::net::{TcpListener, TcpStream};
use kumi_core::runtime::Io;
use kumi_core::task::SpawnExt;
use kumi_hyper::HyperIo;

const BODY: [u8; 64] = [b'k'; 64];

async fn echo(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let body = request.into_body().collect().await.expect("a body");
    Ok(Response::new(Full::new(body.to_bytes())))
}

async fn serve(stream: impl Read + Write + Unpin) {
    let connection = hyper::server::conn::http1::Builder::new();
    let _ = connection.serve_connection(stream, service_fn(echo)).await;
}

/// Sends `requests` over one connection, which `spawn` drives.
async fn ask<S>(
    stream: S,
    requests: usize,
    spawn: impl FnOnce(Pin<Box<dyn Future<Output = ()> + Send>>),
) where
    S: Read + Write + Unpin + Send + 'static,
{
    let handshake = hyper::client::conn::http1::handshake(stream).await;
    let (mut sender, connection) = handshake.expect("a handshake");
    spawn(Box::pin(async move {
        let _ = connection.await;
    }));
    for _ in 0..requests {
        sender.ready().await.expect("a connection that is kept");
        let request = Request::post("http://localhost/")
            .header("host", "localhost")
            .body(Full::new(Bytes::from_static(&BODY)))
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        let body = response.into_body().collect().await.expect("a body");
        assert_eq!(body.to_bytes(), &BODY[..]);
    }
}

fn on<R: Io>(rt: &R, connections: usize, requests: usize) {
    rt.block_on(async {
        let listener = TcpListener::bind(rt, "127.0.0.1:0").await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        let spawner = rt.clone();
        let server = rt.spawn(async move {
            let mut tasks = Vec::new();
            for _ in 0..connections {
                let (stream, _) = listener.accept().await.expect("a connection");
                tasks.push(spawner.spawn(serve(HyperIo::new(stream))));
            }
            for task in tasks {
                task.await.expect("no connection panics");
            }
        });
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                let rt = rt.clone();
                rt.clone().spawn(async move {
                    let stream = TcpStream::connect(&rt, addr).await.expect("a connection");
                    ask(HyperIo::new(stream), requests, |task| {
                        rt.spawn(task).detach()
                    })
                    .await;
                })
            })
            .collect();
        for client in clients {
            client.await.expect("no client fails");
        }
        server.await.expect("the server does not panic");
    });
}

/// tokio as one would use it without Kumi.
fn native(connections: usize, requests: usize) {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_io().build().expect("tokio starts");
    runtime.block_on(async {
        let local = SocketAddr::from(([127, 0, 0, 1], 0));
        let listener = tokio::net::TcpListener::bind(local).await.expect("a port");
        let addr = listener.local_addr().expect("an address");
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.expect("a connection");
                stream.set_nodelay(true).expect("no delay");
                tokio::spawn(serve(Native(stream)));
            }
        });
        let clients: Vec<_> = (0..connections)
            .map(|_| {
                tokio::spawn(async move {
                    let stream = tokio::net::TcpStream::connect(addr).await;
                    let stream = stream.expect("a connection");
                    stream.set_nodelay(true).expect("no delay");
                    ask(Native(stream), requests, |task| {
                        tokio::spawn(task);
                    })
                    .await;
                })
            })
            .collect();
        for client in clients {
            client.await.expect("no client fails");
        }
    });
}

/// A stream of tokio for hyper, as `TokioIo` of `hyper-util`.
struct Native(tokio::net::TcpStream);

impl Read for Native {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        mut cursor: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        // Read by tokio, then copied: as many calls of the system as without the copy.
        let mut memory = [0; 8192];
        let len = memory.len().min(cursor.remaining());
        let mut buf = tokio::io::ReadBuf::new(&mut memory[..len]);
        let stream = Pin::new(&mut self.0);
        ready!(tokio::io::AsyncRead::poll_read(stream, cx, &mut buf))?;
        cursor.put_slice(buf.filled());
        Poll::Ready(Ok(()))
    }
}

impl Write for Native {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write(Pin::new(&mut self.0), cx, buf)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        tokio::io::AsyncWrite::poll_write_vectored(Pin::new(&mut self.0), cx, bufs)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_flush(Pin::new(&mut self.0), cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        tokio::io::AsyncWrite::poll_shutdown(Pin::new(&mut self.0), cx)
    }
}

fn main() {
    let mut args = std::env::args().skip(1);
    let backend = args.next().unwrap_or_else(|| "loop".to_owned());
    let mut number = |default| {
        args.next()
            .map_or(default, |text| text.parse().expect("a number"))
    };
    let (connections, requests) = (number(1), number(1000));
    match &*backend {
        "loop" => on(
            &*kumi_loop::Loop::new().expect("the loop starts"),
            connections,
            requests,
        ),
        "smol" => on(&*kumi_smol::Smol::current_thread(), connections, requests),
        "tokio" => {
            let tokio = kumi_tokio::Tokio::current_thread().expect("tokio starts");
            on(&*tokio, connections, requests);
        }
        "native" => native(connections, requests),
        other => panic!("there is no backend `{other}`"),
    }
    println!("{} requests", connections * requests);
}
