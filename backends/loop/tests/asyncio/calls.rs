//! Callbacks of the loop's thread, and timers.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kumi_core::report::{self, Report};
use kumi_core::runtime::Runtime;
use kumi_core::task::{SpawnExt, SpawnLocalExt};
use kumi_core::task_local;

use crate::support::{Log, new_loop, tick};

const LONG: Duration = Duration::from_secs(3600);

/// LP1: strictly in order, each once; and in one order with tasks.
#[test]
fn lp1_in_order_with_tasks() {
    let (lp, log) = (new_loop(), Log::default());
    for number in 0..100 {
        match number % 2 {
            0 => drop(lp.call_soon(log.note(number))),
            _ => {
                let log = log.clone();
                lp.spawn_local(async move { log.add(number) }).detach();
            }
        }
    }
    assert!(log.take().is_empty(), "none runs inside of the call");
    tick(&lp);
    assert_eq!(log.take(), (0..100).collect::<Vec<_>>());
    tick(&lp);
    assert!(log.take().is_empty());
}

/// LP2: what callbacks queue waits for the next tick.
#[test]
fn lp2_a_tick_runs_what_was_ready() {
    let (lp, log) = (new_loop(), Log::default());
    let (again, inner) = (lp.handle(), log.clone());
    lp.call_soon(move || {
        inner.add(1);
        again.call_soon(inner.note(3));
    });
    lp.call_soon(log.note(2));
    tick(&lp);
    assert_eq!(log.take(), [1, 2]);
    tick(&lp);
    assert_eq!(log.take(), [3]);
}

/// LP7: timers are called in the order of their times, also those that were due before they were made; of
/// equal times in the order in which they were made.
#[test]
fn lp7_in_the_order_of_their_times() {
    let (lp, log) = (new_loop(), Log::default());
    let now = lp.time();
    let past = |seconds| now - Duration::from_secs(seconds);
    lp.call_at(past(1), log.note(2));
    lp.call_at(past(2), log.note(1));
    lp.call_at(past(1), log.note(3));
    lp.call_later(Duration::ZERO, log.note(4));
    let stop = lp.handle();
    lp.call_later(Duration::from_millis(1), move || stop.stop());
    lp.run_forever();
    assert_eq!(log.take(), [1, 2, 3, 4]);
}

/// LP7: `call_later` is `call_at`, and `when` says the time; the longest delay is far away.
#[test]
fn lp7_when() {
    let lp = new_loop();
    let before = lp.time();
    let timer = lp.call_later(LONG, || ());
    assert!((before + LONG..=lp.time() + LONG).contains(&timer.when()));
    assert_eq!(lp.call_at(before, || ()).when(), before);
    let never = lp.call_later(Duration::MAX, || ());
    assert!(never.when() > before + LONG);
}

/// LP8: never early.
#[test]
fn lp8_not_early() {
    let lp = new_loop();
    let called = Rc::new(Cell::new(None));
    let (clock, at) = (lp.handle(), Rc::clone(&called));
    let timer = lp.call_later(Duration::from_micros(300), move || {
        at.set(Some(clock.time()));
        clock.stop();
    });
    lp.run_forever();
    assert!(called.get().expect("it is called") >= timer.when());
}

/// LP9: a delay of zero comes behind what is ready.
#[test]
fn lp9_zero_is_a_delay() {
    let (lp, log) = (new_loop(), Log::default());
    lp.call_later(Duration::ZERO, log.note(3));
    lp.call_soon(log.note(1));
    lp.call_soon(log.note(2));
    let stop = lp.handle();
    lp.call_later(Duration::ZERO, move || stop.stop());
    lp.run_forever();
    assert_eq!(log.take(), [1, 2, 3]);
}

/// LP10: a cancel drops the callback at once, may be repeated, and says so.
#[test]
fn lp10_cancel_drops_at_once() {
    let lp = new_loop();
    let held = Rc::new(());
    let (soon, later) = (Rc::clone(&held), Rc::clone(&held));
    let handle = lp.call_soon(move || drop(soon));
    let timer = lp.call_later(LONG, move || drop(later));
    assert!(!handle.cancelled() && !timer.cancelled());
    for _ in 0..2 {
        handle.cancel();
        timer.cancel();
        assert!(handle.cancelled() && timer.cancelled());
        assert_eq!(Rc::strong_count(&held), 1);
    }
    lp.block_on(async {});
    tick(&lp);
    // Nothing is left of either, not even the task that sleeps for timers.
    tick(&lp);
    let mut tasks = 0;
    lp.block_on(async { lp.for_each_task(&mut |_| tasks += 1) });
    assert_eq!(tasks, 0);
}

/// LP10: nor is anything left of a timer that the loop had begun to wait for.
#[test]
fn lp10_cancel_ends_the_wait() {
    let lp = new_loop();
    let timers = [(); 3].map(|()| lp.call_later(LONG, || ()));
    tick(&lp);
    timers
        .iter()
        .for_each(kumi_loop::asyncio::TimerHandle::cancel);
    let left = || {
        let mut tasks = 0;
        lp.block_on(async { lp.for_each_task(&mut |_| tasks += 1) });
        tasks
    };
    tick(&lp);
    tick(&lp);
    assert_eq!(left(), 0);
}

/// LP7: a timer that is made while the loop waits for a later one is called first.
#[test]
fn lp7_an_earlier_one_comes_later() {
    let (lp, log) = (new_loop(), Log::default());
    lp.call_later(LONG, log.note(2));
    let (inner, handle) = (log.clone(), lp.handle());
    lp.call_later(Duration::from_micros(100), move || {
        inner.add(0);
        let (stop, inner) = (handle.clone(), inner.clone());
        handle.call_later(Duration::from_micros(100), move || {
            inner.add(1);
            stop.stop();
        });
    });
    tick(&lp);
    lp.run_forever();
    assert_eq!(log.take(), [0, 1]);
}

/// LP10: after the call, a cancel changes nothing; nor inside of it.
#[test]
fn lp10_cancel_after_the_call() {
    let lp = new_loop();
    let own = Rc::new(Cell::new(None));
    let inside = Rc::clone(&own);
    let handle = lp.call_soon(move || {
        let handle: kumi_loop::asyncio::Handle = inside.take().expect("it is there");
        handle.cancel();
        assert!(!handle.cancelled());
        inside.set(Some(handle));
    });
    own.set(Some(handle));
    tick(&lp);
    let handle = own.take().expect("it was called");
    handle.cancel();
    assert!(!handle.cancelled());
}

/// LP10: an earlier timer that is cancelled does not keep a later one from being called.
#[test]
fn lp10_one_of_many() {
    let (lp, log) = (new_loop(), Log::default());
    let timers: Vec<_> = (1..=200)
        .map(|number| lp.call_later(Duration::from_micros(u64::from(number)), log.note(number)))
        .collect();
    timers
        .iter()
        .enumerate()
        .filter(|(place, _)| place % 3 != 2)
        .for_each(|(_, timer)| timer.cancel());
    let stop = lp.handle();
    lp.call_later(Duration::from_millis(2), move || stop.stop());
    lp.run_forever();
    let called: Vec<_> = (1..=200).filter(|number| number % 3 == 0).collect();
    assert_eq!(log.take(), called);
}

/// LP11: the panic of a callback is reported, and the loop goes on.
#[test]
fn lp11_a_panic_is_reported() {
    let messages = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&messages);
    report::set_hook(move |report| {
        if let Report::PanicNotJoined { message, .. } = report {
            seen.lock().expect("no panic").push(message.clone());
        }
    });
    let (lp, log) = (new_loop(), Log::default());
    lp.call_soon(|| std::panic::resume_unwind(Box::new("of call_soon")));
    lp.call_soon(log.note(1));
    lp.call_later(Duration::ZERO, || {
        std::panic::resume_unwind(Box::new("of call_later"))
    });
    let stop = lp.handle();
    lp.call_later(Duration::ZERO, move || stop.stop());
    lp.run_forever();
    report::reset_hook();
    assert_eq!(log.take(), [1]);
    let messages = messages.lock().expect("no panic");
    for text in ["of call_soon", "of call_later"] {
        assert_eq!(
            messages.iter().filter(|message| *message == text).count(),
            1
        );
    }
}

/// LP14: on a closed loop a callback is dropped at once, and its handle says that it was cancelled.
#[test]
fn lp14_on_a_closed_loop() {
    let lp = new_loop();
    let held = Rc::new(());
    let before = Rc::clone(&held);
    let waiting = lp.call_later(LONG, move || drop(before));
    lp.close().expect("nobody runs it");
    assert!(waiting.cancelled());
    let (soon, later) = (Rc::clone(&held), Rc::clone(&held));
    assert!(lp.call_soon(move || drop(soon)).cancelled());
    assert!(lp.call_later(LONG, move || drop(later)).cancelled());
    assert!(lp.call_soon_threadsafe(|| ()).cancelled());
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(lp.is_closed() && !lp.is_running());
    lp.close().expect("again");
}

/// LP19: what the callback inherits is what the code that queued it had.
#[test]
fn lp19_the_context_of_the_caller() {
    task_local! { static NAME: u32; }
    let (lp, log) = (new_loop(), Log::default());
    let (inner, handle) = (log.clone(), lp.handle());
    lp.block_on(NAME.scope(7, async move {
        let note = |log: Log| move || log.add(NAME.with(|name| *name));
        handle.call_soon(note(inner.clone()));
        handle.call_later(Duration::ZERO, note(inner));
    }));
    let stop = lp.handle();
    lp.call_later(Duration::ZERO, move || stop.stop());
    lp.run_forever();
    assert_eq!(log.take(), [7, 7]);
}

/// Callbacks belong to the loop's thread.
#[test]
fn on_another_thread() {
    let lp = new_loop();
    lp.block_on(async {});
    let handle = lp.handle();
    let elsewhere = std::thread::spawn(move || drop(handle.call_soon(|| ())));
    let panic = elsewhere.join().expect_err("it panics");
    let text = panic.downcast_ref::<String>().expect("a text");
    assert!(text.contains("belongs to another thread"), "{text}");
}

/// A callback may spawn, and its task is behind what is ready.
#[test]
fn a_callback_spawns() {
    let (lp, log) = (new_loop(), Log::default());
    let (handle, inner) = (lp.handle(), log.clone());
    lp.call_soon(move || {
        handle.spawn_local(async move { inner.add(2) }).detach();
    });
    lp.call_soon(log.note(1));
    assert_eq!(lp.block_on(lp.spawn(async { 42 })).expect("it returns"), 42);
    tick(&lp);
    assert_eq!(log.take(), [1, 2]);
}
