//! Descriptors and signals.

use std::cell::Cell;
use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::rc::Rc;
use std::sync::Mutex;
use std::time::Duration;

use kumi_core::runtime::Runtime;
use kumi_loop::Loop;
use signal_hook::consts::{SIGKILL, SIGSEGV, SIGUSR1, SIGUSR2};
use signal_hook::low_level::raise;

use crate::support::{Log, new_loop, tick};

/// Turns until `condition` holds.
fn until(lp: &Loop, condition: impl Fn() -> bool) {
    while !condition() {
        let _ = lp.run_once(Some(Duration::from_millis(10)));
    }
}

fn pair() -> (UnixStream, UnixStream) {
    UnixStream::pair().expect("a pair")
}

/// A reader is called while there is something to read, also if it reads only a part.
#[test]
fn a_reader_is_called_until_all_is_read() {
    let (lp, log) = (new_loop(), Log::default());
    let (mut sender, receiver) = pair();
    let (mut reader, inner) = (receiver.try_clone().expect("a clone"), log.clone());
    lp.add_reader(&receiver, move || {
        let mut byte = [0];
        reader.read_exact(&mut byte).expect("there is one");
        inner.add(byte[0].into());
    })
    .expect("it is watched");
    sender.write_all(&[1, 2, 3]).expect("it is written");
    let seen = Cell::new(0);
    until(&lp, || {
        seen.set(seen.get() + log.take().len());
        seen.get() == 3
    });
    tick(&lp);
    tick(&lp);
    assert!(log.take().is_empty(), "there is nothing to read");
    assert!(lp.remove_reader(&receiver));
    assert!(!lp.remove_reader(&receiver));
}

/// The end of the stream is something to read.
#[test]
fn a_reader_sees_the_end() {
    let lp = new_loop();
    let (sender, receiver) = pair();
    let (mut reader, stop) = (receiver.try_clone().expect("a clone"), lp.handle());
    lp.add_reader(&receiver, move || {
        assert_eq!(reader.read(&mut [0]).expect("it reads"), 0);
        stop.stop();
    })
    .expect("it is watched");
    drop(sender);
    lp.run_forever();
}

/// A writer is called while there is room, and not while there is none.
#[test]
fn a_writer_is_called_while_there_is_room() {
    let lp = new_loop();
    let (sender, mut receiver) = pair();
    sender.set_nonblocking(true).expect("it is");
    let mut writer = sender.try_clone().expect("a clone");
    let (calls, full) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(false)));
    let (count, no_room) = (Rc::clone(&calls), Rc::clone(&full));
    lp.add_writer(&sender, move || {
        count.set(count.get() + 1);
        loop {
            match writer.write(&[0; 4096]) {
                Ok(count) => assert!(count > 0),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::WouldBlock);
                    return no_room.set(true);
                }
            }
        }
    })
    .expect("it is watched");
    until(&lp, || full.get());
    let before = calls.get();
    for _ in 0..5 {
        tick(&lp);
    }
    assert_eq!(calls.get(), before, "there is no room");
    let mut buffer = vec![0; 1 << 20];
    receiver.set_nonblocking(true).expect("it is");
    while receiver.read(&mut buffer).is_ok() {}
    until(&lp, || calls.get() > before);
    assert!(lp.remove_writer(&sender));
}

/// A new callback takes the place of the old one, which is dropped at once; reading and writing are apart.
#[test]
fn a_callback_is_replaced() {
    let (lp, log) = (new_loop(), Log::default());
    let (_sender, receiver) = pair();
    let held = Rc::new(());
    let inside = Rc::clone(&held);
    lp.add_reader(&receiver, move || drop(Rc::clone(&inside)))
        .expect("it is watched");
    let inner = log.clone();
    lp.add_writer(&receiver, move || inner.add(1))
        .expect("it is watched");
    lp.add_reader(&receiver, || ()).expect("it is watched");
    assert_eq!(Rc::strong_count(&held), 1);
    assert!(lp.remove_reader(&receiver));
    until(&lp, || !log.take().is_empty());
    assert!(lp.remove_writer(&receiver));
}

/// A callback may remove itself.
#[test]
fn a_callback_removes_itself() {
    let (lp, log) = (new_loop(), Log::default());
    let (mut sender, receiver) = pair();
    sender.write_all(b"x").expect("it is written");
    let (own, inner, handle) = (
        receiver.try_clone().expect("a clone"),
        log.clone(),
        lp.handle(),
    );
    let number = Rc::new(receiver);
    let watched = Rc::clone(&number);
    lp.add_reader(&*number, move || {
        let _own = &own;
        inner.add(1);
        assert!(handle.remove_reader(&*watched));
        assert!(!handle.remove_reader(&*watched));
    })
    .expect("it is watched");
    until(&lp, || !log.take().is_empty());
    tick(&lp);
    tick(&lp);
    assert!(log.take().is_empty());
    assert_eq!(Rc::strong_count(&number), 1, "the callback is dropped");
}

/// What cannot be watched is an error at once.
#[test]
fn a_file_cannot_be_watched() {
    let lp = new_loop();
    let file = File::open("Cargo.toml").expect("it is there");
    assert!(lp.add_reader(&file, || ()).is_err());
    assert!(!lp.remove_reader(&file));
}

/// The end of the loop drops callbacks.
#[test]
fn the_end_drops_callbacks() {
    let lp = new_loop();
    let (_sender, receiver) = pair();
    let held = Rc::new(());
    let (reads, handles) = (Rc::clone(&held), Rc::clone(&held));
    lp.add_reader(&receiver, move || drop(Rc::clone(&reads)))
        .expect("it is watched");
    let _signals = signals();
    lp.add_signal_handler(SIGUSR2, move || drop(Rc::clone(&handles)))
        .expect("it is handled");
    tick(&lp);
    lp.close().expect("nobody runs it");
    assert_eq!(Rc::strong_count(&held), 1);
}

/// Signals are the process's: one test at a time.
fn signals() -> std::sync::MutexGuard<'static, ()> {
    static SIGNALS: Mutex<()> = Mutex::new(());
    SIGNALS
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A handler is called by the loop, once for each signal, and may use the loop.
#[test]
fn a_signal_is_handled() {
    let _signals = signals();
    let lp = new_loop();
    let calls = Rc::new(Cell::new(0));
    let (count, stop) = (Rc::clone(&calls), lp.handle());
    lp.add_signal_handler(SIGUSR1, move || {
        count.set(count.get() + 1);
        if count.get() == 2 {
            stop.stop();
        }
    })
    .expect("it is handled");
    raise(SIGUSR1).expect("it is raised");
    raise(SIGUSR1).expect("it is raised");
    assert_eq!(calls.get(), 0, "only while the loop runs");
    lp.run_forever();
    assert_eq!(calls.get(), 2);
    assert!(lp.remove_signal_handler(SIGUSR1));
    assert!(!lp.remove_signal_handler(SIGUSR1));
}

/// Two loops have handlers for one signal, and each is called.
#[test]
fn a_signal_of_two_loops() {
    let _signals = signals();
    let (one, two) = (new_loop(), new_loop());
    for lp in [&one, &two] {
        let stop = lp.handle();
        lp.add_signal_handler(SIGUSR1, move || stop.stop())
            .expect("it is handled");
    }
    raise(SIGUSR1).expect("it is raised");
    one.run_forever();
    two.run_forever();
    assert!(one.remove_signal_handler(SIGUSR1));
    raise(SIGUSR1).expect("the other one still handles it");
    two.run_forever();
    assert!(two.remove_signal_handler(SIGUSR1));
}

/// LP23: what cannot be handled is an error.
#[test]
fn lp23_signals_that_cannot_be_handled() {
    let lp = new_loop();
    for signal in [SIGKILL, SIGSEGV, -1, 4096] {
        assert!(lp.add_signal_handler(signal, || ()).is_err(), "{signal}");
    }
    lp.block_on(async {});
}

/// After the last removal the signal does what it does by default: it ends the process.
#[test]
fn the_default_is_restored() {
    const CHILD: &str = "KUMI_TEST_DEFAULT_SIGNAL";
    if std::env::var_os(CHILD).is_some() {
        let lp = new_loop();
        lp.add_signal_handler(SIGUSR1, || ())
            .expect("it is handled");
        raise(SIGUSR1).expect("it is raised");
        assert!(lp.remove_signal_handler(SIGUSR1));
        std::io::stdout()
            .write_all(b"handled\n")
            .expect("it is written");
        raise(SIGUSR1).expect("it is raised");
        unreachable!("the process has ended");
    }
    let output = std::process::Command::new(std::env::current_exe().expect("it is known"))
        .args(["--exact", "watch::the_default_is_restored", "--nocapture"])
        .env(CHILD, "1")
        .output()
        .expect("it starts");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("handled"), "{text}");
    let signal = std::os::unix::process::ExitStatusExt::signal(&output.status);
    assert_eq!(signal, Some(SIGUSR1));
}
