//! UDP sockets.

use std::future::{Future, poll_fn};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::sync::Arc;

use kumi_core::net::{UdpOptions, UdpSocket};
use kumi_core::runtime::{Direction, Done, Io};
use kumi_core::task::SpawnExt;
use socket2::SockRef;

use super::net::HERE;
use crate::probe::{assert_cancelled, poll_once, turns};

async fn bind<R: Io>(rt: &R) -> (UdpSocket<R>, SocketAddr) {
    let socket = UdpSocket::bind(rt, HERE).await.unwrap();
    let addr = socket.local_addr().unwrap();
    (socket, addr)
}

/// Two sockets that are each other's peer.
async fn pair<R: Io>(rt: &R) -> (UdpSocket<R>, UdpSocket<R>) {
    let ((a, a_addr), (b, b_addr)) = (bind(rt).await, bind(rt).await);
    a.connect(b_addr).await.unwrap();
    b.connect(a_addr).await.unwrap();
    (a, b)
}

/// What is sent to an address arrives there, with the address of the sender.
pub async fn echo<R: Io>(rt: R) {
    let (server, addr) = bind(&rt).await;
    let task = rt.spawn(async move {
        let mut buf = [0; 64];
        for _ in 0..20 {
            let (len, peer) = server.recv_from(&mut buf).await.unwrap();
            assert_eq!(server.send_to(&buf[..len], peer).await.unwrap(), len);
        }
    });
    let (client, here) = bind(&rt).await;
    for round in 0..20u8 {
        client.send_to(&[round; 10], addr).await.unwrap();
        let mut buf = [0; 64];
        assert_eq!(client.recv_from(&mut buf).await.unwrap(), (10, addr));
        assert_eq!(buf[..10], [round; 10]);
    }
    assert_ne!(here, addr);
    task.await.unwrap();
}

/// A connected socket sends to its peer, and hears only it.
pub async fn one_peer<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    assert_eq!(a.peer_addr().unwrap(), b.local_addr().unwrap());
    let (stranger, _) = bind(&rt).await;
    let here = b.local_addr().unwrap();
    stranger.send_to(b"spam", here).await.unwrap();
    assert_eq!(a.send(b"from a").await.unwrap(), 6);
    let mut buf = [0; 16];
    assert_eq!(b.recv(&mut buf).await.unwrap(), 6);
    assert_eq!(&buf[..6], b"from a");
    // Nobody is the peer of a socket that was not connected.
    assert!(stranger.peer_addr().is_err());
    assert!(stranger.send(b"x").await.is_err());
    // The peer can be another one later, also by its name.
    let (c, other) = bind(&rt).await;
    a.connect(("localhost", other.port())).await.unwrap();
    a.connect([other]).await.unwrap();
    a.send(b"to c").await.unwrap();
    assert_eq!(c.recv(&mut buf).await.unwrap(), 4);
}

/// The `poll_` forms do the same, and so do those that try once.
pub async fn by_polling<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let to = b.local_addr().unwrap();
    let from = a.local_addr().unwrap();
    let mut buf = [0; 16];
    let nothing = b.try_recv(&mut buf).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    assert!(b.try_recv_from(&mut buf).is_err());
    assert_eq!(poll_fn(|cx| a.poll_send(cx, b"1")).await.unwrap(), 1);
    assert_eq!(poll_fn(|cx| b.poll_recv(cx, &mut buf)).await.unwrap(), 1);
    let (other, _) = bind(&rt).await;
    let (third, third_addr) = bind(&rt).await;
    let sent = poll_fn(|cx| other.poll_send_to(cx, b"22", third_addr)).await;
    assert_eq!(sent.unwrap(), 2);
    let got = poll_fn(|cx| third.poll_recv_from(cx, &mut buf)).await;
    assert_eq!(got.unwrap(), (2, other.local_addr().unwrap()));
    a.writable().await.unwrap();
    assert_eq!(a.try_send(b"333").unwrap(), 3);
    b.readable().await.unwrap();
    assert_eq!(b.try_recv_from(&mut buf).unwrap(), (3, from));
    other.writable().await.unwrap();
    assert_eq!(other.try_send_to(b"4444", third_addr).unwrap(), 4);
    third.readable().await.unwrap();
    assert_eq!(third.try_recv(&mut buf).unwrap(), 4);
    let _ = to;
}

/// Peeked datagrams are received again.
pub async fn peek<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    a.send(b"look").await.unwrap();
    let mut buf = [0; 16];
    assert_eq!(b.peek(&mut buf).await.unwrap(), 4);
    let from = a.local_addr().unwrap();
    assert_eq!(b.peek_from(&mut buf).await.unwrap(), (4, from));
    assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
    assert_eq!(&buf[..4], b"look");
}

/// An empty datagram is one, and one that is too long is cut off.
pub async fn of_any_length<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    for len in [0, 1, 8, 9, 1400] {
        a.send(&vec![7; len]).await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(b.recv(&mut buf).await.unwrap(), len.min(8));
    }
}

/// A receive that is dropped takes nothing.
pub async fn a_dropped_receive_loses_nothing<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let mut buf = [0; 4];
    let mut dropped = Box::pin(b.recv(&mut buf));
    assert!(poll_once(&mut dropped).await.is_pending());
    a.send(b"kept").await.unwrap();
    drop(dropped);
    assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
    assert_eq!(&buf, b"kept");
    let task = rt.spawn(async move { b.recv(&mut [0]).await });
    turns(&rt, 5).await;
    assert_cancelled(task.cancel_and_join().await);
}

/// Any number of tasks may receive on one socket; each datagram goes to one of them.
pub async fn many_receive<R: Io>(rt: R) {
    let (socket, addr) = bind(&rt).await;
    let socket = Arc::new(socket);
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let socket = Arc::clone(&socket);
            rt.spawn(async move {
                let mut buf = [0; 4];
                socket.recv_from(&mut buf).await.unwrap();
                buf[0]
            })
        })
        .collect();
    turns(&rt, 5).await;
    let (client, _) = bind(&rt).await;
    for number in 0..5 {
        client.send_to(&[number], addr).await.unwrap();
    }
    let mut got = Vec::new();
    for task in tasks {
        got.push(task.await.unwrap());
    }
    got.sort_unstable();
    assert_eq!(got, [0, 1, 2, 3, 4]);
}

/// What a sender of many datagrams at once needs: operations of one's own on the descriptor, any number of
/// tasks that wait for room, and futures that are `Send` and `Sync`.
pub async fn operations_of_ones_own<R: Io>(rt: R) {
    fn send_and_sync<T: Send + Sync>(value: T) -> T {
        value
    }
    let (a, b) = pair(&rt).await;
    let a = Arc::new(send_and_sync(a));
    let writers: Vec<_> = (0..3)
        .map(|_| {
            let socket = Arc::clone(&a);
            rt.spawn(send_and_sync(async move { socket.writable().await }))
        })
        .collect();
    for writer in writers {
        writer.await.unwrap().unwrap();
    }
    let sent = a.try_io(Direction::Write, |socket| {
        SockRef::from(socket)
            .send_vectored(&[
                std::io::IoSlice::new(b"to"),
                std::io::IoSlice::new(b"gether"),
            ])
            .map(Done::more)
    });
    assert_eq!(sent.unwrap(), 8);
    let mut buf = [0; 16];
    let got = poll_fn(|cx| {
        b.poll_io(cx, Direction::Read, |socket| {
            socket.recv(&mut buf).map(Done::more)
        })
    });
    assert_eq!(got.await.unwrap(), 8);
    assert_eq!(&buf[..8], b"together");
}

/// The refusal of a datagram is an error of a later operation, once.
pub async fn a_refusal_is_told<R: Io>(rt: R) {
    let (gone, nobody) = bind(&rt).await;
    drop(gone);
    let (socket, _) = bind(&rt).await;
    socket.connect(nobody).await.unwrap();
    if cfg!(target_os = "linux") {
        socket.send(b"anybody?").await.unwrap();
        let error = socket.recv(&mut [0]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    }
    let (peer, addr) = bind(&rt).await;
    socket.connect(addr).await.unwrap();
    socket.send(b"yes").await.unwrap();
    assert_eq!(peer.recv(&mut [0; 8]).await.unwrap(), 3);
}

/// A socket of the standard library can be taken over, and taken back.
pub async fn of_the_standard_library<R: Io>(rt: R) {
    let std = std::net::UdpSocket::bind(HERE).unwrap();
    let addr = std.local_addr().unwrap();
    let socket = UdpSocket::from_std(&rt, std).unwrap();
    let (client, _) = bind(&rt).await;
    let mut buf = [0; 8];
    let mut early = Box::pin(socket.recv(&mut buf));
    assert!(poll_once(&mut early).await.is_pending());
    client.send_to(b"one", addr).await.unwrap();
    assert_eq!(early.await.unwrap(), 3);
    let std = socket.into_std().unwrap();
    std.set_nonblocking(false).unwrap();
    client.send_to(b"four", addr).await.unwrap();
    assert_eq!(std.recv(&mut buf).unwrap(), 4);
    let socket = UdpSocket::from_std(&rt, std).unwrap();
    client.send_to(b"again", addr).await.unwrap();
    assert_eq!(socket.recv(&mut buf).await.unwrap(), 5);
}

/// The settings that a socket is made with, and those that can be changed.
pub async fn settings<R: Io>(rt: R) {
    let options = UdpOptions::new()
        .broadcast(true)
        .reuse_address(true)
        .reuse_port(true)
        .recv_buffer_size(32 * 1024)
        .send_buffer_size(48 * 1024)
        .ttl(21);
    let socket = options.bind(&rt, HERE).await.unwrap();
    let addr = socket.local_addr().unwrap();
    let _shares = options.bind(&rt, addr).await.unwrap();
    assert!(UdpSocket::bind(&rt, addr).await.is_err());
    assert!(socket.broadcast().unwrap());
    assert_eq!(socket.ttl().unwrap(), 21);
    let recv = SockRef::from(&socket).recv_buffer_size().unwrap() / 1024;
    assert!([32, 64].contains(&recv), "{recv}");
    socket.set_broadcast(false).unwrap();
    socket.set_ttl(22).unwrap();
    socket.set_multicast_loop_v4(false).unwrap();
    socket.set_multicast_ttl_v4(3).unwrap();
    assert!(!socket.broadcast().unwrap() && !socket.multicast_loop_v4().unwrap());
    assert_eq!(
        (socket.ttl().unwrap(), socket.multicast_ttl_v4().unwrap()),
        (22, 3)
    );
    assert!(socket.take_error().unwrap().is_none());
    // Closed for both directions it is not: UDP has no end of the stream.
    let _ = SockRef::from(&socket).shutdown(Shutdown::Both);
}

/// A socket hears the groups that it has joined.
pub async fn multicast<R: Io>(rt: R) {
    let group = Ipv4Addr::new(239, 255, 77, 77);
    let socket = UdpSocket::bind(&rt, (Ipv4Addr::UNSPECIFIED, 0))
        .await
        .unwrap();
    socket
        .join_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    let again = socket.join_multicast_v4(&group, &Ipv4Addr::LOCALHOST);
    assert!(again.is_err(), "it has joined already");
    let (sender, _) = bind(&rt).await;
    SockRef::from(&sender)
        .set_multicast_if_v4(&Ipv4Addr::LOCALHOST)
        .unwrap();
    let port = socket.local_addr().unwrap().port();
    sender.send_to(b"all", (group, port).into()).await.unwrap();
    let mut buf = [0; 8];
    assert_eq!(socket.recv(&mut buf).await.unwrap(), 3);
    socket
        .leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
        .unwrap();
    assert!(
        socket
            .leave_multicast_v4(&group, &Ipv4Addr::LOCALHOST)
            .is_err()
    );
}

/// A task that never finds its socket empty gives way to others, and can be cancelled.
pub async fn a_greedy_sender_gives_way<R: Io>(rt: R) {
    let (a, _b) = pair(&rt).await;
    let task = rt.spawn(async move {
        loop {
            let _ = a.send(b"x").await;
        }
    });
    turns(&rt, 20).await;
    assert_cancelled(task.cancel_and_join().await);
}

/// Sockets and the futures that wait for them are `Send`.
pub async fn everything_is_send<R: Io>(rt: R) {
    fn send<F: Future + Send>(future: F) -> F {
        future
    }
    let (socket, addr) = send(bind(&rt)).await;
    let mut buf = [0; 4];
    drop(send(socket.recv_from(&mut buf)));
    drop(send(socket.send_to(&buf, addr)));
    drop(send(socket.connect(addr)));
    drop(send(socket.peek_from(&mut buf)));
}
