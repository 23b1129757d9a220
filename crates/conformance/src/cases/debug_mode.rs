//! Debug mode: what it reports of tasks, and the snapshots of them.

use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::mpsc;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::debug::{self, TaskNode, TaskState, WaitsFor, note_wait};
use kumi_core::group::task_group;
use kumi_core::report::Report;
use kumi_core::runtime::{Runtime, TaskId};
use kumi_core::task::{JoinHandle, SpawnBlockingExt, SpawnExt, TaskBuilder, current_task};

use crate::probe::{Gate, Slot, assert_cancelled, assert_panicked, thread, until};
use crate::reports::{self, Debug, WATCHED};

fn is_slow(report: &Report) -> bool {
    matches!(report, Report::SlowPoll { .. })
}

/// A poll that takes longer than the limit is reported with its task, one within it is not (DB2).
pub async fn a_slow_poll<R: Runtime>(rt: R) {
    let debug = Debug::on();
    let polled_three_times = || {
        TaskBuilder::new().name(WATCHED).spawn_on(&rt, async {
            yield_now().await;
            yield_now().await;
        })
    };
    let within = polled_three_times();
    let fine = within.id();
    within.await.expect("it ends");
    debug::set_slow_callback_duration(Duration::ZERO);
    let beyond = polled_three_times();
    let slow = beyond.id();
    beyond.await.expect("it ends");
    let reported = debug.of(slow).iter().filter(|it| is_slow(it)).count();
    // A backend may poll more often than it has to.
    assert!(reported >= 3, "{reported} of three polls");
    assert_eq!(debug.of(fine).len(), 0);
}

/// A closure on a thread that may block may take its time.
pub async fn a_blocking_closure<R: Runtime>(rt: R) {
    let debug = Debug::on();
    debug::set_slow_callback_duration(Duration::ZERO);
    debug::set_blocked_after(Duration::ZERO);
    let closure = TaskBuilder::new()
        .name(WATCHED)
        .spawn_blocking_on(&rt, || current_task().map(|task| task.id()));
    let id = closure.id();
    assert_eq!(closure.await.expect("it ends"), Some(id));
    assert_eq!(debug.of(id).len(), 0);
}

/// A poll that does not return is reported while it hangs, and again when it has returned.
pub async fn a_poll_that_hangs<R: Runtime>(rt: R) {
    let debug = Debug::on();
    let (told, tells) = mpsc::channel();
    debug.tell_when_blocked(told);
    debug::set_slow_callback_duration(Duration::ZERO);
    debug::set_blocked_after(Duration::ZERO);
    let hung = TaskBuilder::new()
        .name(WATCHED)
        .spawn_on(&rt, async move { tells.recv() });
    let id = hung.id();
    assert_eq!(hung.await.expect("it ends"), Ok(id), "reported meanwhile");
    let reports = debug.of(id);
    assert_eq!(reports.len(), 2, "{reports:?}");
    assert!(
        matches!(reports[0], Report::PollBlocked { .. }),
        "{reports:?}"
    );
    assert!(is_slow(&reports[1]), "{reports:?}");
}

/// With debug mode off nothing is reported.
pub async fn nothing_when_off<R: Runtime>(rt: R) {
    let debug = Debug::on();
    debug::set_slow_callback_duration(Duration::ZERO);
    debug::set_debug(false);
    let task = TaskBuilder::new().name(WATCHED).spawn_on(&rt, yield_now());
    let id = task.id();
    task.await.expect("it ends");
    assert!(debug::all_tasks().get(id).is_none());
    assert_eq!(debug.of(id).len(), 0);
}

/// An error of a detached task is reported, once, in any mode (DB9).
pub async fn an_error_of_a_detached_task<R: Runtime>(rt: R) {
    let task = rt.spawn_detached(async { Err::<(), _>("nobody will know") });
    let fine = rt.spawn_detached(async { Ok::<_, String>(()) });
    until(|| task.is_finished() && fine.is_finished()).await;
    // The error is dropped after the end, perhaps on another thread.
    until(|| !reports::of(task.id()).is_empty()).await;
    let reports = reports::of(task.id());
    assert_eq!(reports.len(), 1, "{reports:?}");
    let text = reports[0].to_string();
    let begin = format!("nobody took the error of {}", task.info());
    assert_eq!(text, format!("{begin}: nobody will know"));
    assert_eq!(reports::of(fine.id()).len(), 0);
}

/// A hook that panics takes nothing with it (LP18).
pub async fn a_hook_that_panics<R: Runtime>(rt: R) {
    let task = rt.spawn_detached(async { Err::<(), _>(reports::HOOK_PANICS) });
    until(|| task.is_finished()).await;
    let lost = rt.spawn(async { panic!("{}", reports::HOOK_PANICS) });
    let reference = lost.task();
    lost.detach();
    until(|| reference.is_finished()).await;
    assert_eq!(rt.spawn(async { 42 }).await.expect("the runtime lives"), 42);
}

/// Tasks that join one another, or themselves, are reported instead of hanging without a word (FU12).
pub async fn tasks_that_join_one_another<R: Runtime>(rt: R) {
    let debug = Debug::on();
    let joiner = || {
        let slot: Slot<JoinHandle<()>> = Slot::new();
        let other = slot.clone();
        let task = TaskBuilder::new().name(WATCHED).spawn_on(&rt, async move {
            let _ = other.take().await.await;
        });
        (task, slot)
    };
    let circle = |id: TaskId| debug.circles_of(id);
    let ((a, to_a), (b, to_b)) = (joiner(), joiner());
    let tasks = [a.task(), b.task()];
    to_a.put(b);
    to_b.put(a);
    until(|| !circle(tasks[0].id()).is_empty()).await;
    // A look for nothing closes no circle.
    tasks.iter().for_each(kumi_core::task::Task::wake);
    let others = rt.spawn(async {
        for _ in 0..10 {
            yield_now().await;
        }
    });
    others.await.expect("it ends");
    let found = circle(tasks[0].id());
    assert_eq!(found.len(), 1, "{found:?}");
    let mut members: Vec<_> = found[0].iter().map(kumi_core::task::TaskInfo::id).collect();
    members.sort_unstable();
    assert_eq!(members, [tasks[0].id(), tasks[1].id()]);
    tasks[0].cancel();

    let (alone, to_itself) = joiner();
    let task = alone.task();
    to_itself.put(alone);
    until(|| !circle(task.id()).is_empty()).await;
    task.cancel();
    until(|| task.is_finished()).await;
}

/// The snapshot has parents, groups, states, and what is waited for, seen from inside of the runtime and
/// from anywhere (CG1, CG3, NU16).
pub async fn the_tree_of_tasks<R: Runtime>(rt: R) {
    let _debug = Debug::on();
    let gate = Gate::new();
    let (inner, wait) = (rt.clone(), gate.clone());
    let parent = TaskBuilder::new().name("parent").spawn_on(&rt, async move {
        let own = inner.spawn(pending::<()>());
        let id = own.id();
        let in_group = task_group(&inner, async |group| {
            let mut wait = wait.wait();
            let noted = poll_fn(move |cx| {
                let poll = Pin::new(&mut wait).poll(cx);
                if poll.is_pending() {
                    note_wait(|| WaitsFor::Other("the gate"));
                }
                poll.map(Ok::<_, u32>)
            });
            group.child().name("member").spawn(noted);
            own.await.expect_err("it is cancelled");
            Ok(())
        });
        in_group.await.expect("no error");
        id
    });
    let id = parent.id();
    // The parent and the member; main is no task.
    until(|| {
        let tree = debug::all_tasks();
        let family = |node: &&TaskNode| node.info().id() == id || node.parent() == Some(id);
        let waits =
            |node: &&TaskNode| node.state() == TaskState::Waiting && !node.waits_for().is_empty();
        tree.nodes().iter().filter(family).filter(waits).count() == 2
    })
    .await;
    for tree in [debug::tasks(&rt), debug::all_tasks()] {
        let place = tree.nodes().iter().position(|node| node.info().id() == id);
        let place = place.unwrap_or_else(|| panic!("the parent is not in:\n{tree}"));
        let [parent, own, member] = &tree.nodes()[place..place + 3] else {
            unreachable!("three were asked for")
        };
        assert_eq!(parent.depth(), 0, "main is no task:\n{tree}");
        let text = parent.to_string();
        let own_id = own.info().id();
        assert!(
            text.ends_with(&format!(": waiting for task {own_id}")),
            "{tree}"
        );
        assert_eq!(
            (own.parent(), own.group(), own.depth()),
            (Some(id), None, 1)
        );
        assert_eq!((member.parent(), member.depth()), (Some(id), 1));
        assert_eq!(member.info().name(), Some("member"));
        let group = member.group().expect("it belongs to one");
        assert_eq!(group.file(), file!());
        let text = member.to_string();
        assert!(text.ends_with(": waiting for the gate"), "{text}");
        assert!(
            text.contains(&format!(", of the group at {group}: ")),
            "{text}"
        );
    }
    gate.open();
    let own = debug::tasks(&rt);
    let own = own
        .nodes()
        .iter()
        .find(|node| node.parent() == Some(id) && node.group().is_none());
    let own = own.expect("it lives").info().id();
    rt.for_each_task(&mut |task| {
        if task.id() == own {
            task.cancel();
        }
    });
    assert_eq!(parent.await.expect("no panic"), own);
}

/// Whatever ends a task takes it out, before its end is told.
pub async fn an_ended_task_is_in_no_snapshot<R: Runtime>(rt: R) {
    let _debug = Debug::on();
    let gone = |id| debug::all_tasks().get(id).is_none() && debug::tasks(&rt).get(id).is_none();
    let task = rt.spawn(async {});
    let id = task.id();
    task.await.expect("a value");
    assert!(gone(id));
    let task = rt.spawn_blocking(|| ());
    let id = task.id();
    task.await.expect("a value");
    assert!(gone(id));
    let task = rt.spawn(async { panic!("as it should") });
    let id = task.id();
    let joined: Result<(), _> = task.await;
    assert_panicked(joined);
    assert!(gone(id));
    let task = rt.spawn(pending::<()>());
    let id = task.id();
    assert!(!gone(id));
    assert_cancelled(task.cancel_and_join().await);
    assert!(gone(id));
}

/// Snapshots from another thread are consistent while tasks run (CG1).
pub async fn snapshots_from_another_thread<R: Runtime>(rt: R) {
    let _debug = Debug::on();
    let done = Gate::new();
    let (end, mut looks) = (done.wait(), 0);
    let watcher = thread(move || {
        let mut end = end;
        let waker = std::task::Waker::noop();
        while crate::probe::poll_with(&mut end, waker).is_pending() || looks == 0 {
            let tree = debug::all_tasks();
            let mut ancestors: Vec<TaskId> = Vec::new();
            for node in tree.nodes() {
                ancestors.truncate(node.depth());
                let parent = node.parent().filter(|&id| tree.get(id).is_some());
                assert_eq!(parent, ancestors.last().copied(), "{tree}");
                ancestors.push(node.info().id());
            }
            looks += 1;
        }
    });
    for _ in 0..50 {
        let inner = rt.clone();
        let task = rt.spawn(async move {
            let child = inner.spawn(yield_now());
            let id = child.id();
            child.await.expect("it ends");
            assert!(debug::all_tasks().get(id).is_none(), "it was joined");
        });
        task.await.expect("no panic");
    }
    done.open();
    watcher.await;
}
