//! The sockets of core on the runtime's descriptors.

use std::future::poll_fn;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;

use futures_io::{AsyncRead, AsyncWrite};
use kumi_core::net::{TcpListener, TcpStream, lookup};
use kumi_core::runtime::Io;
use kumi_core::task::SpawnExt;

use crate::Fresh;
use crate::probe::{assert_cancelled, park_on, poll_once, turns};

pub(super) const HERE: (Ipv4Addr, u16) = (Ipv4Addr::LOCALHOST, 0);

pub(super) async fn listen<R: Io>(rt: &R) -> (TcpListener<R>, SocketAddr) {
    let listener = TcpListener::bind(rt, HERE).await.unwrap();
    let addr = listener.local_addr().unwrap();
    (listener, addr)
}

/// Both ends of a connection.
pub(super) async fn pair<R: Io>(rt: &R) -> (TcpStream<R>, TcpStream<R>) {
    let (listener, addr) = listen(rt).await;
    let connect = rt.spawn(TcpStream::connect(rt, addr));
    let (accepted, _) = listener.accept().await.unwrap();
    (connect.await.unwrap().unwrap(), accepted)
}

pub(super) async fn read<R: Io>(mut stream: &TcpStream<R>, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, buf)).await
}

pub(super) async fn read_exact<R: Io>(stream: &TcpStream<R>, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    let mut got = 0;
    while got < len {
        let n = read(stream, &mut bytes[got..]).await.unwrap();
        assert_ne!(n, 0, "the stream ended after {got} of {len} bytes");
        got += n;
    }
    bytes
}

pub(super) async fn write_all<R: Io>(mut stream: &TcpStream<R>, mut bytes: &[u8]) {
    while !bytes.is_empty() {
        let n = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, bytes)).await;
        bytes = &bytes[n.unwrap()..];
    }
    poll_fn(|cx| Pin::new(&mut stream).poll_flush(cx))
        .await
        .unwrap();
}

async fn close<R: Io>(mut stream: &TcpStream<R>) {
    poll_fn(|cx| Pin::new(&mut stream).poll_close(cx))
        .await
        .unwrap();
}

/// What is sent comes back.
pub async fn echo<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let server = rt.spawn(async move {
        let (stream, peer) = listener.accept().await.unwrap();
        assert_eq!(peer, stream.peer_addr().unwrap());
        let mut buf = [0; 64];
        loop {
            match read(&stream, &mut buf).await.unwrap() {
                0 => return,
                n => write_all(&stream, &buf[..n]).await,
            }
        }
    });
    let stream = TcpStream::connect(&rt, addr).await.unwrap();
    assert_eq!(stream.peer_addr().unwrap(), addr);
    for round in 0..50u8 {
        let message = [round; 100];
        write_all(&stream, &message).await;
        assert_eq!(read_exact(&stream, 100).await, message);
    }
    drop(stream);
    server.await.unwrap();
}

/// A refused connection is that error.
pub async fn a_refused_connection<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    drop(listener);
    let error = TcpStream::connect(&rt, addr).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// An address that is taken is an error of `bind`.
pub async fn an_address_in_use<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let error = TcpListener::bind(&rt, addr).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    drop(listener);
}

/// One direction can be closed while the other stays open.
pub async fn half_close<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    write_all(&a, b"question").await;
    close(&a).await;
    close(&a).await;
    let server = rt.spawn(async move {
        assert_eq!(read_exact(&b, 8).await, b"question");
        assert_eq!(read(&b, &mut [0]).await.unwrap(), 0);
        write_all(&b, b"answer").await;
        b.shutdown(Shutdown::Write).unwrap();
    });
    assert_eq!(read_exact(&a, 6).await, b"answer");
    assert_eq!(read(&a, &mut [0]).await.unwrap(), 0);
    server.await.unwrap();
}

/// Many connections at once, each with its own bytes.
pub async fn many_connections<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let spawner = rt.clone();
    let server = rt.spawn(async move {
        let mut tasks = Vec::new();
        for _ in 0..50 {
            let (stream, _) = listener.accept().await.unwrap();
            tasks.push(spawner.spawn(async move {
                let bytes = read_exact(&stream, 10).await;
                write_all(&stream, &bytes).await;
            }));
        }
        for task in tasks {
            task.await.unwrap();
        }
    });
    let clients: Vec<_> = (0..50u8)
        .map(|number| {
            let rt = rt.clone();
            rt.clone().spawn(async move {
                let stream = TcpStream::connect(&rt, addr).await.unwrap();
                write_all(&stream, &[number; 10]).await;
                assert_eq!(read_exact(&stream, 10).await, [number; 10]);
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    server.await.unwrap();
}

/// Vectored writes and reads reach the system as one call.
pub async fn vectored<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    assert!(a.is_write_vectored());
    let slices = [
        IoSlice::new(b"head "),
        IoSlice::new(b""),
        IoSlice::new(b"body"),
    ];
    let mut writer = &a;
    let sent = poll_fn(|cx| Pin::new(&mut writer).poll_write_vectored(cx, &slices)).await;
    assert_eq!(sent.unwrap(), 9);
    b.readable().await.unwrap();
    let (mut one, mut two) = ([0; 5], [0; 8]);
    let mut reader = &b;
    let mut bufs = [IoSliceMut::new(&mut one), IoSliceMut::new(&mut two)];
    let got = poll_fn(|cx| Pin::new(&mut reader).poll_read_vectored(cx, &mut bufs)).await;
    assert_eq!(got.unwrap(), 9);
    assert_eq!((&one, &two[..4]), (b"head ", &b"body"[..]));
}

/// Memory need not be initialised to be read into.
pub async fn reads_into_uninitialised_memory<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let reader = rt.spawn(async move {
        let mut buf = [MaybeUninit::uninit(); 16];
        poll_fn(|cx| b.poll_read_uninit(cx, &mut buf)).await
    });
    turns(&rt, 5).await;
    write_all(&a, b"raw").await;
    assert_eq!(reader.await.unwrap().unwrap(), 3);
}

/// Dropping a stream closes it: the peer reads the end.
pub async fn dropping_closes<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let reader = rt.spawn(async move { read(&b, &mut [0]).await });
    turns(&rt, 5).await;
    drop(a);
    assert_eq!(reader.await.unwrap().unwrap(), 0);
}

/// Small writes are sent at once, on both sides, unless that is changed.
pub async fn without_delay<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    assert!(a.nodelay().unwrap() && b.nodelay().unwrap());
    a.set_nodelay(false).unwrap();
    assert!(!a.nodelay().unwrap());
}

/// One task reads while another writes, on one stream, more than any buffer holds.
pub async fn reads_and_writes_at_once<R: Io>(rt: R) {
    const TOTAL: usize = 2 * 1024 * 1024;
    let (a, b) = pair(&rt).await;
    let mut tasks = Vec::new();
    for stream in [a, b] {
        let stream = Arc::new(stream);
        let reader = Arc::clone(&stream);
        tasks.push(rt.spawn(async move {
            let block = [5; 8 * 1024];
            for _ in 0..TOTAL / block.len() {
                write_all(&stream, &block).await;
            }
            0
        }));
        tasks.push(rt.spawn(async move {
            let mut buf = vec![0; 32 * 1024];
            let mut got = 0;
            while got < TOTAL {
                let n = read(&reader, &mut buf).await.unwrap();
                assert!(n > 0 && buf[..n].iter().all(|&byte| byte == 5));
                got += n;
            }
            got
        }));
    }
    let mut got = 0;
    for task in tasks {
        got += task.await.unwrap();
    }
    assert_eq!(got, 2 * TOTAL);
}

/// A read that fills its buffer exactly loses nothing of what follows.
pub async fn buffers_of_any_size<R: Io>(rt: R) {
    let (a, b) = pair(&rt).await;
    let bytes: Vec<u8> = (0..200).collect();
    write_all(&a, &bytes).await;
    let mut got = Vec::new();
    for size in [1, 2, 4, 8, 16, 32, 64, 73] {
        got.extend(read_exact(&b, size).await);
    }
    assert_eq!(got, bytes);
}

/// An `accept` that is dropped loses no connection.
pub async fn a_dropped_accept_loses_nothing<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    for _ in 0..3 {
        let mut accept = Box::pin(listener.accept());
        assert!(poll_once(&mut accept).await.is_pending());
    }
    let connect = rt.spawn(TcpStream::connect(&rt, addr));
    let stream = connect.await.unwrap().unwrap();
    let (accepted, peer) = listener.accept().await.unwrap();
    assert_eq!(peer, stream.local_addr().unwrap());
    drop(accepted);
}

/// A task that waits for a connection can be cancelled, and the port is free again.
pub async fn a_waiting_accept_is_cancelled<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    let task = rt.spawn(async move { listener.accept().await.map(drop) });
    turns(&rt, 5).await;
    assert_cancelled(task.cancel_and_join().await);
    TcpListener::bind(&rt, addr).await.unwrap();
}

/// Streams and listeners are `Send` and `Sync`, and so are the futures that wait for them.
pub async fn everything_is_send<R: Io>(rt: R) {
    fn send_and_sync<T: Send + Sync>(_: &T) {}
    fn send<T: Send>(_: &T) {}
    let (listener, addr) = listen(&rt).await;
    send_and_sync(&listener);
    send(&listener.accept());
    let connect = TcpStream::connect(&rt, addr);
    send(&connect);
    let stream = connect.await.unwrap();
    send_and_sync(&stream);
    send(&stream.readable());
    stream.writable().await.unwrap();
}

/// Names are looked up, addresses are not; what is neither is an error.
pub async fn look_up<R: Io>(rt: R) {
    let found = lookup(&rt, "localhost:80").await.unwrap();
    assert!(
        found
            .iter()
            .all(|addr| addr.ip().is_loopback() && addr.port() == 80)
    );
    assert!(!found.is_empty());
    let addr: SocketAddr = "192.0.2.1:7".parse().unwrap();
    assert_eq!(lookup(&rt, "192.0.2.1:7").await.unwrap(), [addr]);
    assert_eq!(lookup(&rt, ("192.0.2.1", 7)).await.unwrap(), [addr]);
    let error = lookup(&rt, "no port").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// A name with several addresses connects to the first that answers.
pub async fn connects_by_name<R: Io>(rt: R) {
    let (listener, addr) = listen(&rt).await;
    // On many systems `localhost` is `::1` first, where nobody listens.
    let stream = TcpStream::connect(&rt, ("localhost", addr.port()))
        .await
        .unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    write_all(&accepted, b"n").await;
    assert_eq!(read_exact(&stream, 1).await, b"n");
}

/// A socket that outlives its runtime gives errors, and no hang.
pub fn after_the_shutdown<R: Io>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (listener, stream, _first) = rt.block_on(async {
        let (listener, addr) = listen(&*rt).await;
        let stream = TcpStream::connect(&*rt, addr).await.unwrap();
        // Let the runtime learn that there is nothing to read.
        let mut buf = [0];
        let mut early = Box::pin(read(&stream, &mut buf));
        assert!(poll_once(&mut early).await.is_pending());
        drop(early);
        let (first, _) = listener.accept().await.unwrap();
        let mut more = Box::pin(listener.accept());
        assert!(poll_once(&mut more).await.is_pending());
        drop(more);
        (listener, stream, first)
    });
    let handle = rt.handle();
    drop(rt);
    assert!(park_on(read(&stream, &mut [0])).is_err());
    assert!(park_on(listener.accept()).is_err());
    assert!(park_on(TcpStream::connect(&handle, listener.local_addr().unwrap())).is_err());
}
