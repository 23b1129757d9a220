//! `TaskGroup::start`: the handshake beside a poll of the starter, its cancel and its drop.

use std::future::pending;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};

use kumi_core::cancel::CancelScope;
use kumi_core::group::{Started, TaskGroup, task_group};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::support::{Hand, check_three, drive, poll_once};

type Group = TaskGroup<&'static str, Hand>;

/// What the child hands over; counts its drops.
struct Value(Arc<AtomicUsize>);

impl Drop for Value {
    fn drop(&mut self) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    }
}

/// The child is ready, and goes on, beside a poll of the starter: he is woken.
#[test]
fn ready_beside_a_poll() {
    check_three(|| {
        let hand = Hand::new();
        let mut run = Box::pin(task_group(&hand, async |group: Group| {
            let child = async |ready: Started<u32>| {
                ready.ready(5);
                pending().await
            };
            let value = group.start(child).await.unwrap();
            group.cancel();
            Ok(value)
        }));
        poll_once(run.as_mut());
        let (job, runner) = (hand.job(), hand.clone());
        let thread = thread::spawn(move || runner.run(job));
        assert_eq!(drive(&hand, run).unwrap(), 5);
        thread.join().unwrap();
        hand.assert_empty();
    });
}

/// The child is ready, and goes on, beside a cancel of the starter from outside of the group: whether or
/// not he gets the value, all ends as cancelled, and the value is dropped once.
#[test]
fn ready_beside_a_cancel() {
    check_three(|| {
        let hand = Hand::new();
        let dropped = Arc::new(AtomicUsize::new(0));
        let value = Value(Arc::clone(&dropped));
        let scope = CancelScope::new();
        let handle = scope.handle();
        let mut run = Box::pin(scope.run(task_group(&hand, async |group: Group| {
            let child = async |ready: Started<Value>| {
                ready.ready(value);
                pending().await
            };
            drop(group.start(child).await);
            Ok(())
        })));
        poll_once(run.as_mut());
        let (job, runner) = (hand.job(), hand.clone());
        let threads = [
            thread::spawn(move || runner.run(job)),
            thread::spawn(move || assert!(handle.cancel())),
        ];
        assert!(
            drive(&hand, run).is_err(),
            "the value of a group that was cut"
        );
        for thread in threads {
            thread.join().unwrap();
        }
        hand.assert_empty();
        let dropped = dropped.load(std::sync::atomic::Ordering::Relaxed);
        assert_eq!(dropped, 1);
    });
}

/// The child fails beside the drop of the start: if the starter had gone before, the group fails.
#[test]
fn failure_beside_the_drop() {
    check_three(|| {
        let hand = Hand::new();
        let gone = Arc::new(AtomicBool::new(false));
        let failed_late = Arc::new(std::sync::atomic::AtomicBool::new(false));
        let (before, late) = (Arc::clone(&gone), Arc::clone(&failed_late));
        let (give, start) = mpsc::channel();
        let mut run = Box::pin(task_group(&hand, move |group: Group| {
            let child = async move |_: Started<()>| {
                let gone = before.load(Ordering::Acquire);
                late.store(gone, std::sync::atomic::Ordering::Relaxed);
                Err("failed")
            };
            give.send(group.start(child)).unwrap();
            async { Ok(()) }
        }));
        let start = start.recv().unwrap();
        poll_once(run.as_mut());
        let (job, runner) = (hand.job(), hand.clone());
        let thread = thread::spawn(move || runner.run(job));
        drop(start);
        gone.store(true, Ordering::Release);
        let result = drive(&hand, run);
        thread.join().unwrap();
        let late = failed_late.load(std::sync::atomic::Ordering::Relaxed);
        assert!(!late || result.is_err(), "an error is lost");
        hand.assert_empty();
    });
}
