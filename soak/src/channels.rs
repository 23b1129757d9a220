//! Very many messages through channels, while some waits are given up.
//!
//! What must stay true: every message that was sent is received once, and none twice. A receive that is
//! given up has taken nothing, and a place that was reserved and given up goes to somebody else. A send that
//! is given up may have sent (its receiver was quicker), and nobody can know: its message arrives once or
//! never, and those that never do were all given up.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::time::{Duration, Instant};

use kumi::channel::{Receiver, Sender, bounded};
use kumi::{BackendKind, GroupError};

use crate::gauge::Gauge;
use crate::report::Checks;

const CAPACITIES: [usize; 3] = [1, 16, 1024];
const SENDERS: usize = 4;
const RECEIVERS: usize = 2;

/// Every so many operations, one is given up if it has to wait.
const GIVE_UP: usize = 16;

/// Every so many operations, one has a time limit of nothing.
const TIME_OUT: usize = 1024;

/// One bit for each message.
struct Bits(Vec<AtomicU64>);

impl Bits {
    fn new(count: usize) -> Self {
        Self((0..count.div_ceil(64)).map(|_| AtomicU64::new(0)).collect())
    }

    /// Sets one; true if it was set.
    fn set(&self, message: usize) -> bool {
        let bit = 1 << (message % 64);
        // Relaxed, here and below: the end of the group orders them.
        self.0[message / 64].fetch_or(bit, Ordering::Relaxed) & bit != 0
    }

    fn has(&self, message: usize) -> bool {
        self.0[message / 64].load(Ordering::Relaxed) >> (message % 64) & 1 == 1
    }

    fn count(&self) -> usize {
        let ones = |bits: &AtomicU64| bits.load(Ordering::Relaxed).count_ones() as usize;
        self.0.iter().map(ones).sum()
    }
}

/// What became of the messages, and how many waits were given up.
struct Fates {
    arrived: Bits,
    /// Nobody knows whether they were sent.
    open: Bits,
    twice: AtomicU64,
    given_up: AtomicU64,
}

impl Fates {
    fn new(count: usize) -> Arc<Self> {
        Arc::new(Self {
            arrived: Bits::new(count),
            open: Bits::new(count),
            twice: AtomicU64::new(0),
            given_up: AtomicU64::new(0),
        })
    }

    fn arrived(&self, message: usize) {
        if self.arrived.set(message) {
            self.twice.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn gave_up(&self) {
        self.given_up.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages have neither arrived nor been given up.
    fn lost(&self, count: usize) -> usize {
        let lost = |message: &usize| !self.arrived.has(*message) && !self.open.has(*message);
        (0..count).filter(lost).count()
    }
}

/// Runs the part: `count` messages for each capacity.
pub fn run(kind: BackendKind, count: usize, checks: &mut Checks) {
    crate::run(kind, Box::pin(part(count, checks)));
}

async fn part(count: usize, checks: &mut Checks) {
    for capacity in CAPACITIES {
        round(count.div_ceil(10), capacity, checks, false).await;
        let start = Gauge::now();
        round(count, capacity, checks, true).await;
        start.check(&format!("capacity {capacity}"), checks).await;
    }
}

async fn round(count: usize, capacity: usize, checks: &mut Checks, say: bool) {
    let fates = Fates::new(count);
    let (sender, receiver) = bounded(capacity);
    let began = Instant::now();
    let ended: Result<(), GroupError<()>> = kumi::task_group(async |group| {
        for number in 0..SENDERS {
            let messages = (number..count).step_by(SENDERS);
            group.spawn(send(messages, sender.clone(), Arc::clone(&fates)));
        }
        for _ in 0..RECEIVERS {
            group.spawn(receive(receiver.clone(), Arc::clone(&fates)));
        }
        drop((sender, receiver));
        Ok(())
    })
    .await;
    let arrived = fates.arrived.count();
    if say {
        checks.time(&format!("capacity {capacity}"), count, began.elapsed());
        let given_up = fates.given_up.load(Ordering::Relaxed);
        checks.line(&format!(
            "{arrived} arrived; {given_up} waits were given up, {} of them for a send",
            fates.open.count()
        ));
        checks.that(given_up > 0, || "no wait was given up".into());
    }
    checks.that(ended.is_ok(), || format!("the group ended with {ended:?}"));
    checks.equal("messages that were lost", fates.lost(count), 0);
    let twice = fates.twice.load(Ordering::Relaxed);
    checks.equal("messages that arrived twice", twice, 0);
}

async fn send(
    messages: impl Iterator<Item = usize>,
    sender: Sender<usize>,
    fates: Arc<Fates>,
) -> Result<(), ()> {
    for message in messages {
        // By the place among the sender's own: each sender does all of them.
        let own = message / SENDERS;
        if own % GIVE_UP == 0 {
            match if_now(sender.send(message)).await {
                Some(sent) => sent.map_err(drop)?,
                None => {
                    fates.gave_up();
                    fates.open.set(message);
                }
            }
        } else if own % GIVE_UP == 1 {
            let place = match if_now(sender.reserve()).await {
                Some(place) => place,
                None => {
                    fates.gave_up();
                    sender.reserve().await
                }
            };
            place.map_err(drop)?.send(message).map_err(drop)?;
        } else if own % TIME_OUT == 2 {
            match kumi::timeout(Duration::ZERO, sender.send(message)).await {
                Ok(sent) => sent.map_err(drop)?,
                Err(_) => {
                    fates.gave_up();
                    fates.open.set(message);
                }
            }
        } else {
            sender.send(message).await.map_err(drop)?;
        }
    }
    Ok(())
}

async fn receive(receiver: Receiver<usize>, fates: Arc<Fates>) -> Result<(), ()> {
    for turn in 0_usize.. {
        let received = if turn % GIVE_UP == 5 {
            if_now(receiver.recv()).await
        } else if turn % TIME_OUT == 1 {
            kumi::timeout(Duration::ZERO, receiver.recv()).await.ok()
        } else {
            Some(receiver.recv().await)
        };
        match received {
            Some(Ok(message)) => fates.arrived(message),
            Some(Err(_)) => break,
            None => fates.gave_up(),
        }
    }
    Ok(())
}

/// Polls once, and drops what has to wait.
async fn if_now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(value) => Poll::Ready(Some(value)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
