//! Those who run tasks: each backend of Kumi, and the runtimes beside it.
//!
//! A scenario is written once, generic over [`Host`], and is thereby the same program for everybody.

mod floor;
mod futures_pool;
mod kumi;
#[cfg(all(feature = "peers", target_os = "linux"))]
mod peers;
mod smol;
mod tokio;

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::Context;
use std::time::Instant;

pub(crate) use floor::Floor;
pub(crate) use futures_pool::FuturesPool;
pub(crate) use kumi::{Kumi, KumiLocal};
#[cfg(all(feature = "peers", target_os = "linux"))]
pub(crate) use peers::{Compio, Glommio, Monoio};
pub(crate) use smol::{SmolExecutor, SmolLocal, SmolThreads};
pub(crate) use tokio::TokioHost;

use kumi_report::data::Clock;

use crate::competitor::{Competitor, Work};
use crate::watch::Watch;

pub(crate) const TOKIO: &str = "tokio, current thread";
pub(crate) const TOKIO_2: &str = "tokio, 2 workers";
pub(crate) const SMOL: &str = "smol, 1 thread";
pub(crate) const SMOL_2: &str = "smol, 2 threads";
pub(crate) const SMOL_LOCAL: &str = "smol, static LocalExecutor";
pub(crate) const MONOIO_EPOLL: &str = "monoio, epoll";
pub(crate) const GLOMMIO: &str = "glommio";

/// Who a host is in the tables.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Who {
    pub(crate) name: &'static str,
    pub(crate) base: &'static str,
    /// Whether all is done by the thread that blocks on it.
    pub(crate) one_thread: bool,
    /// Whether another thread may wake its tasks.
    pub(crate) woken_from_elsewhere: bool,
}

impl Who {
    fn takes_part(self, work: Work) -> Competitor {
        Competitor {
            name: self.name,
            base: self.base,
            clock: if self.one_thread {
                Clock::Thread
            } else {
                Clock::Wall
            },
            marks: Vec::new(),
            work,
        }
    }

    /// Takes part with a run that measures parts of itself.
    pub(crate) fn measures(self, run: impl FnMut(&mut Watch) + 'static) -> Competitor {
        self.takes_part(Work::Parts(Box::new(run)))
    }

    /// Takes part with a run that is measured from start to end.
    pub(crate) fn runs(self, run: impl FnMut() + 'static) -> Competitor {
        self.takes_part(Work::Whole(Box::new(run)))
    }

    /// The same, where others than its thread work as well.
    pub(crate) fn with_threads(self) -> Self {
        Self {
            one_thread: false,
            ..self
        }
    }
}

/// Runs tasks.
pub(crate) trait Host: 'static {
    /// With this one can spawn.
    type Handle: Clone + 'static;
    type Join<T: Send + 'static>: 'static;

    fn who(&self) -> Who;

    fn handle(&self) -> Self::Handle;

    fn block_on<F: Future>(&mut self, future: F) -> F::Output;

    fn spawn<F>(handle: &Self::Handle, future: F) -> Self::Join<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static;

    fn join<T: Send + 'static>(join: Self::Join<T>) -> impl Future<Output = T>;

    fn yield_now() -> impl Future<Output = ()> + Send;
}

/// Sleeps.
pub(crate) trait Timers: Host {
    type Sleep: Future + 'static;

    fn sleep_until(handle: &Self::Handle, at: Instant) -> Self::Sleep;

    /// Moves the sleep, and sees to it that it is armed again for the task of `cx`.
    fn reset(
        sleep: Pin<&mut Self::Sleep>,
        handle: &Self::Handle,
        at: Instant,
        cx: &mut Context<'_>,
    );
}

/// Runs closures that may block.
pub(crate) trait Blocking: Host {
    type Blocked: 'static;

    fn spawn_blocking(
        handle: &Self::Handle,
        f: impl FnOnce() -> usize + Send + 'static,
    ) -> Self::Blocked;

    fn join_blocking(blocked: Self::Blocked) -> impl Future<Output = usize>;
}

/// What a task does with its end of a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Role {
    /// Answers until the other end is closed.
    Serve,
    /// Asks so many times.
    Ask(usize),
}

/// Talks TCP. Buffers are passed by value, as those on completion queues want it.
pub(crate) trait Net: Host {
    type Listener: 'static;
    type Stream: 'static;

    /// Listens at a port of the loopback address.
    fn bind(
        handle: &Self::Handle,
    ) -> impl Future<Output = io::Result<(Self::Listener, SocketAddr)>>;

    fn accept(listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;

    fn connect(
        handle: &Self::Handle,
        addr: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::Stream>>;

    /// Fills the buffer; none if the other end is closed.
    fn read(stream: &mut Self::Stream, buf: Vec<u8>) -> impl Future<Output = Option<Vec<u8>>>;

    fn write(stream: &mut Self::Stream, buf: Vec<u8>) -> impl Future<Output = Vec<u8>>;

    /// Spawns a task that plays a role, with [`echo::talk`](crate::echo::talk).
    fn start(handle: &Self::Handle, stream: Self::Stream, role: Role) -> Self::Join<()>;
}

/// Does something for each host that uses one thread.
macro_rules! each_host {
    ($host:ident => $body:expr) => {{
        use crate::host::*;
        {
            let $host = TokioHost::current_thread()?;
            $body;
        }
        {
            let $host = Kumi::tokio()?;
            $body;
        }
        {
            let $host = SmolExecutor::new();
            $body;
        }
        {
            let $host = Kumi::smol();
            $body;
        }
        {
            let $host = SmolLocal::new();
            $body;
        }
        #[cfg(all(feature = "peers", target_os = "linux"))]
        {
            {
                let $host = Monoio::epoll()?;
                $body;
            }
            if let Some($host) = Monoio::uring() {
                $body;
            }
            if let Some($host) = Glommio::new() {
                $body;
            }
            if let Some($host) = Compio::new() {
                $body;
            }
        }
        {
            let $host = Kumi::own_loop()?;
            $body;
        }
    }};
}
pub(crate) use each_host;

/// Does something for each host with two threads.
macro_rules! each_host_of_two {
    ($host:ident => $body:expr) => {{
        use crate::host::*;
        {
            let $host = TokioHost::workers()?;
            $body;
        }
        {
            let $host = Kumi::tokio_workers()?;
            $body;
        }
        {
            let $host = SmolThreads::new();
            $body;
        }
        {
            let $host = Kumi::smol_threads()?;
            $body;
        }
    }};
}
pub(crate) use each_host_of_two;
