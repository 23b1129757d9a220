//! Who takes part where tasks are spawned and joined, and where they yield.

use std::io;

use crate::Plan;
use crate::competitors::expected;
use crate::host::{FuturesPool, Host, Kumi, KumiLocal, TOKIO, TokioHost, each_host};
use crate::measure::{BestOf, Competitor, Mark};

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = Vec::new();
    for (name, yields) in [("spawn.ready", 0), ("spawn.yield1", 1)] {
        for tasks in [10, 1_000, 100_000] {
            let name = format!("{name} {tasks}");
            let tasks = if smoke { 10 } else { tasks };
            let make = move || many(tasks, yields);
            all.push(Plan::later(name, tasks, make));
        }
    }
    let tasks = if smoke { 10 } else { 1_000 };
    let name = "spawn.serial 1000".to_owned();
    all.push(Plan::later(name, tasks, move || serial(tasks)));
    for (name, tasks, yields) in [("yield 1 task", 1, 10_000), ("yield 100 tasks", 100, 1_000)] {
        let yields = if smoke { 10 } else { yields };
        let make = move || yielding(tasks, yields);
        all.push(Plan::later(name.to_owned(), tasks * yields, make));
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
    if tasks <= 1_000 {
        all.push(joined(TokioHost::workers()?, tasks, yields));
        all.push(joined(Kumi::tokio_workers()?, tasks, yields));
    }
    let of_ten = tasks == 10;
    let marks = if of_ten {
        Vec::new()
    } else {
        marks(Some(0.25), 0.9)
    };
    Ok(marked(all, marks))
}

fn joined<H: Host>(mut host: H, tasks: usize, yields: usize) -> Competitor {
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
    Ok(marked(all, marks(Some(0.25), 0.9)))
}

/// The same with few tasks that yield often.
fn yielding(tasks: usize, yields: usize) -> io::Result<Vec<Competitor>> {
    let mut all = Vec::new();
    each_host!(host => all.push(joined(host, tasks, yields)));
    all.push(joined(FuturesPool::new(), tasks, yields));
    all.push(joined(TokioHost::workers()?, tasks, yields));
    all.push(joined(Kumi::tokio_workers()?, tasks, yields));
    Ok(marked(all, marks(None, if tasks == 1 { 0.4 } else { 0.5 })))
}
