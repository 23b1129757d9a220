//! Who takes part: each backend of Kumi, and the native API of the same runtime.

use std::io;
use std::rc::Rc;
use std::sync::Arc;

use async_executor::{Executor, LocalExecutor};
use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;
use kumi_loop::Loop;
use kumi_smol::Smol;
use kumi_tokio::Tokio;

use crate::measure::Competitor;

pub(crate) const TOKIO: &str = "tokio, current thread";
pub(crate) const TOKIO_2: &str = "tokio, 2 workers";
pub(crate) const SMOL: &str = "smol, 1 thread";
const SMOL_LOCAL: &str = "smol, LocalExecutor";

pub(crate) fn competitor(
    name: &'static str,
    base: &'static str,
    run: impl FnMut() + 'static,
) -> Competitor {
    Competitor {
        name,
        base,
        run: Box::new(run),
    }
}

/// What N tasks that return their numbers add up to.
pub(crate) fn expected(tasks: usize) -> usize {
    tasks * tasks.saturating_sub(1) / 2
}

/// N tasks that yield once each, awaited in order.
pub(crate) fn spawn(tasks: usize) -> io::Result<Vec<Competitor>> {
    Ok(vec![
        competitor(TOKIO, TOKIO, tokio_spawn(tokio_current_thread()?, tasks)),
        competitor(
            "kumi on tokio, current thread",
            TOKIO,
            kumi_spawn(Tokio::current_thread()?, tasks),
        ),
        competitor(TOKIO_2, TOKIO_2, tokio_spawn(tokio_workers()?, tasks)),
        competitor(
            "kumi on tokio, 2 workers",
            TOKIO_2,
            kumi_spawn(Tokio::workers(2)?, tasks),
        ),
        competitor(SMOL, SMOL, smol_spawn(tasks)),
        competitor(
            "kumi on smol, 1 thread",
            SMOL,
            kumi_spawn(Smol::current_thread(), tasks),
        ),
        competitor(SMOL_LOCAL, TOKIO, smol_local_spawn(tasks)),
        competitor("kumi on loop", TOKIO, kumi_spawn(Loop::new()?, tasks)),
    ])
}

/// N tasks that yield many times each.
pub(crate) fn yields(tasks: usize, yields: usize) -> io::Result<Vec<Competitor>> {
    Ok(vec![
        competitor(
            TOKIO,
            TOKIO,
            tokio_yield(tokio_current_thread()?, tasks, yields),
        ),
        competitor(
            "kumi on tokio, current thread",
            TOKIO,
            kumi_yield(Tokio::current_thread()?, tasks, yields),
        ),
        competitor(
            TOKIO_2,
            TOKIO_2,
            tokio_yield(tokio_workers()?, tasks, yields),
        ),
        competitor(
            "kumi on tokio, 2 workers",
            TOKIO_2,
            kumi_yield(Tokio::workers(2)?, tasks, yields),
        ),
        competitor(SMOL, SMOL, smol_yield(tasks, yields)),
        competitor(
            "kumi on smol, 1 thread",
            SMOL,
            kumi_yield(Smol::current_thread(), tasks, yields),
        ),
        competitor(
            "kumi on loop",
            TOKIO,
            kumi_yield(Loop::new()?, tasks, yields),
        ),
    ])
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

fn kumi_spawn<R: Runtime>(
    runtime: kumi_core::runtime::Owned<R>,
    tasks: usize,
) -> impl FnMut() + 'static {
    move || {
        let sum = runtime.block_on(async {
            let spawn = |number| {
                runtime.spawn(async move {
                    yield_now().await;
                    number
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("the task ends well");
            }
            sum
        });
        assert_eq!(sum, expected(tasks));
    }
}

fn tokio_spawn(runtime: tokio::runtime::Runtime, tasks: usize) -> impl FnMut() + 'static {
    move || {
        let sum = runtime.block_on(async {
            let spawn = |number| {
                tokio::spawn(async move {
                    tokio::task::yield_now().await;
                    number
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("the task ends well");
            }
            sum
        });
        assert_eq!(sum, expected(tasks));
    }
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

fn smol_local_spawn(tasks: usize) -> impl FnMut() + 'static {
    let executor = Rc::new(LocalExecutor::new());
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

fn kumi_yield<R: Runtime>(
    runtime: kumi_core::runtime::Owned<R>,
    tasks: usize,
    yields: usize,
) -> impl FnMut() + 'static {
    move || {
        let sum = runtime.block_on(async {
            let spawn = |number| {
                runtime.spawn(async move {
                    for _ in 0..yields {
                        yield_now().await;
                    }
                    number
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("the task ends well");
            }
            sum
        });
        assert_eq!(sum, expected(tasks));
    }
}

fn tokio_yield(
    runtime: tokio::runtime::Runtime,
    tasks: usize,
    yields: usize,
) -> impl FnMut() + 'static {
    move || {
        let sum = runtime.block_on(async {
            let spawn = |number| {
                tokio::spawn(async move {
                    for _ in 0..yields {
                        tokio::task::yield_now().await;
                    }
                    number
                })
            };
            let handles: Vec<_> = (0..tasks).map(spawn).collect();
            let mut sum = 0;
            for handle in handles {
                sum += handle.await.expect("the task ends well");
            }
            sum
        });
        assert_eq!(sum, expected(tasks));
    }
}

fn smol_yield(tasks: usize, yields: usize) -> impl FnMut() + 'static {
    let executor = Arc::new(Executor::new());
    move || {
        let sum = async_io::block_on(executor.run(async {
            let spawn = |number| {
                executor.spawn(async move {
                    for _ in 0..yields {
                        futures_lite::future::yield_now().await;
                    }
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
