//! A pool of threads: those that submit beside those that come, rest, leave, and are not made.
//!
//! A job that waits for ever for a thread is a deadlock, which loom finds. (That a handle may go beside the
//! end of its job is the models' of `join`.)

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use kumi_core::blocking::{BlockingPool, Settings, run_in_executor};
use kumi_core::task::{JoinError, JoinHandle};
use loom::future::block_on;
use loom::sync::Notify;
use loom::thread;

use crate::support::{Hand, check_many, check_three};

/// A pool with one thread, which waits for ever for more.
fn one_thread() -> Settings {
    BlockingPool::settings().max_threads(1).idle(Duration::MAX)
}

/// Settings under which the system refuses the first threads.
fn refusing(settings: Settings, times: usize) -> Settings {
    let tries = AtomicUsize::new(0);
    settings.start_threads_with(move |pool_thread| {
        match tries.fetch_add(1, Ordering::Relaxed) < times {
            true => Err(io::ErrorKind::WouldBlock.into()),
            false => Ok(thread::spawn(|| pool_thread.run())),
        }
    })
}

/// A pool for a number of jobs.
#[derive(Clone)]
struct Pool {
    hand: Hand,
    pool: BlockingPool,
    counts: Arc<Counts>,
}

struct Counts {
    expected: usize,
    ran: AtomicUsize,
    all_ran: Notify,
}

impl Pool {
    fn new(hand: Hand, settings: Settings, expected: usize) -> Self {
        let counts = Counts {
            expected,
            ran: AtomicUsize::new(0),
            all_ran: Notify::new(),
        };
        Self {
            hand,
            pool: settings.build(),
            counts: Arc::new(counts),
        }
    }

    fn submit(&self) -> JoinHandle<()> {
        let counts = Arc::clone(&self.counts);
        run_in_executor(&self.hand, &self.pool, move || {
            if counts.ran.fetch_add(1, Ordering::Relaxed) + 1 == counts.expected {
                counts.all_ran.notify();
            }
        })
    }

    fn ran(&self) -> usize {
        self.counts.ran.load(Ordering::Relaxed)
    }

    /// Waits until all jobs have run, and then for the threads.
    fn wait_for_all(self) {
        self.counts.all_ran.wait();
        self.close();
    }

    /// Closes the pool, and waits for its threads; nothing is left.
    fn close(&self) {
        let pool = &self.pool;
        assert!(pool.close_within(Duration::MAX));
        assert_eq!((pool.threads(), pool.idle(), pool.queued()), (0, 0, 0));
    }
}

/// The one thread looks at the queue and is about to rest when the second job comes.
#[test]
fn submit_beside_a_thread_that_becomes_idle() {
    check_three(|| {
        let pool = Pool::new(Hand::new(), one_thread(), 2);
        pool.submit().detach();
        pool.submit().detach();
        pool.wait_for_all();
    });
}

/// Two threads submit at once, and there may be one thread for their jobs.
#[test]
fn two_submits_for_one_thread() {
    check_three(|| {
        let pool = Pool::new(Hand::new(), one_thread(), 2);
        let other = pool.clone();
        let other = thread::spawn(move || other.submit().detach());
        pool.submit().detach();
        other.join().unwrap();
        pool.wait_for_all();
    });
}

/// The time of the one thread is over when the second job comes.
#[test]
fn submit_beside_a_thread_that_leaves() {
    check_three(|| {
        let settings = BlockingPool::settings().max_threads(1).idle(Duration::ZERO);
        let pool = Pool::new(Hand::new(), settings, 2);
        pool.submit().detach();
        pool.submit().detach();
        pool.wait_for_all();
    });
}

fn check_outcome(result: &Result<(), JoinError>, ran: usize) {
    match result {
        Ok(()) => assert_eq!(ran, 1),
        Err(error) => {
            assert!(error.is_cancelled());
            assert_eq!(ran, 0);
        }
    }
}

/// The pool is closed: either the job runs, or its joiner is told; and the thread, if there is one, ends.
#[test]
fn submit_beside_the_close() {
    check_three(|| {
        let pool = Pool::new(Hand::new(), one_thread(), 1);
        let closed = Arc::new(AtomicBool::new(false));
        let (closer, close) = (pool.clone(), Arc::clone(&closed));
        let closer = thread::spawn(move || {
            closer.pool.close();
            close.store(true, Ordering::Relaxed);
        });
        thread::yield_now();
        let refused = closed.load(Ordering::Relaxed);
        let result = block_on(pool.submit());
        check_outcome(&result, pool.ran());
        assert!(!refused || result.is_err(), "it ran after the close");
        closer.join().unwrap();
        pool.close();
    });
}

/// An idle thread is told about the close.
#[test]
fn close_beside_a_thread_that_becomes_idle() {
    check_three(|| {
        let pool = Pool::new(Hand::new(), one_thread(), 1);
        pool.submit().detach();
        pool.wait_for_all();
    });
}

/// Nobody has a handle any more: the job that is queued runs, and the thread ends.
#[test]
fn the_last_handle_goes_beside_a_job() {
    check_three(|| {
        let ended = Arc::new(Notify::new());
        let end = Arc::clone(&ended);
        let settings = one_thread().start_threads_with(move |pool_thread| {
            let end = Arc::clone(&end);
            Ok(thread::spawn(move || {
                pool_thread.run();
                end.notify();
            }))
        });
        let pool = Pool::new(Hand::new(), settings, 1);
        pool.submit().detach();
        let counts = Arc::clone(&pool.counts);
        drop(pool);
        ended.wait();
        assert_eq!(counts.ran.load(Ordering::Relaxed), 1);
    });
}

/// Two submit while the system gives no thread, so that one may count on the thread of the other; a retry
/// gets one for both.
#[test]
fn two_submits_while_no_thread_is_given() {
    check_three(|| {
        let pool = Pool::new(Hand::hasty(), refusing(one_thread(), 2), 2);
        let other = pool.clone();
        let other = thread::spawn(move || other.submit().detach());
        pool.submit().detach();
        other.join().unwrap();
        pool.hand.run_all();
        pool.wait_for_all();
    });
}

/// A retry, which was successful, ends when the next job comes, which needs a thread of its own.
#[test]
fn submit_beside_the_end_of_a_retry() {
    check_many(|| {
        let settings = BlockingPool::settings().max_threads(2).idle(Duration::MAX);
        let pool = Pool::new(Hand::hasty(), refusing(settings, 1), 1);
        // It occupies a thread until the other job has run.
        let counts = Arc::clone(&pool.counts);
        let first = run_in_executor(&pool.hand, &pool.pool, move || counts.all_ran.wait());
        let other = pool.clone();
        let other = thread::spawn(move || other.submit().detach());
        pool.hand.run_all();
        other.join().unwrap();
        pool.hand.run_all();
        block_on(first).unwrap();
        pool.close();
    });
}

/// The runtime drops the retry when the next job comes: that one is told as well, or has a retry of its own.
#[test]
fn submit_beside_the_drop_of_a_retry() {
    check_three(|| {
        let pool = Pool::new(Hand::hasty(), refusing(one_thread(), 1), 2);
        let first = pool.submit();
        let job = pool.hand.job();
        let dropper = thread::spawn(move || drop(job));
        let second = pool.submit();
        dropper.join().unwrap();
        pool.hand.run_all();
        let results = [block_on(first), block_on(second)];
        let values = results.iter().filter(|result| result.is_ok()).count();
        assert_eq!(values, pool.ran());
        pool.close();
    });
}
