//! Callbacks for descriptors: called again and again while the descriptor is ready.
//!
//! The kernel tells the loop of changes only, and only the callback knows whether it has read everything. So
//! after each call the descriptor is registered anew, which makes the kernel say how things stand.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, AsRawFd, OwnedFd, RawFd};
use std::rc::{Rc, Weak};
use std::sync::Arc;

use kumi_core::runtime::{Direction, Io, Registered};
use kumi_core::task::{SpawnLocalExt, Task};

use crate::handle::Loop;
use crate::io::LoopIo;

/// A callback that is called many times, until it is removed.
pub(super) struct Slot {
    callback: RefCell<State>,
}

enum State {
    Rests(Box<dyn FnMut()>),
    Runs,
    Removed,
}

impl Slot {
    pub(super) fn new(callback: impl FnMut() + 'static) -> Rc<Self> {
        Rc::new(Self {
            callback: RefCell::new(State::Rests(Box::new(callback))),
        })
    }

    /// Calls it; false if it has been removed.
    pub(super) fn call(&self) -> bool {
        /// Puts the callback back, also if it panics, unless it was removed meanwhile.
        struct Back<'a>(&'a Slot, Option<Box<dyn FnMut()>>);
        impl Drop for Back<'_> {
            fn drop(&mut self) {
                let mut state = self.0.callback.borrow_mut();
                if let (State::Runs, Some(callback)) = (&*state, self.1.take()) {
                    *state = State::Rests(callback);
                }
            }
        }
        let state = self.callback.replace(State::Runs);
        match state {
            State::Rests(callback) => {
                let mut back = Back(self, Some(callback));
                if let Some(callback) = &mut back.1 {
                    callback();
                }
            }
            other => drop(self.callback.replace(other)),
        }
        !self.is_removed()
    }

    /// Drops the callback, at once unless it is being called; false if it had been removed before.
    pub(super) fn remove(&self) -> bool {
        let state = self.callback.replace(State::Removed);
        !matches!(state, State::Removed)
    }

    fn is_removed(&self) -> bool {
        matches!(*self.callback.borrow(), State::Removed)
    }
}

/// The slot goes with its task: when the loop ends, the callback is dropped.
pub(super) struct Watched {
    slot: Weak<Slot>,
    task: Task,
}

impl Watched {
    pub(super) fn new(slot: &Rc<Slot>, task: Task) -> Self {
        let slot = Rc::downgrade(slot);
        Self { slot, task }
    }

    /// Whether there was a callback to remove.
    pub(super) fn remove(self) -> bool {
        let removed = self.slot.upgrade().is_some_and(|slot| slot.remove());
        self.task.cancel();
        removed
    }

    pub(super) fn is_gone(&self) -> bool {
        self.slot.strong_count() == 0
    }
}

/// The loop, the descriptor as its user numbers it, and whether the callback writes.
type Key = (u64, RawFd, bool);

thread_local! {
    static WATCHED: RefCell<BTreeMap<Key, Watched>> = const { RefCell::new(BTreeMap::new()) };
}

impl Loop {
    /// Calls `callback` while there is something to read from `fd`, or its end, until it is
    /// [removed](Loop::remove_reader). A callback that `fd` has for reading is replaced.
    ///
    /// It is called about once per turn, behind what is ready, for as long as there is something to read. The
    /// loop works on a duplicate of the descriptor; it is watched until the callback is removed, also if
    /// `fd` has been closed by then.
    ///
    /// A panic of the callback is reported, and it is called no more.
    ///
    /// # Errors
    ///
    /// If the system gives no descriptor, or cannot watch it (a file on a disk).
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    ///
    /// # Examples
    ///
    /// ```
    /// use std::io::{Read, Write};
    /// use std::os::unix::net::UnixStream;
    /// use kumi_loop::Loop;
    ///
    /// let lp = Loop::new()?;
    /// let (mut sender, receiver) = UnixStream::pair()?;
    /// let stop = lp.handle();
    /// let mut reader = receiver.try_clone()?;
    /// lp.add_reader(&receiver, move || {
    ///     let mut byte = [0];
    ///     reader.read_exact(&mut byte).unwrap();
    ///     if byte == *b"!" {
    ///         stop.stop();
    ///     }
    /// })?;
    /// sender.write_all(b"hello!")?;
    /// lp.run_forever();
    /// assert!(lp.remove_reader(&receiver));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    #[track_caller]
    pub fn add_reader(&self, fd: impl AsFd, callback: impl FnMut() + 'static) -> io::Result<()> {
        self.0.own("add_reader");
        self.watch(fd, Direction::Read, Slot::new(callback))
    }

    /// Calls `callback` while there is room to write to `fd`, until it is [removed](Loop::remove_writer);
    /// otherwise as [`add_reader`](Loop::add_reader).
    ///
    /// # Errors
    ///
    /// As [`add_reader`](Loop::add_reader).
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    #[track_caller]
    pub fn add_writer(&self, fd: impl AsFd, callback: impl FnMut() + 'static) -> io::Result<()> {
        self.0.own("add_writer");
        self.watch(fd, Direction::Write, Slot::new(callback))
    }

    /// Removes the callback that `fd` has for reading, and drops it at once; false if there is none.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    #[track_caller]
    pub fn remove_reader(&self, fd: impl AsFd) -> bool {
        self.0.own("remove_reader");
        self.unwatch(fd.as_fd().as_raw_fd(), Direction::Read)
    }

    /// Removes the callback that `fd` has for writing, and drops it at once; false if there is none.
    ///
    /// # Panics
    ///
    /// On another thread than the loop's.
    #[track_caller]
    pub fn remove_writer(&self, fd: impl AsFd) -> bool {
        self.0.own("remove_writer");
        self.unwatch(fd.as_fd().as_raw_fd(), Direction::Write)
    }

    #[track_caller]
    fn watch(&self, fd: impl AsFd, direction: Direction, slot: Rc<Slot>) -> io::Result<()> {
        let fd = fd.as_fd();
        let number = fd.as_raw_fd();
        let mut watch = Watch {
            lp: self.clone(),
            fd: Arc::new(fd.try_clone_to_owned()?),
            direction,
        };
        let first = watch.register()?;
        let calls = Rc::clone(&slot);
        let task = self.spawn_local(async move { watch.run(first, &calls).await });
        let watched = Watched::new(&slot, task.task());
        task.detach();
        self.unwatch(number, direction);
        WATCHED.with_borrow_mut(|all| {
            all.retain(|_, watched| !watched.is_gone());
            all.insert(key(self, number, direction), watched);
        });
        Ok(())
    }

    fn unwatch(&self, fd: RawFd, direction: Direction) -> bool {
        let watched = WATCHED.with_borrow_mut(|all| all.remove(&key(self, fd, direction)));
        watched.is_some_and(Watched::remove)
    }
}

fn key(lp: &Loop, fd: RawFd, direction: Direction) -> Key {
    (lp.0.id, fd, direction == Direction::Write)
}

/// A descriptor that is watched in one direction.
struct Watch {
    lp: Loop,
    fd: Arc<OwnedFd>,
    direction: Direction,
}

impl Watch {
    /// Asks the kernel how things stand, and to say so by an event.
    fn register(&mut self) -> io::Result<LoopIo<Arc<OwnedFd>>> {
        let io = self.lp.register(Arc::clone(&self.fd))?;
        // A registration may begin with a guess, which is not enough here.
        let _ = io.try_io::<()>(self.direction, |_| Err(io::ErrorKind::WouldBlock.into()));
        Ok(io)
    }

    async fn run(&mut self, mut io: LoopIo<Arc<OwnedFd>>, slot: &Slot) {
        loop {
            // The only error is that the loop has been shut down.
            if io.ready(self.direction).await.is_err() || !slot.call() {
                return;
            }
            drop(io);
            io = match self.register() {
                Ok(again) => again,
                Err(error) => panic!("a descriptor cannot be watched any more: {error}"),
            };
        }
    }
}
