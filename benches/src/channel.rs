//! Who takes part where values are handed from tasks to tasks: bounded channels.
//!
//! All tasks run on Kumi's loop, whoever's the channel is: on one, or producers on one and consumers on
//! another on a second thread.

mod ring;

use std::future::Future;
use std::io;
use std::sync::mpsc;
use std::thread;

use kumi_core::runtime::{Owned, Runtime};
use kumi_core::task::SpawnLocalExt;
use kumi_loop::Loop;

use crate::competitor::{Competitor, competitor, with_threads};
use crate::plan::Plan;

/// How many producers and consumers there are.
#[derive(Clone, Copy)]
struct Shape {
    /// The topic with one thread, and with two.
    here: &'static str,
    across: &'static str,
    senders: usize,
    receivers: usize,
}

const SHAPES: [Shape; 3] = [
    Shape {
        here: "chan.spsc",
        across: "xchan.spsc",
        senders: 1,
        receivers: 1,
    },
    Shape {
        here: "chan.mpsc4",
        across: "xchan.mpsc4",
        senders: 4,
        receivers: 1,
    },
    Shape {
        here: "chan.mpmc4x4",
        across: "xchan.mpmc4x4",
        senders: 4,
        receivers: 4,
    },
];

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = Vec::new();
    for shape in SHAPES {
        for capacity in [1, 10, 100, 1_000] {
            let messages = if smoke { 40 } else { 8_000 };
            let make = move || one_thread(shape, capacity, messages);
            all.push(Plan::sized(shape.here, capacity, messages, make));
        }
    }
    for shape in SHAPES {
        for capacity in [1, 10, 100, 1_000] {
            // What wakes a thread for each message takes long.
            let messages = if smoke {
                40
            } else {
                400 * capacity.clamp(1, 100)
            };
            let make = move || two_threads(shape, capacity, messages);
            let plan = Plan::sized(shape.across, capacity, messages, make);
            all.push(plan.slow_if(shape.senders > 1));
        }
    }
    all
}

/// All senders and all receivers of a channel.
type Ends<S, R> = (Vec<S>, Vec<R>);

/// A kind of channel.
trait Peer: 'static {
    const NAME: &'static str;
    type Tx: 'static;
    type Rx: 'static;

    /// A channel, if there is one for so many.
    fn make(capacity: usize, shape: Shape) -> Option<Ends<Self::Tx, Self::Rx>>;

    fn send(sender: &Self::Tx, value: u64) -> impl Future<Output = ()>;

    fn recv(receiver: &mut Self::Rx) -> impl Future<Output = Option<u64>>;
}

macro_rules! peer {
    ($type:ident, $name:literal, $tx:ty, $rx:ty, $make:expr, $most:expr) => {
        struct $type;

        impl Peer for $type {
            const NAME: &'static str = $name;
            type Tx = $tx;
            type Rx = $rx;

            fn make(capacity: usize, shape: Shape) -> Option<Ends<$tx, $rx>> {
                let most: (usize, usize) = $most;
                if shape.senders > most.0 || shape.receivers > most.1 {
                    return None;
                }
                let make: fn(usize, Shape) -> Ends<$tx, $rx> = $make;
                Some(make(capacity, shape))
            }

            async fn send(sender: &$tx, value: u64) {
                if sender.send(value).await.is_err() {
                    unreachable!("there is a receiver");
                }
            }

            #[allow(clippy::manual_ok_err, reason = "some give an `Option`")]
            async fn recv(receiver: &mut $rx) -> Option<u64> {
                receiver.recv().await.into_iter().next()
            }
        }
    };
}

const MANY: (usize, usize) = (usize::MAX, usize::MAX);

fn clones<S: Clone, R: Clone>((tx, rx): (S, R), shape: Shape) -> Ends<S, R> {
    (vec![tx; shape.senders], vec![rx; shape.receivers])
}

peer!(
    Kumi,
    "kumi",
    kumi_core::channel::Sender<u64>,
    kumi_core::channel::Receiver<u64>,
    |capacity, shape| clones(kumi_core::channel::bounded(capacity), shape),
    MANY
);
peer!(
    KumiLocal,
    "kumi local",
    kumi_core::channel::local::Sender<u64>,
    kumi_core::channel::local::Receiver<u64>,
    |capacity, shape| clones(kumi_core::channel::local::bounded(capacity), shape),
    MANY
);
peer!(
    Kanal,
    "kanal",
    kanal::AsyncSender<u64>,
    kanal::AsyncReceiver<u64>,
    |capacity, shape| clones(kanal::bounded_async(capacity), shape),
    MANY
);
peer!(
    AsyncChannel,
    "async-channel",
    async_channel::Sender<u64>,
    async_channel::Receiver<u64>,
    |capacity, shape| clones(async_channel::bounded(capacity), shape),
    MANY
);
peer!(
    CrossfireMany,
    "crossfire::mpmc",
    crossfire::MAsyncTx<crossfire::mpmc::Array<u64>>,
    crossfire::MAsyncRx<crossfire::mpmc::Array<u64>>,
    |capacity, shape| clones(crossfire::mpmc::bounded_async(capacity), shape),
    MANY
);
peer!(
    CrossfireOne,
    "crossfire::spsc",
    crossfire::AsyncTx<crossfire::spsc::Array<u64>>,
    crossfire::AsyncRx<crossfire::spsc::Array<u64>>,
    |capacity, _| {
        let (tx, rx) = crossfire::spsc::bounded_async(capacity);
        (vec![tx], vec![rx])
    },
    (1, 1)
);
peer!(
    TokioMpsc,
    "tokio::sync::mpsc",
    tokio::sync::mpsc::Sender<u64>,
    tokio::sync::mpsc::Receiver<u64>,
    |capacity, shape| {
        let (tx, rx) = tokio::sync::mpsc::channel(capacity);
        (vec![tx; shape.senders], vec![rx])
    },
    (usize::MAX, 1)
);
peer!(
    Asyncband,
    "asyncband::mpsc",
    asyncband::mpsc::BoundedSender<u64>,
    asyncband::mpsc::BoundedReceiver<u64>,
    |capacity, shape| {
        let (tx, rx) = asyncband::mpsc::bounded(capacity);
        (vec![tx; shape.senders], vec![rx])
    },
    (usize::MAX, 1)
);

peer!(
    Floor,
    "floor: a ring without atomics",
    ring::Tx,
    ring::Rx,
    |capacity, shape| ring::make(capacity, shape),
    MANY
);

struct Flume;

impl Peer for Flume {
    const NAME: &'static str = "flume";
    type Tx = flume::Sender<u64>;
    type Rx = flume::Receiver<u64>;

    fn make(capacity: usize, shape: Shape) -> Option<Ends<Self::Tx, Self::Rx>> {
        Some(clones(flume::bounded(capacity), shape))
    }

    async fn send(sender: &Self::Tx, value: u64) {
        sender.send_async(value).await.expect("there is a receiver");
    }

    async fn recv(receiver: &mut Self::Rx) -> Option<u64> {
        receiver.recv_async().await.ok()
    }
}

async fn produce<P: Peer>(sender: P::Tx, messages: usize) -> u64 {
    for value in 0..messages as u64 {
        P::send(&sender, value).await;
    }
    0
}

async fn consume<P: Peer>(mut receiver: P::Rx) -> u64 {
    let mut sum = 0;
    while let Some(value) = P::recv(&mut receiver).await {
        sum += value;
    }
    sum
}

/// Runs all as tasks, and adds up what they return.
pub(crate) fn run_all<F: Future<Output = u64> + 'static>(lp: &Owned<Loop>, futures: Vec<F>) -> u64 {
    lp.block_on(async {
        let spawn = |future| lp.spawn_local(future);
        let tasks: Vec<_> = futures.into_iter().map(spawn).collect();
        let mut sum = 0;
        for task in tasks {
            sum += task.await.expect("no task panics");
        }
        sum
    })
}

fn sum_of(shape: Shape, messages: usize) -> u64 {
    let each = (messages / shape.senders) as u64;
    shape.senders as u64 * (each * (each - 1) / 2)
}

fn one_thread(shape: Shape, capacity: usize, messages: usize) -> io::Result<Vec<Competitor>> {
    fn one<P: Peer>(
        all: &mut Vec<Competitor>,
        shape: Shape,
        capacity: usize,
        messages: usize,
    ) -> io::Result<()> {
        let lp = Loop::new()?;
        if P::make(capacity, shape).is_none() {
            return Ok(());
        }
        all.push(competitor(P::NAME, Kanal::NAME, move || {
            let (senders, receivers) = P::make(capacity, shape).expect("it made one before");
            let each = messages / shape.senders;
            let mut futures: Vec<std::pin::Pin<Box<dyn Future<Output = u64>>>> = Vec::new();
            for sender in senders {
                futures.push(Box::pin(produce::<P>(sender, each)));
            }
            for receiver in receivers {
                futures.push(Box::pin(consume::<P>(receiver)));
            }
            assert_eq!(run_all(&lp, futures), sum_of(shape, messages));
        }));
        Ok(())
    }
    let mut all = Vec::new();
    one::<Kanal>(&mut all, shape, capacity, messages)?;
    one::<CrossfireOne>(&mut all, shape, capacity, messages)?;
    one::<CrossfireMany>(&mut all, shape, capacity, messages)?;
    one::<Asyncband>(&mut all, shape, capacity, messages)?;
    one::<AsyncChannel>(&mut all, shape, capacity, messages)?;
    one::<TokioMpsc>(&mut all, shape, capacity, messages)?;
    one::<Flume>(&mut all, shape, capacity, messages)?;
    one::<Kumi>(&mut all, shape, capacity, messages)?;
    one::<KumiLocal>(&mut all, shape, capacity, messages)?;
    one::<Floor>(&mut all, shape, capacity, messages)?;
    Ok(all)
}

fn two_threads(shape: Shape, capacity: usize, messages: usize) -> io::Result<Vec<Competitor>> {
    fn one<P: Peer<Rx: Send>>(
        all: &mut Vec<Competitor>,
        shape: Shape,
        capacity: usize,
        messages: usize,
    ) -> io::Result<()> {
        let lp = Loop::new()?;
        if P::make(capacity, shape).is_none() {
            return Ok(());
        }
        let (give, given) = mpsc::channel::<Vec<P::Rx>>();
        let (tell, told) = mpsc::channel();
        thread::spawn(move || {
            let lp = Loop::new().expect("there was one before");
            for receivers in given {
                let futures = receivers.into_iter().map(consume::<P>).collect();
                if tell.send(run_all(&lp, futures)).is_err() {
                    return;
                }
            }
        });
        all.push(with_threads(P::NAME, AsyncChannel::NAME, move || {
            let (senders, receivers) = P::make(capacity, shape).expect("it made one before");
            let each = messages / shape.senders;
            give.send(receivers).expect("the other thread waits");
            let producers = senders.into_iter().map(|sender| produce::<P>(sender, each));
            run_all(&lp, producers.collect());
            let sum = told.recv().expect("the other thread answers");
            assert_eq!(sum, sum_of(shape, messages));
        }));
        Ok(())
    }
    let mut all = Vec::new();
    one::<Kanal>(&mut all, shape, capacity, messages)?;
    one::<CrossfireOne>(&mut all, shape, capacity, messages)?;
    one::<CrossfireMany>(&mut all, shape, capacity, messages)?;
    one::<Asyncband>(&mut all, shape, capacity, messages)?;
    one::<AsyncChannel>(&mut all, shape, capacity, messages)?;
    one::<TokioMpsc>(&mut all, shape, capacity, messages)?;
    one::<Flume>(&mut all, shape, capacity, messages)?;
    one::<Kumi>(&mut all, shape, capacity, messages)?;
    Ok(all)
}
