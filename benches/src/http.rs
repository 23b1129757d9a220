//! Who takes part where requests of HTTP/1.1 are sent: hyper's client on each runtime, over connections that
//! are kept open. The server runs on a thread of its own and is the same for all.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::{iter, thread};

use async_io::Async;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{Request, StatusCode, rt};
use hyper_util::rt::TokioIo;
use kumi_core::net::TcpStream;
use kumi_core::runtime::{Io, Runtime};
use kumi_hyper::HyperIo;

use crate::competitor::Competitor;
use crate::host::{Kumi, Net, SmolExecutor, SmolThreads, TokioHost, each_host_of_two};
use crate::plan::Plan;

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 13\r\n\r\nHello, world!";
const BODY: &[u8] = b"Hello, world!";

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let plan = |(connections, requests): (usize, usize)| {
        let requests = if smoke { 2 } else { requests };
        let units = connections * requests;
        Plan::sized("http.fetch", connections, units, move || {
            competitors(connections, requests)
        })
    };
    [(1, 100), (10, 20), (100, 10)].map(plan).into()
}

fn competitors(connections: usize, requests: usize) -> io::Result<Vec<Competitor>> {
    let server = serve()?;
    let mut all = vec![
        one(TokioHost::current_thread()?, server, connections, requests),
        one(Kumi::tokio()?, server, connections, requests),
        one(SmolExecutor::new(), server, connections, requests),
        one(Kumi::smol(), server, connections, requests),
        one(Kumi::own_loop()?, server, connections, requests),
    ];
    each_host_of_two!(host => all.push(one(host, server, connections, requests)));
    Ok(all)
}

/// A thread for each connection that answers all requests alike, for as long as the process lives.
fn serve() -> io::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let addr = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer(stream));
        }
    });
    Ok(addr)
}

fn answer(mut stream: std::net::TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut buf, mut seen) = ([0; 4_096], 0);
    loop {
        let read = stream.read(&mut buf[seen..])?;
        if read == 0 {
            return Ok(());
        }
        seen += read;
        // A client waits for the answer before it asks again.
        if buf[..seen].ends_with(b"\r\n\r\n") {
            stream.write_all(RESPONSE)?;
            seen = 0;
        }
    }
}

/// Makes hyper's connections out of those of a runtime.
trait Http: Net {
    type Io: rt::Read + rt::Write + Unpin + Send + 'static;

    fn io(stream: Self::Stream) -> Self::Io;
}

impl<R: Runtime + Io> Http for Kumi<R> {
    type Io = HyperIo<TcpStream<R>>;

    fn io(stream: TcpStream<R>) -> Self::Io {
        HyperIo::new(stream)
    }
}

impl Http for TokioHost {
    type Io = TokioIo<tokio::net::TcpStream>;

    fn io(stream: tokio::net::TcpStream) -> Self::Io {
        TokioIo::new(stream)
    }
}

macro_rules! smol_http {
    ($($host:ty),*) => {$(
        impl Http for $host {
            type Io = smol_hyper::rt::FuturesIo<Async<std::net::TcpStream>>;

            fn io(stream: Async<std::net::TcpStream>) -> Self::Io {
                smol_hyper::rt::FuturesIo::new(stream)
            }
        }
    )*};
}

smol_http!(SmolExecutor, SmolThreads);

/// All are connected before the clock starts; then a task for each connection asks so many times.
fn one<H: Http>(
    mut host: H,
    server: SocketAddr,
    connections: usize,
    requests: usize,
) -> Competitor {
    let handle = host.handle();
    host.who().measures(move |watch| {
        host.block_on(async {
            let (mut senders, mut running) = (Vec::new(), Vec::new());
            for _ in 0..connections {
                let stream = H::connect(&handle, server).await.expect("it listens");
                let (sender, connection) = http1::handshake::<_, Empty<Bytes>>(H::io(stream))
                    .await
                    .expect("nothing is said yet");
                senders.push(sender);
                running.push(H::spawn(&handle, async { connection.await.is_ok() }));
            }
            watch.start();
            let ask = |sender| H::spawn(&handle, ask(sender, requests));
            let tasks: Vec<_> = senders.into_iter().map(ask).collect();
            let mut answered = 0;
            for task in tasks {
                answered += H::join(task).await;
            }
            watch.stop();
            assert_eq!(answered, connections * requests * BODY.len());
            for connection in running {
                assert!(H::join(connection).await);
            }
        });
    })
}

/// Asks so many times, and returns how many bytes came.
async fn ask(mut sender: SendRequest<Empty<Bytes>>, requests: usize) -> usize {
    let mut bytes = 0;
    for request in iter::repeat_with(request).take(requests) {
        // The connection may be on another thread, and not have seen yet that the last answer is over.
        sender.ready().await.expect("it is open");
        let response = sender.send_request(request).await.expect("it answers");
        assert_eq!(response.status(), StatusCode::OK);
        let body = response.into_body().collect().await;
        bytes += body.expect("it is whole").to_bytes().len();
    }
    bytes
}

fn request() -> Request<Empty<Bytes>> {
    let request = Request::builder().uri("/").header("host", "localhost");
    request.body(Empty::new()).expect("it is well-formed")
}
