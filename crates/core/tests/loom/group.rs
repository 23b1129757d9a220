//! Groups: no child is lost, no error, and no wake of the group, whatever happens beside what.

use std::future::{Future, pending};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use kumi_core::cancel::CancelScope;
use kumi_core::group::{GroupError, TaskGroup, task_group};
use loom::future::block_on;
use loom::thread;

use crate::support::{Hand, check_three, drive, poll_once};

type Group = TaskGroup<&'static str, Hand>;
type Run = Pin<Box<dyn Future<Output = Result<u32, GroupError<&'static str>>>>>;

/// A group whose body is `body`, and its handle.
fn group<F>(hand: &Hand, body: impl FnOnce(Group) -> F + 'static) -> (Group, Run)
where
    F: Future<Output = Result<u32, &'static str>> + 'static,
{
    let (give, handle) = mpsc::channel();
    let run = task_group(hand, move |group: Group| {
        give.send(group.clone()).unwrap();
        body(group)
    });
    // The closure was called at once; only its future runs later.
    (handle.recv().unwrap(), Box::pin(run))
}

/// The last child ends beside a poll of the group, which waits for nothing else: it is woken.
#[test]
fn the_last_child_ends_beside_a_poll() {
    check_three(|| {
        let hand = Hand::new();
        let (handle, mut run) = group(&hand, async |group| {
            drop(group.spawn(async { Ok(()) }));
            Ok(7)
        });
        poll_once(run.as_mut());
        let (job, runner) = (hand.job(), hand.clone());
        let thread = thread::spawn(move || runner.run(job));
        assert_eq!(block_on(run).unwrap(), 7);
        assert!(handle.is_empty() && handle.is_closed());
        thread.join().unwrap();
        drop(handle);
        hand.assert_empty();
    });
}

/// Two children fail beside each other: each error is kept, and the group ends once.
#[test]
fn two_children_fail() {
    check_three(|| {
        let hand = Hand::new();
        let failed = Arc::new(AtomicUsize::new(0));
        let counts = [Arc::clone(&failed), Arc::clone(&failed)];
        let (handle, mut run) = group(&hand, async |group| {
            for count in counts {
                drop(group.spawn(async move {
                    count.fetch_add(1, Ordering::Relaxed);
                    Err::<(), _>("failed")
                }));
            }
            Ok(7)
        });
        poll_once(run.as_mut());
        let threads = hand.two_jobs().map(|job| {
            let runner = hand.clone();
            thread::spawn(move || runner.run(job))
        });
        let errors = block_on(run).unwrap_err().into_vec();
        // The second one is not polled if the first has failed before it began.
        let failed = failed.load(Ordering::Relaxed);
        assert!(failed > 0);
        assert_eq!(errors.len(), failed, "an error is lost");
        for thread in threads {
            thread.join().unwrap();
        }
        drop(handle);
        hand.assert_empty();
    });
}

/// A child that is spawned beside the cancel of its group is cancelled as well, or refused.
#[test]
fn spawn_beside_cancel() {
    check_three(|| {
        let hand = Hand::new();
        let (handle, mut run) = group(&hand, |_| pending());
        poll_once(run.as_mut());
        let spawner = handle.clone();
        let thread = thread::spawn(move || {
            spawner
                .try_spawn(pending::<Result<(), &'static str>>())
                .map(|child| child.task().clone())
                .ok()
        });
        assert!(handle.cancel());
        assert!(drive(&hand, run).unwrap_err().is_cancelled());
        if let Some(child) = thread.join().unwrap() {
            assert!(child.is_finished() && child.is_cancel_requested());
        }
        drop(handle);
        hand.assert_empty();
    });
}

/// A child that is spawned beside the end of its group is waited for, or given back.
#[test]
fn spawn_beside_the_end() {
    check_three(|| {
        let hand = Hand::new();
        let (handle, run) = group(&hand, async |_| Ok(7));
        let ran = Arc::new(AtomicUsize::new(0));
        let (spawner, count) = (handle.clone(), Arc::clone(&ran));
        let thread = thread::spawn(move || {
            let child = async move {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(())
            };
            spawner.try_spawn(child).is_ok()
        });
        assert_eq!(drive(&hand, run).unwrap(), 7);
        let ran = ran.load(Ordering::Relaxed);
        let accepted = thread.join().unwrap();
        assert_eq!(
            ran,
            usize::from(accepted),
            "the group has left a child behind"
        );
        drop(handle);
        hand.assert_empty();
    });
}

/// The future of a group is dropped beside the end of its child: nothing is left of either.
#[test]
fn the_drop_beside_the_end_of_a_child() {
    check_three(|| {
        let hand = Hand::new();
        let (handle, mut run) = group(&hand, async |group| {
            drop(group.spawn(pending::<Result<(), _>>()));
            Ok(7)
        });
        poll_once(run.as_mut());
        let (job, runner) = (hand.job(), hand.clone());
        let thread = thread::spawn(move || runner.run(job));
        drop(run);
        thread.join().unwrap();
        hand.run_all();
        assert!(handle.is_empty(), "a child is left");
        drop(handle);
        hand.assert_empty();
    });
}

/// A cancel from outside ends the only child beside a poll of the group, whose body has returned: that
/// is not the value of the group, also if the poll has begun before the cancel.
#[test]
fn a_cancel_from_outside_ends_the_last_child() {
    check_three(|| {
        let hand = Hand::new();
        let scope = CancelScope::new();
        let cancel = scope.handle();
        let (handle, run) = group(&hand, async |group| {
            drop(group.spawn(pending::<Result<(), _>>()));
            Ok(7)
        });
        let mut run = Box::pin(scope.run(run));
        poll_once(run.as_mut());
        let (job, runner) = (hand.job(), hand.clone());
        let threads = [
            thread::spawn(move || runner.run(job)),
            thread::spawn(move || assert!(cancel.cancel())),
        ];
        assert!(
            drive(&hand, run).is_err(),
            "the value of a group that was cut"
        );
        for thread in threads {
            thread.join().unwrap();
        }
        drop(handle);
        hand.assert_empty();
    });
}
