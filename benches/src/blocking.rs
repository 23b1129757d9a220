//! Who takes part where closures run on threads that may block.

use std::io;

use crate::competitor::Competitor;
use crate::host::{Blocking, Kumi, SmolExecutor, TokioHost, each_host_of_two};
use crate::plan::Plan;
use crate::runtimes::expected;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let (serial, burst) = if smoke { (2, 10) } else { (100, 1_000) };
    vec![
        Plan::single("blocking.serial", serial, move || {
            competitors(serial, false)
        }),
        Plan::sized("blocking.burst", 1_000, burst, move || {
            competitors(burst, true)
        }),
    ]
}

fn competitors(closures: usize, burst: bool) -> io::Result<Vec<Competitor>> {
    let mut all = vec![
        one(TokioHost::current_thread()?, closures, burst),
        one(Kumi::tokio()?, closures, burst),
        one(SmolExecutor::new(), closures, burst),
        one(Kumi::smol(), closures, burst),
        one(Kumi::own_loop()?, closures, burst),
    ];
    each_host_of_two!(host => all.push(one(host, closures, burst)));
    #[cfg(all(feature = "peers", target_os = "linux"))]
    let all = {
        let compio = crate::host::Compio::new().map(|host| one(host, closures, burst));
        all.into_iter().chain(compio).collect()
    };
    Ok(all)
}

/// One after the other, or all at once and then awaited in order.
fn one<H: Blocking>(mut host: H, closures: usize, burst: bool) -> Competitor {
    let handle = host.handle();
    host.who().with_threads().runs(move || {
        let sum = host.block_on(async {
            let spawn = |number| H::spawn_blocking(&handle, move || number);
            let mut sum = 0;
            if burst {
                let all: Vec<_> = (0..closures).map(spawn).collect();
                for one in all {
                    sum += H::join_blocking(one).await;
                }
            } else {
                for number in 0..closures {
                    sum += H::join_blocking(spawn(number)).await;
                }
            }
            sum
        });
        assert_eq!(sum, expected(closures));
    })
}
