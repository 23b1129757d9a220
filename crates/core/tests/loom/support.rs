//! What the models share: a backend that runs jobs by hand, and probes that count.
//!
//! Start at [`check`], which explores a model, and [`Hand`], whose jobs wait in a
//! [`SharedJobQueue`] until the model runs them.
//! What a model only counts or compares at its end is kept in types of the standard library, which
//! loom does not see: that keeps the models small, and adds no ordering that core does not provide.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Instant;

use kumi_core::report::{self, Report};
use kumi_core::runtime::{
    Ambient, BlockingJob, Clock, Job, Ran, Runtime, SharedJobQueue, Sleep, Spawn, SpawnBlocking,
    Tasks,
};
use kumi_core::task::{JoinError, JoinHandle, SpawnExt, Task};

/// How many tasks were reported lost since the execution began.
static LOST: AtomicUsize = AtomicUsize::new(0);

/// How many errors were reported because nobody took them.
static NOT_TAKEN: AtomicUsize = AtomicUsize::new(0);

#[allow(
    clippy::disallowed_methods,
    reason = "a lock of the test, which no model is to see"
)]
fn one_at_a_time() -> MutexGuard<'static, ()> {
    static RUNNING: Mutex<()> = Mutex::new(());
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Explores a model of two threads: every interleaving.
pub(crate) fn check(model: impl Fn() + Send + Sync + 'static) {
    explore(None, model);
}

/// Explores a model with many steps, or a small one of three threads: every interleaving with at most three
/// preemptions.
pub(crate) fn check_long(model: impl Fn() + Send + Sync + 'static) {
    explore(Some(3), model);
}

/// Explores a model of three threads, or one with many steps: every interleaving with at most two preemptions.
pub(crate) fn check_three(model: impl Fn() + Send + Sync + 'static) {
    explore(Some(2), model);
}

/// Explores a model of more threads: every interleaving with at most one preemption.
pub(crate) fn check_many(model: impl Fn() + Send + Sync + 'static) {
    explore(Some(1), model);
}

fn explore(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    // Reports and the numbers of tasks are the process's.
    let _one = one_at_a_time();
    report::set_hook(|report| match report {
        Report::TaskLost { .. } => {
            LOST.fetch_add(1, Ordering::Relaxed);
        }
        // The models of pools are about it.
        Report::ThreadNotStarted { .. } => {}
        Report::ErrorNotTaken { .. } => {
            NOT_TAKEN.fetch_add(1, Ordering::Relaxed);
        }
        // Also how a panic of loom's own shows when core contains it.
        other => {
            eprintln!("no model expects this: {other}");
            std::process::abort();
        }
    });
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    let executions = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        LOST.store(0, Ordering::Relaxed);
        NOT_TAKEN.store(0, Ordering::Relaxed);
        model();
    });
    report::reset_hook();
    // For `cargo x loom`.
    println!("executions: {}", executions.load(Ordering::Relaxed));
}

/// How many tasks were reported lost in this execution.
pub(crate) fn lost() -> usize {
    LOST.load(Ordering::Relaxed)
}

/// How many errors were reported in this execution because nobody took them.
pub(crate) fn not_taken() -> usize {
    NOT_TAKEN.load(Ordering::Relaxed)
}

/// Polls `future` as often as it is woken, and runs the jobs of `hand`, until the future is ready.
///
/// If that never comes, the model has too many branches for loom.
pub(crate) fn drive<F: Future>(hand: &Hand, future: F) -> F::Output {
    let signal = Arc::new(Signal::new(true));
    let waker = Waker::from(Arc::clone(&signal));
    let mut future = pin!(future);
    loop {
        if signal.take() {
            let poll = future.as_mut().poll(&mut Context::from_waker(&waker));
            if let Poll::Ready(output) = poll {
                return output;
            }
        }
        hand.run_all();
        loom::thread::yield_now();
    }
}

/// Polls `future` once; it is pending.
pub(crate) fn poll_once<F: Future + ?Sized>(future: Pin<&mut F>) {
    let poll = future.poll(&mut Context::from_waker(Waker::noop()));
    assert!(poll.is_pending(), "ready too early");
}

/// A waker that sets a flag, which loom sees.
pub(crate) struct Signal(loom::sync::atomic::AtomicBool);

impl Signal {
    pub(crate) fn new(set: bool) -> Self {
        Self(loom::sync::atomic::AtomicBool::new(set))
    }

    /// Whether it was woken since the last look.
    pub(crate) fn take(&self) -> bool {
        self.0.swap(false, Ordering::AcqRel)
    }
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        // A swap: loom lets a plain store be followed by a value that was swapped in before it.
        self.0.swap(true, Ordering::AcqRel);
    }
}

/// A time that is now, for every clock of a model.
#[allow(clippy::disallowed_methods, reason = "any point in time will do")]
pub(crate) fn now() -> Instant {
    static NOW: OnceLock<Instant> = OnceLock::new();
    *NOW.get_or_init(Instant::now)
}

/// A backend that runs its jobs when it is told to, and whose time stands still.
pub(crate) struct Hand {
    inner: Arc<Inner>,
    /// Read when a job is scheduled through this value. Dropping the value demands that it happens
    /// after all of those: each cell has one, so loom sees if a cell is freed too early.
    used: loom::sync::atomic::AtomicUsize,
}

struct Inner {
    queue: SharedJobQueue,
    tasks: Option<Tasks>,
    /// Every sleep is over at once.
    hasty: bool,
}

impl Clone for Hand {
    fn clone(&self) -> Self {
        Self {
            inner: Arc::clone(&self.inner),
            used: loom::sync::atomic::AtomicUsize::new(0),
        }
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.used.with_mut(|_| ());
    }
}

impl Hand {
    pub(crate) fn new() -> Self {
        Self::with(None, false)
    }

    /// One whose sleeps are over at once.
    pub(crate) fn hasty() -> Self {
        Self::with(None, true)
    }

    /// One that lets core keep the table of live tasks.
    pub(crate) fn listing() -> Self {
        Self::with(Some(Tasks::new()), false)
    }

    fn with(tasks: Option<Tasks>, hasty: bool) -> Self {
        let queue = SharedJobQueue::new();
        Self {
            inner: Arc::new(Inner {
                queue,
                tasks,
                hasty,
            }),
            used: loom::sync::atomic::AtomicUsize::new(0),
        }
    }

    /// The only job in the queue.
    pub(crate) fn job(&self) -> Job {
        let jobs = self.inner.queue.take_all();
        assert_eq!(jobs.len(), 1);
        jobs.pop().unwrap()
    }

    /// The only two jobs in the queue.
    pub(crate) fn two_jobs(&self) -> [Job; 2] {
        let jobs = self.inner.queue.take_all();
        assert_eq!(jobs.len(), 2);
        [(); 2].map(|()| jobs.pop().unwrap())
    }

    pub(crate) fn has_jobs(&self) -> bool {
        !self.inner.queue.is_empty()
    }

    /// Runs one job once; it is queued again if its task was woken meanwhile.
    pub(crate) fn run(&self, job: Job) {
        if let Ran::Again(job) = job.run() {
            self.spawn_job(job);
        }
    }

    /// As [`run`](Self::run), for a task that is listed when it waits for the first time.
    pub(crate) fn run_first(&self, job: Job) -> Option<Task> {
        let (ran, task) = job.run_first();
        if let Ran::Again(job) = ran {
            self.spawn_job(job);
        }
        task
    }

    /// Runs jobs until there are none.
    pub(crate) fn run_all(&self) {
        loop {
            let jobs = self.inner.queue.take_all();
            if jobs.is_empty() {
                return;
            }
            while let Some(job) = jobs.pop() {
                self.run(job);
            }
        }
    }

    /// The table of live tasks, of a [`listing`](Self::listing) one.
    pub(crate) fn table(&self) -> &Tasks {
        self.inner.tasks.as_ref().unwrap()
    }

    /// Checks that every cell is freed and nothing is queued.
    pub(crate) fn assert_empty(self) {
        assert!(!self.has_jobs(), "a job is left");
        assert_eq!(Arc::strong_count(&self.inner), 1, "a cell is left");
    }
}

impl Spawn for Hand {
    fn spawn_job(&self, job: Job) {
        self.used.load(Ordering::Relaxed);
        let pushed = self.inner.queue.push(job);
        assert!(pushed.is_ok(), "the queue is never closed");
    }

    fn tasks(&self) -> Option<&Tasks> {
        self.inner.tasks.as_ref()
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        Some(Ambient::new(self))
    }
}

impl SpawnBlocking for Hand {
    fn spawn_blocking_job(&self, _: BlockingJob) {
        unreachable!("no model blocks here")
    }
}

impl Clock for Hand {
    type Sleep = Until;

    fn now(&self) -> Instant {
        now()
    }

    fn sleep_until(&self, at: Instant) -> Until {
        Until(if self.inner.hasty { now() } else { at })
    }
}

impl Runtime for Hand {
    fn block_on<F: Future>(&self, _: F) -> F::Output {
        unreachable!("no model calls it")
    }

    fn shutdown(&self) {}
}

/// Ready if the time is not in the future; nobody is woken, since no time passes.
pub(crate) struct Until(Instant);

impl Future for Until {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        match self.0 <= now() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    }
}

impl Sleep for Until {
    fn deadline(&self) -> Instant {
        self.0
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.0 = at;
    }
}

/// Counts of one task: how often its future was polled and dropped, and its output dropped.
#[derive(Default)]
pub(crate) struct Counts {
    polls: AtomicUsize,
    futures: AtomicUsize,
    outputs: AtomicUsize,
    /// The waker of the first poll.
    waker: Mutex<Option<Waker>>,
}

impl Counts {
    pub(crate) fn polls(&self) -> usize {
        self.polls.load(Ordering::Relaxed)
    }

    pub(crate) fn futures_dropped(&self) -> usize {
        self.futures.load(Ordering::Relaxed)
    }

    pub(crate) fn outputs_dropped(&self) -> usize {
        self.outputs.load(Ordering::Relaxed)
    }

    /// Takes the waker that the task was first polled with.
    pub(crate) fn waker(&self) -> Waker {
        self.waker.lock().unwrap().take().unwrap()
    }
}

/// The output of a probed task.
pub(crate) struct Output(Arc<Counts>);

impl Drop for Output {
    fn drop(&mut self) {
        self.0.outputs.fetch_add(1, Ordering::Relaxed);
    }
}

/// A future that is ready when `ready` says so.
struct Probe<R> {
    counts: Arc<Counts>,
    keep_waker: bool,
    ready: R,
}

impl<R> Unpin for Probe<R> {}

impl<R: FnMut(usize) -> bool> Future for Probe<R> {
    type Output = Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Output> {
        let before = self.counts.polls.fetch_add(1, Ordering::Relaxed);
        if before == 0 && self.keep_waker {
            *self.counts.waker.lock().unwrap() = Some(cx.waker().clone());
        }
        if (self.ready)(before) {
            Poll::Ready(Output(Arc::clone(&self.counts)))
        } else {
            Poll::Pending
        }
    }
}

impl<R> Drop for Probe<R> {
    fn drop(&mut self) {
        self.counts.futures.fetch_add(1, Ordering::Relaxed);
    }
}

/// A task whose future is ready when `ready` says so, given the number of polls before.
pub(crate) fn spawn(
    hand: &Hand,
    ready: impl FnMut(usize) -> bool + Send + 'static,
) -> (JoinHandle<Output>, Arc<Counts>) {
    spawn_probe(hand, false, ready)
}

/// A task that was polled once and is idle, and its waker.
pub(crate) fn spawn_idle(
    hand: &Hand,
    ready: impl FnMut(usize) -> bool + Send + 'static,
) -> (JoinHandle<Output>, Arc<Counts>, Waker) {
    let (handle, counts) = spawn_probe(hand, true, ready);
    hand.run_all();
    assert!(!handle.is_finished());
    let waker = counts.waker();
    (handle, counts, waker)
}

fn spawn_probe(
    hand: &Hand,
    keep_waker: bool,
    ready: impl FnMut(usize) -> bool + Send + 'static,
) -> (JoinHandle<Output>, Arc<Counts>) {
    let counts = Arc::new(Counts::default());
    let future = Probe {
        counts: Arc::clone(&counts),
        keep_waker,
        ready,
    };
    (hand.spawn(future), counts)
}

/// Counts wakes; for a joiner that the model polls by hand.
#[derive(Default)]
pub(crate) struct Woken(AtomicUsize);

impl Woken {
    pub(crate) fn new() -> (Arc<Self>, Waker) {
        let woken = Arc::new(Self::default());
        (Arc::clone(&woken), Waker::from(woken))
    }

    pub(crate) fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a handle with `waker`.
pub(crate) fn join(
    handle: &mut JoinHandle<Output>,
    waker: &Waker,
) -> Poll<Result<Output, JoinError>> {
    Pin::new(handle).poll(&mut Context::from_waker(waker))
}

/// Polls a handle whose task has ended.
pub(crate) fn joined(handle: &mut JoinHandle<Output>) -> Result<Output, JoinError> {
    match join(handle, Waker::noop()) {
        Poll::Ready(result) => result,
        Poll::Pending => panic!("the task has not ended: {handle:?}"),
    }
}

/// Checks that a result is "cancelled".
pub(crate) fn assert_cancelled(result: Result<Output, JoinError>) {
    match result {
        Ok(_) => panic!("a value"),
        Err(error) => assert!(error.is_cancelled(), "{error}"),
    }
}
