//! Who takes part where several things come together: a small service, written as one would with each runtime.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use async_io::Timer;
use futures_lite::future;
use kumi_core::runtime::Runtime;

use crate::competitor::Competitor;
use crate::host::{Host, Kumi, SmolExecutor, SmolThreads, TokioHost};
use crate::plan::Plan;
use crate::runtimes::expected;

const LIMIT: Duration = Duration::from_secs(60);
const PERMITS: usize = 16;
const CAPACITY: usize = 64;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let plan = |size: usize| {
        let jobs = if smoke { size.min(10) } else { size };
        Plan::sized("mixed", size, jobs, move || competitors(jobs))
    };
    [10, 1_000, 10_000].map(plan).into()
}

fn competitors(jobs: usize) -> io::Result<Vec<Competitor>> {
    Ok(vec![
        one(TokioHost::current_thread()?, jobs),
        one(Kumi::tokio()?, jobs),
        one(TokioHost::workers()?, jobs),
        one(Kumi::tokio_workers()?, jobs),
        one(SmolExecutor::new(), jobs),
        one(Kumi::smol(), jobs),
        one(SmolThreads::new(), jobs),
        one(Kumi::smol_threads()?, jobs),
        one(Kumi::own_loop()?, jobs),
        one(Kumi::sim(), jobs),
    ])
}

/// The parts of a service, from what belongs to the runtime.
trait Service: Host<Handle: Send + Sync> {
    type Permits: Send + Sync + 'static;
    type Sender: Clone + Send + 'static;
    type Receiver: Send + 'static;

    fn permits() -> Self::Permits;

    fn channel() -> (Self::Sender, Self::Receiver);

    fn send(sender: &Self::Sender, number: usize) -> impl Future<Output = ()> + Send;

    fn receive(receiver: &mut Self::Receiver) -> impl Future<Output = Option<usize>> + Send;

    /// Takes a permit, and with it awaits both children under a limit.
    fn work(
        handle: &Self::Handle,
        permits: &Self::Permits,
        number: usize,
    ) -> impl Future<Output = usize> + Send;
}

/// A child of a job: yields, and gives its number back.
async fn child<H: Host>(number: usize) -> usize {
    H::yield_now().await;
    number
}

fn one<H: Service>(mut host: H, jobs: usize) -> Competitor {
    let handle = host.handle();
    host.who().runs(move || {
        let sum = host.block_on(async {
            let permits = Arc::new(H::permits());
            let (sender, mut receiver) = H::channel();
            let spawn = |number| {
                let (permits, sender) = (Arc::clone(&permits), sender.clone());
                let rt = handle.clone();
                H::spawn(&handle, async move {
                    let number = H::work(&rt, &permits, number).await;
                    H::send(&sender, number).await;
                })
            };
            let tasks: Vec<_> = (0..jobs).map(spawn).collect();
            drop(sender);
            let mut sum = 0;
            while let Some(number) = H::receive(&mut receiver).await {
                sum += number;
            }
            for task in tasks {
                H::join(task).await;
            }
            sum
        });
        assert_eq!(sum, expected(jobs));
    })
}

impl<R: Runtime> Service for Kumi<R> {
    type Permits = kumi::sync::Semaphore;
    type Sender = kumi_core::channel::Sender<usize>;
    type Receiver = kumi_core::channel::Receiver<usize>;

    fn permits() -> Self::Permits {
        kumi::sync::Semaphore::new(PERMITS)
    }

    fn channel() -> (Self::Sender, Self::Receiver) {
        kumi_core::channel::bounded(CAPACITY)
    }

    async fn send(sender: &Self::Sender, number: usize) {
        sender.send(number).await.expect("somebody receives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await.ok()
    }

    async fn work(rt: &R, permits: &Self::Permits, number: usize) -> usize {
        let _permit = permits.acquire().await;
        let both = kumi_core::combine::gather((child::<Self>(number), child::<Self>(0)));
        let (one, other) = kumi_core::combine::timeout(rt, LIMIT, both)
            .await
            .expect("there is time");
        one + other
    }
}

impl Service for TokioHost {
    type Permits = tokio::sync::Semaphore;
    type Sender = tokio::sync::mpsc::Sender<usize>;
    type Receiver = tokio::sync::mpsc::Receiver<usize>;

    fn permits() -> Self::Permits {
        tokio::sync::Semaphore::new(PERMITS)
    }

    fn channel() -> (Self::Sender, Self::Receiver) {
        tokio::sync::mpsc::channel(CAPACITY)
    }

    async fn send(sender: &Self::Sender, number: usize) {
        sender.send(number).await.expect("somebody receives");
    }

    async fn receive(receiver: &mut Self::Receiver) -> Option<usize> {
        receiver.recv().await
    }

    async fn work((): &(), permits: &Self::Permits, number: usize) -> usize {
        let _permit = permits.acquire().await.expect("it is open");
        let both = async { tokio::join!(child::<Self>(number), child::<Self>(0)) };
        let (one, other) = tokio::time::timeout(LIMIT, both)
            .await
            .expect("there is time");
        one + other
    }
}

macro_rules! smol_service {
    ($($host:ty),*) => {$(
        impl Service for $host {
            type Permits = async_lock::Semaphore;
            type Sender = async_channel::Sender<usize>;
            type Receiver = async_channel::Receiver<usize>;

            fn permits() -> Self::Permits {
                async_lock::Semaphore::new(PERMITS)
            }

            fn channel() -> (Self::Sender, Self::Receiver) {
                async_channel::bounded(CAPACITY)
            }

            async fn send(sender: &Self::Sender, number: usize) {
                sender.send(number).await.expect("somebody receives");
            }

            async fn receive(receiver: &mut Self::Receiver) -> Option<usize> {
                receiver.recv().await.ok()
            }

            async fn work(
                _: &Self::Handle,
                permits: &Self::Permits,
                number: usize,
            ) -> usize {
                let _permit = permits.acquire().await;
                let both = async {
                    Some(future::zip(child::<Self>(number), child::<Self>(0)).await)
                };
                let late = async {
                    Timer::after(LIMIT).await;
                    None
                };
                let (one, other) = future::or(both, late).await.expect("there is time");
                one + other
            }
        }
    )*};
}

smol_service!(SmolExecutor, SmolThreads);
