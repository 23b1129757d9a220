//! The queue that any thread may push to: nothing lost, first in first out, and a consumer that
//! sleeps is woken.

use std::sync::Arc;

use kumi_core::runtime::{Job, JobQueue, SharedJobQueue, TaskId};
use kumi_core::task::JoinHandle;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::support::{Hand, Output, check, check_three, spawn};

/// `count` jobs to push around, with their numbers in ascending order.
struct Jobs {
    hand: Hand,
    handles: Vec<JoinHandle<Output>>,
    ids: Vec<TaskId>,
}

impl Jobs {
    fn new() -> Self {
        Self {
            hand: Hand::new(),
            handles: Vec::new(),
            ids: Vec::new(),
        }
    }

    fn make(&mut self) -> Job {
        let (handle, _) = spawn(&self.hand, |_| true);
        self.ids.push(handle.id());
        self.handles.push(handle);
        self.hand.job()
    }

    /// Runs what the queues hold, in their order, and checks that it is every job, once.
    fn finish<const N: usize>(self, queues: [JobQueue; N]) -> Vec<TaskId> {
        let mut order = Vec::new();
        for queue in &queues {
            let len = queue.len();
            let before = order.len();
            while let Some(job) = queue.pop() {
                order.push(job.task().id());
                self.hand.run(job);
            }
            assert_eq!(order.len() - before, len);
        }
        let mut sorted = order.clone();
        sorted.sort();
        assert_eq!(sorted, self.ids, "a job is lost");
        drop(self.handles);
        self.hand.assert_empty();
        order
    }
}

#[test]
fn push_beside_take() {
    check(|| {
        let mut jobs = Jobs::new();
        let (first, second) = (jobs.make(), jobs.make());
        let queue = Arc::new(SharedJobQueue::new());
        let pusher = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            let was_empty = [first, second].map(|job| pusher.push(job).unwrap());
            was_empty.iter().filter(|&&empty| empty).count()
        });
        let early = queue.take_all();
        let firsts = thread.join().unwrap();
        let late = queue.take_all();
        let taken = [&early, &late].iter().filter(|q| !q.is_empty()).count();
        assert_eq!(firsts, taken, "one push per emptying finds the queue empty");
        let order = jobs.finish([early, late]);
        assert!(order.is_sorted(), "first in, first out: {order:?}");
    });
}

#[test]
fn two_pushers_beside_take() {
    check_three(|| {
        let mut jobs = Jobs::new();
        let (a, b) = ([jobs.make(), jobs.make()], [jobs.make(), jobs.make()]);
        let queue = Arc::new(SharedJobQueue::new());
        let threads = [a, b].map(|jobs| {
            let queue = Arc::clone(&queue);
            thread::spawn(move || {
                let was_empty = jobs.map(|job| queue.push(job).unwrap());
                was_empty.iter().filter(|&&empty| empty).count()
            })
        });
        let early = queue.take_all();
        let firsts: usize = threads.map(|thread| thread.join().unwrap()).iter().sum();
        let late = queue.take_all();
        let taken = [&early, &late].iter().filter(|q| !q.is_empty()).count();
        assert_eq!(firsts, taken, "one push per emptying finds the queue empty");
        let ids = jobs.ids.clone();
        let order = jobs.finish([early, late]);
        for pusher in ids.chunks(2) {
            let mine = order.iter().filter(|id| pusher.contains(id));
            assert!(mine.is_sorted(), "first in, first out: {order:?}");
        }
    });
}

/// A job that meets the end of the queue is taken by it or comes back.
#[test]
fn push_beside_close() {
    check(|| {
        let mut jobs = Jobs::new();
        let (first, second) = (jobs.make(), jobs.make());
        let queue = Arc::new(SharedJobQueue::new());
        let pusher = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            let back = JobQueue::new();
            for job in [first, second] {
                if let Err(job) = pusher.push(job) {
                    back.push(job);
                }
            }
            back
        });
        let taken = queue.close();
        let back = thread.join().unwrap();
        assert!(queue.is_empty());
        assert!(queue.close().is_empty());
        let order = jobs.finish([taken, back]);
        assert!(order.is_sorted(), "first in, first out: {order:?}");
    });
}

/// A consumer that sleeps when it finds nothing, and the flag by which it says so.
struct Sleeper {
    queue: SharedJobQueue,
    sleeping: AtomicBool,
}

impl Sleeper {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            queue: SharedJobQueue::new(),
            sleeping: AtomicBool::new(false),
        })
    }

    /// The pushing side, as the docs of `push` have it.
    fn push(&self, job: Job, consumer: &thread::Thread) {
        let first = self.queue.push(job).unwrap();
        if first && self.sleeping.swap(false, Ordering::SeqCst) {
            consumer.unpark();
        }
    }

    /// The consuming side, until `count` jobs have come.
    fn take(&self, count: usize) -> JobQueue {
        let all = JobQueue::new();
        while all.len() < count {
            let batch = self.queue.take_all();
            if !batch.is_empty() {
                all.append(batch);
                continue;
            }
            // A swap, where a consumer may as well store: loom takes sequentially consistent stores
            // and loads for weaker ones than they are.
            self.sleeping.swap(true, Ordering::SeqCst);
            if self.queue.is_empty() {
                thread::park();
            }
            self.sleeping.store(false, Ordering::SeqCst);
        }
        all
    }
}

/// A consumer that announces its sleep, looks again and sleeps is woken for a job.
#[test]
fn push_beside_a_consumer_that_falls_asleep() {
    check(|| {
        let mut jobs = Jobs::new();
        let job = jobs.make();
        let sleeper = Sleeper::new();
        let (pusher, consumer) = (Arc::clone(&sleeper), thread::current());
        let thread = thread::spawn(move || pusher.push(job, &consumer));
        let taken = sleeper.take(1);
        thread.join().unwrap();
        jobs.finish([taken]);
    });
}

/// Of two pushers only one needs to wake it.
#[test]
fn two_pushers_beside_a_consumer_that_falls_asleep() {
    check_three(|| {
        let mut jobs = Jobs::new();
        let both = [jobs.make(), jobs.make()];
        let sleeper = Sleeper::new();
        let threads = both.map(|job| {
            let (pusher, consumer) = (Arc::clone(&sleeper), thread::current());
            thread::spawn(move || pusher.push(job, &consumer))
        });
        let taken = sleeper.take(2);
        for thread in threads {
            thread.join().unwrap();
        }
        jobs.finish([taken]);
    });
}
