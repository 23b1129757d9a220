//! Tasks whose job a host polls as a future: no request and no wake is lost, whatever the host's
//! wakers do, and every waker of the host is given back.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use kumi_core::runtime::Job;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

use crate::support::{Hand, Signal, assert_cancelled, check, check_three, joined, lost, spawn};

/// The host's side: polls the job when its waker was woken.
struct Host {
    job: Job,
    signal: Arc<Signal>,
}

impl Host {
    fn new(job: Job) -> Self {
        let signal = Arc::new(Signal::new(false));
        Self { job, signal }
    }

    fn poll(&mut self) -> Poll<()> {
        let waker = Waker::from(Arc::clone(&self.signal));
        Pin::new(&mut self.job).poll(&mut Context::from_waker(&waker))
    }

    /// Polls with another waker from now on, as a host does that moves a task.
    fn change_waker(&mut self) -> Arc<Signal> {
        let fresh = Arc::new(Signal::new(false));
        std::mem::replace(&mut self.signal, fresh)
    }

    /// Polls for as long as there are wakes, then gives the job back. The wakers are the host's only.
    fn finish(mut self) {
        while self.signal.take() {
            if self.poll().is_ready() {
                break;
            }
        }
        assert!(self.job.task().is_finished(), "a wake is lost");
        drop(self.job);
        assert_eq!(Arc::strong_count(&self.signal), 1, "a waker is kept");
    }
}

/// A request beside the first poll: seen in it, or the host is woken.
#[test]
fn cancel_beside_the_first_poll() {
    check_three(|| {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |_| false);
        let mut host = Host::new(hand.job());
        let task = handle.task();
        let thread = thread::spawn(move || assert!(task.cancel()));
        let _ = host.poll();
        thread.join().unwrap();
        host.finish();
        assert_eq!(lost(), 0, "a request is lost");
        assert_cancelled(joined(&mut handle));
        assert_eq!(counts.futures_dropped(), 1);
        drop(handle);
        hand.assert_empty();
    });
}

/// A request beside a later poll with the same waker.
#[test]
fn cancel_beside_a_poll_with_the_same_waker() {
    check_three(|| {
        let hand = Hand::new();
        let (mut handle, _) = spawn(&hand, |_| false);
        let mut host = Host::new(hand.job());
        assert!(host.poll().is_pending());
        let task = handle.task();
        let thread = thread::spawn(move || assert!(task.cancel()));
        let _ = host.poll();
        thread.join().unwrap();
        host.finish();
        assert_eq!(lost(), 0, "a request is lost");
        assert_cancelled(joined(&mut handle));
        drop(handle);
        hand.assert_empty();
    });
}

/// A request beside a poll with another waker: only the new one counts.
#[test]
fn cancel_beside_a_poll_with_another_waker() {
    check_three(|| {
        let hand = Hand::new();
        let (mut handle, _) = spawn(&hand, |_| false);
        let mut host = Host::new(hand.job());
        assert!(host.poll().is_pending());
        let old = host.change_waker();
        let task = handle.task();
        let thread = thread::spawn(move || assert!(task.cancel()));
        let _ = host.poll();
        thread.join().unwrap();
        host.finish();
        assert_eq!(lost(), 0, "a request is lost");
        assert_eq!(Arc::strong_count(&old), 1, "an old waker is kept");
        assert_cancelled(joined(&mut handle));
        drop(handle);
        hand.assert_empty();
    });
}

/// Beside a poll: what was published before a wake is seen in it, or the host is woken. The flag
/// itself orders nothing.
fn wake_beside_a_poll(polled_before: bool, other_waker: bool) {
    check_three(move || {
        let hand = Hand::new();
        let flag = Arc::new(AtomicBool::new(false));
        let ready = Arc::clone(&flag);
        let (mut handle, _) = spawn(&hand, move |_| ready.load(Ordering::Relaxed));
        let mut host = Host::new(hand.job());
        if polled_before {
            assert!(host.poll().is_pending());
        }
        if other_waker {
            host.change_waker();
        }
        let task = handle.task();
        let thread = thread::spawn(move || {
            flag.store(true, Ordering::Relaxed);
            task.wake();
        });
        let _ = host.poll();
        thread.join().unwrap();
        host.finish();
        assert_eq!(lost(), 0, "a wake is lost");
        drop(joined(&mut handle).unwrap());
        drop(handle);
        hand.assert_empty();
    });
}

#[test]
fn wake_beside_the_first_poll() {
    wake_beside_a_poll(false, false);
}

#[test]
fn wake_beside_a_poll_with_the_same_waker() {
    wake_beside_a_poll(true, false);
}

#[test]
fn wake_beside_a_poll_with_another_waker() {
    wake_beside_a_poll(true, true);
}

/// Two wakes beside a poll with another waker: the first may keep the old waker busy, and the second,
/// after the poll, has to reach the new one.
#[test]
fn two_wakes_beside_a_poll_with_another_waker() {
    check_three(|| {
        let hand = Hand::new();
        let flag = Arc::new(AtomicBool::new(false));
        let ready = Arc::clone(&flag);
        let (mut handle, _) = spawn(&hand, move |_| ready.load(Ordering::Relaxed));
        let mut host = Host::new(hand.job());
        assert!(host.poll().is_pending());
        host.change_waker();
        let task = handle.task();
        let thread = thread::spawn(move || {
            task.wake();
            flag.store(true, Ordering::Relaxed);
            task.wake();
        });
        let _ = host.poll();
        thread.join().unwrap();
        host.finish();
        drop(joined(&mut handle).unwrap());
        drop(handle);
        hand.assert_empty();
    });
}

/// A request that comes while another thread is waking the host: the host is woken for it too.
#[test]
fn cancel_beside_a_wake_and_a_poll() {
    check_three(|| {
        let hand = Hand::new();
        let (mut handle, _) = spawn(&hand, |_| false);
        let mut host = Host::new(hand.job());
        assert!(host.poll().is_pending());
        let (waking, cancelling) = (handle.task(), handle.task());
        let threads = [
            thread::spawn(move || waking.wake()),
            thread::spawn(move || assert!(cancelling.cancel())),
        ];
        if host.signal.take() {
            let _ = host.poll();
        }
        for thread in threads {
            thread.join().unwrap();
        }
        host.finish();
        assert_eq!(lost(), 0, "a request is lost");
        assert_cancelled(joined(&mut handle));
        drop(handle);
        hand.assert_empty();
    });
}

/// A request beside the poll that returns the value: the waker is used or dropped, never both.
#[test]
fn cancel_beside_the_last_poll() {
    check_three(|| {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |polls| polls == 1);
        let mut host = Host::new(hand.job());
        assert!(host.poll().is_pending());
        let task = handle.task();
        let thread = thread::spawn(move || {
            task.cancel();
        });
        assert!(host.poll().is_ready());
        let signal = Arc::clone(&host.signal);
        drop(host);
        thread.join().unwrap();
        // While the handle keeps the cell.
        assert_eq!(Arc::strong_count(&signal), 1, "a waker is leaked");
        assert_eq!(counts.futures_dropped(), 1);
        drop(joined(&mut handle).unwrap());
        drop(handle);
        hand.assert_empty();
    });
}

/// A request beside the drop of a job that was polled.
#[test]
fn cancel_beside_the_drop_of_the_job() {
    check(|| {
        let hand = Hand::new();
        let (mut handle, counts) = spawn(&hand, |_| false);
        let mut host = Host::new(hand.job());
        assert!(host.poll().is_pending());
        let task = handle.task();
        let thread = thread::spawn(move || {
            task.cancel();
        });
        let signal = Arc::clone(&host.signal);
        drop(host);
        thread.join().unwrap();
        // While the handle keeps the cell.
        assert_eq!(Arc::strong_count(&signal), 1, "a waker is leaked");
        assert_eq!(counts.futures_dropped(), 1);
        assert_cancelled(joined(&mut handle));
        drop(handle);
        hand.assert_empty();
    });
}
