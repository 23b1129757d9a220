//! `gather`: all outputs, in the order of the futures and the shape of their container.

use std::cell::{Cell, RefCell};
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use kumi_core::cancel::{CancelScope, cancel_requested};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::{All, Body, Container, gather, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    Gate, Log, Manual, Token, assert_cancelled, both, counting_waker, either, hold, panic_of,
    poll_once, poll_with, token, turns, unordered, until,
};

/// A child whose output may be watched.
type Child = Pin<Box<dyn Future<Output = Option<Token>>>>;

/// Outputs are in the order of the futures, whatever the order in which they are ready.
pub async fn outputs_are_in_order<R: Runtime>(rt: R) {
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
        let hands = [(); 3].map(|()| Manual::new());
        let opener = hands.clone();
        let task = rt.spawn(async move {
            until(|| opener.iter().all(|hand| hand.polls() > 0)).await;
            for number in order {
                opener[number].finish(number);
                yield_now().await;
            }
        });
        assert_eq!(gather(hands.map(|hand| hand.future())).await, [0, 1, 2]);
        task.await.unwrap();
    }
}

/// A tuple gives a tuple, of other types, too; an array an array, a boxed slice a boxed slice; a
/// `Vec` and every iterator a `Vec`.
pub async fn every_container<R: Runtime>(_: R) {
    async fn later<T>(value: T) -> T {
        yield_now().await;
        value
    }
    let () = gather(()).await;
    assert_eq!(gather((later(1),)).await, (1,));
    assert_eq!(gather((later(1), ready("b"))).await, (1, "b"));
    let twelve = gather((
        later(1),
        ready(2_u8),
        later('c'),
        later("d"),
        ready(5_i64),
        later(()),
        later(Some(7)),
        ready(vec![8]),
        later([9]),
        later(1.5),
        ready(true),
        later(String::from("l")),
    ));
    let (a, b, c, d, e, (), g, h, i, j, k, l) = twelve.await;
    assert_eq!((a, b, c, d, e), (1, 2, 'c', "d", 5));
    assert_eq!((g, h, i, j, k), (Some(7), vec![8], [9], 1.5, true));
    assert_eq!(l, "l");

    let array: [u32; 3] = gather([later(1), later(2), later(3)]).await;
    assert_eq!(array, [1, 2, 3]);
    let list: Vec<u32> = gather(vec![later(1), later(2)]).await;
    assert_eq!(list, [1, 2]);
    let boxed: Box<[_]> = Box::new([later(1), later(2)]);
    let boxed: Box<[u32]> = gather(boxed).await;
    assert_eq!(*boxed, [1, 2]);
    let mapped: Vec<u32> = gather((1..4).map(later)).await;
    assert_eq!(mapped, [1, 2, 3]);
    // One whose length is not known before, and that borrows.
    let words = ["a", "bc", "d"];
    let filtered = words.iter().filter(|word| word.len() == 1).map(later);
    assert_eq!(gather(filtered).await, [&"a", &"d"]);
}

/// No futures give no outputs, at once, and wake nobody.
pub async fn nothing_at_once<R: Runtime>(_: R) {
    type Never = std::future::Pending<u32>;

    fn at_once<C, K>(container: C) -> <C::Body as Body>::Kept
    where
        C: Container<All, K, Body: Body<Stop = Infallible>>,
    {
        let (wakes, waker) = counting_waker();
        let mut gather = Box::pin(gather(container));
        let Poll::Ready(outputs) = poll_with(&mut gather, &waker) else {
            panic!("nothing has to be waited for");
        };
        assert_eq!(wakes.count(), 0);
        outputs
    }
    at_once(());
    assert_eq!(at_once::<[Never; 0], _>([]), []);
    assert_eq!(at_once(Vec::<Never>::new()), []);
    assert_eq!(at_once::<Box<[Never]>, _>(Box::new([])).len(), 0);
    assert_eq!(at_once(std::iter::empty::<Never>()), []);
}

/// Children may borrow, from outside and the same things, and need not be `Send`.
pub async fn children_may_borrow<R: Runtime>(rt: R) {
    let log = RefCell::new(Vec::new());
    let shared = Rc::new(Cell::new(0));
    let child = async |number: u32| {
        turns(&rt, 2).await;
        log.borrow_mut().push(number);
        shared.set(shared.get() + number);
        &log
    };
    let outputs = gather([child(1), child(2), child(3)]).await;
    assert!(outputs.into_iter().all(|output| std::ptr::eq(output, &log)));
    let (one, _) = gather((child(4), child(5))).await;
    assert_eq!(one.borrow().len(), 5);
    assert_eq!((shared.get(), Rc::strong_count(&shared)), (15, 1));
}

/// A gather of `Send` futures can be awaited in a task, also from inside of generic code.
pub async fn in_a_task<R: Runtime>(rt: R) {
    async fn generic<F: Future<Output = T> + Send, T: Send>(futures: Vec<F>) -> Vec<T> {
        gather(futures).await
    }
    let own = rt.clone();
    let task = rt.spawn(async move {
        let numbers = [1, 2];
        let child = async |number: &u32| {
            turns(&own, 2).await;
            number + 1
        };
        let inner = generic(numbers.iter().map(child).collect());
        gather((inner, yield_now(), gather([ready(5)]))).await
    });
    assert_eq!(task.await.unwrap(), (vec![2, 3], (), [5]));
}

/// Errors are outputs, and nobody is cancelled because of one (`return_exceptions=True`).
pub async fn errors_are_outputs<R: Runtime>(rt: R) {
    let child = async |number: u32| {
        turns(&rt, number as usize).await;
        if number == 0 { Err("zero") } else { Ok(number) }
    };
    let outputs = gather([child(2), child(0), child(1)]).await;
    assert_eq!(outputs, [Ok(2), Err("zero"), Ok(1)]);
}

/// That a task among the children was cancelled or has panicked is an outcome of that child, and never
/// looks like a cancel of one's own.
pub async fn the_cancel_of_a_child_is_an_outcome<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let (wait, parked) = (gate.wait(), Manual::<u32>::new());
    let value = rt.spawn(async move {
        wait.await;
        1
    });
    let cancelled = rt.spawn(parked.future());
    let panicked = rt.spawn(async {
        yield_now().await;
        assert!(std::hint::black_box(false), "of a child");
        0
    });
    let victim = cancelled.task().clone();
    let canceller = async {
        until(|| parked.polls() > 0).await;
        assert!(victim.cancel());
        gate.open();
    };
    let outer = CancelScope::new().run(async {
        let tasks = gather([value, cancelled, panicked]).await;
        assert!(!cancel_requested());
        tasks
    });
    let (tasks, ()) = both(outer, canceller).await;
    let [value, cancelled, panicked] = tasks.expect("nobody cancelled this scope");
    assert_eq!(value.unwrap(), 1);
    assert_cancelled(cancelled);
    assert_eq!(crate::probe::assert_panicked(panicked), "of a child");
}

/// A cancel from outside reaches every child, each cleans up, and the gather does not return.
pub async fn cancelled_from_outside<R: Runtime>(rt: R) {
    let (log, parked) = (Log::new(), Manual::<()>::new());
    let scope = CancelScope::new();
    let handle = scope.handle();
    let region = async |name, others: usize| {
        let clean_up = async {
            until(|| log.read().len() == others).await;
            log.note(name);
        };
        finally(parked.future(), clean_up).await;
    };
    let (inside, witness) = token();
    let task = rt.spawn(hold(inside, parked.future()));
    let body = async {
        let inner = gather([region("nested", 1)]);
        let _ = gather((region("last", 2), region("first", 0), inner, task)).await;
        log.note("after");
    };
    let cancel = async {
        until(|| parked.polls() >= 4).await;
        handle.cancel();
    };
    let (ended, ()) = both(scope.run(body), cancel).await;
    assert!(ended.is_err());
    // They clean up beside each other.
    assert_eq!(log.read(), ["first", "nested", "last"]);
    // The task was not waited for, but it is asked to end.
    until(|| witness.is_dropped()).await;
}

/// If all children are ready in the poll that sees the cancel, the outputs win; also those of children that
/// no cancel may cut. If one of them waits on, all is lost.
pub async fn outputs_beat_a_cancel_in_the_same_poll<R: Runtime>(rt: R) {
    let (_, waker) = counting_waker();
    for all in [true, false] {
        let hands = [(); 3].map(|()| Manual::new());
        let futures = hands.clone().map(|hand| hand.future());
        let scope = CancelScope::new();
        let handle = scope.handle();
        let mut scoped = Box::pin(scope.run(gather(futures)));
        assert!(poll_with(&mut scoped, &waker).is_pending());
        hands[0].finish(0);
        assert!(poll_with(&mut scoped, &waker).is_pending());
        hands[1].finish(1);
        handle.cancel();
        if all {
            hands[2].finish(2);
            assert_eq!(scoped.await.unwrap(), [0, 1, 2]);
        } else {
            assert!(scoped.await.is_err());
            assert_eq!(hands[2].polls(), 1);
        }
    }
    let scope = CancelScope::new();
    let handle = scope.handle();
    let child = async |number: usize| {
        turns(&rt, number).await;
        number
    };
    let uncut = gather([1, 3].map(|number| uncancellable(child(number))));
    let mut scoped = Box::pin(scope.run(uncut));
    assert!(poll_once(&mut scoped).await.is_pending());
    handle.cancel();
    assert_eq!(scoped.await.unwrap(), [1, 3]);
}

/// A child is dropped as soon as it has finished, in every container; its output is kept to the end.
pub async fn a_child_is_dropped_as_soon_as_it_has_finished<R: Runtime>(_: R) {
    fn check<C, K>(make: impl FnOnce([Child; 2]) -> C)
    where
        C: Container<All, K, Body: Body<Stop = Infallible>>,
    {
        let (_, waker) = counting_waker();
        let ((inside, gone), (output, kept)) = (token(), token());
        let (first, last) = (Manual::new(), Manual::new());
        let one: Child = Box::pin(hold(inside, first.future()));
        let mut gather = Box::pin(gather(make([one, Box::pin(last.future())])));
        assert!(poll_with(&mut gather, &waker).is_pending());
        assert!(!gone.is_dropped());
        first.finish(Some(output));
        assert!(poll_with(&mut gather, &waker).is_pending());
        assert!(gone.is_dropped() && !kept.is_dropped());
        last.finish(None);
        let Poll::Ready(outputs) = poll_with(&mut gather, &waker) else {
            panic!("all have finished");
        };
        drop(gather);
        assert_eq!((gone.count(), kept.count()), (1, 0));
        drop(outputs);
        assert_eq!(kept.count(), 1);
    }
    check(|children| children);
    check(|children| children.into_iter());
    check(|children| children.into_iter().collect::<Vec<_>>());
    check(|children| children.into_iter().collect::<Box<[_]>>());
    check(|[one, two]| (one, two));
}

/// Dropped after any of its polls, it drops children and outputs, each once.
pub async fn dropped_at_every_poll<R: Runtime>(_: R) {
    fn run<C, K>(polls: usize, make: impl Fn(Vec<Child>) -> C)
    where
        C: Container<All, K, Body: Body<Stop = Infallible>>,
    {
        let (_, waker) = counting_waker();
        let (inside, witness) = token();
        let children = (0..CHILDREN).map(|number| -> Child {
            let (held, output) = (Token::like(&inside), Token::like(&inside));
            Box::pin(hold(held, async move {
                for _ in 0..number {
                    yield_now().await;
                }
                Some(output)
            }))
        });
        let mut gather = Box::pin(gather(make(children.collect())));
        for _ in 0..polls {
            assert!(poll_with(&mut gather, &waker).is_pending());
        }
        // The futures of those that have finished are gone already.
        assert_eq!(witness.count(), polls);
        drop(gather);
        assert_eq!(witness.count(), 2 * CHILDREN);
        drop(inside);
    }
    const CHILDREN: usize = 4;
    for polls in 0..CHILDREN {
        run(polls, |children| children);
        run(polls, |children| children.into_boxed_slice());
        run(polls, |children| children.into_iter());
        run(polls, |children| {
            <[Child; CHILDREN]>::try_from(children).ok().unwrap()
        });
        run(polls, |mut children| {
            let mut next = || children.remove(0);
            (next(), next(), next(), next())
        });
    }
}

/// A panic of a child goes through; the others are dropped with the gather, which says so if it is
/// polled again.
pub async fn a_child_panics<R: Runtime>(_: R) {
    fn check<C, K>(begun: bool, make: impl Fn([Child; 4]) -> C)
    where
        C: Container<All, K, Body: Body<Stop = Infallible>>,
    {
        let (_, waker) = counting_waker();
        let (inside, witness) = token();
        let own = witness.clone();
        let hand = Manual::<()>::new();
        let wait = hand.future();
        let panics: Child = Box::pin(async move {
            if begun {
                wait.await;
            }
            panic!("of a child");
        });
        let ends: Child = Box::pin(ready(Some(own.token())));
        let waits = || -> Child { Box::pin(hold(witness.token(), pending())) };
        let children = make([ends, waits(), panics, waits()]);
        let mut gather = Box::pin(gather(children));
        if begun {
            assert!(poll_with(&mut gather, &waker).is_pending());
            hand.finish(());
        }
        assert_eq!(panic_of(|| poll_with(&mut gather, &waker)), "of a child");
        let again = panic_of(|| poll_with(&mut gather, &waker));
        assert_eq!(
            again,
            "`gather` was polled after one of its futures had panicked"
        );
        drop(gather);
        assert_eq!(witness.count(), 3, "one output, two children");
        drop(inside);
    }
    for begun in [false, true] {
        check(begun, |children| children);
        check(begun, |children| children.into_iter());
        check(begun, |children| children.into_iter().collect::<Box<[_]>>());
        check(begun, |[a, b, c, d]| (a, b, c, d));
    }
}

/// A panic in a destructor, of a child that has finished, of one that is dropped, or of an output, keeps
/// none of the others from being dropped.
pub async fn a_destructor_panics<R: Runtime>(_: R) {
    struct Bomb(bool);
    impl Drop for Bomb {
        fn drop(&mut self) {
            assert!(!self.0, "of a destructor");
        }
    }
    fn check<C, K>(ends: bool, of_output: bool, make: impl Fn([Bombed; 3]) -> C)
    where
        C: Container<All, K, Body: Body<Stop = Infallible>>,
    {
        let (_, waker) = counting_waker();
        let (inside, witness) = token();
        let child = |ends: bool, bomb: bool| -> Bombed {
            let (held, output) = (Token::like(&inside), Token::like(&inside));
            let future = async move {
                if !ends {
                    pending::<()>().await;
                }
                (output, Bomb(bomb && of_output))
            };
            let held = (held, Bomb(bomb && !of_output));
            Box::pin(hold(held, future))
        };
        let children = [child(true, false), child(ends, true), child(false, false)];
        let mut gather = Box::pin(gather(make(children)));
        if ends && !of_output {
            assert_eq!(
                panic_of(|| poll_with(&mut gather, &waker)),
                "of a destructor"
            );
            assert!(panic_of(|| poll_with(&mut gather, &waker)).contains("had panicked"));
            drop(gather);
        } else {
            assert!(poll_with(&mut gather, &waker).is_pending());
            assert_eq!(panic_of(|| drop(gather)), "of a destructor");
        }
        drop(inside);
        assert_eq!(witness.count(), 7);
    }
    type Bombed = Pin<Box<dyn Future<Output = (Token, Bomb)>>>;
    for (ends, of_output) in [(true, false), (false, false), (true, true)] {
        check(ends, of_output, |children| children);
        check(ends, of_output, |children| children.into_iter());
        check(ends, of_output, |children| {
            children.into_iter().collect::<Box<[_]>>()
        });
        check(ends, of_output, |[a, b, c]| (a, b, c));
    }
}

/// Polled after it was ready, it panics and says so.
pub async fn polled_after_it_was_ready<R: Runtime>(_: R) {
    let (_, waker) = counting_waker();
    let text = "`gather` was polled after it was ready";
    let mut tuple = Box::pin(gather((ready(1), ready("a"))));
    assert_eq!(poll_with(&mut tuple, &waker), Poll::Ready((1, "a")));
    assert_eq!(panic_of(|| poll_with(&mut tuple, &waker)), text);
    let mut array = Box::pin(gather([yield_now(), yield_now()]));
    assert_eq!(poll_once(&mut array).await, Poll::Pending);
    assert_eq!(array.as_mut().await, [(), ()]);
    assert_eq!(panic_of(|| poll_with(&mut array, &waker)), text);
    let mut nothing = Box::pin(gather(()));
    assert_eq!(poll_with(&mut nothing, &waker), Poll::Ready(()));
    assert_eq!(panic_of(|| poll_with(&mut nothing, &waker)), text);
}

/// A hundred thousand children that are ready, or always woken, give others their turns, and each is
/// polled as often as it needs, no more.
pub async fn many_ready_children<R: Runtime>(rt: R) {
    const CHILDREN: usize = 100_000;
    for yields in [0, 2] {
        let (polls, rounds) = (Cell::new(0), Cell::new(0));
        let gate = Gate::new();
        let (opener, opened) = (gate.clone(), Cell::new(false));
        let other = rt.spawn(async move { opener.open() });
        // The last one is always ready until another task has had its turn.
        let greedy = async {
            let mut wait = gate.wait();
            poll_fn(|cx| {
                cx.waker().wake_by_ref();
                Pin::new(&mut wait).poll(cx)
            })
            .await;
            opened.set(true);
        };
        let child = async |number: usize| {
            let mut left = yields;
            poll_fn(|cx| {
                polls.set(polls.get() + 1);
                if left == 0 {
                    return Poll::Ready(number);
                }
                left -= 1;
                cx.waker().wake_by_ref();
                Poll::Pending
            })
            .await
        };
        let mut all = Box::pin(gather((gather((0..CHILDREN).map(child)), greedy)));
        let (outputs, ()) = poll_fn(|cx| {
            rounds.set(rounds.get() + 1);
            all.as_mut().poll(cx)
        })
        .await;
        assert!(outputs.into_iter().eq(0..CHILDREN));
        assert_eq!(polls.get(), CHILDREN * (yields + 1));
        // It gave way, again and again, not only at the end.
        assert!(rounds.get() > CHILDREN / 1_000, "{} polls", rounds.get());
        assert!(opened.get());
        other.await.unwrap();
    }
}

/// A hundred in each other: a wake of the innermost polls one child in each, once.
pub async fn nested<R: Runtime>(_: R) {
    const DEPTH: usize = 100;
    type Run = Pin<Box<dyn Future<Output = usize>>>;
    let (wakes, waker) = counting_waker();
    let (inner, side) = (Manual::<usize>::new(), Manual::<usize>::new());
    let polls = Rc::new(Cell::new(0));
    let mut run: Run = Box::pin(inner.future());
    for _ in 0..DEPTH {
        let (mut body, polls) = (run, Rc::clone(&polls));
        let counted: Run = Box::pin(poll_fn(move |cx| {
            polls.set(polls.get() + 1);
            body.as_mut().poll(cx)
        }));
        let members: [Run; 2] = [counted, Box::pin(side.future())];
        run = Box::pin(async move { gather(members).await.into_iter().sum() });
    }
    assert!(poll_with(&mut run, &waker).is_pending());
    let began = polls.take();
    yield_now().await;
    // The budget may have ended the first poll before each had its first turn.
    while side.polls() < DEPTH {
        assert!(poll_with(&mut run, &waker).is_pending());
        yield_now().await;
    }
    assert!(began + polls.take() >= DEPTH);
    let (woken, sides) = (wakes.count(), side.polls());
    inner.wake();
    assert_eq!(wakes.count(), woken + 1);
    assert!(poll_with(&mut run, &waker).is_pending());
    assert_eq!((polls.take(), side.polls()), (DEPTH, sides));
    inner.finish(1);
    assert!(poll_with(&mut run, &waker).is_pending());
    drop(run);
}

/// It works inside of combinators that know nothing of Kumi, and they inside of it.
pub async fn with_foreign_combinators<R: Runtime>(rt: R) {
    let child = async |number: usize| {
        turns(&rt, 3 - number).await;
        number
    };
    let three = || gather([child(0), child(1), child(2)]);
    let foreign = both(three(), unordered([three(), three()]));
    assert_eq!(foreign.await, ([0, 1, 2], vec![[0, 1, 2]; 2]));
    assert_eq!(either(async { three().await[2] }, pending()).await, 2);
    let inside = gather((unordered([child(0), child(2)]), both(child(1), three())));
    assert_eq!(inside.await, (vec![0, 2], (1, [0, 1, 2])));
    let same = [unordered([child(1)]), unordered([child(2)])];
    assert_eq!(gather(same).await, [[1], [2]]);

    // Dropped by a foreign `select!`, with children that have not finished.
    let (inside, witness) = token();
    let parked = gather([hold(inside, pending::<()>())]);
    let lost = async { parked.await.len() };
    assert_eq!(either(lost, child(1)).await, 1);
    assert_eq!(witness.count(), 1);
}
