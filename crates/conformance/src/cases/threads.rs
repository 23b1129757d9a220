//! Other threads: what the runtime does not know about may wake, cancel, join, spawn and drop.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::task::Poll;

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, SpawnExt};

use crate::Fresh;
use crate::probe::{Gate, Manual, Slot, assert_cancelled, park_on, thread, token, until};

/// A wake from another thread reaches a task of a runtime that has nothing else to do.
pub async fn wake<R: Runtime>(rt: R) {
    for round in 0..200 {
        let hand = Manual::new();
        let task = rt.spawn(hand.future());
        let side = thread(move || {
            while hand.polls() == 0 {
                std::thread::yield_now();
            }
            hand.finish(round);
        });
        assert_eq!(task.await.unwrap(), round);
        side.await;
    }
}

/// A task and a thread that wake each other in turn: no wake-up is lost.
pub async fn ping_pong<R: Runtime>(rt: R) {
    const ROUNDS: usize = 2000;
    let (to_thread, inbox) = mpsc::channel();
    let (state, hand) = (Arc::new(AtomicUsize::new(0)), Manual::<()>::new());
    let (answers, waking) = (Arc::clone(&state), hand.clone());
    let side = thread(move || {
        for number in inbox {
            answers.store(number, Ordering::SeqCst);
            waking.wake();
        }
    });
    let task = rt.spawn(async move {
        for number in 1..=ROUNDS {
            to_thread.send(number).unwrap();
            let mut parked = hand.future();
            poll_fn(|cx| {
                // Registers first, then looks.
                let _ = Pin::new(&mut parked).poll(cx);
                if state.load(Ordering::SeqCst) == number {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    });
    task.await.unwrap();
    side.await;
}

/// The future of `block_on` and a thread that wake each other in turn, after pauses of many lengths: no
/// wake-up is lost, also not one that comes while the runtime is about to sleep.
pub async fn ping_pong_with_main<R: Runtime>(_rt: R) {
    const ROUNDS: usize = 20_000;
    let (to_thread, inbox) = mpsc::channel();
    let (state, hand) = (Arc::new(AtomicUsize::new(0)), Manual::<()>::new());
    let (answers, waking) = (Arc::clone(&state), hand.clone());
    let side = thread(move || {
        for number in inbox {
            for _ in 0..number % 256 {
                std::hint::spin_loop();
            }
            answers.store(number, Ordering::SeqCst);
            waking.wake();
        }
    });
    for number in 1..=ROUNDS {
        to_thread.send(number).unwrap();
        let mut parked = hand.future();
        poll_fn(|cx| {
            // Registers first, then looks.
            let _ = Pin::new(&mut parked).poll(cx);
            if state.load(Ordering::SeqCst) == number {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
    }
    drop(to_thread);
    side.await;
}

/// One waker, cloned to many threads, all of which wake.
pub async fn one_waker_on_many_threads<R: Runtime>(rt: R) {
    const THREADS: usize = 4;
    const WAKES: usize = 500;
    let (wakes, hand) = (Arc::new(AtomicUsize::new(0)), Manual::<()>::new());
    let (seen, mut parked) = (Arc::clone(&wakes), hand.future());
    let task = rt.spawn(poll_fn(move |cx| {
        let _ = Pin::new(&mut parked).poll(cx);
        if seen.load(Ordering::SeqCst) == THREADS * WAKES {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }));
    until(|| hand.polls() > 0).await;
    let sides: Vec<_> = (0..THREADS)
        .map(|_| {
            let (wakes, waker) = (Arc::clone(&wakes), hand.waker().unwrap());
            thread(move || {
                for _ in 0..WAKES {
                    wakes.fetch_add(1, Ordering::SeqCst);
                    waker.wake_by_ref();
                }
                waker.wake();
            })
        })
        .collect();
    task.await.unwrap();
    for side in sides {
        side.await;
    }
}

/// A cancel from another thread reaches the task; it drops nothing there.
pub async fn cancel<R: Runtime>(rt: R) {
    for _ in 0..50 {
        let hand = Manual::<()>::new();
        let (captured, witness) = token();
        let parked = hand.future();
        let task = rt.spawn(async move {
            let _captured = captured;
            parked.await;
        });
        until(|| hand.polls() > 0).await;
        let reference = task.task();
        let side = thread(move || {
            assert!(reference.cancel());
            std::thread::current().id()
        });
        assert_cancelled(task.await);
        assert_ne!(witness.only().thread, side.await);
    }
}

/// A handle that is dropped on another thread cancels the task; it drops nothing there.
pub async fn drop_the_handle<R: Runtime>(rt: R) {
    for _ in 0..50 {
        let hand = Manual::<()>::new();
        let (captured, witness) = token();
        let parked = hand.future();
        let task = rt.spawn(async move {
            let _captured = captured;
            parked.await;
        });
        until(|| hand.polls() > 0).await;
        let reference = task.task();
        let side = thread(move || {
            drop(task);
            std::thread::current().id()
        });
        let side = side.await;
        until(|| reference.is_finished()).await;
        assert_ne!(witness.only().thread, side);
    }
}

/// A cancel that races with the end: either outcome, and everything is dropped once.
pub async fn cancel_races_with_the_end<R: Runtime>(rt: R) {
    for _ in 0..300 {
        let (captured, inside) = token();
        let (output, outside) = token();
        let hand = Manual::new();
        let parked = hand.future();
        let task = rt.spawn(async move {
            let _captured = captured;
            parked.await;
            output
        });
        until(|| hand.polls() > 0).await;
        let reference = task.task();
        let side = thread(move || reference.cancel());
        hand.finish(());
        match task.await {
            Ok(output) => drop(output),
            Err(error) => assert!(error.is_cancelled()),
        }
        assert_eq!((inside.count(), outside.count()), (1, 1));
        side.await;
    }
}

/// A handle that is let go or dropped while the task ends: the output is dropped once.
pub async fn the_handle_races_with_the_end<R: Runtime>(rt: R) {
    for round in 0..300 {
        let (output, witness) = token();
        let hand = Manual::new();
        let task = rt.spawn(hand.future());
        until(|| hand.polls() > 0).await;
        let reference = task.task();
        let side = thread(move || {
            if round % 2 == 0 {
                task.detach();
            } else {
                drop(task);
            }
        });
        hand.finish(output);
        side.await;
        // The cancel may have come first; then the output was never taken.
        drop(hand);
        until(|| reference.is_finished()).await;
        until(|| witness.is_dropped()).await;
        assert_eq!(witness.count(), 1);
    }
}

/// A joiner on another thread, without any runtime, is told.
pub async fn join<R: Runtime>(rt: R) {
    for round in 0..100 {
        let gate = Gate::new();
        let wait = gate.wait();
        let task = rt.spawn(async move {
            wait.await;
            round
        });
        let side = thread(move || park_on(task).unwrap());
        yield_now().await;
        gate.open();
        assert_eq!(side.await, round);
    }
}

/// Other threads spawn, all at once, and every task runs.
pub async fn spawn<R: Runtime>(rt: R) {
    let sides: Vec<_> = (0..4)
        .map(|_| {
            let handle = rt.clone();
            thread(move || {
                let tasks = (0..250).map(|n| handle.spawn(async move { n }));
                tasks.collect::<Vec<JoinHandle<u32>>>()
            })
        })
        .collect();
    let mut sum = 0;
    for side in sides {
        for task in side.await {
            sum += task.await.unwrap();
        }
    }
    assert_eq!(sum, 4 * (0..250).sum::<u32>());
}

/// A task that another thread spawns runs although the runtime sleeps.
pub async fn spawn_into_a_sleeping_runtime<R: Runtime>(rt: R) {
    for round in 0..100 {
        let (slot, handle) = (Slot::new(), rt.clone());
        let result = slot.clone();
        let side = thread(move || handle.spawn(async move { result.put(round) }).detach());
        assert_eq!(slot.take().await, round);
        side.await;
    }
}

/// Values pass between a task and threads that no runtime knows, each waiting for the other.
pub async fn a_value_there_and_back<R: Runtime>(rt: R) {
    for round in 0..100 {
        let (there, back) = (Slot::new(), Slot::new());
        let (inbox, outbox) = (there.clone(), back.clone());
        let side = thread(move || {
            let number: u32 = park_on(inbox.take());
            outbox.put(number + 1);
        });
        let task = rt.spawn(async move {
            there.put(round);
            back.take().await
        });
        assert_eq!(task.await.unwrap(), round + 1);
        side.await;
    }
}

/// What a thread spawned while nobody was inside `block_on` runs in the next one.
pub fn spawn_between_drives<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    rt.block_on(async {});
    let handle = rt.handle();
    let task = park_on(thread(move || handle.spawn(async { 5 })));
    assert_eq!(rt.block_on(task).unwrap(), 5);
    let parked = rt.spawn(pending::<()>());
    let reference = parked.task();
    rt.block_on(yield_now());
    park_on(thread(move || reference.cancel()));
    assert_cancelled(rt.block_on(parked));
}
