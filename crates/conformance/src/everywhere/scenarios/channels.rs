//! Channels and queues: what is in them when a side goes, or is asked to.
//!
//! Every value is [held](Ledger::hold), so one that is lost, kept or dropped twice fails the run.

use kumi_core::channel::{Queue, Sender, ShutDown, bounded, broadcast, oneshot, watch};
use kumi_core::cleanup::finally;
use kumi_core::combine::{gather, race};
use kumi_core::group::task_group;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, SpawnExt};

use super::{region, region_later, steps};
use crate::everywhere::{Held, Ledger};

type Item = (usize, Held);

fn item(ledger: &Ledger, number: usize) -> Item {
    (number, ledger.hold("item"))
}

/// A task that sends `count` values, and steps after each.
fn producer<R: Runtime>(
    rt: &R,
    ledger: &Ledger,
    sender: Sender<Item>,
    count: usize,
) -> JoinHandle<()> {
    let own = ledger.clone();
    rt.spawn(async move {
        for number in 0..count {
            if sender.send(item(&own, number)).await.is_err() {
                return;
            }
            steps(&own, 1).await;
        }
    })
}

/// Whether the numbers grow by one from zero.
fn in_order(ledger: &Ledger, received: &[Item], count: usize) {
    let numbers: Vec<_> = received.iter().map(|(number, _)| *number).collect();
    let all: Vec<_> = (0..count).collect();
    ledger.check(numbers == all, "values were lost, or came out of order");
}

/// A task sends, the body receives; the channel is smaller than what is sent.
async fn pipeline<R: Runtime>(rt: R, ledger: Ledger, capacity: usize) {
    let (sender, receiver) = bounded(capacity);
    let task = producer(&rt, &ledger, sender, 4);
    let mut received = Vec::new();
    let receives = async {
        while let Ok(item) = receiver.recv().await {
            received.push(item);
            steps(&ledger, 1).await;
        }
    };
    region(&ledger, "close", receives).await;
    in_order(&ledger, &received, 4);
    let _ = task.await;
}

/// One place.
pub async fn a_pipeline<R: Runtime>(rt: R, ledger: Ledger) {
    pipeline(rt, ledger, 1).await;
}

/// No place: values are handed over in person.
pub async fn a_rendezvous<R: Runtime>(rt: R, ledger: Ledger) {
    pipeline(rt, ledger, 0).await;
}

/// Receivers that are dropped while they wait, or when they were given a value and have not looked: it
/// goes to the next.
pub async fn receivers_that_give_up<R: Runtime>(rt: R, ledger: Ledger) {
    let (sender, receiver) = bounded(1);
    let task = producer(&rt, &ledger, sender, 4);
    let mut received = Vec::new();
    while received.len() < 4 {
        // One that has perhaps been given a value when the other decides.
        let first = race((
            async {
                steps(&ledger, 1).await;
                None
            },
            async { receiver.recv().await.ok() },
        ));
        received.extend(first.await.ok().flatten());
        // One that looks once.
        let second = race((async { receiver.recv().await.ok() }, async { None }));
        received.extend(second.await.ok().flatten());
        if received.len() < 4 {
            received.extend(receiver.recv().await.ok());
        }
    }
    in_order(&ledger, &received, 4);
    let _ = task.await;
}

/// Senders that wait in a line; the receiver comes late.
pub async fn a_line_of_senders<R: Runtime>(rt: R, ledger: Ledger) {
    let (sender, receiver) = bounded(1);
    let tasks = [0, 1, 2].map(|number| {
        let (sender, item) = (sender.clone(), item(&ledger, number));
        rt.spawn(async move { sender.send(item).await.is_ok() })
    });
    drop(sender);
    steps(&ledger, 2).await;
    let mut received = Vec::new();
    receiver.recv_many(&mut received, 2).await;
    steps(&ledger, 1).await;
    while let Ok(item) = receiver.recv().await {
        received.push(item);
    }
    ledger.check(received.len() == 3, "a value was lost");
    for sent in gather(tasks).await {
        ledger.check(matches!(sent, Ok(true)), "a value was not sent");
    }
}

/// Places that are kept for values which are made later, and one that is not used.
pub async fn reservations<R: Runtime>(rt: R, ledger: Ledger) {
    let (sender, receiver) = bounded(1);
    let own = ledger.clone();
    let task = rt.spawn(async move {
        for number in 0..3 {
            let Ok(permit) = sender.reserve().await else {
                return;
            };
            steps(&own, 1).await;
            drop(permit);
            let Ok(permit) = sender.reserve().await else {
                return;
            };
            steps(&own, 1).await;
            let _ = permit.send(item(&own, number));
        }
    });
    let mut received = Vec::new();
    while let Ok(item) = receiver.recv().await {
        received.push(item);
    }
    in_order(&ledger, &received, 3);
    let _ = task.await;
}

/// Work in a queue, workers in a group: all work is done, or given back when the queue is shut down.
pub async fn a_queue_and_workers<R: Runtime>(rt: R, ledger: Ledger) {
    let queue = Queue::bounded(1);
    let group = task_group(&rt, async |group| {
        for _ in 0..2 {
            let (queue, own) = (queue.clone(), ledger.clone());
            group.spawn(async move {
                while let Ok(work) = queue.take().await {
                    region(&own, "commit", steps(&own, 1)).await;
                    drop(work);
                }
                Ok::<_, ShutDown>(())
            });
        }
        for number in 0..3 {
            let put = queue.put(item(&ledger, number)).await;
            ledger.check(put.is_ok(), "the queue was shut down");
        }
        queue.join().await;
        ledger.check(queue.unfinished() == 0, "work was not done");
        queue.shutdown(false);
        Ok(())
    });
    ledger.check(group.await.is_ok(), "a worker failed");
}

/// A queue that is shut down at once gives back what waits for a place.
pub async fn a_queue_is_shut_down<R: Runtime>(rt: R, ledger: Ledger) {
    let queue = Queue::bounded(1);
    let (puts, own) = (queue.clone(), ledger.clone());
    let task = rt.spawn(async move {
        for number in 0..3 {
            if puts.put(item(&own, number)).await.is_err() {
                return number;
            }
        }
        3
    });
    let first = queue.get().await;
    ledger.check(first.is_ok(), "the queue was shut down");
    steps(&ledger, 2).await;
    queue.shutdown(true);
    ledger.check(queue.is_empty(), "work was left");
    let joined = task.await;
    ledger.check(joined.is_ok_and(|count| count < 3), "a place was found");
}

/// A clean-up says goodbye through a channel.
pub async fn sent_in_a_clean_up<R: Runtime>(rt: R, ledger: Ledger) {
    let (sender, receiver) = bounded(0);
    let own = ledger.clone();
    let task = rt.spawn(async move {
        let mut all = Vec::new();
        while let Ok(item) = receiver.recv().await {
            all.push(item);
            steps(&own, 1).await;
        }
    });
    let goodbye = ledger.clean_up("goodbye", async {
        let _ = sender.send(item(&ledger, 9)).await;
    });
    let body = async {
        ledger.due("goodbye");
        for number in 0..2 {
            let _ = sender.send(item(&ledger, number)).await;
        }
    };
    finally(body, goodbye).await;
    drop(sender);
    let _ = task.await;
}

/// An answer from a task.
pub async fn a_oneshot<R: Runtime>(rt: R, ledger: Ledger) {
    let (mut sender, mut receiver) = oneshot::channel();
    let own = ledger.clone();
    let task = rt.spawn(async move {
        let held = own.hold("answer");
        let gone = async {
            sender.closed().await;
            true
        };
        let works = async {
            region_later(&own, "work", steps(&own, 2)).await;
            false
        };
        if race((gone, works)).await != Ok(true) {
            let _ = sender.send(held);
        }
    });
    let early = race((async { (&mut receiver).await.ok() }, async { None })).await;
    if early.is_ok_and(|answer| answer.is_none()) {
        ledger.check(receiver.await.is_ok(), "no answer");
    }
    let _ = task.await;
}

/// A value that is replaced while somebody watches.
pub async fn a_watch<R: Runtime>(rt: R, ledger: Ledger) {
    let (sender, mut receiver) = watch::channel((0, ledger.hold("value")));
    let own = ledger.clone();
    let task = rt.spawn(async move {
        for number in 1..4 {
            if sender.send((number, own.hold("value"))).is_err() {
                return;
            }
            steps(&own, 1).await;
        }
    });
    let last = receiver.wait_for(|(number, _)| *number == 3).await;
    ledger.check(last.is_ok(), "the last value was missed");
    steps(&ledger, 1).await;
    ledger.check(receiver.changed().await.is_err(), "one more value");
    let _ = task.await;
}

/// Everything for two, of whom one gives up now and then.
pub async fn a_broadcast<R: Runtime>(rt: R, ledger: Ledger) {
    let (sender, mut one) = broadcast::channel(8);
    let mut two = one.resubscribe();
    let own = ledger.clone();
    let task = rt.spawn(async move {
        for number in 0..4 {
            let value = std::sync::Arc::new(item(&own, number));
            if sender.send(value).is_err() {
                return;
            }
            steps(&own, 1).await;
        }
    });
    let (all, counted) = gather((
        async {
            let mut all = Vec::new();
            while let Ok(value) = one.recv().await {
                all.push(value.0);
            }
            all
        },
        async {
            let mut count = 0;
            while count < 4 {
                let got = race((async { two.recv().await.is_ok() }, async {
                    steps(&ledger, 1).await;
                    false
                }));
                let got = match got.await {
                    Ok(true) => true,
                    _ => two.recv().await.is_ok(),
                };
                count += usize::from(got);
            }
            count
        },
    ))
    .await;
    ledger.check(all == [0, 1, 2, 3] && counted == 4, "a value was missed");
    let _ = task.await;
}
