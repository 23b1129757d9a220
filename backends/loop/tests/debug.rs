//! Debug mode on the own loop: it says that it has nothing left to wait for.
//!
//! The limit is zero, so that the loop looks as soon as it is idle.

use std::future::{Future, pending, poll_fn};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};
use std::thread;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::debug::{self, WaitsFor, note_wait};
use kumi_core::report::{self, Report};
use kumi_core::runtime::{Clock, Direction, Done, Io, Registered, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt, TaskBuilder};
use kumi_loop::Loop;

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Debug mode, for one test at a time.
struct Debug {
    seen: Arc<Mutex<Vec<String>>>,
    main: Arc<Mutex<Option<Waker>>>,
    _alone: MutexGuard<'static, ()>,
}

impl Debug {
    fn on() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = lock(&ALONE);
        debug::set_debug(true);
        debug::set_slow_callback_duration(Duration::MAX);
        debug::set_blocked_after(Duration::ZERO);
        let (seen, main) = (Arc::default(), Arc::default());
        let debug = Self {
            seen: Arc::clone(&seen),
            main: Arc::clone(&main),
            _alone: alone,
        };
        report::set_hook(move |report| {
            if let Report::Deadlock { .. } = report {
                lock(&seen).push(report.to_string());
                let waker = lock(&main).take();
                waker.into_iter().for_each(Waker::wake);
            }
        });
        debug
    }

    /// Waits until so many deadlocks were reported; each report wakes it.
    fn reported(&self, count: usize) -> impl Future<Output = ()> {
        poll_fn(move |cx| {
            if lock(&self.seen).len() >= count {
                return Poll::Ready(());
            }
            *lock(&self.main) = Some(cx.waker().clone());
            Poll::Pending
        })
    }

    fn texts(&self) -> Vec<String> {
        lock(&self.seen).clone()
    }
}

impl Drop for Debug {
    fn drop(&mut self) {
        report::reset_hook();
        debug::set_debug(false);
    }
}

/// Gives other threads many turns.
fn dawdle() {
    for _ in 0..50 {
        thread::yield_now();
    }
}

#[test]
fn a_loop_that_has_nothing_to_wait_for_says_who_waits() {
    let debug = Debug::on();
    let lp = Loop::new().expect("the loop starts");
    let rt = lp.handle();
    let first = TaskBuilder::new().name("first").spawn_on(&*lp, async move {
        let second = TaskBuilder::new()
            .name("second")
            .spawn_on(&rt, pending::<()>());
        second.await.expect_err("it never ends");
    });
    let info = first.task();
    lp.block_on(async {
        note_wait(|| WaitsFor::Other("the end"));
        debug.reported(1).await;
    });
    let texts = debug.texts();
    assert_eq!(texts.len(), 1, "{texts:?}");
    let lines: Vec<_> = texts[0].lines().collect();
    assert_eq!(
        lines[0],
        "nothing can run, no timer is set, and no descriptor and no blocking closure is waited \
         for; unless another thread wakes one of these, they wait for ever:"
    );
    assert_eq!(lines[1], "  main: waiting for the end");
    let (begin, end) = lines[2].split_once(": waiting for task ").expect(lines[2]);
    assert_eq!(begin, format!("  {}", info.info()));
    assert!(end.ends_with(" `second`"), "{}", lines[2]);
    let second = format!("    task {end}, spawned at {}:", file!());
    assert!(
        lines[3].starts_with(&second) && lines[3].ends_with(": waiting"),
        "{}",
        lines[3]
    );
    assert_eq!(lines.len(), 4);
    drop(first);
}

#[test]
fn it_says_so_once_until_something_happens() {
    let debug = Debug::on();
    let lp = Loop::new().expect("the loop starts");
    let task = lp.spawn(pending::<()>());
    let reference = task.task();
    // Main is woken by the first report, and goes on waiting; then it is quiet for good, until a thread
    // that knows of neither wakes the task, which is the second time.
    lp.block_on(async {
        debug.reported(1).await;
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let woken = Arc::new(AtomicBool::new(false));
        let (told, seen) = (Arc::clone(&woken), Arc::clone(&debug.seen));
        let other = thread::spawn(move || {
            // The second report comes because main has run; no third does.
            while lock(&seen).len() < 2 {
                thread::yield_now();
            }
            dawdle();
            let quiet = lock(&seen).len();
            told.store(true, Ordering::Release);
            waker.wake();
            quiet
        });
        poll_fn(|_| match woken.load(Ordering::Acquire) {
            true => Poll::Ready(()),
            false => Poll::Pending,
        })
        .await;
        assert_eq!(other.join().expect("no panic"), 2);
        reference.wake();
        yield_now().await;
        debug.reported(3).await;
    });
    assert_eq!(debug.texts().len(), 3);
    drop(task);
}

#[test]
fn a_timer_is_something_to_wait_for() {
    let debug = Debug::on();
    let lp = Loop::new().expect("the loop starts");
    lp.block_on(lp.sleep(Duration::from_millis(1)));
    // One that another thread has armed.
    let sleep = lp.sleep(Duration::from_millis(1));
    lp.block_on(async {
        let mut sleep = Box::pin(sleep);
        let waker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let armed = thread::spawn(move || {
            let mut cx = std::task::Context::from_waker(&waker);
            let _ = sleep.as_mut().poll(&mut cx);
            sleep
        });
        armed.join().expect("no panic").await;
    });
    assert_eq!(debug.texts(), [""; 0]);
}

#[test]
fn a_blocking_closure_is_something_to_wait_for() {
    let debug = Debug::on();
    let lp = Loop::new().expect("the loop starts");
    lp.block_on(lp.spawn_blocking(dawdle)).expect("it ends");
    assert_eq!(debug.texts(), [""; 0]);
}

#[test]
fn a_descriptor_is_something_to_wait_for_while_somebody_does() {
    let debug = Debug::on();
    let lp = Loop::new().expect("the loop starts");
    let (ours, mut theirs) = UnixStream::pair().expect("two sockets");
    ours.set_nonblocking(true).expect("a socket");
    let ours = lp.register(ours).expect("it is a socket");
    let writer = thread::spawn(move || {
        dawdle();
        theirs.write_all(b"x").expect("it is open");
        theirs
    });
    lp.block_on(poll_fn(|cx| {
        ours.poll_io(cx, Direction::Read, |mut socket| {
            socket.read(&mut [0; 8]).map(Done::drained)
        })
    }))
    .expect("a byte");
    let theirs = writer.join().expect("no panic");
    lp.block_on(async {
        // `ready` has any number of waiters.
        let writer = thread::spawn(move || {
            dawdle();
            drop(theirs);
        });
        ours.ready(Direction::Read).await.expect("the end");
        writer.join().expect("no panic");
    });
    assert_eq!(debug.texts(), [""; 0]);
    // It is still registered, and nobody waits.
    lp.block_on(debug.reported(1));
}

#[test]
fn with_debug_mode_off_it_waits_without_a_word() {
    let debug = Debug::on();
    debug::set_debug(false);
    let lp = Loop::new().expect("the loop starts");
    let mut begun = false;
    lp.block_on(poll_fn(|cx| {
        if std::mem::replace(&mut begun, true) {
            return Poll::Ready(());
        }
        let waker = cx.waker().clone();
        thread::spawn(move || {
            dawdle();
            waker.wake();
        });
        Poll::Pending
    }));
    assert_eq!(debug.texts(), [""; 0]);
}
