//! The pool of `futures`, which only runs tasks.

use std::future::Future;

use futures::executor::{LocalPool, LocalSpawner};
use futures::future::RemoteHandle;
use futures::task::LocalSpawnExt;

use super::{Host, TOKIO, Who};

/// `LocalPool`.
pub(crate) struct FuturesPool(LocalPool);

impl FuturesPool {
    pub(crate) fn new() -> Self {
        Self(LocalPool::new())
    }
}

impl Host for FuturesPool {
    type Handle = LocalSpawner;
    type Join<T: Send + 'static> = RemoteHandle<T>;

    fn who(&self) -> Who {
        Who {
            name: "futures LocalPool",
            base: TOKIO,
            one_thread: true,
            woken_from_elsewhere: true,
        }
    }

    fn handle(&self) -> LocalSpawner {
        self.0.spawner()
    }

    fn block_on<F: Future>(&mut self, future: F) -> F::Output {
        self.0.run_until(future)
    }

    fn spawn<F>(handle: &LocalSpawner, future: F) -> RemoteHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        handle
            .spawn_local_with_handle(future)
            .expect("the pool lives")
    }

    fn join<T: Send + 'static>(join: RemoteHandle<T>) -> impl Future<Output = T> {
        join
    }

    fn yield_now() -> impl Future<Output = ()> + Send {
        futures_lite::future::yield_now()
    }
}
