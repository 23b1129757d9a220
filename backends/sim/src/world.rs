//! The simulated world: what can run, what sleeps, what time it is, who is alive.
//!
//! All of it is under one lock, which is never held while foreign code runs: methods return what has
//! to be woken or dropped, and the caller does it after unlocking.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write;
use std::task::Waker;
use std::thread::ThreadId;
use std::time::Instant;

use kumi_core::runtime::{BlockingJob, Job, Task};
use slab::Slab;

use crate::schedule::Chooser;

/// When a timer is due, and a number that tells equal times apart.
pub(crate) type Key = (Instant, u64);

/// Something that can run.
#[derive(Debug)]
pub(crate) enum Ready {
    /// The future of the `block_on` that runs.
    Main,
    /// A task.
    Job(Job),
    /// A blocking closure, and its place among the live.
    Blocking(BlockingJob, usize),
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) ready: VecDeque<Ready>,
    pub(crate) timers: BTreeMap<Key, Waker>,
    timer_number: u64,
    pub(crate) now: Instant,
    /// In the order of spawning within this simulator, so that the order of a visit does not depend on
    /// what else the process did.
    pub(crate) live: Slab<Task>,
    /// Woken when a task is added and when the last one has ended.
    pub(crate) watcher: Option<Waker>,
    pub(crate) chooser: Chooser,
    pub(crate) closed: bool,
    pub(crate) owner: Option<ThreadId>,
    /// The number of the `block_on` that runs; the last one, if none does.
    pub(crate) drive: u64,
    pub(crate) driving: bool,
    pub(crate) steps: u64,
    fingerprint: u64,
}

impl World {
    pub(crate) fn new(now: Instant, chooser: Chooser) -> Self {
        Self {
            ready: VecDeque::new(),
            timers: BTreeMap::new(),
            timer_number: 0,
            now,
            live: Slab::new(),
            watcher: None,
            chooser,
            closed: false,
            owner: None,
            drive: 0,
            driving: false,
            steps: 0,
            fingerprint: 0xcbf2_9ce4_8422_2325,
        }
    }

    /// Queues a job, and counts its task if it is new; returns who has to be woken for that.
    pub(crate) fn push(&mut self, job: Job) -> Option<Waker> {
        let mut woken = None;
        if job.tag() == u32::MAX {
            let key = self.live.insert(job.task());
            job.set_tag(u32::try_from(key).expect("fewer than 2^32 tasks live"));
            woken = self.watcher.take();
        }
        self.ready.push_back(Ready::Job(job));
        woken
    }

    /// Queues a blocking closure.
    pub(crate) fn push_blocking(&mut self, job: BlockingJob) -> Option<Waker> {
        let key = self.live.insert(job.task());
        self.ready.push_back(Ready::Blocking(job, key));
        self.watcher.take()
    }

    /// Takes an ended task out; returns it, to be dropped, and who has to be woken.
    pub(crate) fn remove(&mut self, key: usize) -> (Option<Task>, Option<Waker>) {
        // A shutdown may have taken it out already.
        let task = self.live.try_remove(key);
        let woken = if self.live.is_empty() {
            self.watcher.take()
        } else {
            None
        };
        (task, woken)
    }

    /// Chooses what runs next.
    pub(crate) fn next(&mut self) -> Option<Ready> {
        if self.ready.is_empty() {
            return None;
        }
        let choice = self.chooser.choose(self.ready.len());
        let next = self
            .ready
            .remove(choice)
            .expect("the choice is below the length");
        self.steps += 1;
        let who = match &next {
            Ready::Main => u64::MAX,
            Ready::Job(job) => u64::from(job.tag()),
            Ready::Blocking(_, key) => *key as u64 | 1 << 32,
        };
        self.note(who);
        Some(next)
    }

    /// Moves time to the next timer, if there is one; returns who is to be woken, in due order.
    pub(crate) fn pass_time(&mut self) -> Option<Vec<Waker>> {
        let ((at, _), _) = self.timers.first_key_value()?;
        self.now = self.now.max(*at);
        let later = self.timers.split_off(&(self.now, u64::MAX));
        let due = std::mem::replace(&mut self.timers, later);
        self.note(due.len() as u64 | 1 << 33);
        Some(due.into_values().collect())
    }

    pub(crate) fn arm(&mut self, at: Instant, waker: Waker) -> Key {
        self.timer_number += 1;
        let key = (at, self.timer_number);
        self.timers.insert(key, waker);
        key
    }

    /// A number that tells runs apart: equal for equal sequences of steps.
    pub(crate) fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// FNV-1a over the steps.
    fn note(&mut self, step: u64) {
        for byte in step.to_le_bytes() {
            self.fingerprint = (self.fingerprint ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    /// One line for each live task.
    pub(crate) fn who_waits(&self) -> String {
        let mut text = String::from("\n  the future of `block_on`");
        for (_, task) in &self.live {
            write!(text, "\n  {}", task.info()).expect("a string takes all");
        }
        text
    }
}
