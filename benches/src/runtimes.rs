//! The native runtimes, and what is spawned on them.

use std::io;
use std::sync::Arc;

use async_executor::Executor;

/// What N tasks that return their numbers add up to.
pub(crate) fn expected(tasks: usize) -> usize {
    tasks * tasks.saturating_sub(1) / 2
}

pub(crate) fn tokio_current_thread() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
}

pub(crate) fn tokio_workers() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
}

pub(crate) fn smol_spawn(tasks: usize) -> impl FnMut() + 'static {
    let executor = Arc::new(Executor::new());
    move || {
        let sum = async_io::block_on(executor.run(async {
            let spawn = |number| {
                executor.spawn(async move {
                    futures_lite::future::yield_now().await;
                    number
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await;
            }
            sum
        }));
        assert_eq!(sum, expected(tasks));
    }
}
