//! TCP with settings, halves, and sockets of other origin.

use std::future::{Future, poll_fn};
use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use kumi_core::net::{
    ByteStream, ConnectOptions, Keepalive, ListenOptions, ReadHalf, TcpListener, TcpStream,
    WriteHalf,
};
use kumi_core::runtime::{Direction, Done, Io};
use kumi_core::task::SpawnExt;
use socket2::{Domain, SockRef, Socket, Type};

use super::net::{HERE, listen, pair, read, read_exact, write_all};
use crate::probe::{assert_cancelled, poll_once, thread, turns};

async fn half_read<S: ByteStream>(half: &mut ReadHalf<S>, buf: &mut [u8]) -> usize {
    poll_fn(|cx| Pin::new(&mut *half).poll_read(cx, buf))
        .await
        .unwrap()
}

async fn half_write<S: ByteStream>(half: &mut WriteHalf<S>, bytes: &[u8]) {
    let n = poll_fn(|cx| Pin::new(&mut *half).poll_write(cx, bytes)).await;
    assert_eq!(n.unwrap(), bytes.len());
}

/// A connection has the settings that it was made with.
pub async fn settings_of_a_connection<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let second = Duration::from_secs(1);
    let options = ConnectOptions::new()
        .nodelay(false)
        .keepalive(
            Keepalive::after(40 * second)
                .interval(7 * second)
                .retries(3),
        )
        .linger(Duration::ZERO)
        .ttl(33)
        .recv_buffer_size(32 * 1024)
        .send_buffer_size(48 * 1024)
        .reuse_address(true);
    let stream = options.connect(&rt, addr).await.unwrap();
    let _accepted = listener.accept().await.unwrap();
    assert!(!stream.nodelay().unwrap());
    assert!(stream.keepalive().unwrap());
    assert_eq!(stream.linger().unwrap(), Some(Duration::ZERO));
    assert_eq!(stream.ttl().unwrap(), 33);
    let socket = SockRef::from(&stream);
    assert_eq!(socket.tcp_keepalive_time().unwrap(), 40 * second);
    assert_eq!(socket.tcp_keepalive_interval().unwrap(), 7 * second);
    assert!(socket.reuse_address().unwrap());
    // Linux doubles what it is told.
    let (recv, send) = (
        socket.recv_buffer_size().unwrap() / 1024,
        socket.send_buffer_size().unwrap() / 1024,
    );
    assert!([32, 64].contains(&recv), "{recv}");
    assert!([48, 96].contains(&send), "{send}");
    // And they can be changed.
    stream.set_keepalive(None).unwrap();
    stream.set_linger(None).unwrap();
    stream.set_ttl(44).unwrap();
    assert!(!stream.keepalive().unwrap());
    assert_eq!(stream.linger().unwrap(), None);
    assert_eq!(stream.ttl().unwrap(), 44);
    stream
        .set_keepalive(Some(&Keepalive::after(9 * second)))
        .unwrap();
    assert_eq!(socket.tcp_keepalive_time().unwrap(), 9 * second);
    assert!(stream.take_error().unwrap().is_none());
}

/// A connection begins at the local address that was asked for.
pub async fn a_local_address<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    // All of 127.0.0.0/8 is local on Linux.
    let last = if cfg!(target_os = "linux") { 2 } else { 1 };
    let local = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    let options = ConnectOptions::new().local_addr(local);
    let stream = options.connect(&rt, addr).await.unwrap();
    let (_accepted, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.ip(), local.ip());
    assert_eq!(peer, stream.local_addr().unwrap());
    // Addresses of another family are left out.
    let six = SocketAddr::from((Ipv6Addr::LOCALHOST, addr.port()));
    let error = options.connect(&rt, six).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    options.connect(&rt, [six, addr]).await.unwrap();
}

/// Several addresses are tried in their order; if none works the last error is the one.
pub async fn several_addresses<R: Io>(rt: R) {
    let (closed, nobody) = listen(&rt).await;
    drop(closed);
    let (first, one) = listen(&rt).await;
    let (_second, two) = listen(&rt).await;
    let stream = TcpStream::connect(&rt, [nobody, one, two]).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), one);
    first.accept().await.unwrap();
    let error = TcpStream::connect(&rt, vec![nobody, nobody]).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::ConnectionRefused);
    let none: &[SocketAddr] = &[];
    let error = TcpStream::connect(&rt, none).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let taken = ListenOptions::new().listen(&rt, [one, HERE.into()]).await;
    assert_ne!(taken.unwrap().local_addr().unwrap(), one);
}

/// Listeners may share an address if all of them say so, and connections are accepted on one of them.
pub async fn listeners_share_a_port<R: Io>(rt: R) {
    let options = ListenOptions::new().reuse_port(true).backlog(16);
    let first = options.listen(&rt, HERE).await.unwrap();
    let addr = first.local_addr().unwrap();
    let second = options.listen(&rt, addr).await.unwrap();
    assert!(TcpListener::bind(&rt, addr).await.is_err());
    let mut clients = Vec::new();
    for _ in 0..10 {
        clients.push(TcpStream::connect(&rt, addr).await.unwrap());
    }
    let mut accepted = Vec::new();
    while accepted.len() < clients.len() {
        let (mut one, mut two) = (Box::pin(first.accept()), Box::pin(second.accept()));
        let done = poll_fn(|cx| match one.as_mut().poll(cx) {
            std::task::Poll::Pending => two.as_mut().poll(cx),
            done => done,
        });
        accepted.push(done.await.unwrap().1);
    }
    let mut made: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
    made.sort();
    accepted.sort();
    assert_eq!(made, accepted);
}

/// Accepted connections are without delay, and so are those of a listener of another origin.
pub async fn accepted_without_delay<R: Io>(rt: R) {
    let std = std::net::TcpListener::bind(HERE).unwrap();
    let addr = std.local_addr().unwrap();
    let listener = TcpListener::from_std(&rt, std).unwrap();
    let _client = TcpStream::connect(&rt, addr).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    assert!(accepted.nodelay().unwrap());
    // It would block, not the thread.
    let error = accepted.try_read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
}

/// The connections of a listener are a stream.
pub async fn incoming<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let mut incoming = listener.incoming();
    for _ in 0..3 {
        let mut next = Box::pin(poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)));
        assert!(poll_once(&mut next).await.is_pending());
        let client = TcpStream::connect(&rt, addr).await.unwrap();
        let accepted = next.await.unwrap().unwrap();
        assert_eq!(accepted.peer_addr().unwrap(), client.local_addr().unwrap());
    }
}

/// Any number of tasks may wait in `accept`, and each connection goes to one of them.
pub async fn many_accept<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let listener = Arc::new(listener);
    let tasks: Vec<_> = (0..5)
        .map(|_| {
            let listener = Arc::clone(&listener);
            rt.spawn(async move { listener.accept().await.unwrap().1 })
        })
        .collect();
    turns(&rt, 5).await;
    let mut clients = Vec::new();
    for _ in 0..5 {
        clients.push(TcpStream::connect(&rt, addr).await.unwrap());
    }
    let mut peers = Vec::new();
    for task in tasks {
        peers.push(task.await.unwrap());
    }
    let mut made: Vec<_> = clients.iter().map(|c| c.local_addr().unwrap()).collect();
    made.sort();
    peers.sort();
    assert_eq!(made, peers);
}

/// A socket that the caller made, with options of its own, is connected.
pub async fn a_socket_of_ones_own<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_keepalive(true).unwrap();
    let stream = TcpStream::connect_socket(&rt, socket, addr).await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    assert!(stream.keepalive().unwrap());
    write_all(&accepted, b"o").await;
    assert_eq!(read_exact(&stream, 1).await, b"o");
}

/// A stream can be taken back as one of the standard library, and handed over again.
pub async fn back_to_the_standard_library<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    write_all(&a, b"one").await;
    assert_eq!(read_exact(&b, 3).await, b"one");
    let mut std = b.into_std().unwrap();
    std.set_nonblocking(false).unwrap();
    let side = thread(move || {
        let mut buf = [0; 3];
        std.read_exact(&mut buf).unwrap();
        std.write_all(&buf).unwrap();
        std
    });
    write_all(&a, b"two").await;
    assert_eq!(read_exact(&a, 3).await, b"two");
    let b = TcpStream::from_std(&rt, side.await).unwrap();
    write_all(&a, b"three").await;
    assert_eq!(read_exact(&b, 5).await, b"three");
}

/// Peeked bytes are read again.
pub async fn peek<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let mut buf = [0; 8];
    let mut early = Box::pin(b.peek(&mut buf));
    assert!(poll_once(&mut early).await.is_pending());
    write_all(&a, b"look").await;
    assert_eq!(early.await.unwrap(), 4);
    assert_eq!(&buf[..4], b"look");
    let again = poll_fn(|cx| b.poll_peek(cx, &mut buf)).await;
    assert_eq!(again.unwrap(), 4);
    assert_eq!(read_exact(&b, 4).await, b"look");
    a.shutdown(Shutdown::Write).unwrap();
    assert_eq!(b.peek(&mut buf).await.unwrap(), 0);
    assert_eq!(read(&b, &mut buf).await.unwrap(), 0);
}

/// `try_read` and `try_write` do what can be done now; operations of one's own as well.
pub async fn try_once<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let mut buf = [0; 8];
    let nothing = b.try_read(&mut buf).unwrap_err();
    assert_eq!(nothing.kind(), ErrorKind::WouldBlock);
    a.writable().await.unwrap();
    assert_eq!(a.try_write(b"now").unwrap(), 3);
    b.readable().await.unwrap();
    assert_eq!(b.try_read(&mut buf).unwrap(), 3);
    assert_eq!(&buf[..3], b"now");
    let sent = a.try_io(Direction::Write, |mut s| s.write(b"own").map(Done::more));
    assert_eq!(sent.unwrap(), 3);
    let got = poll_fn(|cx| {
        b.poll_io(cx, Direction::Read, |mut s| {
            s.read(&mut buf).map(Done::more)
        })
    });
    assert_eq!(got.await.unwrap(), 3);
}

/// Two halves are used by two tasks; one that has gone closes its direction only.
pub async fn halves<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let (mut reads, mut writes) = a.into_split();
    let (mut theirs, mut answers) = b.into_split();
    assert!(reads.get_ref().peer_addr().is_ok() && writes.get_ref().nodelay().unwrap());
    let reader = rt.spawn(async move {
        let mut buf = [0; 16];
        let mut got = Vec::new();
        loop {
            match half_read(&mut reads, &mut buf).await {
                0 => return got,
                n => got.extend_from_slice(&buf[..n]),
            }
        }
    });
    turns(&rt, 3).await;
    half_write(&mut writes, b"request").await;
    drop(writes);
    let mut buf = [0; 16];
    assert_eq!(half_read(&mut theirs, &mut buf).await, 7);
    assert_eq!(half_read(&mut theirs, &mut buf).await, 0, "the half closed");
    half_write(&mut answers, b"an").await;
    drop(theirs);
    half_write(&mut answers, b"swer").await;
    drop(answers);
    assert_eq!(reader.await.unwrap(), b"answer");
}

/// Halves of one stream can be put together again, and nothing is closed by that.
pub async fn reunited_halves<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let (c, _d) = pair(&rt).await;
    let (reads, writes) = a.into_split();
    let (other_reads, other_writes) = c.into_split();
    let error = reads.reunite(other_writes).unwrap_err();
    assert!(error.to_string().contains("different streams"));
    let (reads, other_writes) = (error.0, error.1);
    let a = reads.reunite(writes).unwrap();
    let _c = other_reads.reunite(other_writes).unwrap();
    write_all(&a, b"whole").await;
    assert_eq!(read_exact(&b, 5).await, b"whole");
    let (mut reads, writes) = a.into_split();
    writes.forget();
    write_all(&b, b"still").await;
    assert_eq!(half_read(&mut reads, &mut [0; 8]).await, 5);
    let silent = b.try_read(&mut [0]).unwrap_err();
    assert_eq!(silent.kind(), ErrorKind::WouldBlock);
    drop(reads);
    assert_eq!(read(&b, &mut [0]).await.unwrap(), 0);
}

/// A peer that resets the connection is an error, no hang and no end of the stream.
pub async fn a_reset_is_an_error<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let reader = rt.spawn(async move { read(&b, &mut [0]).await });
    turns(&rt, 5).await;
    a.set_linger(Some(Duration::ZERO)).unwrap();
    drop(a);
    let error = reader.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

/// Writing to a peer that has gone fails in the end, and does not end the process.
pub async fn writing_to_nobody_is_an_error<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    a.set_linger(Some(Duration::ZERO)).unwrap();
    drop(a);
    let error = loop {
        let mut writer = &b;
        let wrote = poll_fn(|cx| Pin::new(&mut writer).poll_write(cx, b"x")).await;
        match wrote {
            Ok(_) => turns(&rt, 1).await,
            Err(error) => break error,
        }
    };
    let kinds = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset];
    assert!(kinds.contains(&error.kind()), "{error}");
}

/// Sockets whose numbers are used again at once get no events of those before them.
pub async fn numbers_are_used_again<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    for round in 0..100u8 {
        let client = TcpStream::connect(&rt, addr).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        // An event for this one is under way when it goes.
        write_all(&client, &[round]).await;
        if round % 2 == 0 {
            assert_eq!(read_exact(&server, 1).await, [round]);
        }
        drop(server);
        // The next sockets get the numbers; nothing has arrived for them.
        let (a, b) = pair(&rt).await;
        let mut buf = [0];
        let mut early = Box::pin(read(&b, &mut buf));
        for _ in 0..3 {
            assert!(poll_once(&mut early).await.is_pending());
            turns(&rt, 1).await;
        }
        write_all(&a, &[round]).await;
        assert_eq!(early.await.unwrap(), 1);
    }
}

/// A task whose socket is not empty gives way to others all the same, and can be cancelled.
pub async fn a_greedy_reader_gives_way<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    write_all(&a, &[1; 4096]).await;
    b.readable().await.unwrap();
    let mut got = 0;
    let mut reader = Box::pin(async {
        while got < 4096 {
            got += read(&b, &mut [0]).await.unwrap();
        }
    });
    assert!(poll_once(&mut reader).await.is_pending());
    drop(reader);
    assert!(got < 1000, "{got} reads in one poll");
    let reader = rt.spawn(async move {
        loop {
            read(&b, &mut [0]).await.unwrap();
        }
    });
    turns(&rt, 5).await;
    assert_cancelled(reader.cancel_and_join().await);
}
