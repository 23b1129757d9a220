//! Locks, permits, events and barriers between the tasks of each backend: one at a time, so many at once,
//! all together. (What each step does is checked poll by poll, without a backend.)

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kumi::sync::{Barrier, Condition, Event, Limiter, Mutex, RwLock, Semaphore};
use kumi::{spawn, yield_now};

/// How many are inside, and the most that ever were.
#[derive(Debug, Default)]
struct Inside(AtomicUsize, AtomicUsize);

impl Inside {
    /// Goes in, gives way to others, and goes out.
    async fn visit(&self) {
        let now = self.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.1.fetch_max(now, Ordering::SeqCst);
        yield_now().await;
        self.0.fetch_sub(1, Ordering::SeqCst);
    }

    fn most(&self) -> usize {
        self.1.load(Ordering::SeqCst)
    }
}

/// Runs eight tasks to their ends.
async fn eight<F: Future<Output = ()> + Send + 'static>(task: impl Fn(usize) -> F) {
    let tasks: Vec<_> = (0..8).map(|number| spawn(task(number))).collect();
    for task in tasks {
        task.await.expect("no panic");
    }
}

#[kumi::test]
async fn a_mutex_lets_one_in() {
    let all = Arc::new((Mutex::new(0), Inside::default()));
    eight(|_| {
        let all = Arc::clone(&all);
        async move {
            for _ in 0..50 {
                let mut count = all.0.lock().await;
                let before = *count;
                all.1.visit().await;
                *count = before + 1;
            }
        }
    })
    .await;
    assert_eq!((*all.0.lock().await, all.1.most()), (400, 1));
}

#[kumi::test]
async fn a_lock_lets_one_writer_in_or_readers() {
    let all = Arc::new((RwLock::new((0, 0)), Inside::default()));
    eight(|number| {
        let all = Arc::clone(&all);
        async move {
            for _ in 0..50 {
                if number < 2 {
                    let mut both = all.0.write().await;
                    both.0 += 1;
                    all.1.visit().await;
                    both.1 += 1;
                } else {
                    let both = all.0.read().await;
                    let before = *both;
                    yield_now().await;
                    assert!(before.0 == before.1 && *both == before);
                }
            }
        }
    })
    .await;
    assert_eq!((*all.0.read().await, all.1.most()), ((100, 100), 1));
}

#[kumi::test]
async fn permits_let_so_many_in() {
    let all = Arc::new((
        Semaphore::new(3),
        Limiter::new(2),
        [Inside::default(), Inside::default()],
    ));
    eight(|number| {
        let all = Arc::clone(&all);
        async move {
            for _ in 0..30 {
                if number % 2 == 0 {
                    let _permit = all.0.acquire().await;
                    all.2[0].visit().await;
                } else {
                    let _token = all.1.acquire().await;
                    all.2[1].visit().await;
                }
            }
        }
    })
    .await;
    assert!(all.2[0].most() <= 3 && all.2[1].most() <= 2);
    assert_eq!((all.0.available(), all.1.borrowed()), (3, 0));
}

#[kumi::test]
async fn an_event_releases_all() {
    let event = Arc::new(Event::new());
    let setter = Arc::clone(&event);
    let sets = spawn(async move {
        yield_now().await;
        setter.set();
    });
    eight(|_| {
        let event = Arc::clone(&event);
        async move { event.wait().await }
    })
    .await;
    sets.await.expect("no panic");
}

#[kumi::test]
async fn a_barrier_waits_for_all_and_again() {
    let all = Arc::new((Barrier::new(8), AtomicUsize::new(0)));
    eight(|_| {
        let all = Arc::clone(&all);
        async move {
            for round in 1..=20 {
                all.1.fetch_add(1, Ordering::SeqCst);
                all.0.wait().await.expect("nobody breaks it");
                assert!(all.1.load(Ordering::SeqCst) >= 8 * round);
                all.0.wait().await.expect("nobody breaks it");
            }
        }
    })
    .await;
    assert_eq!(all.1.load(Ordering::SeqCst), 160);
}

/// Each waits for its turn, which the one before gives.
#[kumi::test]
async fn a_condition_is_waited_for() {
    let all = Arc::new((Mutex::new(0), Condition::new()));
    eight(|number| {
        let all = Arc::clone(&all);
        async move {
            for round in 0..10 {
                let turn = all.0.lock().await;
                let mine = 8 * round + number;
                let mut turn = all.1.wait_while(turn, |turn| *turn != mine).await;
                *turn += 1;
                all.1.notify_all();
            }
        }
    })
    .await;
    assert_eq!(*all.0.lock().await, 80);
}
