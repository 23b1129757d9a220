//! Channels and queues between the tasks of a runtime: order, conservation, cancel, the end.
//!
//! (What each single step does is checked against a model in core; here are the runtimes.)

use std::cell::Cell;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::channel::{
    LifoQueue, PriorityQueue, Queue, RecvError, SendError, ShutDown, bounded,
};
use kumi_core::cleanup::finally;
use kumi_core::combine::{gather, race, timeout, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::spawned::Combine;
use kumi_core::task::SpawnExt;

use crate::probe::{Gate, panic_of, thread, token, turns, until};

/// Four senders and four receivers of the runtime's channel: each value is received once, and those of a
/// sender in their order.
pub async fn many_to_many<R: Runtime>(rt: R) {
    for capacity in [0, 1, 3, 100] {
        let (sender, receiver) = rt.channel(capacity);
        let mut senders = Vec::new();
        for who in 0..4_u32 {
            let sender = sender.clone();
            senders.push(rt.spawn(async move {
                for number in 0..200_u32 {
                    sender.send((who, number)).await.expect("it is open");
                }
            }));
        }
        drop(sender);
        let mut receivers = Vec::new();
        for _ in 0..4 {
            let receiver = receiver.clone();
            receivers.push(rt.spawn(async move {
                let (mut next, mut count) = ([0; 4], 0);
                while let Ok((who, number)) = receiver.recv().await {
                    let next = &mut next[who as usize];
                    assert!(number >= *next, "{number} of {who} came after {next}");
                    *next = number + 1;
                    count += 1;
                }
                count
            }));
        }
        for sender in senders {
            sender.await.expect("it sends all");
        }
        let mut all = 0;
        for receiver in receivers {
            all += receiver.await.expect("it receives");
        }
        assert_eq!((all, receiver.recv().await), (800, Err(RecvError)));
    }
}

/// A full channel makes the sender wait: it is never more than the capacity, and what is in the hands of
/// the receiver, ahead.
pub async fn a_full_channel_makes_senders_wait<R: Runtime>(rt: R) {
    let sent = Arc::<AtomicUsize>::default();
    let (sender, receiver) = bounded(3);
    let count = Arc::clone(&sent);
    let task = rt.spawn(async move {
        for number in 0..50 {
            sender.send(number).await.expect("it is open");
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    for received in 0..50 {
        turns(&rt, 1).await;
        assert!(sent.load(Ordering::SeqCst) <= received + 4);
        assert_eq!(receiver.recv().await, Ok(received));
    }
    task.await.expect("it sends all");
}

/// In a scope that was cancelled nothing is taken and nothing is sent; in its clean-ups both are.
pub async fn in_a_cancelled_scope<R: Runtime>(_: R) {
    let (sender, receiver) = bounded(4);
    sender.send(1).await.expect("it is open");
    let scope = CancelScope::new();
    let handle = scope.handle();
    let (taken, in_clean_up) = (Cell::new(0), Cell::new(0));
    let ended = scope
        .run(finally(
            async {
                handle.cancel();
                taken.set(receiver.recv().await.unwrap_or(9));
            },
            async {
                checkpoint().await;
                in_clean_up.set(receiver.recv().await.unwrap_or(9));
                let _: Result<_, _> = sender.send(3).await;
            },
        ))
        .await;
    assert!(ended.is_err());
    assert_eq!((taken.get(), in_clean_up.get()), (0, 1));
    assert_eq!(receiver.try_recv(), Ok(3));

    let scope = CancelScope::new();
    let handle = scope.handle();
    let sends = async {
        handle.cancel();
        sender.send(4).await
    };
    assert!(scope.run(sends).await.is_err());
    assert!(receiver.is_empty());
}

/// Receivers that give up, by a time limit, by a race or by a cancel, lose nothing.
pub async fn receivers_that_give_up<R: Runtime>(rt: R) {
    let (sender, receiver) = bounded(1);
    let task = rt.spawn(async move {
        for number in 0..90 {
            if number % 3 == 0 {
                yield_now().await;
            }
            sender.send(number).await.expect("it is open");
        }
    });
    let mut seen = Vec::new();
    let mut way = 0;
    while seen.len() < 90 {
        way += 1;
        let taken = match way % 3 {
            0 => timeout(&rt, Duration::ZERO, receiver.recv()).await.ok(),
            1 => {
                let scope = CancelScope::new();
                let handle = scope.handle();
                let cancel = async {
                    yield_now().await;
                    handle.cancel();
                };
                let both = gather((receiver.recv(), cancel));
                scope.run(both).await.ok().map(|(taken, ())| taken)
            }
            _ => {
                let gives_up = async {
                    yield_now().await;
                    Err(RecvError)
                };
                let first = race((receiver.recv(), gives_up)).await;
                first.ok().filter(Result::is_ok)
            }
        };
        seen.extend(taken.map(|taken| taken.expect("it is open")));
        yield_now().await;
    }
    task.await.expect("it sends all");
    assert_eq!(seen, Vec::from_iter(0..90));
}

/// Senders that give up have sent their value or have dropped it, once.
pub async fn senders_that_give_up<R: Runtime>(rt: R) {
    let (sender, receiver) = bounded(1);
    let (alive, witness) = token();
    drop(alive);
    for _ in 0..30 {
        let value = witness.token();
        let limit = timeout(&rt, Duration::ZERO, sender.send(value));
        drop(limit.await);
    }
    assert_eq!(receiver.len(), 1);
    let before = witness.count();
    drop(receiver);
    assert!(sender.is_closed());
    assert_eq!(witness.count(), before + 1);
}

/// The last sender goes, in another task: who waits is told; so it is when the last receiver goes.
pub async fn the_other_end_goes<R: Runtime>(rt: R) {
    let (sender, receiver) = bounded::<u32>(1);
    let gate = Gate::new();
    let wait = gate.wait();
    let task = rt.spawn(async move {
        wait.await;
        drop(sender);
    });
    let waits = async { receiver.recv().await };
    let opens = async {
        yield_now().await;
        gate.open();
    };
    assert_eq!(gather((waits, opens)).await.0, Err(RecvError));
    task.await.expect("it returns");

    let (sender, receiver) = bounded(1);
    sender.send(1).await.expect("it is open");
    let gate = Gate::new();
    let wait = gate.wait();
    let task = rt.spawn(async move {
        wait.await;
        drop(receiver);
    });
    let waits = async { sender.send(2).await };
    let opens = async {
        yield_now().await;
        gate.open();
    };
    assert_eq!(gather((waits, opens)).await.0, Err(SendError(2)));
    task.await.expect("it returns");
}

/// A task that never finds the channel empty or full gives way to others all the same.
pub async fn a_busy_channel_starves_nobody<R: Runtime>(rt: R) {
    let (sender, receiver) = bounded(1);
    let other = Arc::<AtomicUsize>::default();
    let seen = Arc::clone(&other);
    let task = rt.spawn(async move {
        yield_now().await;
        seen.store(1, Ordering::SeqCst);
    });
    let busy = rt.spawn(async move {
        let mut rounds = 0_u64;
        while other.load(Ordering::SeqCst) == 0 {
            sender.send(rounds).await.expect("it is open");
            rounds += receiver.recv().await.expect("it is open") & 1 ^ 1;
            assert!(rounds < 100_000_000, "it does not give way");
        }
    });
    task.await.expect("it has its turn");
    busy.await.expect("it ends");
}

/// Threads without a runtime take part; in a task that is refused.
pub async fn threads_take_part<R: Runtime>(_: R) {
    let (sender, receiver) = bounded(1);
    let back = bounded(1);
    let (to, from) = (back.0, receiver.clone());
    let echo = thread(move || {
        while let Ok(number) = from.recv_blocking() {
            to.send_blocking(number * 2_u32).expect("it is open");
        }
    });
    for number in 0..50 {
        sender.send(number).await.expect("it is open");
        assert_eq!(back.1.recv().await, Ok(number * 2));
    }
    let said = panic_of(|| sender.send_blocking(1));
    assert!(said.contains("`.await`"), "{said}");
    let said = panic_of(|| receiver.recv_blocking());
    assert!(said.contains("`.await`"), "{said}");
    drop(sender);
    echo.await;
}

/// Workers of a queue: `join` returns when all is done, also what a worker dropped when it panicked or
/// was cancelled.
pub async fn a_queue_and_its_workers<R: Runtime>(rt: R) {
    let queue = Queue::bounded(2);
    let done = Arc::<AtomicUsize>::default();
    let mut workers = Vec::new();
    for who in 0..3 {
        let (queue, done) = (queue.clone(), Arc::clone(&done));
        workers.push(rt.spawn(async move {
            while let Ok(item) = queue.take().await {
                done.fetch_add(1, Ordering::SeqCst);
                yield_now().await;
                match *item {
                    7 => std::panic::resume_unwind(Box::new(format!("worker {who}"))),
                    8 => pending::<()>().await,
                    _ => {}
                }
            }
        }));
    }
    for item in 0..20 {
        queue.put(item).await.expect("it is not shut down");
    }
    // One has panicked, one waits for ever with its item, the third does the rest.
    until(|| queue.unfinished() == 1).await;
    assert_eq!(done.load(Ordering::SeqCst), 20);
    for worker in &workers {
        worker.cancel();
    }
    queue.join().await;
    let ended: Vec<_> = {
        let mut ended = Vec::new();
        for worker in workers {
            ended.push(worker.await);
        }
        ended
    };
    let panics = ended.iter().filter_map(|ended| ended.as_ref().err());
    assert_eq!(panics.filter(|error| error.is_panic()).count(), 1);
    assert_eq!((queue.unfinished(), queue.len()), (0, 0));
}

/// A queue that is shut down gives what it has; one that is shut down at once drops it and releases
/// `join`. Those who wait are told.
pub async fn a_queue_is_shut_down<R: Runtime>(rt: R) {
    let queue = Queue::bounded(2);
    queue.put(1).await.expect("it is not shut down");
    queue.put(2).await.expect("it is not shut down");
    let putter = queue.clone();
    let waits = rt.spawn(async move { putter.put(3).await });
    turns(&rt, 3).await;
    queue.shutdown(false);
    assert_eq!(waits.await.expect("it returns"), Err(ShutDown(3)));
    assert_eq!(queue.get().await, Ok(1));
    queue.task_done();
    let joiner = queue.clone();
    let join = rt.spawn(async move { joiner.join().await });
    queue.shutdown(true);
    assert_eq!(queue.get().await, Err(ShutDown(())));
    join.await.expect("what was dropped counts as done");

    let queue = Queue::<u32>::unbounded();
    let getter = queue.clone();
    let get = rt.spawn(async move { getter.get().await });
    turns(&rt, 3).await;
    queue.shutdown(false);
    assert_eq!(get.await.expect("it returns"), Err(ShutDown(())));
    let said = panic_of(|| queue.task_done());
    assert!(said.contains("more often"), "{said}");
}

/// The last first, the smallest first; who waits is served in the order in which they came.
pub async fn other_orders<R: Runtime>(rt: R) {
    let (last, small) = (LifoQueue::unbounded(), PriorityQueue::unbounded());
    for number in [2, 3, 1] {
        last.put(number).await.expect("it is not shut down");
        small.put(number).await.expect("it is not shut down");
    }
    for (from_last, from_small) in [(1, 1), (3, 2), (2, 3)] {
        assert_eq!(last.get().await, Ok(from_last));
        assert_eq!(small.get().await, Ok(from_small));
    }
    let getter = small.clone();
    let get = rt.spawn(async move { (getter.get().await, getter.get().await) });
    turns(&rt, 3).await;
    small.put_nowait(5).expect("there is no bound");
    small.put_nowait(4).expect("there is no bound");
    let got = get.await.expect("it returns");
    assert!(got == (Ok(5), Ok(4)) || got == (Ok(4), Ok(5)), "{got:?}");
}

/// A place that was promised is not given to anybody else.
pub async fn a_reservation_is_kept<R: Runtime>(rt: R) {
    let (sender, receiver) = bounded(1);
    let permit = sender.reserve().await.expect("it is open");
    let other = sender.clone();
    let task = rt.spawn(async move { other.send(2).await });
    turns(&rt, 3).await;
    assert!(receiver.is_empty());
    permit.send(1).expect("it is open");
    assert_eq!(
        (receiver.recv().await, receiver.recv().await),
        (Ok(1), Ok(2))
    );
    assert_eq!(task.await.expect("it returns"), Ok(()));
}
