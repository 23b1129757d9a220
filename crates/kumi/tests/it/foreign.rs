//! Does Kumi work inside a program that somebody else started?

use std::time::Duration;

use kumi::core::runtime::Runtime;
use kumi::core::task::SpawnExt;

/// A library function, generic over the runtime.
async fn generic<R: Runtime>(rt: &R) -> u32 {
    let clock = rt.clone();
    let task = rt.spawn(async move {
        clock.sleep(Duration::from_millis(1)).await;
        42
    });
    task.await.expect("the task returns")
}

/// A library function that finds the runtime by itself.
async fn ambient() -> u32 {
    let task = kumi::spawn(async {
        kumi::sleep(Duration::from_millis(1)).await;
        42
    });
    task.await.expect("the task returns")
}

#[tokio::test]
async fn a_native_tokio_program_calls_both_kinds_of_library() {
    let rt = kumi::backend::Tokio::current().expect("tokio runs");
    assert_eq!(generic(&rt).await, 42);
    assert_eq!(ambient().await, 42);
}

#[tokio::test]
async fn native_and_kumi_tasks_live_side_by_side() {
    let native = tokio::spawn(async { ambient().await });
    let ours = kumi::spawn(async {
        let native = tokio::spawn(async { 1 });
        native.await.expect("the native task returns")
    });
    assert_eq!(native.await.expect("the native task returns"), 42);
    assert_eq!(ours.await.expect("the task returns"), 1);
}

#[tokio::test(flavor = "current_thread", start_paused = true)]
async fn a_paused_clock_of_tokio_is_the_clock() {
    let start = kumi::now();
    kumi::sleep(Duration::from_secs(3600)).await;
    assert!(kumi::now() - start >= Duration::from_secs(3600));
}

#[tokio::test]
async fn a_foreign_select_may_drop_a_kumi_future() {
    let slow = kumi::spawn(std::future::pending::<()>());
    let task = slow.task();
    tokio::select! {
        _ = slow => unreachable!("it is never ready"),
        () = kumi::sleep(Duration::from_millis(1)) => {}
    }
    // The handle was dropped with the select, and that cancels the task.
    assert!(task.is_cancel_requested());
}
