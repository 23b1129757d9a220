//! The loop inside of foreign loops.

use std::io::Write;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::runtime::{Clock, Direction, Io, Owned, Registered, Runtime};
use kumi_core::task::{SpawnBlockingExt, SpawnExt};
use kumi_loop::{Guest, Loop, TurnEnd};

const MS: Duration = Duration::from_millis(1);
const ZERO: Option<Duration> = Some(Duration::ZERO);

fn new() -> Owned<Loop> {
    Loop::new().expect("the loop starts")
}

const IDLE: TurnEnd = TurnEnd {
    ready: false,
    next: None,
};

#[test]
fn a_turn_runs_what_is_ready_and_comes_back() {
    let lp = new();
    assert_eq!(lp.run_once(ZERO), IDLE);
    let task = lp.spawn(async {
        yield_now().await;
        42
    });
    while lp.run_once(ZERO).ready {}
    assert!(task.is_finished());
    assert_eq!(lp.run_once(ZERO), IDLE);
}

#[test]
fn a_busy_task_does_not_keep_the_thread() {
    let lp = new();
    let busy = lp.spawn(async {
        loop {
            yield_now().await;
        }
    });
    for _ in 0..10 {
        assert!(lp.run_once(None).ready);
    }
    drop(busy);
    while lp.run_once(ZERO).ready {}
}

#[test]
fn a_turn_says_when_the_next_timer_is_due() {
    let lp = new();
    let at = lp.now() + 5 * MS;
    let clock = lp.handle();
    let task = lp.spawn(async move { clock.sleep_until(at).await });
    let mut end = lp.run_once(ZERO);
    while end.ready {
        end = lp.run_once(ZERO);
    }
    assert!(end.next.is_some_and(|next| next <= at));
    while !task.is_finished() {
        // Waits by itself if it is let.
        let _ = lp.run_once(None);
    }
    assert!(lp.now() >= at);
}

#[test]
fn a_turn_waits_no_longer_than_it_is_told() {
    let lp = new();
    let clock = lp.handle();
    let task = lp.spawn(async move { clock.sleep(Duration::from_secs(3600)).await });
    while lp.run_once(ZERO).ready {}
    assert!(!lp.run_once(Some(MS)).ready);
    assert!(!task.is_finished());
}

/// What a host waits for, with the number of calls that it got.
fn host(lp: &Loop) -> (Arc<AtomicUsize>, Sender<()>, Receiver<()>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let (sender, receiver) = mpsc::channel();
    let (count, call) = (Arc::clone(&calls), sender.clone());
    lp.set_wake_callback(move || {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = call.send(());
    });
    (calls, sender, receiver)
}

#[test]
fn the_callback_is_called_once_for_a_burst() {
    let lp = new();
    let (calls, _, receiver) = host(&lp);
    let none = lp.spawn(async {});
    assert_eq!(
        calls.load(Ordering::SeqCst),
        0,
        "before the first turn nobody waits"
    );
    while lp.run_once(ZERO).ready {}
    assert!(none.is_finished());

    let handle = lp.handle();
    let tasks = thread::spawn(move || (0..100).map(|n| handle.spawn(async move { n })).collect());
    let tasks: Vec<_> = tasks.join().expect("no panic");
    receiver.recv().expect("the host is called");
    while lp.run_once(ZERO).ready {}
    assert!(tasks.iter().all(|task| task.is_finished()));
    assert_eq!(calls.load(Ordering::SeqCst), 1);

    // By the host's own thread, too.
    let task = lp.spawn(async {});
    assert_eq!(calls.load(Ordering::SeqCst), 2);
    while lp.run_once(ZERO).ready {}
    assert!(task.is_finished());
    // Driven in the ordinary way, nobody is called.
    lp.block_on(async { lp.spawn(async {}).await })
        .expect("it returns");
    thread::scope(|s| {
        s.spawn(|| lp.spawn(async {}).detach());
    });
    assert_eq!(calls.load(Ordering::SeqCst), 2);
}

#[test]
fn no_call_is_lost_between_the_end_of_a_turn_and_the_hosts_wait() {
    let lp = new();
    let (_, sender, receiver) = host(&lp);
    let handle = lp.handle();
    let end = Arc::new(AtomicBool::new(false));
    let ended = Arc::clone(&end);
    let spawner = thread::spawn(move || {
        for number in 0..2000 {
            let task = handle.spawn(async move { number });
            while !task.is_finished() {
                thread::yield_now();
            }
        }
        ended.store(true, Ordering::SeqCst);
        sender.send(()).expect("the host listens");
    });
    loop {
        while lp.run_once(ZERO).ready {}
        if end.load(Ordering::SeqCst) {
            break;
        }
        // Nothing but the callback ends this wait, and at the end the spawner.
        receiver.recv().expect("the callback has a sender");
    }
    spawner.join().expect("no panic");
}

#[test]
fn the_descriptor_is_readable_when_the_kernel_has_something() {
    let lp = new();
    let (one, mut other) = UnixStream::pair().expect("a pair");
    one.set_nonblocking(true).expect("non-blocking");
    let io = lp.register(one).expect("it registers");
    let task = lp.spawn(async move { io.ready(Direction::Read).await });
    while lp.run_once(ZERO).ready {}

    let mut poll = mio::Poll::new().expect("a poll");
    let fd = lp.as_raw_fd();
    let registry = poll.registry();
    registry
        .register(
            &mut mio::unix::SourceFd(&fd),
            mio::Token(7),
            mio::Interest::READABLE,
        )
        .expect("it registers");
    let mut events = mio::Events::with_capacity(1);
    poll.poll(&mut events, ZERO).expect("it polls");
    assert!(events.is_empty());
    other.write_all(b"x").expect("it is written");
    poll.poll(&mut events, None).expect("it polls");
    assert!(!events.is_empty());
    while lp.run_once(ZERO).ready {}
    assert!(task.is_finished());
}

/// What a GUI would get.
enum Message {
    Turn,
    Click(u32),
    Done(&'static str, u32),
}

/// A host whose loop knows only messages, with tasks, timers, sockets, blocking work and its own
/// clicks.
#[test]
fn a_guest_of_a_loop_of_messages() {
    let lp = new();
    let (sender, messages) = mpsc::channel();
    let tell = |sender: &Sender<Message>, what, value| {
        sender
            .send(Message::Done(what, value))
            .expect("the host listens");
    };
    let done = sender.clone();
    let clock = lp.handle();
    lp.spawn(async move {
        clock.sleep(3 * MS).await;
        tell(&done, "timer", 1);
    })
    .detach();

    let (one, mut other) = UnixStream::pair().expect("a pair");
    one.set_nonblocking(true).expect("non-blocking");
    let io = lp.register(one).expect("it registers");
    let done = sender.clone();
    lp.spawn(async move {
        io.ready(Direction::Read).await.expect("it is ready");
        tell(&done, "socket", 2);
    })
    .detach();

    let (handle, done) = (lp.handle(), sender.clone());
    lp.spawn(async move {
        let value = handle.spawn_blocking(|| 3).await.expect("it returns");
        tell(&done, "thread", value);
        thread::spawn(move || other.write_all(b"x").expect("it is written"));
    })
    .detach();

    let turns = Arc::new(AtomicUsize::new(0));
    let (call, count) = (sender.clone(), Arc::clone(&turns));
    let mut guest = Guest::new(lp.handle(), move || {
        count.fetch_add(1, Ordering::SeqCst);
        let _ = call.send(Message::Turn);
    })
    .expect("a thread");
    sender.send(Message::Click(4)).expect("the host listens");
    let mut seen = Vec::new();
    for message in messages {
        match message {
            Message::Turn => guest.turn(),
            Message::Click(value) => {
                let done = sender.clone();
                // From the host's own thread, between two turns.
                guest
                    .get_ref()
                    .spawn(async move { tell(&done, "click", value) })
                    .detach();
            }
            Message::Done(what, value) => {
                seen.push((what, value));
                if seen.len() == 4 {
                    break;
                }
            }
        }
    }
    seen.sort_unstable();
    assert_eq!(
        seen,
        [("click", 4), ("socket", 2), ("thread", 3), ("timer", 1)]
    );
    // A host that is called for nothing would burn its processor.
    let turns = turns.load(Ordering::SeqCst);
    assert!(turns < 40, "{turns} turns");
    drop(guest);
    assert_eq!(lp.block_on(async { 5 }), 5, "the loop is as it was");
}

#[test]
fn a_guest_that_has_nothing_to_do_is_not_called() {
    let lp = new();
    let (sender, receiver) = mpsc::channel();
    let mut guest = Guest::new(lp.handle(), move || {
        let _ = sender.send(());
    })
    .expect("a thread");
    receiver.recv().expect("the first call");
    guest.turn();
    guest.turn();
    let task = lp.spawn(async {});
    receiver.recv().expect("a call for the task");
    while !task.is_finished() {
        guest.turn();
    }
    // Those turns may have made one more call due, but not one after the other.
    for _ in 0..3 {
        if receiver.recv_timeout(5 * MS).is_err() {
            return;
        }
        guest.turn();
    }
    panic!("it is called again and again");
}
