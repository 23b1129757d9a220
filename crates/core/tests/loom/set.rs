//! The block of a set of children: wakes from other threads beside polls, ends and drops.
//!
//! The thread of the model polls; a lost wake-up is a deadlock that loom reports.

use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use kumi_core::combine::{as_completed, gather};
use loom::future::block_on;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::support::{Woken, check, check_long};

/// A child that is ready when its number is not zero; loom sees only the number.
#[derive(Clone)]
struct Child {
    number: Arc<AtomicUsize>,
    waker: Arc<Mutex<Option<Waker>>>,
    polls: Arc<std::sync::atomic::AtomicUsize>,
}

impl Child {
    fn new() -> Self {
        Self {
            number: Arc::new(AtomicUsize::new(0)),
            waker: Arc::default(),
            polls: Arc::default(),
        }
    }

    /// The waker of the first poll.
    fn waker(&self) -> Waker {
        self.waker.lock().unwrap().clone().unwrap()
    }

    /// Makes it ready, without any ordering: that is for the wake.
    fn set(&self, number: usize) {
        self.number.store(number, Ordering::Relaxed);
    }

    fn polls(&self) -> usize {
        self.polls.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Future for Child {
    type Output = usize;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        self.polls
            .fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        match self.number.load(Ordering::Relaxed) {
            0 => {
                let waker = cx.waker().clone();
                self.waker.lock().unwrap().get_or_insert(waker);
                Poll::Pending
            }
            number => Poll::Ready(number),
        }
    }
}

/// Polls once.
fn begin<F: Future>(future: Pin<&mut F>, waker: &Waker) {
    assert!(future.poll(&mut Context::from_waker(waker)).is_pending());
}

/// Polls until it is ready; calls `beside` when it is pending for the first time.
fn run<F: Future, T>(mut future: Pin<&mut F>, beside: impl FnOnce() -> T) -> (F::Output, T) {
    let (mut beside, mut started) = (Some(beside), None);
    // Of loom's wakers only clones are sure to be the same.
    let mut same = None;
    let output = block_on(poll_fn(|cx| {
        let waker = same.get_or_insert_with(|| cx.waker().clone());
        let poll = future.as_mut().poll(&mut Context::from_waker(waker));
        if let Some(beside) = beside.take() {
            started = Some(beside());
        }
        poll
    }));
    (output, started.unwrap())
}

/// Ends a child on a thread of its own, which gives its waker back: counting it is a model of its own.
fn end_elsewhere(child: &Child, number: usize) -> thread::JoinHandle<Waker> {
    let (child, waker) = (child.clone(), child.waker());
    thread::spawn(move || {
        child.set(number);
        waker.wake_by_ref();
        waker
    })
}

/// Ends a child on a thread of its own, by a waker that is used up.
fn end_for_good(child: &Child, number: usize) -> thread::JoinHandle<()> {
    let waker = child.waker.lock().unwrap().take().unwrap();
    let child = child.clone();
    thread::spawn(move || {
        child.set(number);
        waker.wake();
    })
}

/// A wake beside the poll of the parent: it is not lost.
#[test]
fn wake_beside_a_poll() {
    check_long(|| {
        let child = Child::new();
        let mut all = pin!(gather([child.clone()]));
        let (outputs, thread) = run(all.as_mut(), || end_elsewhere(&child, 1));
        assert_eq!(outputs, [1]);
        thread.join().unwrap();
        assert_eq!(child.polls(), 2, "one poll per wake");
    });
}

/// Wakes of two children from two threads, beside the polls: neither is lost, nor the other's link.
#[test]
fn two_wakes_beside_polls() {
    check_long(|| {
        let (one, two) = (Child::new(), Child::new());
        let mut all = pin!(gather([one.clone(), two.clone()]));
        let (outputs, threads) = run(all.as_mut(), || {
            [end_elsewhere(&one, 1), end_elsewhere(&two, 2)]
        });
        assert_eq!(outputs, [1, 2]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((one.polls(), two.polls()), (2, 2));
    });
}

/// A wake beside a poll that has taken two others: it wakes nobody, and the poll looks for it at its end.
#[test]
fn a_wake_beside_a_poll_of_two() {
    check_long(|| {
        let children = [Child::new(), Child::new(), Child::new()];
        let [one, two, three] = children.clone();
        let mut all = pin!(gather(children));
        let (outputs, thread) = run(all.as_mut(), || {
            for (child, number) in [(&one, 1), (&two, 2)] {
                child.set(number);
                child.waker().wake();
            }
            end_elsewhere(&three, 3)
        });
        assert_eq!(outputs, [1, 2, 3]);
        thread.join().unwrap();
        assert_eq!([&one, &two, &three].map(Child::polls), [2; 3]);
    });
}

/// Two wakes of one child: what was written before the second is seen, also if it finds the first
/// one waiting.
#[test]
fn two_wakes_of_one_child() {
    check_long(|| {
        let child = Child::new();
        let mut all = pin!(gather([child.clone()]));
        let (outputs, threads) = run(all.as_mut(), || {
            let waker = child.waker();
            [
                thread::spawn(move || {
                    waker.wake_by_ref();
                    waker
                }),
                end_elsewhere(&child, 1),
            ]
        });
        assert_eq!(outputs, [1]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert!((2..=3).contains(&child.polls()));
    });
}

/// A wake beside the end of the same child: it is not polled again, and the block stays until then.
#[test]
fn wake_beside_the_end() {
    check(|| {
        let child = Child::new();
        let mut all = pin!(gather([child.clone()]));
        let (outputs, thread) = run(all.as_mut(), || {
            let waker = child.waker();
            child.set(1);
            child.waker().wake();
            thread::spawn(move || waker.wake_by_ref())
        });
        assert_eq!(outputs, [1]);
        assert_eq!(child.polls(), 2);
        drop(child);
        thread.join().unwrap();
    });
}

/// A wake beside the drop of the set: the parent's waker is dropped, by the one or the other.
#[test]
fn wake_beside_the_drop() {
    check(|| {
        let child = Child::new();
        let (woken, waker) = Woken::new();
        let mut all = Box::pin(gather([child.clone()]));
        begin(all.as_mut(), &waker);
        let thread = end_elsewhere(&child, 1);
        drop(all);
        thread.join().unwrap();
        assert!(woken.times() <= 1);
        assert_eq!(child.polls(), 1);
        drop((child, waker));
        assert_eq!(Arc::strong_count(&woken), 1, "nobody keeps it");
    });
}

/// A waker that is used up beside the drop of the set: its reference, which went with the wake, is given back
/// by the set, and whoever wakes the parent has one of the set's for it.
#[test]
fn the_last_wake_beside_the_drop() {
    check(|| {
        let child = Child::new();
        let (woken, waker) = Woken::new();
        let mut all = Box::pin(gather([child.clone()]));
        begin(all.as_mut(), &waker);
        let thread = end_for_good(&child, 1);
        drop(all);
        thread.join().unwrap();
        assert!(woken.times() <= 1);
        drop((child, waker));
        assert_eq!(Arc::strong_count(&woken), 1, "nobody keeps it");
    });
}

/// Two wakers that are used up beside polls: their references come back to the set, in the order of
/// the wakes or all at once.
#[test]
fn the_last_wakes_beside_polls() {
    check_long(|| {
        let (one, two) = (Child::new(), Child::new());
        let mut all = pin!(gather([one.clone(), two.clone()]));
        let (outputs, threads) = run(all.as_mut(), || {
            [end_for_good(&one, 1), end_for_good(&two, 2)]
        });
        assert_eq!(outputs, [1, 2]);
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!((one.polls(), two.polls()), (2, 2));
    });
}

/// Clones of a waker are made and dropped on two threads, beside the drop of the set.
#[test]
fn clones_beside_the_drop() {
    check_long(|| {
        let child = Child::new();
        let mut all = Box::pin(gather([child.clone()]));
        begin(all.as_mut(), Waker::noop());
        let threads = [child.waker(), child.waker()].map(|waker| {
            thread::spawn(move || {
                let other = waker.clone();
                drop(waker);
                other.wake();
            })
        });
        drop(child);
        drop(all);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// The parent's waker changes beside a wake: the new one learns of it, or the poll does.
#[test]
fn the_parent_changes_beside_a_wake() {
    check(|| {
        let child = Child::new();
        let (old, old_waker) = Woken::new();
        let (new, new_waker) = Woken::new();
        let mut all = pin!(gather([child.clone()]));
        let mut poll = |waker| all.as_mut().poll(&mut Context::from_waker(waker));
        assert!(poll(&old_waker).is_pending());
        let thread = end_elsewhere(&child, 1);
        let ended = poll(&new_waker).is_ready();
        thread.join().unwrap();
        assert!(old.times() <= 1);
        assert!(ended || new.times() > 0, "nobody knows of the wake");
        assert!(ended || poll(&new_waker).is_ready());
    });
}

/// The parent's waker changes while two children are woken: so it is, too, if the one who wakes first
/// is still at it.
#[test]
fn the_parent_changes_beside_two_wakes() {
    check_long(|| {
        let (one, two) = (Child::new(), Child::new());
        let (_, old_waker) = Woken::new();
        let (new, new_waker) = Woken::new();
        let mut all = pin!(gather([one.clone(), two.clone()]));
        begin(all.as_mut(), &old_waker);
        let threads = [end_elsewhere(&one, 1), end_elsewhere(&two, 2)];
        let mut poll = || all.as_mut().poll(&mut Context::from_waker(&new_waker));
        let ended = poll().is_ready();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(ended || new.times() > 0, "nobody knows of the wakes");
        assert!(ended || poll().is_ready());
    });
}

/// A poll that nobody has asked for, beside a wake: it finds the output, or the parent is woken.
#[test]
fn a_poll_without_need_beside_a_wake() {
    check(|| {
        let child = Child::new();
        let (woken, waker) = Woken::new();
        let mut outputs = as_completed([child.clone()]);
        let mut poll = || Pin::new(&mut outputs.next()).poll(&mut Context::from_waker(&waker));
        assert!(poll().is_pending());
        let thread = end_elsewhere(&child, 1);
        let early = poll();
        thread.join().unwrap();
        assert!(early.is_ready() || woken.times() > 0, "nobody knows of it");
        let late = if early.is_ready() { early } else { poll() };
        assert_eq!(late, Poll::Ready(Some(1)));
    });
}

/// A child that leaves its waker and is ready at once, or panics; or one like the others.
enum Member {
    Hasty(Arc<Mutex<Option<Waker>>>),
    Broken(Arc<Mutex<Option<Waker>>>),
    Child(Child),
}

impl Future for Member {
    type Output = usize;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<usize> {
        match &mut *self {
            Self::Hasty(waker) => {
                *waker.lock().unwrap() = Some(cx.waker().clone());
                Poll::Ready(7)
            }
            Self::Broken(waker) => {
                *waker.lock().unwrap() = Some(cx.waker().clone());
                panic!("broken");
            }
            Self::Child(child) => Pin::new(child).poll(cx),
        }
    }
}

/// A child that was ready in the first poll has left its waker; it is woken where that poll was, while
/// the others are polled elsewhere.
#[test]
fn a_late_wake_beside_a_poll_elsewhere() {
    check(|| {
        let (left, child) = (Arc::default(), Child::new());
        let hasty = Member::Hasty(Arc::clone(&left));
        let mut outputs = as_completed([hasty, Member::Child(child.clone())]);
        let next = Pin::new(&mut outputs.next()).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(next, Poll::Ready(Some(7)));
        let elsewhere = thread::spawn(move || {
            begin(pin!(outputs.next()), Waker::noop());
            outputs
        });
        let waker = left.lock().unwrap().take().unwrap();
        waker.wake_by_ref();
        let mut outputs = elsewhere.join().unwrap();
        child.set(1);
        child.waker().wake();
        drop(waker);
        let next = Pin::new(&mut outputs.next()).poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(next, Poll::Ready(Some(1)));
    });
}

/// A child that panicked in the first poll has left its waker; it is woken where that poll was, while
/// the set is dropped elsewhere.
#[test]
fn a_late_wake_beside_the_drop_elsewhere() {
    check(|| {
        let left = Arc::default();
        let broken = Member::Broken(Arc::clone(&left));
        let mut all = Box::pin(gather([broken, Member::Child(Child::new())]));
        let poll = AssertUnwindSafe(|| begin(all.as_mut(), Waker::noop()));
        assert!(catch_unwind(poll).is_err());
        let elsewhere = thread::spawn(move || drop(all));
        let waker = left.lock().unwrap().take().unwrap();
        waker.wake();
        elsewhere.join().unwrap();
    });
}
