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

#[tokio::test]
async fn the_release_of_an_aborted_native_task_runs() {
    let (tell, told) = tokio::sync::oneshot::channel();
    let (begun, begin) = tokio::sync::oneshot::channel();
    let native = tokio::spawn(kumi::bracket(
        async { ("session", tell, Some(begun)) },
        async |held: &mut (_, _, Option<tokio::sync::oneshot::Sender<()>>)| {
            let begun = held.2.take().expect("it is used once");
            begun.send(()).expect("the test waits");
            std::future::pending::<()>().await;
        },
        |(name, tell, _): (&str, tokio::sync::oneshot::Sender<_>, _)| async move {
            kumi::sleep(Duration::from_millis(1)).await;
            let _ = tell.send(format!("{name} closed"));
        },
    ));
    begin.await.expect("the task begins");
    native.abort();
    assert_eq!(told.await.expect("the release runs"), "session closed");
}

#[tokio::test]
async fn groups_and_hosted_scopes_work_in_native_tasks() {
    let native = tokio::spawn(async {
        let group = kumi::task_group(async |group| {
            let child = group.spawn(async { Ok::<_, std::io::Error>(20) });
            Ok(child.await.expect("the child returns"))
        });
        let value = group.await.expect("nothing fails");
        let scope = kumi::CancelScope::new().timeout(Duration::from_millis(2));
        let ended = kumi::hosted(scope.run(std::future::pending::<()>())).await;
        assert!(ended.expect_err("nobody ends it").is_elapsed());
        value
    });
    assert_eq!(native.await.expect("the native task returns"), 20);
}

#[tokio::test]
#[should_panic(expected = "poll it inside a Kumi runtime")]
async fn a_scope_with_a_deadline_says_what_is_missing() {
    let scope = kumi::CancelScope::new().timeout(Duration::from_millis(2));
    let _ = scope.run(std::future::pending::<()>()).await;
}
