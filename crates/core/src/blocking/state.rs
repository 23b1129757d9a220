//! Who does what next, in a pool: all under one lock, and nothing foreign runs here.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Queue;
use crate::loom::{Condvar, ThreadHandle, fault};
use crate::runtime::{BlockingJob, Task};

/// The jobs and the threads of a pool.
#[derive(Default)]
pub(super) struct State {
    queue: Queue,
    /// Those that live or are being made, by number.
    threads: BTreeMap<u64, Thread>,
    /// Those that wait for a job; the last one has waited least.
    idle: Vec<u64>,
    /// How many threads are on their way to the queue: being made, or woken.
    coming: usize,
    /// How many threads there were.
    numbers: u64,
    /// A task asks the system again for a thread; nobody else does meanwhile.
    retrying: bool,
    /// Nothing new is queued, and a thread that finds nothing ends.
    closed: bool,
    /// Threads that have left the pool, to be joined.
    ended: Vec<ThreadHandle>,
}

/// What the pool knows of a thread.
struct Thread {
    name: Arc<str>,
    /// The number of the thread in the process, once it runs.
    runs_as: Option<u64>,
    wake: Arc<Condvar>,
    woken: bool,
    running: Option<Task>,
    handle: Option<ThreadHandle>,
}

/// What the one who has queued a job, or has found one that waits, does next.
pub(super) enum Need {
    Nothing,
    /// Make this thread.
    Thread {
        number: u64,
        name: Arc<str>,
    },
}

/// What a thread leaves, for whoever is not under the lock: jobs to drop, and threads to join.
pub(super) struct Left {
    _running: Option<Task>,
    _orphans: Queue,
    pub(super) ended: Vec<ThreadHandle>,
}

impl State {
    /// Queues `job`, or gives it back.
    pub(super) fn push(&mut self, job: BlockingJob) -> Result<(), BlockingJob> {
        if self.closed && !fault("pool_is_closed_and_takes_jobs") {
            return Err(job);
        }
        self.queue.push_back(job);
        Ok(())
    }

    /// Sees to it that a thread comes for each job, as far as that can be.
    ///
    /// `retry` is true for the one who asks for threads again; while there is one, only it does.
    pub(super) fn need(&mut self, max: usize, name: &str, retry: bool) -> Need {
        if self.queue.len() <= self.coming {
            return Need::Nothing;
        }
        if let Some(number) = self.idle.pop() {
            self.coming += 1;
            let thread = self.thread(number);
            thread.woken = true;
            if !fault("pool_wakes_nobody") {
                thread.wake.notify_one();
            }
            return Need::Nothing;
        }
        if self.threads.len() >= max || self.retrying != retry {
            return Need::Nothing;
        }
        self.coming += 1;
        self.numbers += 1;
        let number = self.numbers;
        let name: Arc<str> = format!("{name}-{number}").into();
        let thread = Thread {
            name: Arc::clone(&name),
            runs_as: None,
            wake: Arc::new(Condvar::new()),
            woken: false,
            running: None,
            handle: None,
        };
        self.threads.insert(number, thread);
        Need::Thread { number, name }
    }

    fn thread(&mut self, number: u64) -> &mut Thread {
        let thread = self.threads.get_mut(&number);
        thread.expect("a thread is listed until it leaves")
    }

    /// The thread is at the queue for the first time.
    pub(super) fn arrive(&mut self, number: u64, runs_as: u64) -> Arc<Condvar> {
        self.coming -= 1;
        let thread = self.thread(number);
        thread.runs_as = Some(runs_as);
        Arc::clone(&thread.wake)
    }

    /// The next job for the thread. The task that it ran before is for the caller to drop.
    pub(super) fn next(&mut self, number: u64) -> (Option<BlockingJob>, Option<Task>) {
        let job = self.queue.pop_front();
        let running = job.as_ref().map(BlockingJob::task);
        let before = std::mem::replace(&mut self.thread(number).running, running);
        (job, before)
    }

    /// Whether the thread has something to do other than to wait.
    pub(super) fn is_wanted(&self, number: u64) -> bool {
        self.closed || self.threads.get(&number).is_some_and(|t| t.woken)
    }

    /// The thread, which has just found nothing in the queue, begins to wait, unless the pool is closed.
    pub(super) fn rest(&mut self, number: u64) -> bool {
        if !self.closed {
            self.idle.push(number);
        }
        !self.closed
    }

    /// The thread has waited; true if it is to look at the queue again, and not to leave.
    pub(super) fn rise(&mut self, number: u64) -> bool {
        if std::mem::take(&mut self.thread(number).woken) {
            self.coming -= 1;
            return !fault("pool_leaves_although_called");
        }
        // Nobody has called it: its time is over, or the pool is closed.
        self.idle.retain(|idle| *idle != number);
        !self.queue.is_empty()
    }

    /// The thread leaves. It has found nothing in the queue, or it unwinds: then what no other thread will
    /// run is left, too.
    pub(super) fn leave(&mut self, number: u64) -> Left {
        let ended = std::mem::take(&mut self.ended);
        let thread = self.threads.remove(&number);
        let (running, handle) = thread.map_or((None, None), |t| (t.running, t.handle));
        self.ended.extend(handle);
        let orphans = match self.retrying {
            true => Queue::new(),
            false => self.orphans(),
        };
        Left {
            _running: running,
            _orphans: orphans,
            ended,
        }
    }

    /// A thread was not made, or did not run. If the one who wanted it made believes that it was, nobody
    /// is left to retry: what no other thread will run is for the caller to drop.
    pub(super) fn never_came(&mut self, number: u64) -> Queue {
        if !fault("pool_counts_on_a_thread_that_never_came") {
            self.coming -= 1;
        }
        match self.threads.remove(&number) {
            Some(Thread {
                handle: Some(_), ..
            }) if !self.retrying => self.orphans(),
            _ => Queue::new(),
        }
    }

    /// Keeps the handle of a thread that was made; false if it is gone already.
    pub(super) fn made(&mut self, number: u64, handle: ThreadHandle) -> bool {
        match self.threads.get_mut(&number) {
            Some(thread) => thread.handle = Some(handle),
            None => {
                self.ended.push(handle);
                return false;
            }
        }
        true
    }

    /// Begins to retry; false if that is under way, or nobody is in need.
    pub(super) fn begin_retry(&mut self, max: usize) -> bool {
        let needed = self.queue.len() > self.coming && self.threads.len() < max;
        let begins = needed && !self.retrying && !fault("pool_does_not_retry");
        self.retrying |= begins;
        begins
    }

    /// Ends the retry, which was successful.
    pub(super) fn end_retry(&mut self) {
        self.retrying = false;
    }

    /// Ends the retry, which was not. If there is no thread at all, what is queued is for the caller to
    /// drop.
    pub(super) fn give_up_retry(&mut self) -> Queue {
        self.retrying = false;
        self.orphans()
    }

    fn orphans(&mut self) -> Queue {
        match self.threads.is_empty() && !fault("pool_forgets_its_orphans") {
            true => std::mem::take(&mut self.queue),
            false => Queue::new(),
        }
    }

    /// Takes nothing new, and lets the threads end when there is nothing left.
    pub(super) fn finish(&mut self) {
        self.closed = true;
        for thread in self
            .threads
            .values()
            .filter(|_| !fault("pool_closes_in_silence"))
        {
            thread.wake.notify_one();
        }
    }

    /// Does not run what is queued, either.
    pub(super) fn close(&mut self) -> Queue {
        self.finish();
        std::mem::take(&mut self.queue)
    }

    pub(super) fn take_ended(&mut self) -> Vec<ThreadHandle> {
        std::mem::take(&mut self.ended)
    }

    /// The threads that have not left, but for the one with this number in the process: their names and
    /// what they run.
    pub(super) fn others(&self, runs_as: u64) -> Vec<(Arc<str>, Option<Task>)> {
        let others = self.threads.values();
        let others = others.filter(|thread| thread.runs_as != Some(runs_as));
        others
            .map(|thread| (Arc::clone(&thread.name), thread.running.clone()))
            .collect()
    }

    pub(super) fn has_others(&self, runs_as: u64) -> bool {
        let mut threads = self.threads.values();
        threads.any(|thread| thread.runs_as != Some(runs_as))
    }

    pub(super) fn threads(&self) -> usize {
        self.threads.len()
    }

    pub(super) fn idle(&self) -> usize {
        self.idle.len()
    }

    pub(super) fn queued(&self) -> usize {
        self.queue.len()
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }
}
