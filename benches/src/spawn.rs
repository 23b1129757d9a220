//! Who takes part where tasks are spawned and joined, and where they yield.

use std::io;

use crate::competitor::{BestOf, Competitor, Mark};
use crate::host::{Floor, FuturesPool, Host, Kumi, KumiLocal, TOKIO, each_host, each_host_of_two};
use crate::plan::Plan;
use crate::runtimes::expected;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = Vec::new();
    for (name, yields) in [("spawn.ready", 0), ("spawn.yield1", 1)] {
        for size in [1, 10, 100, 1_000, 10_000, 100_000] {
            let tasks = if smoke { size.min(10) } else { size };
            all.push(Plan::sized(name, size, tasks, move || many(tasks, yields)));
        }
    }
    let tasks = if smoke { 10 } else { 1_000 };
    all.push(Plan::sized("spawn.serial", 1_000, tasks, move || {
        serial(tasks)
    }));
    for (tasks, yields) in [(1, 10_000), (100, 1_000), (10_000, 10)] {
        let (size, tasks) = (tasks, if smoke { tasks.min(10) } else { tasks });
        let yields = if smoke { 10 } else { yields };
        let make = move || yielding(tasks, yields);
        all.push(Plan::sized("yield", size, tasks * yields, make));
    }
    all
}

/// What is measured against tokio, if it is, and against the best peer.
fn marks(of_tokio: Option<f64>, of_best: f64) -> Vec<Mark> {
    let best = Mark {
        at_most: of_best,
        best_of: BestOf::Peers,
    };
    let tokio = of_tokio.map(|at_most| Mark {
        at_most,
        best_of: BestOf::These(&[TOKIO]),
    });
    [best].into_iter().chain(tokio).collect()
}

/// Gives the own loop its marks.
pub(crate) fn marked(mut all: Vec<Competitor>, marks: Vec<Mark>) -> Vec<Competitor> {
    let own = all.iter_mut().find(|one| one.name == "kumi on loop");
    own.expect("it takes part").marks = marks;
    all
}

/// N tasks that yield so many times, all spawned, then joined in order.
fn many(tasks: usize, yields: usize) -> io::Result<Vec<Competitor>> {
    let mut all = Vec::new();
    each_host!(host => all.push(joined(host, tasks, yields)));
    all.push(joined(KumiLocal::new()?, tasks, yields));
    all.push(joined(FuturesPool::new(), tasks, yields));
    all.push(joined(Floor::new(), tasks, yields));
    all.push(joined(Kumi::sim(), tasks, yields));
    each_host_of_two!(host => all.push(joined(host, tasks, yields)));
    let marks = match tasks {
        1_000 | 100_000 => marks(Some(0.25), 0.9),
        _ => Vec::new(),
    };
    Ok(marked(all, marks))
}

pub(crate) fn joined<H: Host>(mut host: H, tasks: usize, yields: usize) -> Competitor {
    let handle = host.handle();
    host.who().runs(move || {
        let sum = host.block_on(async {
            let spawn = |number| H::spawn(&handle, child::<H>(number, yields));
            let joins: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for join in joins {
                sum += H::join(join).await;
            }
            sum
        });
        assert_eq!(sum, expected(tasks));
    })
}

async fn child<H: Host>(number: usize, yields: usize) -> usize {
    for _ in 0..yields {
        H::yield_now().await;
    }
    number
}

/// One task after the other: spawned and joined.
fn serial(tasks: usize) -> io::Result<Vec<Competitor>> {
    fn one<H: Host>(mut host: H, tasks: usize) -> Competitor {
        let handle = host.handle();
        host.who().runs(move || {
            let sum = host.block_on(async {
                let mut sum = 0;
                for number in 0..tasks {
                    sum += H::join(H::spawn(&handle, async move { number })).await;
                }
                sum
            });
            assert_eq!(sum, expected(tasks));
        })
    }
    let mut all = Vec::new();
    each_host!(host => all.push(one(host, tasks)));
    all.push(one(KumiLocal::new()?, tasks));
    all.push(one(FuturesPool::new(), tasks));
    all.push(one(Floor::new(), tasks));
    all.push(one(Kumi::sim(), tasks));
    each_host_of_two!(host => all.push(one(host, tasks)));
    Ok(marked(all, marks(Some(0.25), 0.9)))
}

/// The same with few tasks that yield often.
fn yielding(tasks: usize, yields: usize) -> io::Result<Vec<Competitor>> {
    let mut all = Vec::new();
    each_host!(host => all.push(joined(host, tasks, yields)));
    all.push(joined(FuturesPool::new(), tasks, yields));
    all.push(joined(Floor::new(), tasks, yields));
    all.push(joined(Kumi::sim(), tasks, yields));
    each_host_of_two!(host => all.push(joined(host, tasks, yields)));
    let marks = match tasks {
        1 => marks(None, 0.4),
        100 => marks(None, 0.5),
        _ => Vec::new(),
    };
    Ok(marked(all, marks))
}
