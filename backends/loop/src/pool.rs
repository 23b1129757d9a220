//! Threads that may block: a bounded pool that grows on demand and shrinks when idle.
//!
//! A closure is queued; an idle thread takes it, or a new one is started while there are fewer than
//! the bound. A thread that finds nothing for [`IDLE`] ends. If the system gives no new thread, the
//! closure stays in the queue of those that exist; if there are none, it is dropped, and its joiner
//! gets "cancelled", with a line on standard error.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

/// How long a thread waits for the next closure before it ends.
const IDLE: Duration = Duration::from_secs(10);

type Closure = Box<dyn FnOnce() + Send>;

/// A pool; its threads hold the inner part, so they may outlive the loop.
#[derive(Clone)]
pub(crate) struct Pool(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    work: Condvar,
    max: usize,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Closure>,
    threads: usize,
    idle: usize,
    closed: bool,
}

impl Pool {
    pub(crate) fn new(max: usize) -> Self {
        Self(Arc::new(Inner {
            state: Mutex::default(),
            work: Condvar::new(),
            max,
        }))
    }

    /// Runs `closure` on a thread of the pool.
    pub(crate) fn run(&self, closure: impl FnOnce() + Send + 'static) {
        let mut state = self.0.lock();
        if state.closed {
            drop(state);
            return drop(closure);
        }
        state.queue.push_back(Box::new(closure));
        // An idle thread that is on its way to an earlier closure still counts as idle, so compare.
        if state.idle >= state.queue.len() {
            self.0.work.notify_one();
        } else if state.threads < self.0.max {
            state.threads += 1;
            drop(state);
            self.start();
        }
    }

    fn start(&self) {
        let inner = Arc::clone(&self.0);
        let started = thread::Builder::new()
            .name("kumi-blocking".into())
            .spawn(move || inner.work());
        let Err(error) = started else { return };
        let mut state = self.0.lock();
        state.threads -= 1;
        let orphans = match state.threads {
            0 => std::mem::take(&mut state.queue),
            _ => VecDeque::new(),
        };
        drop(state);
        if !orphans.is_empty() {
            eprintln!("kumi: no thread for blocking work, so it is cancelled: {error}");
        }
    }

    /// Drops what is queued and lets the threads end.
    pub(crate) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        let queue = std::mem::take(&mut state.queue);
        drop(state);
        self.0.work.notify_all();
        drop(queue);
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("Pool")
            .field("threads", &state.threads)
            .field("idle", &state.idle)
            .field("queued", &state.queue.len())
            .finish()
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The life of a thread.
    fn work(&self) {
        let mut state = self.lock();
        loop {
            if let Some(closure) = state.queue.pop_front() {
                drop(state);
                // A job contains the panics of its closure, and runs user code only.
                closure();
                state = self.lock();
                continue;
            }
            if state.closed {
                break;
            }
            state.idle += 1;
            let (back, waited) = self
                .work
                .wait_timeout(state, IDLE)
                .unwrap_or_else(PoisonError::into_inner);
            state = back;
            state.idle -= 1;
            if waited.timed_out() && state.queue.is_empty() {
                break;
            }
        }
        state.threads -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Barrier;
    use std::sync::mpsc;

    #[test]
    fn it_grows_to_the_bound_and_queues_the_rest() {
        let pool = Pool::new(2);
        let (both, done) = (Arc::new(Barrier::new(3)), mpsc::channel());
        for _ in 0..2 {
            let both = Arc::clone(&both);
            pool.run(move || {
                both.wait();
            });
        }
        let sender = done.0;
        pool.run(move || sender.send(()).expect("the test waits"));
        assert!(done.1.try_recv().is_err(), "both threads are busy");
        both.wait();
        done.1.recv().expect("the third closure runs in the end");
        assert_eq!(pool.0.lock().threads, 2);
    }

    #[test]
    fn what_is_queued_is_dropped_at_the_close() {
        let pool = Pool::new(1);
        let (started, go) = (Arc::new(Barrier::new(2)), Arc::new(Barrier::new(2)));
        let (there, gate) = (Arc::clone(&started), Arc::clone(&go));
        pool.run(move || {
            there.wait();
            gate.wait();
        });
        started.wait();
        let queued = Arc::new(());
        let held = Arc::clone(&queued);
        pool.run(move || drop(held));
        pool.close();
        assert_eq!(Arc::strong_count(&queued), 1);
        go.wait();
    }
}
