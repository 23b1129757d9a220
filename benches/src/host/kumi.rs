//! The backends of Kumi.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use futures_lite::{AsyncReadExt, AsyncWriteExt};
use kumi_core::combine::yield_now;
use kumi_core::net::{TcpListener, TcpStream};
use kumi_core::runtime::{Clock, Io, Owned, Runtime, Sleep};
use kumi_core::task::{JoinHandle, SpawnBlockingExt, SpawnExt, SpawnLocalExt};
use kumi_loop::Loop;
use kumi_sim::Sim;
use kumi_smol::Smol;
use kumi_tokio::Tokio;

use super::{Blocking, Host, Net, Role, SMOL, SMOL_2, TOKIO, TOKIO_2, Timers, Who};
use crate::echo::talk;

/// A backend of Kumi.
pub(crate) struct Kumi<R: Runtime> {
    runtime: Owned<R>,
    who: Who,
}

impl<R: Runtime> Kumi<R> {
    fn new(name: &'static str, base: &'static str, runtime: Owned<R>) -> Self {
        let one_thread = base != TOKIO_2 && base != SMOL_2;
        Self {
            runtime,
            who: Who {
                name,
                base,
                one_thread,
                woken_from_elsewhere: true,
            },
        }
    }
}

impl Kumi<Tokio> {
    pub(crate) fn tokio() -> io::Result<Self> {
        let runtime = Tokio::current_thread()?;
        Ok(Self::new("kumi on tokio, current thread", TOKIO, runtime))
    }

    pub(crate) fn tokio_workers() -> io::Result<Self> {
        let runtime = Tokio::workers(2)?;
        Ok(Self::new("kumi on tokio, 2 workers", TOKIO_2, runtime))
    }
}

impl Kumi<Smol> {
    pub(crate) fn smol() -> Self {
        Self::new("kumi on smol, 1 thread", SMOL, Smol::current_thread())
    }

    pub(crate) fn smol_threads() -> io::Result<Self> {
        let runtime = Smol::threads(2)?;
        Ok(Self::new("kumi on smol, 2 threads", SMOL_2, runtime))
    }
}

impl Kumi<Sim> {
    pub(crate) fn sim() -> Self {
        Self::new("kumi on sim", TOKIO, Sim::new())
    }
}

impl Kumi<Loop> {
    pub(crate) fn own_loop() -> io::Result<Self> {
        Ok(Self::new("kumi on loop", TOKIO, Loop::new()?))
    }
}

impl<R: Runtime> Host for Kumi<R> {
    type Handle = R;
    type Join<T: Send + 'static> = JoinHandle<T>;

    fn who(&self) -> Who {
        self.who
    }

    fn handle(&self) -> R {
        self.runtime.handle()
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn spawn<F>(handle: &R, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle.spawn(future)
    }

    async fn join<T: Send + 'static>(join: JoinHandle<T>) -> T {
        join.await.expect("the task ends well")
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        yield_now()
    }
}

impl<R: Runtime> Timers for Kumi<R> {
    type Sleep = <R as Clock>::Sleep;

    fn sleep_until(handle: &R, at: Instant) -> Self::Sleep {
        handle.sleep_until(at)
    }

    fn reset(sleep: Pin<&mut Self::Sleep>, _: &R, at: Instant, _: &mut Context<'_>) {
        sleep.reset(at);
    }
}

impl<R: Runtime> Blocking for Kumi<R> {
    type Blocked = JoinHandle<usize>;

    fn spawn_blocking(handle: &R, f: impl FnOnce() -> usize + Send + 'static) -> Self::Blocked {
        handle.spawn_blocking(f)
    }

    async fn join_blocking(blocked: Self::Blocked) -> usize {
        blocked.await.expect("the closure returns")
    }
}

impl<R: Io> Net for Kumi<R> {
    type Listener = TcpListener<R>;
    type Stream = TcpStream<R>;

    async fn bind(handle: &R) -> io::Result<(TcpListener<R>, SocketAddr)> {
        let listener = TcpListener::bind(handle, (Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &TcpListener<R>) -> io::Result<TcpStream<R>> {
        Ok(listener.accept().await?.0)
    }

    async fn connect(handle: &R, addr: SocketAddr) -> io::Result<TcpStream<R>> {
        TcpStream::connect(handle, addr).await
    }

    async fn read(stream: &mut TcpStream<R>, mut buf: Vec<u8>) -> Option<Vec<u8>> {
        stream.read_exact(&mut buf).await.ok()?;
        Some(buf)
    }

    async fn write(stream: &mut TcpStream<R>, buf: Vec<u8>) -> Vec<u8> {
        stream.write_all(&buf).await.expect("the other end reads");
        buf
    }

    fn start(handle: &R, stream: TcpStream<R>, role: Role) -> JoinHandle<()> {
        handle.spawn(talk::<Self>(stream, role))
    }
}

/// The own loop, with tasks that stay on its thread.
pub(crate) struct KumiLocal(Owned<Loop>);

impl KumiLocal {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(Loop::new()?))
    }
}

impl Host for KumiLocal {
    type Handle = Loop;
    type Join<T: Send + 'static> = JoinHandle<T>;

    fn who(&self) -> Who {
        Who {
            name: "kumi on loop, local tasks",
            base: TOKIO,
            one_thread: true,
            woken_from_elsewhere: true,
        }
    }

    fn handle(&self) -> Loop {
        self.0.handle()
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<F>(handle: &Loop, future: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle.spawn_local(future)
    }

    async fn join<T: Send + 'static>(join: JoinHandle<T>) -> T {
        join.await.expect("the task ends well")
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        yield_now()
    }
}
