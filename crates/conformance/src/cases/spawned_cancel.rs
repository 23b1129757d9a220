//! Combinators whose children are tasks, that end badly: panics, cancels from outside, drops.

use std::fmt::Display;
use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Context;
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancelled};
use kumi_core::cleanup::finally;
use kumi_core::combine::{timeout, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::spawned::Combine;
use kumi_core::task::SpawnExt;

use super::panics::unique;
use super::spawned::{Fails, Parked};
use crate::probe::{
    Gate, assert_panicked, both, forget, hold, panic_of, poll_once, token, turns, until,
};
use crate::reports;

type Job = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How many there are in [`each`].
const ALL: usize = 4;

/// Every combinator, around a child that parks and one that is given; by number.
fn each<R, F>(rt: &R, number: usize, parked: &Parked, other: F) -> Job
where
    R: Runtime,
    F: Future<Output = Result<(), Fails>> + Send + 'static,
{
    type Child = Pin<Box<dyn Future<Output = Result<(), Fails>> + Send>>;
    let parks = parked.clone().child(rt.clone());
    let children: [Child; 2] = [Box::pin(parks), Box::pin(other)];
    let rt = rt.clone();
    Box::pin(async move {
        match number {
            0 => drop(rt.gather(children).await),
            1 => drop(rt.try_gather(children.into_iter()).await),
            2 => drop(rt.race(Vec::from(children)).await),
            _ => drop(rt.race_ok(Box::<[_]>::from(children)).await),
        }
    })
}

/// A clean-up that panics.
async fn never(text: impl Display) {
    panic!("{text}")
}

/// The panic of a child goes on, when the others were cancelled and have cleaned up.
pub async fn a_child_panics<R: Runtime>(rt: R) {
    for number in 0..ALL {
        let parked = Parked::default();
        let waits = parked.clone().then(());
        let panics = async {
            waits.await;
            never("of a child").await;
            Ok(())
        };
        let joined = rt.spawn(each(&rt, number, &parked, panics)).await;
        assert_eq!(assert_panicked(joined), "of a child");
        parked.assert_clean();
    }
}

/// A panic, also of a loser's clean-up, is more urgent than what was decided.
pub async fn a_panic_beside_a_decision<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let parks = parked.clone().child::<u8, R>(rt.clone());
    let loser = finally(parks, never("in a clean-up"));
    let winner = parked.clone().then(1);
    let own = rt.clone();
    let joined = rt
        .spawn(async move { own.race((loser, winner)).await })
        .await;
    assert_eq!(assert_panicked(joined), "in a clean-up");
    parked.assert_clean();
}

/// Of two children that panic one is heard of by the one who awaits, the other is reported.
pub async fn two_children_panic<R: Runtime>(rt: R) {
    let texts = [unique("a child"), unique("a clean-up")];
    let begun = Gate::new();
    let (opens, waits) = (begun.clone(), begun.wait());
    let [first, second] = texts.clone();
    let panics = async move {
        waits.await;
        never(first).await;
    };
    let parks = async move {
        opens.open();
        pending::<()>().await;
    };
    let own = rt.clone();
    let joined = rt.spawn(async move { own.gather((panics, finally(parks, never(second)))).await });
    assert_eq!(assert_panicked(joined.await), texts[0]);
    let reports = texts.map(|text| reports::of_panics(&text));
    assert_eq!(reports, [0, 1]);
}

/// A cancel from outside reaches the children, waits for their clean-ups, and is not swallowed.
pub async fn cancelled_from_outside<R: Runtime>(rt: R) {
    for number in 0..ALL {
        let parked = Parked::default();
        let job = each(&rt, number, &parked, pending());
        let scope = CancelScope::new();
        let handle = scope.handle();
        let after = AtomicBool::new(false);
        let cut = scope.run(async {
            job.await;
            after.store(true, Ordering::SeqCst);
        });
        let cancel = async {
            until(|| parked.has_begun()).await;
            handle.cancel();
        };
        let (outcome, ()) = both(cut, cancel).await;
        assert!(outcome.is_err());
        parked.assert_clean();
        assert!(!after.load(Ordering::SeqCst));
    }
}

/// So it is with a limit, and with the task of the one who awaits.
pub async fn a_limit_around_it<R: Runtime>(rt: R) {
    for number in 0..ALL {
        let parked = Parked::default();
        let job = each(&rt, number, &parked, pending());
        let mut limited = Box::pin(timeout(&rt, Duration::from_secs(3600), job));
        assert!(poll_once(&mut limited).await.is_pending());
        until(|| parked.has_begun()).await;
        limited.as_mut().reschedule(Some(rt.now()));
        assert!(limited.await.is_err());
        parked.assert_clean();

        let parked = Parked::default();
        let task = rt.spawn(each(&rt, number, &parked, pending()));
        until(|| parked.has_begun()).await;
        assert!(task.cancel_and_join().await.unwrap_err().is_cancelled());
        parked.assert_clean();
    }
}

/// A cancel goes through children of children at once.
pub async fn cancels_go_all_the_way_down<R: Runtime>(rt: R) {
    let begun = Arc::<AtomicUsize>::default();
    let parked = Parked::default();
    let branch = |_: usize| {
        let (own, parked, begun) = (rt.clone(), parked.clone(), Arc::clone(&begun));
        async move {
            let leaf = |_: usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                parked.clone().child::<(), R>(own.clone())
            };
            drop(own.gather((0..3).map(leaf)).await);
        }
    };
    let scope = CancelScope::new();
    let handle = scope.handle();
    let cut = scope.run(rt.gather((0..3).map(branch)));
    let cancel = async {
        until(|| begun.load(Ordering::SeqCst) == 9 && parked.begun() == 9).await;
        handle.cancel();
    };
    let (outcome, ()) = both(cut, cancel).await;
    assert!(outcome.is_err());
    parked.assert_clean();
}

/// If every child ends by itself in spite of a cancel from outside, the outputs win.
pub async fn values_in_spite_of_a_cancel<R: Runtime>(rt: R) {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let child = |number: usize| {
        let handle = handle.clone();
        async move {
            if number == 0 {
                handle.cancel();
            }
            cancelled().await;
            number
        }
    };
    let outcome = scope.run(rt.gather((0..1).map(child))).await;
    let [value] = <[_; 1]>::try_from(outcome.unwrap()).unwrap();
    assert_eq!(value.unwrap(), 0);
}

/// In a scope that is being cancelled it does not begin.
pub async fn does_not_begin_in_a_cancelled_scope<R: Runtime>(rt: R) {
    let (held, witness) = token();
    let scope = CancelScope::new();
    scope.handle().cancel();
    let child = hold(held, ready(1));
    assert!(scope.run(rt.gather([child])).await.is_err());
    // It was dropped here, and not inside of a task of its own.
    assert_eq!(witness.only().task, None);
}

/// Nothing is spawned before the first poll.
pub async fn does_nothing_until_polled<R: Runtime>(rt: R) {
    let (held, witness) = token();
    let gather = rt.gather([hold(held, ready(1))]);
    turns(&rt, 3).await;
    assert!(!witness.is_dropped());
    drop(gather);
    assert_eq!(witness.only().task, None);
}

/// Dropped from outside it cancels its children, and they clean up by themselves.
pub async fn dropped<R: Runtime>(rt: R) {
    for number in 0..ALL {
        let parked = Parked::default();
        let mut job = each(&rt, number, &parked, pending());
        assert!(poll_once(&mut job).await.is_pending());
        until(|| parked.has_begun()).await;
        drop(job);
        until(|| parked.is_clean()).await;
    }
}

/// Neither a decision nor a panic of a child after the drop reaches anybody; the panic is reported.
pub async fn a_child_panics_after_the_drop<R: Runtime>(rt: R) {
    let (held, witness) = token();
    let parked = Parked::default();
    let parks = parked.clone().child::<Result<(), Fails>, R>(rt.clone());
    let text = unique("in a clean-up after the drop");
    let child = finally(parks, hold(held, never(text.clone())));
    let mut job = Box::pin(rt.try_gather([child]));
    assert!(poll_once(&mut job).await.is_pending());
    until(|| parked.has_begun()).await;
    drop(job);
    until(|| parked.is_clean() && witness.is_dropped()).await;
    until(|| reports::of_panics(&text) > 0).await;
    rt.spawn(yield_now()).await.unwrap();
    assert_eq!(reports::of_panics(&text), 1);
}

/// A combinator that is forgotten loses nothing but memory: its children run on.
pub async fn forgotten<R: Runtime>(rt: R) {
    let (held, witness) = token();
    let gate = Gate::new();
    let mut gather = Box::pin(rt.gather([hold(held, gate.wait())]));
    assert!(poll_once(&mut gather).await.is_pending());
    forget(gather);
    gate.open();
    until(|| witness.is_dropped()).await;
}

/// A child that has ended is dropped at once, while the others run.
pub async fn a_finished_child_is_dropped<R: Runtime>(rt: R) {
    let (held, witness) = token();
    let parked = Parked::default();
    let parks = parked.clone().child::<(), R>(rt.clone());
    let mut gather = Box::pin(rt.gather((hold(held, ready(1)), parks)));
    assert!(poll_once(&mut gather).await.is_pending());
    until(|| witness.is_dropped() && parked.has_begun()).await;
    assert!(witness.only().task.is_some());
}

/// Polled after it was ready it panics, with the name of the combinator.
pub async fn polled_after_ready<R: Runtime>(rt: R) {
    let mut gather = rt.gather([ready(1)]);
    std::future::poll_fn(|cx| Pin::new(&mut gather).poll(cx).map(drop)).await;
    let mut cx = Context::from_waker(std::task::Waker::noop());
    let text = panic_of(|| Pin::new(&mut gather).poll(&mut cx).map(drop));
    assert_eq!(text, "`gather` was polled after it was ready");
}

/// It passes through foreign combinators, and on to another task while it runs.
pub async fn moved_to_another_task<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let parks = parked.clone().child::<u8, R>(rt.clone());
    let mut race = rt.race([parks]);
    let first = rt.spawn(async move {
        assert!(poll_once(&mut race).await.is_pending());
        [race]
    });
    let [race] = first.await.unwrap();
    until(|| parked.has_begun()).await;
    let begun = Gate::new();
    let opens = begun.clone();
    let task = rt.spawn(async move {
        opens.open();
        race.await
    });
    begun.wait().await;
    assert!(task.cancel_and_join().await.unwrap_err().is_cancelled());
    parked.assert_clean();
    let (a, b) = both(rt.gather([ready(1)]), rt.race([ready(2)])).await;
    assert_eq!((a[0].as_ref().unwrap(), b), (&1, Ok(2)));
}
