//! `Barrier` (asyncio BA1-BA5).

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use futures_lite::future::block_on;
use kumi::sync::{Barrier, BrokenBarrier};

use super::{Hand, now};

type Waiting<'a> = Hand<'a, Result<usize, BrokenBarrier>>;

fn arrive(barrier: &Barrier) -> Waiting<'_> {
    Hand::waiting(barrier.wait())
}

/// The last one releases the others; each gets a number of its own, in every round.
#[test]
fn all_meet_again_and_again() {
    let barrier = Barrier::new(3);
    for _ in 0..3 {
        let waiting = [arrive(&barrier), arrive(&barrier)];
        assert_eq!(barrier.waiting(), 2);
        let mut places = vec![now(barrier.wait()).unwrap()];
        assert_eq!(barrier.waiting(), 0);
        places.extend(waiting.into_iter().map(|hand| hand.given().unwrap()));
        places.sort_unstable();
        assert_eq!(places, [0, 1, 2]);
    }
    assert_eq!(now(Barrier::new(1).wait()), Ok(0));
}

#[test]
#[should_panic(expected = "at least 1 party")]
fn nobody_cannot_meet() {
    Barrier::new(0);
}

/// One who goes away before all have come does not count, and somebody else may come; the numbers stay
/// unique.
#[test]
fn who_goes_away_does_not_count() {
    let barrier = Barrier::new(3);
    let (gone, stays) = (arrive(&barrier), arrive(&barrier));
    drop(gone);
    assert_eq!(barrier.waiting(), 1);
    let comes = arrive(&barrier);
    let last = now(barrier.wait()).unwrap();
    let mut places = [last, stays.given().unwrap(), comes.given().unwrap()];
    places.sort_unstable();
    assert_eq!(places, [0, 1, 2]);
    assert_eq!(barrier.waiting(), 0);
}

/// One who goes away after all have come takes nothing from the next round.
#[test]
fn who_goes_away_after_the_meeting() {
    let barrier = Barrier::new(2);
    let gone = arrive(&barrier);
    now(barrier.wait()).unwrap();
    let next = arrive(&barrier);
    drop(gone);
    assert_eq!(barrier.waiting(), 1);
    assert!(now(barrier.wait()).is_ok() && next.given().is_ok());
}

/// Those who come while others go on are of the next round.
#[test]
fn newcomers_wait_for_the_next_round() {
    let barrier = Barrier::new(2);
    let slow = arrive(&barrier);
    now(barrier.wait()).unwrap();
    let newcomer = arrive(&barrier);
    assert!(slow.given().is_ok());
    assert!(!newcomer.is_woken());
}

/// A reset gives those who wait an error, leaves those alone who were released, and makes it whole.
#[test]
fn reset() {
    let barrier = Barrier::new(2);
    let released = arrive(&barrier);
    now(barrier.wait()).unwrap();
    let waits = arrive(&barrier);
    barrier.reset();
    let error = waits.given().unwrap_err();
    assert!(error.to_string().contains("reset or aborted"));
    assert!(released.given().is_ok());
    barrier.reset();
    let again = arrive(&barrier);
    assert!(now(barrier.wait()).is_ok() && again.given().is_ok());
}

/// An abort is for all who come, until a reset.
#[test]
fn abort() {
    let barrier = Barrier::new(2);
    let waits = arrive(&barrier);
    barrier.abort();
    assert!(barrier.is_broken() && waits.given().is_err());
    assert!(now(barrier.wait()).is_err());
    barrier.reset();
    assert!(!barrier.is_broken());
    let again = arrive(&barrier);
    assert!(now(barrier.wait()).is_ok() && again.given().is_ok());
}

/// Threads meet thousands of times, beside one that comes and goes away at once: nobody misses a meeting,
/// and each gives each number at most once.
#[test]
fn on_threads() {
    const ROUNDS: usize = 3_000;
    let barrier = Arc::new(Barrier::new(2));
    let given = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    let spawn = |goes_away: bool| {
        let (barrier, given) = (Arc::clone(&barrier), Arc::clone(&given));
        thread::spawn(move || {
            loop {
                let place = match goes_away {
                    true => Hand::new(barrier.wait()).poll(),
                    false => Some(block_on(barrier.wait())),
                };
                match place {
                    Some(Ok(place)) => given[place].fetch_add(1, Ordering::Relaxed),
                    Some(Err(_)) => return,
                    None => continue,
                };
                if given[0].load(Ordering::Relaxed) > ROUNDS {
                    barrier.abort();
                }
            }
        })
    };
    for thread in [spawn(false), spawn(false), spawn(true)] {
        thread.join().unwrap();
    }
    let given = [0, 1].map(|place: usize| given[place].load(Ordering::Relaxed));
    assert!(given[0] > ROUNDS && given[1] <= given[0], "{given:?}");
    assert_eq!(barrier.waiting(), 0);
}
