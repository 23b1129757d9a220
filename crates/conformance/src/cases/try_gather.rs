//! `try_gather`: all values, or the first error when the others are unwound.

use std::cell::Cell;
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested};
use kumi_core::cleanup::{bracket, finally, uncancellable};
use kumi_core::combine::{Body, Container, NoErr, gather, race, timeout, try_gather, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    Gate, Log, Manual, Token, both, counting_waker, either, hold, panic_of, poll_once, poll_with,
    token, turns, unordered, until,
};

type Fails = Result<u32, &'static str>;
type Child<'a> = Pin<Box<dyn Future<Output = Fails> + 'a>>;

/// Values are in the order of the futures and the shape of the container; nothing gives nothing, at
/// once.
pub async fn values_in_order<R: Runtime>(rt: R) {
    let child = async |number: u32| -> Fails {
        turns(&rt, 4 - number as usize).await;
        Ok(number)
    };
    assert_eq!(
        try_gather([child(1), child(2), child(3)]).await,
        Ok([1, 2, 3])
    );
    assert_eq!(try_gather((1..4).map(child)).await, Ok(vec![1, 2, 3]));
    assert_eq!(try_gather(vec![child(2), child(1)]).await, Ok(vec![2, 1]));
    let boxed: Box<[_]> = Box::new([child(1), child(3)]);
    let boxed: Box<[u32]> = try_gather(boxed).await.unwrap();
    assert_eq!(*boxed, [1, 3]);
    let mixed = try_gather((child(3), ready(Ok("b")), async { Ok(()) }));
    assert_eq!(mixed.await, Ok((3, "b", ())));

    let (wakes, waker) = counting_waker();
    let mut nothing = Box::pin(try_gather(std::iter::empty::<std::future::Ready<Fails>>()));
    assert_eq!(poll_with(&mut nothing, &waker), Poll::Ready(Ok(vec![])));
    let mut nothing = Box::pin(try_gather::<[std::future::Ready<Fails>; 0], _>([]));
    assert_eq!(poll_with(&mut nothing, &waker), Poll::Ready(Ok([])));
    let mut nothing = Box::pin(try_gather(()));
    assert!(poll_with(&mut nothing, &waker).is_ready());
    assert_eq!(wakes.count(), 0);
}

/// Children may borrow; in a task they may borrow from it.
pub async fn children_may_borrow<R: Runtime>(rt: R) {
    let sum = Cell::new(0);
    let child = async |number: u32| {
        turns(&rt, 1).await;
        sum.set(sum.get() + number);
        if number < 3 { Ok(&sum) } else { Err(&sum) }
    };
    assert_eq!(try_gather([child(1), child(2)]).await.unwrap()[0].get(), 3);
    let failed = try_gather((child(1), child(3))).await;
    assert!(std::ptr::eq(failed.unwrap_err(), &sum));
    let task = rt.spawn(async {
        let words = ["one", "two"];
        let lengths = words.iter().map(async |word| {
            yield_now().await;
            word.parse::<u32>().map_err(|_| word.len())
        });
        try_gather(lengths).await
    });
    assert_eq!(task.await.unwrap(), Err(3));
}

/// After an error no child is begun or polled on, and all are dropped, each once, before it is returned; so are
/// the values so far.
pub async fn an_error_ends_the_others<R: Runtime>(_: R) {
    type Held = Pin<Box<dyn Future<Output = Result<Token, &'static str>>>>;
    fn check<C, K>(begun: bool, make: impl Fn([Held; 4]) -> C)
    where
        C: Container<NoErr, K, Body: Body<Stop = &'static str>>,
    {
        let (_, waker) = counting_waker();
        let (inside, witness) = token();
        let hands = [(); 4].map(|()| Manual::<bool>::new());
        let children = hands.clone().map(|hand| -> Held {
            let (held, value) = (Token::like(&inside), Token::like(&inside));
            let wait = hand.future();
            Box::pin(hold(held, async move {
                if wait.await { Ok(value) } else { Err("error") }
            }))
        });
        let mut all = Box::pin(try_gather(make(children)));
        if begun {
            assert!(poll_with(&mut all, &waker).is_pending());
        }
        hands[0].finish(true);
        hands[2].finish(false);
        // Ready as well, but not asked any more.
        hands[3].finish(true);
        let Poll::Ready(Err(error)) = poll_with(&mut all, &waker) else {
            panic!("nothing has to be waited for");
        };
        assert_eq!(error, "error");
        assert_eq!(witness.count(), 8, "four futures, four values");
        let polls = hands.each_ref().map(Manual::polls);
        match begun {
            false => assert_eq!(polls, [1, 1, 1, 0]),
            // Of a tuple each that is pending is polled.
            true => assert!(matches!(polls, [2, 1 | 2, 2, 1]), "{polls:?}"),
        }
        drop(all);
        drop(inside);
        assert_eq!(witness.count(), 9);
    }
    for begun in [false, true] {
        check(begun, |children| children);
        check(begun, |children| children.into_iter());
        check(begun, |children| children.into_iter().collect::<Box<[_]>>());
        check(begun, |[a, b, c, d]| (a, b, c, d));
    }
}

/// Of two errors in one poll the one that was woken first wins; in the first round, and in a tuple, the
/// one that comes first. The other is never asked for.
pub async fn two_errors_in_one_poll<R: Runtime>(_: R) {
    let (_, waker) = counting_waker();
    for woken in [[0, 1], [1, 0]] {
        let hands = [(); 2].map(|()| Manual::<Fails>::new());
        let errors = ["a", "b"];
        let mut all = Box::pin(try_gather(hands.each_ref().map(Manual::future)));
        assert!(poll_with(&mut all, &waker).is_pending());
        for number in woken {
            hands[number].finish(Err(errors[number]));
        }
        assert_eq!(
            poll_with(&mut all, &waker),
            Poll::Ready(Err(errors[woken[0]]))
        );
        assert_eq!(hands[woken[1]].polls(), 1);

        let hands = [(); 2].map(|()| Manual::<Fails>::new());
        let [a, b] = hands.each_ref().map(Manual::future);
        let mut all = Box::pin(try_gather((a, b)));
        assert!(poll_with(&mut all, &waker).is_pending());
        for number in woken {
            hands[number].finish(Err(errors[number]));
        }
        assert_eq!(poll_with(&mut all, &waker), Poll::Ready(Err("a")));
    }
    let both: [Fails; 2] = [Err("a"), Err("b")];
    assert_eq!(try_gather(both.map(ready)).await, Err("a"));
}

/// Regions and brackets in the others run to their end before it returns: those of one child innermost first,
/// those of several beside each other.
pub async fn the_others_are_unwound<R: Runtime>(rt: R) {
    let log = Log::new();
    let say = |begins, gate: &Gate, ends| {
        let (log, wait) = (log.clone(), gate.wait());
        async move {
            log.note(begins);
            wait.await;
            log.note(ends);
        }
    };
    let [first, second, third] = [(); 3].map(|()| Gate::new());
    let nested = async {
        let inner = finally(pending::<()>(), say("inner", &first, "inner ends"));
        finally(inner, say("outer", &second, "outer ends")).await;
        Ok(0)
    };
    let released = async {
        let release = say("release", &third, "released");
        bracket(ready(()), |(): &mut ()| pending::<()>(), |()| release).await;
        Ok(0)
    };
    let opener = async {
        for (seen, gate) in [
            ("release", &first),
            ("outer", &second),
            ("outer ends", &third),
        ] {
            until(|| log.has(seen)).await;
            gate.open();
        }
    };
    let fails = async {
        turns(&rt, 2).await;
        log.note("fails");
        Err("error")
    };
    let children: [Child<'_>; 3] = [Box::pin(nested), Box::pin(fails), Box::pin(released)];
    let (ended, ()) = both(try_gather(children), opener).await;
    assert_eq!(ended, Err("error"));
    let mut events = log.read();
    // Neither child waits for the other.
    events[1..3].sort_unstable();
    let (inner, outer) = (
        ["inner", "release", "inner ends"],
        ["outer", "outer ends", "released"],
    );
    assert_eq!(events, [&["fails"][..], &inner, &outer].concat());
    assert!(!cancel_requested());
}

/// Those inside of a tuple are unwound as well.
pub async fn a_tuple_is_unwound<R: Runtime>(rt: R) {
    let log = Log::new();
    let region = async |name| -> Fails {
        let clean_up = async {
            turns(&rt, 2).await;
            log.note(name);
        };
        finally(pending(), clean_up).await
    };
    let fails = async {
        yield_now().await;
        Err::<(), _>("error")
    };
    let ended = try_gather((region("first"), fails, region("last"), ready(Ok("value")))).await;
    assert_eq!(ended, Err("error"));
    assert_eq!(log.read().len(), 2);
}

/// A child that no cancel may cut goes to its end, whose value, or error, is dropped.
pub async fn an_uncancellable_child_ends<R: Runtime>(rt: R) {
    for late in [Ok(()), Err(())] {
        let (output, witness) = token();
        let (own, log) = (witness.clone(), Log::new());
        let uncut = uncancellable(async {
            turns(&rt, 5).await;
            log.note("committed");
            late.map(|()| own.token()).map_err(|()| own.token())
        });
        let fails = async {
            yield_now().await;
            Err::<(), _>(output)
        };
        let ended = try_gather((uncut, fails)).await;
        assert_eq!(log.read(), ["committed"]);
        assert_eq!(witness.count(), 1, "the late output");
        assert!(ended.is_err());
        drop(ended);
        assert_eq!(witness.count(), 2);
    }
}

/// A cancel from outside unwinds all, and it does not return.
pub async fn cancelled_from_outside<R: Runtime>(rt: R) {
    let (log, parked) = (Log::new(), Manual::<Fails>::new());
    let scope = CancelScope::new();
    let handle = scope.handle();
    let region = async |name| {
        let clean_up = async {
            turns(&rt, 2).await;
            log.note(name);
        };
        finally(parked.future(), clean_up).await
    };
    let body = async {
        let _ = try_gather([region("clean-up"), region("clean-up")]).await;
        log.note("after");
    };
    let cancel = async {
        until(|| parked.polls() >= 2).await;
        handle.cancel();
    };
    let (ended, ()) = both(scope.run(body), cancel).await;
    assert!(ended.is_err());
    assert_eq!(log.read(), ["clean-up", "clean-up"]);
}

/// A cancel from outside while the others are unwound: they end their clean-ups, then the scope
/// outside reports, and the error is dropped.
pub async fn cancelled_while_it_unwinds<R: Runtime>(rt: R) {
    for by_a_limit in [false, true] {
        let log = Log::new();
        let (output, witness) = token();
        let (begun, go_on) = (Gate::new(), Gate::new());
        let region = async {
            let clean_up = async {
                begun.open();
                go_on.wait().await;
                log.note("cleaned up");
            };
            finally(pending::<()>(), clean_up).await;
            Ok(())
        };
        let fails = async {
            yield_now().await;
            Err::<(), _>(output)
        };
        let scope = CancelScope::new();
        let handle = scope.handle();
        let body = async {
            let _ = try_gather((region, fails)).await;
            log.note("after");
        };
        let cancel = async {
            begun.wait().await;
            match by_a_limit {
                true => drop(handle.set_deadline(Some(rt.now()))),
                false => drop(handle.cancel()),
            }
            turns(&rt, 3).await;
            assert!(!witness.is_dropped() && !handle.has_ended());
            go_on.open();
        };
        let body = scope.run(body);
        let (ended, ()) = both(body, cancel).await;
        assert_eq!(ended.unwrap_err().is_elapsed(), by_a_limit);
        assert_eq!(log.read(), ["cleaned up"]);
        assert_eq!(witness.count(), 1);
    }
}

/// An error in the poll that sees a cancel from outside is returned, if nothing has to be waited for; if
/// something has, the cancel wins.
pub async fn an_error_beside_a_cancel<R: Runtime>(rt: R) {
    for waits in [false, true] {
        let (_, waker) = counting_waker();
        let log = Log::new();
        let hand = Manual::<Fails>::new();
        let scope = CancelScope::new();
        let handle = scope.handle();
        let other = async {
            if waits {
                finally(pending::<()>(), turns(&rt, 2)).await;
            }
            pending::<Fails>().await
        };
        let body = async {
            let ended = try_gather((hand.future(), other)).await;
            log.note("after");
            ended
        };
        let mut scoped = Box::pin(scope.run(body));
        assert!(poll_with(&mut scoped, &waker).is_pending());
        hand.finish(Err("error"));
        handle.cancel();
        let ended = scoped.await;
        match waits {
            false => assert_eq!(ended, Ok(Err("error"))),
            true => assert!(ended.is_err()),
        }
        assert_eq!(log.has("after"), !waits);
    }
}

/// A limit on it counts the unwinding: the limit reports, when that has ended.
pub async fn a_limit_expires_while_it_unwinds<R: Runtime>(rt: R) {
    let go_on = Gate::new();
    let (begun, cleaned) = (Cell::new(false), Cell::new(false));
    let region = async {
        let clean_up = async {
            begun.set(true);
            go_on.wait().await;
            cleaned.set(true);
        };
        finally(pending::<Fails>(), clean_up).await
    };
    let fails = async {
        yield_now().await;
        Err("error")
    };
    let children: [Child<'_>; 2] = [Box::pin(region), Box::pin(fails)];
    let mut limited = Box::pin(timeout(
        &rt,
        Duration::from_secs(3600),
        try_gather(children),
    ));
    while !begun.get() {
        assert!(poll_once(&mut limited).await.is_pending());
        yield_now().await;
    }
    assert!(limited.as_mut().reschedule(Some(rt.now())));
    assert!(poll_once(&mut limited).await.is_pending());
    go_on.open();
    assert!(limited.await.is_err());
    assert!(cleaned.get());
}

/// A task that was cancelled or has panicked is an error like others, and no cancel of one's own; the
/// tasks beside it, whose handles go, are asked to end.
pub async fn tasks_among_the_children<R: Runtime>(rt: R) {
    let (inside, witness) = token();
    let parked = Manual::<u32>::new();
    let victim = rt.spawn(parked.future());
    let sibling = rt.spawn(hold(inside, parked.future()));
    let task = victim.task();
    let cancel = async {
        until(|| parked.polls() >= 2).await;
        assert!(task.cancel());
    };
    let scope = CancelScope::new();
    let (ended, ()) = both(scope.run(try_gather([sibling, victim])), cancel).await;
    let error = ended.expect("nobody cancelled this scope").unwrap_err();
    assert!(error.is_cancelled() && !cancel_requested());
    until(|| witness.is_dropped()).await;

    let panics = rt.spawn(async {
        assert!(std::hint::black_box(false), "of a task");
    });
    let error = try_gather([panics, rt.spawn(pending())]).await.unwrap_err();
    assert_eq!(crate::probe::text(error.into_panic()), "of a task");
}

/// A panic of a child goes through at once; the others are dropped with the combinator, which says so
/// if it is polled again.
pub async fn a_child_panics<R: Runtime>(_: R) {
    fn check<C, K>(make: impl Fn([Child<'static>; 3]) -> C)
    where
        C: Container<NoErr, K, Body: Body<Stop = &'static str>>,
    {
        let (_, waker) = counting_waker();
        let (inside, witness) = token();
        let hand = Manual::<()>::new();
        let wait = hand.future();
        let panics: Child<'_> = Box::pin(async move {
            wait.await;
            panic!("of a child");
        });
        let waits = || -> Child<'_> { Box::pin(hold(witness.token(), pending())) };
        let mut all = Box::pin(try_gather(make([waits(), panics, waits()])));
        assert!(poll_with(&mut all, &waker).is_pending());
        hand.finish(());
        assert_eq!(panic_of(|| poll_with(&mut all, &waker)), "of a child");
        let again = panic_of(|| poll_with(&mut all, &waker));
        let text = "`try_gather` was polled after one of its futures had panicked";
        assert_eq!(again, text);
        assert!(!witness.is_dropped());
        drop(all);
        assert_eq!(witness.count(), 2);
        drop(inside);
    }
    check(|children| children);
    check(|children| children.into_iter());
    check(|[a, b, c]| (a, b, c));
}

/// A panic of a clean-up in one of the others goes on when all of them have ended, in place of the
/// error.
pub async fn a_clean_up_panics<R: Runtime>(rt: R) {
    let (log, own) = (Log::new(), rt.clone());
    let noted = log.clone();
    let task = rt.spawn(async move {
        let region = |panics: bool| {
            let (rt, log) = (own.clone(), noted.clone());
            finally(pending::<Fails>(), async move {
                turns(&rt, if panics { 1 } else { 4 }).await;
                assert!(!panics, "of a clean-up");
                log.note("cleaned up");
            })
        };
        let fails = async {
            yield_now().await;
            Err::<(), _>("error")
        };
        let _ = try_gather((region(true), fails, region(false))).await;
        noted.note("after");
    });
    assert_eq!(crate::probe::assert_panicked(task.await), "of a clean-up");
    assert_eq!(log.read(), ["cleaned up"]);
}

/// Dropped while it unwinds, it drops the error; releases that had begun go on as tasks.
pub async fn dropped_while_it_unwinds<R: Runtime>(_: R) {
    let (_, waker) = counting_waker();
    let (output, witness) = token();
    let (begun, go_on, ended) = (Gate::new(), Gate::new(), Gate::new());
    let (open, wait, end) = (begun.clone(), go_on.wait(), ended.clone());
    let region = async {
        let release = async move {
            open.open();
            wait.await;
            end.open();
        };
        bracket(ready(()), |(): &mut ()| pending::<()>(), |()| release).await;
        Ok::<_, Token>(())
    };
    let hand = Manual::new();
    let mut all = Box::pin(try_gather((region, hand.future())));
    assert!(poll_once(&mut all).await.is_pending());
    hand.finish(Err::<(), _>(output));
    assert!(poll_with(&mut all, &waker).is_pending());
    begun.wait().await;
    assert!(!witness.is_dropped());
    drop(all);
    assert_eq!(witness.count(), 1);
    go_on.open();
    ended.wait().await;
}

/// Polled after it was ready, it panics and says so.
pub async fn polled_after_it_was_ready<R: Runtime>(_: R) {
    let (_, waker) = counting_waker();
    let text = "`try_gather` was polled after it was ready";
    for output in [Ok(1), Err("error")] {
        let mut tuple = Box::pin(try_gather((ready::<Fails>(output),)));
        assert!(poll_with(&mut tuple, &waker).is_ready());
        assert_eq!(panic_of(|| poll_with(&mut tuple, &waker)), text);
        let mut array = Box::pin(try_gather([ready::<Fails>(output)]));
        assert!(poll_with(&mut array, &waker).is_ready());
        assert_eq!(panic_of(|| poll_with(&mut array, &waker)), text);
    }
}

/// An error of one deep inside unwinds level by level, and nobody else.
pub async fn in_each_other<R: Runtime>(rt: R) {
    let (log, rt) = (Log::new(), &rt);
    let region = |name| {
        let log = log.clone();
        finally(pending::<Fails>(), async move {
            turns(rt, 2).await;
            log.note(name);
        })
    };
    let fails = async {
        turns(rt, 2).await;
        Err::<u32, _>("error")
    };
    let inner = try_gather((fails, region("inner")));
    let middle = try_gather((async { inner.await.map(|_| 0) }, region("middle")));
    let kept = async {
        turns(rt, 20).await;
        "kept"
    };
    let (ended, kept) = gather((middle, kept)).await;
    assert_eq!((ended, kept), (Err("error"), "kept"));
    assert_eq!(log.read(), ["inner", "middle"]);
}

/// Inside of combinators that know nothing of Kumi each unwinds its own children; and they are children.
pub async fn with_foreign_combinators<R: Runtime>(rt: R) {
    let cleaned = Cell::new(0);
    let one = async |fails: bool| {
        let region = async {
            let clean_up = async {
                turns(&rt, 2).await;
                cleaned.set(cleaned.get() + 1);
            };
            finally(turns(&rt, 6), clean_up).await;
            Ok(1)
        };
        let other = async {
            turns(&rt, 1).await;
            if fails { Err("error") } else { Ok(2) }
        };
        let children: [Child<'_>; 2] = [Box::pin(region), Box::pin(other)];
        try_gather(children).await
    };
    let expected = (Err("error"), Ok([1, 2]));
    assert_eq!(both(one(true), one(false)).await, expected);
    let outputs = unordered([one(false), one(true)]).await;
    assert_eq!(outputs, [Ok([1, 2]), Err("error")]);
    assert_eq!(either(one(true), pending()).await, Err("error"));
    assert_eq!(cleaned.get(), 5);
    let member = async { unordered([one(true)]).await.remove(0) };
    assert_eq!(
        try_gather((member, pending::<Result<(), _>>()))
            .await
            .unwrap_err(),
        "error"
    );
    assert_eq!(race([one(true)]).await, Ok(Err("error")));
    assert_eq!(cleaned.get(), 7);
}
