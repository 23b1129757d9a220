//! `race`: the first output, when the losers are unwound.

use std::cell::Cell;
use std::future::{Future, Ready, pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested};
use kumi_core::cleanup::{bracket, finally, uncancellable};
use kumi_core::combine::{
    Body, Container, First, gather, race, race_ok, timeout, try_gather, yield_now,
};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    Gate, Log, Manual, Slot, Token, assert_cancelled, both, counting_waker, either, hold, panic_of,
    poll_with, thread, token, turns, unordered, until,
};

type Child<'a, T> = Pin<Box<dyn Future<Output = T> + 'a>>;

/// The first output wins, in every container; children may borrow, also in a task.
pub async fn the_first_wins<R: Runtime>(rt: R) {
    const LATE: usize = usize::MAX;
    let begun = Cell::new(0);
    let after = async |number: usize| {
        begun.set(begun.get() + 1);
        match number {
            LATE => pending().await,
            _ => turns(&rt, number).await,
        }
        number
    };
    assert_eq!(race([after(LATE), after(1), after(LATE)]).await, Ok(1));
    assert_eq!(race(vec![after(1), after(LATE)]).await, Ok(1));
    assert_eq!(race([LATE, 2].map(after).into_iter()).await, Ok(2));
    let boxed: Box<[_]> = Box::new([after(LATE), after(1)]);
    assert_eq!(race(boxed).await, Ok(1));
    assert_eq!(race((after(LATE), ready(3), after(4))).await, Ok(3));
    // The last one was not begun: one before it was ready.
    assert_eq!(begun.get(), 10);
    let task = rt.spawn(async {
        let words = ["one", "two"];
        let word = race([&words[0], &words[1]].map(async |word| {
            yield_now().await;
            word.len()
        }));
        (word.await, race((pending(), yield_now())).await)
    });
    assert_eq!(task.await.unwrap(), (Ok(3), Ok(())));
}

/// A race of nothing is an error, at once; `race_ok` has all of no errors.
pub async fn nothing_at_once<R: Runtime>(_: R) {
    let (wakes, waker) = counting_waker();
    let mut nothing = Box::pin(race::<[Ready<()>; 0], _>([]));
    let Poll::Ready(Err(error)) = poll_with(&mut nothing, &waker) else {
        panic!("it should end at once, with an error");
    };
    assert_eq!(error.to_string(), "a race without a runner has no winner");
    let mut nothing = Box::pin(race(Vec::<Ready<()>>::new()));
    assert_eq!(poll_with(&mut nothing, &waker), Poll::Ready(Err(error)));
    let mut nothing = Box::pin(race(std::iter::empty::<Ready<()>>()));
    assert_eq!(poll_with(&mut nothing, &waker), Poll::Ready(Err(error)));
    let mut nothing = Box::pin(race(()));
    assert!(poll_with(&mut nothing, &waker).is_ready());

    let none = std::iter::empty::<Ready<Result<(), ()>>>();
    let mut nothing = Box::pin(race_ok(none));
    assert_eq!(poll_with(&mut nothing, &waker), Poll::Ready(Err(vec![])));
    let mut nothing = Box::pin(race_ok::<[Ready<Result<(), ()>>; 0], _>([]));
    assert_eq!(poll_with(&mut nothing, &waker), Poll::Ready(Err([])));
    assert_eq!(wakes.count(), 0);
}

/// Of several that are ready in one poll the one that was woken first wins; in the first round, and in a
/// tuple, the one that comes first. The others are not polled any more, and all are dropped, each
/// once, before it returns.
pub async fn several_are_ready<R: Runtime>(_: R) {
    fn check<C, K>(woken: Option<[usize; 3]>, winner: usize, make: impl Fn([Held; 3]) -> C)
    where
        C: Container<First, K, Body: Body<Stop = usize>>,
    {
        let (_, waker) = counting_waker();
        let (inside, witness) = token();
        let hands = [(); 3].map(|()| Manual::<usize>::new());
        let children = hands
            .each_ref()
            .map(|hand| -> Held { Box::pin(hold(witness.token(), hand.future())) });
        let mut all = Box::pin(race(make(children)));
        if woken.is_some() {
            assert!(poll_with(&mut all, &waker).is_pending());
        }
        for number in woken.unwrap_or([2, 1, 0]) {
            hands[number].finish(number);
        }
        assert_eq!(poll_with(&mut all, &waker), Poll::Ready(Ok(winner)));
        assert_eq!(witness.count(), 3);
        let before = usize::from(woken.is_some());
        for (number, hand) in hands.iter().enumerate() {
            let expected = before + usize::from(number == winner);
            assert_eq!(hand.polls(), expected);
        }
        drop(all);
        drop(inside);
        assert_eq!(witness.count(), 4);
    }
    type Held = Child<'static, usize>;
    check(None, 0, |children| children);
    check(None, 0, |children| children.into_iter());
    check(None, 0, |[a, b, c]| (a, b, c));
    for woken in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        check(Some(woken), woken[0], |children| children);
        check(Some(woken), woken[0], |children| children.into_iter());
        check(Some(woken), woken[0], |children| {
            children.into_iter().collect::<Box<[_]>>()
        });
        check(Some(woken), 0, |[a, b, c]| (a, b, c));
    }
}

/// Of a thousand only the one that is woken is polled again; wakers of the losers do nothing afterwards.
pub async fn only_the_woken<R: Runtime>(_: R) {
    const CHILDREN: usize = 1_000;
    let (wakes, waker) = counting_waker();
    let hands: Vec<_> = (0..CHILDREN).map(|_| Manual::<usize>::new()).collect();
    let mut all = Box::pin(race(hands.iter().map(Manual::future)));
    let polls = || hands.iter().map(Manual::polls).sum::<usize>();
    while polls() < CHILDREN {
        // The budget of this task ends a round early.
        assert!(poll_with(&mut all, &waker).is_pending());
        yield_now().await;
    }
    assert!(hands.iter().all(|hand| hand.polls() == 1));
    let before = wakes.count();
    hands[700].finish(7);
    assert_eq!(wakes.count(), before + 1);
    assert_eq!(poll_with(&mut all, &waker), Poll::Ready(Ok(7)));
    assert_eq!(polls(), CHILDREN + 1);
    let kept: Vec<_> = hands.iter().filter_map(Manual::waker).collect();
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1, "the waker is still held");
    kept.into_iter().for_each(Waker::wake);
    drop(all);
    hands.iter().for_each(Manual::wake);
    assert_eq!(wakes.count(), before + 1);
}

/// The losers clean up before it returns: regions and brackets, innermost first; each beside the others.
pub async fn the_losers_are_unwound<R: Runtime>(_: R) {
    let log = Log::new();
    let say = |after: &'static str, event| {
        let log = log.clone();
        async move {
            until(|| after.is_empty() || log.has(after)).await;
            yield_now().await;
            log.note(event);
        }
    };
    let nested = async {
        let inner = finally(pending::<()>(), say("wins", "inner"));
        finally(inner, say("inner", "outer")).await;
    };
    let released = async {
        // It waits for the other loser, and so is not in its way.
        let release = say("outer", "release");
        bracket(ready(()), |(): &mut ()| pending::<()>(), |()| release).await;
    };
    let wins = say("", "wins");
    let children: [Child<'_, ()>; 3] = [Box::pin(nested), Box::pin(wins), Box::pin(released)];
    assert_eq!(race(children).await, Ok(()));
    assert_eq!(log.drain(), ["wins", "inner", "outer", "release"]);
    assert!(!cancel_requested());
    let loser = finally(pending::<u32>(), say("", "loser"));
    let never = finally(ready(0), say("", "never"));
    assert_eq!(race((loser, ready(1), never)).await, Ok(1));
    assert_eq!(log.drain(), ["loser"]);
}

/// A loser that no cancel may cut goes to its end; its output is dropped.
pub async fn an_uncancellable_loser_ends<R: Runtime>(rt: R) {
    let (output, witness) = token();
    let own = witness.clone();
    let ended = Cell::new(false);
    let loser = uncancellable(async {
        turns(&rt, 5).await;
        ended.set(true);
        own.token()
    });
    let wins = async {
        yield_now().await;
        output
    };
    let winner = race((loser, wins)).await;
    assert!(ended.get());
    assert_eq!(witness.count(), 1, "the output of the loser");
    drop(winner);
    assert_eq!(witness.count(), 2);
}

/// A task among the racers that was cancelled has ended like others, and nobody else is cancelled; the
/// tasks that lose are asked to end.
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
    let (ended, ()) = both(scope.run(race([sibling, victim])), cancel).await;
    assert_cancelled(ended.expect("nobody cancelled this scope").unwrap());
    assert!(!cancel_requested());
    until(|| witness.is_dropped()).await;

    let first = rt.spawn(async {
        yield_now().await;
        assert!(std::hint::black_box(false), "of a task");
        1
    });
    let gate = Gate::new();
    let wait = gate.wait();
    let second = rt.spawn(async move {
        wait.await;
        2
    });
    let opener = async {
        turns(&rt, 5).await;
        gate.open();
    };
    let (first_ok, ()) = both(race_ok([first, second]), opener).await;
    assert_eq!(first_ok.map_err(|_| ()), Ok(2));
}

/// A cancel from outside unwinds all, and it does not return; also if the losers are unwound already, whose
/// winner is dropped then.
pub async fn cancelled_from_outside<R: Runtime>(rt: R) {
    for has_winner in [false, true] {
        let log = Log::new();
        let (output, witness) = token();
        let (begun, go_on, hand) = (Gate::new(), Gate::new(), Manual::<Token>::new());
        let region = async {
            let clean_up = async {
                begun.open();
                go_on.wait().await;
                log.note("cleaned up");
            };
            finally(pending::<Token>(), clean_up).await
        };
        let scope = CancelScope::new();
        let handle = scope.handle();
        let body = async {
            let _ = race((region, hand.future())).await;
            log.note("after");
        };
        let cancel = async {
            until(|| hand.polls() > 0).await;
            if has_winner {
                hand.finish(output);
                begun.wait().await;
            } else {
                drop(output);
            }
            handle.cancel();
            begun.wait().await;
            turns(&rt, 3).await;
            assert!(!handle.has_ended());
            go_on.open();
        };
        let (ended, ()) = both(scope.run(body), cancel).await;
        assert!(ended.is_err());
        assert_eq!(log.read(), ["cleaned up"]);
        assert_eq!(witness.count(), 1);
    }
}

/// A winner in the poll that sees a cancel from outside is returned, if nothing has to be waited for; if
/// something has, the cancel wins.
pub async fn a_winner_beside_a_cancel<R: Runtime>(_: R) {
    for waits in [false, true] {
        let (_, waker) = counting_waker();
        let hand = Manual::<u32>::new();
        let scope = CancelScope::new();
        let handle = scope.handle();
        let loser = async {
            match waits {
                // It waits for sure, whatever other threads do.
                true => finally(pending(), yield_now()).await,
                false => pending().await,
            }
        };
        let children: [Child<'_, u32>; 2] = [Box::pin(loser), Box::pin(hand.future())];
        let mut scoped = Box::pin(scope.run(race(children)));
        assert!(poll_with(&mut scoped, &waker).is_pending());
        hand.finish(1);
        handle.cancel();
        match waits {
            false => assert_eq!(scoped.await, Ok(Ok(1))),
            true => assert!(scoped.await.is_err()),
        }
    }
}

/// A loser that was cleaning up before, or that no cancel may cut, and was woken for the very poll in which
/// another one wins, goes on: its wake is not lost.
pub async fn a_loser_woken_beside_the_winner<R: Runtime>(_: R) {
    for in_a_tuple in [true, false] {
        let (wins, clean, uncut) = (Manual::new(), Manual::<()>::new(), Manual::<()>::new());
        let region = async {
            finally(pending::<()>(), clean.future()).await;
        };
        let (first, uncut_loser) = (wins.future(), uncancellable(uncut.future()));
        let racers = async {
            match in_a_tuple {
                true => race((first, region, uncut_loser)).await,
                false => {
                    let racers: [Child<'_, ()>; 3] =
                        [Box::pin(first), Box::pin(region), Box::pin(uncut_loser)];
                    race(racers).await
                }
            }
        };
        let inner = CancelScope::new();
        let handle = inner.handle();
        let cancel = async {
            until(|| uncut.polls() > 0).await;
            // The region begins to clean up, the others wait on.
            handle.cancel();
            until(|| clean.polls() > 0).await;
            wins.finish(());
            clean.finish(());
            uncut.finish(());
        };
        // All have ended in this poll, so that the winner beats the cancel.
        let (ended, ()) = both(inner.run(racers), cancel).await;
        assert_eq!(ended, Ok(Ok(())));

        // Without a cancel from outside the winner is returned.
        let (wins, uncut) = (Manual::new(), Manual::<u32>::new());
        let (first, loser) = (wins.future(), uncancellable(uncut.future()));
        let racers = async {
            match in_a_tuple {
                true => race((first, loser)).await,
                false => {
                    let racers: [Child<'_, u32>; 2] = [Box::pin(first), Box::pin(loser)];
                    race(racers).await
                }
            }
        };
        let finish = async {
            until(|| uncut.polls() > 0).await;
            wins.finish(1);
            uncut.finish(2);
        };
        assert_eq!(both(racers, finish).await.0, Ok(1));
    }
}

/// A limit among the racers is a racer; one around it beats a winner whose losers take too long.
pub async fn limits<R: Runtime>(rt: R) {
    let ms = Duration::from_millis(1);
    let limited = |limit, work| timeout(&rt, limit, rt.sleep(work));
    let first = race([
        limited(ms, 3_600_000 * ms),
        limited(3_600_000 * ms, 3_600_000 * ms),
    ])
    .await;
    assert!(first.unwrap().is_err());
    let cleaned = Cell::new(false);
    let loser = async {
        let clean_up = async {
            rt.sleep(20 * ms).await;
            // On a machine that stood still until now, the limit is to be seen as well.
            yield_now().await;
            cleaned.set(true);
        };
        finally(pending::<()>(), clean_up).await;
    };
    let around = timeout(&rt, 5 * ms, race((loser, yield_now())));
    assert!(around.await.is_err());
    assert!(cleaned.get());
}

/// A panic of a racer goes through; the others are dropped with the race, which says so if it is polled
/// again.
pub async fn a_child_panics<R: Runtime>(_: R) {
    type Racer = Child<'static, Result<(), ()>>;
    let (_, waker) = counting_waker();
    for name in ["race", "race_ok"] {
        let (inside, witness) = token();
        let hand = Manual::<()>::new();
        let wait = hand.future();
        let panics: Racer = Box::pin(async move {
            wait.await;
            panic!("of a child");
        });
        let waits = || -> Racer { Box::pin(hold(witness.token(), pending())) };
        let children = [waits(), panics, waits()];
        let mut all: Child<'_, ()> = match name {
            "race" => Box::pin(async { race(children).await.map(|_| ()).unwrap() }),
            _ => Box::pin(async { race_ok(children).await.unwrap() }),
        };
        assert!(poll_with(&mut all, &waker).is_pending());
        hand.finish(());
        assert_eq!(panic_of(|| poll_with(&mut all, &waker)), "of a child");
        drop(all);
        assert_eq!(witness.count(), 2);
        drop(inside);
    }
    let broken = async || -> u32 { panic!("of a child") };
    let mut all = Box::pin(race((pending::<u32>(), broken())));
    assert_eq!(panic_of(|| poll_with(&mut all, &waker)), "of a child");
    let again = panic_of(|| poll_with(&mut all, &waker));
    assert_eq!(
        again,
        "`race` was polled after one of its futures had panicked"
    );
}

/// A panic of a loser's clean-up goes on when all have ended, in place of the winner.
pub async fn a_clean_up_panics<R: Runtime>(rt: R) {
    let (output, witness) = token();
    let (log, own) = (Log::new(), rt.clone());
    let noted = log.clone();
    let task = rt.spawn(async move {
        let loser = |panics: bool| {
            let (rt, log) = (own.clone(), noted.clone());
            finally(pending::<Token>(), async move {
                turns(&rt, if panics { 1 } else { 4 }).await;
                assert!(!panics, "of a clean-up");
                log.note("cleaned up");
            })
        };
        let wins = async move {
            yield_now().await;
            output
        };
        let _ = race((loser(true), wins, loser(false))).await;
        noted.note("after");
    });
    assert_eq!(crate::probe::assert_panicked(task.await), "of a clean-up");
    assert_eq!(log.read(), ["cleaned up"]);
    assert_eq!(witness.count(), 1);
}

/// Dropped after any of its polls, it drops all that is in it, each once.
pub async fn dropped_at_every_poll<R: Runtime>(_: R) {
    type Racer = Child<'static, Result<Token, Token>>;
    const CHILDREN: usize = 4;
    for polls in 0..=CHILDREN {
        let (_, waker) = counting_waker();
        let (inside, witness) = token();
        // Each fails one poll later than the one before; the last succeeds.
        let children: [Racer; CHILDREN] = std::array::from_fn(|number| -> Racer {
            let (held, output) = (witness.token(), witness.token());
            Box::pin(hold(held, async move {
                for _ in 0..number {
                    yield_now().await;
                }
                match number + 1 == CHILDREN {
                    true => Ok(output),
                    false => Err(output),
                }
            }))
        });
        let mut all = Box::pin(race_ok(children));
        let mut ended = None;
        for poll in 1..=polls {
            match poll_with(&mut all, &waker) {
                Poll::Ready(output) => ended = Some(output),
                Poll::Pending => assert!(poll < CHILDREN),
            }
        }
        assert_eq!(ended.is_some(), polls == CHILDREN);
        drop(ended);
        drop(all);
        drop(inside);
        assert_eq!(witness.count(), 2 * CHILDREN + 1);
    }
}

/// Polled after it was ready, it panics and says so.
pub async fn polled_after_it_was_ready<R: Runtime>(_: R) {
    let (_, waker) = counting_waker();
    let mut one = Box::pin(race([ready(1)]));
    assert!(poll_with(&mut one, &waker).is_ready());
    let text = panic_of(|| poll_with(&mut one, &waker));
    assert_eq!(text, "`race` was polled after it was ready");
    for output in [Ok(1), Err(2)] {
        let mut one = Box::pin(race_ok((ready(output),)));
        assert!(poll_with(&mut one, &waker).is_ready());
        let text = panic_of(|| poll_with(&mut one, &waker));
        assert_eq!(text, "`race_ok` was polled after it was ready");
    }
}

/// In each other: an inner race unwinds its own losers, an outer one all of what lost.
pub async fn in_each_other<R: Runtime>(rt: R) {
    let log = Log::new();
    let loser = |name| {
        let (log, rt) = (log.clone(), rt.clone());
        finally(pending::<&'static str>(), async move {
            turns(&rt, 2).await;
            log.note(name);
        })
    };
    let wins = async {
        turns(&rt, 2).await;
        "won"
    };
    let inner = async { race((loser("inner"), wins)).await.unwrap() };
    let lost = async { gather((race((loser("a"), pending())), loser("b"))).await.1 };
    let failing = async {
        let never = pending::<Result<(), ()>>();
        let kept = async { Ok::<_, ()>(loser("c").await) };
        try_gather((never, kept))
            .await
            .map_or("error", |(_, kept)| kept)
    };
    let children: [Child<'_, _>; 3] = [Box::pin(inner), Box::pin(lost), Box::pin(failing)];
    assert_eq!(race(children).await, Ok("won"));
    let mut events = log.drain();
    assert_eq!(events[0], "inner");
    events.sort_unstable();
    assert_eq!(events, ["a", "b", "c", "inner"]);
}

/// It works inside of combinators that know nothing of Kumi, and they inside of it.
pub async fn with_foreign_combinators<R: Runtime>(rt: R) {
    let cleaned = Cell::new(0);
    let one = async |number: usize| {
        let loser = async {
            let clean_up = async {
                turns(&rt, 2).await;
                cleaned.set(cleaned.get() + 1);
            };
            finally(pending(), clean_up).await
        };
        let wins = async {
            turns(&rt, number).await;
            number
        };
        race((loser, wins)).await.unwrap()
    };
    assert_eq!(both(one(1), one(2)).await, (1, 2));
    assert_eq!(unordered([one(2), one(1)]).await, [2, 1]);
    assert_eq!(either(one(1), pending()).await, 1);
    assert_eq!(cleaned.get(), 5);
    let lost = both(one(1), pending::<()>());
    let first = race((async { lost.await.0 }, async {
        unordered([one(3)]).await[0]
    }));
    assert_eq!(first.await, Ok(3));
    assert_eq!(cleaned.get(), 7);
}

/// Racers are woken by other threads, all at once; one of them wins.
pub async fn from_other_threads<R: Runtime>(rt: R) {
    const RACERS: usize = 8;
    for _ in 0..20 {
        let slots: Vec<Slot<usize>> = (0..RACERS).map(|_| Slot::new()).collect();
        let threads: Vec<_> = slots
            .iter()
            .enumerate()
            .map(|(number, slot)| {
                let slot = slot.clone();
                thread(move || slot.put(number))
            })
            .collect();
        let racers: Vec<_> = slots
            .into_iter()
            .map(|slot| async move { slot.take().await })
            .collect();
        let winner = rt.spawn(async move { race(racers).await });
        assert!(winner.await.unwrap().unwrap() < RACERS);
        gather(threads).await;
    }
}
