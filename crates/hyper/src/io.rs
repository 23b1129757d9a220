//! Reading into hyper's buffer: the one file with `unsafe`.
//!
//! hyper hands out a [`ReadBufCursor`], whose memory may be uninitialised and whose only safe way
//! in is `put_slice`: a copy. To read *into* it takes two promises that its types cannot carry: not
//! to uninitialise what it holds, and to have initialised what one claims.
//! [`fill_uninit`] is for sockets, which read into uninitialised memory; [`fill_zeroed`] is for
//! streams that want bytes.
//! Both leave the cursor as it was unless they return `Ready(Ok(()))`.
//! `ARCHITECTURE.md` has the measurement that earned them their place.
#![allow(
    unsafe_code,
    reason = "a `ReadBufCursor` can be filled in place by unsafe methods only; see each block"
)]

use std::io;
use std::task::{Poll, ready};

use hyper::rt::ReadBufCursor;
#[cfg(unix)]
use {kumi_core::net::ByteStream, std::task::Context};

/// Reads from `stream` into the unfilled part of `cursor`, without zeroing it first.
#[cfg(unix)]
pub(crate) fn fill_uninit<S: ByteStream>(
    stream: &S,
    cx: &mut Context<'_>,
    mut cursor: ReadBufCursor<'_>,
) -> Poll<io::Result<()>> {
    // SAFETY: no byte of it may be uninitialised; the slice goes to `poll_read_uninit` alone, which
    // passes it to `recv`, and that only ever writes what it has received.
    let unfilled = unsafe { cursor.as_mut() };
    let n = ready!(stream.poll_read_uninit(cx, unfilled))?;
    // SAFETY: `n` more bytes must be initialised. `poll_read_uninit` returns how many it has
    // initialised from the start of the slice: only core's sockets implement `ByteStream`, which is sealed,
    // and its docs promise that. That a backend stands in between changes nothing:
    // `poll_io` is generic over the value, so the only numbers a backend can hand back are those
    // that `recv` on this very slice returned to it.
    unsafe { cursor.advance(n) };
    Poll::Ready(Ok(()))
}

/// Zeroes the unfilled part of `cursor` and lets `read` fill it.
///
/// All of it: offering less saves zeroes, but costs more in further calls of `read`.
///
/// # Panics
///
/// If `read` says that it has read more than fits.
pub(crate) fn fill_zeroed(
    mut cursor: ReadBufCursor<'_>,
    read: impl FnOnce(&mut [u8]) -> Poll<io::Result<usize>>,
) -> Poll<io::Result<()>> {
    let unfilled = cursor.initialize_unfilled();
    let len = unfilled.len();
    let n = ready!(read(unfilled))?;
    // Not a debug assertion: `read` is foreign code, and the block below relies on it.
    assert!(
        n <= len,
        "a stream says that it has read {n} bytes into a buffer of {len}"
    );
    // SAFETY: `n` more bytes must be initialised; `len` were zeroed at least, and `n` is no more.
    unsafe { cursor.advance(n) };
    Poll::Ready(Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::mem::MaybeUninit;

    use hyper::rt::ReadBuf;

    #[test]
    fn what_was_read_and_no_more_is_filled() {
        let mut memory = [MaybeUninit::uninit(); 8];
        let mut buf = ReadBuf::uninit(&mut memory);
        for text in [&b"abc"[..], b"de"] {
            let done = fill_zeroed(buf.unfilled(), |dst| {
                dst[..text.len()].copy_from_slice(text);
                Poll::Ready(Ok(text.len()))
            });
            assert!(matches!(done, Poll::Ready(Ok(()))));
        }
        assert_eq!(buf.filled(), b"abcde");
    }

    #[test]
    fn the_buffer_is_offered_as_zeroes_and_stays_empty_while_nothing_comes() {
        let mut memory = [MaybeUninit::new(7); 8];
        let mut buf = ReadBuf::uninit(&mut memory);
        let mut offered = None;
        let _ = fill_zeroed(buf.unfilled(), |dst| {
            offered = Some(dst.to_vec());
            Poll::Pending
        });
        assert_eq!(offered.as_deref(), Some(&[0; 8][..]));
        assert_eq!(buf.filled(), b"");
    }

    #[test]
    #[should_panic(expected = "a stream says that it has read 9 bytes into a buffer of 8")]
    fn a_stream_that_lies_about_its_length_is_caught() {
        let mut memory = [MaybeUninit::uninit(); 8];
        let mut buf = ReadBuf::uninit(&mut memory);
        let _ = fill_zeroed(buf.unfilled(), |_| Poll::Ready(Ok(9)));
    }
}
