//! The threads of a pool: how one is made, what it does, how it ends.

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use super::Queue;
use super::settings::Settings;
use super::state::{Need, State};
use crate::loom::{Condvar, Mutex, MutexGuard, ThreadHandle, assert_unlocked, fault};
use crate::report::{Report, report};
use crate::runtime::BlockingJob;
use crate::util::{discard, panic_message, thread_number};

/// What the handles and the threads of a pool share.
pub(super) struct Inner {
    state: Mutex<State>,
    /// Some thread has left.
    left: Condvar,
    settings: Settings,
}

impl Inner {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            state: Mutex::new(State::default()),
            left: Condvar::new(),
            settings,
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    /// Queues `job`; true if the system gave no thread for it, and the caller is to begin a retry.
    pub(super) fn submit(self: &Arc<Self>, job: BlockingJob) -> bool {
        let mut state = self.lock();
        let refused = state.push(job).err();
        let need = match refused {
            None => self.need(&mut state, false),
            Some(_) => Need::Nothing,
        };
        drop(state);
        drop(refused);
        let Need::Thread { number, name } = need else {
            return false;
        };
        let Err(error) = self.make(number, &name) else {
            return false;
        };
        let begun = self.lock().begin_retry(self.settings.max_threads);
        if begun {
            report(&Report::ThreadNotStarted {
                thread: name,
                message: error.to_string(),
            });
        }
        begun
    }

    /// Makes the threads that are missing, and ends the retry; false if the system does not give one.
    pub(super) fn retry(self: &Arc<Self>) -> bool {
        loop {
            let mut state = self.lock();
            let need = self.need(&mut state, true);
            let Need::Thread { number, name } = need else {
                // Under the same lock: whoever queues a job from now on asks for threads again.
                if fault("pool_retries_and_leaves_later") {
                    drop(state);
                    state = self.lock();
                }
                state.end_retry();
                return true;
            };
            drop(state);
            if self.make(number, &name).is_err() {
                return false;
            }
        }
    }

    /// Ends a retry that did not come to its end.
    pub(super) fn give_up_retry(&self) -> Queue {
        self.lock().give_up_retry()
    }

    fn need(&self, state: &mut State, retry: bool) -> Need {
        let Settings {
            max_threads, name, ..
        } = &self.settings;
        state.need(*max_threads, name, retry)
    }

    fn make(self: &Arc<Self>, number: u64, name: &Arc<str>) -> io::Result<()> {
        assert_unlocked();
        let thread = PoolThread {
            pool: Arc::clone(self),
            number,
            name: Arc::clone(name),
            stage: Stage::Wanted,
        };
        let start = AssertUnwindSafe(|| (self.settings.start)(thread));
        let handle = catch_unwind(start).unwrap_or_else(|panic| {
            let message = panic_message(&*panic).to_owned();
            discard(panic);
            Err(io::Error::other(message))
        })?;
        let there = self.lock().made(number, handle);
        match there {
            true => Ok(()),
            // That matters only if its job is still there.
            false => Err(io::Error::other("the thread ended before it ran a closure")),
        }
    }

    pub(super) fn finish(&self) {
        self.lock().finish();
    }

    pub(super) fn close(&self) -> Queue {
        self.lock().close()
    }

    /// Blocks until no other thread of the pool is left.
    pub(super) fn wait_for_the_end(&self, limit: Duration) -> MutexGuard<'_, State> {
        let this = thread_number();
        let state = self.lock();
        let others = |state: &mut State| state.has_others(this);
        self.left.wait_while(state, limit, others)
    }
}

impl fmt::Debug for Inner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Inner").finish_non_exhaustive()
    }
}

/// A thread that a pool wants to have: [`run`](PoolThread::run) is to be called on it.
///
/// Dropping it says that there will be no such thread.
#[must_use = "the pool waits for the thread that runs this"]
#[derive(Debug)]
pub struct PoolThread {
    pool: Arc<Inner>,
    number: u64,
    name: Arc<str>,
    stage: Stage,
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Wanted,
    Runs,
    Left,
}

impl PoolThread {
    /// Returns the name that the thread is to have.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the standard library's builder of threads, with the name and the size of the stack.
    pub fn builder(&self) -> thread::Builder {
        let builder = thread::Builder::new().name(self.name.as_ref().into());
        match self.pool.settings.stack_size {
            Some(bytes) => builder.stack_size(bytes),
            None => builder,
        }
    }

    /// What a pool does if nobody says otherwise.
    #[cfg(not(loom))]
    pub(super) fn start(self) -> io::Result<ThreadHandle> {
        self.builder().spawn(|| self.run())
    }

    /// The same for models.
    #[cfg(loom)]
    pub(super) fn start(self) -> io::Result<ThreadHandle> {
        Ok(loom::thread::spawn(|| self.run()))
    }

    /// Runs closures until the pool has no use for the thread any more.
    pub fn run(mut self) {
        let mut state = self.pool.lock();
        let wake = state.arrive(self.number, thread_number());
        self.stage = Stage::Runs;
        loop {
            let (job, before) = state.next(self.number);
            let busy = job.is_some() || before.is_some();
            if busy {
                drop(state);
                // The last reference to a task frees its cell, with a handle of its runtime.
                drop(before);
                // A job contains the panics of its closure and of the destructors of its output.
                if let Some(job) = job {
                    job.run();
                }
                state = self.pool.lock();
                continue;
            }
            if fault("pool_rests_without_a_look") {
                drop(state);
                state = self.pool.lock();
            }
            if !state.rest(self.number) {
                break;
            }
            let idle = self.pool.settings.idle;
            state = wake.wait_while(state, idle, |state| !state.is_wanted(self.number));
            if !state.rise(self.number) {
                break;
            }
        }
        if fault("pool_lists_those_who_leave") {
            drop(state);
            state = self.pool.lock();
        }
        // Under the same lock: whoever queues a job from now on does not count on this thread.
        self.stage = Stage::Left;
        Self::leave(&self.pool, self.number, state);
    }

    fn leave(pool: &Inner, number: u64, mut state: MutexGuard<'_, State>) {
        let left = state.leave(number);
        pool.left.notify_all();
        drop(state);
        // Those who left before were at their ends then; so there is always one at most that is not joined.
        left.ended.into_iter().for_each(join);
    }
}

impl Drop for PoolThread {
    fn drop(&mut self) {
        let mut state = self.pool.lock();
        match self.stage {
            Stage::Left => {}
            Stage::Wanted => {
                let orphans = state.never_came(self.number);
                drop(state);
                drop(orphans);
            }
            Stage::Runs => Self::leave(&self.pool, self.number, state),
        }
    }
}

/// Waits for a thread that has left the pool.
pub(super) fn join(thread: ThreadHandle) {
    // What is around `run` on it is foreign code.
    if let Err(panic) = thread.join() {
        discard(panic);
    }
}
