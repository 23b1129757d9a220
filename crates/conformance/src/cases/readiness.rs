//! What is known of a descriptor's readiness: `ready`, `try_io`, drained or not, and the end.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::Context;

use kumi_core::runtime::{Direction, Done, Io, Registered};
use kumi_core::task::SpawnExt;

use super::io::{byte, pair, read, would_block};
use crate::probe::{Gate, counting_waker, park_on, thread, turns, until};

/// `ready` wakes every task that waits for it.
pub async fn ready_wakes_all<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    // Tells the runtime that there is nothing yet.
    let nothing = io.try_io(Direction::Read, |mut s| s.read(&mut [0]).map(Done::more));
    assert_eq!(nothing.unwrap_err().kind(), ErrorKind::WouldBlock);
    let (io, parked) = (Arc::new(io), Arc::new(AtomicUsize::new(0)));
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let (io, parked) = (Arc::clone(&io), Arc::clone(&parked));
            rt.spawn(async move {
                let mut ready = pin!(io.ready(Direction::Read));
                let mut first = true;
                poll_fn(|cx| {
                    let poll = ready.as_mut().poll(cx);
                    if std::mem::take(&mut first) {
                        parked.fetch_add(1, Ordering::SeqCst);
                    }
                    poll
                })
                .await
            })
        })
        .collect();
    until(|| parked.load(Ordering::SeqCst) == 10).await;
    peer.write_all(b"x").unwrap();
    for waiter in waiters {
        waiter.await.unwrap().unwrap();
    }
    assert_eq!(byte(&*io).await, b'x');
}

/// A `ready` that is dropped takes nothing from the others.
pub async fn a_dropped_ready_loses_nothing<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let nothing = io.try_io(Direction::Read, |_| would_block::<Done<()>>());
    assert!(nothing.is_err());
    let (_, waker) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    for _ in 0..3 {
        let mut dropped = Box::pin(io.ready(Direction::Read));
        let _ = dropped.as_mut().poll(&mut cx);
    }
    let io = Arc::new(io);
    let kept = Arc::clone(&io);
    let waiter = rt.spawn(async move { kept.ready(Direction::Read).await });
    turns(&rt, 5).await;
    peer.write_all(b"x").unwrap();
    waiter.await.unwrap().unwrap();
    assert_eq!(byte(&*io).await, b'x');
    drop(io);
    drop(waker);
}

/// `poll_io` and `ready` may wait side by side, and both are woken.
pub async fn poll_io_and_ready_side_by_side<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let nothing = io.try_io(Direction::Read, |mut s| s.read(&mut [0]).map(Done::more));
    assert!(nothing.is_err());
    let io = Arc::new(io);
    let (one, other) = (Arc::clone(&io), Arc::clone(&io));
    let waits = rt.spawn(async move { one.ready(Direction::Read).await });
    let reads = rt.spawn(async move { byte(&*other).await });
    turns(&rt, 10).await;
    peer.write_all(b"y").unwrap();
    assert_eq!(reads.await.unwrap(), b'y');
    // Readiness is a hint: what it waited for may be gone again before it looks, and then it waits for
    // the next.
    peer.write_all(b"z").unwrap();
    waits.await.unwrap().unwrap();
}

/// `try_io` does one attempt, and says "would block" if there is nothing.
pub async fn try_io_tries_once<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let mut buf = [0; 4];
    let read = io.try_io(Direction::Read, |mut s| s.read(&mut buf).map(Done::more));
    assert_eq!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
    peer.write_all(b"ab").unwrap();
    io.ready(Direction::Read).await.unwrap();
    let mut calls = 0;
    let read = io.try_io(Direction::Read, |mut s| {
        calls += 1;
        s.read(&mut buf).map(Done::more)
    });
    assert_eq!((read.unwrap(), calls), (2, 1));
    // Its errors are handed out, also those that `poll_io` would hide.
    let failed = io.try_io(Direction::Write, |_| -> io::Result<Done<()>> {
        Err(ErrorKind::BrokenPipe.into())
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::BrokenPipe);
}

/// After "would block", `ready` waits for something new.
pub async fn ready_waits_after_would_block<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    for round in 0..20 {
        // Readiness is a hint, so this may take more than one round; but it comes to rest.
        while io
            .try_io(Direction::Read, |mut s| s.read(&mut [0]).map(Done::more))
            .is_ok()
        {}
        let mut ready = pin!(io.ready(Direction::Read));
        let mut polls = 0;
        poll_fn(|cx| {
            polls += 1;
            let poll = ready.as_mut().poll(cx);
            if polls == 1 {
                assert!(
                    poll.is_pending(),
                    "nothing has arrived since (round {round})"
                );
                peer.write_all(b"x").unwrap();
            }
            poll
        })
        .await
        .unwrap();
        assert_eq!(byte(&io).await, b'x');
    }
}

/// `Done::drained` lets the next one wait; what arrives afterwards is not missed.
pub async fn drained_means_nothing_more<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    for round in 0..20u8 {
        peer.write_all(&[round]).unwrap();
        let mut buf = [0; 8];
        let got = poll_fn(|cx| {
            io.poll_io(cx, Direction::Read, |mut socket| {
                socket.read(&mut buf).map(Done::drained)
            })
        });
        assert_eq!((got.await.unwrap(), buf[0]), (1, round));
        let (_, waker) = counting_waker();
        let mut calls = 0;
        let poll = io.poll_io(&mut Context::from_waker(&waker), Direction::Read, |_| {
            calls += 1;
            would_block::<Done<()>>()
        });
        assert!(poll.is_pending());
        // One look for nothing at the start, and one for an event of the byte that came late.
        assert!(calls <= 2);
    }
}

/// `Done::more` keeps what is left readable: nothing is waited for that is there.
pub async fn more_means_more<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    peer.write_all(b"many bytes at once").unwrap();
    for &expected in b"many bytes at once" {
        assert_eq!(byte(&io).await, expected);
    }
}

/// The end of the stream is something to read.
pub async fn the_end_is_readable<R: Io>(rt: R) {
    let (io, peer) = pair(&rt);
    let task = rt.spawn(async move {
        let mut buf = [0; 4];
        for _ in 0..3 {
            assert_eq!(read(&io, &mut buf).await.unwrap(), 0);
        }
        io.ready(Direction::Read).await
    });
    turns(&rt, 5).await;
    drop(peer);
    task.await.unwrap().unwrap();
}

/// The end of the stream is found also after a drained read, although no further event will come.
pub async fn the_end_after_a_drained_read<R: Io>(rt: R) {
    for closed_before in [true, false] {
        let (io, mut peer) = pair(&rt);
        let drain = async |buf: &mut [u8]| {
            poll_fn(|cx| {
                io.poll_io(cx, Direction::Read, |mut socket| {
                    socket.read(buf).map(Done::drained)
                })
            })
            .await
            .unwrap()
        };
        peer.write_all(b"last").unwrap();
        if closed_before {
            drop(peer);
            assert_eq!(drain(&mut [0; 64]).await, 4);
        } else {
            assert_eq!(drain(&mut [0; 64]).await, 4);
            drop(peer);
        }
        assert_eq!(drain(&mut [0; 64]).await, 0);
        assert_eq!(drain(&mut [0; 64]).await, 0);
    }
}

/// An event that comes in while the operation runs is not lost, although the operation says "would
/// block".
pub async fn an_event_during_the_operation<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let (other, mut other_peer) = pair(&rt);
    peer.write_all(b"a").unwrap();
    io.ready(Direction::Read).await.unwrap();
    let running = Gate::new();
    let (opener, (go_on, told)) = (running.clone(), mpsc::channel::<()>());
    let side = thread(move || {
        let mut first = true;
        park_on(poll_fn(|cx| {
            io.poll_io(cx, Direction::Read, |mut socket| {
                let mut buf = [0];
                if socket.read(&mut buf)? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                if std::mem::take(&mut first) {
                    opener.open();
                    let _ = told.recv();
                    return would_block();
                }
                Ok(Done::more(buf[0]))
            })
        }))
    });
    running.wait().await;
    peer.write_all(b"b").unwrap();
    // Once the later event is seen, the earlier one has been, too.
    other_peer.write_all(b"c").unwrap();
    assert_eq!(byte(&other).await, b'c');
    drop(go_on);
    assert_eq!(side.await.unwrap(), b'b');
}
