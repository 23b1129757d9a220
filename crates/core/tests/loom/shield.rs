//! Shielded work whose awaiter goes: its error is given to one, the awaiter or the report.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use kumi_core::task::try_shield;
use loom::thread;

use crate::support::{Hand, check, not_taken};

/// The awaiter looks and goes beside the end of the work, which fails.
#[test]
fn the_awaiter_goes_beside_the_end() {
    check(|| {
        let hand = Hand::new();
        let mut work = try_shield(&hand, async { Err::<(), _>("failed") });
        // It keeps the cell: the error is to be gone before that.
        let task = work.task().unwrap();
        let (job, runner) = (hand.job(), hand.clone());
        let thread = thread::spawn(move || runner.run(job));
        let look = Pin::new(&mut work).poll(&mut Context::from_waker(Waker::noop()));
        let taken = match look {
            Poll::Ready(result) => {
                assert_eq!(result.unwrap(), Err("failed"));
                1
            }
            Poll::Pending => 0,
        };
        drop(work);
        thread.join().unwrap();
        assert!(task.is_finished(), "the work has to go on");
        assert_eq!(taken + not_taken(), 1, "the error is told once");
        drop(task);
        hand.assert_empty();
    });
}
