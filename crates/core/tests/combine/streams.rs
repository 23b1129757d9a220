//! `as_completed` as a stream: what it says of itself.

use std::future::ready;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use futures_core::stream::{FusedStream, Stream};
use kumi_core::combine::{as_completed, yield_now};

/// A stream of futures from which some are left.
struct Source(usize);

impl Stream for Source {
    type Item = std::future::Ready<usize>;

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let next = self.0.checked_sub(1);
        self.0 = next.unwrap_or(0);
        Poll::Ready(next.map(ready))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        (self.0, Some(self.0))
    }
}

fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    loop {
        let mut cx = Context::from_waker(Waker::noop());
        if let Poll::Ready(item) = Pin::new(&mut *stream).poll_next(&mut cx) {
            return item;
        }
    }
}

/// The sizes before each output, and whether it says that it has ended.
fn sizes<S: FusedStream + Unpin>(mut stream: S) -> Vec<(usize, Option<usize>, bool)> {
    let mut all = Vec::new();
    loop {
        let (least, most) = stream.size_hint();
        all.push((least, most, stream.is_terminated()));
        if next(&mut stream).is_none() {
            assert!(stream.is_terminated());
            return all;
        }
    }
}

#[test]
fn sizes_and_ends() {
    let expected = [2, 1, 0].map(|left| (left, Some(left), false));
    let futures = || [(), ()].map(|()| yield_now());
    assert_eq!(sizes(as_completed(futures())), expected);
    assert_eq!(sizes(as_completed(futures()).indexed()), expected);
    assert_eq!(sizes(as_completed(futures()).limit(1)), expected);
    assert_eq!(sizes(as_completed(Source(2)).limit(1)), expected);
}
