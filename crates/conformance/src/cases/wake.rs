//! Waking: no wake-up is lost, none is harmful.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Poll, Waker};

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{Manual, assert_cancelled, during, in_call, turns, until};

/// A wake makes a parked task be polled again, by value and by reference.
pub async fn wakes_a_parked_task<R: Runtime>(rt: R) {
    let hand = Manual::new();
    let task = rt.spawn(hand.future());
    until(|| hand.polls() > 0).await;
    for round in 0..50 {
        let (polls, waker) = (hand.polls(), hand.waker().unwrap());
        if round % 2 == 0 {
            waker.wake();
        } else {
            waker.wake_by_ref();
        }
        until(|| hand.polls() > polls).await;
    }
    hand.finish(1);
    assert_eq!(task.await.unwrap(), 1);
}

/// A wake runs nothing on the stack of its caller.
pub async fn does_not_run_the_task<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let mut future = Box::pin(hand.future());
    let task = rt.spawn(poll_fn(move |cx| {
        assert!(!in_call(), "polled inside the wake");
        future.as_mut().poll(cx)
    }));
    until(|| hand.polls() > 0).await;
    for _ in 0..50 {
        let polls = hand.polls();
        during(|| hand.wake());
        until(|| hand.polls() > polls).await;
    }
    hand.set(());
    during(|| hand.wake());
    task.await.unwrap();
}

/// A wake during the poll makes the task be polled again.
pub async fn during_the_poll<R: Runtime>(rt: R) {
    for by_clone in [false, true] {
        let mut polls = 0;
        let task = rt.spawn(poll_fn(move |cx| {
            polls += 1;
            if polls == 100 {
                return Poll::Ready(polls);
            }
            if by_clone {
                let waker = cx.waker().clone();
                waker.wake();
            } else {
                cx.waker().wake_by_ref();
            }
            Poll::Pending
        }));
        assert_eq!(task.await.unwrap(), 100);
    }
}

/// Many wakes before a poll are one poll, or a few: the runtime does not keep a poll for each.
pub async fn many_wakes_are_few_polls<R: Runtime>(rt: R) {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let task = rt.spawn(poll_fn(move |cx| {
        for _ in 0..1000 {
            cx.waker().wake_by_ref();
        }
        if count.fetch_add(1, Ordering::Relaxed) == 10 {
            return Poll::Ready(());
        }
        Poll::Pending
    }));
    task.await.unwrap();
    turns(&rt, 10).await;
    assert_eq!(
        polls.load(Ordering::Relaxed),
        11,
        "a task that has ended is not polled"
    );
}

/// A waker that is kept after the end of its task is harmless.
pub async fn after_the_end<R: Runtime>(rt: R) {
    for cancelled in [false, true] {
        let hand = Manual::new();
        let task = rt.spawn(hand.future());
        until(|| hand.polls() > 0).await;
        let waker = hand.waker().unwrap();
        if cancelled {
            assert_cancelled(task.cancel_and_join().await);
        } else {
            hand.finish(());
            task.await.unwrap();
        }
        let polls = hand.polls();
        waker.wake_by_ref();
        let other = waker.clone();
        waker.wake();
        turns(&rt, 10).await;
        other.wake_by_ref();
        drop(other);
        turns(&rt, 10).await;
        assert_eq!(hand.polls(), polls);
    }
}

/// Wakers may be dropped without a wake, all of them, and cloned without limit.
pub async fn wakers_may_come_and_go<R: Runtime>(rt: R) {
    let hand = Manual::<()>::new();
    let task = rt.spawn(hand.future());
    until(|| hand.polls() > 0).await;
    let waker = hand.waker().unwrap();
    let many: Vec<Waker> = (0..10_000).map(|_| waker.clone()).collect();
    assert!(many.iter().all(|other| other.will_wake(&waker)));
    drop(many);
    drop(waker);
    assert!(!task.is_finished());
    hand.finish(());
    task.await.unwrap();
}

/// A waker works through any combinator that hands out another one in its place.
pub async fn through_a_foreign_combinator<R: Runtime>(rt: R) {
    struct Forward(Waker, AtomicUsize);
    impl std::task::Wake for Forward {
        fn wake(self: Arc<Self>) {
            self.1.fetch_add(1, Ordering::Relaxed);
            self.0.wake_by_ref();
        }
    }
    let hand = Manual::new();
    let mut future = Box::pin(hand.future());
    let task = rt.spawn(poll_fn(move |cx| {
        let forward = Arc::new(Forward(cx.waker().clone(), AtomicUsize::new(0)));
        let waker = Waker::from(forward);
        future
            .as_mut()
            .poll(&mut std::task::Context::from_waker(&waker))
    }));
    until(|| hand.polls() > 0).await;
    for _ in 0..20 {
        let polls = hand.polls();
        hand.wake();
        until(|| hand.polls() > polls).await;
    }
    hand.finish(2);
    assert_eq!(task.await.unwrap(), 2);
}

/// Tasks that wake each other in turn make progress, for as long as they like.
pub async fn ping_pong<R: Runtime>(rt: R) {
    const ROUNDS: usize = 500;
    let turn = Arc::new((AtomicUsize::new(0), [Manual::<()>::new(), Manual::new()]));
    let player = |me: usize| {
        let turn = Arc::clone(&turn);
        rt.spawn(async move {
            let mut parked = turn.1[me].future();
            poll_fn(|cx| {
                // Registers first, then looks: as every waiter has to.
                let _ = std::pin::Pin::new(&mut parked).poll(cx);
                let now = turn.0.load(Ordering::SeqCst);
                if now >= ROUNDS {
                    turn.1[1 - me].wake();
                    return Poll::Ready(());
                }
                if now % 2 == me {
                    turn.0.store(now + 1, Ordering::SeqCst);
                    turn.1[1 - me].wake();
                }
                Poll::Pending
            })
            .await;
        })
    };
    let (a, b) = (player(0), player(1));
    a.await.unwrap();
    b.await.unwrap();
    assert_eq!(turn.0.load(Ordering::SeqCst), ROUNDS);
    yield_now().await;
}
