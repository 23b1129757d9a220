//! The two halves of a stream, for two tasks.
//!
//! They share the stream, so each direction keeps its own waker and neither waits for the other. The
//! socket is closed when both are gone; the direction for writing already when its half is.

use std::fmt;
use std::io::{self, IoSlice, IoSliceMut};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::byte_stream::{ByteStream, byte_traits};

/// The half of a stream that reads; from `into_split`.
#[derive(Debug)]
pub struct ReadHalf<S: ByteStream>(Arc<S>);

/// The half of a stream that writes; from `into_split`.
///
/// Dropping it closes the direction for writing: the peer reads the end of the stream.
pub struct WriteHalf<S: ByteStream> {
    stream: Arc<S>,
    /// Dropping it closes the direction.
    closes: bool,
}

/// Both halves of `stream`.
pub(super) fn split<S: ByteStream>(stream: S) -> (ReadHalf<S>, WriteHalf<S>) {
    let stream = Arc::new(stream);
    let write = WriteHalf {
        stream: Arc::clone(&stream),
        closes: true,
    };
    (ReadHalf(stream), write)
}

impl<S: ByteStream> ReadHalf<S> {
    /// Returns the stream, to ask for its addresses for example.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.0
    }

    /// Puts the two halves of one stream together again.
    ///
    /// # Errors
    ///
    /// [`ReuniteError`] with both of them if they are of different streams.
    pub fn reunite(self, write: WriteHalf<S>) -> Result<S, ReuniteError<S>> {
        if !Arc::ptr_eq(&self.0, &write.stream) {
            return Err(ReuniteError(self, write));
        }
        write.forget();
        Ok(Arc::into_inner(self.0).expect("there are two halves, and both are here"))
    }
}

impl<S: ByteStream> WriteHalf<S> {
    /// Returns the stream, to ask for its addresses for example.
    #[must_use]
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// Drops it without closing the direction for writing; the socket is closed with the other half.
    pub fn forget(mut self) {
        self.closes = false;
    }
}

impl<S: ByteStream> Drop for WriteHalf<S> {
    fn drop(&mut self) {
        if self.closes {
            // The peer may be gone, and there is nobody to tell.
            let _ = self.stream.close_write();
        }
    }
}

impl<S: ByteStream + fmt::Debug> fmt::Debug for WriteHalf<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("WriteHalf").field(&self.stream).finish()
    }
}

byte_traits!(read [S: ByteStream] for ReadHalf<S>, |half| &*half.0);
byte_traits!(write [S: ByteStream] for WriteHalf<S>, |half| &*half.stream);

/// Two halves that are not of one stream; see [`ReadHalf::reunite`].
pub struct ReuniteError<S: ByteStream>(pub ReadHalf<S>, pub WriteHalf<S>);

impl<S: ByteStream> fmt::Debug for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReuniteError").finish_non_exhaustive()
    }
}

impl<S: ByteStream> fmt::Display for ReuniteError<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the halves are of different streams")
    }
}

impl<S: ByteStream> std::error::Error for ReuniteError<S> {}
