//! What is special about the own loop: its one thread, its turn, its end.

mod guest;
mod loop_pool;
mod timers;

use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Clock, Direction, Io, Registered, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt, SpawnLocalExt};
use kumi_loop::{Loop, TURN_JOBS};

/// A task that is always ready again, and counts its polls.
fn busy(lp: &Loop) -> (kumi_core::task::JoinHandle<()>, Arc<AtomicUsize>) {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let task = lp.spawn(async move {
        loop {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    });
    (task, polls)
}

#[test]
fn a_busy_task_starves_no_timer() {
    let lp = Loop::new().expect("the loop starts");
    let (_busy, polls) = busy(&lp);
    lp.block_on(lp.sleep(Duration::from_millis(5)));
    assert!(polls.load(Ordering::Relaxed) > 0);
}

#[test]
fn a_busy_task_starves_no_descriptor() {
    let lp = Loop::new().expect("the loop starts");
    let (_busy, polls) = busy(&lp);
    let (one, other) = UnixStream::pair().expect("a pair");
    one.set_nonblocking(true).expect("non-blocking");
    lp.block_on(async {
        let one = lp.register(one).expect("it registers");
        // Not ready yet: the task has to be found by the kernel while the other one spins.
        let mut ready = std::pin::pin!(one.ready(Direction::Read));
        let first = std::future::poll_fn(|cx| Poll::Ready(ready.as_mut().poll(cx).is_pending()));
        assert!(first.await);
        std::io::Write::write_all(&mut &other, b"x").expect("it is written");
        let before = polls.load(Ordering::Relaxed);
        ready.await.expect("it is ready");
        // A turn or two: the one that was under way, and the one that found the event.
        let turns = (polls.load(Ordering::Relaxed) - before).div_ceil(TURN_JOBS);
        assert!(turns <= 3, "{turns} turns");
    });
}

#[test]
fn a_busy_task_starves_no_other_task_and_main_neither() {
    let lp = Loop::new().expect("the loop starts");
    let (_busy, polls) = busy(&lp);
    let other = lp.spawn(async {
        for _ in 0..100 {
            yield_now().await;
        }
    });
    lp.block_on(other).expect("the task returns");
    let polls = polls.load(Ordering::Relaxed);
    assert!(
        (100..=103).contains(&polls),
        "one poll for each of the other's, not {polls}"
    );
}

#[test]
fn a_loop_belongs_to_the_thread_that_first_drove_it() {
    let lp = Loop::new().expect("the loop starts");
    lp.block_on(async {});
    let handle = lp.handle();
    let elsewhere = std::thread::spawn(move || handle.block_on(async {})).join();
    let panic = elsewhere.expect_err("it panics");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("belongs to another thread"), "{text}");
}

#[test]
fn a_loop_may_move_before_it_is_driven() {
    let lp = Loop::new().expect("the loop starts");
    let task = lp.spawn(async { 42 });
    let value = std::thread::spawn(move || lp.block_on(task))
        .join()
        .expect("no panic");
    assert_eq!(value.expect("the task returns"), 42);
}

#[test]
fn tasks_stay_between_two_drives() {
    let lp = Loop::new().expect("the loop starts");
    let task = lp.spawn(async {
        yield_now().await;
        42
    });
    lp.block_on(async {});
    assert_eq!(lp.block_on(task).expect("the task returns"), 42);
}

#[test]
fn a_wake_from_another_thread_ends_the_sleep() {
    let lp = Loop::new().expect("the loop starts");
    let (sender, receiver) = std::sync::mpsc::channel();
    let flag = Arc::new(AtomicBool::new(false));
    let set = Arc::clone(&flag);
    let waker = std::thread::spawn(move || {
        let waker: std::task::Waker = receiver.recv().expect("main sends its waker");
        set.store(true, Ordering::SeqCst);
        waker.wake();
    });
    lp.block_on(std::future::poll_fn(|cx| {
        if flag.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let _ = sender.send(cx.waker().clone());
        Poll::Pending
    }));
    waker.join().expect("no panic");
}

#[test]
fn shut_down_from_another_thread_while_it_runs() {
    let lp = Loop::new().expect("the loop starts");
    let handle = lp.handle();
    let parked = lp.spawn(std::future::pending::<()>());
    let local = std::rc::Rc::new(());
    let held = std::rc::Rc::clone(&local);
    lp.block_on(async {
        lp.spawn_local(async move {
            let _held = held;
            std::future::pending::<()>().await;
        })
        .detach();
        yield_now().await;
        let end = std::thread::spawn(move || handle.shutdown());
        let error = parked.await.expect_err("it is dropped");
        assert!(error.is_cancelled());
        end.join().expect("no panic");
    });
    assert_eq!(
        std::rc::Rc::strong_count(&local),
        1,
        "dropped on the loop's thread"
    );
    assert!(
        lp.spawn(async {}).is_finished(),
        "what comes later is dropped at once"
    );
}

#[test]
fn a_chain_of_a_hundred_thousand_tasks_needs_no_stack_to_be_dropped() {
    let lp = Loop::new().expect("the loop starts");
    let mut last = lp.spawn(std::future::pending::<()>());
    for _ in 0..100_000 {
        let before = last;
        last = lp.spawn(async move { drop(before.await) });
    }
    let first = last;
    lp.block_on(yield_now());
    drop(lp);
    assert!(first.is_finished());
}

#[test]
fn more_closures_than_threads_wait_their_turn() {
    let lp = Loop::builder()
        .max_blocking_threads(2)
        .build()
        .expect("the loop starts");
    let running = Arc::new(AtomicUsize::new(0));
    let closures: Vec<_> = (0..20)
        .map(|number| {
            let running = Arc::clone(&running);
            lp.spawn_blocking(move || {
                let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                assert!(now <= 2);
                std::thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                number
            })
        })
        .collect();
    let sum = lp.block_on(async {
        let mut sum = 0;
        for closure in closures {
            sum += closure.await.expect("the closure returns");
        }
        sum
    });
    assert_eq!(sum, 190);
}

#[test]
#[should_panic(expected = "a pool of no threads")]
fn a_pool_of_no_threads_is_refused() {
    let _ = Loop::builder().max_blocking_threads(0);
}

/// A closure that says that it runs, and goes on when the other end is dropped.
fn stuck(
    lp: &Loop,
) -> (
    kumi_core::task::JoinHandle<u32>,
    std::sync::mpsc::Sender<()>,
) {
    let (started, has_started) = std::sync::mpsc::channel();
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let closure = lp.spawn_blocking(move || {
        started.send(()).expect("the test waits");
        let _ = wait.recv();
        42
    });
    has_started.recv().expect("it starts");
    (closure, release)
}

#[test]
fn the_shutdown_waits_for_closures_if_it_is_told_to() {
    let lp = Loop::builder()
        .blocking_shutdown(Duration::from_secs(60))
        .build()
        .expect("the loop starts");
    let (closure, release) = stuck(&lp);
    let shut_down = Arc::new(AtomicBool::new(false));
    let over = Arc::clone(&shut_down);
    let owner = std::thread::spawn(move || {
        drop(lp);
        over.store(true, Ordering::SeqCst);
    });
    assert!(!closure.is_finished() && !shut_down.load(Ordering::SeqCst));
    drop(release);
    owner.join().expect("no panic");
    assert!(closure.is_finished(), "before the shutdown was over");
}

#[test]
fn the_shutdown_names_what_it_does_not_wait_for() {
    let (send, reports) = std::sync::mpsc::channel();
    kumi_core::report::set_hook(move |report| {
        let _ = send.send(report.clone());
    });
    let settings = kumi_core::blocking::Settings::new().name("stubborn");
    let lp = Loop::builder()
        .blocking(settings)
        .blocking_shutdown(Duration::from_millis(1))
        .build()
        .expect("the loop starts");
    let (closure, release) = stuck(&lp);
    drop(lp);
    let named = reports.try_iter().any(|report| {
        matches!(report, kumi_core::report::Report::ThreadNotEnded { thread, .. } if &*thread == "stubborn-1")
    });
    kumi_core::report::reset_hook();
    assert!(named);
    drop(release);
    let other = Loop::new().expect("the loop starts");
    assert_eq!(other.block_on(closure).expect("it goes on"), 42);
}

#[test]
fn the_shutdown_by_a_closure_does_not_wait_for_that_one() {
    let lp = Loop::builder()
        .blocking_shutdown(Duration::from_secs(60))
        .build()
        .expect("the loop starts");
    let handle = lp.handle();
    let closure = lp.spawn_blocking(move || handle.shutdown());
    while !closure.is_finished() {
        std::thread::yield_now();
    }
}

#[test]
fn a_look_for_the_end_sees_what_is_on_its_way() {
    let lp = Loop::new().expect("the loop starts");
    lp.block_on(async {
        // Queued by another thread, and not taken in when main looks.
        std::thread::scope(|s| {
            s.spawn(|| lp.spawn(async {}).detach());
        });
        std::future::poll_fn(|cx| lp.poll_idle(cx)).await;
    });
}
