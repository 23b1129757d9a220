//! Mistakes that do not fail: futures never polled, errors nobody takes, tasks that join one another.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use kumi_core::cleanup::finally;
use kumi_core::combine::yield_now;
use kumi_core::debug::{self, WaitsFor, note_wait};
use kumi_core::group::task_group;
use kumi_core::report::Report;
use kumi_core::runtime::Runtime;
use kumi_core::spawned::Combine;
use kumi_core::task::{JoinHandle, SpawnExt, TaskBuilder};
use kumi_sim::Sim;

use super::{Debug, here, lock, of};

fn is_unpolled(report: &Report) -> bool {
    matches!(report, Report::NeverPolled { .. })
}

#[test]
fn a_future_that_is_never_polled_names_where_it_was_made() {
    let debug = Debug::on();
    let sim = Sim::new();
    let (place, unused) = (here(), finally(async {}, async {}));
    drop(unused);
    let text = "the future of `finally`, made at {}, was dropped and had never been polled";
    assert_eq!(
        debug.texts(),
        [text.replace("{}", &moved(&place, "here(), "))]
    );
    lock(&debug.seen).clear();

    let rt = sim.handle();
    let group = task_group(&rt, async |_| Ok::<_, u32>(()));
    drop(group);
    assert_eq!(debug.count(is_unpolled), 1, "{:?}", debug.texts());
    assert!(debug.texts()[0].contains("`task_group`"));
}

#[cfg(debug_assertions)]
#[test]
fn a_combinator_that_is_never_polled_names_itself() {
    use kumi_core::combine::{ReturnWhen, gather, race, race_ok, timeout, try_gather, wait};
    use std::future::ready;

    let debug = Debug::on();
    let sim = Sim::new();
    let fine = || [ready(Ok::<u32, u32>(1))];
    drop(gather(fine()));
    drop(gather(fine().into_iter()).limit(2));
    drop(try_gather(fine()));
    drop(try_gather(fine().into_iter()).limit(2));
    drop(race(fine()));
    drop(race_ok(fine()));
    drop(wait(fine(), ReturnWhen::AllCompleted));
    drop(timeout(&*sim, std::time::Duration::MAX, ready(1)));
    let texts = debug.texts();
    let mut made = Vec::new();
    for text in &texts {
        let rest = text.strip_prefix("the future of `").expect(text);
        let (what, place) = rest.split_once("`, made at ").expect(text);
        assert!(place.contains("finds.rs:"), "{text}");
        made.push(what);
    }
    assert_eq!(
        made,
        [
            "gather",
            "gather",
            "try_gather",
            "try_gather",
            "race",
            "race_ok",
            "wait",
            "timeout"
        ]
    );
    lock(&debug.seen).clear();
    sim.block_on(async {
        let _ = gather(fine()).await;
        let _ = try_gather(fine()).await;
        let _ = race(fine()).await;
        let _ = race_ok(fine()).await;
        wait(fine(), ReturnWhen::AllCompleted).await;
        let _ = timeout(&*sim, std::time::Duration::MAX, ready(1)).await;
    });
    assert_eq!(debug.texts(), [""; 0]);
}

#[test]
fn a_spawned_combinator_that_is_never_polled_names_itself() {
    let debug = Debug::on();
    let sim = Sim::new();
    drop(sim.gather([async {}]));
    drop(sim.race([async {}]));
    sim.block_on(async {
        let _ = sim.gather([async {}]).await;
    });
    let texts = debug.texts();
    assert_eq!(texts.len(), 2, "{texts:?}");
    assert!(
        texts[0].starts_with("the future of `gather`, made at "),
        "{}",
        texts[0]
    );
    assert!(texts[0].contains("finds.rs:"), "{}", texts[0]);
    assert!(
        texts[1].starts_with("the future of `race`, made at "),
        "{}",
        texts[1]
    );
}

/// The place of a call in the same line as that of `here`, behind `beside`.
fn moved(place: &str, beside: &str) -> String {
    let (line, column) = place.rsplit_once(':').expect("a column");
    let column: usize = column.parse().expect("a number");
    format!("{line}:{}", column + beside.len())
}

#[test]
fn a_future_that_was_polled_is_not_reported() {
    let debug = Debug::on();
    let sim = Sim::new();
    let rt = sim.handle();
    sim.block_on(async {
        finally(async {}, async {}).await;
        task_group(&rt, async |_| Ok::<_, u32>(()))
            .await
            .expect("no error");
        // Begun, and dropped before their end.
        let mut group = Box::pin(task_group(&rt, async |_| {
            pending::<Result<(), u32>>().await
        }));
        let mut region = Box::pin(finally(pending::<()>(), async {}));
        let mut spawned = rt.gather([pending::<()>()]);
        poll_fn(|cx| {
            assert!(group.as_mut().poll(cx).is_pending());
            assert!(region.as_mut().poll(cx).is_pending());
            assert!(Pin::new(&mut spawned).poll(cx).is_pending());
            Poll::Ready(())
        })
        .await;
    });
    assert_eq!(debug.count(is_unpolled), 0, "{:?}", debug.texts());
}

#[test]
fn a_future_that_was_made_for_later_may_be_cut_by_a_cancel() {
    let debug = Debug::on();
    let sim = Sim::new();
    let task = sim.spawn(async {
        let later = finally(async {}, async {});
        std::future::pending::<()>().await;
        later.await;
    });
    sim.block_on(async {
        yield_now().await;
        assert!(task.cancel_and_join().await.is_err());
    });
    assert_eq!(debug.texts(), [""; 0]);
}

#[test]
fn with_debug_mode_off_no_unpolled_future_is_reported() {
    let debug = Debug::on();
    debug::set_debug(false);
    drop(finally(async {}, async {}));
    assert_eq!(debug.texts(), [""; 0]);
}

#[test]
fn a_lost_clean_up_is_reported_in_any_mode() {
    let debug = Debug::on();
    debug::set_debug(false);
    let mut cx = Context::from_waker(Waker::noop());
    let (place, mut region) = (here(), Box::pin(finally(pending::<()>(), async {})));
    assert!(region.as_mut().poll(&mut cx).is_pending());
    drop(region);
    let (later, mut region) = (here(), Box::pin(finally(async {}, pending::<()>())));
    assert!(region.as_mut().poll(&mut cx).is_pending());
    drop(region);
    assert_eq!(
        debug.texts(),
        [
            format!(
                "the clean-up of `finally` at {} did not run: the future was dropped from outside",
                moved(&place, "here(), Box::pin(")
            ),
            format!(
                "the clean-up of `finally` at {} was cut: the future was dropped from outside",
                moved(&later, "here(), Box::pin(")
            )
        ]
    );
}

#[test]
fn the_error_of_a_detached_task_is_reported_in_any_mode() {
    let debug = Debug::on();
    debug::set_debug(false);
    let sim = Sim::new();
    let task = TaskBuilder::new()
        .name("import")
        .spawn_detached_on(&*sim, async { Err::<(), _>("the disk is full") });
    let fine = sim.spawn_detached(async { Ok::<_, String>(42) });
    sim.block_on(async {
        while !(task.is_finished() && fine.is_finished()) {
            yield_now().await;
        }
    });
    let texts = debug.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let begin = of(
        "nobody took the error of task {} `import`, spawned at ",
        task.id(),
    );
    assert!(texts[0].starts_with(&begin), "{}", texts[0]);
    assert!(texts[0].ends_with(": the disk is full"), "{}", texts[0]);
}

/// Spawns a task that joins whatever handle it is given.
fn joiner(sim: &Sim) -> (JoinHandle<()>, async_slot::Giver) {
    let (giver, taker) = async_slot::slot();
    let task = sim.spawn(async move {
        let other: JoinHandle<()> = taker.await;
        let _ = other.await;
    });
    (task, giver)
}

/// A handle on its way to a task.
mod async_slot {
    use std::future::{Future, poll_fn};
    use std::sync::{Arc, Mutex};
    use std::task::Poll;

    use kumi_core::task::JoinHandle;

    use super::super::lock;

    type Slot = Arc<Mutex<Option<JoinHandle<()>>>>;

    pub(super) struct Giver(Slot);

    impl Giver {
        pub(super) fn give(&self, handle: JoinHandle<()>) {
            *lock(&self.0) = Some(handle);
        }
    }

    pub(super) fn slot() -> (Giver, impl Future<Output = JoinHandle<()>> + Send) {
        #[allow(
            clippy::disallowed_methods,
            reason = "a lock of the test, not of what it tests"
        )]
        let slot = Slot::default();
        let taker = Arc::clone(&slot);
        let taker = poll_fn(move |cx| {
            let given = lock(&taker).take();
            if given.is_none() {
                cx.waker().wake_by_ref();
            }
            given.map_or(Poll::Pending, Poll::Ready)
        });
        (Giver(slot), taker)
    }
}

#[test]
fn tasks_that_join_one_another_are_reported_once() {
    let debug = Debug::on();
    let sim = Sim::new();
    let (a, to_a) = joiner(&sim);
    let (b, to_b) = joiner(&sim);
    let tasks = [a.task(), b.task()];
    to_a.give(b);
    to_b.give(a);
    sim.block_on(async {
        for _ in 0..4 {
            yield_now().await;
        }
        // A look for nothing closes no circle again.
        tasks[0].wake();
        tasks[1].wake();
        yield_now().await;
        yield_now().await;
        tasks[0].cancel();
        yield_now().await;
    });
    let texts = debug.texts();
    let [text] = texts.as_slice() else {
        panic!("{texts:?}")
    };
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "tasks wait for one another in a circle:");
    let (first, second) = (&tasks[1], &tasks[0]);
    assert_eq!(
        lines[1..],
        [
            format!("  {} waits for task {}", first.info(), second.id()),
            format!("  {} waits for task {}", second.info(), first.id()),
        ]
    );
}

#[test]
fn a_task_that_joins_itself_is_reported() {
    let debug = Debug::on();
    let sim = Sim::new();
    let (a, to_a) = joiner(&sim);
    let task = a.task();
    to_a.give(a);
    sim.block_on(async {
        yield_now().await;
        yield_now().await;
        task.cancel();
        yield_now().await;
    });
    let texts = debug.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let line = format!("\n  {} waits for task {}", task.info(), task.id());
    assert!(texts[0].ends_with(&line), "{}", texts[0]);
}

#[test]
fn a_task_that_has_been_woken_closes_no_circle() {
    let debug = Debug::on();
    let sim = Sim::new();
    let (a, to_a) = joiner(&sim);
    let a_info = a.info().clone();
    let mut polls = 0;
    // It waits for something else as well, which it does not say.
    let b = sim.spawn(poll_fn(move |_| {
        polls += 1;
        if polls > 1 {
            return Poll::Ready(());
        }
        note_wait(|| WaitsFor::Task(a_info.clone()));
        Poll::Pending
    }));
    let reference = b.task();
    sim.block_on(async {
        yield_now().await;
        to_a.give(b);
        // From now on it is queued, behind the one that is about to join it.
        reference.wake();
        a.await.expect("it ends");
    });
    assert_eq!(debug.texts(), [""; 0]);
}
