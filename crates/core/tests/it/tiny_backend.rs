use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, Condvar, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use kumi_core::context;
use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, Ran, Runtime, Sleep, Spawn, SpawnBlocking, Task, Tasks,
};

/// A backend of one thread: a queue of jobs and a table of timers under one lock.
#[derive(Clone, Default)]
struct Tiny(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
    tasks: Tasks,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    timers: BTreeMap<(Instant, u64), Waker>,
    next_timer: u64,
    main_woken: bool,
    closed: bool,
}

impl Spawn for Tiny {
    fn spawn_job(&self, job: Job) {
        let mut state = self.0.state.lock().unwrap();
        if state.closed {
            drop(state); // Clause 3: a job that cannot run is dropped, not forgotten.
            return drop(job);
        }
        state.jobs.push_back(job);
        self.0.changed.notify_one();
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self))
    }
}

impl SpawnBlocking for Tiny {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        std::thread::spawn(self.0.tasks.track_blocking(job));
    }
}

impl Clock for Tiny {
    type Sleep = TinySleep;

    fn now(&self) -> Instant {
        Instant::now()
    }

    fn sleep_until(&self, at: Instant) -> TinySleep {
        TinySleep { shared: Arc::clone(&self.0), at, key: None }
    }
}

struct TinySleep {
    shared: Arc<Shared>,
    at: Instant,
    key: Option<(Instant, u64)>,
}

impl TinySleep {
    /// Takes the timer out of the table; the waker is dropped after the lock.
    fn disarm(&mut self) -> Option<Waker> {
        let key = self.key.take()?;
        self.shared.state.lock().unwrap().timers.remove(&key)
    }

    fn arm(&mut self, waker: Waker) {
        let mut state = self.shared.state.lock().unwrap();
        state.next_timer += 1;
        let key = (self.at, state.next_timer);
        state.timers.insert(key, waker);
        self.key = Some(key);
        self.shared.changed.notify_one();
    }
}

impl Future for TinySleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let old = self.disarm();
        if Instant::now() >= self.at {
            return Poll::Ready(());
        }
        self.arm(cx.waker().clone());
        drop(old);
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

/// Wakes the future of `block_on`.
impl Wake for Shared {
    fn wake(self: Arc<Self>) {
        self.state.lock().unwrap().main_woken = true;
        self.changed.notify_one();
    }
}

impl Runtime for Tiny {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        context::assert_may_block("block_on");
        let mut main = pin!(context::within(self.clone(), future));
        let waker = Waker::from(Arc::clone(&self.0));
        let mut woken = true;
        loop {
            if woken {
                if let Poll::Ready(value) = main.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return value;
                }
            }
            let mut state = self.0.state.lock().unwrap();
            woken = std::mem::take(&mut state.main_woken);
            let now = Instant::now();
            let later = state.timers.split_off(&(now, u64::MAX));
            let due = std::mem::replace(&mut state.timers, later);
            // The batch that is ready now, so that nobody starves.
            let batch = std::mem::take(&mut state.jobs);
            if !woken && due.is_empty() && batch.is_empty() {
                match state.timers.keys().next() {
                    None => drop(self.0.changed.wait(state).unwrap()),
                    Some((at, _)) => {
                        let timeout = at.saturating_duration_since(now);
                        drop(self.0.changed.wait_timeout(state, timeout).unwrap());
                    }
                }
                continue;
            }
            drop(state);
            due.into_values().for_each(Waker::wake);
            for job in batch {
                if job.tag() == u32::MAX {
                    // New: hand it to the table of live tasks. As the table tracks futures, this
                    // backend tells it by polling the job to its end from now on, or, as here, lets
                    // the tag remember that the task is counted by itself.
                    job.set_tag(0);
                }
                if let Ran::Again(job) = job.run() {
                    self.spawn_job(job);
                }
            }
        }
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        self.0.tasks.for_each(visit);
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.0.tasks.poll_idle(cx)
    }

    fn shutdown(&self) {
        let mut state = self.0.state.lock().unwrap();
        state.closed = true;
        let jobs = std::mem::take(&mut state.jobs);
        drop(state);
        drop(jobs); // Destructors are foreign code: not under the lock.
    }
}
