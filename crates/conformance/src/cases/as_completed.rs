//! `as_completed`: outputs as they come, none lost, none polled without need.
//!
//! (asyncio's `as_completed`, A; futures-rs issues 2047, 2387, 2526.)

use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use futures_core::Stream;
use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::combine::{as_completed, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    Gate, Log, Manual, assert_cancelled, assert_panicked, both, hold, panic_of, poll_once, thread,
    token, turns,
};

use super::in_flight::steps;

/// Outputs come in the order in which their futures finish.
pub async fn outputs_come_as_they_finish<R: Runtime>(_: R) {
    let mut outputs = as_completed([3, 1, 2].map(steps));
    let mut seen = Vec::new();
    while let Some(output) = outputs.next().await {
        seen.push(output);
    }
    assert_eq!(seen, [1, 2, 3]);
    assert_eq!(outputs.next().await, None);
}

/// With the places of their futures, counted from zero.
pub async fn indexed_tells_which<R: Runtime>(_: R) {
    let mut outputs = as_completed(vec![3, 1, 2].into_iter().map(steps)).indexed();
    let mut seen = Vec::new();
    while let Some(output) = outputs.next().await {
        seen.push(output);
    }
    assert_eq!(seen, [(1, 1), (2, 2), (0, 3)]);
}

/// A tuple of futures of different types that return the same, each with its place; also with a limit.
pub async fn a_tuple<R: Runtime>(rt: R) {
    let task = rt.spawn(async { 4 });
    let joined = async { task.await.unwrap() };
    let boxed = Box::pin(steps(3)) as Pin<Box<dyn Future<Output = usize>>>;
    let mut outputs = as_completed((boxed, steps(1), ready(0), joined)).indexed();
    let mut seen = Vec::new();
    while let Some(output) = outputs.next().await {
        seen.push(output);
    }
    assert_eq!(seen[0], (2, 0));
    let others: Vec<_> = seen.iter().filter(|(place, _)| *place != 3).collect();
    assert_eq!(others, [&(2, 0), &(1, 1), &(0, 3)]);
    seen.sort_unstable();
    assert_eq!(seen, [(0, 3), (1, 1), (2, 0), (3, 4)]);

    assert_eq!(as_completed((ready(5),)).next().await, Some(5));
    // Each is where it was: one after the other.
    let twelve = (
        steps(12),
        ready(1),
        steps(10),
        ready(3),
        steps(8),
        ready(5),
        steps(6),
        ready(7),
        steps(4),
        ready(9),
        steps(2),
        ready(11),
    );
    let mut outputs = as_completed(twelve).limit(1);
    for output in [12, 1, 10, 3, 8, 5, 6, 7, 4, 9, 2, 11] {
        assert_eq!(outputs.next().await, Some(output));
    }
    assert_eq!(outputs.next().await, None);
}

/// No futures give no outputs, at once.
pub async fn nothing_at_all<R: Runtime>(_: R) {
    let mut none = as_completed(Vec::<std::future::Ready<()>>::new());
    assert_eq!(none.size_hint(), (0, Some(0)));
    assert_eq!(none.next().await, None);
}

/// Only a child that was woken is polled, once for each wake, in the order of the wakes.
pub async fn only_the_woken_are_polled<R: Runtime>(_: R) {
    let hands: Vec<_> = (0..10).map(|_| Manual::new()).collect();
    let mut outputs = as_completed(hands.iter().map(Manual::future)).indexed();
    assert!(poll_once(&mut outputs.next()).await.is_pending());
    for place in [7, 2, 9] {
        hands[place].finish(place);
    }
    for place in [7, 2, 9] {
        assert_eq!(outputs.next().await, Some((place, place)));
    }
    hands[4].wake();
    hands[4].wake();
    assert!(poll_once(&mut outputs.next()).await.is_pending());
    let polls: Vec<_> = hands.iter().map(Manual::polls).collect();
    assert_eq!(polls, [1, 1, 2, 1, 2, 1, 1, 2, 1, 2]);
}

/// Dropping the future of `next` loses nothing.
pub async fn dropping_next_loses_nothing<R: Runtime>(_: R) {
    let hands: Vec<_> = (0..4).map(|_| Manual::new()).collect();
    let mut outputs = as_completed(hands.iter().map(Manual::future));
    for (number, hand) in hands.iter().enumerate() {
        assert!(poll_once(&mut outputs.next()).await.is_pending());
        hand.finish(number);
        drop(outputs.next());
        assert_eq!(outputs.next().await, Some(number));
    }
}

/// What finishes while nobody polls is there afterwards.
pub async fn a_pause_loses_nothing<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let tasks = (0..20).map(|number| {
        let wait = gate.wait();
        rt.spawn(async move {
            wait.await;
            number
        })
    });
    let mut outputs = as_completed(tasks.collect::<Vec<_>>());
    assert!(poll_once(&mut outputs.next()).await.is_pending());
    gate.open();
    turns(&rt, 50).await;
    let mut sum = 0;
    while let Some(output) = outputs.next().await {
        sum += output.unwrap();
    }
    assert_eq!(sum, (0..20).sum());
}

/// A child is dropped when it has finished, before its output is given out.
pub async fn a_finished_child_is_dropped<R: Runtime>(_: R) {
    let (one, first) = token();
    let (two, second) = token();
    let mut outputs = as_completed([Box::pin(hold(one, steps(1))), Box::pin(hold(two, steps(2)))]);
    assert_eq!(outputs.next().await, Some(1));
    assert_eq!((first.count(), second.count()), (1, 0));
    drop(outputs);
    assert_eq!((first.count(), second.count()), (1, 1));
}

/// Dropped after any number of outputs, and of polls, it drops every child once.
pub async fn dropped_in_the_middle<R: Runtime>(_: R) {
    for limit in [1, 3, 100] {
        for outputs in 0..=5 {
            for polls in 0..3 {
                let (first, witness) = token();
                let mut tokens = vec![first];
                tokens.extend((1..5).map(|_| witness.token()));
                let children = tokens.into_iter().enumerate();
                let children = children.map(|(count, token)| hold(token, steps(count)));
                let mut stream = as_completed(children.collect::<Vec<_>>()).limit(limit);
                for _ in 0..outputs {
                    assert!(stream.next().await.is_some());
                }
                for _ in 0..polls {
                    let _ = poll_once(&mut stream.next()).await;
                }
                drop(stream);
                assert_eq!(witness.count(), 5, "{limit} {outputs} {polls}");
            }
        }
    }
}

/// Never more than the limit are in flight, and always as many.
pub async fn never_more_than_the_limit<R: Runtime>(_: R) {
    for limit in [1, 2, 7] {
        let (running, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let (running, most) = (&running, &most);
        let children = (0..30).map(|number| async move {
            let now = running.fetch_add(1, Ordering::SeqCst) + 1;
            most.fetch_max(now, Ordering::SeqCst);
            steps(number % 4 + 1).await;
            running.fetch_sub(1, Ordering::SeqCst);
        });
        let mut count = 0;
        let mut outputs = as_completed(children).limit(limit);
        while outputs.next().await.is_some() {
            count += 1;
        }
        assert_eq!(count, 30);
        assert_eq!(most.load(Ordering::SeqCst), limit);
    }
}

/// A lazy source is drawn when there is room, and no earlier.
pub async fn the_source_is_drawn_on_demand<R: Runtime>(_: R) {
    let drawn = AtomicUsize::new(0);
    let hands: Vec<_> = (0..10).map(|_| Manual::new()).collect();
    let source = hands.iter().map(|hand| {
        drawn.fetch_add(1, Ordering::SeqCst);
        hand.future()
    });
    let mut outputs = as_completed(source).limit(3);
    assert_eq!(drawn.load(Ordering::SeqCst), 0);
    for (finished, hand) in hands.iter().enumerate().take(7) {
        assert!(poll_once(&mut outputs.next()).await.is_pending());
        assert_eq!(drawn.load(Ordering::SeqCst), finished + 3);
        hand.finish(finished);
        assert_eq!(outputs.next().await, Some(finished));
    }
}

/// A stream of futures: it is asked when there is room, and waited for.
pub async fn a_stream_of_futures<R: Runtime>(rt: R) {
    /// Gives one, then waits for the gate, and so on.
    struct Slow(usize, Gate);
    impl Stream for Slow {
        type Item = Pin<Box<dyn Future<Output = usize> + Send>>;

        fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
            if self.0 == 6 {
                return Poll::Ready(None);
            }
            if self.0 == 3 && Pin::new(&mut self.1.wait()).poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.0 += 1;
            Poll::Ready(Some(Box::pin(steps(self.0))))
        }
    }
    let gate = Gate::new();
    let mut outputs = as_completed(Slow(0, gate.clone())).limit(2);
    for expected in 1..=3 {
        assert_eq!(outputs.next().await, Some(expected));
    }
    let opens = async {
        turns(&rt, 3).await;
        gate.open();
    };
    let (four, ()) = both(outputs.next(), opens).await;
    assert_eq!(four, Some(4));
    assert_eq!(outputs.next().await, Some(5));
    assert_eq!(outputs.next().await, Some(6));
    assert_eq!(outputs.next().await, None);
}

/// A source whose futures are always ready starves none that waits.
pub async fn a_ready_source_starves_no_child<R: Runtime>(_: R) {
    let hand = Manual::new();
    let slow: Pin<Box<dyn Future<Output = usize> + Send>> = Box::pin(hand.future());
    let fast = std::iter::repeat_with(|| {
        Box::pin(ready(0_usize)) as Pin<Box<dyn Future<Output = _> + Send>>
    });
    let mut outputs = as_completed([slow].into_iter().chain(fast)).limit(2);
    assert_eq!(outputs.next().await, Some(0));
    hand.finish(1);
    // The next one, or the one after it.
    let next = [outputs.next().await, outputs.next().await];
    assert!(next.contains(&Some(1)), "{next:?}");
}

/// Many children that are ready give way to other tasks, and each is polled once.
pub async fn many_ready_children<R: Runtime>(rt: R) {
    const MANY: usize = 20_000;
    let polls = Arc::new([const { AtomicUsize::new(0) }; 3]);
    let counted = Arc::clone(&polls);
    let children = move |place: usize| {
        let polls = Arc::clone(&counted);
        (0..MANY).map(move |_| {
            let polls = Arc::clone(&polls);
            poll_fn(move |_| {
                polls[place].fetch_add(1, Ordering::SeqCst);
                Poll::Ready(())
            })
        })
    };
    let (all, few) = (children(1), children(2));
    let count = Arc::clone(&polls);
    let mut body = Box::pin(async move {
        let mut outputs = as_completed(all);
        while outputs.next().await.is_some() {}
        as_completed(few).limit(3).for_each(ready).await;
    });
    let whole = poll_fn(move |cx| {
        count[0].fetch_add(1, Ordering::SeqCst);
        body.as_mut().poll(cx)
    });
    rt.spawn(whole).await.unwrap();
    let [whole, all, few] = [0, 1, 2].map(|place| polls[place].load(Ordering::SeqCst));
    assert_eq!((all, few), (MANY, MANY));
    assert!(whole > 2 * MANY / 200, "it gave way {whole} times only");
}

/// A child that panics ends it: the others are dropped with it, and polling it again says so.
pub async fn a_child_panics<R: Runtime>(rt: R) {
    let (held, witness) = token();
    let task = rt.spawn(async move {
        let parked: Pin<Box<dyn Future<Output = ()> + Send>> = Box::pin(hold(held, pending()));
        let panics = Box::pin(async {
            yield_now().await;
            panic!("a child");
        });
        let mut outputs = as_completed([parked, panics]);
        while outputs.next().await.is_some() {}
    });
    assert_eq!(assert_panicked(task.await), "a child");
    assert_eq!(witness.count(), 1);
    let mut outputs = as_completed([poll_fn(|_| -> Poll<()> { panic!("always") })]);
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let mut poll = || panic_of(|| Pin::new(&mut outputs).poll_next(&mut cx).is_ready());
    assert_eq!(poll(), "always");
    assert!(poll().contains("`as_completed` was polled after one of its futures had panicked"));
}

/// In a cancelled scope it gives nothing more; its children clean up.
pub async fn cancelled_from_outside<R: Runtime>(_: R) {
    let log = Log::new();
    let scope = CancelScope::new();
    let cancel = scope.handle();
    let body = async {
        let child = |name: &'static str, count: usize| {
            let log = log.clone();
            let clean_up = async move {
                checkpoint().await;
                log.note(name);
            };
            kumi_core::cleanup::finally(steps(count), clean_up)
        };
        let mut outputs = as_completed([child("one", 1), child("two", 500), child("three", 500)]);
        assert_eq!(outputs.next().await, Some(1));
        cancel.cancel();
        let next = outputs.next().await;
        panic!("it gave {next:?} in a cancelled scope");
    };
    assert!(scope.run(body).await.is_err());
    let mut cleaned = log.read();
    cleaned.sort_unstable();
    assert_eq!(cleaned, ["one", "three", "two"]);
}

/// What a child that a cancel waits for returns is not given out in the cancelled scope.
pub async fn an_output_after_a_cancel<R: Runtime>(_: R) {
    let scope = CancelScope::new();
    let cancel = scope.handle();
    let ended = &AtomicUsize::new(0);
    let body = async move {
        let child = |count| {
            kumi_core::cleanup::uncancellable(async move {
                steps(count).await;
                ended.fetch_add(1, Ordering::SeqCst)
            })
        };
        let mut outputs = as_completed([child(3), child(5)]);
        assert!(poll_once(&mut outputs.next()).await.is_pending());
        cancel.cancel();
        let next = outputs.next().await;
        panic!("it gave {next:?} in a cancelled scope");
    };
    assert!(scope.run(body).await.is_err());
    assert_eq!(ended.load(Ordering::SeqCst), 2);
}

/// Tasks as members: the cancel and the panic of one are outcomes, and not one's own.
pub async fn tasks_as_members<R: Runtime>(rt: R) {
    let tasks = vec![
        rt.spawn(async { 1 }),
        rt.spawn(async { panic!("a child") }),
        rt.spawn(pending()),
    ];
    tasks[2].cancel();
    let mut outcomes = as_completed(tasks).indexed();
    let mut seen = [false; 3];
    while let Some((place, outcome)) = outcomes.next().await {
        seen[place] = true;
        match place {
            0 => assert_eq!(outcome.unwrap(), 1),
            1 => assert_eq!(assert_panicked(outcome), "a child"),
            _ => assert_cancelled(outcome),
        }
    }
    assert_eq!(seen, [true; 3]);
    checkpoint().await;
}

/// Children that other threads wake, while the stream is polled and between.
pub async fn woken_from_other_threads<R: Runtime>(_: R) {
    for limit in [3, 100] {
        let hands: Vec<_> = (0..100).map(|_| Manual::new()).collect();
        let waking = hands.clone();
        let waker = thread(move || {
            for (number, hand) in waking.iter().enumerate() {
                hand.finish(number);
            }
        });
        let mut outputs = as_completed(hands.iter().map(Manual::future)).limit(limit);
        let mut seen = Vec::new();
        while let Some(output) = outputs.next().await {
            seen.push(output);
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..100).collect::<Vec<_>>());
        waker.await;
    }
}
