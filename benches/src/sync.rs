//! Who takes part where tasks of one loop share work or permits: a queue with a join, and a semaphore.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;

use event_listener::Event;
use kumi_core::channel::{LifoQueue, PriorityQueue, Queue};
use kumi_core::combine::yield_now;
use kumi_loop::Loop;

use crate::channel::run_all;
use crate::competitor::{Competitor, competitor};
use crate::plan::Plan;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = Vec::new();
    for size in [1, 10, 100, 1_000] {
        let items = if smoke { 40 } else { 8_000 };
        all.push(Plan::sized("queue", size, items, move || {
            queues(size, items)
        }));
    }
    for size in [4, 10, 100, 1_000, 10_000] {
        let (tasks, times) = if smoke { (size.min(10), 2) } else { (size, 20) };
        let make = move || semaphores(tasks, times);
        all.push(Plan::sized("semaphore", size, tasks * times, make));
    }
    all
}

const PRODUCERS: usize = 4;
const CONSUMERS: usize = 4;

/// A queue that knows when all that was put is done with.
trait Work: Clone + 'static {
    fn make(maxsize: usize) -> Self;

    fn put(&self, value: u64) -> impl Future<Output = ()>;

    fn get(&self) -> impl Future<Output = Option<u64>>;

    fn done(&self);

    fn join(&self) -> impl Future<Output = ()>;

    fn close(&self);
}

macro_rules! kumi_queue {
    ($($queue:ident),*) => {$(
        impl Work for Rc<$queue<u64>> {
            fn make(maxsize: usize) -> Self {
                Self::new($queue::bounded(maxsize))
            }

            async fn put(&self, value: u64) {
                $queue::put(self, value).await.expect("it is open");
            }

            async fn get(&self) -> Option<u64> {
                $queue::get(self).await.ok()
            }

            fn done(&self) {
                self.task_done();
            }

            async fn join(&self) {
                $queue::join(self).await;
            }

            fn close(&self) {
                self.shutdown(false);
            }
        }
    )*};
}

kumi_queue!(Queue, LifoQueue, PriorityQueue);

/// What one writes without such a queue.
#[derive(Clone)]
struct ByHand {
    sender: async_channel::Sender<u64>,
    receiver: async_channel::Receiver<u64>,
    left: Rc<(Cell<usize>, Event)>,
}

impl Work for ByHand {
    fn make(maxsize: usize) -> Self {
        let (sender, receiver) = async_channel::bounded(maxsize);
        Self {
            sender,
            receiver,
            left: Rc::default(),
        }
    }

    async fn put(&self, value: u64) {
        let (left, _) = &*self.left;
        left.set(left.get() + 1);
        self.sender.send(value).await.expect("it is open");
    }

    async fn get(&self) -> Option<u64> {
        self.receiver.recv().await.ok()
    }

    fn done(&self) {
        let (left, none) = &*self.left;
        left.set(left.get() - 1);
        if left.get() == 0 {
            none.notify(usize::MAX);
        }
    }

    async fn join(&self) {
        let (left, none) = &*self.left;
        while left.get() > 0 {
            none.listen().await;
        }
    }

    fn close(&self) {
        self.sender.close();
    }
}

type Part = Pin<Box<dyn Future<Output = u64>>>;

fn queues(maxsize: usize, items: usize) -> io::Result<Vec<Competitor>> {
    const BY_HAND: &str = "async-channel, counted by hand";
    fn one<W: Work>(name: &'static str, maxsize: usize, items: usize) -> io::Result<Competitor> {
        let lp = Loop::new()?;
        let each = items / PRODUCERS;
        Ok(competitor(name, BY_HAND, move || {
            let queue = W::make(maxsize);
            let mut parts: Vec<Part> = Vec::new();
            let producers: Vec<_> = (0..PRODUCERS)
                .map(|_| {
                    let queue = queue.clone();
                    part(async move {
                        for value in 0..each as u64 {
                            queue.put(value).await;
                        }
                        0
                    })
                })
                .collect();
            for _ in 0..CONSUMERS {
                let queue = queue.clone();
                parts.push(part(async move {
                    let mut sum = 0;
                    while let Some(value) = queue.get().await {
                        sum += value;
                        queue.done();
                    }
                    sum
                }));
            }
            let closes = queue.clone();
            parts.push(part(async move {
                kumi_core::combine::gather(producers).await;
                closes.join().await;
                closes.close();
                0
            }));
            let expected = PRODUCERS as u64 * (each as u64 * (each as u64 - 1) / 2);
            assert_eq!(run_all(&lp, parts), expected);
        }))
    }
    Ok(vec![
        one::<ByHand>(BY_HAND, maxsize, items)?,
        one::<Rc<Queue<u64>>>("kumi", maxsize, items)?,
        one::<Rc<LifoQueue<u64>>>("kumi, last in first out", maxsize, items)?,
        one::<Rc<PriorityQueue<u64>>>("kumi, by priority", maxsize, items)?,
    ])
}

fn part(future: impl Future<Output = u64> + 'static) -> Part {
    Box::pin(future)
}

const PERMITS: usize = 4;

/// Hands out permits.
trait Permits: 'static {
    fn make() -> Self;

    /// Takes a permit and keeps it while the future runs.
    fn with<F: Future>(&self, future: F) -> impl Future<Output = F::Output>;
}

macro_rules! permits {
    ($type:ty, $acquire:ident $($unwrap:tt)*) => {
        impl Permits for $type {
            fn make() -> Self {
                Self::new(PERMITS)
            }

            async fn with<F: Future>(&self, future: F) -> F::Output {
                let _permit = self.$acquire$($unwrap)*;
                future.await
            }
        }
    };
}

permits!(kumi::sync::Semaphore, acquire().await);
permits!(tokio::sync::Semaphore, acquire().await.expect("it is open"));
permits!(async_lock::Semaphore, acquire().await);
permits!(asyncband::semaphore::Semaphore, acquire(1).await);

fn semaphores(tasks: usize, times: usize) -> io::Result<Vec<Competitor>> {
    const TOKIO: &str = "tokio::sync::Semaphore";
    fn one<P: Permits>(name: &'static str, tasks: usize, times: usize) -> io::Result<Competitor> {
        let lp = Loop::new()?;
        Ok(competitor(name, TOKIO, move || {
            let permits = Rc::new(P::make());
            let task = |_| {
                let permits = Rc::clone(&permits);
                async move {
                    for _ in 0..times {
                        permits.with(yield_now()).await;
                    }
                    times as u64
                }
            };
            let sum = run_all(&lp, (0..tasks).map(task).collect());
            assert_eq!(sum, (tasks * times) as u64);
        }))
    }
    Ok(vec![
        one::<tokio::sync::Semaphore>(TOKIO, tasks, times)?,
        one::<async_lock::Semaphore>("async-lock", tasks, times)?,
        one::<asyncband::semaphore::Semaphore>("asyncband", tasks, times)?,
        one::<kumi::sync::Semaphore>("kumi", tasks, times)?,
    ])
}
