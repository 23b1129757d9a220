//! Streams of bytes: reading, writing and closing, the same for TCP and Unix sockets.
//!
//! A transfer of fewer bytes than were possible says that the descriptor is drained, which saves the
//! system call that would only say "would block". Not so for zero bytes: the end of the stream is
//! there again at the next read.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::Shutdown;
use std::task::{Context, Poll};

use crate::runtime::Done;

/// A connected socket: [`TcpStream`](super::TcpStream) or [`UnixStream`](super::UnixStream).
///
/// For code that takes both; nothing else implements it, so `unsafe` code may rely on what it says.
/// Of two tasks that wait for the same direction, only the last is woken.
pub trait ByteStream: sealed::Sealed + Send + Sync + Unpin + 'static {
    /// Reads into `buf`; zero bytes mean the end of the stream, or that `buf` is empty.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>>;

    /// Reads into memory that need not be initialised; that many bytes at its start are then.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn poll_read_uninit(
        &self,
        cx: &mut Context<'_>,
        buf: &mut [MaybeUninit<u8>],
    ) -> Poll<io::Result<usize>>;

    /// Reads into several buffers by one system call.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn poll_read_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Writes from `buf`; the result says how much was taken.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>>;

    /// Writes from several buffers by one system call.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn poll_write_vectored(
        &self,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>>;

    /// Closes one or both directions.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn shutdown(&self, how: Shutdown) -> io::Result<()>;

    /// Closes the direction for writing, as `poll_close` does: the peer reads the end of the stream. It is
    /// no error if the peer has gone.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn close_write(&self) -> io::Result<()> {
        match self.shutdown(Shutdown::Write) {
            Err(error) if error.kind() != io::ErrorKind::NotConnected => Err(error),
            _ => Ok(()),
        }
    }
}

pub(super) mod sealed {
    /// Only core's sockets are.
    #[allow(unnameable_types, reason = "that is what seals it")]
    pub trait Sealed {}
}

/// A transfer of `n` bytes out of `len` that were possible: fewer means that there was no more.
pub(super) fn count(n: usize, len: usize) -> Done<usize> {
    Done {
        value: n,
        drained: 0 < n && n < len,
    }
}

/// Makes a socket a [`ByteStream`], and gives it the methods and traits of one.
macro_rules! byte_stream {
    ($name:ident) => {
        impl<R: Io> $name<R> {
            /// Closes one or both directions: after `Shutdown::Write` the peer reads the end of the
            /// stream, and can still be read.
            ///
            /// # Errors
            ///
            /// What the system says.
            pub fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.io.get().shutdown(how)
            }

            /// Whether vectored writes reach the system as one call: they do.
            ///
            /// `futures-io` has no such question, so adapters ask here.
            #[must_use]
            pub const fn is_write_vectored(&self) -> bool {
                true
            }

            /// Reads into memory that need not be initialised; returns how many bytes were.
            ///
            /// # Errors
            ///
            /// What the system says.
            pub fn poll_read_uninit(
                &self,
                cx: &mut Context<'_>,
                buf: &mut [MaybeUninit<u8>],
            ) -> Poll<io::Result<usize>> {
                ByteStream::poll_read_uninit(self, cx, buf)
            }

            /// Reads what is there, now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is nothing; otherwise what the system says.
            pub fn try_read(&self, buf: &mut [u8]) -> io::Result<usize> {
                let len = buf.len();
                self.io.try_now(Direction::Read, |mut socket| {
                    socket.read(buf).map(|n| count(n, len))
                })
            }

            /// Writes what there is room for, now.
            ///
            /// # Errors
            ///
            /// `WouldBlock` if there is no room; otherwise what the system says.
            pub fn try_write(&self, buf: &[u8]) -> io::Result<usize> {
                self.io.try_now(Direction::Write, |mut socket| {
                    socket.write(buf).map(|n| count(n, buf.len()))
                })
            }

            /// Splits it into a half that reads and a half that writes, for two tasks.
            ///
            /// Two shared references do the same without an allocation where borrowing is possible.
            /// Dropping the half that writes closes that direction, also while the other goes on.
            #[must_use]
            pub fn into_split(self) -> (ReadHalf<Self>, WriteHalf<Self>) {
                super::halves::split(self)
            }
        }

        impl<R: Io> Sealed for $name<R> {}

        impl<R: Io> ByteStream for $name<R> {
            #[inline]
            fn poll_read(&self, cx: &mut Context<'_>, buf: &mut [u8]) -> Poll<io::Result<usize>> {
                let len = buf.len();
                self.io.poll(cx, Direction::Read, |mut socket| {
                    socket.read(buf).map(|n| count(n, len))
                })
            }

            #[inline]
            fn poll_read_uninit(
                &self,
                cx: &mut Context<'_>,
                buf: &mut [MaybeUninit<u8>],
            ) -> Poll<io::Result<usize>> {
                let len = buf.len();
                self.io.poll(cx, Direction::Read, |socket| {
                    SockRef::from(socket).recv(buf).map(|n| count(n, len))
                })
            }

            fn poll_read_vectored(
                &self,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let len = bufs.iter().map(|buf| buf.len()).sum();
                self.io.poll(cx, Direction::Read, |mut socket| {
                    socket.read_vectored(bufs).map(|n| count(n, len))
                })
            }

            #[inline]
            fn poll_write(&self, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
                self.io.poll(cx, Direction::Write, |mut socket| {
                    socket.write(buf).map(|n| count(n, buf.len()))
                })
            }

            #[inline]
            fn poll_write_vectored(
                &self,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let len = bufs.iter().map(|buf| buf.len()).sum();
                self.io.poll(cx, Direction::Write, |mut socket| {
                    socket.write_vectored(bufs).map(|n| count(n, len))
                })
            }

            fn shutdown(&self, how: Shutdown) -> io::Result<()> {
                self.io.get().shutdown(how)
            }
        }

        byte_traits!([R: Io] for &$name<R>, |stream| &**stream);
        byte_traits!([R: Io] for $name<R>, |stream| &*stream);
    };
}
pub(super) use byte_stream;

/// The traits of `futures-io` (and of tokio, with that feature) for a type that leads to a [`ByteStream`].
macro_rules! byte_traits {
    ([$($params:tt)*] for $type:ty, |$this:ident| $stream:expr) => {
        byte_traits!(read [$($params)*] for $type, |$this| $stream);
        byte_traits!(write [$($params)*] for $type, |$this| $stream);
    };
    (read [$($params:tt)*] for $type:ty, |$this:ident| $stream:expr) => {
        impl<$($params)*> futures_io::AsyncRead for $type {
            #[inline]
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut [u8],
            ) -> Poll<io::Result<usize>> {
                let $this = self;
                ByteStream::poll_read($stream, cx, buf)
            }

            fn poll_read_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &mut [IoSliceMut<'_>],
            ) -> Poll<io::Result<usize>> {
                let $this = self;
                ByteStream::poll_read_vectored($stream, cx, bufs)
            }
        }

        /// What was never written to in the buffer is zeroed first; buffers that are kept pay that once.
        #[cfg(feature = "tokio-io")]
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
        impl<$($params)*> tokio::io::AsyncRead for $type {
            fn poll_read(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &mut tokio::io::ReadBuf<'_>,
            ) -> Poll<io::Result<()>> {
                let $this = self;
                let read = ByteStream::poll_read($stream, cx, buf.initialize_unfilled());
                read.map_ok(|n| buf.advance(n))
            }
        }
    };
    (write [$($params:tt)*] for $type:ty, |$this:ident| $stream:expr) => {
        impl<$($params)*> futures_io::AsyncWrite for $type {
            #[inline]
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $this = self;
                ByteStream::poll_write($stream, cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let $this = self;
                ByteStream::poll_write_vectored($stream, cx, bufs)
            }

            /// Nothing is kept back, so there is nothing to flush.
            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            /// Closes the direction for writing; the peer reads the end of the stream.
            fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self;
                Poll::Ready(ByteStream::close_write($stream))
            }
        }

        #[cfg(feature = "tokio-io")]
        #[cfg_attr(docsrs, doc(cfg(feature = "tokio-io")))]
        impl<$($params)*> tokio::io::AsyncWrite for $type {
            fn poll_write(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                buf: &[u8],
            ) -> Poll<io::Result<usize>> {
                let $this = self;
                ByteStream::poll_write($stream, cx, buf)
            }

            fn poll_write_vectored(
                self: Pin<&mut Self>,
                cx: &mut Context<'_>,
                bufs: &[IoSlice<'_>],
            ) -> Poll<io::Result<usize>> {
                let $this = self;
                ByteStream::poll_write_vectored($stream, cx, bufs)
            }

            fn is_write_vectored(&self) -> bool {
                true
            }

            fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                Poll::Ready(Ok(()))
            }

            fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
                let $this = self;
                Poll::Ready(ByteStream::close_write($stream))
            }
        }
    };
}
pub(super) use byte_traits;
