//! HTTP/2, whose tasks run on the executors of this crate.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::client::conn::http2 as client;
use hyper::server::conn::http2 as server;
use hyper::service::service_fn;
use hyper::{Request, Response};
use kumi_core::net::TcpStream;
use kumi_core::runtime::{Io, SpawnLocal};
use kumi_core::task::{SpawnExt, SpawnLocalExt};
use kumi_hyper::{HyperExecutor, HyperIo, HyperLocalExecutor, HyperTimer};

use crate::util::{Body, body_of, echo, listen, pattern, post};

/// A client over HTTP/2, driven by a task of its own, with pings by the runtime's clock.
async fn connect<R: Io>(rt: &R, addr: std::net::SocketAddr) -> client::SendRequest<Body> {
    let stream = TcpStream::connect(rt, addr).await.expect("a connection");
    let (sender, connection) = client::Builder::new(HyperExecutor::new(rt.clone()))
        .timer(HyperTimer::new(rt.clone()))
        .keep_alive_interval(Duration::from_millis(5))
        .keep_alive_timeout(Duration::from_secs(10))
        .handshake(HyperIo::new(stream))
        .await
        .expect("a handshake");
    rt.spawn(connection).detach();
    sender
}

pub(crate) async fn many_requests_share_one_connection<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let runtime = rt.clone();
    let serving = rt.spawn(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        server::Builder::new(HyperExecutor::new(runtime))
            .serve_connection(HyperIo::new(stream), service_fn(echo))
            .await
    });
    let sender = connect(&rt, addr).await;
    let requests: Vec<_> = (0..20)
        .map(|i| {
            let mut sender = sender.clone();
            rt.spawn(async move {
                let sent = pattern(1 + i * 5000);
                let response = sender
                    .send_request(post(sent.clone()))
                    .await
                    .expect("an answer");
                assert!(
                    body_of(response).await == sent,
                    "the body came back changed"
                );
            })
        })
        .collect();
    for request in requests {
        request.await.expect("no request fails");
    }
    drop(sender);
    serving
        .await
        .expect("no panic")
        .expect("a connection that ends well");
}

pub(crate) async fn a_service_that_is_not_send_runs_on_its_thread<R: Io + SpawnLocal>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let runtime = rt.clone();
    let served = Rc::new(Cell::new(0));
    let count = Rc::clone(&served);
    let serving = rt.spawn_local(async move {
        let (stream, _) = listener.accept().await.expect("a connection");
        let counting = service_fn(move |_: Request<_>| {
            count.set(count.get() + 1);
            let text = Bytes::from(format!("you are number {}", count.get()));
            let count = Rc::clone(&count);
            async move {
                // Held across the end of the future: it is not `Send` either.
                let _count = count;
                Ok::<_, hyper::Error>(Response::new(Full::new(text)))
            }
        });
        server::Builder::new(HyperLocalExecutor::new(runtime))
            .serve_connection(HyperIo::new(stream), counting)
            .await
    });
    let mut sender = connect(&rt, addr).await;
    for i in 1..=3 {
        let response = sender
            .send_request(post(Bytes::new()))
            .await
            .expect("an answer");
        assert_eq!(body_of(response).await, format!("you are number {i}"));
    }
    drop(sender);
    serving
        .await
        .expect("no panic")
        .expect("a connection that ends well");
    assert_eq!(served.get(), 3);
}
