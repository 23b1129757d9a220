//! Readiness of descriptors, edge-triggered, with a cache.
//!
//! Each registration has a word with two readiness bits and a count of events. An operation runs only
//! while its bit is set, so a poll with nothing to read costs no system call; the bit is cleared when
//! an operation would block or says that the descriptor is drained, but only if no event came in
//! since the operation began (the count tells), so an edge is never lost.
//!
//! A registration ends when its [`LoopIo`] is dropped, before the descriptor is closed. Tokens carry
//! a generation, so an event that the kernel had queued for a closed descriptor finds nobody.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use kumi_core::runtime::{Direction, Done, Registered, Source};
use kumi_core::util::wake_all;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use slab::Slab;

use crate::shared::Shared;

/// The token of the interrupt; no registration gets it, since their generations start at one.
pub(crate) const INTERRUPT: Token = Token(0);

/// Something to read, or the end of the stream.
const READ: usize = 1;
/// Room to write.
const WRITE: usize = 2;
/// The loop was shut down.
const CLOSED: usize = 4;
/// The end of the stream, or an error, has been announced; never cleared.
const READ_END: usize = 8;
const WRITE_END: usize = 16;
/// One event.
const EVENT: usize = 32;

fn bit(direction: Direction) -> usize {
    match direction {
        Direction::Read => READ,
        Direction::Write => WRITE,
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
    fn is_waited_for(&self) -> bool {
        let mut many = self.many.iter().map(|(_, (_, waker))| waker);
        self.read.is_some() || self.write.is_some() || many.any(Option::is_some)
    }

    /// Takes out everybody who waits for one of `bits`.
    fn take(&mut self, bits: usize) -> Vec<Waker> {
        let mut woken = Vec::new();
        if bits & READ != 0 {
            woken.extend(self.read.take());
        }
        if bits & WRITE != 0 {
            woken.extend(self.write.take());
        }
        // The entries stay, empty, so that each waiter finds its place again.
        let many = self.many.iter_mut().filter(|(_, (bit, _))| bit & bits != 0);
        woken.extend(many.filter_map(|(_, (_, waker))| waker.take()));
        woken
    }
}

/// The state of one registration.
#[derive(Debug)]
struct Readiness {
    word: AtomicUsize,
    waiters: Mutex<Waiters>,
}

impl Readiness {
    fn new() -> Self {
        // Nearly every fresh socket can be written to; if not, the first try finds out.
        Self {
            word: AtomicUsize::new(WRITE),
            waiters: Mutex::default(),
        }
    }

    fn waiters(&self) -> std::sync::MutexGuard<'_, Waiters> {
        self.waiters.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An event came in: sets `bits` and wakes who waits for them.
    fn set(&self, bits: usize) {
        // SeqCst: pairs with the look after registering a waker in `wait`.
        let add = |word: usize| Some((word | bits).wrapping_add(EVENT));
        let _ = self
            .word
            .fetch_update(Ordering::SeqCst, Ordering::Relaxed, add);
        let wakers = self.waiters().take(bits);
        wake_all(wakers);
    }

    /// Clears `bit`, unless an event came in after `seen` was read.
    fn clear(&self, bit: usize, seen: usize) {
        let mut word = seen;
        // Another operation may have cleared the other bit meanwhile: only events count.
        while let Err(now) =
            self.word
                .compare_exchange(word, word & !bit, Ordering::SeqCst, Ordering::SeqCst)
        {
            if now / EVENT != seen / EVENT {
                return;
            }
            word = now;
        }
    }

    /// As [`clear`](Self::clear), for an operation that succeeded and left nothing.
    ///
    /// Not if the end has been announced: it was one edge with the last of the data, and there
    /// will be no other.
    fn drained(&self, bit: usize, seen: usize) {
        let end = if bit == READ { READ_END } else { WRITE_END };
        if seen & end == 0 {
            self.clear(bit, seen);
        }
    }

    fn load(&self) -> usize {
        self.word.load(Ordering::SeqCst)
    }
}

fn closed() -> io::Error {
    io::Error::other("the event loop of this descriptor has been shut down")
}

/// The registrations of a loop.
#[derive(Debug)]
pub(crate) struct Registry {
    mio: mio::Registry,
    entries: Mutex<Entries>,
    closed: AtomicBool,
}

#[derive(Debug, Default)]
struct Entries {
    slab: Slab<(usize, Arc<Readiness>)>,
    generation: usize,
}

impl Registry {
    pub(crate) fn new(mio: mio::Registry) -> Self {
        Self {
            mio,
            entries: Mutex::default(),
            closed: AtomicBool::new(false),
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, fd: RawFd) -> io::Result<(Token, Arc<Readiness>)> {
        let readiness = Arc::new(Readiness::new());
        let mut entries = self.entries();
        if self.closed.load(Ordering::Relaxed) {
            return Err(closed());
        }
        // 32 bits each on 64-bit systems; on smaller ones a generation repeats after 65 535.
        entries.generation = (entries.generation % GENERATIONS) + 1;
        let generation = entries.generation;
        let index = entries.slab.insert((generation, Arc::clone(&readiness)));
        drop(entries);
        let token = Token(generation << SHIFT | index);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.mio.register(&mut SourceFd(&fd), token, interest) {
            self.entries().slab.remove(index);
            return Err(error);
        }
        Ok((token, readiness))
    }

    fn remove(&self, token: Token, fd: RawFd) {
        // Fails only if the descriptor was closed behind our back; then the kernel has forgotten it.
        let _ = self.mio.deregister(&mut SourceFd(&fd));
        let removed = self.entries().slab.try_remove(token.0 & INDEX);
        drop(removed);
    }

    /// Whether somebody waits for one of the descriptors.
    pub(crate) fn is_waited_for(&self) -> bool {
        let all: Vec<_> = {
            let entries = self.entries();
            let all = entries.slab.iter();
            all.map(|(_, (_, readiness))| Arc::clone(readiness))
                .collect()
        };
        all.iter()
            .any(|readiness| readiness.waiters().is_waited_for())
    }

    fn find(&self, token: Token) -> Option<Arc<Readiness>> {
        let entries = self.entries();
        let (generation, readiness) = entries.slab.get(token.0 & INDEX)?;
        (*generation == token.0 >> SHIFT).then(|| Arc::clone(readiness))
    }

    /// Hands the events of one look at the kernel to their registrations.
    pub(crate) fn dispatch(&self, events: &mio::Events) {
        for event in events {
            if event.token() == INTERRUPT {
                continue;
            }
            let Some(readiness) = self.find(event.token()) else {
                continue;
            };
            let mut bits = 0;
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                bits |= READ;
            }
            if event.is_writable() || event.is_write_closed() || event.is_error() {
                bits |= WRITE;
            }
            if event.is_read_closed() || event.is_error() {
                bits |= READ_END;
            }
            if event.is_write_closed() || event.is_error() {
                bits |= WRITE_END;
            }
            readiness.set(bits);
        }
    }

    /// Wakes everybody; from now on every operation fails.
    pub(crate) fn close(&self) {
        let entries = self.entries();
        self.closed.store(true, Ordering::Relaxed);
        let all: Vec<_> = entries
            .slab
            .iter()
            .map(|(_, (_, entry))| Arc::clone(entry))
            .collect();
        drop(entries);
        for readiness in all {
            readiness.set(READ | WRITE | CLOSED);
        }
    }
}

/// Where the generation of a token begins.
const SHIFT: u32 = usize::BITS / 2;
const INDEX: usize = (1 << SHIFT) - 1;
const GENERATIONS: usize = INDEX - 1;

/// A descriptor registered with a [`Loop`](crate::Loop).
pub struct LoopIo<F: Source> {
    shared: Arc<Shared>,
    readiness: Arc<Readiness>,
    token: Token,
    source: F,
}

impl<F: Source> LoopIo<F> {
    pub(crate) fn new(shared: Arc<Shared>, source: F) -> io::Result<Self> {
        let (token, readiness) = shared.registry.add(source.as_fd().as_raw_fd())?;
        Ok(Self {
            shared,
            readiness,
            token,
            source,
        })
    }
}

impl<F: Source> Drop for LoopIo<F> {
    fn drop(&mut self) {
        self.shared
            .registry
            .remove(self.token, self.source.as_fd().as_raw_fd());
    }
}

impl<F: Source> Registered<F> for LoopIo<F> {
    fn get_ref(&self) -> &F {
        &self.source
    }

    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        let bit = bit(direction);
        let readiness = &*self.readiness;
        loop {
            let seen = readiness.load();
            if seen & CLOSED != 0 {
                return Poll::Ready(Err(closed()));
            }
            if seen & bit == 0 {
                let fresh = cx.waker().clone();
                let mut waiters = readiness.waiters();
                let slot = match direction {
                    Direction::Read => &mut waiters.read,
                    Direction::Write => &mut waiters.write,
                };
                let old = slot.replace(fresh);
                drop(waiters);
                drop(old);
                if readiness.load() & (bit | CLOSED) == 0 {
                    return Poll::Pending;
                }
                continue;
            }
            match op(&self.source) {
                Ok(done) => {
                    if done.drained {
                        readiness.drained(bit, seen);
                    }
                    return Poll::Ready(Ok(done.value));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    readiness.clear(bit, seen);
                }
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
    }

    fn ready(&self, direction: Direction) -> impl Future<Output = io::Result<()>> + Send + '_ {
        let mut place = Place {
            readiness: &self.readiness,
            bit: bit(direction),
            key: None,
        };
        poll_fn(move |cx| place.poll(cx))
    }

    fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&F) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        let bit = bit(direction);
        let seen = self.readiness.load();
        if seen & CLOSED != 0 {
            return Err(closed());
        }
        if seen & bit == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        match op(&self.source) {
            Ok(done) => {
                if done.drained {
                    self.readiness.drained(bit, seen);
                }
                Ok(done.value)
            }
            Err(error) => {
                if error.kind() == io::ErrorKind::WouldBlock {
                    self.readiness.clear(bit, seen);
                }
                Err(error)
            }
        }
    }
}

/// A place among the many that wait for a descriptor; given up when it is dropped.
struct Place<'a> {
    readiness: &'a Readiness,
    bit: usize,
    key: Option<usize>,
}

impl Place<'_> {
    fn poll(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        let ready = |word: usize| {
            if word & CLOSED != 0 {
                Some(Poll::Ready(Err(closed())))
            } else {
                (word & self.bit != 0).then_some(Poll::Ready(Ok(())))
            }
        };
        if let Some(result) = ready(self.readiness.load()) {
            return result;
        }
        let fresh = cx.waker().clone();
        let mut waiters = self.readiness.waiters();
        let old = match self.key {
            Some(key) => waiters.many[key].1.replace(fresh),
            None => {
                self.key = Some(waiters.many.insert((self.bit, Some(fresh))));
                None
            }
        };
        drop(waiters);
        drop(old);
        ready(self.readiness.load()).unwrap_or(Poll::Pending)
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            let old = self.readiness.waiters().many.remove(key);
            drop(old);
        }
    }
}

impl<F: Source + fmt::Debug> fmt::Debug for LoopIo<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopIo")
            .field("source", &self.source)
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}
