//! Tasks that are waited for one by one: `as_completed` and `wait` of a runtime, and their limits.

use std::future::{Future, pending, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use futures_core::Stream;
use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::combine::{ReturnWhen, as_completed, gather, limited, wait, yield_now};
use kumi_core::context::current_task;
use kumi_core::runtime::Runtime;
use kumi_core::spawned::{Combine, SpawnedError};
use kumi_core::task::SpawnExt;

use super::spawned::{Fails, Parked};
use crate::probe::{Gate, assert_panicked, both, poll_once, text, until};

type Child<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// A child that ends when the gate is open.
fn behind(gate: &Gate, number: usize) -> Child<usize> {
    let gate = gate.clone();
    Box::pin(async move {
        gate.wait().await;
        number
    })
}

/// How many are alive, and the most there ever were.
#[derive(Clone, Default)]
struct Alive(Arc<AtomicUsize>, Arc<AtomicUsize>);

impl Alive {
    async fn child(self, number: usize) -> usize {
        let alive = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.1.fetch_max(alive, Ordering::SeqCst);
        for _ in 0..number % 3 {
            yield_now().await;
        }
        self.0.fetch_sub(1, Ordering::SeqCst);
        number
    }

    fn most(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }
}

/// Outcomes come as the tasks end, and `indexed` tells which.
pub async fn outcomes_as_they_come<R: Runtime>(rt: R) {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let children = gates
        .iter()
        .enumerate()
        .map(|(n, gate)| behind(gate, 10 * n));
    let mut outcomes = rt.as_completed(children.collect::<Vec<_>>()).indexed();
    for number in [2, 0, 1] {
        gates[number].open();
        let (place, outcome) = outcomes.next().await.expect("three come");
        assert_eq!((place, outcome.unwrap()), (number, 10 * number));
    }
    assert!(outcomes.next().await.is_none());
    let mut sum = 0;
    let both = (async { 1_u8 }, ready(2_u8));
    rt.as_completed(both)
        .for_each(|outcome| {
            sum += outcome.unwrap();
            ready(())
        })
        .await;
    assert_eq!(sum, 3);
    let nothing = Vec::<std::future::Ready<()>>::new();
    assert!(rt.as_completed(nothing).next().await.is_none());
}

/// The tasks begin with the first poll, and go on while nobody polls: so a loop may wait for what one
/// of them holds.
pub async fn they_go_on_by_themselves<R: Runtime>(rt: R) {
    let (begun, released) = (Arc::<AtomicUsize>::default(), Gate::new());
    let children = [0, 1].map(|number| {
        let (begun, released) = (Arc::clone(&begun), released.clone());
        async move {
            begun.fetch_add(1, Ordering::SeqCst);
            if number == 1 {
                yield_now().await;
                yield_now().await;
                released.open();
            }
            number
        }
    });
    let mut outcomes = rt.as_completed(children);
    checkpoint().await;
    assert_eq!(begun.load(Ordering::SeqCst), 0, "nobody has polled");
    let mut count = 0;
    while let Some(outcome) = outcomes.next().await {
        outcome.unwrap();
        released.wait().await;
        count += 1;
    }
    assert_eq!(count, 2);
}

/// Never more tasks than so many, drawn on demand from an iterator without end or a stream.
pub async fn never_more_than_the_limit<R: Runtime>(rt: R) {
    let (alive, drawn) = (Alive::default(), AtomicUsize::new(0));
    let source = (0_usize..).map(|number| {
        drawn.fetch_add(1, Ordering::SeqCst);
        alive.clone().child(number)
    });
    let mut outcomes = rt.as_completed(source).limit(3);
    for _ in 0..20 {
        outcomes.next().await.expect("it has no end").unwrap();
    }
    let drawn = drawn.load(Ordering::SeqCst);
    assert!((20..=23).contains(&drawn), "{drawn} were drawn");
    drop(outcomes);
    assert!(alive.most() <= 3, "{} were alive", alive.most());

    /// The children of a list, as a stream.
    struct Listed<F>(std::vec::IntoIter<F>);
    impl<F: Unpin> Stream for Listed<F> {
        type Item = F;
        fn poll_next(
            mut self: Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<F>> {
            std::task::Poll::Ready(self.0.next())
        }
    }
    let alive = Alive::default();
    let listed = || {
        let children = (0..9).map(|number| -> Child<_> { Box::pin(alive.clone().child(number)) });
        Listed(children.collect::<Vec<_>>().into_iter())
    };
    let mut sum = 0;
    let outcomes = rt.as_completed(listed()).limit(2);
    let add = |outcome: Result<usize, _>| {
        sum += outcome.unwrap();
        ready(())
    };
    outcomes.for_each(add).await;
    assert_eq!(sum, 36);
    let outcomes = gather(limited(2, rt.as_tasks(listed()))).await;
    let numbers = outcomes.into_iter().map(Result::unwrap);
    assert!(numbers.eq(0..9));
    assert!(alive.most() <= 2, "{} were alive", alive.most());
}

/// `gather` and `try_gather` with a limit: in order, in shape; one at a time with 1.
pub async fn gathered_with_a_limit<R: Runtime>(rt: R) {
    for limit in [1, 4, 100] {
        let alive = Alive::default();
        let child = |number| alive.clone().child(number);
        let outcomes = rt.gather((0..20).map(child)).limit(limit).await;
        assert!(outcomes.into_iter().map(Result::unwrap).eq(0..20));
        let array: [_; 3] = rt.gather([7, 8, 9].map(child)).limit(limit).await;
        assert_eq!(array.map(Result::unwrap), [7, 8, 9]);
        let fine = |number| {
            let child = child(number);
            async { Ok::<_, Fails>(child.await) }
        };
        let boxed: Box<[_]> = (0..4).map(fine).collect();
        let boxed: Box<[usize]> = rt.try_gather(boxed).limit(limit).await.unwrap();
        assert_eq!(*boxed, [0, 1, 2, 3]);
        assert!(alive.most() <= limit, "{} of {limit}", alive.most());
    }
}

/// An error unwinds those that have begun before it is returned, and no more begin.
pub async fn an_error_under_a_limit<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let parks: Child<Result<(), Fails>> = Box::pin(parked.clone().child(rt.clone()));
    let fails: Child<_> = Box::pin(parked.clone().then(Err("no")));
    let late: Child<_> = Box::pin(async { panic!("nothing begins any more") });
    let failed = rt.try_gather(vec![parks, fails, late]).limit(2).await;
    assert!(matches!(failed, Err(SpawnedError::Failed("no"))));
    parked.assert_clean();
}

/// `limit` comes before the first poll. After it the children end as those of a combinator that is dropped.
pub async fn a_limit_that_comes_too_late<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let mut begun = rt.gather([parked.clone().child::<(), R>(rt.clone())]);
    assert!(poll_once(&mut begun).await.is_pending());
    until(|| parked.has_begun()).await;
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(begun.limit(1))));
    assert!(text(panic.unwrap_err()).contains("`limit` was called after the first poll"));
    until(|| parked.is_clean()).await;
}

/// `wait` returns with the first, ends nobody, and the others go on until they are waited for again.
pub async fn waited_for<R: Runtime>(rt: R) {
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let mut number = 0;
    let children = gates.each_ref().map(|gate| {
        number += 1;
        behind(gate, number)
    });
    gates[1].open();
    let first = rt.wait(children, ReturnWhen::FirstCompleted).await;
    assert!(matches!(first.done[..], [(1, Ok(2))]), "{:?}", first.done);
    assert_eq!(first.pending.len(), 2);
    gates[0].open();
    let again = wait(first.pending, ReturnWhen::AllCompleted).timeout(Duration::ZERO);
    let again = again.await;
    gates[2].open();
    let rest = wait(again.pending, ReturnWhen::AllCompleted).await;
    let mut ends: Vec<_> = again.done.into_iter().chain(rest.done).collect();
    ends.sort_by_key(|end| end.0);
    assert!(matches!(ends[..], [(0, Ok(1)), (2, Ok(3))]), "{ends:?}");
    assert!(rest.pending.is_empty());
}

/// A child that somebody else cancels is an outcome; `FirstError` takes it for one.
pub async fn a_cancelled_child_is_an_outcome<R: Runtime>(rt: R) {
    let children = || -> [Child<u8>; 2] {
        let cancels_itself = async {
            current_task().expect("a child is a task").cancel();
            pending().await
        };
        [Box::pin(cancels_itself), Box::pin(pending())]
    };
    let mut outcomes = rt.as_completed(children()).indexed();
    let (place, outcome) = outcomes.next().await.expect("one ends");
    assert!(place == 0 && outcome.unwrap_err().is_cancelled());
    let waited = rt.wait(children(), ReturnWhen::FirstError).await;
    assert!(matches!(&waited.done[..], [(0, Err(error))] if error.is_cancelled()));
    assert_eq!(waited.pending.len(), 1);
}

/// The panic of a child goes on at the next poll.
pub async fn a_child_panics<R: Runtime>(rt: R) {
    let own = rt.clone();
    let joined = rt.spawn(async move {
        let children: [Child<()>; 2] = [
            Box::pin(async { panic!("of a child") }),
            Box::pin(pending()),
        ];
        own.as_completed(children).next().await.is_some()
    });
    assert_eq!(assert_panicked(joined.await), "of a child");
}

/// Dropped in the middle: those that are left are cancelled, and clean up by themselves.
pub async fn dropped_in_the_middle<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let children: [Child<u8>; 2] = [
        Box::pin(parked.clone().child(rt.clone())),
        Box::pin(parked.clone().then(1)),
    ];
    let mut outcomes = rt.as_completed(children);
    assert_eq!(outcomes.next().await.expect("one ends").unwrap(), 1);
    drop(outcomes);
    until(|| parked.is_clean()).await;

    let parked = Parked::default();
    let children = [parked.clone().child::<u8, R>(rt.clone())];
    let waited = rt
        .wait(children, ReturnWhen::AllCompleted)
        .timeout(Duration::ZERO);
    let waited = waited.await;
    until(|| parked.has_begun()).await;
    drop(waited.pending);
    until(|| parked.is_clean()).await;
}

/// A cancel reaches the children of a stream, or of `pending`, that nobody polls, and the scope waits for
/// their clean-ups: nobody has to poll them for that.
pub async fn a_pause_in_a_cancelled_scope<R: Runtime>(rt: R) {
    for waits in [false, true] {
        let parked = Parked::default();
        let children: [Child<u8>; 2] = [
            Box::pin(parked.clone().child(rt.clone())),
            Box::pin(parked.clone().then(1)),
        ];
        let scope = CancelScope::new();
        let (handle, paused) = (scope.handle(), Gate::new());
        let (own, pause) = (rt.clone(), paused.clone());
        let cut = scope.run(async move {
            if waits {
                let waited = own.wait(children, ReturnWhen::FirstCompleted).await;
                assert_eq!(waited.pending.len(), 1);
                pause.open();
                pending::<()>().await;
                drop(waited);
            } else {
                let mut outcomes = own.as_completed(children);
                outcomes.next().await.expect("one ends").unwrap();
                pause.open();
                pending::<()>().await;
                drop(outcomes);
            }
        });
        let cancel = async {
            paused.wait().await;
            handle.cancel();
        };
        let (ended, ()) = both(cut, cancel).await;
        assert!(ended.is_err());
        parked.assert_clean();
    }
}

/// A cancel in `next` is not swallowed, and gives no more outcomes.
pub async fn cancelled_from_outside<R: Runtime>(rt: R) {
    let parked = Parked::default();
    let children = [0, 1].map(|_| parked.clone().child::<u8, R>(rt.clone()));
    let scope = CancelScope::new();
    let handle = scope.handle();
    let cut = scope.run(async {
        let next = rt.as_completed(children).next().await;
        unreachable!("code after a cancelled await: {}", next.is_some());
    });
    let cancel = async {
        until(|| parked.begun() == 2).await;
        handle.cancel();
    };
    let (ended, ()) = both(cut, cancel).await;
    let ended: Result<(), _> = ended;
    assert!(ended.is_err());
    parked.assert_clean();
}

/// They may be held in a task: whoever holds one is `Send`, also with borrowed things beside it.
pub async fn is_send<R: Runtime>(rt: R) {
    let own = rt.clone();
    let task = rt.spawn(async move {
        let names = ["a", "bc"];
        let lengths = names.map(|name| async move { name.len() });
        let mut sum = 0;
        let mut outcomes = own.as_completed(lengths).limit(1);
        while let Some(length) = outcomes.next().await {
            sum += length.unwrap();
        }
        let lengths = names.map(|name| async move { Ok::<_, Fails>(name.len()) });
        sum += own.try_gather(lengths).limit(2).await.unwrap().len();
        let lengths = names.into_iter().map(|name| async move { name.len() });
        let waited = own.wait(lengths, ReturnWhen::AllCompleted).await;
        sum + waited.done.len()
    });
    assert_eq!(task.await.unwrap(), 7);
}

/// The children run on several threads at once: here they wait for each other.
pub async fn in_parallel<R: Runtime>(rt: R) {
    let barrier = Arc::new(Barrier::new(2));
    let meets = |_: usize| {
        let barrier = Arc::clone(&barrier);
        async move { barrier.wait().is_leader() }
    };
    let mut outcomes = rt.as_completed((0..2).map(meets));
    let one = outcomes.next().await.expect("two come").unwrap();
    let two = outcomes.next().await.expect("two come").unwrap();
    assert!(one != two);
    // By a task: where the thread inside `block_on` runs tasks as well, it may be in a child when the next is to
    // begin.
    let own = rt.clone();
    let children: Vec<_> = (0..4).map(meets).collect();
    let limited = rt.spawn(async move { own.gather(children).limit(2).await });
    let leaders = limited.await.unwrap();
    let leaders = leaders.into_iter().map(Result::unwrap);
    assert_eq!(leaders.filter(|&leader| leader).count(), 2);
    let mut handles = as_completed((0..2).map(|number| rt.spawn(meets(number))));
    assert!(handles.next().await.is_some_and(|it| it.is_ok()));
}
