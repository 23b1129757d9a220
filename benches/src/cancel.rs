//! Who takes part where something can be cancelled: timeouts, scopes, groups.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kumi_core::cancel::CancelScope;
use kumi_core::combine::{timeout, yield_now};
use kumi_core::group::{TaskGroup, task_group};
use kumi_core::runtime::{Owned, Runtime};
use kumi_core::task::SpawnExt;
use kumi_loop::Loop;
use kumi_smol::Smol;
use kumi_tokio::Tokio;

use crate::competitors::{competitor, expected, tokio_current_thread, tokio_workers};
use crate::host::{TOKIO, TOKIO_2};
use crate::measure::{BestOf, Clock, Competitor, Mark};
use crate::spawn::marked;
use crate::{Plan, Scenario};

const LIMIT: Duration = Duration::from_secs(60);

/// Timeouts that are never reached.
pub(crate) fn limits() -> Vec<Plan> {
    let all = [
        ("timeout.ready", 0),
        ("timeout.yield1", 1),
        ("timeout.yield10", 10),
    ];
    let plan = |(name, yields): (&str, usize)| {
        Plan::later(name.to_owned(), 1_000, move || {
            let mark = Mark {
                at_most: 0.8,
                best_of: BestOf::These(&[TOKIO]),
            };
            // Ten are for the cost of a poll, which has no mark.
            let marks = if yields < 10 { vec![mark] } else { Vec::new() };
            Ok(marked(timeouts(1_000, yields)?, marks))
        })
    };
    all.into_iter().map(plan).collect()
}

/// All other scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> io::Result<Vec<Scenario>> {
    let scenario = |name: &str, units, competitors| Scenario {
        name: name.to_owned(),
        units,
        competitors,
    };
    let mut all = vec![scenario("poll through a scope", 10_000, polls(10_000))];
    for (name, children) in [("group 1 000", 1_000), ("group 10", 10)] {
        all.push(scenario(name, children, groups(children)?));
    }
    for (name, children) in [
        ("cancel a group of 1 000", 1_000),
        ("cancel a group of 100 000", 100_000),
    ] {
        let children = if smoke { 10 } else { children };
        all.push(scenario(name, children, cancelled_groups(children)?));
    }
    Ok(all)
}

/// A limit around a future that yields so many times.
fn timeouts(count: usize, yields: usize) -> io::Result<Vec<Competitor>> {
    let tokio = tokio_current_thread()?;
    let native = move || {
        let task = async move {
            for _ in 0..count {
                let limited = tokio::time::timeout(LIMIT, tokio_yields(yields));
                black_box(limited.await).expect("there is time");
            }
        };
        let joined = tokio.block_on(async { tokio::spawn(task).await });
        joined.expect("the task ends well");
    };
    let mut all = vec![
        competitor(TOKIO, TOKIO, native),
        competitor(
            "kumi on tokio, current thread",
            TOKIO,
            kumi_timeouts(Tokio::current_thread()?, count, move || {
                tokio_yields(yields)
            }),
        ),
        competitor(
            "kumi on loop",
            TOKIO,
            kumi_timeouts(Loop::new()?, count, move || kumi_yields(yields)),
        ),
        competitor(
            "kumi on smol, 1 thread",
            TOKIO,
            kumi_timeouts(Smol::current_thread(), count, move || kumi_yields(yields)),
        ),
    ];
    all.iter_mut().for_each(|one| one.clock = Clock::Thread);
    Ok(all)
}

async fn tokio_yields(yields: usize) {
    for _ in 0..yields {
        tokio::task::yield_now().await;
    }
}

async fn kumi_yields(yields: usize) {
    for _ in 0..yields {
        yield_now().await;
    }
}

fn kumi_timeouts<R: Runtime, F: Future + Send>(
    runtime: Owned<R>,
    count: usize,
    body: impl Fn() -> F + Clone + Send + Sync + 'static,
) -> impl FnMut() + 'static {
    move || {
        let (rt, body) = (runtime.handle(), body.clone());
        let task = runtime.spawn(async move {
            for _ in 0..count {
                let limited = timeout(&rt, LIMIT, body());
                black_box(limited.await).expect("there is time");
            }
        });
        runtime.block_on(task).expect("the task ends well");
    }
}

/// One future that is pending, polled so many times: bare, and through scopes.
fn polls(count: usize) -> Vec<Competitor> {
    const BARE: &str = "bare";
    let bare = move || poll_often(pin!(poll_fn(pending)), count);
    let scope = move || poll_often(pin!(CancelScope::new().run(poll_fn(pending))), count);
    let three = move || {
        let inner = CancelScope::new().run(poll_fn(pending));
        let middle = CancelScope::new().run(inner);
        poll_often(pin!(CancelScope::new().run(middle)), count);
    };
    vec![
        competitor(BARE, BARE, bare),
        competitor("kumi: a scope", BARE, scope),
        competitor("kumi: three scopes", BARE, three),
    ]
}

fn pending(cx: &mut Context<'_>) -> Poll<()> {
    black_box(cx);
    Poll::Pending
}

fn poll_often<F: Future>(mut future: Pin<&mut F>, count: usize) {
    let mut cx = Context::from_waker(Waker::noop());
    for _ in 0..count {
        assert!(black_box(future.as_mut()).poll(&mut cx).is_pending());
    }
}

/// N children that yield once, in a group; their numbers added up.
fn groups(children: usize) -> io::Result<Vec<Competitor>> {
    Ok(vec![
        competitor(TOKIO, TOKIO, join_set(tokio_current_thread()?, children)),
        competitor(
            "kumi on tokio, current thread",
            TOKIO,
            kumi_group(Tokio::current_thread()?, children),
        ),
        competitor(TOKIO_2, TOKIO_2, join_set(tokio_workers()?, children)),
        competitor(
            "kumi on tokio, 2 workers",
            TOKIO_2,
            kumi_group(Tokio::workers(2)?, children),
        ),
        competitor(
            "kumi on smol, 1 thread",
            TOKIO,
            kumi_group(Smol::current_thread(), children),
        ),
        competitor("kumi on loop", TOKIO, kumi_group(Loop::new()?, children)),
    ])
}

pub(crate) fn join_set(
    runtime: tokio::runtime::Runtime,
    children: usize,
) -> impl FnMut() + 'static {
    move || {
        let sum = runtime.block_on(async {
            let mut set = tokio::task::JoinSet::new();
            for number in 0..children {
                set.spawn(async move {
                    tokio::task::yield_now().await;
                    number
                });
            }
            let mut sum = 0;
            while let Some(number) = set.join_next().await {
                sum += number.expect("the child ends well");
            }
            sum
        });
        assert_eq!(sum, expected(children));
    }
}

fn kumi_group<R: Runtime>(runtime: Owned<R>, children: usize) -> impl FnMut() + 'static {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    let rt = runtime.handle();
    move || {
        let sum = Arc::new(AtomicUsize::new(0));
        let total = Arc::clone(&sum);
        let group = task_group(&rt, async move |group: TaskGroup<(), R>| {
            for number in 0..children {
                let total = Arc::clone(&total);
                drop(group.spawn(async move {
                    yield_now().await;
                    total.fetch_add(number, Ordering::Relaxed);
                    Ok(())
                }));
            }
            Ok(())
        });
        runtime.block_on(group).expect("nothing fails");
        assert_eq!(sum.load(Ordering::Relaxed), expected(children));
    }
}

/// N children that are parked, cancelled together and waited for. Spawning them is part of it.
fn cancelled_groups(children: usize) -> io::Result<Vec<Competitor>> {
    Ok(vec![
        competitor(TOKIO, TOKIO, aborted_set(tokio_current_thread()?, children)),
        competitor(
            "kumi on tokio, current thread",
            TOKIO,
            kumi_cancelled_group(Tokio::current_thread()?, children),
        ),
        competitor(
            "kumi on smol, 1 thread",
            TOKIO,
            kumi_cancelled_group(Smol::current_thread(), children),
        ),
        competitor(
            "kumi on loop",
            TOKIO,
            kumi_cancelled_group(Loop::new()?, children),
        ),
    ])
}

fn aborted_set(runtime: tokio::runtime::Runtime, children: usize) -> impl FnMut() + 'static {
    move || {
        runtime.block_on(async {
            let mut set = tokio::task::JoinSet::new();
            for _ in 0..children {
                set.spawn(std::future::pending::<()>());
            }
            tokio::task::yield_now().await;
            set.shutdown().await;
        });
    }
}

fn kumi_cancelled_group<R: Runtime>(runtime: Owned<R>, children: usize) -> impl FnMut() + 'static {
    let rt = runtime.handle();
    move || {
        let group = task_group(&rt, async move |group: TaskGroup<(), R>| {
            for _ in 0..children {
                drop(group.spawn(std::future::pending::<Result<(), ()>>()));
            }
            yield_now().await;
            group.cancel();
            Ok(())
        });
        runtime.block_on(group).expect("nothing fails");
    }
}
