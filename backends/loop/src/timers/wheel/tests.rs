//! The wheel beside a sorted map, at all ages of a loop.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use super::*;

/// Counts in how many places it is kept.
struct Counted;

impl Wake for Counted {
    fn wake(self: Arc<Self>) {}
}

/// A small generator of random numbers (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

/// The wheel and what it has to be like.
struct Beside {
    wheel: Wheel,
    model: BTreeMap<(u64, u64), Key>,
    waker: Arc<Counted>,
    now: u64,
}

impl Beside {
    fn new(now: u64) -> Self {
        Self {
            wheel: Wheel::new(),
            model: BTreeMap::new(),
            waker: Arc::new(Counted),
            now,
        }
    }

    fn arm(&mut self, at: u64) {
        let key = self.wheel.arm(at, Waker::from(Arc::clone(&self.waker)));
        self.model.insert((at, key.number), key);
    }

    fn any(&self, random: &mut Random) -> Option<((u64, u64), Key)> {
        let skip = random.below(self.model.len().max(1) as u64) as usize;
        self.model.iter().nth(skip).map(|(at, key)| (*at, *key))
    }

    fn go_to(&mut self, now: u64) {
        self.now = now;
        let mut fired = Vec::new();
        self.wheel.expire(now, &mut fired);
        let due = self.model.keys().filter(|(at, _)| *at <= now);
        let expected: Vec<u64> = due.map(|(at, _)| *at).collect();
        self.model.retain(|(at, _), _| *at > now);
        let fired: Vec<u64> = fired.into_iter().map(|(at, _)| at).collect();
        assert_eq!(fired, expected, "at {now}");
        self.look();
    }

    fn look(&mut self) {
        assert_eq!(self.wheel.len(), self.model.len());
        assert_eq!(Arc::strong_count(&self.waker), self.model.len() + 1);
        let first = self.model.keys().next().map(|(at, _)| *at);
        let next = self.wheel.next();
        match (first, next) {
            (None, None) => {}
            (Some(first), Some(next)) => assert!(next <= first, "{next} is after {first}"),
            other => panic!("{other:?}"),
        }
    }

    /// Goes from one time that the wheel names to the next, until nothing is armed.
    fn run_out(&mut self) {
        let mut looks = 0;
        let timers = self.model.len();
        while let Some(next) = self.wheel.next() {
            self.go_to(next.max(self.now));
            looks += 1;
            assert!(
                looks <= (LEVELS + 1) * timers,
                "each look fires one or gets nearer"
            );
        }
    }
}

/// The ages at which something in the wheel runs over.
fn ages() -> impl Iterator<Item = u64> {
    let days = |days: u64| days * 86_400 * 1_000_000_000;
    let powers = (0..63).map(|power| 1 << power);
    powers.chain([0, days(12), days(50), days(365 * 100), days(365 * 500)])
}

#[test]
fn it_fires_what_a_sorted_map_would() {
    for age in ages() {
        for early in [0, 1, 3 << TICK] {
            let mut random = Random(age + early + 1);
            let mut beside = Beside::new(age.saturating_sub(early));
            for _ in 0..300 {
                let ahead = 1 << random.below(45);
                let at = beside.now.saturating_add(random.below(ahead));
                match random.below(10) {
                    0..4 => beside.arm(at),
                    4 => beside.arm(random.below(beside.now.saturating_add(1))),
                    5 | 6 => {
                        if let Some((place, key)) = beside.any(&mut random) {
                            assert!(beside.wheel.reset(key, at));
                            beside.model.remove(&place);
                            beside.model.insert((at, key.number), key);
                        }
                    }
                    7 => {
                        if let Some((place, key)) = beside.any(&mut random) {
                            assert!(beside.wheel.waker(key).is_some());
                            assert!(beside.wheel.remove(key).is_some());
                            assert!(beside.wheel.remove(key).is_none());
                            assert!(!beside.wheel.reset(key, at), "the old key is stale");
                            beside.model.remove(&place);
                        }
                    }
                    _ => {
                        let ahead = 1 << random.below(40);
                        beside.go_to(beside.now + random.below(ahead));
                    }
                }
                beside.look();
            }
            beside.run_out();
        }
    }
}

#[test]
fn never_and_long_ago() {
    let mut beside = Beside::new(7 << TICK);
    beside.arm(u64::MAX);
    beside.arm(0);
    beside.arm(u64::MAX);
    beside.go_to(7 << TICK);
    beside.go_to(u64::MAX - 1);
    assert_eq!(beside.model.len(), 2);
    beside.go_to(u64::MAX);
    assert_eq!(beside.wheel.next(), None);
}

#[test]
fn equal_times_fire_in_the_order_of_arming_wherever_they_hang() {
    for ahead in [0, 1, 5 << TICK, 100 << TICK, 10_000 << TICK] {
        let mut wheel = Wheel::new();
        let counters: Vec<_> = (0..100).map(|_| Arc::new(Counted)).collect();
        for counter in &counters {
            wheel.arm(ahead, Waker::from(Arc::clone(counter)));
        }
        let mut fired = Vec::new();
        wheel.expire(ahead, &mut fired);
        let data = |waker: &Waker| waker.data().addr();
        let fired: Vec<_> = fired.iter().map(|(_, waker)| data(waker)).collect();
        let armed: Vec<_> = counters
            .iter()
            .map(|counter| Arc::as_ptr(counter).addr())
            .collect();
        assert_eq!(fired, armed);
    }
}

#[test]
fn a_waker_may_be_replaced() {
    let (old, new) = (Arc::new(Counted), Arc::new(Counted));
    let mut wheel = Wheel::new();
    let key = wheel.arm(5, Waker::from(Arc::clone(&old)));
    *wheel.waker(key).expect("it is armed") = Waker::from(Arc::clone(&new));
    assert_eq!((Arc::strong_count(&old), Arc::strong_count(&new)), (1, 2));
    wheel.expire(5, &mut Vec::new());
    assert_eq!(Arc::strong_count(&new), 1);
    assert!(wheel.waker(key).is_none());
}

#[test]
fn a_million_timers_are_moved_a_bounded_number_of_times() {
    const TIMERS: u64 = 1_000_000;
    static FIRED: AtomicUsize = AtomicUsize::new(0);
    struct Count;
    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            FIRED.fetch_add(1, Ordering::Relaxed);
        }
    }
    let waker = Waker::from(Arc::new(Count));
    let day = 86_400 * 1_000_000_000;
    let mut random = Random(42);
    let mut wheel = Wheel::new();
    let keys: Vec<_> = (0..TIMERS)
        .map(|_| wheel.arm(random.below(day), waker.clone()))
        .collect();
    for key in keys.iter().step_by(2) {
        assert!(wheel.reset(*key, random.below(day)));
    }
    for key in keys.iter().skip(1).step_by(4) {
        drop(wheel.remove(*key));
    }
    let mut out = Vec::new();
    let (mut last, mut looks) = (0, 0);
    while let Some(next) = wheel.next() {
        wheel.expire(next, &mut out);
        looks += 1;
        for (at, waker) in out.drain(..) {
            assert!(at >= last && at <= next);
            last = at;
            waker.wake();
        }
    }
    assert_eq!(FIRED.load(Ordering::Relaxed) as u64, TIMERS * 3 / 4);
    assert!(looks < TIMERS, "{looks}");
    assert_eq!(
        wheel.entries.capacity(),
        0,
        "an empty table keeps no million of places"
    );
}

#[test]
fn a_wheel_without_a_timer_stays_as_new() {
    let mut wheel = Wheel::new();
    let mut due = Vec::new();
    wheel.expire(u64::MAX, &mut due);
    assert_eq!(
        (wheel.tick, wheel.next(), wheel.was_used()),
        (0, None, false)
    );
    let key = wheel.arm(1 << TICK, Waker::noop().clone());
    assert!(wheel.was_used());
    assert!(wheel.remove(key).is_some() && wheel.was_used());
}
