//! Who takes part where the children of a combinator are tasks.

use std::io;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Owned, Runtime};
use kumi_core::spawned::Combine;
use kumi_loop::Loop;
use kumi_sim::Sim;
use kumi_smol::Smol;
use kumi_tokio::Tokio;

use crate::cancel::join_set;
use crate::competitor::{Competitor, competitor};
use crate::host::{SMOL, SMOL_2, SmolThreads, TOKIO, TOKIO_2};
use crate::plan::Plan;
use crate::runtimes::{expected, smol_spawn, tokio_current_thread, tokio_workers};
use crate::spawn::joined;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let plan = |size: usize| {
        let children = if smoke { size.min(10) } else { size };
        Plan::sized("gather.spawned", size, children, move || gathers(children))
    };
    [1, 10, 1_000, 100_000].map(plan).into()
}

/// N tasks that yield once, gathered; their numbers added up.
fn gathers(children: usize) -> io::Result<Vec<Competitor>> {
    Ok(vec![
        competitor(TOKIO, TOKIO, join_set(tokio_current_thread()?, children)),
        competitor(
            "kumi on tokio, current thread",
            TOKIO,
            kumi_gather(Tokio::current_thread()?, children),
        ),
        competitor(TOKIO_2, TOKIO_2, join_set(tokio_workers()?, children)),
        competitor(
            "kumi on tokio, 2 workers",
            TOKIO_2,
            kumi_gather(Tokio::workers(2)?, children),
        ),
        competitor(SMOL, SMOL, smol_spawn(children)),
        competitor(
            "kumi on smol, 1 thread",
            SMOL,
            kumi_gather(Smol::current_thread(), children),
        ),
        joined(SmolThreads::new(), children, 1),
        competitor(
            "kumi on smol, 2 threads",
            SMOL_2,
            kumi_gather(Smol::threads(2)?, children),
        ),
        competitor("kumi on loop", TOKIO, kumi_gather(Loop::new()?, children)),
        competitor("kumi on sim", TOKIO, kumi_gather(Sim::new(), children)),
    ])
}

fn kumi_gather<R: Runtime>(runtime: Owned<R>, children: usize) -> impl FnMut() + 'static {
    let rt = runtime.handle();
    move || {
        let child = |number| async move {
            yield_now().await;
            number
        };
        let outcomes = runtime.block_on(rt.gather((0..children).map(child)));
        let numbers = outcomes
            .into_iter()
            .map(|it| it.expect("the child ends well"));
        assert_eq!(numbers.sum::<usize>(), expected(children));
    }
}
