//! The deadlock report in debug mode: who waits for what.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};

use kumi_core::debug;
use kumi_core::runtime::Runtime;
use kumi_core::task::TaskBuilder;
use kumi_sim::Sim;

#[test]
fn a_deadlock_says_who_waits_for_what() {
    debug::set_debug(true);
    let sim = Sim::new();
    let rt = sim.handle();
    let first = TaskBuilder::new()
        .name("first")
        .spawn_on(&*sim, async move {
            let second = TaskBuilder::new()
                .name("second")
                .spawn_on(&rt, pending::<()>());
            second.await.expect_err("it never ends");
        });
    let info = first.info().clone();
    let panic = catch_unwind(AssertUnwindSafe(|| sim.block_on(first)));
    let panic = panic.expect_err("it never ends");
    let text = panic.downcast::<String>().expect("a text");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines[0], "deadlock: nothing can run, no timer is set");
    let main = format!("  main: waiting for task {} `first`", info.id());
    assert_eq!(lines[1], main);
    let (begin, second) = lines[2].split_once(": waiting for ").expect(lines[2]);
    assert_eq!(begin, format!("  {info}"));
    assert!(second.ends_with(" `second`"), "{second}");
    let begin = format!("    {second}, spawned at {}:", file!());
    assert!(lines[3].starts_with(&begin), "{}", lines[3]);
    assert!(lines[3].ends_with(": waiting"), "{}", lines[3]);
    assert_eq!(lines.len(), 4, "{text}");
}
