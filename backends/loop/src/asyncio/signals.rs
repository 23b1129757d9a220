//! Callbacks for signals.
//!
//! The handler of the system writes a byte into a socket, from which the loop reads; so callbacks run as all
//! others do. What a signal does without a callback is restored when the last one for it is removed.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::future::poll_fn;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::rc::{Rc, Weak};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use kumi_core::runtime::{Direction, Done, Io, Registered};
use kumi_core::task::SpawnLocalExt;
use signal_hook::consts::FORBIDDEN;
use signal_hook::{SigId, flag, low_level};

use super::readers::{Slot, Watched};
use crate::handle::Loop;

/// What is known of a signal that has or had callbacks.
struct Signal {
    callbacks: usize,
    /// The signal is to do what it does without a handler.
    default: Arc<AtomicBool>,
}

static SIGNALS: Mutex<BTreeMap<i32, Signal>> = Mutex::new(BTreeMap::new());

/// A signal that is written into a socket, until this is dropped.
struct Registration {
    signal: i32,
    id: SigId,
}

impl Registration {
    fn new(signal: i32, socket: UnixStream) -> io::Result<Self> {
        let mut signals = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
        let known = match signals.entry(signal) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let default = Arc::new(AtomicBool::new(false));
                flag::register_conditional_default(signal, Arc::clone(&default))?;
                let callbacks = 0;
                place.insert(Signal { callbacks, default })
            }
        };
        let id = low_level::pipe::register(signal, socket)?;
        known.callbacks += 1;
        known.default.store(false, Ordering::SeqCst);
        Ok(Self { signal, id })
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        low_level::unregister(self.id);
        let mut signals = SIGNALS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = signals.get_mut(&self.signal) {
            known.callbacks -= 1;
            known.default.store(known.callbacks == 0, Ordering::SeqCst);
        }
    }
}

/// A callback, and the way by which the thread finds its registration.
struct Handled {
    watched: Watched,
    registration: Weak<RefCell<Option<Registration>>>,
}

impl Handled {
    fn remove(self) -> bool {
        if let Some(registration) = self.registration.upgrade() {
            let registration = registration.take();
            drop(registration);
        }
        self.watched.remove()
    }
}

thread_local! {
    /// By the number of the loop, and the signal.
    static HANDLED: RefCell<BTreeMap<(u64, i32), Handled>> = const { RefCell::new(BTreeMap::new()) };
}

impl Loop {
    /// Calls `callback` each time the process gets `signal`, until it is
    /// [removed](Loop::remove_signal_handler). A callback that this loop has for it is replaced.
    ///
    /// It is called by the loop, while it is driven, and may do what any callback may. Each loop of the
    /// process may have one for the same signal. A panic of it is reported, and it is called no more.
    /// Signals that come faster than the loop can keep up with may be counted as one.
    ///
    /// `SIGINT` also cancels the main of a [`Runner`](kumi_core::run::Runner) that heeds Ctrl-C.
    ///
    /// # Errors
    ///
    /// If the signal cannot be handled (`SIGKILL`, `SIGSTOP`, and those of faults such as `SIGSEGV`), or the
    /// system gives no descriptors.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    #[track_caller]
    pub fn add_signal_handler(
        &self,
        signal: i32,
        callback: impl FnMut() + 'static,
    ) -> io::Result<()> {
        self.0.own("add_signal_handler");
        if FORBIDDEN.contains(&signal) {
            let text = format!("signal {signal} cannot be handled");
            return Err(io::Error::new(io::ErrorKind::InvalidInput, text));
        }
        let (read, write) = UnixStream::pair()?;
        read.set_nonblocking(true)?;
        let io = self.register(read)?;
        let registration = Rc::new(RefCell::new(Some(Registration::new(signal, write)?)));
        let slot = Slot::new(callback);
        let found = Rc::downgrade(&registration);
        let calls = Rc::clone(&slot);
        let task = self.spawn_local(async move {
            let _registration = registration;
            loop {
                let mut bytes = [0; 64];
                let read = poll_fn(|cx| {
                    io.poll_io(cx, Direction::Read, |mut socket| {
                        socket.read(&mut bytes).map(Done::more)
                    })
                });
                // The only error is that the loop has been shut down; the end, that it was removed.
                let count = read.await.unwrap_or(0);
                if count == 0 || !(0..count).all(|_| calls.call()) {
                    return;
                }
            }
        });
        let handled = Handled {
            watched: Watched::new(&slot, task.task()),
            registration: found,
        };
        task.detach();
        self.remove_signal_handler(signal);
        HANDLED.with_borrow_mut(|all| {
            all.retain(|_, handled| !handled.watched.is_gone());
            all.insert((self.0.id, signal), handled);
        });
        Ok(())
    }

    /// Removes the callback that this loop has for `signal`, and drops it at once; false if there is none.
    ///
    /// If no loop has one any more, the signal does what it does by default: `SIGINT` ends the process.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    #[track_caller]
    pub fn remove_signal_handler(&self, signal: i32) -> bool {
        self.0.own("remove_signal_handler");
        let handled = HANDLED.with_borrow_mut(|all| all.remove(&(self.0.id, signal)));
        handled.is_some_and(Handled::remove)
    }
}
