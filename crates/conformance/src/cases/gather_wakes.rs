//! Who is woken and polled in a `gather`, and what becomes of its wakers.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kumi_core::combine::{gather, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    Log, Manual, Slot, counting_waker, hold, panic_of, panicking_waker, poll_with, thread, token,
};

/// So many hands.
fn hands<const N: usize>() -> [Manual<usize>; N] {
    std::array::from_fn(|_| Manual::new())
}

/// How often the futures of each hand were polled.
fn polls<const N: usize>(hands: &[Manual<usize>; N]) -> [usize; N] {
    hands.each_ref().map(Manual::polls)
}

/// The first round polls all in order; from then on only those are polled that were woken, in the order of the
/// wakes.
pub async fn only_the_woken_in_order<R: Runtime>(_: R) {
    const NAMES: [&str; 4] = ["a", "b", "c", "d"];
    let (_, waker) = counting_waker();
    let (hands, log) = (hands::<4>(), Log::new());
    let child = |number: usize| log.polls(NAMES[number], hands[number].future());
    let mut all = Box::pin(gather((0..4).map(child)));
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!(log.drain(), NAMES);
    for woken in [vec![3, 0, 2], vec![1], vec![2, 3], vec![3, 2, 1, 0]] {
        woken.iter().for_each(|&number| hands[number].wake());
        assert!(poll_with(&mut all, &waker).is_pending());
        let expected: Vec<_> = woken.iter().map(|&number| NAMES[number]).collect();
        assert_eq!(log.drain(), expected);
    }
    hands[2].finish(2);
    hands[1].wake();
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!(log.drain(), ["c", "b"]);
    for number in [3, 1, 0] {
        hands[number].finish(number);
    }
    assert_eq!(poll_with(&mut all, &waker), Poll::Ready(vec![0, 1, 2, 3]));
    assert_eq!(log.drain(), ["d", "b", "a"]);
}

/// However often a child was woken since its last poll, it is polled once, and the parent is woken once,
/// however many children were.
pub async fn many_wakes_are_one_poll<R: Runtime>(_: R) {
    let (wakes, waker) = counting_waker();
    let hands = hands::<3>();
    let mut all = Box::pin(gather(hands.each_ref().map(Manual::future)));
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!(wakes.count(), 0);
    for round in 1..4 {
        for _ in 0..5 {
            hands[0].wake();
            hands[2].wake();
        }
        assert_eq!(wakes.count(), round);
        assert!(poll_with(&mut all, &waker).is_pending());
        assert_eq!(polls(&hands), [1 + round, 1, 1 + round]);
    }
    assert_eq!(wakes.count(), 3);
}

/// A poll that nobody asked for polls no child.
pub async fn a_spurious_poll<R: Runtime>(_: R) {
    let (wakes, waker) = counting_waker();
    let hands = hands::<3>();
    let mut all = Box::pin(gather(hands.each_ref().map(Manual::future)));
    for _ in 0..5 {
        assert!(poll_with(&mut all, &waker).is_pending());
        // Nobody is told of that.
        assert_eq!(polls(&hands), [1; 3]);
    }
    hands[1].set(1);
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!((polls(&hands), wakes.count()), ([1; 3], 0));
    hands.iter().for_each(|hand| hand.finish(0));
    assert_eq!(wakes.count(), 1);
    assert!(poll_with(&mut all, &waker).is_ready());
    assert_eq!(polls(&hands), [2; 3]);
}

/// In a tuple, too, a finished child is never polled again, whoever is woken.
pub async fn a_tuple_polls_the_pending<R: Runtime>(_: R) {
    let (_, waker) = counting_waker();
    let hands = hands::<3>();
    let [a, b, c] = hands.each_ref().map(Manual::future);
    let mut all = Box::pin(gather((a, b, c)));
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!(polls(&hands), [1; 3]);
    hands[1].finish(1);
    for round in 2..5 {
        assert!(poll_with(&mut all, &waker).is_pending());
        assert_eq!(polls(&hands), [round, 2, round]);
    }
    hands[0].finish(0);
    hands[2].finish(2);
    assert_eq!(poll_with(&mut all, &waker), Poll::Ready((0, 1, 2)));
    assert_eq!(polls(&hands), [5, 2, 5]);
}

/// A wake of a child that has finished polls nobody and wakes nobody, also if it comes before the poll
/// that would have seen it.
pub async fn a_finished_child_is_woken<R: Runtime>(_: R) {
    let (wakes, waker) = counting_waker();
    let hands = hands::<2>();
    let mut all = Box::pin(gather(hands.each_ref().map(Manual::future)));
    assert!(poll_with(&mut all, &waker).is_pending());
    hands[0].finish(0);
    hands[0].wake();
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!(polls(&hands), [2, 1]);
    let before = wakes.count();
    hands[0].wake();
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!((polls(&hands), wakes.count()), ([2, 1], before));
}

/// What is woken while the gather is polled waits for its next poll, for which the parent is woken: a
/// child by itself, one by a sibling before or behind it.
pub async fn wakes_during_a_poll<R: Runtime>(_: R) {
    let (wakes, waker) = counting_waker();
    let (log, hand) = (Log::new(), Manual::<usize>::new());
    let busy = |name: &'static str| {
        let (log, hand) = (&log, &hand);
        poll_fn(move |cx: &mut Context<'_>| {
            log.note(name);
            hand.wake();
            cx.waker().wake_by_ref();
            Poll::<usize>::Pending
        })
    };
    let sibling = log.polls("sibling", hand.future());
    type Run<'a> = Pin<Box<dyn Future<Output = usize> + 'a>>;
    let children: [Run<'_>; 3] = [Box::pin(busy("a")), Box::pin(sibling), Box::pin(busy("b"))];
    let mut all = Box::pin(gather(children));
    // In the first round `a` cannot wake the sibling, which has left no waker yet, but `b` does.
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!(log.drain(), ["a", "sibling", "b"]);
    assert_eq!(wakes.count(), 1);
    for round in 2..5 {
        assert!(poll_with(&mut all, &waker).is_pending());
        let polled = log.drain();
        assert_eq!(polled.len(), 3, "round {round}: {polled:?}");
        assert!(
            ["a", "sibling", "b"]
                .iter()
                .all(|name| polled.contains(name))
        );
        assert_eq!(wakes.count(), round, "the parent is to be polled again");
    }
}

/// Only the waker of the last poll is woken, and the one before is given back.
pub async fn the_waker_of_the_parent_is_replaced<R: Runtime>(_: R) {
    let hand = Manual::<()>::new();
    let mut all = Box::pin(gather([hand.future(), Manual::new().future()]));
    let (mut before, waker) = counting_waker();
    assert!(poll_with(&mut all, &waker).is_pending());
    drop(waker);
    for _ in 0..3 {
        let (wakes, waker) = counting_waker();
        assert!(poll_with(&mut all, &waker).is_pending());
        drop(waker);
        assert_eq!(Arc::strong_count(&before), 1, "the old waker is still held");
        hand.wake();
        assert_eq!((before.count(), wakes.count()), (0, 1));
        // The next poll takes note of the wake.
        let (next, waker) = counting_waker();
        assert!(poll_with(&mut all, &waker).is_pending());
        assert_eq!(Arc::strong_count(&wakes), 1, "the old waker is still held");
        before = next;
    }
    drop(all);
    assert_eq!(
        Arc::strong_count(&before),
        1,
        "the last waker is still held"
    );
}

/// A waker of a child that is kept beyond the end of the gather does nothing, and holds nothing of it.
pub async fn a_waker_outlives_the_gather<R: Runtime>(_: R) {
    for ends in [true, false] {
        let (wakes, waker) = counting_waker();
        let (inside, witness) = token();
        let hands = hands::<2>();
        let [one, two] = hands.each_ref().map(Manual::future);
        let mut all = Box::pin(gather([one, two].map(|wait| hold(witness.token(), wait))));
        drop(inside);
        assert!(poll_with(&mut all, &waker).is_pending());
        let kept = hands.each_ref().map(|hand| hand.waker().unwrap());
        let clones = kept.clone();
        if ends {
            hands.iter().for_each(|hand| hand.finish(0));
            assert!(poll_with(&mut all, &waker).is_ready());
        }
        drop(all);
        drop(waker);
        assert_eq!(
            Arc::strong_count(&wakes),
            1,
            "the parent's waker is still held"
        );
        assert_eq!(witness.count(), 3);
        let before = wakes.count();
        clones.iter().for_each(Waker::wake_by_ref);
        clones.into_iter().for_each(Waker::wake);
        drop(hands);
        kept.into_iter().for_each(Waker::wake);
        assert_eq!(wakes.count(), before);
    }
}

/// A panic of the parent's waker goes to who wakes; the wake is not lost, nor are later ones.
pub async fn the_waker_of_the_parent_panics<R: Runtime>(_: R) {
    let (wakes, waker) = counting_waker();
    let hands = hands::<2>();
    let mut all = Box::pin(gather(hands.each_ref().map(Manual::future)));
    assert!(poll_with(&mut all, &panicking_waker()).is_pending());
    hands[0].set(0);
    assert!(panic_of(|| hands[0].wake()).contains("always panics"));
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!(polls(&hands), [2, 1]);
    hands[1].finish(1);
    assert_eq!(wakes.count(), 1);
    assert_eq!(poll_with(&mut all, &waker), Poll::Ready([0, 1]));

    // Also if the gather itself wakes it, for a child that goes on.
    let mut yields = Box::pin(gather([yield_now(), yield_now()]));
    assert!(panic_of(|| poll_with(&mut yields, &panicking_waker())).contains("always panics"));
    assert_eq!(poll_with(&mut yields, &waker), Poll::Ready([(), ()]));
}

/// Wakers of children can be cloned, moved and compared like others.
pub async fn wakers_are_ordinary<R: Runtime>(_: R) {
    let (wakes, waker) = counting_waker();
    let hands = hands::<2>();
    let mut all = Box::pin(gather(hands.each_ref().map(Manual::future)));
    assert!(poll_with(&mut all, &waker).is_pending());
    let [one, other] = hands.each_ref().map(|hand| hand.waker().unwrap());
    assert!(one.will_wake(&one.clone()) && !one.will_wake(&other));
    hands[0].wake();
    hands[1].wake();
    assert!(poll_with(&mut all, &waker).is_pending());
    // It stays the same from poll to poll.
    assert!(one.will_wake(&hands[0].waker().unwrap()));
    assert_eq!((polls(&hands), wakes.count()), ([2, 2], 1));
    let clone = one.clone();
    drop(one);
    clone.wake();
    assert!(poll_with(&mut all, &waker).is_pending());
    assert_eq!((polls(&hands), wakes.count()), ([3, 2], 2));
}

/// Children are woken by other threads, all at once, in a task and outside.
pub async fn from_other_threads<R: Runtime>(rt: R) {
    const THREADS: usize = 4;
    const CHILDREN: usize = 200;
    for in_a_task in [false, true] {
        let slots: Vec<Slot<usize>> = (0..CHILDREN).map(|_| Slot::new()).collect();
        let threads = (0..THREADS).map(|first| {
            let slots = slots.clone();
            thread(move || {
                for number in (first..CHILDREN).step_by(THREADS) {
                    slots[number].put(number);
                }
            })
        });
        let children: Vec<_> = slots
            .iter()
            .map(|slot| {
                let slot = slot.clone();
                async move { slot.take().await }
            })
            .collect();
        let threads: Vec<_> = threads.collect();
        let all = async move { gather((gather(children), gather(threads))).await.0 };
        let outputs = if in_a_task {
            rt.spawn(all).await.unwrap()
        } else {
            all.await
        };
        assert!(outputs.into_iter().eq(0..CHILDREN));
    }
}
