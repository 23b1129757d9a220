//! tokio by itself.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::task::JoinHandle;
use tokio::time::Sleep;

use super::{Blocking, Host, Net, Role, TOKIO, TOKIO_2, Timers, Who};
use crate::echo::talk;
use crate::runtimes::{tokio_current_thread, tokio_workers};

/// One of tokio's runtimes.
pub(crate) struct TokioHost {
    runtime: Runtime,
    who: Who,
}

impl TokioHost {
    pub(crate) fn current_thread() -> io::Result<Self> {
        let who = Who {
            name: TOKIO,
            base: TOKIO,
            one_thread: true,
            woken_from_elsewhere: true,
        };
        Ok(Self {
            runtime: tokio_current_thread()?,
            who,
        })
    }

    pub(crate) fn workers() -> io::Result<Self> {
        let who = Who {
            name: TOKIO_2,
            base: TOKIO_2,
            one_thread: false,
            woken_from_elsewhere: true,
        };
        Ok(Self {
            runtime: tokio_workers()?,
            who,
        })
    }
}

impl Host for TokioHost {
    type Handle = ();
    type Join<T: Send + 'static> = JoinHandle<T>;

    fn who(&self) -> Who {
        self.who
    }

    fn handle(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn spawn<F>((): &(), future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        tokio::spawn(future)
    }

    async fn join<T: Send + 'static>(join: JoinHandle<T>) -> T {
        join.await.expect("the task ends well")
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        tokio::task::yield_now()
    }
}

impl Timers for TokioHost {
    type Sleep = Sleep;

    fn sleep_until((): &(), at: Instant) -> Sleep {
        tokio::time::sleep_until(at.into())
    }

    fn reset(sleep: Pin<&mut Sleep>, (): &(), at: Instant, _: &mut Context<'_>) {
        sleep.reset(at.into());
    }
}

impl Blocking for TokioHost {
    type Blocked = JoinHandle<usize>;

    fn spawn_blocking((): &(), f: impl FnOnce() -> usize + Send + 'static) -> JoinHandle<usize> {
        tokio::task::spawn_blocking(f)
    }

    async fn join_blocking(blocked: JoinHandle<usize>) -> usize {
        blocked.await.expect("the closure returns")
    }
}

impl Net for TokioHost {
    type Listener = TcpListener;
    type Stream = TcpStream;

    async fn bind((): &()) -> io::Result<(TcpListener, SocketAddr)> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &TcpListener) -> io::Result<TcpStream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect((): &(), addr: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut TcpStream, mut buf: Vec<u8>) -> Option<Vec<u8>> {
        stream.read_exact(&mut buf).await.ok()?;
        Some(buf)
    }

    async fn write(stream: &mut TcpStream, buf: Vec<u8>) -> Vec<u8> {
        stream.write_all(&buf).await.expect("the other end reads");
        buf
    }

    fn start((): &(), stream: TcpStream, role: Role) -> JoinHandle<()> {
        tokio::spawn(talk::<Self>(stream, role))
    }
}
