//! Losers are unwound before a combinator returns; and who wins against a cancel from outside.

use std::cell::RefCell;
use std::future::{Future, pending, poll_fn, ready};
use std::pin::pin;
use std::task::{Poll, Waker};
use std::time::Duration;

use kumi_core::cancel::{CancelScope, cancel_requested, checkpoint};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::{gather, race, race_ok, timeout, try_gather, yield_now};
use kumi_core::runtime::{Clock, Runtime};

use crate::support::{Wakes, poll};

/// What happened, in order.
#[derive(Default)]
struct Trace(RefCell<Vec<&'static str>>);

impl Trace {
    fn add(&self, what: &'static str) {
        self.0.borrow_mut().push(what);
    }

    fn take(&self) -> Vec<&'static str> {
        self.0.take()
    }
}

/// Never ends; when it is cancelled it takes a second to clean up.
async fn slow<T>(rt: &impl Clock, trace: &Trace, name: [&'static str; 2]) -> T {
    finally(pending(), async {
        trace.add(name[0]);
        rt.sleep(Duration::from_secs(1)).await;
        trace.add(name[1]);
    })
    .await
}

#[test]
fn race_returns_when_the_losers_have_cleaned_up() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let trace = Trace::default();
    sim.block_on(async {
        let began = rt.now();
        let winner = async {
            rt.sleep(Duration::from_secs(5)).await;
            trace.add("winner");
            1
        };
        let first = race((
            slow(&rt, &trace, ["a begins", "a ends"]),
            winner,
            slow(&rt, &trace, ["b begins", "b ends"]),
        ));
        assert_eq!(first.await, Ok(1));
        // Both clean up at the same time.
        assert_eq!(rt.now() - began, Duration::from_secs(6));
        let mut seen = trace.take();
        assert_eq!(seen[0], "winner");
        seen.sort_unstable();
        assert_eq!(seen, ["a begins", "a ends", "b begins", "b ends", "winner"]);

        let one = || slow(&rt, &trace, ["begins", "ends"]);
        let children: Vec<std::pin::Pin<Box<dyn Future<Output = u32>>>> =
            vec![Box::pin(one()), Box::pin(yields(2)), Box::pin(one())];
        assert_eq!(race(children).await, Ok(2));
        assert_eq!(trace.take(), ["begins", "begins", "ends", "ends"]);
    });
}

async fn yields(value: u32) -> u32 {
    yield_now().await;
    value
}

#[test]
fn try_gather_and_race_ok_unwind_too() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let trace = Trace::default();
    sim.block_on(async {
        let failing = async {
            yield_now().await;
            Err::<(), _>("failed")
        };
        let both = try_gather((slow::<Result<u32, _>>(&rt, &trace, ["b", "e"]), failing));
        assert_eq!(both.await, Err("failed"));
        assert_eq!(trace.take(), ["b", "e"]);
        let good = async {
            yield_now().await;
            Ok::<_, ()>(1)
        };
        let both = race_ok((
            async { Err::<u32, _>("ignored") },
            slow::<Result<u32, ()>>(&rt, &trace, ["b", "e"]),
            good,
        ));
        assert_eq!(both.await, Ok(1));
        assert_eq!(trace.take(), ["b", "e"]);
    });
}

#[test]
fn those_who_have_not_begun_do_not_begin() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let trace = Trace::default();
    sim.block_on(async {
        let late = async {
            trace.add("begun");
            pending().await
        };
        let first = race((slow(&rt, &trace, ["b", "e"]), ready(1), late));
        assert_eq!(first.await, Ok(1));
        assert_eq!(trace.take(), ["b", "e"]);
        let children: [std::pin::Pin<Box<dyn Future<Output = u32>>>; 3] = [
            Box::pin(slow(&rt, &trace, ["b", "e"])),
            Box::pin(ready(2)),
            Box::pin(async {
                trace.add("begun");
                pending().await
            }),
        ];
        assert_eq!(race(children).await, Ok(2));
        assert_eq!(trace.take(), ["b", "e"]);
    });
}

#[test]
fn the_first_decision_stays() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let trace = Trace::default();
    sim.block_on(async {
        // The other one fails as well, while the third cleans up.
        let later = || {
            let (mut polls, trace) = (0, &trace);
            poll_fn(move |cx| {
                polls += 1;
                cx.waker().wake_by_ref();
                if polls < 5 {
                    return Poll::Pending;
                }
                trace.add("late");
                Poll::Ready(Err::<(), _>("late"))
            })
        };
        let early = || async {
            yield_now().await;
            Err::<(), _>("early")
        };
        let all = try_gather((
            slow::<Result<(), &str>>(&rt, &trace, ["b", "e"]),
            early(),
            later(),
        ));
        let ended: Result<((), (), ()), _> = all.await;
        assert_eq!(ended, Err("early"));
        assert_eq!(trace.take(), ["b", "late", "e"]);
        let children: [std::pin::Pin<Box<dyn Future<Output = _>>>; 3] = [
            Box::pin(slow::<Result<(), &str>>(&rt, &trace, ["b", "e"])),
            Box::pin(early()),
            Box::pin(later()),
        ];
        assert_eq!(try_gather(children).await, Err("early"));
        assert_eq!(trace.take(), ["b", "late", "e"]);
    });
}

#[test]
fn losers_see_the_cancel_and_take_nothing_more() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let trace = Trace::default();
    sim.block_on(async {
        assert!(!cancel_requested());
        let loser = async {
            futures_join(slow::<()>(&rt, &trace, ["b", "e"]), async {
                rt.sleep(Duration::from_millis(1)).await;
                checkpoint().await;
                trace.add("code after a cancelled await");
            })
            .await;
            0
        };
        assert_eq!(race((loser, yields(1))).await, Ok(1));
        assert_eq!(trace.take(), ["b", "e"]);
        assert!(!cancel_requested(), "the cancel stays inside");
    });
}

/// Both, with the waker of this task.
async fn futures_join<A: Future, B: Future>(one: A, two: B) {
    gather((one, two)).await;
}

#[test]
fn a_cancel_from_outside_wins_while_losers_clean_up() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let trace = Trace::default();
    sim.block_on(async {
        let began = rt.now();
        let limited = timeout(&rt, Duration::from_millis(500), async {
            let first = race((slow(&rt, &trace, ["b", "e"]), yields(1))).await;
            trace.add("code after the race");
            first
        });
        assert!(limited.await.is_err());
        assert_eq!(trace.take(), ["b", "e"]);
        assert_eq!(rt.now() - began, Duration::from_secs(1));
    });
}

#[test]
fn a_decision_at_once_beats_a_cancel_of_the_same_poll() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    let body = async {
        race([0, 1].map(|index| {
            let handle = handle.clone();
            poll_fn(move |_| {
                if index == 0 {
                    return Poll::Pending;
                }
                handle.cancel();
                Poll::Ready(index)
            })
        }))
        .await
    };
    let mut ended = pin!(scope.run(body));
    assert_eq!(poll(ended.as_mut(), Waker::noop()), Poll::Ready(Ok(Ok(1))));
}

#[test]
fn a_cancel_unwinds_all_children_of_a_gather() {
    let sim = kumi_sim::Sim::new();
    let rt = sim.handle();
    let trace = Trace::default();
    sim.block_on(async {
        let children = (0..3).map(|_| slow::<()>(&rt, &trace, ["b", "e"]));
        let limited = timeout(&rt, Duration::from_secs(1), gather(children));
        assert!(limited.await.is_err());
        assert_eq!(trace.take(), ["b", "b", "b", "e", "e", "e"]);
        let children = (0..3).map(|_| slow::<Result<(), ()>>(&rt, &trace, ["b", "e"]));
        let limited = timeout(&rt, Duration::from_secs(1), try_gather(children));
        assert!(limited.await.is_err());
        assert_eq!(trace.take(), ["b", "b", "b", "e", "e", "e"]);
    });
}

#[test]
fn a_decision_in_a_cancelled_scope_forgets_nobody_who_was_woken() {
    let scope = CancelScope::new();
    let handle = scope.handle();
    type Boxed<'a> = std::pin::Pin<Box<dyn Future<Output = u32> + 'a>>;
    let children: [Boxed<'_>; 2] = [
        Box::pin(async {
            for _ in 0..6 {
                yield_now().await;
            }
            1
        }),
        Box::pin(uncancellable(async {
            for _ in 0..12 {
                yield_now().await;
            }
            2
        })),
    ];
    let mut ended = pin!(scope.run(race(children)));
    let (wakes, waker) = Wakes::new();
    assert!(poll(ended.as_mut(), &waker).is_pending());
    handle.cancel();
    let mut polls = 0;
    // As a runtime does: only after a wake.
    while wakes.take() > 0 {
        polls += 1;
        if let Poll::Ready(ended) = poll(ended.as_mut(), &waker) {
            assert!(ended.is_err());
            assert!(polls >= 8, "the region was cut");
            return;
        }
    }
    panic!("it hangs after {polls} polls");
}
