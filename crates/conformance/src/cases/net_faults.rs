//! What the sockets of core do when the system fails: errors, interruptions, a slow resolver.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::time::Duration;

use futures_core::Stream;
use kumi_core::combine::yield_now;
use kumi_core::net::{ConnectOptions, TcpStream, UdpSocket, lookup};
use kumi_core::runtime::{Direction, Io};
use kumi_core::task::SpawnExt;

use super::net::{HERE, listen, pair, read, read_exact, write_all};
use crate::probe::{Faulty, assert_cancelled, poll_once, turns, until};

const MS: Duration = Duration::from_millis(1);

/// The error code of a failure.
#[track_caller]
fn code<T>(result: io::Result<T>) -> Option<i32> {
    match result {
        Ok(_) => panic!("it should have failed"),
        Err(error) => error.raw_os_error(),
    }
}

/// A connection that waits to be accepted, with its client.
async fn waiting<R: Io>(rt: &R, addr: SocketAddr) -> TcpStream<R> {
    TcpStream::connect(rt, addr).await.unwrap()
}

/// An error of `accept` is handed out, and the next call waits for a while, longer each time; then it
/// finds the connection that was there all along, and all is forgotten.
pub async fn accept_waits_after_an_error<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    for error in [libc::EMFILE, libc::ENFILE, libc::ENOBUFS, libc::ENOMEM] {
        let client = waiting(&rt, addr).await;
        for pause in [5, 10, 20] {
            faults.fail(Direction::Read, error);
            assert_eq!(code(listener.accept().await), Some(error));
            // A second accept waits as well.
            let mut other = Box::pin(listener.accept());
            let mut next = Box::pin(listener.accept());
            let calls = faults.calls();
            for _ in 0..3 {
                faults.advance(pause * MS / 4);
                turns(&rt, 3).await;
                assert!(poll_once(&mut next).await.is_pending());
                assert!(poll_once(&mut other).await.is_pending());
            }
            assert_eq!(faults.calls(), calls, "nothing is tried meanwhile");
            faults.advance(pause * MS / 4);
        }
        let (accepted, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, client.local_addr().unwrap());
        drop(accepted);
    }
}

/// The pause after an error is a second at most.
pub async fn the_pause_has_an_end<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    let _client = waiting(&rt, addr).await;
    for _ in 0..20 {
        faults.fail(Direction::Read, libc::EMFILE);
        assert_eq!(code(listener.accept().await), Some(libc::EMFILE));
        faults.advance(Duration::from_secs(1));
    }
    listener.accept().await.unwrap();
}

/// The stream of connections waits in the same way, and goes on.
pub async fn incoming_goes_on_after_an_error<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    let clients = [waiting(&rt, addr).await, waiting(&rt, addr).await];
    let mut incoming = listener.incoming();
    for client in &clients {
        faults.fail(Direction::Read, libc::EMFILE);
        let failed = poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)).await;
        assert_eq!(code(failed.unwrap()), Some(libc::EMFILE));
        let mut next = Box::pin(poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)));
        assert!(poll_once(&mut next).await.is_pending());
        faults.advance(4 * MS);
        turns(&rt, 3).await;
        assert!(poll_once(&mut next).await.is_pending());
        faults.advance(MS);
        let accepted = next.await.unwrap().unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
    }
}

/// A server that only goes on after errors starves nobody, and tries seldom.
pub async fn a_careless_server_does_not_spin<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    let client = waiting(&rt, addr).await;
    faults.fail_always(Some((Direction::Read, libc::EMFILE)));
    let server = rt.spawn(async move {
        loop {
            if let Ok((stream, _)) = listener.accept().await {
                break stream;
            }
        }
    });
    turns(&rt, 5).await;
    let before = faults.calls();
    // Ten seconds.
    for _ in 0..100 {
        faults.advance(100 * MS);
        turns(&rt, 3).await;
    }
    let calls = faults.calls() - before;
    assert!((1..=20).contains(&calls), "{calls} calls in ten seconds");
    faults.fail_always(None);
    faults.advance(Duration::from_secs(1));
    let accepted = server.await.unwrap();
    write_all(&accepted, b"late").await;
    assert_eq!(read_exact(&client, 4).await, b"late");
}

/// Connections that failed while they waited are passed over.
pub async fn failed_connections_are_passed_over<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    let client = waiting(&rt, addr).await;
    for error in [
        libc::ECONNABORTED,
        libc::ECONNRESET,
        libc::ENETDOWN,
        libc::EHOSTUNREACH,
    ] {
        faults.fail(Direction::Read, error);
    }
    let (_, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, client.local_addr().unwrap());
}

/// Very many failed connections in a row are waited out.
pub async fn endless_failed_connections_do_not_spin<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    let _client = waiting(&rt, addr).await;
    faults.fail_always(Some((Direction::Read, libc::ECONNABORTED)));
    let before = faults.calls();
    let mut accept = Box::pin(listener.accept());
    for _ in 0..50 {
        assert!(poll_once(&mut accept).await.is_pending());
        yield_now().await;
    }
    let calls = faults.calls() - before;
    assert!(calls <= 32, "{calls} calls without a pause");
    faults.fail_always(None);
    faults.advance(5 * MS);
    accept.await.unwrap();
}

/// Interruptions by signals are tried again in every operation.
pub async fn interruptions_are_not_handed_out<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let interrupt = |direction| {
        for _ in 0..3 {
            faults.fail(direction, libc::EINTR);
        }
    };
    let (listener, addr) = listen(&rt).await;
    let client = waiting(&rt, addr).await;
    interrupt(Direction::Read);
    let (accepted, _) = listener.accept().await.unwrap();
    interrupt(Direction::Write);
    write_all(&client, b"ping").await;
    interrupt(Direction::Read);
    let mut peeked = [0; 4];
    accepted.peek(&mut peeked).await.unwrap();
    interrupt(Direction::Read);
    assert_eq!(read_exact(&accepted, 4).await, b"ping");
    interrupt(Direction::Write);
    let _other = waiting(&rt, addr).await;
    let socket = UdpSocket::bind(&rt, HERE).await.unwrap();
    let here = socket.local_addr().unwrap();
    interrupt(Direction::Write);
    assert_eq!(socket.send_to(b"datagram", here).await.unwrap(), 8);
    interrupt(Direction::Read);
    let mut buf = [0; 16];
    assert_eq!(socket.recv_from(&mut buf).await.unwrap(), (8, here));
}

/// Other errors of a transfer are handed out once, and the socket goes on if the system does.
pub async fn errors_of_transfers_are_handed_out<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (a, b) = pair(&rt).await;
    write_all(&a, b"x").await;
    for error in [libc::EIO, libc::ECONNRESET, libc::ENOMEM] {
        faults.fail(Direction::Read, error);
        assert_eq!(code(read(&b, &mut [0]).await), Some(error));
    }
    assert_eq!(read_exact(&b, 1).await, b"x");
    for error in [libc::ENOBUFS, libc::EPIPE] {
        faults.fail(Direction::Write, error);
        a.writable().await.unwrap();
        assert_eq!(code(a.try_write(b"y")), Some(error));
    }
    write_all(&a, b"z").await;
    assert_eq!(read_exact(&b, 1).await, b"z");
}

/// A task that goes on reading although each read fails, or is interrupted, starves nobody and can be
/// cancelled.
pub async fn a_reader_that_ignores_errors_can_be_cancelled<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    for error in [libc::EIO, libc::EINTR] {
        let (a, b) = pair(&rt).await;
        write_all(&a, b"x").await;
        b.readable().await.unwrap();
        faults.fail_always(Some((Direction::Read, error)));
        let before = faults.calls();
        let reader = rt.spawn(async move {
            loop {
                let _ = read(&b, &mut [0]).await;
            }
        });
        until(|| faults.calls() > before + 300).await;
        turns(&rt, 5).await;
        assert_cancelled(reader.cancel_and_join().await);
        faults.fail_always(None);
    }
}

/// An attempt to connect has its time limit, by the clock of the runtime, and then the next address has its
/// turn.
pub async fn connecting_has_a_time_limit<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    let (other, second) = listen(&rt).await;
    let options = ConnectOptions::new().time_limit(10 * MS);
    faults.never_ready(Direction::Write);
    let mut connect = pin!(options.connect(&rt, vec![addr, second]));
    for _ in 0..3 {
        assert!(poll_once(&mut connect).await.is_pending());
        turns(&rt, 3).await;
        faults.advance(3 * MS);
    }
    faults.advance(MS);
    let stream = connect.await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), second);
    drop((listener, other));
}

/// If no address answers in time, that is the error.
pub async fn connecting_times_out<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (_listener, addr) = listen(&rt).await;
    let options = ConnectOptions::new().time_limit(10 * MS);
    faults.never_ready(Direction::Write);
    let mut connect = pin!(options.connect(&rt, addr));
    assert!(poll_once(&mut connect).await.is_pending());
    faults.advance(10 * MS);
    let error = connect.await.unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::TimedOut);
}

/// While a name is looked up, other tasks run; the thread of the caller never asks the resolver.
pub async fn a_slow_resolver_stops_nobody<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let (listener, addr) = listen(&rt).await;
    faults.hold();
    let asks = rt.spawn(lookup(&rt, "localhost:80"));
    let connects = rt.spawn(TcpStream::connect(&rt, ("localhost", addr.port())));
    until(|| faults.held() == 2).await;
    // Tasks, descriptors and addresses that need no look-up go on.
    turns(&rt, 10).await;
    let (a, b) = {
        let client = waiting(&rt, addr).await;
        (client, listener.accept().await.unwrap().0)
    };
    write_all(&a, b"on").await;
    assert_eq!(read_exact(&b, 2).await, b"on");
    assert!(!asks.is_finished() && !connects.is_finished());
    rt.release();
    assert!(!asks.await.unwrap().unwrap().is_empty());
    connects.await.unwrap().unwrap();
}

/// A look-up that nobody waits for any more harms nobody.
pub async fn a_dropped_look_up<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    faults.hold();
    let mut asks = Box::pin(lookup(&rt, "localhost:80"));
    until(|| {
        let waker = std::task::Waker::noop();
        let poll = asks
            .as_mut()
            .poll(&mut std::task::Context::from_waker(waker));
        assert!(poll.is_pending());
        faults.held() == 1
    })
    .await;
    drop(asks);
    rt.release();
    assert!(!lookup(&rt, "localhost:80").await.unwrap().is_empty());
}
