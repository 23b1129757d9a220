//! Who takes part where closures run on threads that may block.

use std::io;

use crate::Plan;
use crate::competitors::expected;
use crate::host::{Blocking, Kumi, SmolLocal, TokioHost, Who};
use crate::measure::Competitor;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let (serial, burst) = if smoke { (2, 10) } else { (100, 1_000) };
    vec![
        Plan::later("blocking.serial".to_owned(), serial, move || {
            competitors(serial, false)
        }),
        Plan::later("blocking.burst 1000".to_owned(), burst, move || {
            competitors(burst, true)
        }),
    ]
}

fn competitors(closures: usize, burst: bool) -> io::Result<Vec<Competitor>> {
    let all = vec![
        one(TokioHost::current_thread()?, closures, burst),
        one(Kumi::tokio()?, closures, burst),
        one(SmolLocal::new(), closures, burst),
        one(Kumi::smol(), closures, burst),
        one(Kumi::own_loop()?, closures, burst),
    ];
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
    // Other threads work as well.
    let who = Who {
        one_thread: false,
        base: crate::host::TOKIO,
        ..host.who()
    };
    who.runs(move || {
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
