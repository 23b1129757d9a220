//! Who takes part where something can be cancelled: timeouts, scopes, groups.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kumi_core::cancel::CancelScope;
use kumi_core::cleanup::finally;
use kumi_core::combine::{timeout, yield_now};
use kumi_core::group::{TaskGroup, task_group};
use kumi_core::runtime::{Owned, Runtime};
use kumi_core::task::SpawnExt;
use kumi_loop::Loop;
use kumi_sim::Sim;
use kumi_smol::Smol;
use kumi_tokio::Tokio;
use tokio_util::sync::CancellationToken;

use crate::competitor::{BestOf, Competitor, Mark, competitor};
use crate::host::{SMOL, SMOL_2, SmolThreads, TOKIO, TOKIO_2};
use crate::plan::Plan;
use crate::runtimes::{expected, smol_spawn, tokio_current_thread, tokio_workers};
use crate::spawn::{joined, marked};

const LIMIT: Duration = Duration::from_secs(60);

/// Makes the competitors of one size.
type Make = fn(usize) -> io::Result<Vec<Competitor>>;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let limits = [
        ("timeout.ready", 0),
        ("timeout.yield1", 1),
        ("timeout.yield10", 10),
    ];
    let limited = |(name, yields): (&str, usize)| {
        Plan::single(name, 1_000, move || {
            let mark = Mark {
                at_most: 0.8,
                best_of: BestOf::These(&[TOKIO]),
            };
            // Ten are for the cost of a poll, which has no mark.
            let marks = if yields < 10 { vec![mark] } else { Vec::new() };
            Ok(marked(timeouts(1_000, yields)?, marks))
        })
    };
    let mut all: Vec<_> = limits.into_iter().map(limited).collect();
    all.push(Plan::single("scope.poll", 10_000, || Ok(polls(10_000))));
    let kinds: [(&str, Make); 3] = [
        ("group", groups),
        ("group.cancel", cancelled_groups),
        ("group.cleanup", cleaned_groups),
    ];
    for (name, make) in kinds {
        for size in [1, 10, 1_000, 100_000] {
            let children = if smoke { size.min(10) } else { size };
            all.push(Plan::sized(name, size, children, move || make(children)));
        }
    }
    all
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
    Ok(vec![
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
    ])
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
    const BARE: &str = "floor: no scope";
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
        competitor(SMOL, SMOL, smol_spawn(children)),
        competitor(
            "kumi on smol, 1 thread",
            SMOL,
            kumi_group(Smol::current_thread(), children),
        ),
        joined(SmolThreads::new(), children, 1),
        competitor(
            "kumi on smol, 2 threads",
            SMOL_2,
            kumi_group(Smol::threads(2)?, children),
        ),
        competitor("kumi on loop", TOKIO, kumi_group(Loop::new()?, children)),
        competitor("kumi on sim", TOKIO, kumi_group(Sim::new(), children)),
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

/// Kumi beside tokio's two runtimes, each with the function that does it.
macro_rules! beside_tokio {
    ($native:ident, $kumi:ident, $count:expr) => {
        Ok(vec![
            competitor(TOKIO, TOKIO, $native(tokio_current_thread()?, $count)),
            competitor(
                "kumi on tokio, current thread",
                TOKIO,
                $kumi(Tokio::current_thread()?, $count),
            ),
            competitor(TOKIO_2, TOKIO_2, $native(tokio_workers()?, $count)),
            competitor(
                "kumi on tokio, 2 workers",
                TOKIO_2,
                $kumi(Tokio::workers(2)?, $count),
            ),
            competitor(
                "kumi on smol, 1 thread",
                TOKIO,
                $kumi(Smol::current_thread(), $count),
            ),
            competitor(
                "kumi on smol, 2 threads",
                TOKIO_2,
                $kumi(Smol::threads(2)?, $count),
            ),
            competitor("kumi on loop", TOKIO, $kumi(Loop::new()?, $count)),
            competitor("kumi on sim", TOKIO, $kumi(Sim::new(), $count)),
        ])
    };
}

/// N children that are parked, cancelled together and waited for. Spawning them is part of it.
fn cancelled_groups(children: usize) -> io::Result<Vec<Competitor>> {
    beside_tokio!(aborted_set, kumi_cancelled_group, children)
}

/// The same with a clean-up in each child that yields once, and that the group waits for.
fn cleaned_groups(children: usize) -> io::Result<Vec<Competitor>> {
    beside_tokio!(told_set, kumi_cleaned_group, children)
}

/// How many children have begun, how many are gone, and how many have cleaned up.
#[derive(Default)]
struct Children {
    begun: AtomicUsize,
    gone: AtomicUsize,
    cleaned: AtomicUsize,
}

impl Children {
    /// One that waits for ever. Who is cancelled before it has begun costs less, so all are waited for.
    async fn wait(self: Arc<Self>) {
        self.begun.fetch_add(1, Ordering::Relaxed);
        let _gone = Gone(&self.gone);
        std::future::pending().await
    }

    fn have_begun(&self, count: usize) -> bool {
        self.begun.load(Ordering::Relaxed) == count
    }
}

/// Counts when it is dropped.
struct Gone<'a>(&'a AtomicUsize);

impl Drop for Gone<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn aborted_set(runtime: tokio::runtime::Runtime, count: usize) -> impl FnMut() + 'static {
    move || {
        let children = Arc::new(Children::default());
        runtime.block_on(async {
            let mut set = tokio::task::JoinSet::new();
            for _ in 0..count {
                set.spawn(Arc::clone(&children).wait());
            }
            while !children.have_begun(count) {
                tokio::task::yield_now().await;
            }
            set.shutdown().await;
        });
        assert_eq!(children.gone.load(Ordering::Relaxed), count);
    }
}

/// Tasks that are told by a token, as one does it with tokio, and clean up.
fn told_set(runtime: tokio::runtime::Runtime, count: usize) -> impl FnMut() + 'static {
    move || {
        let children = Arc::new(Children::default());
        runtime.block_on(async {
            let token = CancellationToken::new();
            let mut set = tokio::task::JoinSet::new();
            for _ in 0..count {
                let (token, children) = (token.clone(), Arc::clone(&children));
                set.spawn(async move {
                    let body = Arc::clone(&children).wait();
                    token.run_until_cancelled(body).await;
                    tokio::task::yield_now().await;
                    children.cleaned.fetch_add(1, Ordering::Relaxed);
                });
            }
            while !children.have_begun(count) {
                tokio::task::yield_now().await;
            }
            token.cancel();
            set.join_all().await;
        });
        assert_eq!(children.cleaned.load(Ordering::Relaxed), count);
    }
}

/// Starts `child` so often in a group, and cancels them when all have begun.
fn kumi_cancelled<R: Runtime, F: Future<Output = ()> + Send + 'static>(
    runtime: &Owned<R>,
    count: usize,
    children: &Arc<Children>,
    child: impl Fn(Arc<Children>) -> F,
) {
    let group = task_group(&runtime.handle(), async |group: TaskGroup<(), R>| {
        for _ in 0..count {
            let child = child(Arc::clone(children));
            drop(group.spawn(async {
                child.await;
                Ok(())
            }));
        }
        while !children.have_begun(count) {
            yield_now().await;
        }
        group.cancel();
        Ok(())
    });
    runtime.block_on(group).expect("nothing fails");
}

fn kumi_cancelled_group<R: Runtime>(runtime: Owned<R>, count: usize) -> impl FnMut() + 'static {
    move || {
        let children = Arc::new(Children::default());
        kumi_cancelled(&runtime, count, &children, Children::wait);
        assert_eq!(children.gone.load(Ordering::Relaxed), count);
    }
}

fn kumi_cleaned_group<R: Runtime>(runtime: Owned<R>, count: usize) -> impl FnMut() + 'static {
    move || {
        let children = Arc::new(Children::default());
        kumi_cancelled(&runtime, count, &children, |children| {
            finally(Arc::clone(&children).wait(), async move {
                yield_now().await;
                children.cleaned.fetch_add(1, Ordering::Relaxed);
            })
        });
        assert_eq!(children.cleaned.load(Ordering::Relaxed), count);
    }
}
