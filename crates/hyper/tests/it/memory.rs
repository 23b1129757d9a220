//! How hyper writes through [`FuturesIo`], seen by a stream that takes notes; and auto traits.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use futures_lite::{AsyncRead, AsyncWrite};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use kumi_core::net::TcpStream;
use kumi_hyper::{FuturesIo, HyperExecutor, HyperIo, HyperLocalExecutor, HyperSleep, HyperTimer};

use crate::util::echo;

const REQUEST: &[u8] =
    b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: 5\r\n\r\nhello";

/// How many slices each write had.
type Notes = Arc<Mutex<Vec<usize>>>;

/// A stream with one request in it, which notes the writes of the answer.
struct Noting {
    request: &'static [u8],
    notes: Notes,
}

impl AsyncRead for Noting {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let n = buf.len().min(self.request.len());
        let (now, later) = self.request.split_at(n);
        buf[..n].copy_from_slice(now);
        self.request = later;
        match n {
            // The end would make hyper give the request up.
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(n)),
        }
    }
}

impl AsyncWrite for Noting {
    fn poll_write(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.notes.lock().expect("no panic").push(1);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.notes.lock().expect("no panic").push(bufs.len());
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Lets hyper answer the request, and returns how many slices each write had.
fn writes(wrap: fn(Noting) -> FuturesIo<Noting>) -> Vec<usize> {
    let notes = Notes::default();
    let stream = Noting {
        request: REQUEST,
        notes: Arc::clone(&notes),
    };
    let connection = http1::Builder::new().serve_connection(wrap(stream), service_fn(echo));
    futures_lite::future::block_on(connection).expect("an answer");
    notes.lock().expect("no panic").clone()
}

#[test]
fn a_head_and_its_body_leave_in_one_write_either_way() {
    assert_eq!(writes(FuturesIo::new), [1]);
    assert_eq!(writes(FuturesIo::vectored), [2]);
}

#[test]
fn everything_may_go_to_any_thread() {
    fn good<T: Send + Sync + Unpin + 'static>() {}
    good::<HyperIo<TcpStream<kumi_loop::Loop>>>();
    good::<HyperIo<TcpStream<kumi_smol::Smol>>>();
    good::<HyperIo<TcpStream<kumi_tokio::Tokio>>>();
    good::<FuturesIo<TcpStream<kumi_loop::Loop>>>();
    good::<HyperExecutor<kumi_loop::Loop>>();
    good::<HyperLocalExecutor<kumi_loop::Loop>>();
    good::<HyperTimer<kumi_loop::Loop>>();
    fn sleeps<T: Send + Sync + 'static>() {}
    sleeps::<HyperSleep<kumi_loop::LoopSleep>>();
    sleeps::<HyperSleep<kumi_tokio::TokioSleep>>();
}
