//! The readiness of a descriptor: the reactor beside those who operate and wait.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Context;

use kumi_core::runtime::{Direction, Done, Event, Readiness};
use loom::future::block_on;
use loom::sync::atomic::AtomicUsize;
use loom::thread;

use crate::support::{Woken, check, check_three};

const READ: Direction = Direction::Read;
const WRITE: Direction = Direction::Write;

/// What the kernel holds for a descriptor: how many bytes there are.
struct Kernel(AtomicUsize);

impl Kernel {
    fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// A byte comes in.
    fn arrive(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    /// Takes all that is there, up to `most`.
    fn read(&self, most: usize) -> io::Result<Done<usize>> {
        let mut taken = 0;
        while taken < most && self.0.load(Ordering::Acquire) > 0 {
            self.0.fetch_sub(1, Ordering::AcqRel);
            taken += 1;
        }
        match taken {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            _ => Ok(Done {
                value: taken,
                drained: taken < most,
            }),
        }
    }
}

async fn read(readiness: &Readiness, kernel: &Kernel, most: usize) -> io::Result<usize> {
    poll_fn(|cx| readiness.poll_io(cx, READ, || kernel.read(most))).await
}

/// Something arrives beside the wait for it.
#[test]
fn an_event_beside_its_waiter() {
    check(|| {
        let shared = Arc::new((Readiness::new(), Kernel::new()));
        let reactor = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            reactor.1.arrive();
            reactor.0.set(Event::default().ready(READ));
        });
        let (readiness, kernel) = &*shared;
        assert_eq!(block_on(read(readiness, kernel, 1)).unwrap(), 1);
        thread.join().unwrap();
    });
}

/// Something arrives beside an operation that would block, or that drains the descriptor: the next one finds it.
#[test]
fn an_event_beside_an_operation() {
    check(|| {
        let shared = Arc::new((Readiness::new(), Kernel::new()));
        let reactor = Arc::clone(&shared);
        let (readiness, kernel) = &*shared;
        kernel.arrive();
        readiness.set(Event::default().ready(READ));
        let thread = thread::spawn(move || {
            reactor.1.arrive();
            reactor.0.set(Event::default().ready(READ));
        });
        let mut got = 0;
        while got < 2 {
            got += block_on(read(readiness, kernel, 8)).unwrap();
        }
        thread.join().unwrap();
    });
}

/// An operation outside of a poll comes to nothing beside an event: what waits afterwards is not left alone.
#[test]
fn an_event_beside_a_try() {
    check(|| {
        let shared = Arc::new((Readiness::new(), Kernel::new()));
        let reactor = Arc::clone(&shared);
        let (readiness, kernel) = &*shared;
        readiness.set(Event::default().ready(READ));
        let thread = thread::spawn(move || {
            reactor.1.arrive();
            reactor.0.set(Event::default().ready(READ));
        });
        while readiness.try_io(READ, || kernel.read(1)).is_err() {
            block_on(readiness.ready(READ)).unwrap();
        }
        thread.join().unwrap();
    });
}

/// Two wait for one event, and one of them gives up: the other is woken.
#[test]
fn an_event_beside_many_waiters() {
    check_three(|| {
        let shared = Arc::new(Readiness::new());
        let (reactor, other) = (Arc::clone(&shared), Arc::clone(&shared));
        let reactor = thread::spawn(move || reactor.set(Event::default().ready(READ)));
        let waiter = thread::spawn(move || block_on(other.ready(READ)).unwrap());
        {
            let mut given_up = pin!(shared.ready(READ));
            let _ = given_up
                .as_mut()
                .poll(&mut Context::from_waker(std::task::Waker::noop()));
        }
        reactor.join().unwrap();
        waiter.join().unwrap();
    });
}

/// One event wakes a reader and a writer, which are two tasks.
#[test]
fn an_event_for_both_directions() {
    check_three(|| {
        let shared = Arc::new(Readiness::new());
        // It is taken for ready to write until a try says otherwise.
        let full = || -> io::Result<Done<()>> { Err(io::ErrorKind::WouldBlock.into()) };
        assert!(shared.try_io(WRITE, full).is_err());
        let (reactor, other) = (Arc::clone(&shared), Arc::clone(&shared));
        let reactor = thread::spawn(move || {
            reactor.set(Event::default().ready(READ).ready(WRITE));
        });
        let anything = || Ok(Done::more(()));
        let writer = thread::spawn(move || {
            block_on(poll_fn(|cx| other.poll_io(cx, WRITE, anything))).unwrap();
        });
        block_on(poll_fn(|cx| shared.poll_io(cx, READ, anything))).unwrap();
        reactor.join().unwrap();
        writer.join().unwrap();
    });
}

/// The last data and the end come as one event: draining the data does not hide the end.
#[test]
fn the_end_beside_a_drained_read() {
    check(|| {
        let shared = Arc::new((Readiness::new(), Kernel::new()));
        let reactor = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            reactor.1.arrive();
            reactor.0.set(Event::default().ended(READ));
        });
        let (readiness, kernel) = &*shared;
        assert_eq!(block_on(read(readiness, kernel, 8)).unwrap(), 1);
        thread.join().unwrap();
        let end = readiness.try_io(READ, || Ok(Done::more(0)));
        assert_eq!(end.unwrap(), 0);
    });
}

/// The runtime is shut down beside somebody who waits.
#[test]
fn the_shutdown_beside_a_waiter() {
    check(|| {
        let shared = Arc::new((Readiness::new(), Kernel::new()));
        let reactor = Arc::clone(&shared);
        let thread = thread::spawn(move || reactor.0.close());
        let (readiness, kernel) = &*shared;
        assert!(block_on(read(readiness, kernel, 1)).is_err());
        assert!(block_on(readiness.ready(WRITE)).is_err());
        thread.join().unwrap();
    });
}

/// A waiter that goes beside an event leaves nothing behind, and takes nothing from others.
#[test]
fn a_waiter_goes_beside_an_event() {
    check(|| {
        let shared = Arc::new(Readiness::new());
        let full = || -> io::Result<Done<()>> { Err(io::ErrorKind::WouldBlock.into()) };
        assert!(shared.try_io(WRITE, full).is_err());
        let reactor = Arc::clone(&shared);
        let thread = thread::spawn(move || reactor.set(Event::default().ready(READ)));
        let (woken, waker) = Woken::new();
        let cx = &mut Context::from_waker(&waker);
        for direction in [WRITE, READ] {
            let mut ready = Box::pin(shared.ready(direction));
            let _ = ready.as_mut().poll(cx);
            drop(ready);
        }
        thread.join().unwrap();
        drop(waker);
        assert_eq!(Arc::strong_count(&woken), 1, "a waker is left");
        assert!(block_on(shared.ready(READ)).is_ok());
    });
}
