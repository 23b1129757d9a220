//! A loop inside a foreign loop: a GUI's, a game's, another runtime's.
//!
//! The thread belongs to the host. The loop, its guest, gets it for one turn at a time
//! ([`Loop::run_once`]), and says at the end of each when it needs the next:
//!
//! ```text
//!        host's loop                                      guest
//!   ┌──────────────────┐   run_once(Some(ZERO))   ┌────────────────────────┐
//!   │ its own events   │ ───────────────────────▶ │ one turn, 50 µs or so  │
//!   │                  │ ◀─────────────────────── │                        │
//!   │ waits until      │   TurnEnd: ready, or     └────────────────────────┘
//!   │  - its own event │   not before `next`
//!   │  - `next`        │
//!   │  - the callback  │ ◀── task spawned or woken by another thread, earlier timer armed
//!   │  - the descriptor│ ◀── socket readable, ...: what only the kernel knows
//!   └──────────────────┘
//! ```
//!
//! A host that can wait for a descriptor and for a time needs nothing more
//! ([`as_raw_fd`](std::os::fd::AsRawFd::as_raw_fd) of the loop, and `next`). For all others there is
//! [`Guest`]: it has a thread that does the waiting, and calls one function of the host's when a turn
//! is due. That is how Trio's guest mode works.
//!
//! # Which of the two
//!
//! | the host waits for | use |
//! |---|---|
//! | descriptors and a time (`poll`, `epoll`, GLib, Qt with a socket notifier) | [`Loop::run_once`], [`TurnEnd::next`] and the descriptor; no thread, no callback |
//! | events of its own queue only (a window, a channel, a condition variable) | [`Guest`] |
//! | nothing: it does something sixty times a second anyway (a game) | [`Loop::run_once`] with a timeout of zero once a frame, until it says that nothing is ready; what comes meanwhile waits for the next frame |
//!
//! [`Loop::set_wake_callback`] alone is enough for a host without sockets: it is called for what tasks and
//! other threads leave, and never for what only the kernel knows. Such a host sleeps in a wait of its own that
//! has a time limit:
//!
//! ```
//! use std::sync::mpsc;
//! use std::time::{Duration, Instant};
//! use kumi_core::runtime::Clock;
//! use kumi_core::task::{SpawnBlockingExt, SpawnExt};
//! use kumi_loop::Loop;
//!
//! let (wake, events) = mpsc::channel();
//! let lp = Loop::new()?;
//! lp.set_wake_callback(move || {
//!     let _ = wake.send("wake");
//! });
//! let rt = lp.handle();
//! let task = lp.spawn(async move {
//!     rt.sleep(Duration::from_millis(1)).await;
//!     rt.spawn_blocking(|| 42).await
//! });
//! loop {
//!     let end = lp.run_once(Some(Duration::ZERO));
//!     // Before the wait: nothing will end it when there is nothing left to do.
//!     if task.is_finished() {
//!         break;
//!     }
//!     let wait = match (end.ready, end.next) {
//!         (true, _) => Duration::ZERO,
//!         (false, Some(next)) => next.saturating_duration_since(Instant::now()),
//!         (false, None) => Duration::MAX,
//!     };
//!     if let Ok(event) = events.recv_timeout(wait) {
//!         // Here the host handles its own events; this one only ends the wait.
//!         assert_eq!(event, "wake");
//!     }
//! }
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # A window
//!
//! `examples/src/bin/window.rs` of the repository (`cargo run -p kumi-examples --bin window`) is such a host,
//! with a queue of clicks and redraws. What it shows holds for any GUI library:
//!
//! - The callback puts an event into the host's queue (`PostMessage`, `EventLoopProxy::send_event`,
//!   `g_idle_add`, `postEvent`) and does nothing else; the host's handler of that event calls
//!   [`turn`](Guest::turn). One call is answered by one turn.
//! - Tasks do not touch the screen: they put events into the same queue. Local tasks
//!   ([`SpawnLocal`](kumi_core::runtime::SpawnLocal)) run on the host's thread, inside of `turn`, and may.
//! - A handler hands work over without waiting: by a spawn, or by the `try_send` of a channel that a task
//!   receives from. Blocking operations panic inside of a turn, and freeze the window outside of one.
//! - All tasks are in one scope. Closing the window cancels it, and does *not* end the host's loop:
//!   the tasks clean up, which takes turns and may be drawn. The host ends when the last task tells it to.
//!
//! # What ends what
//!
//! The host drops the [`Guest`], which ends its thread and leaves the loop as it is. The loop may be
//! driven with `block_on` before and afterwards, for instance to let clean-ups end if the host has to go
//! first. Tasks that are left when the loop itself is dropped are dropped with it.

use std::fmt;
use std::io;
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};

use crate::handle::Loop;
use crate::turn::TurnEnd;

/// The loop's descriptor, in the eyes of the thread that waits for it.
const LOOP: Token = Token(0);
/// The guest wants something of the thread.
const CALL: Token = Token(1);

/// A loop that lives inside a foreign one, and lets it know when a turn is due.
///
/// # Examples
///
/// A host whose loop knows nothing but messages:
///
/// ```
/// use std::sync::mpsc;
/// use std::time::Duration;
/// use kumi_core::runtime::Clock;
/// use kumi_core::task::SpawnExt;
/// use kumi_loop::{Guest, Loop};
///
/// enum Message {
///     Turn,
///     Done(u32),
/// }
///
/// let (sender, messages) = mpsc::channel();
/// let lp = Loop::new()?;
/// let (clock, done) = (lp.handle(), sender.clone());
/// lp.spawn(async move {
///     clock.sleep(Duration::from_millis(1)).await;
///     done.send(Message::Done(42)).expect("the host listens");
/// })
/// .detach();
///
/// let mut guest = Guest::new(lp.handle(), move || {
///     let _ = sender.send(Message::Turn);
/// })?;
/// for message in messages {
///     match message {
///         Message::Turn => guest.turn(),
///         Message::Done(value) => {
///             assert_eq!(value, 42);
///             break;
///         }
///     }
/// }
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use = "dropping it ends the turns"]
pub struct Guest {
    lp: Loop,
    call: Arc<dyn Fn() + Send + Sync>,
    orders: Option<Sender<Option<Instant>>>,
    wake: mio::Waker,
    thread: Option<JoinHandle<()>>,
}

impl Guest {
    /// Makes `lp` the guest of the loop of this thread; `call` is called when a turn is due, on any
    /// thread, and has to make the host call [`turn`](Guest::turn) soon. The first time is at once.
    ///
    /// # Errors
    ///
    /// If the system gives no descriptors or no thread for it.
    pub fn new(lp: Loop, call: impl Fn() + Send + Sync + 'static) -> io::Result<Self> {
        let call: Arc<dyn Fn() + Send + Sync> = Arc::new(call);
        let poll = Poll::new()?;
        let wake = mio::Waker::new(poll.registry(), CALL)?;
        let fd = lp.as_raw_fd();
        let interest = Interest::READABLE;
        poll.registry()
            .register(&mut SourceFd(&fd), LOOP, interest)?;
        let (orders, receiver) = mpsc::channel();
        let watch = Watch {
            poll,
            // It keeps the descriptor open.
            lp: lp.clone(),
            call: Arc::clone(&call),
            orders: receiver,
        };
        let thread = thread::Builder::new()
            .name("kumi-guest".into())
            .spawn(move || watch.run())?;
        call();
        Ok(Self {
            lp,
            call,
            orders: Some(orders),
            wake,
            thread: Some(thread),
        })
    }

    /// Runs one turn, and then sees to it that `call` is called when the next one is due.
    ///
    /// It may also be called when none is due.
    ///
    /// # Panics
    ///
    /// As [`Loop::run_once`].
    #[track_caller]
    pub fn turn(&mut self) {
        let end = self.lp.run_once(Some(Duration::ZERO));
        self.arrange(end);
    }

    fn arrange(&self, end: TurnEnd) {
        if end.ready {
            return (self.call)();
        }
        let orders = self.orders.as_ref().expect("it is taken at the end");
        // Both fail only if the thread is gone; then a call too many is better than none.
        let sent = orders.send(end.next).is_ok() && self.wake.wake().is_ok();
        if !sent {
            (self.call)();
        }
    }

    /// Returns the loop.
    #[must_use]
    pub fn get_ref(&self) -> &Loop {
        &self.lp
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        drop(self.orders.take());
        let woken = self.wake.wake();
        if let (Ok(()), Some(thread)) = (woken, self.thread.take()) {
            // It panics only if `call` did; that has been printed.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Guest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guest")
            .field("lp", &self.lp)
            .finish_non_exhaustive()
    }
}

/// The thread that waits in the host's place.
struct Watch {
    poll: Poll,
    lp: Loop,
    call: Arc<dyn Fn() + Send + Sync>,
    /// Each says that a turn has ended, and when the next is due.
    orders: Receiver<Option<Instant>>,
}

impl Watch {
    /// After each turn, calls the host once.
    fn run(mut self) {
        let mut events = Events::with_capacity(2);
        while let Ok(mut next) = self.orders.recv() {
            // A turn that was not due may have followed.
            if let Some(newer) = self.orders.try_iter().last() {
                next = newer;
            }
            match self.wait(&mut events, next) {
                Some(()) => (self.call)(),
                None => return,
            }
        }
    }

    /// Waits until a turn is due; none if the guest is gone.
    fn wait(&mut self, events: &mut Events, mut next: Option<Instant>) -> Option<()> {
        let fd = self.lp.as_raw_fd();
        loop {
            // Anew, so that the kernel says so also if there have been events since before the turn.
            let registry = self.poll.registry();
            let again = registry.reregister(&mut SourceFd(&fd), LOOP, Interest::READABLE);
            if again.is_err() {
                // Let the host find out what is wrong with the loop.
                return Some(());
            }
            let timeout = next.map(|next| next.saturating_duration_since(Instant::now()));
            match self.poll.poll(events, timeout) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => return Some(()),
            }
            if events.iter().any(|event| event.token() == LOOP) {
                return Some(());
            }
            loop {
                match self.orders.try_recv() {
                    // A turn that was not due: what it says is newer.
                    Ok(newer) => next = newer,
                    Err(mpsc::TryRecvError::Empty) => break,
                    Err(mpsc::TryRecvError::Disconnected) => return None,
                }
            }
            if next.is_some_and(|next| next <= Instant::now()) {
                return Some(());
            }
        }
    }
}
