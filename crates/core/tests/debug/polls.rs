//! Polls that take long, and polls that do not end.

use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::debug;
use kumi_core::report::{self, Report};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnBlockingExt, SpawnExt, TaskBuilder};
use kumi_sim::Sim;

use super::{Debug, NEVER, of};

/// Runs a named task that is polled three times, and returns its number.
fn run_one(sim: &Sim) -> kumi_core::runtime::TaskId {
    let task = TaskBuilder::new().name("index").spawn_on(sim, async {
        yield_now().await;
        yield_now().await;
    });
    let id = task.id();
    sim.block_on(task).expect("it ends");
    id
}

fn is_slow(report: &Report) -> bool {
    matches!(report, Report::SlowPoll { .. })
}

#[test]
fn a_slow_poll_names_its_task_and_the_duration() {
    let debug = Debug::on();
    debug::set_slow_callback_duration(Duration::ZERO);
    let id = run_one(&Sim::new());
    let slow = debug.count(|report| match report {
        Report::SlowPoll { task, .. } => task.as_ref().is_some_and(|task| task.id() == id),
        _ => false,
    });
    assert_eq!(slow, 3, "one for each poll: {:?}", debug.texts());
    let text = debug
        .texts()
        .into_iter()
        .find(|text| text.contains("index"));
    let text = text.expect("it was just counted");
    let begin = of("task {} `index`, spawned at ", id);
    assert!(text.starts_with(&begin), "{text}");
    let (_, took) = text.split_once(": a poll took ").expect("the duration");
    assert!(took.ends_with('s'), "{text}");
    assert!(text.contains("polls.rs:"), "{text}");
}

#[test]
fn a_slow_poll_of_main_is_reported() {
    let debug = Debug::on();
    debug::set_slow_callback_duration(Duration::ZERO);
    Sim::new().block_on(yield_now());
    assert_eq!(debug.count(is_slow), 2);
    let texts = debug.texts();
    assert!(texts[0].starts_with("main: a poll took "), "{texts:?}");
}

#[test]
fn a_poll_within_the_limit_is_not_reported() {
    let debug = Debug::on();
    run_one(&Sim::new());
    assert_eq!(debug.texts(), [""; 0]);
}

#[test]
fn with_debug_mode_off_nothing_is_reported() {
    let debug = Debug::on();
    debug::set_slow_callback_duration(Duration::ZERO);
    let sim = Sim::new();
    // Spawned in debug mode, polled out of it.
    let early = sim.spawn(yield_now());
    debug::set_debug(false);
    run_one(&sim);
    sim.block_on(early).expect("it ends");
    assert_eq!(debug.texts(), [""; 0]);
}

#[test]
fn a_blocking_closure_may_take_its_time() {
    let debug = Debug::on();
    debug::set_slow_callback_duration(Duration::ZERO);
    let sim = Sim::new();
    let task = sim.spawn_blocking(|| ());
    let id = task.id();
    sim.block_on(task).expect("it ends");
    let of_it = debug.count(|report| match report {
        Report::SlowPoll { task, .. } => task.as_ref().is_some_and(|task| task.id() == id),
        _ => false,
    });
    assert_eq!(of_it, 0);
}

/// Sends on `told` when a poll is reported as blocked, and keeps the text.
fn tell_when_blocked(told: mpsc::Sender<String>) {
    report::set_hook(move |report| {
        if matches!(report, Report::PollBlocked { .. }) {
            let _ = told.send(report.to_string());
        }
    });
}

#[test]
fn the_watchdog_names_a_poll_that_does_not_return() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let (told, tells) = mpsc::channel();
    tell_when_blocked(told);
    // The poll goes on until it has been reported.
    let task = TaskBuilder::new().name("hung").spawn_on(&*sim, async move {
        debug::set_blocked_after(Duration::ZERO);
        let text = tells.recv().expect("a report");
        debug::set_blocked_after(NEVER);
        text
    });
    let begin = of("task {} `hung`, spawned at ", task.id());
    // Not in main: its polls are over when a task runs, but that is the backend's choice.
    let text = sim.block_on(task).expect("it ends");
    let name = thread::current()
        .name()
        .expect("libtest names it")
        .to_owned();
    assert!(text.starts_with(&begin), "{text}");
    assert!(text.contains("polls.rs:"), "{text}");
    assert!(text.contains(" has been in one poll for "), "{text}");
    let end = format!("s, and blocks the thread `{name}`");
    assert!(text.ends_with(&end), "{text}");
}

#[test]
fn a_blocked_poll_is_reported_once() {
    let debug = Debug::on();
    let sim = Sim::new();
    let (told, tells) = mpsc::channel();
    let seen = std::sync::Arc::clone(&debug.seen);
    report::set_hook(move |report| {
        super::lock(&seen).push(report.clone());
        let _ = told.send(());
    });
    sim.block_on(async move {
        debug::set_blocked_after(Duration::ZERO);
        tells.recv().expect("a report of this poll");
        // A report of another poll shows that the watchdog has looked again, at this one too.
        let other =
            move || Sim::new().block_on(async move { tells.recv().expect("another report") });
        let named = thread::Builder::new().name("other".to_owned());
        thread::scope(|scope| named.spawn_scoped(scope, other).map(|other| other.join()))
            .expect("a thread")
            .expect("no panic");
        debug::set_blocked_after(NEVER);
    });
    let on_other = debug.count(|report| match report {
        Report::PollBlocked { thread, .. } => thread == "other",
        _ => false,
    });
    assert_eq!(
        (debug.texts().len(), on_other),
        (2, 1),
        "{:?}",
        debug.texts()
    );
}

#[test]
fn a_limit_that_falls_while_the_watchdog_falls_asleep_is_heard() {
    let _debug = Debug::on();
    let (told, tells) = mpsc::channel();
    tell_when_blocked(told);
    Sim::new().block_on(async move {
        for round in 0..5_000 {
            // It wakes, finds nothing, and falls asleep again; the second limit comes at any point of it.
            debug::set_blocked_after(NEVER);
            (0..round * 7 % 5_000).for_each(|_| std::hint::spin_loop());
            debug::set_blocked_after(Duration::ZERO);
            tells.recv().expect("a report of this poll");
            yield_now().await;
        }
        debug::set_blocked_after(NEVER);
    });
}

#[test]
fn a_hook_that_panics_harms_nobody() {
    let debug = Debug::on();
    debug::set_slow_callback_duration(Duration::ZERO);
    let (told, tells) = mpsc::channel();
    report::set_hook(move |report| {
        let blocked = matches!(report, Report::PollBlocked { .. });
        if blocked {
            let _ = told.send(());
        }
        std::panic::resume_unwind(Box::new("the hook is broken"));
    });
    let sim = Sim::new();
    run_one(&sim);
    // The watchdog lives on after a report that failed.
    sim.block_on(async {
        debug::set_blocked_after(Duration::ZERO);
        tells.recv().expect("a report");
        yield_now().await;
        tells.recv().expect("another");
        debug::set_blocked_after(NEVER);
    });
    drop(debug);
}

/// The states of the threads of this process that have the watchdog's name: `S` is asleep.
#[cfg(target_os = "linux")]
fn watchdogs() -> Vec<String> {
    let threads = std::fs::read_dir("/proc/self/task").expect("this process has threads");
    let states = threads.filter_map(|thread| {
        let text = std::fs::read_to_string(thread.ok()?.path().join("stat")).ok()?;
        let (_, state) = text.split_once("(kumi-watchdog) ")?;
        state.split(' ').next().map(str::to_owned)
    });
    states.collect()
}

#[cfg(target_os = "linux")]
#[test]
fn the_watchdog_lives_as_long_as_there_is_something_to_watch() {
    let until = |is_it: fn(&[String]) -> bool| {
        for _ in 0..20_000 {
            if is_it(&watchdogs()) {
                return;
            }
            thread::yield_now();
        }
        panic!("the states of the watchdogs: {:?}", watchdogs());
    };
    let _debug = Debug::on();
    until(|states| states.is_empty());
    let sim = Sim::new();
    run_one(&sim);
    until(|states| states == ["S"]);
    let other = Sim::new();
    run_one(&other);
    drop(sim);
    run_one(&other);
    assert_eq!(watchdogs().len(), 1, "one for all runtimes");
    let left = other.spawn(std::future::pending::<()>());
    // It waits for the bell, so somebody has to ring.
    until(|states| states == ["S"]);
    drop(other);
    drop(left);
    until(|states| states.is_empty());
}

#[test]
fn the_environment_turns_it_on() {
    let this = std::env::current_exe().expect("a test has a file");
    let run = |debug: Option<&str>| {
        let mut child = std::process::Command::new(&this);
        child.args(["--exact", "polls::child_of_the_environment", "--nocapture"]);
        child.env("KUMI_TEST_CHILD", "1").env_remove("KUMI_DEBUG");
        child.env("KUMI_DEBUG_SLOW_MS", "0");
        if let Some(debug) = debug {
            child.env("KUMI_DEBUG", debug);
        }
        let output = child.output().expect("it runs");
        assert!(output.status.success());
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(run(Some("1")).contains("kumi: task 1 `index`, spawned at "));
    for off in [None, Some("0"), Some("")] {
        assert_eq!(run(off), "", "{off:?}");
    }
}

#[test]
fn child_of_the_environment() {
    if std::env::var_os("KUMI_TEST_CHILD").is_some() {
        run_one(&Sim::new());
    }
}

#[test]
fn a_runner_turns_it_on_and_off() {
    let _debug = Debug::on();
    let sim = Sim::new();
    let run = |on| {
        let runner = kumi_core::run::Runner::new().ctrl_c(false).debug(on);
        runner.run(&*sim, async { debug::is_debug() })
    };
    assert_eq!(run(false), Ok(false));
    assert_eq!(run(true), Ok(true));
}
