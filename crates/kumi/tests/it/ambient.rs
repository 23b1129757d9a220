//! Do ambient functions find the runtime of the code that calls them?

use std::time::Duration;

use kumi::{Backend, BackendKind};

#[kumi::test]
async fn spawn_sleep_and_to_thread_work_in_a_task() {
    let kind = Backend::current().kind();
    let task = kumi::spawn(async move {
        assert_eq!(Backend::current().kind(), kind);
        kumi::sleep(Duration::from_millis(1)).await;
        let inner = kumi::to_thread(move || {
            assert_eq!(Backend::current().kind(), kind);
            20
        });
        inner.await.expect("the closure returns") + 22
    });
    assert_eq!(task.await.expect("the task returns"), 42);
}

#[kumi::test]
async fn the_runtime_is_found_through_foreign_combinators() {
    let kind = Backend::current().kind();
    let (a, b) = tokio::join!(
        async { kumi::spawn(async { 1 }).await.expect("the task returns") },
        async { Backend::current().kind() },
    );
    assert_eq!((a, b), (1, kind));
}

#[kumi::test]
async fn a_local_task_may_hold_what_is_not_send() {
    let shared = std::rc::Rc::new(std::cell::Cell::new(1));
    let inside = std::rc::Rc::clone(&shared);
    let task = kumi::spawn_local(async move {
        kumi::yield_now().await;
        inside.set(2);
    });
    task.await.expect("the task returns");
    assert_eq!(shared.get(), 2);
}

#[kumi::test]
async fn a_task_has_its_name_number_and_place() {
    let task = kumi::spawn_named("answer", async { kumi::current_task().expect("in a task") });
    let (id, line) = (task.id(), line!() - 1);
    assert_eq!(task.name(), Some("answer"));
    assert_eq!(
        (task.info().location().file(), task.info().location().line()),
        (file!(), line)
    );
    let inside = task.await.expect("the task returns");
    assert_eq!((inside.id(), inside.name()), (id, Some("answer")));
}

#[kumi::test]
async fn spawned_combinators_find_their_runtime() {
    use kumi::{ReturnWhen, spawned};

    let kind = Backend::current().kind();
    let child = |number: usize| async move {
        assert_eq!(Backend::current().kind(), kind);
        number
    };
    let outcomes = spawned::gather((0..5).map(child)).limit(2).await;
    assert!(outcomes.into_iter().map(Result::unwrap).eq(0..5));
    let mut sum = 0;
    let mut outcomes = spawned::as_completed((0..5).map(child));
    while let Some(outcome) = outcomes.next().await {
        sum += outcome.expect("the child returns");
    }
    assert_eq!(sum, 10);
    let waited = spawned::wait([child(7)], ReturnWhen::AllCompleted).await;
    assert!(matches!(waited.done[..], [(0, Ok(7))]));
    let drawn = kumi::limited(2, spawned::as_tasks((0..5).map(child)));
    assert_eq!(kumi::gather(drawn).await.len(), 5);
}

#[kumi::test]
async fn timeouts_are_ambient() {
    let never = kumi::timeout(Duration::from_millis(1), std::future::pending::<()>());
    assert!(never.await.is_err());
    let soon = kumi::timeout(Duration::MAX, async { 42 });
    assert_eq!(soon.await, Ok(42));
    let start = kumi::now();
    kumi::sleep_until(start + Duration::from_millis(2)).await;
    assert!(kumi::now() >= start + Duration::from_millis(2));
}

#[test]
#[should_panic(expected = "no Kumi runtime here")]
fn without_a_runtime_the_panic_names_the_fix() {
    drop(kumi::spawn(async {}));
}

#[test]
fn a_foreign_thread_enters_a_runtime() {
    for kind in BackendKind::compiled_in() {
        let runtime = kind.build().expect("the backend starts");
        let task = kumi::enter(&*runtime, || kumi::spawn(async { 42 }));
        let value = kumi::run_with(&*runtime, task).expect("the task returns");
        assert_eq!(value, 42);
    }
}

#[test]
fn two_backends_work_in_one_process_at_the_same_time() {
    let first = BackendKind::Loop.build().expect("the loop starts");
    let second = BackendKind::Tokio.build().expect("tokio starts");
    let inner = second.handle();
    kumi::run_with(&*first, async move {
        assert_eq!(Backend::current().kind(), Some(BackendKind::Loop));
        let there = kumi::enter(&inner, || kumi::spawn(async { Backend::current().kind() }));
        let here = kumi::spawn(async { Backend::current().kind() });
        assert_eq!(
            there.await.expect("the task returns"),
            Some(BackendKind::Tokio)
        );
        assert_eq!(
            here.await.expect("the task returns"),
            Some(BackendKind::Loop)
        );
    });
}
