//! What belongs to the thread that drives the loop: the ready queue, the live tasks and the timers.
//!
//! They are in a thread-local while the loop is driven, so that a wake on the loop's own thread finds
//! the queue without a lock; between drives they rest in a [`Resting`] inside the loop.
//!
//! # Invariant
//!
//! `id` is the number of the loop that this thread drives at the moment, or zero. The queue, the
//! table and the wheel are empty while it is zero, and so are the spare references.
//!
//! Each task that has not ended is in the ready queue or in the table of live tasks, or runs, or is on
//! its way through the remote queue. A task comes into the table when it has to wait for the first
//! time, so many never do: they end, or have only yielded.

use std::cell::{Cell, RefCell};
use std::task::{Context, Poll, Waker};

use kumi_core::runtime::{Job, JobQueue, Ran, Task};
use kumi_core::util::{Bias, BiasedArc, Spare};

use crate::live::Live;
use crate::loom::thread_local;
use crate::shared::{Shared, Signal};
use crate::timers::Wheel;

/// The state of the driven loop.
pub(crate) struct Here {
    id: Cell<u64>,
    ready: JobQueue,
    live: RefCell<Live>,
    wheel: RefCell<Wheel>,
    /// Woken when a task is added and when the last one has ended.
    watcher: RefCell<Option<Waker>>,
    /// There is a watcher.
    watched: Cell<bool>,
    /// The main future was woken on this thread.
    main: Cell<bool>,
    /// How old the loop was when somebody read the clock in this turn; 0 if nobody has.
    looked: Cell<u64>,
    /// How many sleeps were told since then that they are far.
    trusted: Cell<u32>,
    /// References to the loop, for the handles that its tasks, timers and sockets have.
    spare: Spare<Shared>,
    /// Those of the wakers of its main future.
    spare_wakers: Spare<Signal>,
}

/// How far ahead a time is that is not due yet, whatever the clock has done in this turn: a second, in
/// nanoseconds.
const FAR: u64 = 1_000_000_000;

/// How many sleeps in a row are told that they are far, after one look at the clock: a task that never gives way,
/// and looks at the time by polling new sleeps, is to see it pass.
const TRUSTED: u32 = 256;

/// The tag of a task that was never listed.
const NEW: u32 = u32::MAX;

thread_local! {
    static HERE: Here = const {
        Here {
            id: Cell::new(0),
            ready: JobQueue::new(),
            live: RefCell::new(Live::new()),
            wheel: RefCell::new(Wheel::new()),
            watcher: RefCell::new(None),
            watched: Cell::new(false),
            main: Cell::new(false),
            looked: Cell::new(0),
            trusted: Cell::new(0),
            spare: Spare::new(),
            spare_wakers: Spare::new(),
        }
    };
}

/// The same state while nobody drives the loop.
#[derive(Debug)]
pub(crate) struct Resting {
    tasks: Tasks,
    pub(crate) wheel: Wheel,
}

/// The tasks of a loop.
#[derive(Debug, Default)]
pub(crate) struct Tasks {
    ready: JobQueue,
    live: Live,
}

impl Resting {
    pub(crate) fn new() -> Self {
        Self {
            tasks: Tasks::default(),
            wheel: Wheel::new(),
        }
    }

    /// Drops every task, and then the timers.
    pub(crate) fn clear(self) {
        self.tasks.clear();
    }
}

impl Tasks {
    /// Drops every task: first the queued ones, then, by making them look, the parked ones. The queue of
    /// the loop must be closed, so that the woken jobs are dropped.
    pub(crate) fn clear(self) {
        drop(self.ready);
        for task in self.live {
            task.abort();
        }
    }
}

/// The thread that drives a loop counts the references to it by itself.
impl Bias for Shared {
    #[inline]
    fn with_spare<R>(f: impl FnOnce(&Spare<Self>) -> R) -> Option<R> {
        HERE.try_with(|here| f(&here.spare)).ok()
    }
}

/// And those to what its main future is woken by.
impl Bias for Signal {
    #[inline]
    fn with_spare<R>(f: impl FnOnce(&Spare<Self>) -> R) -> Option<R> {
        HERE.try_with(|here| f(&here.spare_wakers)).ok()
    }
}

/// Whether this thread drives the loop `id` right now.
pub(crate) fn drives(id: u64) -> bool {
    HERE.try_with(|here| here.id.get() == id).unwrap_or(false)
}

/// The number of the loop that this thread drives, or zero.
pub(crate) fn driven() -> u64 {
    HERE.try_with(|here| here.id.get()).unwrap_or(0)
}

/// Queues `job` if this thread drives the loop `id`; gives it back otherwise.
#[inline]
pub(crate) fn push(id: u64, job: Job) -> Option<Job> {
    let mut job = Some(job);
    let _ = HERE.try_with(|here| {
        if here.id.get() == id {
            here.push(job.take().expect("it was put there"));
        }
    });
    job
}

/// Has the main future of the loop `id` polled, if this thread drives it; false if it does not.
#[inline]
pub(crate) fn wake_main(id: u64) -> bool {
    let wake = |here: &Here| {
        let driven = here.id.get() == id;
        if driven {
            here.main.set(true);
        }
        driven
    };
    HERE.try_with(wake).unwrap_or(false)
}

/// Whether a time is so far ahead of the last look at the clock in this turn of the loop `id` that it needs no
/// other one; see [`timers`](crate::timers).
#[inline]
pub(crate) fn is_far(id: u64, at: u64) -> bool {
    let is_far = |here: &Here| {
        let (looked, trusted) = (here.looked.get(), here.trusted.get());
        let is_far = at > looked.saturating_add(FAR) && looked != 0;
        let is_far = is_far && trusted < TRUSTED && here.id.get() == id;
        here.trusted.set(trusted + u32::from(is_far));
        is_far
    };
    HERE.try_with(is_far).unwrap_or(false)
}

/// Somebody has just read the clock: so old is the loop `id`.
#[inline]
pub(crate) fn set_looked(id: u64, age: u64) {
    let _ = HERE.try_with(|here| {
        if here.id.get() == id {
            here.set_looked(age);
        }
    });
}

/// Lends the timers of the loop `id` to `f`, if this thread drives it.
#[inline]
pub(crate) fn with_wheel<T>(id: u64, f: impl FnOnce(&mut Wheel) -> T) -> Option<T> {
    let lend = |here: &Here| (here.id.get() == id).then(|| f(&mut here.wheel.borrow_mut()));
    HERE.try_with(lend).ok().flatten()
}

/// Puts this thread's state in the place of what rested, for as long as the result lives.
pub(crate) struct Drive<'a> {
    resting: &'a mut Resting,
}

impl<'a> Drive<'a> {
    /// Starts to drive `lp` on this thread.
    pub(crate) fn start(lp: &BiasedArc<Shared>, resting: &'a mut Resting) -> Self {
        HERE.with(|here| {
            here.id.set(lp.id);
            here.spare.hold(lp);
            here.spare_wakers.hold(&lp.signal);
            here.ready.append(std::mem::take(&mut resting.tasks.ready));
            here.exchange(resting);
        });
        Self { resting }
    }

    /// Lends the state.
    #[inline]
    pub(crate) fn with<T>(&self, f: impl FnOnce(&Here) -> T) -> T {
        HERE.with(f)
    }
}

impl Drop for Drive<'_> {
    fn drop(&mut self) {
        let watcher = HERE.with(|here| {
            here.id.set(0);
            self.resting.tasks.ready.append(here.ready.take());
            here.exchange(self.resting);
            here.watched.set(false);
            here.main.set(false);
            here.looked.set(0);
            here.spare.clear();
            here.spare_wakers.clear();
            here.watcher.take()
        });
        drop(watcher);
    }
}

impl Here {
    /// Exchanges the table and the wheel for those of `resting`: at the start of a drive those here were
    /// never used, and at its end those there.
    #[inline]
    fn exchange(&self, resting: &mut Resting) {
        let (mut live, mut wheel) = (self.live.borrow_mut(), self.wheel.borrow_mut());
        // They are large, and most drives of a loop that only runs its main future need neither.
        if live.was_used() || resting.tasks.live.was_used() {
            std::mem::swap(&mut *live, &mut resting.tasks.live);
        }
        if wheel.was_used() || resting.wheel.was_used() {
            std::mem::swap(&mut *wheel, &mut resting.wheel);
        }
    }

    /// Queues a job.
    #[inline]
    pub(crate) fn push(&self, job: Job) {
        let new = job.tag() == NEW;
        self.ready.push(job);
        if new {
            self.wake_watcher();
        }
    }

    /// Lists a task that waits for the first time.
    fn list(&self, task: Task) {
        self.live.borrow_mut().insert(task);
    }

    /// Queues all jobs of `jobs`.
    pub(crate) fn push_all(&self, jobs: &JobQueue) {
        while let Some(job) = jobs.pop() {
            self.push(job);
        }
    }

    /// Whether main was woken on this thread since the last call.
    #[inline]
    pub(crate) fn take_main(&self) -> bool {
        self.main.replace(false)
    }

    /// Whether main was woken on this thread.
    pub(crate) fn is_main_woken(&self) -> bool {
        self.main.get()
    }

    /// A turn begins: nobody has read the clock in it, or just now, when the loop was so old.
    pub(crate) fn set_looked(&self, age: u64) {
        self.looked.set(age);
        self.trusted.set(0);
    }

    /// How many jobs are ready.
    pub(crate) fn ready(&self) -> usize {
        self.ready.len()
    }

    /// Runs the job at the front, if there is one.
    #[inline]
    pub(crate) fn run_one(&self) -> bool {
        let Some(job) = self.ready.pop() else {
            return false;
        };
        let key = job.tag();
        let ran = match key {
            NEW => {
                let (ran, task) = job.run_first();
                if let Some(task) = task {
                    self.list(task);
                }
                ran
            }
            _ => job.run(),
        };
        match ran {
            Ran::Pending => {}
            Ran::Again(job) => self.ready.push(job),
            Ran::Ended => self.ended(key),
        }
        true
    }

    #[inline]
    fn ended(&self, key: u32) {
        if key != NEW {
            let task = self.live.borrow_mut().remove(key);
            drop(task);
        }
        if self.is_idle() {
            self.wake_watcher();
        }
    }

    /// Whether no task is left, as far as this thread knows.
    #[inline]
    fn is_idle(&self) -> bool {
        self.ready.is_empty() && self.live.borrow().is_empty()
    }

    #[inline]
    fn wake_watcher(&self) {
        // Nobody watches before the end of a run.
        if self.watched.replace(false) {
            let watcher = self.watcher.take();
            if let Some(watcher) = watcher {
                watcher.wake();
            }
        }
    }

    /// Takes the tasks out, so that they can be dropped.
    pub(crate) fn take(&self) -> Tasks {
        Tasks {
            ready: self.ready.take(),
            live: self.live.take(),
        }
    }

    /// Lends the timers to `f`.
    pub(crate) fn with_wheel<T>(&self, f: impl FnOnce(&mut Wheel) -> T) -> T {
        f(&mut self.wheel.borrow_mut())
    }
}

/// Calls `visit` for each live task of the loop `id`, which this thread drives.
pub(crate) fn for_each(id: u64, visit: &mut dyn FnMut(&Task)) {
    let tasks: Vec<Task> = HERE.with(|here| {
        assert_driven(here, id);
        let live = here.live.borrow();
        let mut tasks: Vec<Task> = live.iter().cloned().collect();
        here.ready.for_each(|job| {
            if job.tag() == NEW {
                tasks.push(job.task());
            }
        });
        tasks
    });
    tasks.iter().for_each(visit);
}

/// Is ready when no task is left; see `Runtime::poll_idle`.
pub(crate) fn poll_idle(id: u64, cx: &Context<'_>) -> Poll<()> {
    let waker = cx.waker().clone();
    let (old, idle) = HERE.with(|here| {
        assert_driven(here, id);
        let idle = here.is_idle();
        here.watched.set(!idle);
        (here.watcher.replace((!idle).then_some(waker)), idle)
    });
    drop(old);
    if idle { Poll::Ready(()) } else { Poll::Pending }
}

fn assert_driven(here: &Here, id: u64) {
    assert!(
        here.id.get() == id,
        "the tasks of a loop are visited on the thread that drives it: call this inside `block_on`"
    );
}
