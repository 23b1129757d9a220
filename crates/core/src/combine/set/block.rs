//! The block: one allocation with the slots of all children, the queues of the woken, and the waker of
//! the parent.
//!
//! # PROTOCOL
//!
//! The block is a [`Header`] and behind it one [`Slot`] for each child. It is reached by pointers to
//! slots; a slot knows its index, so the header lies that many slots in front of it. Each waker
//! and the set itself hold one reference; the last one frees the block.
//!
//! **Two queues.** `turn` belongs to the thread that polls or owns the set: a list linked by the
//! slots' `next`, without any atomic operation. `inbox` takes wakes from everywhere else: a stack linked
//! by `link`, pushed by compare-exchange (release), emptied as a whole at the start of a poll (acquire)
//! and appended to the other in the order of the pushes. There is no ABA problem, because
//! nothing is taken from its middle.
//!
//! **Whose wake is it?** While the set is polled, and while it drops its children, `owner` is the mark of
//! that thread. Whoever reads its own mark there is inside of that, further up the same stack: only the
//! thread itself writes its mark, it writes zero at the end, and a thread always sees its own last write. (A mark
//! is used again only by a thread that starts after the other has ended.) So that wake may use `turn`.
//! What other threads read there, the mark of a third or zero, however old, means the same to them: not
//! theirs. So models need not see this word, and would be many times as large.
//!
//! **References** are counted in `refs`. Of those counted, `spare` are held by nobody. They belong to the
//! turn: a waker that is cloned or dropped inside of a poll, or with its child, takes one from there, or
//! puts it there, without an atomic operation. The set gives all of them back when it is dropped.
//!
//! A waker that is used up by a wake from elsewhere gives its reference away with its place in the inbox:
//! whoever empties the inbox, or closes it, puts it to the spare ones.
//!
//! **Once.** A child is at most once in each queue. In `turn` it is if its `next` says so. For the
//! inbox, `claimed` is swapped to true before the push, and to false when the inbox is emptied. Both are
//! read-modify-writes, also when they change nothing: a wake that finds `claimed` set leaves what
//! was written before it to the one who clears it. A child that is found in `turn` as well is
//! not appended again. When a child has finished, `claimed` stays set.
//!
//! **The parent** is woken by the push that finds the inbox empty. It sets `BUSY` in the same step,
//! which allows it to read `parent`, and clears it after the wake. A push that finds the inbox empty but
//! `BUSY` sets `AGAIN`: the busy one wakes once more, since its wake may have come before the
//! poll that emptied the inbox. The set writes `parent` only while it has set `BUSY` itself; if it
//! cannot, it has the new waker woken at once, to try again. `CLOSED` says that the set has
//! ended: pushes do nothing; whoever is busy then takes the parent's waker away, and gives back the
//! reference that the set has left for him: his own may be given away. A poll that takes
//! more than one from the inbox sets `POLLED` in the same step and clears it at its end. As long as it
//! is set a push wakes nobody: the poll finds it at its end, and wakes its own task. (For a single one
//! that would be a step more, and hardly time enough for another to come.)
//!
//! # Invariants
//!
//! 1. A `NonNull<Slot>` of a [`BlockRef`] or of a waker points into a live block, since its holder has a
//!    reference, or is lent the one of the set for the length of a poll.
//! 2. Header and slots are shared; they are changed through atomics and cells only.
//! 3. `next` and `done` of each slot, `first`, `last` and `spare` are read and written by the holder of a [`Turn`] only:
//!    the thread that polls or owns the set, of which there is one at a time.
//! 4. `parent` is written by who has set `BUSY`, or by `close` and `leave` on a closed block that is
//!    not busy. It is read by who has set `BUSY`, and by the set, which is the only writer
//!    before the end.
#![allow(
    unsafe_code,
    reason = "one allocation for all wakers of a set; see the protocol"
)]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::{ManuallyDrop, MaybeUninit};
use std::ptr::NonNull;
use std::sync::atomic::AtomicUsize as Mark;
use std::task::Waker;

use super::parent::push;
use super::shape::Room;
use super::turn::Turn;
use crate::loom::{AtomicBool, AtomicU32, AtomicUsize, Ordering, UnsafeCell, fault};
use crate::util::thread_mark;

/// Somebody wakes the parent, or the set changes the waker of the parent.
pub(super) const BUSY: usize = 1;
/// Whoever is busy is to wake once more.
pub(super) const AGAIN: usize = 2;
/// The set has ended.
pub(super) const CLOSED: usize = 4;
/// A poll goes on, and looks at the inbox when it ends.
pub(super) const POLLED: usize = 8;
pub(super) const FLAGS: usize = BUSY | AGAIN | CLOSED | POLLED;
/// Above the flags: the index of the newest in the inbox plus one, or zero.
pub(super) const SHIFT: u32 = 4;

/// In a slot's `link`: the reference of the waker came with the wake.
pub(super) const GIVEN: u32 = 1 << 31;

/// More children than this do not fit into the words of a block.
pub(super) const MOST: usize = 1 << 28;

/// How many references a block has to spare at first.
const SPARE: usize = 1 << 24;

// Values of `Slot::next` besides an index.
/// Not in the queue.
pub(super) const IDLE: u32 = u32::MAX;
/// The last in the queue; and in `first` and `last`: the queue is empty.
pub(super) const END: u32 = u32::MAX - 1;

/// What the children share; what different threads write is on different cache lines.
#[repr(C)]
pub(super) struct Header {
    /// The newest in the inbox, and the flags.
    pub(super) inbox: AtomicUsize,
    pub(super) refs: AtomicUsize,
    apart: Apart,
    /// The mark of the thread that polls the set, or zero.
    pub(super) owner: Mark,
    pub(super) parent: UnsafeCell<Option<Waker>>,
    pub(super) len: u32,
    apart_too: Apart,
    /// The allocation that the block is in, to be freed with it.
    memory: NonNull<u8>,
    layout: Layout,
    /// References that nobody holds: for wakers that are cloned in a poll.
    pub(super) spare: UnsafeCell<usize>,
    pub(super) first: UnsafeCell<u32>,
    pub(super) last: UnsafeCell<u32>,
    /// A model sees whether it ends.
    #[cfg(loom)]
    alive: loom::alloc::Track<()>,
}

/// Keeps its neighbours from sharing a cache line.
#[derive(Clone, Copy)]
struct Apart(#[expect(dead_code, reason = "only its size counts")] MaybeUninit<[usize; 6]>);

/// What the block keeps of one child.
#[repr(C)]
pub(super) struct Slot {
    pub(super) index: u32,
    /// The next in `turn`, or one of the values above.
    pub(super) next: UnsafeCell<u32>,
    /// The next older one in the inbox, its index plus one, or zero; and `GIVEN`.
    pub(super) link: AtomicU32,
    /// In the inbox, or finished.
    pub(super) claimed: AtomicBool,
    /// The child has finished.
    pub(super) done: UnsafeCell<bool>,
}

/// Where the slots begin.
const SLOTS: usize = size_of::<Header>().next_multiple_of(align_of::<Slot>());

/// A pointer to the first slot of a block.
pub(super) type Slots = NonNull<Slot>;

fn layout(len: usize) -> Layout {
    assert!(len < MOST, "a combinator can have at most {MOST} children");
    let align = align_of::<Header>().max(align_of::<Slot>());
    let layout = Layout::from_size_align(SLOTS + len * size_of::<Slot>(), align);
    layout.expect("so many slots fit into memory")
}

/// How much room a block for `len` children needs wherever it begins.
pub(super) fn room_for(len: usize) -> usize {
    let layout = layout(len);
    layout.size() + layout.align() - 1
}

/// Where a block for `len` children can be in `room`, if it is large enough.
fn place_in(room: Room, len: usize) -> Option<NonNull<u8>> {
    let layout = layout(len);
    let skip = room.start.align_offset(layout.align());
    let fits = skip.checked_add(layout.size())? <= room.size;
    // SAFETY: that is inside of the room.
    fits.then(|| unsafe { room.start.add(skip) })
}

/// Makes a block for `len` children, of which the first `done` have finished, with one reference: in
/// `room` if it fits there.
fn allocate(len: usize, done: usize, owner: usize, parent: Waker, room: Option<Room>) -> Slots {
    let housed = room.and_then(|room| Some((place_in(room, len)?, room.base, room.layout)));
    let (base, memory, layout) = housed.unwrap_or_else(|| {
        let layout = layout(len);
        // SAFETY: the layout is not empty: it has a header.
        let memory = unsafe { alloc(layout) };
        match NonNull::new(memory) {
            Some(memory) => (memory, memory, layout),
            None => handle_alloc_error(layout),
        }
    });
    let header = Header {
        inbox: AtomicUsize::new(0),
        refs: AtomicUsize::new(1 + SPARE),
        apart: Apart(MaybeUninit::uninit()),
        owner: Mark::new(owner),
        parent: UnsafeCell::new(Some(parent)),
        memory,
        layout,
        spare: UnsafeCell::new(SPARE),
        first: UnsafeCell::new(END),
        last: UnsafeCell::new(END),
        len: len as u32,
        apart_too: Apart(MaybeUninit::uninit()),
        #[cfg(loom)]
        alive: loom::alloc::Track::new(()),
    };
    // SAFETY: the memory is fresh, aligned, and large enough.
    unsafe { base.cast::<Header>().write(header) };
    // SAFETY: the slots lie behind the header, in the same allocation.
    let slots = unsafe { base.add(SLOTS) }.cast::<Slot>();
    for index in 0..len {
        let finished = index < done;
        let slot = Slot {
            index: index as u32,
            next: UnsafeCell::new(IDLE),
            link: AtomicU32::new(0),
            claimed: AtomicBool::new(finished),
            done: UnsafeCell::new(finished),
        };
        // SAFETY: there are `len` slots in the allocation.
        let place = unsafe { slots.add(index) };
        // SAFETY: as for the header.
        unsafe { place.write(slot) };
    }
    slots
}

/// The block that `slot` is in.
#[inline(always)]
pub(super) fn slots_of(slot: NonNull<Slot>) -> Slots {
    // SAFETY: invariant 1.
    let index = unsafe { slot.as_ref() }.index as usize;
    // SAFETY: that many slots lie in front of it; the pointer comes from the whole allocation.
    unsafe { slot.sub(index) }
}

/// The header of a block. The caller uses it only as long as a reference lasts.
#[inline(always)]
pub(super) fn header<'a>(slots: Slots) -> &'a Header {
    // SAFETY: it lies in front of the first slot; the pointer comes from the whole allocation.
    let header = unsafe { slots.cast::<u8>().sub(SLOTS) }.cast::<Header>();
    // SAFETY: invariants 1 and 2.
    unsafe { header.as_ref() }
}

/// A slot of a block. The caller uses it only as long as a reference lasts.
#[inline(always)]
pub(super) fn slot<'a>(slots: Slots, index: u32) -> &'a Slot {
    debug_assert!(index < header(slots).len, "no such child");
    // SAFETY: invariant 1: only indices of slots are stored.
    let slot = unsafe { slots.add(index as usize) };
    // SAFETY: invariants 1 and 2.
    unsafe { slot.as_ref() }
}

/// Takes one more reference; the caller has one, or is lent one.
#[inline]
pub(super) fn retain(slot: NonNull<Slot>) {
    let slots = slots_of(slot);
    if is_mine(slots) {
        // SAFETY: see the protocol: this thread is inside of a poll of the set.
        let turn = unsafe { Turn::assume(slots) };
        if turn.lend_ref() {
            return;
        }
    }
    // Relaxed: the reference of the caller keeps the block.
    let before = header(slots).refs.fetch_add(1, Ordering::Relaxed);
    if before > usize::MAX / 2 {
        // So many wakers exist only if they are forgotten: better to stop than to free too early.
        std::process::abort();
    }
}

/// Gives a reference back, and frees the block if it was the last.
#[inline]
pub(super) fn release(slot: NonNull<Slot>) {
    let slots = slots_of(slot);
    if is_mine(slots) {
        // SAFETY: as in `retain`.
        unsafe { Turn::assume(slots) }.take_ref();
    } else {
        release_many(slots, 1);
    }
}

/// Gives references back, and frees the block if they were the last.
#[inline]
pub(super) fn release_many(slots: Slots, count: usize) {
    // Release: what was done through them comes before the end of the block; pairs with the
    // Acquire in `free`.
    if header(slots).refs.fetch_sub(count, Ordering::Release) == count {
        free(slots);
    }
}

/// Whether this thread is inside of a poll of the set, or drops its children.
#[inline(always)]
fn is_mine(slots: Slots) -> bool {
    let mark = thread_mark();
    mark != 0 && header(slots).owner.load(Ordering::Relaxed) == mark
}

#[cold]
fn free(slots: Slots) {
    let this = header(slots);
    // Acquire: pairs with the Release of all who gave their reference back.
    this.refs.load(Ordering::Acquire);
    let (memory, layout) = (this.memory, this.layout);
    empty(slots);
    // SAFETY: it was allocated with this layout. If it was somebody else's, he has left it to the
    // block: see `BlockRef::is_housed`.
    unsafe { dealloc(memory.as_ptr(), layout) };
}

/// Drops what is in a block; nobody else uses it.
fn empty(slots: Slots) {
    let this = header(slots);
    let len = this.len as usize;
    // For models: nobody reads it any more.
    this.parent.with_mut(|_| ());
    // SAFETY: as in `header`.
    let base = unsafe { slots.cast::<u8>().sub(SLOTS) };
    // SAFETY: nobody uses the slots any more, by the callers.
    unsafe { NonNull::slice_from_raw_parts(slots, len).drop_in_place() };
    // SAFETY: as above.
    unsafe { base.cast::<Header>().drop_in_place() };
}

/// Wakes the child of `slot`: it will be polled once more.
#[inline]
pub(super) fn wake(slot: NonNull<Slot>) {
    let slots = slots_of(slot);
    if is_mine(slots) {
        wake_here(slots, slot);
    } else {
        push(slots, slot, false);
    }
}

/// Wakes the child of `slot` by a waker that ends with that: its reference goes along.
#[inline]
pub(super) fn wake_and_release(slot: NonNull<Slot>) {
    let slots = slots_of(slot);
    if is_mine(slots) {
        wake_here(slots, slot).take_ref();
    } else if !push(slots, slot, true) {
        release_many(slots, 1);
    }
}

/// Wakes the child of `slot` from inside of a poll of the set.
#[inline(always)]
fn wake_here<'a>(slots: Slots, slot: NonNull<Slot>) -> ManuallyDrop<Turn<'a>> {
    // SAFETY: see the protocol: this thread is inside of a poll of the set.
    let turn = unsafe { Turn::assume(slots) };
    // SAFETY: invariant 1.
    turn.push(unsafe { slot.as_ref() }.index);
    turn
}

/// The reference of a set to its block.
pub(super) struct BlockRef(pub(super) Slots);

// SAFETY: the block is shared between threads by its protocol. What belongs to the set's thread is
// reached by a `Turn` only, for which the set is borrowed mutably.
unsafe impl Send for BlockRef {}
// SAFETY: as above; `&BlockRef` gives access to what any waker may do.
unsafe impl Sync for BlockRef {}

impl BlockRef {
    /// Makes a block for `len` children, of which the first `done` have finished.
    ///
    /// The thread with the mark `owner` is polling it, and goes on with [`resume`](Self::resume).
    ///
    /// If it fits into `room`, it lives there, and frees the allocation which that is a part of.
    pub(super) fn new(
        len: usize,
        done: usize,
        owner: usize,
        parent: Waker,
        room: Option<Room>,
    ) -> Self {
        Self(allocate(len, done, owner, parent, room))
    }

    /// Whether the block lives in the room that it was given: then it frees that allocation, and
    /// nobody else may.
    pub(super) fn is_housed(&self) -> bool {
        let this = header(self.0);
        NonNull::from(this).cast() != this.memory
    }

    /// The reference as a pointer to the first slot; [`from_raw`](Self::from_raw) takes it back.
    pub(super) fn into_raw(self) -> NonNull<Slot> {
        let slots = self.0;
        std::mem::forget(self);
        slots
    }

    /// Takes back the reference that [`into_raw`](Self::into_raw) gave.
    ///
    /// # Safety
    ///
    /// `slots` must come from there, and be taken back once.
    pub(super) unsafe fn from_raw(slots: NonNull<Slot>) -> Self {
        Self(slots)
    }

    /// Drops a block that nobody else knows; the room that it lives in is not freed.
    pub(super) fn discard(self) {
        let housed = self.is_housed();
        let slots = self.into_raw();
        match housed {
            true => empty(slots),
            false => free(slots),
        }
    }

    /// Begins a poll with `waker`: from now on until the turn ends, wakes of this thread are the turn's.
    ///
    /// Also takes all from the inbox.
    #[inline]
    pub(super) fn begin(&mut self, waker: &Waker) -> Turn<'_> {
        let old = self.register(waker);
        header(self.0).owner.store(thread_mark(), Ordering::Relaxed);
        let mut turn = Turn::new(self);
        turn.drain();
        drop(old);
        turn
    }

    /// Whether nobody was woken since the last poll, and `waker` is the parent's.
    #[inline(always)]
    pub(super) fn rests(&mut self, waker: &Waker) -> bool {
        let this = header(self.0);
        // Relaxed: a push that this does not see finds the inbox empty and wakes the parent.
        let empty =
            this.inbox.load(Ordering::Relaxed) >> SHIFT == 0 || fault("rests_without_a_look");
        empty && self.is_parent(waker) && Turn::new(self).last().is_none()
    }

    /// The turn of the poll in which the block was made.
    #[inline]
    pub(super) fn resume(&mut self) -> Turn<'_> {
        Turn::new(self)
    }

    /// The turn in which the children of a closed block are dropped, with their wakers.
    pub(super) fn clear(&mut self) -> Turn<'_> {
        header(self.0).owner.store(thread_mark(), Ordering::Relaxed);
        Turn::new(self)
    }
}

impl Drop for BlockRef {
    fn drop(&mut self) {
        let waker = self.close();
        let spare = self.resume().spare_refs();
        // If these are all there are, nobody is left who could take one more. Acquire: as in `free`.
        match header(self.0).refs.load(Ordering::Acquire) == 1 + spare {
            true => free(self.0),
            false => release_many(self.0, 1 + spare),
        }
        drop(waker);
    }
}
