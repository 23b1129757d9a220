//! Sleeps that another thread arms, moves, polls or drops, beside the loop that fires them, falls asleep or
//! ends.
//!
//! These are the real loop and its sleeps, in a model of the kernel and of the clock: a wait of less than a
//! minute passes at once, a longer one ends by an interruption only. So if the loop sleeps through what was
//! left for it, that is a deadlock.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use kumi_core::runtime::{Clock, Runtime, Sleep};
use kumi_loop::{Loop, LoopSleep};
use loom::thread::{self, JoinHandle};

use crate::support::{check, check_long};

/// The loop waits so long, and nobody comes meanwhile.
const SOON: Duration = Duration::from_millis(1);

/// The loop does not see this time.
const LATE: Duration = Duration::from_secs(3600);

type Sleeping = Pin<Box<LoopSleep>>;

/// A waker that counts, and wakes the main future if it was told its waker. loom does not see it.
#[derive(Default)]
struct Relay {
    wakes: AtomicUsize,
    main: OnceLock<Waker>,
}

impl Wake for Relay {
    fn wake(self: Arc<Self>) {
        self.wakes.fetch_add(1, Ordering::Relaxed);
        if let Some(main) = self.main.get() {
            main.wake_by_ref();
        }
    }
}

fn relay() -> (Arc<Relay>, Waker) {
    let relay = Arc::new(Relay::default());
    (Arc::clone(&relay), Waker::from(relay))
}

fn poll(sleep: &mut Sleeping, waker: &Waker) -> Poll<()> {
    sleep.as_mut().poll(&mut Context::from_waker(waker))
}

/// A sleep whose timer is armed on this thread, to wake `waker`.
fn armed(lp: &Loop, time: Duration, waker: &Waker) -> Sleeping {
    let mut sleep = Box::pin(lp.sleep(time));
    assert!(poll(&mut sleep, waker).is_pending());
    sleep
}

/// The main future of a loop: does `begin` in its first poll, with its waker, and is ready when it is
/// woken.
fn until_woken<T>(lp: &Loop, begin: impl FnOnce(&Waker) -> T) -> T {
    let (mut begin, mut begun) = (Some(begin), None);
    lp.block_on(poll_fn(|cx| match begin.take() {
        Some(begin) => {
            begun = Some(begin(cx.waker()));
            Poll::Pending
        }
        None => Poll::Ready(()),
    }));
    begun.expect("it has begun")
}

/// A sleep that woke the main future, and is on another thread; if it was ready there, that thread woke.
fn is_ready_after(thread: JoinHandle<Sleeping>) {
    let mut sleep = thread.join().unwrap();
    assert!(
        poll(&mut sleep, Waker::noop()).is_ready(),
        "woken too early"
    );
}

/// A timer that another thread arms, earlier than the one for which the loop falls asleep.
#[test]
fn a_sleep_beside_a_loop_that_falls_asleep() {
    check(|| {
        let lp = Loop::new().unwrap();
        let mut late = Box::pin(lp.sleep(LATE));
        let thread = until_woken(&lp, |waker| {
            assert!(poll(&mut late, waker).is_pending());
            let (lp, waker) = (Loop::clone(&lp), waker.clone());
            thread::spawn(move || armed(&lp, SOON, &waker))
        });
        is_ready_after(thread);
    });
}

/// A timer of the wheel of all threads that another thread moves to an earlier time.
#[test]
fn a_move_beside_a_loop_that_falls_asleep() {
    check(|| {
        let lp = Loop::new().unwrap();
        let (relay, waker) = relay();
        // Nobody drives the loop yet.
        let mut sleep = armed(&lp, LATE, &waker);
        let thread = until_woken(&lp, |main| {
            relay.main.set(main.clone()).expect("it is set once");
            let soon = lp.now() + SOON;
            thread::spawn(move || {
                sleep.as_mut().reset(soon);
                sleep
            })
        });
        is_ready_after(thread);
        assert_eq!(relay.wakes.load(Ordering::Relaxed), 1);
    });
}

/// A timer of the loop's own wheel that another thread moves to an earlier time, by a note.
#[test]
fn a_note_beside_a_loop_that_falls_asleep() {
    check(|| {
        let lp = Loop::new().unwrap();
        let thread = until_woken(&lp, |main| {
            let mut sleep = armed(&lp, LATE, main);
            let soon = lp.now() + SOON;
            thread::spawn(move || {
                sleep.as_mut().reset(soon);
                sleep
            })
        });
        is_ready_after(thread);
    });
}

/// A sleep of the loop's own wheel that another thread polls, beside the turn that fires it: the thread finds
/// it over, or the waker that it has brought is woken.
#[test]
fn a_poll_elsewhere_beside_the_turn_that_fires() {
    check_long(|| {
        let lp = Loop::new().unwrap();
        let (relay, waker) = relay();
        let thread = until_woken(&lp, |main| {
            let sleep = armed(&lp, SOON, &waker);
            poll_elsewhere(sleep, main)
        });
        is_ready_after(thread);
        assert!(relay.wakes.load(Ordering::Relaxed) <= 1);
    });
}

/// The same for a sleep of the wheel of all threads, whose waker changes.
#[test]
fn another_waker_beside_the_turn_that_fires() {
    check(|| {
        let lp = Loop::new().unwrap();
        let (relay, waker) = relay();
        let sleep = armed(&lp, SOON, &waker);
        let thread = until_woken(&lp, |main| poll_elsewhere(sleep, main));
        is_ready_after(thread);
        assert!(relay.wakes.load(Ordering::Relaxed) <= 1);
    });
}

fn poll_elsewhere(mut sleep: Sleeping, waker: &Waker) -> JoinHandle<Sleeping> {
    let waker = waker.clone();
    thread::spawn(move || {
        if poll(&mut sleep, &waker).is_ready() {
            waker.wake();
        }
        sleep
    })
}

/// A sleep that another thread drops beside the turn that fires it: the note about its timer reaches no other
/// timer that lies in its place by then.
#[test]
fn a_drop_elsewhere_beside_the_turn_that_fires() {
    check(|| {
        let lp = Loop::new().unwrap();
        let (relay, waker) = relay();
        let (mut first, mut next, mut thread) = (None, None, None);
        lp.block_on(poll_fn(|cx| {
            if thread.is_none() {
                let sleep = armed(&lp, SOON, &waker);
                thread = Some(thread::spawn(move || drop(sleep)));
                first = Some(armed(&lp, SOON, cx.waker()));
                return Poll::Pending;
            }
            // Woken by the first: its own place is free now, and that of the dropped one.
            let [a, b] = next.get_or_insert_with(|| [(); 2].map(|()| Box::pin(lp.sleep(SOON))));
            let both = [poll(a, cx.waker()), poll(b, cx.waker())];
            match both.iter().all(Poll::is_ready) {
                true => Poll::Ready(()),
                false => Poll::Pending,
            }
        }));
        thread.expect("it was started").join().unwrap();
        drop((first, waker));
        assert!(relay.wakes.load(Ordering::Relaxed) <= 1);
        // What was left after the last turn.
        let _ = lp.run_once(Some(Duration::ZERO));
        assert_eq!(Arc::strong_count(&relay), 1, "a timer is left");
    });
}

/// A sleep that another thread drops beside the end of the drive: its timer is gone in the next turn.
#[test]
fn a_drop_elsewhere_beside_the_end_of_the_drive() {
    check(|| {
        let lp = Loop::new().unwrap();
        let (relay, waker) = relay();
        let thread = lp.block_on(poll_fn(|_| {
            let sleep = armed(&lp, LATE, &waker);
            Poll::Ready(thread::spawn(move || drop(sleep)))
        }));
        thread.join().unwrap();
        let _ = lp.run_once(Some(Duration::ZERO));
        drop(waker);
        assert_eq!(Arc::strong_count(&relay), 1, "a timer is left");
    });
}

/// The shutdown by another thread beside the end of the drive: one of the two ends the timers.
#[test]
fn the_shutdown_beside_the_end_of_the_drive() {
    check(|| {
        let lp = Loop::new().unwrap();
        let (relay, waker) = relay();
        let (sleep, thread) = lp.block_on(poll_fn(|_| {
            let sleep = armed(&lp, LATE, &waker);
            let lp = Loop::clone(&lp);
            Poll::Ready((sleep, thread::spawn(move || lp.shutdown())))
        }));
        thread.join().unwrap();
        drop(waker);
        assert_eq!(Arc::strong_count(&relay), 1, "a timer is left");
        drop(sleep);
    });
}

/// The shutdown beside a thread that arms a timer, and drops it: nothing hangs, and the waker is gone.
#[test]
fn a_sleep_beside_the_shutdown() {
    check(|| {
        let lp = Loop::new().unwrap();
        let (relay, waker) = relay();
        let other = Loop::clone(&lp);
        let thread = thread::spawn(move || drop(armed(&other, LATE, &waker)));
        lp.shutdown();
        thread.join().unwrap();
        assert_eq!(Arc::strong_count(&relay), 1, "a timer is left");
    });
}
