//! Are handles, sleeps and streams `Send` and `Sync` on every backend?

use kumi::backend::BackendSleep;
use kumi::{Backend, JoinError, JoinHandle, Task};

fn send_sync<T: Send + Sync + 'static>() {}
fn send<T: Send>(value: T) -> T {
    value
}

#[test]
fn what_a_user_holds_may_cross_threads() {
    send_sync::<Backend>();
    send_sync::<BackendSleep>();
    send_sync::<JoinHandle<u32>>();
    send_sync::<JoinHandle<std::cell::Cell<u32>>>();
    send_sync::<JoinError>();
    send_sync::<Task>();
    send_sync::<kumi_loop_sleep::Sleep>();
    #[cfg(unix)]
    {
        send_sync::<kumi::net::TcpStream>();
        send_sync::<kumi::net::TcpListener>();
        drop(send(kumi::net::connect("localhost:80")));
    }
}

/// The concrete sleeps, named through the contract.
mod kumi_loop_sleep {
    use kumi::core::runtime::Clock;

    pub(super) type Sleep = <kumi::backend::Loop as Clock>::Sleep;
}
