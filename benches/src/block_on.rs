//! Who takes part where a thread blocks on a future.

use std::future::{Future, ready};
use std::hint::black_box;
use std::io;

use crate::competitor::{BestOf, Competitor, Mark};
use crate::host::{FuturesPool, Host, Who, each_host};
use crate::plan::Plan;
use crate::runtimes::expected;
use crate::spawn::marked;
use crate::wake::Ringer;

const POLLSTER: &str = "pollster";

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let times = if smoke { 10 } else { 1_000 };
    let wakes = if smoke { 2 } else { 21 };
    vec![
        Plan::single("block_on.ready", times, move || ready_at_once(times)),
        Plan::single("block_on.woken", wakes, move || woken(wakes)),
    ]
}

/// Blocks a thread on a future.
trait Block: 'static {
    fn block_on<F: Future>(&mut self, future: F) -> F::Output;
}

impl<H: Host> Block for H {
    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        Host::block_on(self, future)
    }
}

struct Pollster;

impl Block for Pollster {
    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        pollster::block_on(future)
    }
}

struct Futures;

impl Block for Futures {
    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        futures::executor::block_on(future)
    }
}

struct Lite;

impl Block for Lite {
    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        futures_lite::future::block_on(future)
    }
}

fn bare(name: &'static str) -> Who {
    Who {
        name,
        base: POLLSTER,
        one_thread: true,
        woken_from_elsewhere: true,
    }
}

/// A future that is ready: what it costs to begin and to end.
fn ready_at_once(times: usize) -> io::Result<Vec<Competitor>> {
    fn one(who: Who, mut block: impl Block, times: usize) -> Competitor {
        let base = POLLSTER;
        Who { base, ..who }.runs(move || {
            let mut sum = 0;
            for number in 0..times {
                sum += block.block_on(ready(black_box(number)));
            }
            assert_eq!(sum, expected(times));
        })
    }
    let mut all = vec![
        one(bare(POLLSTER), Pollster, times),
        one(bare("futures::executor"), Futures, times),
        one(bare("futures_lite"), Lite, times),
    ];
    let pool = FuturesPool::new();
    all.push(one(pool.who(), pool, times));
    each_host!(host => all.push(one(host.who(), host, times)));
    let mark = Mark {
        at_most: 1.2,
        best_of: BestOf::These(&[POLLSTER]),
    };
    Ok(marked(all, vec![mark]))
}

/// A future that another thread wakes while this one sleeps: the time from the wake to the return.
fn woken(times: usize) -> io::Result<Vec<Competitor>> {
    fn one(who: Who, mut block: impl Block, ringer: &Ringer, times: usize) -> Option<Competitor> {
        if !who.woken_from_elsewhere {
            return None;
        }
        let ringer = ringer.clone();
        let base = POLLSTER;
        let competitor = Who { base, ..who }.with_threads().measures(move |watch| {
            let ring = |_| block.block_on(ringer.ring()).elapsed();
            watch.add_typical((0..times).map(ring).collect());
        });
        Some(competitor)
    }
    let (mut all, ringer) = (Vec::new(), Ringer::new());
    all.extend(one(bare(POLLSTER), Pollster, &ringer, times));
    all.extend(one(bare("futures::executor"), Futures, &ringer, times));
    all.extend(one(bare("futures_lite"), Lite, &ringer, times));
    each_host!(host => all.extend(one(host.who(), host, &ringer, times)));
    let mark = Mark {
        at_most: 1.2,
        best_of: BestOf::Peers,
    };
    Ok(marked(all, vec![mark]))
}
