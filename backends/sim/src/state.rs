//! What a simulator is made of, under one lock.
//!
//! Any thread may queue jobs, arm timers and wake main; one thread, the driver, takes steps. The lock is
//! held for single operations on the queue, the table or the clock, and never while foreign code runs:
//! wakers are cloned before it is taken, and woken or dropped after it was given back; jobs are run and
//! dropped outside.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::thread::{self, ThreadId};
use std::time::Duration;

use kumi_core::runtime::{BlockingJob, Job};

use crate::live::Live;
use crate::schedule::{Chooser, Divergence};
use crate::time::Time;
use crate::trace::Trace;

/// A simulator.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    state: Mutex<State>,
    /// Tells a driver that waits for other threads that there is something to do.
    bell: Condvar,
}

/// What ends a `block_on` that would not end by itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) patience: Duration,
    pub(crate) max_steps: Option<u64>,
}

/// What changes.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) time: Time,
    pub(crate) live: Live,
    pub(crate) trace: Trace,
    /// What is ready, the oldest in front.
    pub(crate) ready: VecDeque<Ready>,
    chooser: Chooser,
    /// Who watches for idleness.
    pub(crate) watcher: Option<Waker>,
    pub(crate) closed: bool,
    /// The thread that the simulator belongs to.
    thread: Option<ThreadId>,
    /// Which call of `block_on` is running, counted from one; zero if none is.
    pub(crate) drive: u64,
    pub(crate) drives: u64,
    /// Main is in the queue.
    pub(crate) main_ready: bool,
    /// The driver waits for the bell.
    pub(crate) listening: bool,
}

/// Something that can run.
#[derive(Debug)]
pub(crate) enum Ready {
    Main,
    Job(Job),
    /// With its key in the table, for which a blocking job has no place.
    Blocking(u32, BlockingJob),
}

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Next {
    Run(Ready),
    /// Time has moved; these are due.
    Wake(Vec<Waker>),
    /// Nothing can run, and time has nowhere to go.
    Stuck,
    Diverged(Divergence),
}

impl Shared {
    pub(crate) fn new(time: Time, chooser: Chooser, limits: Limits) -> Self {
        Self {
            limits,
            state: Mutex::new(State {
                time,
                live: Live::default(),
                trace: Trace::default(),
                ready: VecDeque::new(),
                chooser,
                watcher: None,
                closed: false,
                thread: None,
                drive: 0,
                drives: 0,
                main_ready: false,
                listening: false,
            }),
            bell: Condvar::new(),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the lock back after something was left for the driver, and tells it if it waits.
    pub(crate) fn ring(&self, state: MutexGuard<'_, State>) {
        let listening = state.listening;
        drop(state);
        if listening {
            self.bell.notify_one();
        }
    }

    /// The bell, for the driver.
    pub(crate) fn bell(&self) -> &Condvar {
        &self.bell
    }

    /// Makes this thread the simulator's, if it has none yet; panics if it has another.
    #[track_caller]
    pub(crate) fn own(&self, what: &str) {
        let here = thread::current().id();
        let owner = *self.lock().thread.get_or_insert(here);
        assert!(
            owner == here,
            "`{what}` on a simulator that belongs to another thread: it stays on the thread that \
             first drove it or spawned a local task on it. Spawn onto it from here with `spawn`, or \
             make a simulator of this thread's own"
        );
    }

    /// Queues a job, from any thread; drops it after the shutdown.
    pub(crate) fn push(&self, job: Job) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return drop(job);
        }
        let new = state.live.adopt(&job);
        state.ready.push_back(Ready::Job(job));
        let watcher = new.then(|| state.watcher.take()).flatten();
        self.ring(state);
        wake(watcher);
    }

    /// Queues a blocking closure, from any thread; drops it after the shutdown.
    pub(crate) fn push_blocking(&self, job: BlockingJob) {
        let mut state = self.lock();
        if state.closed {
            drop(state);
            return drop(job);
        }
        let key = state.live.enter(job.task());
        state.ready.push_back(Ready::Blocking(key, job));
        let watcher = state.watcher.take();
        self.ring(state);
        wake(watcher);
    }

    /// Queues main, from any thread, if `drive` is still the call that runs.
    pub(crate) fn push_main(&self, drive: u64) {
        let mut state = self.lock();
        if state.drive == drive && !state.main_ready {
            state.main_ready = true;
            state.ready.push_back(Ready::Main);
            self.ring(state);
        }
    }

    /// Takes a task out of the table that has ended.
    pub(crate) fn forget(&self, key: u32) {
        let mut state = self.lock();
        let task = state.live.forget(key);
        let last = state.live.is_empty();
        let watcher = last.then(|| state.watcher.take()).flatten();
        drop(state);
        drop(task);
        wake(watcher);
    }

    /// Closes the queue, drops what is in it, then makes the tasks that wait drop their futures.
    pub(crate) fn close(&self) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.closed, true) {
            return;
        }
        let ready = std::mem::take(&mut state.ready);
        if state.main_ready {
            state.ready.push_back(Ready::Main);
        }
        let tasks = state.live.take();
        let watcher = state.watcher.take();
        drop(state);
        // Each by itself: destructors are foreign code, and what they wake finds the queue closed.
        for ready in ready {
            drop(ready);
        }
        for task in tasks {
            // Its job comes to `push`, which drops it. One that runs right now ends with this poll.
            task.abort();
        }
        wake(watcher);
    }
}

impl State {
    /// Takes the next step out.
    pub(crate) fn next(&mut self) -> Next {
        let index = match self.ready.len() {
            0 => return self.time.advance().map_or(Next::Stuck, Next::Wake),
            1 => 0,
            of => match self.chooser.choose(of) {
                Ok(index) => {
                    self.trace.push(index, of);
                    index
                }
                Err(divergence) => return Next::Diverged(divergence),
            },
        };
        let ready = self.ready.remove(index);
        let ready = ready.expect("a schedule chooses one of those that are ready");
        if let Ready::Main = ready {
            self.main_ready = false;
        }
        Next::Run(ready)
    }
}

/// Wakes whoever watched for idleness.
fn wake(watcher: Option<Waker>) {
    if let Some(watcher) = watcher {
        watcher.wake();
    }
}
