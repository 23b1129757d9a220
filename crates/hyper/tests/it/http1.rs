//! HTTP/1: bodies arrive whole, connections are kept or end as they should.

use std::io::IoSlice;
use std::pin::Pin;

use bytes::Bytes;
use futures_lite::{AsyncReadExt, AsyncWriteExt, future::poll_fn};
use http_body_util::Empty;
use hyper::client::conn::http1 as client;
use hyper::header::{CONNECTION, UPGRADE};
use hyper::rt::Write as _;
use hyper::server::conn::http1 as server;
use hyper::service::service_fn;
use hyper::upgrade::Upgraded;
use hyper::{Request, Response, StatusCode};
use kumi_core::net::{TcpStream, UnixStream};
use kumi_core::runtime::Io;
use kumi_core::task::SpawnExt;
use kumi_hyper::{FuturesIo, HyperIo};

use crate::util::{Server, body_of, connect, echo, listen, pattern, post};

const MEBIBYTE: usize = 1024 * 1024;

pub(crate) async fn a_mebibyte_comes_back_twice_over_one_connection<R: Io>(rt: R) {
    let server = Server::start(&rt).await;
    let mut sender = connect(&rt, server.addr).await;
    let sent = pattern(MEBIBYTE);
    for _ in 0..2 {
        sender.ready().await.expect("the connection is kept");
        let response = sender
            .send_request(post(sent.clone()))
            .await
            .expect("an answer");
        assert_eq!(response.status(), StatusCode::OK);
        // Not `assert_eq!`: nobody wants to read two mebibytes.
        assert!(
            body_of(response).await == sent,
            "the body came back changed"
        );
    }
    assert_eq!(server.accepted(), 1);
}

pub(crate) async fn many_connections_at_once<R: Io>(rt: R) {
    let server = Server::start(&rt).await;
    let clients: Vec<_> = (0..32)
        .map(|i| {
            let (runtime, addr) = (rt.clone(), server.addr);
            rt.spawn(async move {
                let mut sender = connect(&runtime, addr).await;
                for k in 0..4 {
                    sender.ready().await.expect("the connection is kept");
                    let sent = Bytes::from(format!("client {i}, request {k}"));
                    let response = sender
                        .send_request(post(sent.clone()))
                        .await
                        .expect("an answer");
                    assert_eq!(body_of(response).await, sent);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.expect("no client fails");
    }
    assert_eq!(server.accepted(), 32);
}

pub(crate) async fn a_connection_that_is_not_kept_ends_with_the_end_of_the_stream<R: Io>(rt: R) {
    let server = Server::start(&rt).await;
    let mut raw = TcpStream::connect(&rt, server.addr)
        .await
        .expect("a connection");
    let request =
        b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";
    raw.write_all(request).await.expect("room");
    let mut answer = String::new();
    raw.read_to_string(&mut answer)
        .await
        .expect("text, then the end");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with("\r\n\r\nhello"), "{answer}");
}

pub(crate) async fn unix_sockets_do_as_well<R: Io>(rt: R) {
    let (ours, theirs) = UnixStream::pair(&rt).expect("a pair");
    let serve = server::Builder::new().serve_connection(HyperIo::new(theirs), service_fn(echo));
    let server = rt.spawn(serve);
    let (mut sender, connection) = client::handshake(HyperIo::new(ours))
        .await
        .expect("a handshake");
    rt.spawn(connection).detach();
    let sent = pattern(MEBIBYTE);
    let response = sender.send_request(post(sent.clone())).await;
    assert!(body_of(response.expect("an answer")).await == sent);
    drop(sender);
    server.await.expect("no panic").expect("a good end");
}

pub(crate) async fn a_vectored_write_takes_every_slice<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let stream = TcpStream::connect(&rt, addr).await.expect("a connection");
    let (mut peer, _) = listener.accept().await.expect("a connection");
    let mut io = HyperIo::new(stream);
    assert!(io.is_write_vectored());
    let slices = [
        IoSlice::new(b"head "),
        IoSlice::new(b"and "),
        IoSlice::new(b"body"),
    ];
    let n = poll_fn(|cx| Pin::new(&mut io).poll_write_vectored(cx, &slices)).await;
    assert_eq!(n.expect("room"), 13);
    poll_fn(|cx| Pin::new(&mut io).poll_shutdown(cx))
        .await
        .expect("closed");
    let mut text = String::new();
    peer.read_to_string(&mut text)
        .await
        .expect("text, then the end");
    assert_eq!(text, "head and body");
}

/// `FuturesIo` on both ends, with a body that needs many reads of the size it offers.
pub(crate) async fn a_stream_of_futures_io_does_as_well<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let serving = rt.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let io = FuturesIo::new(stream);
        server::Builder::new()
            .serve_connection(io, service_fn(echo))
            .await
    });
    let stream = TcpStream::connect(&rt, addr).await.expect("a connection");
    let (mut sender, connection) = client::handshake(FuturesIo::vectored(stream))
        .await
        .expect("a handshake");
    rt.spawn(connection).detach();
    let sent = pattern(MEBIBYTE);
    let response = sender
        .send_request(post(sent.clone()))
        .await
        .expect("an answer");
    assert!(
        body_of(response).await == sent,
        "the body came back changed"
    );
    drop(sender);
    serving
        .await
        .expect("no panic")
        .expect("a connection that ends well");
}

/// The socket comes out of hyper again, by its type, and still works.
pub(crate) async fn an_upgrade_gives_the_socket_back<R: Io>(rt: R) {
    async fn take<R: Io>(upgraded: Upgraded) -> TcpStream<R> {
        let parts = upgraded
            .downcast::<HyperIo<TcpStream<R>>>()
            .expect("our adapter");
        assert!(parts.read_buf.is_empty());
        parts.io.into_inner()
    }
    let (listener, addr) = listen(&rt).await;
    let runtime = rt.clone();
    let serving = rt.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let switch = service_fn(move |request: Request<_>| {
            let upgrade = hyper::upgrade::on(request);
            runtime
                .spawn(async move {
                    let mut socket = take::<R>(upgrade.await.expect("an upgrade")).await;
                    socket.write_all(b"shout").await.expect("room");
                })
                .detach();
            let switching = Response::builder()
                .status(StatusCode::SWITCHING_PROTOCOLS)
                .header(CONNECTION, "upgrade")
                .header(UPGRADE, "shouting")
                .body(Empty::<Bytes>::new());
            std::future::ready(switching)
        });
        let connection = server::Builder::new().serve_connection(HyperIo::new(stream), switch);
        connection.with_upgrades().await
    });
    let stream = TcpStream::connect(&rt, addr).await.expect("a connection");
    let (mut sender, connection) = client::handshake(HyperIo::new(stream))
        .await
        .expect("a handshake");
    rt.spawn(connection.with_upgrades()).detach();
    let request = Request::get("/")
        .header(CONNECTION, "upgrade")
        .header(UPGRADE, "shouting")
        .body(Empty::<Bytes>::new())
        .expect("a request");
    let response = sender.send_request(request).await.expect("an answer");
    assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
    let upgraded = hyper::upgrade::on(response).await.expect("an upgrade");
    // The peer may have spoken already: then hyper has read it, and hands it over.
    let parts = upgraded
        .downcast::<HyperIo<TcpStream<R>>>()
        .expect("our adapter");
    let mut heard = parts.read_buf.to_vec();
    parts
        .io
        .into_inner()
        .read_to_end(&mut heard)
        .await
        .expect("bytes, then the end");
    assert_eq!(heard, b"shout");
    serving
        .await
        .expect("no panic")
        .expect("a connection that ends well");
}
