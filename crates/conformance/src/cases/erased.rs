//! The erased form: an [`AnyRuntime`] over the runtime passes the heart of the suite.

use std::time::Duration;

use kumi_core::combine::timeout;
use kumi_core::context;
use kumi_core::run::Runner;
use kumi_core::runtime::{AnyRuntime, Clock, Runtime, Sleep};
use kumi_core::task::{SpawnBlockingExt, SpawnExt};

use super::{ambient, block_on, blocking, cancel, clock, join, panic, spawn, timeout as limits};
use crate::Fresh;
use crate::probe::{assert_cancelled, park_on, until};

const MS: Duration = Duration::from_millis(1);

/// Tasks: spawn, join, names, turns, panics.
pub async fn tasks<R: Runtime>(rt: R) {
    let any = AnyRuntime::new(rt);
    spawn::returns_its_value(any.clone()).await;
    spawn::is_not_run_inside_spawn(any.clone()).await;
    spawn::tasks_spawn_tasks(any.clone()).await;
    spawn::names_numbers_and_places(any.clone()).await;
    spawn::a_greedy_task_starves_no_task(any.clone()).await;
    join::three_outcomes(any.clone()).await;
    join::the_joiner_is_woken(any.clone()).await;
    panic::is_contained(any).await;
}

/// Cancelling.
pub async fn cancelling<R: Runtime>(rt: R) {
    let any = AnyRuntime::new(rt);
    cancel::before_the_first_poll(any.clone()).await;
    cancel::while_parked(any.clone()).await;
    cancel::the_value_wins(any.clone()).await;
    cancel::by_dropping_the_handle(any.clone()).await;
    cancel::a_detached_task_runs_on(any).await;
}

/// Sleeps and limits.
pub async fn time<R: Runtime>(rt: R) {
    let any = AnyRuntime::new(rt);
    clock::a_sleep_is_never_early(any.clone()).await;
    clock::no_sleep_at_all(any.clone()).await;
    clock::reset_to_earlier(any.clone()).await;
    clock::reset_after_it_was_ready(any.clone()).await;
    clock::the_deadline_is_told(any.clone()).await;
    limits::too_late(any.clone()).await;
    limits::rescheduled(any).await;
}

/// Blocking closures.
pub async fn closures<R: Runtime>(rt: R) {
    let any = AnyRuntime::new(rt);
    blocking::returns_its_value(any.clone()).await;
    blocking::a_panic_is_contained(any.clone()).await;
    blocking::detached(any).await;
}

/// Inside a task the ambient runtime is the one behind the erased form, from task to task.
pub async fn the_ambient_runtime<R: Runtime>(rt: R) {
    let any = AnyRuntime::new(rt);
    assert!(any.downcast::<R>().is_some());
    ambient::inside_main(any.downcast::<R>().unwrap().clone()).await;
    let task = any.spawn(async {
        let is_behind = || context::with_current(|rt| rt.unwrap().downcast::<R>().is_some());
        let any = context::with_current(|rt| rt.unwrap().to_any_runtime());
        is_behind()
            && any.downcast::<R>().is_some()
            && any.spawn(async move { is_behind() }).await.unwrap()
    });
    assert!(task.await.unwrap());
    block_on::inside_a_task_panics(any).await;
}

/// `block_on`, a run and the shutdown.
pub fn from_start_to_end<R: Runtime>(fresh: Fresh<'_, R>) {
    let owner = fresh();
    let any = AnyRuntime::new(owner.handle());
    let text = String::from("borrowed");
    assert_eq!(any.block_on(async { &text[..6] }), "borrow");
    let main = async {
        let left = any.spawn(std::future::pending::<()>());
        let reference = left.task();
        left.detach();
        any.spawn_blocking(|| 1).await.unwrap();
        assert!(
            timeout(&any, MS, std::future::pending::<()>())
                .await
                .is_err()
        );
        reference
    };
    let left = Runner::new().ctrl_c(false).run(&any, main).unwrap();
    assert!(left.is_finished());
    let sleep = any.sleep(3600 * 1000 * MS);
    assert!(sleep.deadline() > any.now());
    drop(sleep);
    let parked = any.spawn(std::future::pending::<()>());
    any.shutdown();
    assert_cancelled(park_on(parked));
    assert_cancelled(park_on(any.spawn(until(|| true))));
    drop(owner);
}
