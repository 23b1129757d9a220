//! The executors of smol with the reactor and the timers of async-io.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Context;
use std::thread;
use std::time::Instant;

use async_executor::{Executor, LocalExecutor, StaticLocalExecutor, Task};
use async_io::{Async, Timer};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use super::{Blocking, Host, Net, Role, SMOL, SMOL_2, SMOL_LOCAL, TOKIO, Timers, Who};
use crate::echo::talk;

/// The executor that any thread may run, run by one.
pub(crate) struct SmolExecutor(Arc<Executor<'static>>);

impl SmolExecutor {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Executor::new()))
    }
}

/// The executor of one thread, in its quickest form: it lives for ever and keeps no list of its tasks.
pub(crate) struct SmolLocal(&'static StaticLocalExecutor);

impl SmolLocal {
    pub(crate) fn new() -> Self {
        Self(LocalExecutor::new().leak())
    }
}

/// The executor that any thread may run, run by two threads of its own, and by the one that blocks.
pub(crate) struct SmolThreads {
    executor: Arc<Executor<'static>>,
    // While it is there, they run.
    _stop: async_channel::Sender<()>,
}

impl SmolThreads {
    pub(crate) fn new() -> Self {
        let executor = Arc::new(Executor::new());
        let (stop, stopped) = async_channel::bounded::<()>(1);
        for _ in 0..2 {
            let (executor, stopped) = (Arc::clone(&executor), stopped.clone());
            thread::spawn(move || async_io::block_on(executor.run(stopped.recv())));
        }
        Self {
            executor,
            _stop: stop,
        }
    }
}

/// What differs between them.
trait Executors {
    type Handle;

    fn executor(&self) -> &Self::Handle;

    fn run<F: Future>(&self, future: F) -> F::Output;
}

impl Executors for SmolExecutor {
    type Handle = Arc<Executor<'static>>;

    fn executor(&self) -> &Self::Handle {
        &self.0
    }

    fn run<F: Future>(&self, future: F) -> F::Output {
        async_io::block_on(self.0.run(future))
    }
}

impl Executors for SmolLocal {
    type Handle = &'static StaticLocalExecutor;

    fn executor(&self) -> &Self::Handle {
        &self.0
    }

    fn run<F: Future>(&self, future: F) -> F::Output {
        async_io::block_on(self.0.run(future))
    }
}

impl Executors for SmolThreads {
    type Handle = Arc<Executor<'static>>;

    fn executor(&self) -> &Self::Handle {
        &self.executor
    }

    // As on Kumi's, the thread that blocks runs tasks as well.
    fn run<F: Future>(&self, future: F) -> F::Output {
        async_io::block_on(self.executor.run(future))
    }
}

macro_rules! smol {
    ($host:ty, $handle:ty, $name:expr, $base:expr, $one_thread:expr) => {
        impl Host for $host {
            type Handle = $handle;
            type Join<T: Send + 'static> = Task<T>;

            fn who(&self) -> Who {
                Who {
                    name: $name,
                    base: $base,
                    one_thread: $one_thread,
                    woken_from_elsewhere: true,
                }
            }

            fn handle(&self) -> $handle {
                self.executor().clone()
            }

            fn block_on<F: Future>(&mut self, future: F) -> F::Output {
                self.run(future)
            }

            fn spawn<F>(handle: &$handle, future: F) -> Task<F::Output>
            where
                F: Future + Send + 'static,
                F::Output: Send + 'static,
            {
                handle.spawn(future)
            }

            fn join<T: Send + 'static>(join: Task<T>) -> impl Future<Output = T> {
                join
            }

            fn yield_now() -> impl Future<Output = ()> + Send {
                futures_lite::future::yield_now()
            }
        }

        impl Timers for $host {
            type Sleep = Timer;

            fn sleep_until(_: &$handle, at: Instant) -> Timer {
                Timer::at(at)
            }

            fn reset(mut sleep: Pin<&mut Timer>, _: &$handle, at: Instant, cx: &mut Context<'_>) {
                sleep.set_at(at);
                assert!(sleep.poll(cx).is_pending());
            }
        }

        impl Blocking for $host {
            type Blocked = blocking::Task<usize>;

            fn spawn_blocking(
                _: &$handle,
                f: impl FnOnce() -> usize + Send + 'static,
            ) -> Self::Blocked {
                blocking::unblock(f)
            }

            fn join_blocking(blocked: Self::Blocked) -> impl Future<Output = usize> {
                blocked
            }
        }

        impl Net for $host {
            type Listener = Async<TcpListener>;
            type Stream = Async<TcpStream>;

            async fn bind(_: &$handle) -> io::Result<(Self::Listener, SocketAddr)> {
                let listener = Async::<TcpListener>::bind((Ipv4Addr::LOCALHOST, 0))?;
                let addr = listener.get_ref().local_addr()?;
                Ok((listener, addr))
            }

            async fn accept(listener: &Self::Listener) -> io::Result<Self::Stream> {
                let (stream, _) = listener.accept().await?;
                stream.get_ref().set_nodelay(true)?;
                Ok(stream)
            }

            async fn connect(_: &$handle, addr: SocketAddr) -> io::Result<Self::Stream> {
                let stream = Async::<TcpStream>::connect(addr).await?;
                stream.get_ref().set_nodelay(true)?;
                Ok(stream)
            }

            async fn read(stream: &mut Self::Stream, mut buf: Vec<u8>) -> Option<Vec<u8>> {
                stream.read_exact(&mut buf).await.ok()?;
                Some(buf)
            }

            async fn write(stream: &mut Self::Stream, buf: Vec<u8>) -> Vec<u8> {
                stream.write_all(&buf).await.expect("the other end reads");
                buf
            }

            fn start(handle: &$handle, stream: Self::Stream, role: Role) -> Task<()> {
                handle.spawn(talk::<Self>(stream, role))
            }
        }
    };
}

smol!(SmolExecutor, Arc<Executor<'static>>, SMOL, SMOL, true);
smol!(
    SmolLocal,
    &'static StaticLocalExecutor,
    SMOL_LOCAL,
    TOKIO,
    true
);
smol!(SmolThreads, Arc<Executor<'static>>, SMOL_2, SMOL_2, false);
