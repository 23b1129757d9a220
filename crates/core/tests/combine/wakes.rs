//! Who is polled after which wake, and how often.

use std::cell::Cell;
use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::task::{Poll, Wake, Waker};

use kumi_core::combine::{gather, race, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::support::{Log, Wakes, drive, poll, probes};

#[test]
fn a_child_that_wakes_itself_waits_for_the_next_poll() {
    let (wakes, waker) = Wakes::new();
    let polls = Cell::new(0);
    let child = || async {
        for _ in 0..3 {
            polls.set(polls.get() + 1);
            yield_now().await;
        }
    };
    let mut all = pin!(gather([child(), child()]));
    for round in 1..=3 {
        assert!(poll(all.as_mut(), &waker).is_pending());
        assert_eq!(polls.get(), 2 * round);
        assert_eq!(wakes.take(), 1, "one wake for all who yield");
    }
    assert!(poll(all.as_mut(), &waker).is_ready());
    assert_eq!(wakes.take(), 0);
}

#[test]
fn a_child_that_wakes_a_sibling_before_its_turn_gives_it_no_second_poll() {
    let log = Log::default();
    let (children, hands) = probes(3, &log);
    let mut all = pin!(gather(children));
    let (wakes, waker) = Wakes::new();
    assert!(poll(all.as_mut(), &waker).is_pending());
    // The first wakes the others from within its poll: one that waits in this round, one not.
    let wakers = [hands[1].waker(), hands[2].waker()];
    hands[0].on_poll(move || wakers.iter().for_each(Waker::wake_by_ref));
    log.take();
    hands[0].wake();
    hands[1].wake();
    assert_eq!(wakes.take(), 1);
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(log.take(), "p0 p1");
    assert_eq!(wakes.take(), 1);
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(log.take(), "p2");
}

#[test]
fn the_last_waker_of_the_parent_is_woken() {
    let log = Log::default();
    let (children, hands) = probes(2, &log);
    let mut all = pin!(gather(children));
    let (old, old_waker) = Wakes::new();
    let (new, new_waker) = Wakes::new();
    assert!(poll(all.as_mut(), &old_waker).is_pending());
    assert!(poll(all.as_mut(), &new_waker).is_pending());
    hands[1].end(1);
    assert_eq!((old.take(), new.take()), (0, 1));
    drop(old_waker);
    assert_eq!(std::sync::Arc::strong_count(&old), 1, "the old one is gone");
}

#[test]
fn wakes_after_the_end_do_nothing_and_keep_nothing() {
    let log = Log::default();
    let (children, hands) = probes(2, &log);
    let (wakes, waker) = Wakes::new();
    let kept;
    {
        let mut all = pin!(gather(children));
        assert!(poll(all.as_mut(), &waker).is_pending());
        kept = [hands[0].waker(), hands[1].waker()];
        hands[0].end(0);
        hands[1].end(1);
        assert!(poll(all.as_mut(), &waker).is_ready());
        wakes.take();
        kept[0].wake_by_ref();
        assert_eq!(wakes.take(), 0, "a wake after the end");
    }
    log.take();
    kept[1].wake_by_ref();
    drop(kept[1].clone());
    assert_eq!((wakes.take(), log.take().as_str()), (0, ""));
    drop(waker);
    assert_eq!(
        std::sync::Arc::strong_count(&wakes),
        1,
        "wakers of children keep no parent"
    );
}

#[test]
fn a_wake_of_a_finished_child_does_not_wake_the_parent() {
    let log = Log::default();
    let (children, hands) = probes(2, &log);
    let (wakes, waker) = Wakes::new();
    let mut all = pin!(gather(children));
    assert!(poll(all.as_mut(), &waker).is_pending());
    let late = hands[0].waker();
    hands[0].end(0);
    assert!(poll(all.as_mut(), &waker).is_pending());
    wakes.take();
    log.take();
    late.wake();
    assert_eq!(wakes.take(), 0);
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(log.take(), "");
}

#[test]
fn a_sibling_that_wakes_a_finished_child_does_not_wake_the_parent() {
    let log = Log::default();
    let (children, hands) = probes(2, &log);
    let (wakes, waker) = Wakes::new();
    let mut all = pin!(gather(children));
    assert!(poll(all.as_mut(), &waker).is_pending());
    let late = hands[0].waker();
    // It finishes although it has just been woken, too.
    let itself = hands[0].waker();
    hands[0].on_poll(move || itself.wake());
    hands[0].end(0);
    assert!(poll(all.as_mut(), &waker).is_pending());
    wakes.take();
    assert!(poll(all.as_mut(), &waker).is_pending());
    hands[1].on_poll(move || late.wake());
    hands[1].wake();
    assert_eq!(wakes.take(), 1);
    log.take();
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!((wakes.take(), log.take().as_str()), (0, "p1"));
}

#[test]
fn wakes_come_from_anywhere() {
    // From other threads, through wakers that were cloned there, also in the very first poll.
    let (wakes, waker) = Wakes::new();
    let mut done = [false; 3];
    let child = |done: bool| {
        let mut polls = 0;
        poll_fn(move |cx| {
            polls += 1;
            if done || polls == 2 {
                return Poll::Ready(polls);
            }
            let waker = cx.waker();
            std::thread::scope(|s| {
                s.spawn(|| {
                    let own = waker.clone();
                    own.wake();
                });
                s.spawn(|| waker.wake_by_ref());
            });
            Poll::Pending
        })
    };
    done[1] = true;
    let mut all = pin!(gather(done.map(child)));
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(wakes.take(), 1);
    assert_eq!(poll(all.as_mut(), &waker), Poll::Ready([2, 1, 2]));
    let mut all = pin!(gather(done.into_iter().map(child)));
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(wakes.take(), 1);
    assert_eq!(poll(all.as_mut(), &waker), Poll::Ready(vec![2, 1, 2]));
}

#[test]
fn a_tuple_polls_what_is_pending_and_a_race_nobody_behind_the_winner() {
    let log = Log::default();
    let (mut children, hands) = probes(3, &log);
    let (c, b, a) = (
        children.pop().unwrap(),
        children.pop().unwrap(),
        children.pop().unwrap(),
    );
    let mut all = pin!(gather((a, b, c)));
    assert!(poll(all.as_mut(), Waker::noop()).is_pending());
    hands[1].set(11);
    assert!(poll(all.as_mut(), Waker::noop()).is_pending());
    assert_eq!(log.take(), "p0 p1 p2 p0 p1 d1 p2");
    hands[0].set(10);
    hands[2].set(12);
    let outputs = poll(all.as_mut(), Waker::noop());
    assert_eq!(outputs, Poll::Ready((10, 11, 12)));
    assert_eq!(log.take(), "p0 d0 p2 d2");

    let (children, hands) = probes(4, &log);
    hands[1].set(1);
    assert_eq!(drive(race(children)), (Ok(1), 1));
    assert_eq!(log.take(), "p0 p1 d1 d0 d2 d3");
    let (mut children, hands) = probes(3, &log);
    hands[1].set(1);
    let (c, b, a) = (children.pop(), children.pop(), children.pop());
    assert_eq!(
        drive(race((a.unwrap(), b.unwrap(), c.unwrap()))),
        (Ok(1), 1)
    );
    assert_eq!(log.take(), "p0 p1 d1 d0 d2");
}

#[test]
fn a_race_that_is_over_does_not_wake_its_parent() {
    let (wakes, waker) = Wakes::new();
    let child = |polls: u32| async move {
        for _ in 0..polls {
            yield_now().await;
        }
        polls
    };
    let mut first = pin!(race([child(5), child(1), child(5)]));
    assert!(poll(first.as_mut(), &waker).is_pending());
    assert_eq!(wakes.take(), 1);
    assert_eq!(poll(first.as_mut(), &waker), Poll::Ready(Ok(1)));
    assert_eq!(wakes.take(), 0);
}

#[test]
fn many_ready_children_starve_nobody_and_cost_one_poll_each() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let (polls, turns) = sim.block_on(async {
        let turns = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
        let count = std::sync::Arc::clone(&turns);
        let beside = rt.spawn(async move {
            loop {
                count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                yield_now().await;
            }
        });
        let main = rt.spawn(async {
            let polls = std::sync::atomic::AtomicUsize::new(0);
            let children = (0..10_000).map(|_| async {
                polls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            });
            gather(children).await;
            polls.into_inner()
        });
        let polls = main.await.unwrap();
        beside.cancel();
        (polls, turns.load(std::sync::atomic::Ordering::Relaxed))
    });
    assert_eq!(polls, 10_000);
    assert!(turns >= 10_000 / 130, "only {turns} turns for the others");
}

#[test]
fn nesting_is_deeper_than_the_budget_and_still_ends() {
    type Boxed = std::pin::Pin<Box<dyn Future<Output = u32> + Send>>;
    let nest = |depth| {
        let mut future: Boxed = Box::pin(async {
            yield_now().await;
            0
        });
        for _ in 0..depth {
            let inner = future;
            future = Box::pin(async move { gather([inner]).await[0] + 1 });
        }
        future
    };
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let depth = sim.block_on(async { rt.spawn(nest(300)).await.unwrap() });
    assert_eq!(depth, 300);
}

#[test]
fn a_set_moves_between_threads_between_polls() {
    let (wakes, waker) = Wakes::new();
    let child = || async {
        yield_now().await;
        yield_now().await;
        1
    };
    let mut all = Box::pin(gather((0..3).map(|_| child())));
    assert!(poll(all.as_mut(), &waker).is_pending());
    std::thread::scope(|s| {
        s.spawn(|| assert!(poll(all.as_mut(), &waker).is_pending()));
    });
    assert_eq!(wakes.take(), 2);
    assert_eq!(poll(all.as_mut(), &waker), Poll::Ready(vec![1; 3]));
}

#[test]
fn a_set_in_the_poll_of_another_has_wakes_of_its_own() {
    let (wakes, waker) = Wakes::new();
    let inner_polls = Rc::new(Cell::new(0));
    let count = Rc::clone(&inner_polls);
    let inner = gather([poll_fn(move |cx| {
        count.set(count.get() + 1);
        cx.waker().wake_by_ref();
        if count.get() == 3 {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    })]);
    let mut all = pin!(race((
        async {
            inner.await;
        },
        pending(),
    )));
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(wakes.take(), 2);
    assert!(poll(all.as_mut(), &waker).is_ready());
    assert_eq!(inner_polls.get(), 3);
}

/// Polls a future as soon as it is woken, with another waker.
struct Inline {
    future: Mutex<Pin<Box<dyn Future<Output = [u32; 1]> + Send>>>,
    waker: Waker,
}

impl Wake for Inline {
    fn wake(self: Arc<Self>) {
        let mut future = self.future.lock().expect("nobody panics");
        assert!(poll(future.as_mut(), &self.waker).is_pending());
    }
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a test runs no model")]
fn a_waker_that_comes_while_the_old_one_is_woken() {
    let kept = Arc::new(Mutex::new(None));
    let keeps = Arc::clone(&kept);
    let child = poll_fn(move |cx| {
        *keeps.lock().expect("nobody panics") = Some(cx.waker().clone());
        Poll::Pending
    });
    let wake = || {
        let waker: Option<Waker> = kept.lock().expect("nobody panics").take();
        waker.expect("it was polled").wake();
    };
    let (wakes, waker) = Wakes::new();
    let inline = Arc::new(Inline {
        future: Mutex::new(Box::pin(gather([child]))),
        waker: waker.clone(),
    });
    let poll_with = |waker: &Waker| {
        let mut future = inline.future.lock().expect("nobody panics");
        assert!(poll(future.as_mut(), waker).is_pending());
    };
    poll_with(&Waker::from(Arc::clone(&inline)));
    wake();
    assert_eq!(
        wakes.take(),
        1,
        "the new one could not be stored: it has to come again"
    );
    poll_with(&waker);
    wake();
    assert_eq!(wakes.take(), 1);
    assert_eq!(Arc::strong_count(&inline), 1, "the old one is gone");
}
