//! What a task's memory has room for: the waker of a host and inherited values are there only if they can be
//! needed, whatever the alignment of the future.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kumi_core::runtime::{Job, Ran, SharedJobQueue, Spawn};
use kumi_core::task::{JoinHandle, SpawnExt};

kumi_core::task_local! {
    static VALUE: Arc<u32>;
}

/// Jobs wait until the test takes them, to run or to poll them.
#[derive(Clone)]
struct Hand {
    queue: Arc<SharedJobQueue>,
    is_host: bool,
}

impl Spawn for Hand {
    fn spawn_job(&self, job: Job) {
        assert!(self.queue.push(job).is_ok());
    }

    fn is_host(&self) -> bool {
        self.is_host
    }
}

impl Hand {
    fn new(is_host: bool) -> Self {
        let queue = Arc::default();
        Self { queue, is_host }
    }

    fn job(&self) -> Job {
        self.queue.take_all().pop().expect("there is one")
    }
}

/// Pending once, then what is in the variable.
struct Once<A>(bool, A);

impl<A: Copy + Unpin> Future for Once<A> {
    type Output = (Option<u32>, A);

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.0, true) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let value = VALUE.try_with(|value| **value);
        Poll::Ready((value, self.1))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(16))]
struct Wide(u8);

#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(align(128))]
struct Line(u8);

fn poll<F: Future>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Spawns where `value` is in force, if there is one.
fn spawn<A: Copy + Send + Unpin + 'static>(
    hand: &Hand,
    value: Option<&Arc<u32>>,
    alignment: A,
) -> JoinHandle<(Option<u32>, A)> {
    let spawn = || hand.spawn(Once(false, alignment));
    match value {
        Some(value) => VALUE.sync_scope(Arc::clone(value), spawn),
        None => spawn(),
    }
}

fn each<A: Copy + Send + Unpin + PartialEq + std::fmt::Debug + 'static>(alignment: A) {
    let value = Arc::new(7);
    for (is_host, value) in [
        (false, None),
        (false, Some(&value)),
        (true, None),
        (true, Some(&value)),
    ] {
        let expected = (value.map(|value| **value), alignment);
        let hand = Hand::new(is_host);
        let mut handle = pin!(spawn(&hand, value, alignment));
        let Ran::Again(job) = hand.job().run() else {
            panic!("it has woken itself")
        };
        assert!(matches!(job.run(), Ran::Ended));
        let Poll::Ready(Ok(output)) = poll(handle.as_mut()) else {
            panic!("it has ended")
        };
        assert_eq!(output, expected);
        if !is_host {
            continue;
        }
        let mut handle = pin!(spawn(&hand, value, alignment));
        let mut job = hand.job();
        assert!(poll(Pin::new(&mut job)).is_pending());
        assert!(poll(Pin::new(&mut job)).is_ready());
        let Poll::Ready(Ok(output)) = poll(handle.as_mut()) else {
            panic!("it has ended")
        };
        assert_eq!(output, expected);
    }
    assert_eq!(Arc::strong_count(&value), 1, "no task has it any more");
}

#[test]
fn of_every_alignment() {
    each(());
    each(1_u64);
    each(Wide(2));
    each(Line(3));
}

/// A backend that said that it polls no jobs does: that panics, and says what to do; the task is as before.
#[test]
fn a_job_of_a_backend_that_is_no_host_is_polled() {
    let hand = Hand::new(false);
    let mut handle = pin!(spawn(&hand, None, ()));
    let mut job = hand.job();
    let poll_it = || poll(Pin::new(&mut job));
    let panic = catch_unwind(AssertUnwindSafe(poll_it)).unwrap_err();
    let message = panic.downcast_ref::<String>().unwrap();
    assert!(
        message.contains("was polled as a future, but the `Spawn::is_host` of its backend says"),
        "{message}"
    );
    let Ran::Again(job) = job.run() else {
        panic!("it has woken itself")
    };
    assert!(matches!(job.run(), Ran::Ended));
    assert!(poll(handle.as_mut()).is_ready());
}
