//! Run, stop, close, and what the loop is told.

use std::future::pending;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::time::Duration;

use kumi_core::blocking::BlockingPool;
use kumi_core::combine::yield_now;
use kumi_core::task::SpawnExt;

use crate::support::{Log, new_loop, tick};

fn panics<T>(f: impl FnOnce() -> T) -> String {
    let caught = catch_unwind(AssertUnwindSafe(f)).map(|_| ());
    let panic = caught.expect_err("it panics");
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|&text| text.into()))
        .expect("a text")
}

/// LP3: the tick in which `stop` is called is finished, and what it queues stays for the next run.
#[test]
fn lp3_stop_finishes_the_tick() {
    let (lp, log) = (new_loop(), Log::default());
    let (stop, inner) = (lp.handle(), log.clone());
    lp.call_soon(move || {
        inner.add(1);
        stop.stop();
        stop.call_soon(inner.note(3));
    });
    lp.call_soon(log.note(2));
    lp.run_forever();
    assert_eq!(log.take(), [1, 2]);
    lp.call_soon(log.note(4));
    tick(&lp);
    assert_eq!(log.take(), [3, 4]);
}

/// LP3: a stop before the run gives one tick, which does not wait.
#[test]
fn lp3_a_stop_before_the_run() {
    let (lp, log) = (new_loop(), Log::default());
    let (handle, inner) = (lp.handle(), log.clone());
    lp.call_soon(move || {
        handle.call_soon(inner.note(2));
        inner.add(1);
        // Absorbed: the run ends anyway.
        handle.stop();
    });
    lp.stop();
    lp.stop();
    lp.run_forever();
    assert_eq!(log.take(), [1]);
    // And it is forgotten: this one runs on until it is told.
    let (stop, inner) = (lp.handle(), log.clone());
    lp.call_later(Duration::from_millis(1), move || {
        inner.add(3);
        stop.stop();
    });
    lp.run_forever();
    assert_eq!(log.take(), [2, 3]);
}

/// `stop` from another thread ends a sleep.
#[test]
fn stop_from_another_thread() {
    let lp = new_loop();
    let (started, has_started) = mpsc::channel();
    lp.call_soon(move || started.send(()).expect("a thread waits"));
    let stop = lp.handle();
    let stopper = std::thread::spawn(move || {
        has_started.recv().expect("it runs");
        stop.stop();
    });
    lp.run_forever();
    stopper.join().expect("no panic");
}

/// LP4: the outcome of the future; if the loop is stopped first, it stays, and is driven again later.
#[test]
fn lp4_run_until_complete() {
    let lp = new_loop();
    assert_eq!(lp.run_until_complete(async { 42 }), Ok(42));
    let stop = lp.handle();
    let mut task = lp.spawn(async move {
        yield_now().await;
        stop.stop();
        yield_now().await;
        yield_now().await;
        43
    });
    assert!(lp.run_until_complete(&mut task).is_err());
    assert!(!task.is_finished());
    let value = lp.run_until_complete(&mut task).expect("not stopped again");
    assert_eq!(value.expect("it returns"), 43);
}

/// LP4: a value beats a stop.
#[test]
fn lp4_a_value_beats_a_stop() {
    let lp = new_loop();
    let stop = lp.handle();
    let both = async move {
        stop.stop();
        42
    };
    assert_eq!(lp.run_until_complete(both), Ok(42));
}

/// LP4: what was queued before the run comes before the future, however much it is.
#[test]
fn lp4_the_future_takes_its_turn() {
    let (lp, log) = (new_loop(), Log::default());
    for number in 0..500 {
        lp.call_soon(log.note(number));
    }
    let inner = log.clone();
    let main = async move {
        inner.add(500);
        pending::<()>().await;
    };
    let stop = lp.handle();
    lp.call_later(Duration::from_millis(1), move || stop.stop());
    assert!(lp.run_until_complete(main).is_err());
    assert_eq!(log.take(), (0..=500).collect::<Vec<_>>());
}

/// LP5: a future that panics leaves the loop fit for the next run.
#[test]
fn lp5_a_panic_leaves_the_loop_fit() {
    let lp = new_loop();
    let text = panics(|| lp.run_until_complete(async { panic!("of main") }));
    assert_eq!(text, "of main");
    assert!(!lp.is_running());
    assert_eq!(lp.run_until_complete(async { 42 }), Ok(42));
}

/// LP6: a loop is not run inside of a loop, the same or another.
#[test]
fn lp6_no_loop_inside_a_loop() {
    let (lp, other) = (new_loop(), new_loop());
    let (same, another) = (lp.handle(), other.handle());
    let texts = lp.run_until_complete(async move {
        [
            panics(|| same.run_forever()),
            panics(|| another.run_until_complete(async {})),
        ]
    });
    for text in texts.expect("nobody stops it") {
        assert!(text.contains("await"), "{text}");
    }
    other.run_until_complete(async {}).expect("it is fit");
}

/// LP14: a loop that runs cannot be closed; one that is closed cannot be run.
#[test]
fn lp14_close() {
    let lp = new_loop();
    let inside = lp.handle();
    let (running, closed) = lp
        .run_until_complete(async move { (inside.is_running(), inside.close().is_err()) })
        .expect("nobody stops it");
    assert!(running && closed);
    assert!(!lp.is_running() && !lp.is_closed());
    lp.close().expect("nobody runs it");
    assert!(lp.is_closed());
    let text = panics(|| lp.run_forever());
    assert!(text.contains("shut down"), "{text}");
}

/// LP14: whether it runs is seen by every thread.
#[test]
fn lp14_is_running_elsewhere() {
    let lp = new_loop();
    let handle = lp.handle();
    let seen = lp.run_until_complete(async move {
        std::thread::spawn(move || (handle.is_running(), handle.close().is_err()))
            .join()
            .expect("no panic")
    });
    assert_eq!(seen, Ok((true, true)));
    let handle = lp.handle();
    let idle = std::thread::spawn(move || handle.is_running()).join();
    assert!(!idle.expect("no panic"));
}

/// LP15: the loop's own pool, and one that is named.
#[test]
fn lp15_run_in_executor() {
    let lp = new_loop();
    let name = || std::thread::current().name().map(str::to_owned);
    let pool = BlockingPool::settings().name("named").build();
    let own = lp.run_in_executor(None, name);
    let named = lp.run_in_executor(Some(&pool), name);
    let names = lp.run_until_complete(async { (own.await, named.await) });
    let (own, named) = names.expect("nobody stops it");
    let starts = |name: Option<String>, with: &str| name.is_some_and(|n| n.starts_with(with));
    assert!(starts(own.expect("it runs"), "kumi-blocking-"));
    assert!(starts(named.expect("it runs"), "named-"));
}

/// LP16: a job that waits in the pool is dropped when it is cancelled; one that has started goes on, and its
/// late end does not touch a closed loop.
#[test]
fn lp16_cancel_a_job() {
    let lp = new_loop();
    let pool = BlockingPool::settings().max_threads(1).build();
    let (started, has_started) = mpsc::channel();
    let (release, wait) = mpsc::channel::<()>();
    let (ended, has_ended) = mpsc::channel();
    let running = lp.run_in_executor(Some(&pool), move || {
        started.send(()).expect("the test waits");
        let _ = wait.recv();
        ended.send(()).expect("the test waits");
    });
    has_started.recv().expect("it starts");
    let queued = lp.run_in_executor(Some(&pool), || panic!("it was cancelled"));
    drop(queued);
    drop(running);
    lp.close().expect("nobody runs it");
    drop(release);
    has_ended.recv().expect("it goes on to its end");
    assert!(pool.close_within(Duration::from_secs(60)));
}

/// LP17: the loop goes on while its pool is joined; jobs that come later are told.
#[test]
fn lp17_shutdown_default_executor() {
    let lp = new_loop();
    let (release, wait) = mpsc::channel::<()>();
    let running = lp.run_in_executor(None, move || wait.recv().is_err());
    let closing = lp.shutdown_default_executor(Duration::from_secs(60));
    let late = lp.run_in_executor(None, || ());
    let closing = lp.spawn(closing);
    let closed = lp.run_until_complete(async {
        assert!(late.await.expect_err("closed").is_cancelled());
        // The loop turns meanwhile, and what ends the wait comes from here.
        yield_now().await;
        drop(release);
        closing.await.expect("no panic")
    });
    assert!(
        closed
            .expect("nobody stops it")
            .expect("there was a thread")
    );
    // It had started, or was dropped by the close.
    assert!(running.is_finished());
}

/// LP22: the loop is driven in turns by another.
#[test]
fn lp22_in_another_loop() {
    let (lp, log) = (new_loop(), Log::default());
    lp.call_soon(log.note(1));
    let _ = lp.run_once(Some(Duration::ZERO));
    assert_eq!(log.take(), [1]);
}

/// The debug mode, which is the process's.
#[test]
fn debug_mode() {
    let lp = new_loop();
    let before = lp.get_debug();
    lp.set_debug(true);
    assert!(lp.get_debug());
    lp.set_debug(before);
    let limit = lp.slow_callback_duration();
    lp.set_slow_callback_duration(limit * 2);
    assert_eq!(lp.slow_callback_duration(), limit * 2);
    lp.set_slow_callback_duration(limit);
}
