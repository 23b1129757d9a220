//! Snapshots of the tasks.

use std::future::{pending, poll_fn};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::task::Poll;
use std::thread;

use kumi_core::combine::yield_now;
use kumi_core::debug::{self, TaskState, WaitsFor, note_wait};
use kumi_core::group::task_group;
use kumi_core::runtime::{Clock, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt, TaskBuilder, current_task};
use kumi_sim::Sim;

use super::Debug;

async fn settle() {
    for _ in 0..5 {
        yield_now().await;
    }
}

/// A task with a child of its own and two in a group, as text.
fn family(sim: &Sim) -> String {
    let rt = sim.clone();
    let parent = TaskBuilder::new().name("parent").spawn_on(sim, async move {
        let mut own = TaskBuilder::new()
            .name("own")
            .spawn_on(&rt, pending::<()>());
        let group = task_group(&rt, async |group| {
            group.child().name("busy").spawn(async {
                loop {
                    yield_now().await;
                }
                #[allow(unreachable_code, reason = "it says the type")]
                Ok::<_, u32>(())
            });
            group
                .child()
                .name("idle")
                .spawn(pending::<Result<(), u32>>());
            let _ = (&mut own).await;
            Ok(())
        });
        group.await
    });
    let text = sim.block_on(async {
        settle().await;
        debug::tasks(sim).to_string()
    });
    drop(parent);
    sim.block_on(settle());
    // Without what differs from run to run.
    let name = |line: &str| {
        let indent = &line[..line.len() - line.trim_start().len()];
        let (_, rest) = line.split_once('`').expect("each has a name");
        let (name, rest) = rest.split_once('`').expect("it ends");
        let group = if rest.contains(", of the group at ") {
            " (group)"
        } else {
            ""
        };
        let (_, state) = rest.rsplit_once(": ").expect("its state");
        let state: String = state.chars().filter(|c| !c.is_ascii_digit()).collect();
        format!("{indent}{name}{group}: {state}")
    };
    text.lines().map(name).collect::<Vec<_>>().join("\n")
}

#[test]
fn each_task_stands_under_the_one_that_spawned_it() {
    let _debug = Debug::on();
    assert_eq!(
        family(&Sim::new()),
        "parent: waiting for task  `own`\n\
         \x20 own: waiting\n\
         \x20 busy (group): queued\n\
         \x20 idle (group): waiting"
    );
}

#[test]
fn without_debug_mode_groups_are_known() {
    let debug = Debug::on();
    debug::set_debug(false);
    assert_eq!(
        family(&Sim::new()),
        // Whether a task that yields is queued or runs, its word says in debug mode only.
        "parent: waiting\n\
         \x20 busy (group): running\n\
         \x20 idle (group): waiting\n\
         own: waiting"
    );
    drop(debug);
}

#[test]
fn a_running_task_sees_itself() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let rt = sim.handle();
    let seen = sim.spawn(async move {
        let me = current_task().expect("this is a task").id();
        let of_all = debug::all_tasks().get(me).map(debug::TaskNode::state);
        (
            of_all,
            debug::tasks(&rt).get(me).map(debug::TaskNode::state),
        )
    });
    let (of_all, of_one) = sim.block_on(seen).expect("no panic");
    assert_eq!(of_all, Some(TaskState::Running));
    assert_eq!(of_one, Some(TaskState::Running));
    debug::set_debug(false);
    let rt = sim.handle();
    let seen = sim.spawn(async move {
        let me = current_task().expect("this is a task").id();
        debug::tasks(&rt).get(me).map(debug::TaskNode::state)
    });
    assert_eq!(sim.block_on(seen).expect("no panic"), of_one);
}

#[test]
fn a_task_that_has_been_spawned_is_queued_and_one_woken_is_so_again() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let task = sim.spawn(pending::<()>());
    let state = || {
        debug::all_tasks()
            .get(task.id())
            .map(debug::TaskNode::state)
    };
    assert_eq!(state(), Some(TaskState::Queued));
    sim.block_on(async {
        settle().await;
        assert_eq!(state(), Some(TaskState::Waiting));
        task.task().wake();
        assert_eq!(state(), Some(TaskState::Queued));
    });
}

#[test]
fn one_that_wakes_itself_in_its_poll_is_queued() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let task = sim.spawn(async {
        loop {
            yield_now().await;
        }
    });
    let id = task.id();
    let state = sim.block_on(async {
        settle().await;
        debug::all_tasks().get(id).map(debug::TaskNode::state)
    });
    assert_eq!(state, Some(TaskState::Queued));
    drop(task);
    drop(sim);
}

#[test]
fn what_is_waited_for_is_that_of_the_last_poll() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let mut polls = 0;
    let task = sim.spawn(std::future::poll_fn(move |_| {
        polls += 1;
        note_wait(|| {
            WaitsFor::Other(if polls == 1 {
                "the first"
            } else {
                "the second"
            })
        });
        std::task::Poll::<()>::Pending
    }));
    let line = || {
        let tree = debug::all_tasks();
        let (_, state) = tree
            .get(task.id())
            .expect("it lives")
            .to_string()
            .rsplit_once(": ")
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .expect("a state");
        state
    };
    sim.block_on(async {
        settle().await;
        assert_eq!(line(), "waiting for the first");
        task.task().wake();
        settle().await;
        assert_eq!(line(), "waiting for the second");
    });
}

#[test]
fn main_says_what_it_waits_for() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let task = TaskBuilder::new().name("worker").spawn_on(&*sim, {
        let rt = sim.handle();
        async move {
            settle().await;
            debug::tasks(&rt).to_string()
        }
    });
    let id = task.id();
    let text = sim.block_on(task).expect("no panic");
    let first = text.lines().next().expect("a line");
    assert_eq!(first, format!("main: waiting for task {id} `worker`"));
    let after = sim.block_on(async { debug::tasks(&*sim) });
    assert!(after.main_waits_for().is_empty(), "that main is over");
}

#[test]
fn a_main_that_is_over_waits_for_nothing() {
    let _debug = Debug::on();
    let sim = Sim::new();
    sim.block_on(poll_fn(|_| {
        note_wait(|| WaitsFor::Other("what came at once"));
        Poll::Ready(())
    }));
    assert!(debug::all_tasks().main_waits_for().is_empty());
}

#[test]
#[allow(clippy::disallowed_methods, reason = "a thread of the test")]
fn notes_outside_of_a_poll_are_dropped() {
    let _debug = Debug::on();
    // A poll that is over on this thread, whose place another one takes.
    Sim::new().block_on(yield_now());
    let (polled, polls) = mpsc::channel();
    let (noted, notes) = mpsc::channel();
    let waits = thread::spawn(move || {
        let sim = Sim::new();
        let mut begun = false;
        let task = sim.spawn(poll_fn(move |_| {
            if !std::mem::replace(&mut begun, true) {
                polled.send(()).expect("it waits");
                let () = notes.recv().expect("it notes");
            }
            Poll::<()>::Pending
        }));
        sim.block_on(settle());
        let tree = debug::all_tasks();
        let node = tree.get(task.id()).expect("it lives");
        node.waits_for().len()
    });
    polls.recv().expect("it is polled");
    note_wait(|| WaitsFor::Other("nobody"));
    noted.send(()).expect("it waits");
    assert_eq!(waits.join().expect("no panic"), 0);
}

#[test]
fn a_task_that_ended_is_gone_whatever_ended_it() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let rt = sim.handle();
    sim.block_on(async {
        rt.spawn(async {}).await.expect("a value");
        rt.spawn_blocking(|| ()).await.expect("a value");
        let panics = async { std::panic::resume_unwind(Box::new(())) };
        assert!(rt.spawn(panics).await.is_err());
        let task = rt.spawn(pending::<()>());
        assert!(task.cancel_and_join().await.is_err());
        let sleeper = rt.clone();
        let task = rt.spawn(async move { sleeper.sleep(std::time::Duration::MAX).await });
        settle().await;
        assert!(task.cancel_and_join().await.is_err());
        assert!(debug::all_tasks().nodes().is_empty());
    });
    rt.spawn(pending::<()>()).detach();
    rt.spawn_blocking(|| ()).detach();
    assert_eq!(debug::all_tasks().nodes().len(), 2);
    drop(sim);
    assert!(debug::all_tasks().nodes().is_empty());
}

#[test]
fn snapshots_from_another_thread_are_consistent() {
    let _debug = Debug::on();
    let done = AtomicBool::new(false);
    thread::scope(|threads| {
        let looks = threads.spawn(|| {
            let mut looks = 0;
            while !done.load(Ordering::Acquire) || looks == 0 {
                let tree = debug::all_tasks();
                let mut ancestors = Vec::new();
                for node in tree.nodes() {
                    ancestors.truncate(node.depth());
                    assert_eq!(
                        node.parent().filter(|id| tree.get(*id).is_some()),
                        ancestors.last().copied()
                    );
                    ancestors.push(node.info().id());
                }
                looks += 1;
            }
            looks
        });
        let sim = Sim::new();
        let rt = sim.handle();
        sim.block_on(async {
            for _ in 0..200 {
                let inner = rt.clone();
                let task = rt.spawn(async move {
                    let child = inner.spawn(yield_now());
                    let id = child.id();
                    child.await.expect("it ends");
                    assert!(debug::all_tasks().get(id).is_none(), "joined, so gone");
                });
                task.await.expect("no panic");
            }
        });
        done.store(true, Ordering::Release);
        assert!(looks.join().expect("consistent") > 0);
    });
}
