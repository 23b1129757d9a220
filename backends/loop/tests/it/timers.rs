//! Sleeps from other threads, between two drives, and in old loops.

use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::thread;
use std::time::{Duration, Instant};

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Clock, Runtime, Sleep};
use kumi_core::task::SpawnExt;
use kumi_loop::{Loop, LoopSleep};

const MS: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counted() -> (Arc<Wakes>, Waker) {
    let wakes = Arc::new(Wakes::default());
    (Arc::clone(&wakes), Waker::from(wakes))
}

fn new() -> kumi_core::runtime::Owned<Loop> {
    Loop::new().expect("the loop starts")
}

fn poll<S: Future<Output = ()>>(sleep: &mut Pin<Box<S>>, waker: &Waker) -> Poll<()> {
    sleep.as_mut().poll(&mut Context::from_waker(waker))
}

/// A sleep that was polled once while the loop was driven.
fn begun(lp: &Loop, delay: Duration, waker: &Waker) -> Pin<Box<LoopSleep>> {
    let mut sleep = Box::pin(lp.sleep(delay));
    lp.block_on(async { assert!(poll(&mut sleep, waker).is_pending()) });
    sleep
}

fn elsewhere<T: Send>(f: impl FnOnce() -> T + Send) -> T {
    thread::scope(|s| s.spawn(f).join().expect("no panic"))
}

#[test]
fn a_sleep_of_the_loops_own_is_dropped_by_another_thread() {
    let lp = new();
    let (wakes, waker) = counted();
    lp.block_on(async {
        let mut sleep = Box::pin(lp.sleep(HOUR));
        assert!(poll(&mut sleep, &waker).is_pending());
        drop(waker);
        elsewhere(|| drop(sleep));
        // The loop takes the note in before it waits.
        lp.sleep(MS).await;
        assert_eq!(Arc::strong_count(&wakes), 1, "the timer is gone");
    });
}

#[test]
fn it_is_dropped_while_the_loop_waits() {
    let lp = new();
    let (wakes, waker) = counted();
    lp.block_on(async {
        let mut sleep = Box::pin(lp.sleep(HOUR));
        assert!(poll(&mut sleep, &waker).is_pending());
        drop(waker);
        let gone = Arc::clone(&wakes);
        let other = thread::spawn(move || {
            drop(sleep);
            // Only the loop, which nothing else wakes, can take the waker out.
            while Arc::strong_count(&gone) > 2 {
                thread::yield_now();
            }
        });
        let join = lp.clone();
        let joined = kumi_core::task::SpawnBlockingExt::spawn_blocking(&join, || other.join());
        joined.await.expect("it returns").expect("no panic");
    });
}

#[test]
fn a_sleep_of_the_loops_own_is_polled_and_moved_by_another_thread() {
    let lp = new();
    lp.block_on(async {
        let (old, waker) = counted();
        let mut sleep = Box::pin(lp.sleep(HOUR));
        assert!(poll(&mut sleep, &waker).is_pending());
        drop(waker);
        let (new, waker) = counted();
        let at = lp.now() + 3 * MS;
        let mut sleep = elsewhere(|| {
            assert!(poll(&mut sleep, &waker).is_pending());
            sleep.as_mut().reset(at);
            sleep
        });
        while new.0.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        assert!(lp.now() >= at);
        assert_eq!(old.0.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&old), 1);
        assert!(poll(&mut sleep, &waker).is_ready());
    });
}

#[test]
fn it_is_moved_there_and_its_task_is_woken_without_a_poll() {
    let lp = new();
    for later in [false, true] {
        lp.block_on(async {
            let (wakes, waker) = counted();
            let start = lp.now();
            let first = if later { MS } else { HOUR };
            let mut sleep = Box::pin(lp.sleep_until(start + first));
            if poll(&mut sleep, &waker).is_ready() {
                return; // The machine stood still.
            }
            let at = start + 8 * MS;
            let mut sleep = elsewhere(|| {
                sleep.as_mut().reset(at);
                sleep
            });
            while poll(&mut sleep, &waker).is_pending() {
                assert!(lp.now() < at + HOUR);
                yield_now().await;
            }
            assert!(lp.now() >= at);
            drop(sleep);
            let _ = wakes;
        });
    }
}

#[test]
fn moved_there_and_back_here() {
    let lp = new();
    lp.block_on(async {
        let (wakes, waker) = counted();
        let mut sleep = Box::pin(lp.sleep(HOUR));
        assert!(poll(&mut sleep, &waker).is_pending());
        let now = lp.now();
        let mut sleep = elsewhere(|| {
            sleep.as_mut().reset(now);
            sleep
        });
        sleep.as_mut().reset(now + HOUR);
        lp.sleep(2 * MS).await;
        assert_eq!(wakes.0.load(Ordering::SeqCst), 0, "the note came too late");
        assert!(poll(&mut sleep, &waker).is_pending());
        sleep.as_mut().reset(lp.now() + MS);
        sleep.await;
    });
}

#[test]
fn sleeps_that_other_threads_began_wake_the_loop() {
    let lp = new();
    let clock = lp.handle();
    let (wakes, waker) = counted();
    lp.block_on(async {
        let task = lp.spawn(async {
            yield_now().await;
        });
        let mut sleep = elsewhere(|| {
            let mut sleep = Box::pin(clock.sleep(2 * MS));
            assert!(poll(&mut sleep, &waker).is_pending());
            sleep
        });
        task.await.expect("it returns");
        sleep.as_mut().await;
    });
    assert_eq!(
        wakes.0.load(Ordering::SeqCst),
        0,
        "main was the last to poll"
    );
}

trait Elsewhere {
    fn block_on_elsewhere(&self);
}

impl Elsewhere for Loop {
    /// Waits on this thread for a sleep of a loop that another thread drives.
    fn block_on_elsewhere(&self) {
        struct Unpark(thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        let at = self.now() + MS;
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut sleep = pin!(self.sleep_until(at));
        while sleep
            .as_mut()
            .poll(&mut Context::from_waker(&waker))
            .is_pending()
        {
            thread::park();
        }
        assert!(self.now() >= at);
    }
}

#[test]
fn a_foreign_sleep_wakes_a_loop_that_waits_for_ever() {
    let lp = new();
    let clock = lp.handle();
    let other = thread::spawn(move || clock.block_on_elsewhere());
    lp.block_on(async {
        let join = || other.join().expect("no panic");
        kumi_core::task::SpawnBlockingExt::spawn_blocking(&*lp, join)
            .await
            .expect("it returns");
    });
}

#[test]
fn between_two_drives() {
    let lp = new();
    let (wakes, waker) = counted();
    let mut sleep = begun(&lp, HOUR, &waker);
    // Moved, and nobody drives the loop.
    sleep.as_mut().reset(lp.now() + MS);
    lp.block_on(async {
        while wakes.0.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
    });
    assert!(poll(&mut sleep, &waker).is_ready());

    let mut sleep = begun(&lp, HOUR, &waker);
    let before = Arc::strong_count(&wakes);
    assert!(poll(&mut sleep, &waker).is_pending());
    drop(sleep);
    assert_eq!(Arc::strong_count(&wakes), before - 1, "gone at once");

    // Begun between drives: the next one fires it.
    let mut sleep = Box::pin(lp.sleep(MS));
    assert!(poll(&mut sleep, &waker).is_pending());
    lp.block_on(sleep.as_mut());
}

#[test]
fn a_sleep_of_a_loop_that_is_gone() {
    let lp = new();
    let (wakes, waker) = counted();
    let mut sleep = begun(&lp, 2 * MS, &waker);
    let mut fresh = Box::pin(lp.sleep(2 * MS));
    drop(lp);
    drop(waker);
    assert_eq!(Arc::strong_count(&wakes), 1, "its wakers went with it");
    let waker = Waker::noop();
    while poll(&mut sleep, waker).is_pending() {
        thread::yield_now();
    }
    while poll(&mut fresh, waker).is_pending() {
        let at = fresh.deadline();
        fresh.as_mut().reset(at);
    }
}

#[test]
fn timers_in_an_old_loop() {
    let day = Duration::from_secs(86_400);
    let powers = (10..63).map(|power| Duration::from_nanos(1 << power));
    let ages = powers.chain([day * 12, day * 365 * 100, day * 365 * 400]);
    for age in ages {
        // The boundary is passed while the timers run.
        let lp = Loop::builder()
            .age(age.saturating_sub(MS / 2))
            .build()
            .expect("the loop starts");
        lp.block_on(async {
            let start = lp.now();
            let mut waits = Vec::new();
            for part in 0..4 {
                waits.push(lp.sleep_until(start + MS * part / 2));
            }
            for wait in waits {
                let at = wait.deadline();
                wait.await;
                assert!(lp.now() >= at, "at the age of {age:?}");
            }
            let mut never = Box::pin(lp.sleep(Duration::MAX));
            assert!(poll(&mut never, Waker::noop()).is_pending());
            never.as_mut().reset(lp.now() + MS / 4);
            never.await;
        });
    }
}

/// A sleep that is far ahead is armed without another look at the clock. If the thread has been held up
/// meanwhile for longer than that, it fires with the next turn.
#[test]
fn a_sleep_that_came_due_while_the_loop_was_held_up() {
    let lp = new();
    let (wakes, waker) = counted();
    let until = |at| Box::pin(lp.sleep_until(at));
    let begin = Instant::now();
    let (mut held_up, mut later) = lp.block_on(async {
        let mut later = until(begin + HOUR);
        assert!(poll(&mut later, &waker).is_pending(), "it has asked");
        thread::sleep(2000 * MS);
        let mut held_up = until(begin + 1900 * MS);
        assert!(poll(&mut held_up, &waker).is_pending(), "nobody has asked");
        // Who begins new ones again and again, and never gives way, sees the time pass all the same.
        let begin_one = || poll(&mut until(begin + 1900 * MS), &waker);
        assert!((0..1000).any(|_| begin_one().is_ready()));
        let mut near = until(begin + 900 * MS);
        assert!(poll(&mut near, &waker).is_ready(), "it has asked");
        let mut now_known = until(begin + 1950 * MS);
        assert!(poll(&mut now_known, &waker).is_ready(), "it has asked, too");
        while wakes.0.load(Ordering::SeqCst) == 0 {
            yield_now().await;
        }
        (held_up, later)
    });
    assert_eq!(wakes.0.load(Ordering::SeqCst), 1);
    assert!(poll(&mut held_up, &waker).is_ready());
    assert!(poll(&mut later, &waker).is_pending());
}

#[test]
fn a_sleep_that_is_due_in_less_than_a_tick_is_not_late_by_one() {
    let lp = new();
    let _busy = lp.spawn(async {
        loop {
            yield_now().await;
        }
    });
    lp.block_on(async {
        // Of many tries one is quick, whatever else the machine does.
        let quickest = (0..1000).map(|_| {
            let at = Instant::now() + MS / 10;
            (at, lp.sleep_until(at))
        });
        let mut best = HOUR;
        for (at, sleep) in quickest {
            let at = at.max(Instant::now());
            sleep.await;
            best = best.min(Instant::now() - at);
            if best < MS / 2 {
                return;
            }
        }
        panic!("the best of 1000 was late by {best:?}");
    });
}
