//! Jobs that block their threads hold up nobody behind them, as long as a thread is free.

use std::sync::{Arc, Barrier, mpsc};
use std::thread;
use std::time::Duration;

use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;
use kumi_smol::Smol;

/// Panics if the body takes longer than a minute: a job that waits for ever is the failure.
fn within_a_minute(body: impl FnOnce() + Send + 'static) {
    let (done, ended) = mpsc::channel();
    let thread = thread::spawn(move || {
        body();
        let _ = done.send(());
    });
    if let Err(mpsc::RecvTimeoutError::Timeout) = ended.recv_timeout(Duration::from_secs(60)) {
        panic!("a job was held up");
    }
    thread.join().expect("the body does not panic");
}

/// As many tasks as threads, none of which goes on before all have begun; three times, so that those which
/// drain the queue are made, go away, and are made again.
#[test]
fn every_thread_can_be_in_a_job() {
    const THREADS: usize = 8;
    within_a_minute(|| {
        let rt = Smol::threads(THREADS).expect("smol starts");
        for _ in 0..3 {
            let all = Arc::new(Barrier::new(THREADS));
            let block = |_| {
                let all = Arc::clone(&all);
                rt.spawn(async move { all.wait() })
            };
            // From outside of the executor, and all before any is waited for.
            let tasks: Vec<_> = (0..THREADS).map(block).collect();
            let mut leaders = 0;
            for task in tasks {
                let result = rt.block_on(task).expect("it ends well");
                leaders += usize::from(result.is_leader());
            }
            assert_eq!(leaders, 1);
        }
    });
}

/// A task blocks until one that it spawned itself has run.
#[test]
fn a_job_may_wait_for_the_one_behind_it() {
    within_a_minute(|| {
        let rt = Smol::threads(2).expect("smol starts");
        let inner = rt.handle();
        let task = rt.spawn(async move {
            let (done, ended) = mpsc::channel();
            let behind = inner.spawn(async move { done.send(7) });
            let got = ended.recv();
            behind.detach();
            got
        });
        assert_eq!(rt.block_on(task).expect("it ends well"), Ok(7));
    });
}
