//! What only a process of its own can show: the environment, and Ctrl-C.
//!
//! Each test starts this binary again for one `child_*` test, with a variable that turns it on.
#![cfg(unix)]
#![allow(
    clippy::print_stdout,
    reason = "the parent reads what the child prints"
)]

use std::io::{BufRead, BufReader};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kumi::BackendKind;

/// Turns the children on.
const CHILD: &str = "KUMI_TEST_CHILD";

/// The number of `SIGINT`.
const SIGINT: i32 = 2;

/// This binary, for one of its children.
fn child(name: &str, backend: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary has a path"));
    command
        .args(["--exact", name, "--nocapture", "--test-threads=1"])
        .env(CHILD, "1")
        .env("KUMI_BACKEND", backend)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn is_child() -> bool {
    std::env::var_os(CHILD).is_some()
}

fn interrupt(child: &Child) {
    let pid = child.id().to_string();
    let sent = Command::new("kill")
        .args(["-INT", &pid])
        .status()
        .expect("`kill` runs");
    assert!(sent.success());
}

/// Reads lines until one contains `text`.
fn wait_for(lines: &mut impl Iterator<Item = std::io::Result<String>>, text: &str) {
    for line in lines {
        if line.expect("the pipe works").contains(text) {
            return;
        }
    }
    panic!("the child ended before it said `{text}`");
}

#[test]
fn the_variable_chooses_among_the_backends() {
    for kind in BackendKind::compiled_in() {
        let output = child("child_says_its_backend", kind.name())
            .output()
            .expect("it starts");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains(&format!("on {kind}.")), "{said}");
    }
    let output = child("child_says_its_backend", "tokyo")
        .output()
        .expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("there is no backend `tokyo`"), "{said}");
    assert!(said.contains("KUMI_BACKEND"), "{said}");
}

#[test]
fn child_says_its_backend() {
    if is_child() {
        kumi::run(async { println!("on {}.", kumi::Backend::current().kind().expect("ours")) });
    }
}

#[test]
fn ctrl_c_cancels_main_and_its_tasks_and_then_ends_the_process_as_ever() {
    for backend in ["loop", "tokio", "smol"] {
        let mut child = child("child_waits_for_ever", backend)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        wait_for(&mut lines, "ready");
        interrupt(&child);
        wait_for(&mut lines, "main dropped");
        wait_for(&mut lines, "task dropped");
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(SIGINT), "on {backend}: {status}");
    }
}

/// Says that it was dropped.
struct Says(&'static str);

impl Drop for Says {
    fn drop(&mut self) {
        println!("{}", self.0);
    }
}

#[test]
fn child_waits_for_ever() {
    if is_child() {
        kumi::run(async {
            let _main = Says("main dropped");
            kumi::spawn(async {
                let _task = Says("task dropped");
                std::future::pending::<()>().await;
            })
            .detach();
            kumi::yield_now().await;
            kumi::sleep(Duration::from_millis(10)).await;
            println!("ready");
            std::future::pending::<()>().await;
        });
    }
}

#[test]
fn a_second_ctrl_c_ends_the_waiting_and_names_what_is_left() {
    for backend in ["loop", "tokio", "smol"] {
        let mut child = child("child_blocks_for_ever", backend)
            .spawn()
            .expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let mut errors = BufReader::new(child.stderr.take().expect("piped")).lines();
        wait_for(&mut lines, "ready");
        interrupt(&child);
        wait_for(&mut lines, "main dropped");
        interrupt(&child);
        wait_for(&mut errors, "did not end within the grace period");
        let status = child.wait().expect("it ends");
        assert_eq!(status.signal(), Some(SIGINT), "on {backend}: {status}");
    }
}

#[test]
fn child_blocks_for_ever() {
    if is_child() {
        let run = kumi::Runner::new().grace(Duration::MAX);
        let kind = BackendKind::choose().expect("the variable names one");
        let runtime = kind.build().expect("it starts");
        let ended = run.run(&*runtime, async {
            let _main = Says("main dropped");
            let stuck = kumi::to_thread(|| {
                loop {
                    std::thread::park();
                }
            });
            kumi::sleep(Duration::from_millis(10)).await;
            println!("ready");
            stuck.await.expect("it never ends");
        });
        ended.expect_err("Ctrl-C ends it").exit();
    }
}
