//! Loops over outputs whose body waits: `for_each`, `try_for_each`.
//!
//! (futures-rs issue 2387; Oxide's RFD 609: the stream form stalls, these do not.)

use std::cell::{Cell, RefCell};
use std::future::{Future, pending, ready};

use kumi_core::cancel::{CancelScope, checkpoint};
use kumi_core::cleanup::{finally, uncancellable};
use kumi_core::combine::{as_completed, yield_now};
use kumi_core::runtime::Runtime;

use crate::probe::{Gate, Log, both, either, turns, until};

use super::in_flight::{polls_of, steps};

/// The body runs once for each output, one run after the other.
pub async fn every_output_once<R: Runtime>(_: R) {
    for limit in [1, 2, 50] {
        let (seen, running) = (RefCell::new(Vec::new()), Cell::new(false));
        let (note, busy) = (&seen, &running);
        let children = (0..20).map(|number| async move {
            steps(number % 3).await;
            number
        });
        let each = as_completed(children)
            .limit(limit)
            .for_each(|number| async move {
                assert!(!busy.replace(true), "two runs at the same time");
                steps(number % 2).await;
                note.borrow_mut().push(number);
                busy.set(false);
            });
        each.await;
        let mut seen = seen.into_inner();
        seen.sort_unstable();
        assert_eq!(seen, (0..20).collect::<Vec<_>>());
    }
    as_completed(Vec::<std::future::Ready<()>>::new())
        .for_each(|()| async { panic!("nothing has finished") })
        .await;
}

/// One holds what the body of the loop waits for, and gives it back when it goes on.
fn holders(released: &Gate) -> Vec<impl Future<Output = usize> + use<>> {
    (0..2)
        .map(|number| {
            let released = released.clone();
            async move {
                if number == 1 {
                    yield_now().await;
                    yield_now().await;
                    released.open();
                }
                number
            }
        })
        .collect()
}

/// The children run while the body waits, so it may wait for one of them.
pub async fn children_run_while_the_body_waits<R: Runtime>(_: R) {
    let released = Gate::new();
    let seen = Cell::new(0);
    let (gate, count) = (&released, &seen);
    let each = as_completed(holders(&released)).for_each(|_| async move {
        gate.wait().await;
        count.set(count.get() + 1);
    });
    each.await;
    assert_eq!(seen.get(), 2);
}

/// The stream, with the same body, stands still for ever: as its docs say.
pub async fn a_stream_would_stall<R: Runtime>(rt: R) {
    let released = Gate::new();
    let mut outputs = as_completed(holders(&released));
    let stream = async {
        while outputs.next().await.is_some() {
            released.wait().await;
        }
        "ended"
    };
    let patience = async {
        turns(&rt, 100).await;
        "stalled"
    };
    assert_eq!(either(stream, patience).await, "stalled");
}

/// Outputs that wait for the body count as in flight.
pub async fn a_slow_body_holds_the_source_back<R: Runtime>(_: R) {
    let (drawn, finished) = (Cell::new(0_usize), Cell::new(0_usize));
    let children = (0..20).map(|number| {
        drawn.set(drawn.get() + 1);
        ready(number)
    });
    let each = as_completed(children).limit(3).for_each(|_| {
        // The present one, and two that wait.
        assert!(
            drawn.get() <= finished.get() + 4,
            "{} were drawn",
            drawn.get()
        );
        let finished = &finished;
        async move {
            steps(3).await;
            finished.set(finished.get() + 1);
        }
    });
    each.await;
    assert_eq!(finished.get(), 20);
}

/// An error of the body unwinds the children before it is returned, and draws no more.
pub async fn an_error_unwinds_the_rest<R: Runtime>(_: R) {
    let log = Log::new();
    let drawn = Cell::new(0);
    let children = (0..100).map(|number: usize| {
        drawn.set(drawn.get() + 1);
        let log = log.clone();
        let body = async move {
            if number > 1 {
                pending::<()>().await;
            }
            number
        };
        finally(body, async move {
            checkpoint().await;
            if number > 1 {
                log.note("cleaned up");
            }
        })
    });
    let each = as_completed(children)
        .limit(4)
        .try_for_each(async |number| {
            yield_now().await;
            match number {
                0 => Ok(()),
                number => Err(number),
            }
        });
    assert_eq!(each.await, Err(1));
    assert!((4..=6).contains(&drawn.get()), "{}", drawn.get());
    assert_eq!(log.read().len(), drawn.get() - 2);
}

/// A cancel during a run of the body unwinds it and the children, and begins no other run.
pub async fn cancelled_in_the_body<R: Runtime>(_: R) {
    let log = Log::new();
    let scope = CancelScope::new();
    let cancel = scope.handle();
    let child = |number: usize| {
        let log = log.clone();
        let body = async move {
            if number > 1 {
                pending::<()>().await;
            }
        };
        finally(body, async move {
            checkpoint().await;
            if number > 1 {
                log.note("child");
            }
        })
    };
    let runs = Cell::new(0);
    let (run, runs, log_of_body) = (|_| cancel.cancel(), &runs, &log);
    let each = as_completed((0..4).map(child)).for_each(|()| async move {
        runs.set(runs.get() + 1);
        let clean_up = async {
            checkpoint().await;
            log_of_body.note("body");
        };
        finally(
            async {
                run(());
                pending::<()>().await;
            },
            clean_up,
        )
        .await;
    });
    assert!(scope.run(each).await.is_err());
    assert_eq!(runs.get(), 1);
    let mut cleaned = log.read();
    cleaned.sort_unstable();
    assert_eq!(cleaned, ["body", "child", "child"]);
}

/// Futures that are ready at once take turns with other tasks, also while the body waits.
pub async fn many_ready_children<R: Runtime>(rt: R) {
    const MANY: usize = 20_000;
    let all = Gate::new();
    let opens = all.clone();
    let children = (0..MANY).map(move |number| {
        let last = (number + 1 == MANY).then(|| opens.clone());
        async move {
            if let Some(all) = last {
                all.open();
            }
        }
    });
    let polls = polls_of(&rt, async move {
        let each = as_completed(children).try_for_each(|()| async {
            all.wait().await;
            Err("one run is enough")
        });
        assert!(each.await.is_err());
    });
    let polls = polls.await;
    assert!(polls > MANY / 200, "it gave way {polls} times only");
}

/// In a cancelled scope no output gets a run of the body any more, and nothing more is drawn.
pub async fn an_output_after_a_cancel<R: Runtime>(rt: R) {
    let scope = CancelScope::new();
    let cancel = scope.handle();
    let end = Gate::new();
    let (drawn, ended) = (Cell::new(0), Cell::new(0));
    let children = (0..10).map(|_| {
        drawn.set(drawn.get() + 1);
        let (end, ended) = (end.wait(), &ended);
        uncancellable(async move {
            end.await;
            ended.set(ended.get() + 1);
        })
    });
    let each = as_completed(children)
        .limit(2)
        .for_each(|()| async { panic!("a run in a cancelled scope") });
    let ask = async {
        until(|| drawn.get() == 2).await;
        cancel.cancel();
        turns(&rt, 1).await;
        end.open();
    };
    let (outcome, ()) = both(scope.run(each), ask).await;
    assert!(outcome.is_err());
    assert_eq!((drawn.get(), ended.get()), (2, 2));
}
