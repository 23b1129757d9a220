//! Readiness of descriptors, edge-triggered, with a cache.
//!
//! Each registration has a [`Readiness`] of core's, which remembers what the kernel has said, so a poll
//! with nothing to read costs no system call. The registry finds it by the token of an event.
//!
//! A registration ends when its [`LoopIo`] is dropped, before the descriptor is closed. Tokens carry
//! a generation, so an event that the kernel had queued for a closed descriptor finds nobody, also if
//! its number and its place are in use again.

use std::fmt;
use std::future::Future;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use kumi_core::runtime::{Direction, Done, Event, Readiness, Registered, Source};
use kumi_core::util::BiasedArc;
use mio::unix::SourceFd;
use mio::{Interest, Token};
use slab::Slab;

use crate::shared::Shared;

/// The token of the interrupt; no registration gets it, since their generations start at one.
pub(crate) const INTERRUPT: Token = Token(0);

/// The registrations of a loop.
#[derive(Debug)]
pub(crate) struct Registry {
    mio: mio::Registry,
    entries: Mutex<Entries>,
}

#[derive(Debug, Default)]
struct Entries {
    slab: Slab<(usize, Arc<Readiness>)>,
    generation: usize,
    closed: bool,
}

impl Registry {
    pub(crate) fn new(mio: mio::Registry) -> Self {
        Self {
            mio,
            entries: Mutex::default(),
        }
    }

    fn entries(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, fd: RawFd) -> io::Result<(Token, Arc<Readiness>)> {
        let readiness = Arc::new(Readiness::new());
        let mut entries = self.entries();
        if entries.closed {
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
        let entries = self.entries();
        let mut all = entries.slab.iter();
        all.any(|(_, (_, readiness))| readiness.is_waited_for())
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
            readiness.set(meaning(event));
        }
    }

    /// Wakes everybody; from now on every operation fails.
    pub(crate) fn close(&self) {
        let mut entries = self.entries();
        entries.closed = true;
        let all: Vec<_> = entries
            .slab
            .iter()
            .map(|(_, (_, entry))| Arc::clone(entry))
            .collect();
        drop(entries);
        for readiness in all {
            readiness.close();
        }
    }
}

/// What an event says, in the words of core.
fn meaning(event: &mio::event::Event) -> Event {
    let mut meaning = Event::default();
    if event.is_readable() {
        meaning = meaning.ready(Direction::Read);
    }
    if event.is_writable() {
        meaning = meaning.ready(Direction::Write);
    }
    if event.is_read_closed() || event.is_error() {
        meaning = meaning.ended(Direction::Read);
    }
    if event.is_write_closed() || event.is_error() {
        meaning = meaning.ended(Direction::Write);
    }
    meaning
}

fn closed() -> io::Error {
    io::Error::other("the event loop of this descriptor has been shut down")
}

/// Where the generation of a token begins.
const SHIFT: u32 = usize::BITS / 2;
const INDEX: usize = (1 << SHIFT) - 1;
const GENERATIONS: usize = INDEX - 1;

/// A descriptor registered with a [`Loop`](crate::Loop).
pub struct LoopIo<F: Source> {
    // The registration ends before the descriptor is closed.
    entry: Entry,
    source: F,
}

/// An entry of a registry, for as long as it lives.
struct Entry {
    shared: BiasedArc<Shared>,
    readiness: Arc<Readiness>,
    token: Token,
    fd: RawFd,
}

impl<F: Source> LoopIo<F> {
    pub(crate) fn new(shared: BiasedArc<Shared>, source: F) -> io::Result<Self> {
        let fd = source.as_fd().as_raw_fd();
        let (token, readiness) = shared.registry.add(fd)?;
        let entry = Entry {
            shared,
            readiness,
            token,
            fd,
        };
        Ok(Self { entry, source })
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        self.shared.registry.remove(self.token, self.fd);
    }
}

impl<F: Source> Registered<F> for LoopIo<F> {
    fn get_ref(&self) -> &F {
        &self.source
    }

    fn into_inner(self) -> io::Result<F> {
        Ok(self.source)
    }

    #[inline]
    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.entry
            .readiness
            .poll_io(cx, direction, || op(&self.source))
    }

    fn ready(
        &self,
        direction: Direction,
    ) -> impl Future<Output = io::Result<()>> + Send + Sync + '_ {
        self.entry.readiness.ready(direction)
    }

    fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&F) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        self.entry.readiness.try_io(direction, || op(&self.source))
    }
}

impl<F: Source + fmt::Debug> fmt::Debug for LoopIo<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoopIo")
            .field("source", &self.source)
            .field("token", &self.entry.token)
            .finish_non_exhaustive()
    }
}
