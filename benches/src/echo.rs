//! Who takes part where 64 bytes are sent and come back: TCP on the loopback address, clients and servers on
//! the same threads.

use std::io;

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::competitor::{BestOf, Competitor, Mark};
use crate::host::{MONOIO_EPOLL, Net, Role, TOKIO, each_host, each_host_of_two};
use crate::plan::Plan;
use crate::spawn::marked;

const BYTES: usize = 64;

/// All scenarios; small ones if nothing is to be measured.
pub(crate) fn scenarios(smoke: bool) -> Vec<Plan> {
    let mut all = Vec::new();
    for (connections, requests) in [(1, 500), (100, 20), (1_000, 10)] {
        let size = connections;
        let (connections, requests) = if smoke {
            (connections.min(10), 2)
        } else {
            (connections, requests)
        };
        let make = move || competitors(connections, requests);
        let plan = Plan::sized("tcp.echo", size, connections * requests, make);
        // All connections are made anew for each run.
        all.push(plan.slow_if(size > 100));
    }
    all
}

fn competitors(connections: usize, requests: usize) -> io::Result<Vec<Competitor>> {
    allow_descriptors(2 * connections as u64 + 500)?;
    let mut all = Vec::new();
    each_host!(host => all.push(one(host, connections, requests)));
    each_host_of_two!(host => all.push(one(host, connections, requests)));
    let mark = Mark {
        at_most: 1.0,
        best_of: BestOf::These(&[TOKIO, MONOIO_EPOLL]),
    };
    Ok(marked(all, vec![mark]))
}

/// Sees to it that so many descriptors may be open.
fn allow_descriptors(count: u64) -> io::Result<()> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft >= count {
        return Ok(());
    }
    setrlimit(Resource::RLIMIT_NOFILE, count, hard)
        .map_err(|error| io::Error::other(format!("{count} descriptors are needed: {error}")))
}

/// All connections are there before the clock starts: N clients ask so many times, each in a task of its own.
fn one<H: Net>(mut host: H, connections: usize, requests: usize) -> Competitor {
    let handle = host.handle();
    host.who().measures(move |watch| {
        let handle = &handle;
        host.block_on(async {
            let (listener, addr) = H::bind(handle).await.expect("there are ports");
            let (mut servers, mut clients) = (Vec::new(), Vec::new());
            for _ in 0..connections {
                // One by one: the queue of the listener is short.
                let client = H::connect(handle, addr).await.expect("it listens");
                let server = H::accept(&listener).await.expect("there is one");
                servers.push(H::start(handle, server, Role::Serve));
                clients.push(client);
            }
            watch.start();
            let start = |client| H::start(handle, client, Role::Ask(requests));
            let clients: Vec<_> = clients.into_iter().map(start).collect();
            for client in clients {
                H::join(client).await;
            }
            watch.stop();
            for server in servers {
                H::join(server).await;
            }
        });
    })
}

/// What a task does with its end of a connection.
pub(crate) async fn talk<H: Net>(mut stream: H::Stream, role: Role) {
    let mut buf = vec![0; BYTES];
    match role {
        Role::Serve => {
            while let Some(read) = H::read(&mut stream, buf).await {
                buf = H::write(&mut stream, read).await;
            }
        }
        Role::Ask(requests) => {
            for number in 0..requests {
                buf.fill(number as u8);
                buf = H::write(&mut stream, buf).await;
                buf.fill(0);
                buf = H::read(&mut stream, buf).await.expect("it is answered");
                assert_eq!(buf, [number as u8; BYTES]);
            }
        }
    }
}
