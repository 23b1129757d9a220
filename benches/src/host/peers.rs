//! Runtimes of one thread that live by io_uring (or, in monoio's case, may): monoio, glommio, compio.
//!
//! Where the kernel or its settings refuse io_uring, those who need it do not take part.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

use compio::BufResult;
use compio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use glommio::{LocalExecutor, LocalExecutorBuilder};
use monoio::io::{AsyncReadRentExt, AsyncWriteRentExt};
use monoio::time::TimeDriver;
use monoio::{IoUringDriver, LegacyDriver, RuntimeBuilder};

use super::{Blocking, GLOMMIO, Host, MONOIO_EPOLL, Net, Role, TOKIO, Timers, Who};
use crate::echo::talk;

fn one_thread(name: &'static str) -> Who {
    Who {
        name,
        base: TOKIO,
        one_thread: true,
        woken_from_elsewhere: true,
    }
}

/// monoio.
pub(crate) struct Monoio<D> {
    runtime: monoio::Runtime<D>,
    who: Who,
}

impl Monoio<TimeDriver<LegacyDriver>> {
    pub(crate) fn epoll() -> io::Result<Self> {
        let builder = RuntimeBuilder::<LegacyDriver>::new().enable_timer();
        Ok(Self {
            runtime: builder.build()?,
            who: woken_here(MONOIO_EPOLL),
        })
    }
}

impl Monoio<TimeDriver<IoUringDriver>> {
    pub(crate) fn uring() -> Option<Self> {
        let builder = RuntimeBuilder::<IoUringDriver>::new().enable_timer();
        Some(Self {
            runtime: builder.build().ok()?,
            who: woken_here("monoio, io_uring"),
        })
    }
}

/// Its feature `sync`, with which tasks may be woken from another thread, makes everything slower.
fn woken_here(name: &'static str) -> Who {
    Who {
        woken_from_elsewhere: false,
        ..one_thread(name)
    }
}

impl<D: monoio::Driver + 'static> Host for Monoio<D> {
    type Handle = ();
    type Join<T: Send + 'static> = monoio::task::JoinHandle<T>;

    fn who(&self) -> Who {
        self.who
    }

    fn handle(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    fn spawn<F>((): &(), future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        monoio::spawn(future)
    }

    fn join<T: Send + 'static>(join: Self::Join<T>) -> impl Future<Output = T> {
        join
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }
}

impl<D: monoio::Driver + 'static> Timers for Monoio<D> {
    type Sleep = monoio::time::Sleep;

    fn sleep_until((): &(), at: Instant) -> Self::Sleep {
        monoio::time::sleep_until(at.into())
    }

    fn reset(sleep: Pin<&mut Self::Sleep>, (): &(), at: Instant, _: &mut Context<'_>) {
        sleep.reset(at.into());
    }
}

impl<D: monoio::Driver + 'static> Net for Monoio<D> {
    type Listener = monoio::net::TcpListener;
    type Stream = monoio::net::TcpStream;

    async fn bind((): &()) -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = monoio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect((): &(), addr: SocketAddr) -> io::Result<Self::Stream> {
        let stream = monoio::net::TcpStream::connect_addr(addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, buf: Vec<u8>) -> Option<Vec<u8>> {
        let (read, buf) = AsyncReadRentExt::read_exact(stream, buf).await;
        read.ok().map(|_| buf)
    }

    async fn write(stream: &mut Self::Stream, buf: Vec<u8>) -> Vec<u8> {
        let (written, buf) = AsyncWriteRentExt::write_all(stream, buf).await;
        written.expect("the other end reads");
        buf
    }

    fn start((): &(), stream: Self::Stream, role: Role) -> Self::Join<()> {
        monoio::spawn(talk::<Self>(stream, role))
    }
}

/// glommio.
pub(crate) struct Glommio(LocalExecutor);

impl Glommio {
    pub(crate) fn new() -> Option<Self> {
        // Little registered memory: the default is more than some systems let a process lock.
        let builder = LocalExecutorBuilder::default()
            .io_memory(64 << 10)
            .ring_depth(128);
        Some(Self(builder.make().ok()?))
    }
}

impl Host for Glommio {
    type Handle = ();
    type Join<T: Send + 'static> = glommio::Task<T>;

    fn who(&self) -> Who {
        one_thread(GLOMMIO)
    }

    fn handle(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.run(future)
    }

    fn spawn<F>((): &(), future: F) -> glommio::Task<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        glommio::spawn_local(future)
    }

    fn join<T: Send + 'static>(join: glommio::Task<T>) -> impl Future<Output = T> {
        join
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }
}

impl Timers for Glommio {
    type Sleep = glommio::timer::Timer;

    fn sleep_until((): &(), at: Instant) -> Self::Sleep {
        glommio::timer::Timer::new(at.saturating_duration_since(Instant::now()))
    }

    fn reset(sleep: Pin<&mut Self::Sleep>, (): &(), at: Instant, _: &mut Context<'_>) {
        let delay = at.saturating_duration_since(Instant::now());
        sleep.get_mut().reset(delay);
    }
}

impl Net for Glommio {
    type Listener = glommio::net::TcpListener;
    type Stream = glommio::net::TcpStream;

    async fn bind((): &()) -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = glommio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let stream = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect((): &(), addr: SocketAddr) -> io::Result<Self::Stream> {
        let stream = glommio::net::TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, mut buf: Vec<u8>) -> Option<Vec<u8>> {
        AsyncReadExt::read_exact(stream, &mut buf).await.ok()?;
        Some(buf)
    }

    async fn write(stream: &mut Self::Stream, buf: Vec<u8>) -> Vec<u8> {
        let written = AsyncWriteExt::write_all(stream, &buf).await;
        written.expect("the other end reads");
        buf
    }

    fn start((): &(), stream: Self::Stream, role: Role) -> glommio::Task<()> {
        glommio::spawn_local(talk::<Self>(stream, role))
    }
}

/// compio.
pub(crate) struct Compio(compio::runtime::Runtime);

impl Compio {
    pub(crate) fn new() -> Option<Self> {
        Some(Self(compio::runtime::Runtime::new().ok()?))
    }
}

impl Host for Compio {
    type Handle = ();
    type Join<T: Send + 'static> = compio::runtime::JoinHandle<T>;

    fn who(&self) -> Who {
        one_thread("compio")
    }

    fn handle(&self) {}

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn spawn<F>((): &(), future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        compio::runtime::spawn(future)
    }

    async fn join<T: Send + 'static>(join: Self::Join<T>) -> T {
        join.await.expect("the task ends well")
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }
}

impl Timers for Compio {
    /// It has no other type that can be named, and none that can be reset.
    type Sleep = Pin<Box<dyn Future<Output = ()>>>;

    fn sleep_until((): &(), at: Instant) -> Self::Sleep {
        Box::pin(compio::time::sleep_until(at))
    }

    fn reset(mut sleep: Pin<&mut Self::Sleep>, (): &(), at: Instant, cx: &mut Context<'_>) {
        sleep.set(Box::pin(compio::time::sleep_until(at)));
        assert!(sleep.poll(cx).is_pending());
    }
}

impl Blocking for Compio {
    type Blocked = compio::runtime::JoinHandle<usize>;

    fn spawn_blocking((): &(), f: impl FnOnce() -> usize + Send + 'static) -> Self::Blocked {
        compio::runtime::spawn_blocking(f)
    }

    async fn join_blocking(blocked: Self::Blocked) -> usize {
        blocked.await.expect("the closure returns")
    }
}

impl Net for Compio {
    type Listener = compio::net::TcpListener;
    type Stream = compio::net::TcpStream;

    async fn bind((): &()) -> io::Result<(Self::Listener, SocketAddr)> {
        let listener = compio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let addr = listener.local_addr()?;
        Ok((listener, addr))
    }

    async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn connect((): &(), addr: SocketAddr) -> io::Result<Self::Stream> {
        let stream = compio::net::TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    async fn read(stream: &mut Self::Stream, mut buf: Vec<u8>) -> Option<Vec<u8>> {
        // It reads as much as there is capacity beyond the length.
        buf.clear();
        let BufResult(read, buf) = stream.read_exact(buf).await;
        read.ok().map(|()| buf)
    }

    async fn write(stream: &mut Self::Stream, buf: Vec<u8>) -> Vec<u8> {
        let BufResult(written, buf) = stream.write_all(buf).await;
        written.expect("the other end reads");
        buf
    }

    fn start((): &(), stream: Self::Stream, role: Role) -> Self::Join<()> {
        compio::runtime::spawn(talk::<Self>(stream, role))
    }
}
