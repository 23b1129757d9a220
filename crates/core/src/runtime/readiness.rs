//! What is known of one descriptor: a cell for backends whose reactor is edge-triggered.
//!
//! # PROTOCOL
//!
//! One word has a bit for each direction that may be ready, and a count of events. The reactor adds to
//! it ([`Readiness::set`]); operations take away ([`Readiness::poll_io`], [`Readiness::try_io`]).
//!
//! An operation runs only while its bit is set, so one with nothing to do costs no system call. It reads
//! the word *before* it calls the system. If the system then says "would block", or the operation that
//! the descriptor is drained, the bit is cleared only if the count is still the same: an event that
//! came in meanwhile may be about something that the system did not see yet, and an edge comes once.
//!
//! The end of a stream comes once as well, as one edge together with the last of the data. So it has a bit
//! of its own, which is never cleared, and a drained operation then leaves the direction ready.
//! (The read after it finds the end.)
//!
//! Who waits leaves a waker under the lock and then looks at the word again. The reactor changes the
//! word and then takes the wakers out under the same lock. Whoever comes second to the lock sees what
//! the other has done: the reactor the waker, or the waiter the word.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::task::{Context, Poll, Waker};

use slab::Slab;

use super::{Direction, Done};
use crate::loom::{AtomicUsize, Mutex, Ordering, assert_unlocked, change, fault};
use crate::util::{drop_foreign, wake_all};

/// Something to read, or the end of the stream.
const READ: usize = 1;
/// Room to write.
const WRITE: usize = 2;
/// The runtime was shut down.
const CLOSED: usize = 4;
/// The end of the direction has been announced; `READ` and `WRITE`, shifted.
const END: u32 = 3;
/// One event. Of 32 bits 27 are left for the count, which would have to come round while one operation
/// runs.
const EVENT: usize = 32;

fn bit(direction: Direction) -> usize {
    match direction {
        Direction::Read => READ,
        Direction::Write => WRITE,
    }
}

/// Whether the end of the direction of `bit` has been announced.
fn has_ended(bit: usize, word: usize) -> bool {
    word & bit << END != 0 && !fault("readiness_drains_the_end")
}

/// What an event says about a descriptor.
///
/// # Examples
///
/// ```
/// use kumi_core::runtime::{Direction, Event};
///
/// // The peer has closed the connection: there may be something to read, and then the end.
/// let event = Event::default().ready(Direction::Read).ended(Direction::Read);
/// # let _ = event;
/// ```
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[must_use = "it does nothing until it is given to a `Readiness`"]
pub struct Event(usize);

impl Event {
    /// And `direction` may be ready.
    pub fn ready(self, direction: Direction) -> Self {
        Self(self.0 | bit(direction))
    }

    /// And `direction` has ended, well or with an error: it is ready, and nothing else will be heard of it.
    pub fn ended(self, direction: Direction) -> Self {
        let bit = bit(direction);
        Self(self.0 | bit | bit << END)
    }
}

/// Who waits for a descriptor.
#[derive(Debug, Default)]
struct Waiters {
    /// The one waiter of `poll_io` in each direction.
    read: Option<Waker>,
    write: Option<Waker>,
    /// Any number of waiters of `ready`, with the bit they wait for.
    many: Slab<(usize, Option<Waker>)>,
}

impl Waiters {
    /// Takes out everybody who waits for one of `bits`. Allocates only if there are waiters of `ready`.
    fn take(&mut self, bits: usize) -> (Option<Waker>, Option<Waker>, Vec<Waker>) {
        let read = self.read.take_if(|_| bits & READ != 0);
        let one = fault("readiness_wakes_one") && read.is_some();
        let write = self.write.take_if(|_| bits & WRITE != 0 && !one);
        // The entries stay, empty, so that each waiter finds its place again.
        let many = self.many.iter_mut().filter(|(_, (bit, _))| bit & bits != 0);
        let woken = many.filter_map(|(_, (_, waker))| waker.take());
        (read, write, woken.collect())
    }
}

/// The readiness of one descriptor, and who waits for it.
///
/// For backends whose reactor reports each change once (edge-triggered epoll, kqueue with `EV_CLEAR`): it has
/// the methods of [`Registered`](super::Registered), without the descriptor. The reactor
/// [sets](Self::set) it from any thread. It allocates nothing for those who wait through
/// [`poll_io`](Self::poll_io).
///
/// # Examples
///
/// ```
/// use std::task::{Context, Poll, Waker};
/// use kumi_core::runtime::{Direction, Done, Event, Readiness};
///
/// let readiness = Readiness::new();
/// let cx = &mut Context::from_waker(Waker::noop());
/// let read = || Ok(Done::drained(3));
/// assert!(readiness.poll_io(cx, Direction::Read, read).is_pending());
/// readiness.set(Event::default().ready(Direction::Read));
/// assert!(matches!(readiness.poll_io(cx, Direction::Read, read), Poll::Ready(Ok(3))));
/// // It was drained.
/// assert!(readiness.poll_io(cx, Direction::Read, read).is_pending());
/// ```
pub struct Readiness {
    word: AtomicUsize,
    waiters: Mutex<Waiters>,
}

impl Default for Readiness {
    fn default() -> Self {
        Self::new()
    }
}

impl Readiness {
    /// One of a fresh descriptor: not ready to read before an event says so, but taken for ready to write.
    /// Nearly every fresh socket is; if not, the first try finds out.
    #[must_use]
    pub fn new() -> Self {
        Self {
            word: AtomicUsize::new(WRITE),
            waiters: Mutex::new(Waiters::default()),
        }
    }

    /// An event came in: wakes who waits for it. Not to be called under a lock.
    ///
    /// # Panics
    ///
    /// With the first panic of a waker, after all were woken.
    pub fn set(&self, event: Event) {
        if fault("readiness_wakes_first") {
            self.wake(event.0);
            self.add(event.0);
            return;
        }
        self.add(event.0);
        self.wake(event.0);
    }

    /// Whether somebody waits for it, for reports.
    #[must_use]
    pub fn is_waited_for(&self) -> bool {
        let waiters = self.waiters.lock();
        let mut many = waiters.many.iter().map(|(_, (_, waker))| waker);
        waiters.read.is_some() || waiters.write.is_some() || many.any(Option::is_some)
    }

    /// The runtime was shut down: wakes everybody; from now on every operation fails.
    ///
    /// # Panics
    ///
    /// With the first panic of a waker, after all were woken.
    pub fn close(&self) {
        self.add(READ | WRITE | CLOSED);
        if !fault("readiness_closes_in_silence") {
            self.wake(READ | WRITE);
        }
    }

    fn add(&self, bits: usize) {
        // Release: who reads the bit sees what the reactor did before. The count is what `clear`
        // compares.
        let add = |word: usize| Some((word | bits).wrapping_add(EVENT));
        let _ = change(&self.word, Ordering::AcqRel, Ordering::Relaxed, add);
    }

    fn wake(&self, bits: usize) {
        let (read, write, many) = self.waiters.lock().take(bits);
        assert_unlocked();
        wake_all(read.into_iter().chain(write).chain(many));
    }

    /// Clears `bit`, unless an event came in after `seen` was read.
    fn clear(&self, bit: usize, seen: usize) {
        let mut word = seen;
        // Another operation may have cleared the other bit meanwhile: only events count.
        while let Err(now) =
            self.word
                .compare_exchange_weak(word, word & !bit, Ordering::AcqRel, Ordering::Acquire)
        {
            if now / EVENT != seen / EVENT && !fault("readiness_forgets_an_event") {
                return;
            }
            word = now;
        }
    }

    /// What an operation that was tried after `seen` says about its direction.
    fn learn<T>(&self, bit: usize, seen: usize, outcome: &io::Result<Done<T>>) {
        match outcome {
            Ok(done) if done.drained && !has_ended(bit, seen) => self.clear(bit, seen),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.clear(bit, seen),
            _ => {}
        }
    }

    /// The word, if `bit` is ready; an error if it never will be.
    fn look(&self, bit: usize) -> io::Result<Option<usize>> {
        // Acquire: pairs with `add`.
        let word = self.word.load(Ordering::Acquire);
        if word & CLOSED != 0 {
            return Err(closed());
        }
        Ok((word & bit != 0).then_some(word))
    }

    /// See [`Registered::poll_io`](super::Registered::poll_io).
    ///
    /// # Errors
    ///
    /// What `op` returns, and an error after [`close`](Self::close).
    #[inline]
    pub fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut() -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let bit = bit(direction);
        loop {
            let Some(seen) = self.look(bit)? else {
                self.register(cx.waker(), direction);
                if fault("readiness_waits_without_a_second_look") || self.look(bit)?.is_none() {
                    return Poll::Pending;
                }
                continue;
            };
            let outcome = op();
            self.learn(bit, seen, &outcome);
            match outcome {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                outcome => return Poll::Ready(outcome.map(|done| done.value)),
            }
        }
    }

    /// Leaves a waker for the one who waits for `direction`.
    fn register(&self, waker: &Waker, direction: Direction) {
        let fresh = waker.clone();
        let mut waiters = self.waiters.lock();
        let old = match direction {
            Direction::Read => waiters.read.replace(fresh),
            Direction::Write => waiters.write.replace(fresh),
        };
        drop(waiters);
        drop_foreign(old);
    }

    /// See [`Registered::ready`](super::Registered::ready).
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub fn ready(
        &self,
        direction: Direction,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync {
        let mut place = Place {
            readiness: self,
            bit: bit(direction),
            key: None,
        };
        poll_fn(move |cx| place.poll(cx))
    }

    /// See [`Registered::try_io`](super::Registered::try_io).
    ///
    /// # Errors
    ///
    /// What `op` returns, "would block" if the direction is known not to be ready, and an error after
    /// [`close`](Self::close).
    pub fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce() -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        let bit = bit(direction);
        let Some(seen) = self.look(bit)? else {
            return Err(io::ErrorKind::WouldBlock.into());
        };
        let outcome = op();
        self.learn(bit, seen, &outcome);
        outcome.map(|done| done.value)
    }
}

impl fmt::Debug for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.word.load(Ordering::Relaxed);
        f.debug_struct("Readiness")
            .field("readable", &(word & READ != 0))
            .field("writable", &(word & WRITE != 0))
            .field("closed", &(word & CLOSED != 0))
            .field("events", &(word / EVENT))
            .finish_non_exhaustive()
    }
}

fn closed() -> io::Error {
    io::Error::other("the runtime of this descriptor has been shut down")
}

/// A place among the many that wait for a descriptor; given up when it is dropped.
struct Place<'a> {
    readiness: &'a Readiness,
    bit: usize,
    key: Option<usize>,
}

impl Place<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        if self.readiness.look(self.bit)?.is_some() {
            return Poll::Ready(Ok(()));
        }
        let fresh = cx.waker().clone();
        let mut waiters = self.readiness.waiters.lock();
        let old = match self.key {
            Some(key) => waiters.many[key].1.replace(fresh),
            None => {
                self.key = Some(waiters.many.insert((self.bit, Some(fresh))));
                None
            }
        };
        drop(waiters);
        drop_foreign(old);
        if fault("readiness_is_awaited_without_a_second_look") {
            return Poll::Pending;
        }
        match self.readiness.look(self.bit)? {
            Some(_) => Poll::Ready(Ok(())),
            None => Poll::Pending,
        }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.filter(|_| !fault("readiness_keeps_a_place")) {
            let (_, old) = self.readiness.waiters.lock().many.remove(key);
            drop_foreign(old);
        }
    }
}
