//! The queue of jobs, and the tasks of the executor that drain it.
//!
//! A task of Kumi's has a cell of its own, so making each a task of the executor as well would give it two:
//! two allocations, two states. Instead the jobs that are due lie in one queue, and a few long-lived tasks of
//! the executor, the *drainers*, take them out and run them.
//!
//! # What must stay true
//!
//! - While a job lies in the queue, a drainer is *ready*: the executor has been told to poll it, and it has not
//!   looked at the queue since. So a job that blocks its thread holds up nobody as long as a thread is free:
//!   before a drainer runs a job it sees to it that another one is ready for those behind it.
//! - At most one is ready at a time, so a burst of a thousand wakes tells the executor once.
//! - A drainer is told, or is in the list of the idle, or is being polled: never two of these.
//!
//! # What ends what
//!
//! A drainer ends if enough others are idle, or when the queue is closed, which the last handle of the
//! runtime does. It holds the queue and not the runtime: tasks hold the runtime.

use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use async_executor::StaticExecutor;
use concurrent_queue::ConcurrentQueue;
use kumi_core::runtime::{Job, Ran};

use crate::local::lock;
use crate::ready::Ready;

/// The most jobs that a drainer runs in one poll, if they are short.
///
/// The executor counts a poll as one task, and looks at the future of `block_on` and at its reactor after 200 of
/// them, so what is run in one poll has to stay small in time: a poll that took longer than [`LONG`] is followed by
/// one of a single job, and only short polls let the number double again.
const JOBS: usize = 16;

/// How long a poll of a drainer may take before the next runs a single job.
const LONG: Duration = Duration::from_micros(10);

/// How many drainers are kept that have nothing to do.
const IDLE: usize = 4;

/// The jobs of one runtime that are due.
#[derive(Debug)]
pub(crate) struct Jobs {
    due: ConcurrentQueue<Job>,
    ready: Ready,
    /// How many jobs the next poll may run: 1 to [`JOBS`]. A hint, so without order.
    at_a_time: AtomicUsize,
    idle: Mutex<Idle>,
    /// Without one: smol's global executor.
    executor: Option<&'static StaticExecutor>,
}

#[derive(Debug, Default)]
struct Idle {
    wakers: Vec<Waker>,
    closed: bool,
}

impl Jobs {
    pub(crate) fn new(executor: Option<&'static StaticExecutor>) -> Arc<Self> {
        Arc::new(Self {
            due: ConcurrentQueue::unbounded(),
            ready: Ready::new(),
            at_a_time: AtomicUsize::new(JOBS),
            idle: Mutex::default(),
            executor,
        })
    }

    /// Puts a job behind the others.
    pub(crate) fn push(self: &Arc<Self>, job: Job) {
        self.put(job);
        self.notify();
    }

    fn put(&self, job: Job) {
        let pushed = self.due.push(job);
        pushed.expect("the queue has no bound, and is never closed");
    }

    /// Drops all jobs that are due.
    pub(crate) fn clear(&self) {
        while let Ok(job) = self.due.pop() {
            drop(job);
        }
    }

    /// Lets the drainers end; there will be no more jobs.
    pub(crate) fn close(&self) {
        let mut idle = lock(&self.idle);
        idle.closed = true;
        let wakers = std::mem::take(&mut idle.wakers);
        drop(idle);
        wakers.into_iter().for_each(Waker::wake);
    }

    /// Makes a drainer ready, if none is.
    fn notify(self: &Arc<Self>) {
        if !self.ready.claim() {
            return;
        }
        let waker = lock(&self.idle).wakers.pop();
        match waker {
            Some(waker) => waker.wake(),
            None => self.start(),
        }
    }

    /// Runs as many jobs as fit into one poll.
    fn run_some(self: &Arc<Self>) {
        let most = self.at_a_time.load(Ordering::Relaxed);
        // While all goes well the clock is looked at twice in a full poll, and not at all for a single job.
        let mut started = (most < JOBS).then(Instant::now);
        for number in 0..most {
            let Ok(job) = self.due.pop() else { break };
            if !self.due.is_empty() {
                self.notify();
            }
            if number == 1 && started.is_none() {
                started = Some(Instant::now());
            }
            match job.run() {
                Ran::Again(job) => self.put(job),
                Ran::Ended | Ran::Pending => {}
            }
        }
        let Some(started) = started else { return };
        let next = match started.elapsed() > LONG {
            true => 1,
            false => JOBS.min(2 * most),
        };
        if next != most {
            self.at_a_time.store(next, Ordering::Relaxed);
        }
    }

    #[cold]
    fn start(self: &Arc<Self>) {
        let drainer = Drainer(Arc::clone(self));
        match self.executor {
            Some(executor) => executor.spawn(drainer).detach(),
            #[cfg(feature = "global")]
            None => smol::spawn(drainer).detach(),
            #[cfg(not(feature = "global"))]
            None => unreachable!("only the global executor is nobody's"),
        }
    }
}

/// Runs the jobs of a queue, as a task of the executor.
struct Drainer(Arc<Jobs>);

impl Future for Drainer {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let jobs = &self.0;
        // Whoever pushes from here on makes another one ready; what was pushed before is seen below.
        jobs.ready.begin();
        jobs.run_some();
        let mut idle = lock(&jobs.idle);
        if idle.closed || idle.wakers.len() >= IDLE {
            drop(idle);
            if !jobs.due.is_empty() {
                jobs.notify();
            }
            return Poll::Ready(());
        }
        idle.wakers.push(cx.waker().clone());
        drop(idle);
        // Only now that it is in the list: a push before this found it neither ready nor idle.
        if !jobs.due.is_empty() {
            jobs.notify();
        }
        Poll::Pending
    }
}
