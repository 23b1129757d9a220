//! Combinators whose children are tasks: order, decisions, and that no child outlives them.

use std::future::{Future, pending, ready};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::task::Poll;

use kumi_core::cleanup::finally;
use kumi_core::combine::yield_now;
use kumi_core::context::current_task;
use kumi_core::runtime::Runtime;
use kumi_core::spawned::{Combine, SpawnedError};
use kumi_core::task::{JoinError, SpawnExt};

use crate::probe::{Gate, both, poll_once, token, turns};

pub(super) type Fails = &'static str;

/// Takes the values of outcomes.
fn values<T>(outcomes: impl IntoIterator<Item = Result<T, JoinError>>) -> Vec<T> {
    let values = outcomes.into_iter().map(|outcome| outcome.unwrap());
    values.collect()
}

/// Takes some turns, later numbers fewer, and returns the number.
async fn late<R: Runtime>(rt: R, number: usize) -> usize {
    turns(&rt, 5 - number).await;
    number
}

/// What a child does that waits until it is cancelled, and then cleans up for some turns.
#[derive(Clone, Default)]
pub(super) struct Parked {
    gate: Gate,
    count: Arc<AtomicUsize>,
    ended: Arc<AtomicUsize>,
}

impl Parked {
    /// A child.
    pub(super) async fn child<T, R: Runtime>(self, rt: R) -> T {
        self.count.fetch_add(1, Ordering::SeqCst);
        self.gate.open();
        finally(pending::<T>(), async {
            turns(&rt, 2).await;
            self.ended.fetch_add(1, Ordering::SeqCst);
        })
        .await
    }

    /// A child that returns after this one has begun.
    pub(super) async fn then<T>(self, value: T) -> T {
        self.gate.wait().await;
        value
    }

    /// Whether some have begun.
    pub(super) fn has_begun(&self) -> bool {
        self.begun() > 0
    }

    /// How many have begun.
    pub(super) fn begun(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }

    /// Whether the clean-ups of all that had begun have ended.
    pub(super) fn is_clean(&self) -> bool {
        self.ended.load(Ordering::SeqCst) == self.begun()
    }

    /// Asserts that the clean-ups of all that had begun have ended.
    #[track_caller]
    pub(super) fn assert_clean(&self) {
        assert_eq!(self.ended.load(Ordering::SeqCst), self.begun());
        assert!(self.has_begun(), "none has begun");
    }
}

/// A child that cancels its own task, as somebody else may.
async fn cancels_itself<T>() -> T {
    current_task().expect("a child is a task").cancel();
    pending().await
}

/// The outputs of `gather` have the order of the futures and the shape of the container.
pub async fn in_order<R: Runtime>(rt: R) {
    let child = |number| late(rt.clone(), number);
    let list: Vec<_> = (0..5).map(child).collect();
    assert_eq!(values(rt.gather(list).await), [0, 1, 2, 3, 4]);
    assert_eq!(values(rt.gather((0..5).map(child)).await), [0, 1, 2, 3, 4]);
    let array: [Result<usize, _>; 2] = rt.gather([child(1), child(0)]).await;
    assert_eq!(values(array), [1, 0]);
    let boxed: Box<[_]> = (0..3).map(child).collect();
    let boxed: Box<[Result<usize, _>]> = rt.gather(boxed).await;
    assert_eq!(values(boxed), [0, 1, 2]);
    let (a, b, c) = rt.gather((child(0), async { "b" }, ready('c'))).await;
    assert_eq!((a.unwrap(), b.unwrap(), c.unwrap()), (0, "b", 'c'));
    let child = |number| {
        let child = late(rt.clone(), number);
        async { Ok::<_, Fails>(child.await) }
    };
    assert_eq!(
        rt.try_gather((0..3).map(child)).await.unwrap(),
        vec![0, 1, 2]
    );
    assert_eq!(rt.try_gather([child(1), child(0)]).await.unwrap(), [1, 0]);
    let pair = rt.try_gather((child(4), async { Ok("b") })).await;
    assert_eq!(pair.unwrap(), (4, "b"));
}

/// Tuples have up to twelve futures.
pub async fn twelve<R: Runtime>(rt: R) {
    let r = ready::<u8>;
    let tuple = (r(0), r(1), r(2), r(3), r(4), r(5));
    let (a, b, c, d, e, f) = rt.gather(tuple).await;
    assert_eq!(values([a, b, c, d, e, f]), [0, 1, 2, 3, 4, 5]);
    let o = |number: u8| ready(Ok::<_, Fails>(number));
    let tuple = (
        o(0),
        o(1),
        o(2),
        o(3),
        o(4),
        o(5),
        o(6),
        o(7),
        o(8),
        o(9),
        o(10),
        o(11),
    );
    let (a, .., l) = rt.try_gather(tuple).await.unwrap();
    assert_eq!((a, l), (0, 11));
}

/// Nothing to do is defined, and done at once.
pub async fn of_nothing<R: Runtime>(rt: R) {
    type Nothing = std::future::Ready<Result<u8, Fails>>;
    let none = || Vec::<Nothing>::new();
    let mut gather = rt.gather(none());
    assert!(matches!(poll_once(&mut gather).await, Poll::Ready(all) if all.is_empty()));
    assert_eq!(rt.try_gather(none()).await.unwrap(), []);
    let lost = rt.race(none()).await.unwrap_err();
    assert_eq!(lost.to_string(), "a race without a runner has no winner");
    assert!(rt.race_ok(none()).await.unwrap_err().is_empty());
    let () = rt.gather(()).await;
    assert!(rt.race(()).await.is_err());
    let none: [Nothing; 0] = [];
    assert!(rt.gather(none).await.is_empty());
}

/// The first error of `try_gather` cancels the others, and their clean-ups end before it returns.
pub async fn an_error_cancels_the_others<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let other = |parked: &Parked| parked.clone().child::<Result<(), Fails>, R>(rt.clone());
    let children = (
        other(&parked),
        parked.clone().then(Err::<(), _>("first")),
        other(&parked),
    );
    let failed = rt.try_gather(children).await.unwrap_err();
    assert!(matches!(failed, SpawnedError::Failed("first")));
    assert_eq!(failed.to_string(), "first");
    parked.assert_clean();
}

/// The losers of `race` are cancelled, and their clean-ups end before it returns.
pub async fn losers_are_unwound<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let other = |parked: &Parked| parked.clone().child::<u8, R>(rt.clone());
    let children = (other(&parked), parked.clone().then(7), other(&parked));
    assert_eq!(rt.race(children).await, Ok(7));
    parked.assert_clean();
}

/// `race_ok` gives the first success, and unwinds the others; or all errors in order.
pub async fn the_first_success<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let other = parked.clone().child::<Result<u8, Fails>, R>(rt.clone());
    let children = (
        ready(Err("no")),
        other,
        parked.clone().then(Ok::<_, Fails>(7)),
    );
    assert_eq!(rt.race_ok(children).await.unwrap(), 7);
    parked.assert_clean();

    let fails = |number: usize| {
        let child = late(rt.clone(), number);
        async { Err::<(), _>(child.await) }
    };
    let errors = rt.race_ok([fails(0), fails(1), fails(2)]).await;
    let errors = errors.unwrap_err().map(SpawnedError::into_failed);
    assert_eq!(errors, [Some(0), Some(1), Some(2)]);
}

/// What those who are too late return is dropped before the combinator returns.
pub async fn late_values_are_dropped<R: Runtime>(rt: R) {
    let (first, witness) = token();
    let gate = Gate::new();
    let (opener, wait) = (gate.clone(), gate.wait());
    let child = async move {
        wait.await;
        first
    };
    let second = witness.token();
    let winner = async move {
        opener.open();
        second
    };
    let won = rt.race((child, winner)).await;
    assert_eq!(witness.count(), 1);
    drop(won);
    assert_eq!(witness.count(), 2);
}

/// A child that somebody else cancels is an outcome, and no cancel of the one who awaits.
pub async fn a_child_is_cancelled<R: Runtime>(rt: R) {
    let [one, two] = rt.gather([late(rt.clone(), 0), late(rt.clone(), 1)]).await;
    assert_eq!((one.unwrap(), two.unwrap()), (0, 1));
    let (cut, other) = rt
        .gather((cancels_itself::<u8>(), late(rt.clone(), 0)))
        .await;
    assert!(cut.unwrap_err().is_cancelled());
    assert_eq!(other.unwrap(), 0);

    let parked = Parked::default();
    let other = parked.clone().child::<Result<u8, Fails>, R>(rt.clone());
    let waits = parked.clone();
    let cut = async move {
        waits.then(()).await;
        cancels_itself::<Result<u8, Fails>>().await
    };
    let failed = rt.try_gather((other, cut)).await.unwrap_err();
    assert!(failed.is_cancelled(), "{failed}");
    parked.assert_clean();

    let raced = rt.race((cancels_itself(), late(rt.clone(), 1))).await;
    assert_eq!(raced, Ok(1));
    assert!(rt.race([cancels_itself::<u8>()]).await.is_err());

    let mixed = rt.race_ok((
        cancels_itself::<Result<u8, Fails>>(),
        ready(Err::<u8, _>("no")),
    ));
    let (cut, no) = mixed.await.unwrap_err();
    assert!(cut.is_cancelled());
    assert_eq!(no.into_failed(), Some("no"));
    // Nobody else was cancelled.
    rt.spawn(yield_now()).await.unwrap();
}

/// Ten thousand children.
pub async fn ten_thousand<R: Runtime>(rt: R) {
    let child = |number: usize| async move {
        yield_now().await;
        number
    };
    let sum: usize = values(rt.gather((0..10_000).map(child)).await).iter().sum();
    assert_eq!(sum, 49_995_000);
    let gate = Gate::new();
    let parked = (0..10_000).map(|number| {
        let gate = gate.clone();
        async move {
            match number {
                5_000 => gate.open(),
                _ => {
                    gate.wait().await;
                    pending::<()>().await;
                }
            }
            number
        }
    });
    assert_eq!(rt.race(parked).await, Ok(5_000));
}

/// The one who awaits is polled when the last child has ended, and not for each of them.
pub async fn one_wake_for_all<R: Runtime>(rt: R) {
    // Each ends in another turn.
    let child = |number: usize| async move {
        for _ in 0..number {
            yield_now().await;
        }
    };
    let mut gather = rt.gather((0..100).map(child));
    // In a task: a host may poll its main future for other reasons.
    let counts = rt.spawn(async move {
        let mut polls = 0;
        std::future::poll_fn(|cx| {
            polls += 1;
            std::pin::Pin::new(&mut gather).poll(cx).map(drop)
        })
        .await;
        polls
    });
    let polls = counts.await.unwrap();
    // Once to begin, once to end, and once too often.
    assert!(polls <= 3, "it was polled {polls} times");
}

/// It is `Send` if its children are, also inside of generic code, and across `spawn`.
pub async fn is_send<R: Runtime>(rt: R) {
    #[allow(clippy::manual_async_fn, reason = "the bound `Send` is what is tested")]
    fn all<R: Runtime, F>(rt: R, children: Vec<F>) -> impl Future<Output = Vec<F::Output>> + Send
    where
        F: Future<Output: Send + 'static> + Send + 'static,
    {
        send(async move { values(rt.gather(children).await) })
    }
    fn send<F: Future + Send>(future: F) -> F {
        future
    }
    let (own, child) = (rt.clone(), || ready("a text"));
    let task = rt.spawn(async move {
        let texts = all(own.clone(), vec![child()]).await;
        let won = own.race((child(), async { "a text" })).await;
        let [tried] = own.try_gather([async { Ok::<_, Fails>("a text") }]).await?;
        let lost = own.race_ok([ready(Err::<(), Fails>("no"))]);
        let (first, _) = both(lost, own.try_gather((ready(Err::<(), _>("no")),))).await;
        assert_eq!((texts[0], won, tried), ("a text", Ok("a text"), "a text"));
        assert!(first.is_err());
        Ok::<_, SpawnedError<Fails>>(())
    });
    task.await.unwrap().unwrap();
}

/// CPU work in the children runs on several threads at once: here they wait for each other.
pub async fn in_parallel<R: Runtime>(rt: R) {
    let barrier = Arc::new(Barrier::new(2));
    let meets = |_| {
        let barrier = Arc::clone(&barrier);
        async move { barrier.wait().is_leader() }
    };
    let leaders = values(rt.gather((0..2).map(meets)).await);
    assert_eq!(leaders.iter().filter(|&&leader| leader).count(), 1);
}
