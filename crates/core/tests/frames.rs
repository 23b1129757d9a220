//! Programs that are hostile to the frames on the stack: polls inside of wakes, of destructors, of
//! unwinding and of the end of a thread; futures that move, and that are forgotten.
//!
//! Whatever happens, code finds the task whose poll it is in, and nothing after that poll. Under a
//! sanitizer, no frame is looked at whose place on the stack is gone.

#![allow(
    clippy::disallowed_methods,
    reason = "threads of the test, which no backend has"
)]

use std::any::Any;
use std::cell::RefCell;
use std::future::{Future, pending, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use kumi_core::cancel::{CancelScope, cancel_requested, cancelled, effective_deadline};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::context::{current_task, enter_poll_of, enter_runtime, with_current};
use kumi_core::runtime::{Ambient, Job, Ran, Spawn, TaskId};
use kumi_core::task::SpawnExt;

/// Runs each job at once, on the stack of whoever wakes or spawns.
#[derive(Clone)]
struct Inline;

impl Spawn for Inline {
    fn spawn_job(&self, mut job: Job) {
        while let Ran::Again(again) = job.run() {
            job = again;
        }
    }

    fn ambient(&self) -> Option<Ambient<'_>> {
        // Asked while its own frame is the current one.
        let inside = with_depth(|| with_current(|ambient| ambient.is_none()));
        assert!(inside, "it has none to give");
        None
    }
}

/// Runs `f`, but not once more inside of itself.
fn with_depth(f: impl FnOnce() -> bool) -> bool {
    thread_local! {
        static INSIDE: RefCell<bool> = const { RefCell::new(false) };
    }
    if INSIDE.replace(true) {
        return true;
    }
    let result = f();
    INSIDE.set(false);
    result
}

fn here() -> Option<TaskId> {
    current_task().map(|task| task.id())
}

/// Looks at all that is in frames; there is no task here.
fn assert_nowhere() {
    assert_eq!(here(), None);
    assert!(!cancel_requested());
    assert_eq!(effective_deadline(), None);
    assert!(with_current(|ambient| ambient.is_none()));
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

/// Runs a task inside of this code, which comes back to where it was.
fn run_a_task() {
    let before = here();
    let inside = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&inside);
    let handle = Inline.spawn(async move {
        assert!(here().is_some() && here() != before);
        count.fetch_add(1, Ordering::Relaxed);
        resume_unwind(Box::new("ends the task"));
    });
    assert!(handle.is_finished(), "it runs at once");
    drop(handle);
    assert_eq!(inside.load(Ordering::Relaxed), 1);
    assert_eq!(here(), before, "the frame of another poll");
}

/// Runs a task when it is woken and when it is dropped.
struct Hostile;

impl Wake for Hostile {
    fn wake(self: Arc<Self>) {
        run_a_task();
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        run_a_task();
    }
}

/// Wakers and destructors that poll, inside of scopes, and with a cancel on its way.
#[test]
fn polls_inside_of_wakes_and_destructors() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let waker = Waker::from(Arc::new(Hostile));
    let mut run = Box::pin(scope.run(async {
        let _dropped = Hostile;
        cancelled().await;
        pending::<()>().await;
    }));
    assert!(
        run.as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
    );
    drop(waker);
    assert!(handle.cancel());
    assert!(poll(run.as_mut()).is_ready());
    assert_nowhere();
}

/// A panic goes through scopes that the code around catches, again and again.
#[test]
fn panics_between_frames() {
    let task = Inline.spawn(async {
        let task = here();
        for _ in 0..3 {
            let mut inner = Box::pin(CancelScope::new().run(uncancellable(async {
                let _dropped = Hostile;
                resume_unwind(Box::new("out of two scopes"));
            })));
            assert!(catch_unwind(AssertUnwindSafe(|| poll(inner.as_mut()))).is_err());
            assert_eq!(here(), task);
            drop(inner);
            assert_eq!(here(), task);
        }
    });
    assert!(task.is_finished());
    drop(task);
    assert_nowhere();
    let entered = catch_unwind(|| enter_runtime(&Inline, || resume_unwind(Box::new("out"))));
    assert!(entered.is_err());
    let polled = catch_unwind(|| enter_poll_of(&Inline, || resume_unwind(Box::new("out"))));
    assert!(polled.is_err());
    assert_nowhere();
}

/// A future is polled on one thread in one scope, which is gone, and then on another thread in
/// another; the handle of the first scope is still there.
#[test]
fn a_future_that_moves() {
    let mut region = Box::pin(finally(
        poll_fn(|_| {
            run_a_task();
            Poll::<()>::Pending
        }),
        async { run_a_task() },
    ));
    let first = CancelScope::new();
    let stale = first.handle();
    let mut first = Box::pin(first.run(poll_fn(|_| {
        assert!(poll(region.as_mut()).is_pending());
        Poll::Ready(())
    })));
    assert!(poll(first.as_mut()).is_ready());
    drop(first);
    let moved = std::thread::spawn(move || {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let mut run = Box::pin(scope.run(region));
        assert!(poll(run.as_mut()).is_pending());
        assert!(!stale.cancel(), "it has ended");
        assert!(handle.cancel());
        assert!(matches!(poll(run.as_mut()), Poll::Ready(Err(_))));
        assert_nowhere();
    });
    moved.join().unwrap();
    assert_nowhere();
}

/// What is forgotten in the middle of its life is still cancelled without harm.
#[test]
fn futures_that_are_forgotten() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let mut run = Box::pin(scope.run(uncancellable(cancelled())));
    assert!(poll(run.as_mut()).is_pending());
    // Kept reachable, so that a checker of leaks knows that it is meant.
    static FORGOTTEN: OnceLock<Box<dyn Any + Send + Sync>> = OnceLock::new();
    assert!(FORGOTTEN.set(Box::new(run)).is_ok());
    assert!(handle.cancel());
    assert_nowhere();
}

/// The destructors of a thread's values run tasks, before and after core's own values are gone.
#[test]
fn tasks_at_the_end_of_a_thread() {
    struct AtTheEnd(mpsc::Sender<()>);
    impl Drop for AtTheEnd {
        fn drop(&mut self) {
            run_a_task();
            assert_nowhere();
            self.0.send(()).unwrap();
        }
    }
    thread_local! {
        static EARLY: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
        static LATE: RefCell<Option<AtTheEnd>> = const { RefCell::new(None) };
    }
    let (send, ended) = mpsc::channel();
    std::thread::spawn(move || {
        EARLY.set(Some(AtTheEnd(send.clone())));
        run_a_task();
        LATE.set(Some(AtTheEnd(send)));
    })
    .join()
    .unwrap();
    assert_eq!(ended.iter().count(), 2);
}
