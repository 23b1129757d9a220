//! The built-in server: a hundred paths that answer like a site does, and a few that do not.
//!
//! How long a path takes, how much it answers and with which status is computed from the path
//! alone, so each run meets the same site.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use kumi::JoinHandle;
use kumi::net::{TcpListener, TcpStream};
use kumi_hyper::{HyperIo, HyperTimer};

/// How many paths are fetched if nothing else was asked for.
const PATHS: usize = 100;

/// A path that is slower than any client waits.
const SLOW: &str = "/slow";

/// A client that says nothing for so long is cut off.
const HEAD_LIMIT: Duration = Duration::from_secs(10);

/// A server on loopback; dropping it ends it.
#[derive(Debug)]
pub(crate) struct Origin {
    addr: SocketAddr,
    babbling: SocketAddr,
    _tasks: [JoinHandle<Infallible>; 2],
}

impl Origin {
    /// Starts it for clients that wait `limit` for each answer.
    ///
    /// # Errors
    ///
    /// If the system gives no port, or the backend has no sockets.
    pub(crate) async fn start(limit: Duration) -> io::Result<Self> {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let (listener, babbler) = (kumi::net::listen(any).await?, kumi::net::listen(any).await?);
        Ok(Self {
            addr: listener.local_addr()?,
            babbling: babbler.local_addr()?,
            _tasks: [
                kumi::spawn(accept(listener, move |stream| serve(stream, limit))),
                kumi::spawn(accept(babbler, babble)),
            ],
        })
    }

    /// Returns the URLs to fetch, with one of each kind of fault among them if `with_faults`.
    pub(crate) fn urls(&self, with_faults: bool) -> Vec<String> {
        let mut urls: Vec<_> = (0..PATHS).map(|i| self.url(&path(i))).collect();
        if with_faults {
            // Spread out, and the slow one early, so that others can pass it.
            urls.insert(5, self.url(SLOW));
            urls.insert(30, "http://[no-address/".to_owned());
            urls.insert(55, format!("http://{}/", self.babbling));
            // Nothing listens at port 1, and only root could.
            urls.insert(80, "http://127.0.0.1:1/".to_owned());
        }
        urls
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// Serves each connection in a task of its own, for ever.
async fn accept<F>(listener: TcpListener, serve: impl Fn(TcpStream) -> F) -> Infallible
where
    F: Future<Output = ()> + Send + 'static,
{
    loop {
        match listener.accept().await {
            Ok((stream, _)) => kumi::spawn(serve(stream)).detach(),
            Err(error) => {
                eprintln!("fetch_all: the server cannot accept: {error}");
                // Too many open files, most likely: give connections time to end.
                kumi::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

async fn serve(stream: TcpStream, limit: Duration) {
    let answering = service_fn(move |request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(request.uri().path(), limit).await)
    });
    let connection = http1::Builder::new()
        .timer(HyperTimer::new(kumi::Backend::current()))
        .header_read_timeout(HEAD_LIMIT)
        .serve_connection(HyperIo::new(stream), answering);
    // A client that went away, as one does that has waited long enough, is its own affair.
    let _ = connection.await;
}

async fn answer(path: &str, limit: Duration) -> Response<Full<Bytes>> {
    if path == SLOW {
        kumi::sleep(10 * limit + Duration::from_secs(1)).await;
    }
    let page = Page::at(path);
    kumi::sleep(page.delay).await;
    let mut response = Response::new(Full::new(Bytes::from(vec![b'.'; page.len])));
    *response.status_mut() = page.status;
    response
}

/// Reads a request and answers with something that is no HTTP.
async fn babble(mut stream: TcpStream) {
    let talk = async {
        let mut request = [0; 1024];
        // All of it, or the answer could be lost to a reset.
        let mut len = 0;
        while !request[..len].ends_with(b"\r\n\r\n") {
            match stream.read(&mut request[len..]).await? {
                0 => break,
                n => len += n,
            }
        }
        stream.write_all(b"how are you?\r\n\r\n").await?;
        stream.close().await
    };
    let _: io::Result<()> = talk.await;
}

/// The path of the built-in site with the number `i`.
fn path(i: usize) -> String {
    match i % 4 {
        0 => format!("/articles/{i}"),
        1 => format!("/images/{i}.png"),
        2 => format!("/search?page={i}"),
        _ => format!("/users/{i}/profile"),
    }
}

/// What a path answers, and when.
#[derive(Debug)]
struct Page {
    delay: Duration,
    len: usize,
    status: StatusCode,
}

impl Page {
    fn at(path: &str) -> Self {
        let hash = hash(path);
        let [a, b, c, ..] = hash.to_le_bytes();
        // From 5 to 80 ms; squared, so that most are quick and a few are the tail.
        let share = f64::from(a) / 255.0;
        Self {
            delay: Duration::from_secs_f64(0.005 + 0.075 * share * share),
            len: 200 + usize::from(b) * 256,
            status: match c {
                0..12 => StatusCode::NOT_FOUND,
                12..20 => StatusCode::FOUND,
                _ => StatusCode::OK,
            },
        }
    }
}

/// FNV-1a, mixed once more so that paths that differ in one digit differ in every byte.
fn hash(path: &str) -> u64 {
    let hash = path.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash ^ (hash >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_site_has_quick_and_slow_pages_and_not_all_are_there() {
        let pages: Vec<_> = (0..PATHS).map(|i| Page::at(&path(i))).collect();
        let quick = |page: &&Page| page.delay < Duration::from_millis(20);
        assert!(pages.iter().filter(quick).count() > PATHS / 3);
        let ms = |page: &Page| page.delay.as_millis();
        assert!(pages.iter().map(ms).min() >= Some(5));
        assert!((60..=80).contains(&pages.iter().map(ms).max().unwrap_or(0)));
        let others = pages.iter().filter(|page| page.status != StatusCode::OK);
        assert!((1..20).contains(&others.count()));
    }
}
