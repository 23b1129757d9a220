//! What the contract forbids and the types allow: it may do nonsense, but nothing unsound.
//!
//! The future is dropped once, or on purpose never, the cell is freed once, and a memory checker finds
//! nothing.

use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, panic_any};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};

use kumi_core::report::{self, Report};
use kumi_core::runtime::{Job, LocalJob, Ran, SharedJobQueue, Spawn, SpawnLocal, Tasks};
use kumi_core::task::{JoinHandle, SpawnExt, SpawnLocalExt};

use crate::alone;

/// Jobs wait until the test takes them; the table of live tasks is what `table` says at the time.
#[derive(Clone)]
struct Hand {
    queue: Arc<SharedJobQueue>,
    table: fn() -> Option<&'static Tasks>,
}

impl Hand {
    fn new(table: fn() -> Option<&'static Tasks>) -> Self {
        let queue = Arc::new(SharedJobQueue::new());
        Self { queue, table }
    }

    fn job(&self) -> Option<Job> {
        let jobs = self.queue.take_all();
        assert!(jobs.len() <= 1);
        jobs.pop()
    }

    fn run_all(&self) {
        loop {
            let jobs = self.queue.take_all();
            if jobs.is_empty() {
                return;
            }
            while let Some(job) = jobs.pop() {
                if let Ran::Again(job) = job.run() {
                    self.spawn_job(job);
                }
            }
        }
    }
}

impl Spawn for Hand {
    fn spawn_job(&self, job: Job) {
        assert!(self.queue.push(job).is_ok());
    }

    fn tasks(&self) -> Option<&Tasks> {
        (self.table)()
    }
}

impl SpawnLocal for Hand {
    fn spawn_local_job(&self, job: LocalJob) {
        self.spawn_job(job.into_job());
    }
}

/// Counts when it is dropped.
struct Token(Arc<AtomicUsize>);

impl Drop for Token {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// A token, and the number of times it was dropped.
fn token() -> (Token, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    (Token(Arc::clone(&count)), count)
}

/// One that is pending `times` times and wakes itself each time if `wakes` says so.
fn pending_times(token: Token, times: usize, wakes: bool) -> impl Future<Output = Token> {
    let (mut left, mut token) = (times, Some(token));
    poll_fn(move |cx| {
        if left > 0 {
            left -= 1;
            if wakes {
                cx.waker().wake_by_ref();
            }
            return Poll::Pending;
        }
        Poll::Ready(token.take().unwrap())
    })
}

fn poll(job: &mut Job) -> Poll<()> {
    Pin::new(job).poll(&mut Context::from_waker(Waker::noop()))
}

/// A job is polled as a future and run, in every order.
#[test]
fn both_polled_and_run() {
    let _alone = alone();
    report::set_hook(|_| {});
    for order in 0..1_usize << 6 {
        for (times, wakes) in [(0, false), (1, false), (2, false), (2, true), (4, true)] {
            let hand = Hand::new(|| None);
            let (token, dropped) = token();
            let handle = hand.spawn(pending_times(token, times, wakes));
            let task = handle.task();
            let mut job = hand.job();
            for step in 0..6 {
                let Some(mut now) = job.take().or_else(|| hand.job()) else {
                    task.wake();
                    continue;
                };
                if order >> step & 1 == 0 {
                    let _ = poll(&mut now);
                    job = Some(now);
                } else if let Ran::Again(again) = now.run() {
                    job = Some(again);
                }
                if order >> step & 3 == 3 {
                    task.wake();
                }
            }
            drop(job);
            drop(handle);
            hand.run_all();
            drop(task);
            drop(hand.job());
            assert_eq!(dropped.load(Ordering::Relaxed), 1);
            assert_eq!(Arc::strong_count(&hand.queue), 1, "the cell is left");
        }
    }
    report::reset_hook();
}

fn table() -> &'static Tasks {
    static TABLE: OnceLock<Tasks> = OnceLock::new();
    TABLE.get_or_init(Tasks::new)
}

fn other_table() -> &'static Tasks {
    static TABLE: OnceLock<Tasks> = OnceLock::new();
    TABLE.get_or_init(Tasks::new)
}

/// Spawns some tasks, spoils them, and lets them end.
fn spoil(hand: &Hand, spoil: impl Fn(&Job)) {
    let spawn = |_| {
        let (token, dropped) = token();
        (hand.spawn(pending_times(token, 1, true)), dropped)
    };
    let tasks: Vec<(JoinHandle<Token>, _)> = (0..40).map(spawn).collect();
    let jobs = hand.queue.take_all();
    while let Some(job) = jobs.pop() {
        spoil(&job);
        hand.spawn_job(job);
    }
    hand.run_all();
    for (mut handle, dropped) in tasks {
        let joined = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(joined, Poll::Ready(Ok(_))));
        drop(joined);
        drop(handle);
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    }
}

/// The tag, which core uses for its table, is overwritten.
#[test]
fn tags_of_listed_tasks_are_set() {
    let _alone = alone();
    let hand = Hand::new(|| Some(table()));
    for tag in [0, 1, 9, 1_000, u32::MAX] {
        spoil(&hand, |job| job.set_tag(tag));
        spoil(&hand, |job| job.set_tag(job.tag() / 2));
    }
    // Those that could not be found stay listed. They are harmless.
    table().for_each(&mut |task| {
        assert!(task.is_finished());
        assert!(!task.cancel());
        task.wake();
    });
    table().abort_all();
    hand.run_all();
}

/// The table is there and is not, or is another one, from one question to the next.
#[test]
fn the_table_changes() {
    static QUESTION: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    let hand = Hand::new(|| match QUESTION.fetch_add(1, Ordering::Relaxed) % 7 {
        0 | 4 => Some(table()),
        1 | 5 => Some(other_table()),
        _ => None,
    });
    for _ in 0..7 {
        spoil(&hand, |_| {});
        QUESTION.fetch_add(1, Ordering::Relaxed);
    }
    for table in [table(), other_table()] {
        table.for_each(&mut |task| assert!(!task.cancel()));
    }
}

/// Not empty, or a checker of leaks would take a pointer to it for one past its memory.
struct Panics(&'static str);

impl Wake for Panics {
    fn wake(self: Arc<Self>) {
        panic_any(self.0);
    }
}

/// A waker that panics, of whoever waits for idleness, of the joiner or of the host, harms no task.
#[test]
fn wakers_panic() {
    let _alone = alone();
    static TABLE: OnceLock<Tasks> = OnceLock::new();
    fn table() -> Option<&'static Tasks> {
        Some(TABLE.get_or_init(Tasks::new))
    }
    report::set_hook(|_| {});
    let hand = Hand::new(table);
    let (first, dropped) = token();
    let waker = Waker::from(Arc::new(Panics("bang")));
    let mut cx = Context::from_waker(&waker);
    assert!(table().unwrap().poll_idle(&mut cx).is_ready());
    let mut handle = hand.spawn(pending_times(first, 1, false));
    assert!(table().unwrap().poll_idle(&mut cx).is_pending());
    assert!(Pin::new(&mut handle).poll(&mut cx).is_pending());
    let mut job = hand.job().unwrap();
    assert!(Pin::new(&mut job).poll(&mut cx).is_pending());
    let task = handle.task();
    for _ in 0..3 {
        // The host's own waker: its panic goes to whoever wakes, and the slot is free again.
        let woken = catch_unwind(AssertUnwindSafe(|| task.wake()));
        assert!(woken.is_err());
    }
    assert!(Pin::new(&mut job).poll(&mut cx).is_ready());
    assert!(task.is_finished());
    assert!(table().unwrap().poll_idle(&mut cx).is_ready());
    drop((job, task, handle));
    assert_eq!(dropped.load(Ordering::Relaxed), 1);
    assert_eq!(Arc::strong_count(&hand.queue), 1, "the cell is left");
    report::reset_hook();
}

/// Where the futures lie that are leaked below: a checker of leaks then knows that they are meant.
static LEAKED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

/// A local task that is dropped or run on another thread, after it was polled on its own: its future
/// is never dropped, and its runtime is given back.
#[test]
fn a_local_job_goes_elsewhere() {
    static REPORTED: AtomicUsize = AtomicUsize::new(0);
    let _alone = alone();
    report::set_hook(|report| {
        if matches!(report, Report::LocalLeaked { .. }) {
            REPORTED.fetch_add(1, Ordering::Relaxed);
        }
    });
    for (number, place) in LEAKED.iter().enumerate() {
        let hand = Hand::new(|| None);
        let (token, dropped) = token();
        let mut handle = hand.spawn_local(async move {
            let token = std::cell::Cell::new(Some(token));
            let mut never = pending::<()>();
            place.store((&raw const token).addr(), Ordering::Relaxed);
            Pin::new(&mut never).await;
            drop(token);
        });
        let task = handle.task();
        hand.run_all();
        task.wake();
        let job = hand.job().unwrap();
        let elsewhere = || match number {
            0 => drop(job),
            _ => assert!(matches!(job.run(), Ran::Ended)),
        };
        std::thread::scope(|s| s.spawn(elsewhere).join()).unwrap();
        let joined = Pin::new(&mut handle).poll(&mut Context::from_waker(Waker::noop()));
        let Poll::Ready(Err(error)) = joined else {
            panic!("the task has not ended, or has a value")
        };
        assert_eq!(error.is_cancelled(), number == 0);
        assert!(number == 0 || error.to_string().contains("bound to its thread"));
        drop((handle, task));
        assert_eq!(dropped.load(Ordering::Relaxed), 0);
        assert_eq!(REPORTED.load(Ordering::Relaxed), number + 1);
        assert_eq!(Arc::strong_count(&hand.queue), 1, "the runtime is kept");
    }
    report::reset_hook();
}
