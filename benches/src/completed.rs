//! Who takes part where outputs are taken as they come: `as_completed` and `wait`, in place.

use std::future::Future;
use std::pin::pin;
use std::task::Waker;

use futures::StreamExt as _;
use kumi_core::combine::{ReturnWhen, as_completed, wait};

use crate::combine::{on_the_wall, sized};
use crate::competitor::{Competitor, competitor};
use crate::loads::{
    Burst, Cross, Drip, Flag, Join, Load, Ready, Receiver, Yields, begin, channels, finish, send,
};
use crate::plan::Plan;
use crate::runtimes::expected;

const BOUNDED: &str = "futures_buffered::FuturesUnorderedBounded";
const UNORDERED: &str = "futures_buffered::FuturesUnordered";
const FUTURES: &str = "futures::FuturesUnordered";
const SELECT_ALL: &str = "futures::select_all";
const KUMI: &str = "kumi";

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = sized("completed.ready", smoke, 10_000, |size| {
        streams(size, Ready(size))
    });
    all.extend(sized("completed.yield1", smoke, 10_000, |size| {
        streams(size, Yields { size, yields: 1 })
    }));
    all.extend(sized("completed.burst", smoke, 10_000, |size| {
        streams(size, Burst::new(size))
    }));
    all.extend(sized("completed.drip", smoke, 10_000, |size| {
        streams(size, Drip(Burst::new(size)))
    }));
    all.extend(sized("completed.cross", smoke, 10_000, |size| {
        on_the_wall(streams(size, Cross::new(size)))
    }));
    all.extend(sized("wait.all", smoke, 10_000, |size| {
        waits(size, Burst::new(size))
    }));
    all.extend(sized("wait.first", smoke, 1_000, firsts));
    all
}

#[derive(Clone, Copy)]
struct Kumi;

impl Join for Kumi {
    async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
        let mut outputs = as_completed(futures);
        let mut sum = 0;
        while let Some(output) = outputs.next().await {
            sum += output;
        }
        sum
    }
}

#[derive(Clone, Copy)]
struct KumiWait;

impl Join for KumiWait {
    async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
        let waited = wait(futures, ReturnWhen::AllCompleted).await;
        waited.done.into_iter().map(|(_, output)| output).sum()
    }
}

/// A stream of the peers'.
macro_rules! peer {
    ($($name:ident: $stream:ty,)*) => {$(
        #[derive(Clone, Copy)]
        struct $name;

        impl Join for $name {
            async fn join<F: Future<Output = usize> + Unpin>(self, futures: Vec<F>) -> usize {
                let mut outputs: $stream = futures.into_iter().collect();
                let mut sum = 0;
                while let Some(output) = outputs.next().await {
                    sum += output;
                }
                sum
            }
        }
    )*};
}

peer! {
    Bounded: futures_buffered::FuturesUnorderedBounded<F>,
    Unordered: futures_buffered::FuturesUnordered<F>,
    Futures: futures::stream::FuturesUnordered<F>,
}

fn one(name: &'static str, size: usize, load: &impl Load, join: impl Join) -> Competitor {
    let mut load = load.clone();
    competitor(name, BOUNDED, move || {
        assert_eq!(load.run(join), expected(size));
    })
}

fn streams(size: usize, load: impl Load) -> Vec<Competitor> {
    vec![
        one(BOUNDED, size, &load, Bounded),
        one(UNORDERED, size, &load, Unordered),
        one(FUTURES, size, &load, Futures),
        one(KUMI, size, &load, Kumi),
    ]
}

fn waits(size: usize, load: impl Load) -> Vec<Competitor> {
    vec![
        one(BOUNDED, size, &load, Bounded),
        one(KUMI, size, &load, KumiWait),
    ]
}

/// N one-shots that are pending, one of which is sent; the others are kept, to be waited for again.
fn firsts(size: usize) -> Vec<Competitor> {
    fn one<F: Future<Output = (usize, usize)>>(
        name: &'static str,
        size: usize,
        first: impl Fn(Vec<Receiver>) -> F + 'static,
    ) -> Competitor {
        competitor(name, SELECT_ALL, move || {
            let (cells, receivers) = channels(size);
            let waker = Waker::from(Flag::new());
            let mut first = pin!(first(receivers));
            begin(first.as_mut(), &waker, &cells);
            send(&cells, size / 2, 7);
            assert_eq!(finish(first, &waker), (7, size - 1));
        })
    }
    vec![
        one(SELECT_ALL, size, |futures| async {
            let (output, _, rest) = futures::future::select_all(futures).await;
            (output, rest.len())
        }),
        one(BOUNDED, size, |futures| async {
            let mut all: futures_buffered::FuturesUnorderedBounded<_> =
                futures.into_iter().collect();
            let first = all.next().await.expect("there is one");
            (first, all.len())
        }),
        one(KUMI, size, |futures| async {
            let mut waited = wait(futures, ReturnWhen::FirstCompleted).await;
            let (_, first) = waited.done.pop().expect("there is one");
            (first, waited.pending.len())
        }),
    ]
}
