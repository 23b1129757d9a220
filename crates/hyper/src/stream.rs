//! [`FuturesIo`]: any stream of `futures-io` as a stream of hyper.
//!
//! For TLS, for tests in memory, for streams of other libraries. It ends as its stream does:
//! dropping it drops the stream, hyper's shutdown is `poll_close`.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_io::{AsyncRead, AsyncWrite};
use hyper::rt::{Read, ReadBufCursor, Write};
use pin_project_lite::pin_project;

use crate::io::fill_zeroed;

pin_project! {
    /// A stream of `futures-io`, for hyper to read and write.
    ///
    /// Such streams read into bytes, so hyper's buffer is zeroed before each read; a socket of Kumi is
    /// better off in [`HyperIo`](crate::HyperIo).
    ///
    /// `futures-io` has no way to ask whether vectored writes are real, and hyper must know:
    /// told wrongly that they are, it sends a head and its body as two packets, and each request
    /// waits 40 ms for a delayed acknowledgement. So [`new`](Self::new) says that they are not, which
    /// is always right (hyper then copies small bodies behind their head), and
    /// [`vectored`](Self::vectored) is for streams that are known to have them.
    ///
    /// # Examples
    ///
    /// ```
    /// use futures_io::{AsyncRead, AsyncWrite};
    /// use hyper::client::conn::http1;
    /// use kumi_hyper::FuturesIo;
    ///
    /// async fn handshake<S>(tls: S) -> hyper::Result<http1::SendRequest<String>>
    /// where
    ///     S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    /// {
    ///     let (sender, _connection) = http1::handshake(FuturesIo::new(tls)).await?;
    ///     Ok(sender)
    /// }
    /// ```
    #[derive(Debug)]
    pub struct FuturesIo<S> {
        #[pin]
        stream: S,
        vectored: bool,
    }
}

impl<S> FuturesIo<S> {
    /// Wraps `stream`, whose vectored writes are not relied on.
    pub fn new(stream: S) -> Self {
        Self {
            stream,
            vectored: false,
        }
    }

    /// Wraps `stream`, of which is known that `poll_write_vectored` takes more than the first slice.
    pub fn vectored(stream: S) -> Self {
        Self {
            stream,
            vectored: true,
        }
    }

    /// Returns the stream.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Returns the stream mutably.
    pub fn get_mut(&mut self) -> &mut S {
        &mut self.stream
    }

    /// Returns the stream.
    ///
    /// What hyper has read beyond its last message is not in it any more: after an upgrade take
    /// `read_buf` of hyper's `Parts` as well.
    pub fn into_inner(self) -> S {
        self.stream
    }
}

impl<S: AsyncRead> Read for FuturesIo<S> {
    /// # Panics
    ///
    /// If the stream says that it has read more than it was given room for.
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let stream = self.project().stream;
        fill_zeroed(buf, |bytes| stream.poll_read(cx, bytes))
    }
}

impl<S: AsyncWrite> Write for FuturesIo<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write(cx, buf)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.project().stream.poll_write_vectored(cx, bufs)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.project().stream.poll_close(cx)
    }
}
