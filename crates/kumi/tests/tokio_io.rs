//! The traits of tokio on the sockets of Kumi, on backends that are not tokio.

use kumi::BackendKind;
use kumi::net::{UnixStream, connect, listen};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, copy_bidirectional};

const BACKENDS: [BackendKind; 2] = [BackendKind::Loop, BackendKind::Smol];

/// Both ends of a TCP connection.
async fn pair() -> (kumi::net::TcpStream, kumi::net::TcpStream) {
    let listener = listen("127.0.0.1:0").await.expect("a port");
    let addr = listener.local_addr().expect("an address");
    let client = connect(addr).await.expect("a connection");
    let (server, _) = listener.accept().await.expect("a connection");
    (client, server)
}

async fn echo(stream: impl AsyncRead + AsyncWrite + Unpin) {
    let (mut reads, mut writes) = tokio::io::split(stream);
    copy(&mut reads, &mut writes).await.expect("an echo");
    writes.shutdown().await.expect("the end");
}

#[test]
fn streams_halves_and_references_are_read_and_written() {
    for backend in BACKENDS {
        kumi::run_on(backend, async {
            let (client, server) = pair().await;
            assert!(client.is_write_vectored() && AsyncWrite::is_write_vectored(&&client));
            let server = kumi::spawn(echo(server));
            let (mut reads, mut writes) = client.into_split();
            let sent = vec![7; 1 << 20];
            let bytes = sent.clone();
            let writer = kumi::spawn(async move {
                writes.write_all(&bytes).await.expect("room");
                writes.flush().await.expect("nothing is kept");
                writes.shutdown().await.expect("the end");
            });
            let mut got = Vec::new();
            reads.read_to_end(&mut got).await.expect("bytes");
            assert!(got == sent);
            writer.await.expect("no panic");
            server.await.expect("no panic");
        });
    }
}

#[test]
fn a_proxy_of_tokio_copies_between_them() {
    for backend in BACKENDS {
        kumi::run_on(backend, async {
            let ((client, mut front), (mut back, origin)) = (pair().await, pair().await);
            let proxy = kumi::spawn(async move { copy_bidirectional(&mut front, &mut back).await });
            let origin = kumi::spawn(echo(origin));
            (&client).write_all(b"through").await.expect("room");
            let mut got = [0; 7];
            (&client).read_exact(&mut got).await.expect("bytes");
            assert_eq!(&got, b"through");
            drop(client);
            let copied = proxy.await.expect("no panic").expect("it copies");
            assert_eq!(copied, (7, 7));
            origin.await.expect("no panic");
        });
    }
}

#[test]
fn unix_sockets_too() {
    for backend in BACKENDS {
        kumi::run_on(backend, async {
            let here = kumi::Backend::current();
            let (mut a, b) = UnixStream::pair(&here).expect("a pair");
            let task = kumi::spawn(echo(b));
            a.write_all(b"local").await.expect("room");
            AsyncWriteExt::shutdown(&mut a).await.expect("the end");
            let mut got = String::new();
            a.read_to_string(&mut got).await.expect("text");
            assert_eq!(got, "local");
            task.await.expect("no panic");
        });
    }
}
