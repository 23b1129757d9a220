//! A whole backend: tasks and timers on one thread, blocking closures on threads of their own.
//!
//! [`Tiny`] is the handle; [`Tiny::new`] makes a runtime, and dropping what it returns ends it.
//! One lock guards everything. No foreign code (a task, a waker, a destructor) ever runs under it.

#![allow(
    clippy::disallowed_methods,
    reason = "a backend is where real time and threads come from"
)]

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Instant;

use kumi_core::context;
use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, JobQueue, LocalJob, Owned, Ran, Runtime, Sleep, Spawn,
    SpawnBlocking, SpawnLocal, Tasks,
};
use kumi_core::util::wake_all;

/// A runtime that belongs to the first thread that drives it.
#[derive(Debug, Clone)]
pub struct Tiny(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    /// Something was left for the thread that is inside `block_on`.
    changed: Condvar,
    home: OnceLock<ThreadId>,
    tasks: Tasks,
    closures: Tasks,
}

#[derive(Debug, Default)]
struct State {
    jobs: JobQueue,
    /// By time, and of equal times by age.
    timers: BTreeMap<(Instant, u64), Waker>,
    timers_made: u64,
    closed: bool,
}

impl Tiny {
    /// Makes a runtime.
    pub fn new() -> Owned<Self> {
        Owned::new(Self(Arc::default()))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// Makes this thread the one that runs tasks, if there is none yet.
    fn assert_home(&self, what: &str) {
        let here = thread::current().id();
        let home = *self.home.get_or_init(|| here);
        assert!(
            home == here,
            "`{what}` on a runtime that belongs to another thread"
        );
    }

    fn schedule(&self, job: Job) {
        let state = self.lock();
        if state.closed {
            drop(state);
            // Clause 3: a job that will not run is dropped, not forgotten.
            return drop(job);
        }
        state.jobs.push(job);
        self.changed.notify_one();
    }

    /// Fires what is due, then runs the jobs that are ready now; what they make ready has to wait for
    /// the next turn, so that a task that wakes itself starves nobody.
    fn turn(&self) {
        let mut state = self.lock();
        let later = state.timers.split_off(&(Instant::now(), u64::MAX));
        let due = std::mem::replace(&mut state.timers, later);
        drop(state);
        wake_all(due.into_values());
        let ready = self.lock().jobs.len();
        for _ in 0..ready {
            // One by one, so that a shutdown gets what has not run yet.
            let job = self.lock().jobs.pop();
            if let Some(Ran::Again(job)) = job.map(Job::run) {
                self.schedule(job);
            }
        }
    }
}

impl Spawn for Tiny {
    fn spawn_job(&self, job: Job) {
        self.0.schedule(job);
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self).with_local(self))
    }

    fn tasks(&self) -> Option<&Tasks> {
        Some(&self.0.tasks)
    }
}

impl SpawnLocal for Tiny {
    fn spawn_local_job(&self, job: LocalJob) {
        self.0.assert_home("spawn_local");
        // No other thread runs what is in the queue.
        self.0.schedule(job.into_job());
    }
}

impl SpawnBlocking for Tiny {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        if !self.0.lock().closed {
            thread::spawn(|| job.run());
        }
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        Some(&self.0.closures)
    }
}

/// Wakes the future of one `block_on`.
struct Main {
    shared: Arc<Shared>,
    woken: AtomicBool,
}

impl Wake for Main {
    fn wake(self: Arc<Self>) {
        self.woken.store(true, Ordering::Release);
        // Whoever is about to wait has seen the flag, or is waiting once we have had the lock.
        drop(self.shared.lock());
        self.shared.changed.notify_one();
    }
}

impl Runtime for Tiny {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        context::assert_may_block("block_on");
        self.0.assert_home("block_on");
        let main = Arc::new(Main {
            shared: Arc::clone(&self.0),
            woken: AtomicBool::new(true),
        });
        let waker = Waker::from(Arc::clone(&main));
        let mut future = pin!(context::within(self.clone(), future));
        loop {
            if main.woken.swap(false, Ordering::Acquire) {
                if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            }
            self.0.turn();
            let state = self.0.lock();
            if main.woken.load(Ordering::Acquire) || !state.jobs.is_empty() {
                continue;
            }
            match state.timers.keys().next() {
                Some((at, _)) => {
                    let left = at.saturating_duration_since(Instant::now());
                    drop(self.0.changed.wait_timeout(state, left).unwrap());
                }
                None => drop(self.0.changed.wait(state).unwrap()),
            }
        }
    }

    fn shutdown(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let queued = state.jobs.take();
        drop(state);
        drop(queued);
        // The parked tasks come back to `spawn_job`, which drops their jobs now.
        self.0.tasks.abort_all();
    }
}

impl Clock for Tiny {
    type Sleep = TinySleep;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> TinySleep {
        let shared = Arc::clone(&self.0);
        let armed = None;
        TinySleep { shared, at, armed }
    }
}

/// A sleep; armed while it has a timer in the table.
#[derive(Debug)]
pub struct TinySleep {
    shared: Arc<Shared>,
    at: Instant,
    armed: Option<(Instant, u64)>,
}

impl TinySleep {
    fn arm(&mut self, waker: Waker) {
        let mut state = self.shared.lock();
        state.timers_made += 1;
        let key = (self.at, state.timers_made);
        state.timers.insert(key, waker);
        self.armed = Some(key);
        // It may be the earliest now.
        self.shared.changed.notify_one();
    }

    /// Returns the waker, unless the timer has fired.
    fn disarm(&mut self) -> Option<Waker> {
        let key = self.armed.take()?;
        self.shared.lock().timers.remove(&key)
    }
}

impl Future for TinySleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        drop(self.disarm());
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        self.arm(cx.waker().clone());
        Poll::Pending
    }
}

impl Sleep for TinySleep {
    fn deadline(&self) -> Instant {
        self.at
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at = at;
        if let Some(waker) = self.disarm() {
            self.arm(waker);
        }
    }
}

impl Drop for TinySleep {
    fn drop(&mut self) {
        drop(self.disarm());
    }
}

/// Spawns a task on a runtime of its own, and waits for it.
pub fn tiny_backend_works() {
    use kumi_core::task::SpawnExt;

    let tiny = Tiny::new();
    let task = tiny.spawn(async { 20 + 22 });
    assert_eq!(tiny.block_on(task).unwrap(), 42);
}
