//! Who takes part where futures are polled together: `gather` and `race`, in place.
//!
//! Everything is polled by hand, without a runtime: what is measured is the structure.

use std::future::{Future, poll_fn};
use std::hint::black_box;
use std::pin::{Pin, pin};
use std::task::{Poll, Waker};

use futures_concurrency::future::{Join as _, Race as _};
use kumi_core::combine::{gather, race};
use kumi_report::data::Clock;

use crate::competitor::{Competitor, competitor};
use crate::loads::{
    Burst, Cross, Drip, Flag, Join, Load, Ready, Receiver, Yield, Yields, begin, channels, finish,
    poll, send,
};
use crate::plan::Plan;
use crate::runtimes::expected;

const JOIN_ALL: &str = "futures::join_all";
const BUFFERED: &str = "futures_buffered::join_all";
const CONCURRENCY: &str = "futures_concurrency";
const KUMI: &str = "kumi";

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = sized("gather.ready", smoke, 100_000, |size| {
        with_floor(joins(size, Ready(size)), size, Ready(size))
    });
    for (name, yields) in [("gather.yield1", 1), ("gather.yield10", 10)] {
        all.extend(sized(name, smoke, 100_000, move |size| {
            let load = Yields { size, yields };
            with_floor(joins(size, load.clone()), size, load)
        }));
    }
    all.extend(sized("gather.burst", smoke, 10_000, |size| {
        let load = Burst::new(size);
        with_floor(joins(size, load.clone()), size, load)
    }));
    all.extend(sized("gather.drip", smoke, 10_000, |size| {
        joins(size, Drip(Burst::new(size)))
    }));
    all.extend(sized("gather.cross", smoke, 10_000, |size| {
        on_the_wall(joins(size, Cross::new(size)))
    }));
    all.extend(sized("race.woken", smoke, 1_000, races));
    for (name, yields) in [
        ("tuple3.ready", 0),
        ("tuple3.yield1", 1),
        ("tuple3.yield10", 10),
    ] {
        all.push(Plan::single(name, 3_000, move || Ok(tuples(yields))));
    }
    all.push(Plan::single("tuple3.race", 1_000, || Ok(race_tuples())));
    all
}

/// One plan for each size up to the largest.
pub(crate) fn sized(
    topic: &'static str,
    smoke: bool,
    largest: usize,
    make: impl Fn(usize) -> Vec<Competitor> + Copy + 'static,
) -> Vec<Plan> {
    let all = [1, 10, 100, 1_000, 10_000, 100_000];
    let fits = |size: &usize| *size <= if smoke { 10 } else { largest };
    let plan = |size| Plan::sized(topic, size, size, move || Ok(make(size)));
    all.into_iter().filter(fits).map(plan).collect()
}

/// For loads with a thread of their own.
pub(crate) fn on_the_wall(mut all: Vec<Competitor>) -> Vec<Competitor> {
    all.iter_mut().for_each(|one| one.clock = Clock::Wall);
    all
}

#[derive(Clone, Copy)]
struct Kumi;

impl Join for Kumi {
    async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
        gather(futures).await.into_iter().sum()
    }
}

/// Polls all that are pending whenever it is polled, without asking who was woken: nobody does less for futures
/// that become ready together.
#[derive(Clone, Copy)]
struct Floor;

impl Join for Floor {
    async fn join<F: Future<Output = usize> + Unpin>(self, mut futures: Vec<F>) -> usize {
        let mut outputs = vec![None; futures.len()];
        poll_fn(|cx| {
            let mut all = true;
            for (future, output) in futures.iter_mut().zip(&mut outputs) {
                if output.is_none() {
                    match Pin::new(future).poll(cx) {
                        Poll::Ready(ready) => *output = Some(ready),
                        Poll::Pending => all = false,
                    }
                }
            }
            if all { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        outputs.into_iter().flatten().sum()
    }
}

#[derive(Clone, Copy)]
struct JoinAll;

impl Join for JoinAll {
    async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
        futures::future::join_all(futures).await.into_iter().sum()
    }
}

#[derive(Clone, Copy)]
struct Ordered;

impl Join for Ordered {
    async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
        use futures::StreamExt;
        let ordered: futures::stream::FuturesOrdered<F> = futures.into_iter().collect();
        let outputs: Vec<usize> = ordered.collect().await;
        outputs.into_iter().sum()
    }
}

#[derive(Clone, Copy)]
struct Buffered;

impl Join for Buffered {
    async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
        futures_buffered::join_all(futures).await.into_iter().sum()
    }
}

#[derive(Clone, Copy)]
struct Concurrency;

impl Join for Concurrency {
    async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
        futures.join().await.into_iter().sum()
    }
}

fn joins(size: usize, load: impl Load) -> Vec<Competitor> {
    vec![
        joined(JOIN_ALL, size, &load, JoinAll),
        joined("futures::FuturesOrdered", size, &load, Ordered),
        joined(BUFFERED, size, &load, Buffered),
        joined(CONCURRENCY, size, &load, Concurrency),
        joined(KUMI, size, &load, Kumi),
    ]
}

fn with_floor(mut all: Vec<Competitor>, size: usize, load: impl Load) -> Vec<Competitor> {
    all.push(joined("floor: polls all in turn", size, &load, Floor));
    all
}

fn joined(name: &'static str, size: usize, load: &impl Load, join: impl Join) -> Competitor {
    let mut load = load.clone();
    // Where there are few, the simplest is the best peer.
    let base = if size > 10 { BUFFERED } else { JOIN_ALL };
    competitor(name, base, move || {
        assert_eq!(load.run(join), expected(size));
    })
}

/// N one-shots that are pending, one of which is sent; with building and dropping.
fn races(size: usize) -> Vec<Competitor> {
    fn one<F: Future<Output = usize>>(
        name: &'static str,
        size: usize,
        race: impl Fn(Vec<Receiver>) -> F + 'static,
    ) -> Competitor {
        competitor(name, CONCURRENCY, move || {
            let (cells, receivers) = channels(size);
            let waker = Waker::from(Flag::new());
            let mut race = pin!(race(receivers));
            begin(race.as_mut(), &waker, &cells);
            send(&cells, size / 2, 7);
            assert_eq!(finish(race, &waker), 7);
        })
    }
    vec![
        one(CONCURRENCY, size, |futures| async { futures.race().await }),
        one("futures::select_all", size, |futures| async {
            futures::future::select_all(futures).await.0
        }),
        one("futures_buffered, first", size, |futures| async {
            use futures::StreamExt;
            let mut all: futures_buffered::FuturesUnorderedBounded<_> =
                futures.into_iter().collect();
            all.next().await.expect("there is one")
        }),
        one(KUMI, size, |futures| async {
            race(futures).await.expect("there is one")
        }),
    ]
}

/// A thousand times three futures of different types.
fn tuples(left: usize) -> Vec<Competitor> {
    fn one<F: Future<Output = usize>>(
        name: &'static str,
        left: usize,
        join: impl Fn(Yield, Yield, Yield) -> F + 'static,
    ) -> Competitor {
        let waker = Waker::from(Flag::new());
        competitor(name, "tokio::join!", move || {
            for value in 0..1_000 {
                let child = |value| black_box(Yield { left, value });
                let mut all = pin!(join(child(value), child(1), child(2)));
                let sum = loop {
                    if let Poll::Ready(sum) = poll(all.as_mut(), &waker) {
                        break sum;
                    }
                };
                assert_eq!(sum, value + 3);
            }
        })
    }
    vec![
        one("tokio::join!", left, async |a, b, c| {
            let (a, b, c) = tokio::join!(a, b, c);
            a + b + c
        }),
        one("futures::join!", left, async |a, b, c| {
            let (a, b, c) = futures::join!(a, b, c);
            a + b + c
        }),
        one(CONCURRENCY, left, async |a, b, c| {
            let (a, b, c) = (a, b, c).join().await;
            a + b + c
        }),
        one(KUMI, left, async |a, b, c| {
            let (a, b, c) = gather((a, b, c)).await;
            a + b + c
        }),
    ]
}

/// A thousand times three one-shots, one of which is sent.
fn race_tuples() -> Vec<Competitor> {
    fn one<F: Future<Output = usize>>(
        name: &'static str,
        race: impl Fn([Receiver; 3]) -> F + 'static,
    ) -> Competitor {
        let waker = Waker::from(Flag::new());
        competitor(name, CONCURRENCY, move || {
            for value in 0..1_000 {
                let (cells, receivers) = channels(3);
                let receivers = receivers.try_into().ok().expect("there are three");
                let mut race = pin!(race(receivers));
                begin(race.as_mut(), &waker, &cells);
                send(&cells, value % 3, value);
                assert_eq!(finish(race, &waker), value);
            }
        })
    }
    vec![
        one(CONCURRENCY, async |[a, b, c]| (a, b, c).race().await),
        one("futures::select_biased!", async |[a, b, c]| {
            use futures::FutureExt;
            let (mut a, mut b, mut c) = (a.fuse(), b.fuse(), c.fuse());
            futures::select_biased! { a = a => a, b = b => b, c = c => c }
        }),
        one(KUMI, async |[a, b, c]| {
            race((a, b, c)).await.expect("there is one")
        }),
    ]
}
