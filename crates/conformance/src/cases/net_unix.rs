//! Unix sockets: streams, listeners, datagrams.

use std::future::{Future, poll_fn};
use std::io::{self, ErrorKind};
use std::net::Shutdown;
use std::path::PathBuf;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_core::Stream;
use futures_io::{AsyncRead, AsyncWrite};
use kumi_core::net::{UnixDatagram, UnixListener, UnixStream};
use kumi_core::runtime::Io;
use kumi_core::task::SpawnExt;
use socket2::{Domain, SockAddr, Socket, Type};

use crate::probe::{Faulty, Gate, assert_cancelled, poll_once, turns};

/// A place for the file of a socket; removed at the end.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("kumi-{}-{number}.sock", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = std::fs::remove_file(&path);
        Self(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

async fn read<R: Io>(mut stream: &UnixStream<R>, buf: &mut [u8]) -> io::Result<usize> {
    poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, buf)).await
}

async fn write<R: Io>(mut stream: &UnixStream<R>, bytes: &[u8]) {
    let n = poll_fn(|cx| Pin::new(&mut stream).poll_write(cx, bytes)).await;
    assert_eq!(n.unwrap(), bytes.len());
}

/// Streams find a listener by its path, and what is sent comes back.
pub async fn echo<R: Io>(rt: R) {
    let place = Place::new();
    let listener = UnixListener::bind(&rt, &place.0).unwrap();
    let path = listener.local_addr().unwrap();
    assert_eq!(path.as_pathname(), Some(&*place.0));
    let server = rt.spawn(async move {
        for _ in 0..3 {
            let (stream, peer) = listener.accept().await.unwrap();
            assert!(peer.is_unnamed());
            let mut buf = [0; 64];
            loop {
                match read(&stream, &mut buf).await.unwrap() {
                    0 => break,
                    n => write(&stream, &buf[..n]).await,
                }
            }
        }
    });
    for round in 0..3u8 {
        let stream = UnixStream::connect(&rt, &place.0).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap().as_pathname(), Some(&*place.0));
        assert!(stream.local_addr().unwrap().is_unnamed());
        write(&stream, &[round; 20]).await;
        let mut buf = [0; 64];
        assert_eq!(read(&stream, &mut buf).await.unwrap(), 20);
        assert_eq!(buf[..20], [round; 20]);
    }
    server.await.unwrap();
}

/// The connections of a listener are a stream.
pub async fn incoming<R: Io>(rt: R) {
    let place = Place::new();
    let listener = UnixListener::bind(&rt, &place.0).unwrap();
    let mut incoming = listener.incoming();
    for _ in 0..3 {
        let mut next = Box::pin(poll_fn(|cx| Pin::new(&mut incoming).poll_next(cx)));
        assert!(poll_once(&mut next).await.is_pending());
        let client = UnixStream::connect(&rt, &place.0).await.unwrap();
        let accepted = next.await.unwrap().unwrap();
        write(&client, b"hi").await;
        assert_eq!(read(&accepted, &mut [0; 4]).await.unwrap(), 2);
    }
}

/// Nobody there, nobody any more, and a path that is taken are errors; the file of a socket stays.
pub async fn paths_that_do_not_work<R: Io>(rt: R) {
    let place = Place::new();
    let error = UnixStream::connect(&rt, &place.0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    drop(UnixListener::bind(&rt, &place.0).unwrap());
    assert!(place.0.exists());
    let error = UnixStream::connect(&rt, &place.0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
    let error = UnixListener::bind(&rt, &place.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
    std::fs::remove_file(&place.0).unwrap();
    UnixListener::bind(&rt, &place.0).unwrap();
    let (a, _) = UnixStream::pair(&rt).unwrap();
    let unnamed = a.local_addr().unwrap();
    let error = UnixStream::connect_addr(&rt, &unnamed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

/// Names without files work on Linux, for streams and for datagrams.
pub async fn abstract_names<R: Io>(rt: R) {
    #[cfg(target_os = "linux")]
    {
        use std::os::linux::net::SocketAddrExt;
        use std::os::unix::net::SocketAddr;
        let name = format!("{}", Place::new().0.display());
        let addr = SocketAddr::from_abstract_name(&name).unwrap();
        let listener = UnixListener::bind_addr(&rt, &addr).unwrap();
        let stream = UnixStream::connect_addr(&rt, &addr).await.unwrap();
        let peer = stream.peer_addr().unwrap();
        assert_eq!(peer.as_abstract_name(), Some(name.as_bytes()));
        let (accepted, _) = listener.accept().await.unwrap();
        write(&accepted, b"abstract").await;
        assert_eq!(read(&stream, &mut [0; 16]).await.unwrap(), 8);
        let addr = SocketAddr::from_abstract_name(format!("{name}.2")).unwrap();
        let receives = UnixDatagram::bind_addr(&rt, &addr).unwrap();
        let sends = UnixDatagram::unbound(&rt).unwrap();
        sends.send_to_addr(b"one", &addr).await.unwrap();
        sends.connect_addr(&addr).unwrap();
        sends.send(b"three").await.unwrap();
        let mut buf = [0; 8];
        assert_eq!(receives.recv(&mut buf).await.unwrap(), 3);
        assert_eq!(receives.recv(&mut buf).await.unwrap(), 5);
    }
    drop(rt);
}

/// A listener whose queue is full is waited for, although the kernel has no event for that.
pub async fn a_full_queue_is_waited_for<R: Io>(rt: R) {
    let (rt, faults) = Faulty::new(rt);
    let place = Place::new();
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(&place.0).unwrap()).unwrap();
    socket.listen(0).unwrap();
    let listener = UnixListener::from_std(&rt, socket.into()).unwrap();
    let mut connected = Vec::new();
    let mut late = loop {
        let mut connect = Box::pin(UnixStream::connect(&rt, &place.0));
        match poll_once(&mut connect).await {
            std::task::Poll::Ready(stream) => connected.push(stream.unwrap()),
            std::task::Poll::Pending if connected.len() < 200 => break connect,
            std::task::Poll::Pending => panic!("the queue never fills"),
        }
    };
    for _ in 0..5 {
        faults.advance(Duration::from_millis(50));
        turns(&rt, 2).await;
        assert!(poll_once(&mut late).await.is_pending());
    }
    for _ in &connected {
        listener.accept().await.unwrap();
    }
    faults.advance(Duration::from_millis(50));
    let stream = late.await.unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    write(&accepted, b"at last").await;
    assert_eq!(read(&stream, &mut [0; 8]).await.unwrap(), 7);
}

/// A pair of streams; one direction can be closed alone, and halves work.
pub async fn a_pair<R: Io>(rt: R) {
    let (a, b) = UnixStream::pair(&rt).unwrap();
    assert!(a.is_write_vectored());
    write(&a, b"to b").await;
    a.shutdown(Shutdown::Write).unwrap();
    let mut buf = [0; 8];
    assert_eq!(read(&b, &mut buf).await.unwrap(), 4);
    assert_eq!(read(&b, &mut buf).await.unwrap(), 0);
    b.writable().await.unwrap();
    assert_eq!(b.try_write(b"back").unwrap(), 4);
    a.readable().await.unwrap();
    assert_eq!(a.try_read(&mut buf).unwrap(), 4);
    let (mut reads, writes) = b.into_split();
    drop(writes);
    assert_eq!(read(&a, &mut buf).await.unwrap(), 0);
    drop(a);
    let end = poll_fn(|cx| Pin::new(&mut reads).poll_read(cx, &mut buf)).await;
    assert_eq!(end.unwrap(), 0);
}

/// Sockets of the standard library can be taken over, and taken back.
pub async fn of_the_standard_library<R: Io>(rt: R) {
    let place = Place::new();
    let std = std::os::unix::net::UnixListener::bind(&place.0).unwrap();
    let listener = UnixListener::from_std(&rt, std).unwrap();
    let listener = UnixListener::from_std(&rt, listener.into_std().unwrap()).unwrap();
    let std = std::os::unix::net::UnixStream::connect(&place.0).unwrap();
    let stream = UnixStream::from_std(&rt, std).unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    write(&stream, b"std").await;
    assert_eq!(read(&accepted, &mut [0; 8]).await.unwrap(), 3);
    let std = accepted.into_std().unwrap();
    assert!(std.peer_addr().unwrap().is_unnamed());
    drop(std);
    assert_eq!(read(&stream, &mut [0; 8]).await.unwrap(), 0);
}

/// A waiting accept can be cancelled.
pub async fn a_waiting_accept_is_cancelled<R: Io>(rt: R) {
    let place = Place::new();
    let listener = UnixListener::bind(&rt, &place.0).unwrap();
    let task = rt.spawn(async move { listener.accept().await.map(drop) });
    turns(&rt, 5).await;
    assert_cancelled(task.cancel_and_join().await);
    let error = UnixStream::connect(&rt, &place.0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

/// Datagrams find a socket by its path, and it learns where they come from.
pub async fn datagrams<R: Io>(rt: R) {
    let (here, there) = (Place::new(), Place::new());
    let server = UnixDatagram::bind(&rt, &here.0).unwrap();
    let client = UnixDatagram::bind(&rt, &there.0).unwrap();
    let unbound = UnixDatagram::unbound(&rt).unwrap();
    assert!(unbound.local_addr().unwrap().is_unnamed());
    let mut buf = [0; 16];
    let mut early = Box::pin(server.recv_from(&mut buf));
    assert!(poll_once(&mut early).await.is_pending());
    assert_eq!(client.send_to(b"named", &here.0).await.unwrap(), 5);
    let (len, from) = early.await.unwrap();
    assert_eq!((len, from.as_pathname()), (5, Some(&*there.0)));
    unbound.send_to(b"unnamed", &here.0).await.unwrap();
    let (len, from) = server.recv_from(&mut buf).await.unwrap();
    assert!(len == 7 && from.is_unnamed());
    server.connect(&there.0).unwrap();
    assert_eq!(server.peer_addr().unwrap().as_pathname(), Some(&*there.0));
    server.send(b"answer").await.unwrap();
    assert_eq!(client.recv(&mut buf).await.unwrap(), 6);
    let gone = Place::new();
    let error = client.send_to(b"x", &gone.0).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let error = UnixDatagram::bind(&rt, &here.0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AddrInUse);
}

/// The other forms: by polling, trying once, with a socket of the standard library.
pub async fn datagrams_by_polling<R: Io>(rt: R) {
    let place = Place::new();
    let server = UnixDatagram::bind(&rt, &place.0).unwrap();
    let client = UnixDatagram::unbound(&rt).unwrap();
    let mut buf = [0; 16];
    let sent = poll_fn(|cx| client.poll_send_to(cx, b"one", &place.0)).await;
    assert_eq!(sent.unwrap(), 3);
    let got = poll_fn(|cx| server.poll_recv_from(cx, &mut buf)).await;
    assert_eq!(got.unwrap().0, 3);
    let error = server.try_recv_from(&mut buf).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WouldBlock);
    client.writable().await.unwrap();
    client.try_send_to(b"four", &place.0).unwrap();
    server.readable().await.unwrap();
    assert_eq!(server.try_recv(&mut buf).unwrap(), 4);
    client.connect(&place.0).unwrap();
    poll_fn(|cx| client.poll_send(cx, b"three")).await.unwrap();
    let got = poll_fn(|cx| server.poll_recv(cx, &mut buf)).await;
    assert_eq!(got.unwrap(), 5);
    client.try_send(b"again").unwrap();
    let std = server.into_std().unwrap();
    let server = UnixDatagram::from_std(&rt, std).unwrap();
    assert_eq!(server.recv(&mut buf).await.unwrap(), 5);
}

/// Who sends to a full queue waits until there is room; nothing is lost.
pub async fn datagrams_wait_for_room<R: Io>(rt: R) {
    const COUNT: u32 = 2000;
    let (a, b) = UnixDatagram::pair(&rt).unwrap();
    let full = Gate::new();
    let told = full.clone();
    let sender = rt.spawn(async move {
        for number in 0..COUNT {
            let bytes = number.to_ne_bytes();
            let mut send = pin!(a.send(&bytes));
            poll_fn(|cx| {
                let poll = send.as_mut().poll(cx);
                if poll.is_pending() {
                    told.open();
                }
                poll
            })
            .await
            .unwrap();
        }
    });
    full.wait().await;
    let mut buf = [0; 8];
    for number in 0..COUNT {
        assert_eq!(b.recv(&mut buf).await.unwrap(), 4);
        assert_eq!(buf[..4], number.to_ne_bytes());
    }
    sender.await.unwrap();
}
