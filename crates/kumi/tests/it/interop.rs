//! Kumi's combinators and those of `futures` and tokio, inside of each other, on every backend.

use std::cell::Cell;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, FuturesUnordered, StreamExt};
use kumi::backend::{Loop, Sim, Smol, Tokio};
use kumi::core::combine::yield_now;
use kumi::core::runtime::{Owned, Runtime};
use kumi::{Combine, ReturnWhen, as_completed, gather, race, try_gather, wait};
use tokio::sync::Mutex;

/// Runs a test on every backend.
fn everywhere(test: impl AsyncFn()) {
    fn on<R: Runtime>(runtime: Owned<R>, test: &impl AsyncFn()) {
        runtime.block_on(test());
    }
    on(Sim::new(), &test);
    on(Sim::with_seed(7), &test);
    on(Loop::new().expect("the loop starts"), &test);
    on(Smol::current_thread(), &test);
    on(Tokio::current_thread().expect("tokio starts"), &test);
    on(Tokio::workers(2).expect("tokio starts"), &test);
}

async fn after(turns: usize) -> usize {
    for _ in 0..turns {
        yield_now().await;
    }
    turns
}

#[test]
fn inside_of_foreign_combinators() {
    everywhere(async || {
        let (all, first) = futures::join!(gather([after(2), after(1)]), race([after(3), after(1)]));
        assert_eq!((all, first), ([2, 1], Ok(1)));
        let fine = async |turns| Ok::<_, ()>(after(turns).await);
        let (tried, all) = tokio::join!(
            try_gather((fine(1), fine(2))),
            wait(vec![after(1), after(0)], ReturnWhen::AllCompleted)
        );
        assert_eq!((tried, all.done.len()), (Ok((1, 2)), 2));

        let unordered: FuturesUnordered<_> = (1..4).map(|n| gather([after(n), after(1)])).collect();
        let mut outputs: Vec<_> = unordered.collect().await;
        outputs.sort_unstable();
        assert_eq!(outputs, [[1, 1], [2, 1], [3, 1]]);
        let buffered = stream::iter(1..4).map(|n| gather((after(n), after(0))));
        let outputs: Vec<_> = buffered.buffered(2).collect().await;
        assert_eq!(outputs, [(1, 0), (2, 0), (3, 0)]);
        let joined = futures::future::join_all([race([after(1)]), race([after(2)])]);
        assert_eq!(joined.await, [Ok(1), Ok(2)]);
    });
}

#[test]
fn foreign_combinators_inside() {
    everywhere(async || {
        let unordered = async |turns: [usize; 2]| {
            let all: FuturesUnordered<_> = turns.map(after).into_iter().collect();
            all.collect::<Vec<_>>().await.len()
        };
        let selected = async {
            tokio::select! {
                biased;
                turns = after(9) => turns,
                turns = after(1) => turns,
            }
        };
        let joined = futures::future::join(after(2), after(1));
        let all = gather((unordered([2, 1]), selected, joined)).await;
        assert_eq!(all, (2, 1, (2, 1)));
        let lengths = gather([unordered([0, 3]), unordered([1, 1])]).await;
        assert_eq!(lengths, [2, 2]);
        let slow = async { futures::join!(after(5), after(6)).0 };
        assert_eq!(race((slow, unordered([1, 1]))).await, Ok(2));

        // A foreign stream of futures, and the outputs as a stream for foreign adaptors.
        let source = stream::iter((0..9).map(|n| after(n % 3)));
        let sum = as_completed(source).limit(2);
        let sum = sum.map(|turns| turns + 1).fold(0, async |a, b| a + b);
        assert_eq!(sum.await, 9 + 9);
    });
}

#[test]
fn a_loop_over_a_foreign_select_loses_nothing() {
    everywhere(async || {
        let mut outputs = pin!(as_completed((0..20).map(after)).limit(5));
        let (mut seen, mut given_up) = (Vec::new(), 0);
        loop {
            tokio::select! {
                output = outputs.next() => match output {
                    Some(output) => seen.push(output),
                    None => break,
                },
                _ = after(1) => given_up += 1,
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
        assert!(given_up > 0, "the other branch was never taken");
    });
}

/// Takes a lock, and keeps it for a turn.
async fn with_lock(lock: &Mutex<()>) {
    let held = lock.lock().await;
    yield_now().await;
    drop(held);
}

/// Whether a loop ends whose body wants the lock of its children. On the simulator an hour passes only
/// if nothing can run: so this is no matter of time.
fn ends<F: Future<Output = usize>>(program: impl FnOnce(Sim, Arc<Mutex<()>>) -> F) -> bool {
    let sim = Sim::new();
    let program = program(sim.handle(), Arc::default());
    let ended = sim.block_on(async { kumi::timeout(Duration::from_secs(3_600), program).await });
    assert!(ended.is_err() || ended == Ok(4), "some are lost: {ended:?}");
    ended.is_ok()
}

/// futures-rs issue 2387, Oxide's RFD 609: the next child is given the lock while nobody polls it,
/// and the body waits for it for ever.
#[test]
fn where_buffered_stalls_ours_goes_on() {
    let buffered = ends(async |_, lock| {
        let children = stream::iter((0..4).map(|_| with_lock(&lock)));
        let mut outputs = pin!(children.buffered(2));
        let mut count = 0;
        while outputs.next().await.is_some() {
            drop(lock.lock().await);
            count += 1;
        }
        count
    });
    let unordered = ends(async |_, lock| {
        let mut outputs: FuturesUnordered<_> = (0..4).map(|_| with_lock(&lock)).collect();
        let mut count = 0;
        while outputs.next().await.is_some() {
            drop(lock.lock().await);
            count += 1;
        }
        count
    });
    assert_eq!((buffered, unordered), (false, false), "they go on as well");

    // Driven while the body runs.
    let driven = ends(async |_, lock| {
        let count = Cell::new(0);
        let children = (0..4).map(|_| with_lock(&lock));
        let each = as_completed(children).limit(2).for_each(async |()| {
            drop(lock.lock().await);
            count.set(count.get() + 1);
        });
        each.await;
        count.get()
    });
    // Children that are tasks.
    let tasks = ends(async |rt, lock| {
        let children = (0..4).map(|_| {
            let lock = Arc::clone(&lock);
            async move { with_lock(&lock).await }
        });
        let mut outputs = pin!(rt.as_completed(children));
        let mut count = 0;
        while let Some(output) = outputs.next().await {
            output.expect("the child ends well");
            drop(lock.lock().await);
            count += 1;
        }
        count
    });
    assert!(driven && tasks, "{driven} {tasks}");
}
