//! Registered descriptors: reading and writing, wakes, errors, and their end.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Context;

use kumi_core::context;
use kumi_core::runtime::{Direction, Done, Io, Registered};
use kumi_core::task::SpawnExt;

use crate::Fresh;
use crate::probe::{
    Gate, assert_cancelled, counting_waker, panic_of, park_on, thread, turns, until,
};

/// A connected pair; the first is registered, the second is a plain blocking socket.
pub(super) fn pair<R: Io>(rt: &R) -> (R::Registered<UnixStream>, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_nonblocking(true).unwrap();
    (rt.register(ours).unwrap(), theirs)
}

/// Reads once what is there.
pub(super) async fn read(io: &impl Registered<UnixStream>, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| {
        io.poll_io(cx, Direction::Read, |mut socket| {
            socket.read(buf).map(Done::more)
        })
    })
    .await
}

/// Reads one byte that has to be there sooner or later.
pub(super) async fn byte(io: &impl Registered<UnixStream>) -> u8 {
    let mut buf = [0];
    assert_eq!(read(io, &mut buf).await.unwrap(), 1);
    buf[0]
}

pub(super) fn would_block<T>() -> io::Result<T> {
    Err(ErrorKind::WouldBlock.into())
}

/// What is there is read at once; the registered value is at hand.
pub async fn reads_what_is_there<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    assert!(io.get_ref().peer_addr().is_ok());
    peer.write_all(b"kumi").unwrap();
    let mut buf = [0; 8];
    let mut got = 0;
    while got < 4 {
        got += read(&io, &mut buf[got..]).await.unwrap();
    }
    assert_eq!(&buf[..4], b"kumi");
}

/// A task that waits is woken when something arrives, again and again.
pub async fn a_reader_is_woken<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let parked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&parked);
    let task = rt.spawn(async move {
        for round in 0..50 {
            let mut buf = [0];
            poll_fn(|cx| {
                let poll = io.poll_io(cx, Direction::Read, |mut socket| {
                    socket.read(&mut buf).map(Done::more)
                });
                if poll.is_pending() {
                    count.store(round + 1, Ordering::SeqCst);
                }
                poll
            })
            .await
            .unwrap();
            assert_eq!(usize::from(buf[0]), round);
        }
    });
    for round in 0..50 {
        until(|| parked.load(Ordering::SeqCst) == round + 1).await;
        peer.write_all(&[round as u8]).unwrap();
    }
    task.await.unwrap();
}

/// The future of `block_on` is woken too, although nothing else happens.
pub async fn main_is_woken<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let side = thread(move || {
        for round in 0..20 {
            peer.write_all(&[round]).unwrap();
            let mut answer = [0];
            peer.read_exact(&mut answer).unwrap();
            assert_eq!(answer[0], round);
        }
    });
    for round in 0..20 {
        assert_eq!(byte(&io).await, round);
        let sent = io.try_io(Direction::Write, |mut s| s.write(&[round]).map(Done::more));
        assert_eq!(sent.unwrap(), 1);
    }
    side.await;
}

/// The errors of the operation are handed out, interruptions too.
pub async fn errors_are_handed_out<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    peer.write_all(b"x").unwrap();
    for kind in [
        ErrorKind::Interrupted,
        ErrorKind::ConnectionReset,
        ErrorKind::Other,
    ] {
        let failed = poll_fn(|cx| {
            io.poll_io(cx, Direction::Read, |_| -> io::Result<Done<()>> {
                Err(kind.into())
            })
        });
        assert_eq!(failed.await.unwrap_err().kind(), kind);
    }
    assert_eq!(byte(&io).await, b'x', "and the readiness is still there");
}

/// A panic of the operation leaves the registration usable.
pub async fn a_panic_of_the_operation<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    peer.write_all(b"x").unwrap();
    io.ready(Direction::Read).await.unwrap();
    let (_, waker) = counting_waker();
    let mut cx = Context::from_waker(&waker);
    let message = panic_of(|| {
        io.poll_io(&mut cx, Direction::Read, |_| -> io::Result<Done<()>> {
            panic!("in the op")
        })
    });
    assert_eq!(message, "in the op");
    assert_eq!(byte(&io).await, b'x');
}

/// A writer that finds no room is woken when there is some.
pub async fn a_writer_is_woken<R: Io>(rt: R) {
    const TOTAL: usize = 4 * 1024 * 1024;
    let (io, mut peer) = pair(&rt);
    let parked = Gate::new();
    let full = parked.clone();
    let writer = rt.spawn(async move {
        let block = [7; 16 * 1024];
        let mut sent = 0;
        while sent < TOTAL {
            let len = block.len().min(TOTAL - sent);
            sent += poll_fn(|cx| {
                let poll = io.poll_io(cx, Direction::Write, |mut socket| {
                    socket.write(&block[..len]).map(Done::more)
                });
                if poll.is_pending() {
                    full.open();
                }
                poll
            })
            .await
            .unwrap();
        }
    });
    parked.wait().await;
    let reader = thread(move || {
        let mut buf = [0; 64 * 1024];
        let mut got = 0;
        loop {
            match peer.read(&mut buf).unwrap() {
                0 => return got,
                n => got += n,
            }
        }
    });
    writer.await.unwrap();
    assert_eq!(reader.await, TOTAL);
}

/// One task may wait to read while another waits to write; neither takes the other's wake-up.
pub async fn both_directions_at_once<R: Io>(rt: R) {
    let (io, peer) = pair(&rt);
    let io = Arc::new(io);
    // Fill it, so that writing has to wait.
    let block = [1; 64 * 1024];
    let fill = || io.try_io(Direction::Write, |mut s| s.write(&block).map(Done::more));
    let mut sent = 0;
    loop {
        match fill() {
            Ok(n) => sent += n,
            Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
        }
    }
    let (one, other) = (Arc::clone(&io), Arc::clone(&io));
    let reads = rt.spawn(async move { byte(&*one).await });
    let writes = rt.spawn(async move {
        poll_fn(|cx| {
            other.poll_io(cx, Direction::Write, |mut s| {
                s.write(b"last").map(Done::more)
            })
        })
        .await
    });
    turns(&rt, 5).await;
    let mut answer = peer.try_clone().unwrap();
    answer.write_all(b"r").unwrap();
    assert_eq!(reads.await.unwrap(), b'r');
    let drain = thread(move || {
        let mut peer = peer;
        let mut left = vec![0; sent];
        peer.read_exact(&mut left).unwrap();
        peer
    });
    let wrote = writes.await.unwrap().unwrap();
    let mut peer = drain.await;
    let mut last = vec![0; wrote];
    peer.read_exact(&mut last).unwrap();
    assert_eq!(&last, &b"last"[..wrote]);
}

/// The last task that waits through `poll_io` is the one that is woken.
pub async fn the_waker_is_replaced<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let (_, waker) = counting_waker();
    let early = io.poll_io(
        &mut Context::from_waker(&waker),
        Direction::Read,
        |mut s| s.read(&mut [0]).map(Done::more),
    );
    assert!(early.is_pending());
    let parked = Gate::new();
    let waits = parked.clone();
    let task = rt.spawn(async move {
        poll_fn(|cx| {
            let mut buf = [0];
            let poll = io.poll_io(cx, Direction::Read, |mut s| {
                s.read(&mut buf).map(Done::more)
            });
            waits.open();
            poll
        })
        .await
    });
    parked.wait().await;
    peer.write_all(b"x").unwrap();
    assert_eq!(task.await.unwrap().unwrap(), 1);
}

/// A task that waits for a descriptor can be cancelled, and the descriptor used by another.
pub async fn a_waiting_task_is_cancelled<R: Io>(rt: R) {
    let (io, mut peer) = pair(&rt);
    let io = Arc::new(io);
    for direction in [Direction::Read, Direction::Read] {
        let held = Arc::clone(&io);
        let task = rt.spawn(async move {
            poll_fn(|cx| held.poll_io(cx, direction, |_| would_block::<Done<()>>())).await
        });
        turns(&rt, 5).await;
        assert_cancelled(task.cancel_and_join().await);
    }
    assert_eq!(Arc::strong_count(&io), 1);
    peer.write_all(b"z").unwrap();
    assert_eq!(byte(&*io).await, b'z');
}

/// Dropping the registration closes the descriptor, and its number can be registered again.
pub async fn dropping_it_closes_the_descriptor<R: Io>(rt: R) {
    for round in 0..50 {
        let (io, mut peer) = pair(&rt);
        if round % 2 == 0 {
            let (_, waker) = counting_waker();
            let poll = io.poll_io(
                &mut Context::from_waker(&waker),
                Direction::Read,
                |mut s| s.read(&mut [0]).map(Done::more),
            );
            assert!(poll.is_pending());
        } else {
            peer.write_all(b"x").unwrap();
            assert_eq!(byte(&io).await, b'x');
        }
        drop(io);
        assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the peer reads the end");
    }
}

/// Many descriptors at once: each event wakes its own task.
pub async fn many_descriptors<R: Io>(rt: R) {
    let (mut peers, mut tasks) = (Vec::new(), Vec::new());
    for _ in 0..100 {
        let (io, peer) = pair(&rt);
        tasks.push(rt.spawn(async move { byte(&io).await }));
        peers.push(peer);
    }
    turns(&rt, 5).await;
    for (number, peer) in peers.iter_mut().enumerate().rev() {
        peer.write_all(&[number as u8]).unwrap();
    }
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(usize::from(task.await.unwrap()), number);
    }
}

/// A descriptor without readiness, such as a regular file, is refused, not waited for.
///
/// (Where the kernel says so: Linux does.)
pub async fn a_regular_file_is_refused<R: Io>(rt: R) {
    if cfg!(any(target_os = "linux", target_os = "android")) {
        let file = std::fs::File::open(std::env::current_exe().unwrap()).unwrap();
        assert!(rt.register(file).is_err());
    }
}

/// Descriptors may be registered and used on other threads.
pub async fn on_a_foreign_thread<R: Io>(rt: R) {
    let handle = rt.clone();
    let side = thread(move || {
        let (io, mut peer) = pair(&handle);
        let writer = std::thread::spawn(move || peer.write_all(b"t").unwrap());
        let got = park_on(byte(&io));
        writer.join().unwrap();
        got
    });
    assert_eq!(side.await, b't');
}

/// Once the runtime is shut down, waiting for a descriptor is an error and no hang.
pub fn after_the_shutdown<R: Io>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (io, mut peer) = pair(&*rt);
    let early = rt.block_on(async {
        let (_, waker) = counting_waker();
        let mut cx = Context::from_waker(&waker);
        io.poll_io(&mut cx, Direction::Read, |mut s| {
            s.read(&mut [0]).map(Done::more)
        })
    });
    assert!(early.is_pending());
    let handle = rt.handle();
    drop(rt);
    assert!(park_on(io.ready(Direction::Read)).is_err());
    let read = park_on(read(&io, &mut [0]));
    assert_ne!(read.unwrap_err().kind(), ErrorKind::WouldBlock);
    drop(io);
    assert_eq!(peer.read(&mut [0]).unwrap(), 0, "the peer reads the end");
    drop(handle);
}

/// A thread that waits for a descriptor when the runtime is shut down gets an error.
pub fn waiting_at_the_shutdown<R: Io>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (io, peer) = pair(&*rt);
    let io = Arc::new(io);
    let (one, other) = (Arc::clone(&io), Arc::clone(&io));
    let parked = Arc::new(AtomicUsize::new(0));
    let (first, second) = (Arc::clone(&parked), Arc::clone(&parked));
    let reads = thread(move || {
        park_on(poll_fn(|cx| {
            let poll = one.poll_io(cx, Direction::Read, |mut s| {
                s.read(&mut [0]).map(Done::more)
            });
            first.fetch_or(1, Ordering::SeqCst);
            poll
        }))
    });
    let nothing = io.try_io(Direction::Read, |_| would_block::<Done<()>>());
    assert!(nothing.is_err());
    let waits = thread(move || {
        let mut ready = pin!(other.ready(Direction::Read));
        park_on(poll_fn(|cx| {
            let poll = ready.as_mut().poll(cx);
            second.fetch_or(2, Ordering::SeqCst);
            poll
        }))
    });
    rt.block_on(until(|| parked.load(Ordering::SeqCst) == 3));
    drop(rt);
    assert!(park_on(reads).is_err());
    // Readiness is a hint: if it was taken for ready before, that was no error.
    let _ = park_on(waits);
    drop(peer);
}

/// The ambient runtime offers it: sockets work without a runtime at hand.
pub async fn the_ambient_runtime_has_it<R: Io>(rt: R) {
    let task = rt.spawn(async {
        let any = context::with_current(|rt| {
            let rt = rt.expect("it is set");
            assert!(rt.io().is_some());
            rt.to_any_runtime()
        });
        let (io, mut peer) = pair(&any);
        peer.write_all(b"a").unwrap();
        let got = byte(&io).await;
        io.ready(Direction::Write).await.unwrap();
        got
    });
    assert_eq!(task.await.unwrap(), b'a');
}
