//! Many closures: each runs once, or its joiner is told that it did not.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use kumi_core::blocking::BlockingPool;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnBlockingExt;

use crate::support::pooled;

const JOBS: usize = if cfg!(debug_assertions) {
    100_000
} else {
    1_000_000
};

/// Every tenth handle is dropped early, every thousandth closure panics, every second thread is refused, and
/// threads come and go.
#[test]
fn every_closure_runs_once_or_is_reported() {
    let tries = AtomicUsize::new(0);
    let settings = BlockingPool::settings()
        .max_threads(4)
        .idle(Duration::ZERO)
        .start_threads_with(
            move |thread| match tries.fetch_add(1, Ordering::Relaxed) % 2 {
                0 => Err(io::ErrorKind::WouldBlock.into()),
                _ => thread.builder().spawn(|| thread.run()),
            },
        );
    let (_sim, rt) = pooled(settings);
    // Captured by every closure, so that one that is lost is seen.
    let live = Arc::new(());
    let ran = Arc::new(AtomicUsize::new(0));
    let mut waiting = VecDeque::new();
    let (mut values, mut panics) = (0, 0);
    let mut take = |task| match rt.block_on::<kumi_core::task::JoinHandle<usize>>(task) {
        Ok(_) => values += 1,
        Err(error) if error.is_panic() => panics += 1,
        Err(error) => panic!("nobody cancelled it: {error}"),
    };
    for number in 0..JOBS {
        let (live, count) = (Arc::clone(&live), Arc::clone(&ran));
        let task = rt.spawn_blocking(move || {
            let _live = live;
            count.fetch_add(1, Ordering::Relaxed);
            if number % 1_000 == 1 {
                std::panic::resume_unwind(Box::new("a panic"));
            }
            number
        });
        match number % 10 {
            0 => drop(task),
            _ => waiting.push_back(task),
        }
        if waiting.len() > 1_000 {
            waiting.drain(..500).for_each(&mut take);
        }
    }
    waiting.drain(..).for_each(&mut take);
    assert_eq!(panics, JOBS / 1_000);
    assert_eq!(values + panics, JOBS / 10 * 9);
    assert!(rt.pool.close_within(Duration::from_secs(60)));
    let ran = ran.load(Ordering::Relaxed);
    assert!(
        (JOBS / 10 * 9..=JOBS).contains(&ran),
        "{ran} of {JOBS} closures ran"
    );
    assert_eq!(Arc::strong_count(&live), 1, "a closure is left somewhere");
    assert_eq!((rt.pool.threads(), rt.pool.queued()), (0, 0));
}
