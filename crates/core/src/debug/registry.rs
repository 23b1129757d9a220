//! What is known in debug mode: the tasks that were spawned in it, and the polls that are going on.
//!
//! One lock around plain data, for the whole process, so that a snapshot is consistent while tasks run
//! on other threads. It is held for single steps. Nothing foreign happens under it: no waker is touched,
//! no report is made, and what is dropped under it are names and places.
//!
//! # What ends what
//!
//! A task is entered when its cell is made, before anybody else knows of it, and taken out when its
//! future is gone and its output stored, whatever ended it. It holds no reference to the task. A poll is
//! on the stack of its thread ([`Polling`]) and is taken out with it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::Location;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use slab::Slab;

use super::tree::TaskState;
use super::wait::WaitsFor;
use super::{cycle, is_debug, slow_callback_duration, watchdog};
use crate::context::current_task;
use crate::report::{Report, report};
use crate::runtime::{TaskId, TaskInfo};

/// What is known of a task besides what its cell knows.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) info: TaskInfo,
    /// In whose poll it was spawned.
    pub(super) parent: Option<TaskId>,
    /// Where the group was made that it belongs to.
    pub(super) group: Option<&'static Location<'static>>,
    pub(super) state: TaskState,
    pub(super) waits: Vec<WaitsFor>,
    /// The circle that it is in was reported.
    pub(super) told: bool,
}

/// A poll that is going on.
#[derive(Debug)]
pub(super) struct Poll {
    /// None if it is main.
    pub(super) task: Option<TaskInfo>,
    /// Unless it may block.
    pub(super) began: Option<Instant>,
    pub(super) thread: Thread,
    /// The watchdog has reported it.
    pub(super) told: bool,
    waits: Vec<WaitsFor>,
}

#[derive(Debug)]
pub(super) struct Registry {
    /// By number, so that who was spawned earlier comes first.
    pub(super) tasks: BTreeMap<TaskId, Entry>,
    pub(super) polls: Slab<Poll>,
    /// How many runtimes are owned.
    pub(super) runtimes: usize,
    pub(super) watchdog: watchdog::State,
}

#[allow(
    clippy::disallowed_methods,
    reason = "it is `static`, has a condition variable, and models run without debug mode"
)]
static REGISTRY: Mutex<Registry> = Mutex::new(Registry {
    tasks: BTreeMap::new(),
    polls: Slab::new(),
    runtimes: 0,
    watchdog: watchdog::State::Gone,
});

/// Tells the watchdog to look again.
static BELL: Condvar = Condvar::new();

thread_local! {
    /// The place of the innermost poll on this thread.
    static POLL: Cell<Option<usize>> = const { Cell::new(None) };
    /// What the last poll of main on this thread waits for.
    static MAIN: Cell<Vec<WaitsFor>> = const { Cell::new(Vec::new()) };
}

pub(super) fn lock() -> MutexGuard<'static, Registry> {
    // Nothing panics under the lock.
    REGISTRY.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Makes the watchdog look again.
///
/// Under the lock, because the watchdog decides under the lock to sleep: a bell without it could ring
/// between the decision and the sleep, and nobody would hear it.
pub(super) fn ring(_locked: &Registry) {
    BELL.notify_all();
}

/// Gives the lock up until the bell rings, but no longer than `limit`.
pub(super) fn wait(
    registry: MutexGuard<'static, Registry>,
    limit: Option<Duration>,
) -> MutexGuard<'static, Registry> {
    match limit {
        None => BELL.wait(registry).unwrap_or_else(PoisonError::into_inner),
        Some(limit) => {
            let waited = BELL.wait_timeout(registry, limit);
            waited.unwrap_or_else(PoisonError::into_inner).0
        }
    }
}

impl Registry {
    /// Whether nothing is left that a watchdog could be for.
    pub(super) fn is_over(&self) -> bool {
        self.runtimes == 0 && self.tasks.is_empty() && self.polls.is_empty()
    }

    /// A poll of the task has ended; returns the circle of tasks that it has closed.
    fn poll_ended(
        &mut self,
        task: TaskId,
        waits: Vec<WaitsFor>,
        woken: bool,
    ) -> Option<Vec<TaskInfo>> {
        let entry = self.tasks.get_mut(&task)?;
        let target = |entry: &Entry| cycle::only_task(entry).map(TaskInfo::id);
        entry.state = TaskState::Waiting;
        let before = target(entry);
        entry.waits = waits;
        if target(entry) != before {
            entry.told = false;
        }
        if woken {
            entry.state = TaskState::Queued;
        }
        if entry.told {
            return None;
        }
        let circle = cycle::find(&self.tasks, task)?;
        for task in &circle {
            self.tasks.get_mut(&task.id())?.told = true;
        }
        Some(circle)
    }

    /// Rings if the watchdog is to end.
    fn end_watchdog(&self) {
        if self.is_over() && !matches!(self.watchdog, watchdog::State::Gone) {
            ring(self);
        }
    }
}

/// A runtime is owned from now on.
pub(crate) fn runtime_is_owned() {
    lock().runtimes += 1;
}

/// A runtime has been shut down, or its owner has given it up.
pub(crate) fn runtime_is_free() {
    let mut registry = lock();
    registry.runtimes -= 1;
    registry.end_watchdog();
}

/// A task was made.
#[cold]
pub(crate) fn enter(info: &TaskInfo, group: Option<&'static Location<'static>>) {
    let parent = current_task().map(|task| task.id());
    let entry = Entry {
        info: info.clone(),
        parent,
        group,
        state: TaskState::Queued,
        waits: Vec::new(),
        told: false,
    };
    lock().tasks.insert(info.id(), entry);
}

/// A task was woken, and its next poll is due.
pub(crate) fn queued(task: TaskId) {
    if let Some(entry) = lock().tasks.get_mut(&task) {
        entry.state = TaskState::Queued;
    }
}

/// A task has ended.
pub(crate) fn ended(task: TaskId) {
    let mut registry = lock();
    let entry = registry.tasks.remove(&task);
    registry.end_watchdog();
    drop(registry);
    drop(entry);
}

/// What a poll may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manner {
    /// It is to return soon.
    Brief,
    /// It may block: it is a closure on a thread for that.
    Blocking,
}

/// A poll that is going on, on this thread, until it is dropped.
#[derive(Debug)]
pub(crate) struct Polling {
    key: usize,
    outer: Option<usize>,
    woken: bool,
    done: bool,
}

impl Polling {
    /// What was polled is ready.
    pub(crate) fn done(&mut self) {
        self.done = true;
    }

    /// The task was woken in its own poll, and is due again.
    pub(crate) fn woken(&mut self) {
        self.woken = true;
    }
}

/// Notes that a poll of `task`, or of main, begins on this thread; nothing if debug mode is off.
#[inline]
pub(crate) fn poll_begins(task: Option<&TaskInfo>, manner: Manner) -> Option<Polling> {
    is_debug().then(|| begin(task, manner))
}

#[cold]
#[allow(
    clippy::disallowed_methods,
    reason = "how long a poll takes is real time, in the simulator too"
)]
fn begin(task: Option<&TaskInfo>, manner: Manner) -> Polling {
    let poll = Poll {
        task: task.cloned(),
        began: (manner == Manner::Brief).then(Instant::now),
        thread: thread::current(),
        told: false,
        waits: Vec::new(),
    };
    let mut registry = lock();
    if let Some(entry) = task.and_then(|task| registry.tasks.get_mut(&task.id())) {
        entry.state = TaskState::Running;
    }
    let key = registry.polls.insert(poll);
    if manner == Manner::Brief {
        watchdog::attend(&mut registry);
    }
    drop(registry);
    let outer = POLL
        .try_with(|innermost| innermost.replace(Some(key)))
        .unwrap_or(None);
    Polling {
        key,
        outer,
        woken: false,
        done: false,
    }
}

impl Drop for Polling {
    #[allow(
        clippy::disallowed_methods,
        reason = "how long a poll takes is real time, in the simulator too"
    )]
    fn drop(&mut self) {
        let _ = POLL.try_with(|innermost| innermost.set(self.outer));
        let mut registry = lock();
        let poll = registry.polls.remove(self.key);
        let task = poll.task;
        let mut circle = None;
        match &task {
            Some(task) => circle = registry.poll_ended(task.id(), poll.waits, self.woken),
            None => {
                let over = self.done || thread::panicking();
                let waits = if over { Vec::new() } else { poll.waits };
                let _ = MAIN.try_with(|main| main.set(waits));
            }
        }
        registry.end_watchdog();
        drop(registry);
        if let Some(tasks) = circle {
            report(&Report::JoinCycle { tasks });
        }
        let took = poll.began.map(|began| began.elapsed());
        if let Some(took) = took.filter(|took| *took >= slow_callback_duration()) {
            report(&Report::SlowPoll { task, took });
        }
    }
}

/// Adds to what the innermost poll on this thread waits for.
#[cold]
pub(super) fn note(wait: WaitsFor) {
    let Ok(Some(key)) = POLL.try_with(Cell::get) else {
        return;
    };
    if let Some(poll) = lock().polls.get_mut(key) {
        poll.waits.push(wait);
    }
}

/// What main waits for, if this thread drives one.
pub(super) fn main_waits() -> Vec<WaitsFor> {
    MAIN.try_with(|main| {
        let waits = main.take();
        main.set(waits.clone());
        waits
    })
    .unwrap_or_default()
}
