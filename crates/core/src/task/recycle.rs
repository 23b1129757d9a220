//! Memory for task cells: what one task leaves, the next one on the thread takes.
//!
//! A program that spawns frees as many cells as it allocates, of a few sizes, thousands at a time;
//! the general allocator pays for that with locks and searches that cells do not need. So a freed
//! cell goes to a list of its size class, kept by the thread that freed it, up to [`KEEP`] blocks per
//! class; what exceeds that, and cells that are large or oddly aligned, go to the general allocator.
//! When the thread ends, so do its lists. What it gains stands in `ARCHITECTURE.md`.
//!
//! With debug assertions on everything goes to the general allocator, so that memory checkers see
//! each cell come and go.
//!
//! # Invariants
//!
//! 1. A block in a list is unused memory of [`STEP`] times its class bytes, aligned to [`ALIGN`], and
//!    was allocated with just that layout; its first word is the link to the next block.
//! 2. Lists are touched by their own thread only.
#![allow(unsafe_code, reason = "raw memory of task cells; see the invariants")]

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

/// The difference between two size classes, in bytes.
const STEP: usize = 32;

/// How many classes there are: cells up to 512 bytes are recycled.
const CLASSES: usize = 16;

/// The alignment of recycled blocks.
const ALIGN: usize = 16;

/// How many blocks a thread keeps per class: with all classes full, about 4 MiB.
const KEEP: usize = 1024;

/// A link, written into an unused block.
type Link = Option<NonNull<Block>>;

struct Block {
    next: Link,
}

/// The unused blocks of one class.
struct List {
    head: Cell<Link>,
    blocks: Cell<usize>,
}

struct Lists([List; CLASSES]);

thread_local! {
    static LISTS: Lists = const {
        Lists([const { List { head: Cell::new(None), blocks: Cell::new(0) } }; CLASSES])
    };
}

/// The class of blocks for `layout`, if it is recycled.
#[inline]
fn class_of(layout: Layout) -> Option<usize> {
    let recycled = !cfg!(debug_assertions) && layout.align() <= ALIGN && layout.size() > 0;
    let class = layout.size().div_ceil(STEP);
    (recycled && class <= CLASSES).then(|| class - 1)
}

/// The layout of the blocks of `class`.
#[inline]
fn block(class: usize) -> Layout {
    Layout::from_size_align((class + 1) * STEP, ALIGN).expect("a small size, a power of two")
}

/// Gives unused memory for a `T`.
#[inline]
pub(crate) fn allocate<T>() -> NonNull<T> {
    let layout = Layout::new::<T>();
    let class = class_of(layout);
    let recycled = class.and_then(|class| LISTS.try_with(|lists| lists.0[class].pop()).ok()?);
    // Either it is from a list, and invariant 1 says that it is large and aligned enough, or it is allocated
    // with a layout at least that of `T`.
    recycled.map_or_else(|| fresh(class.map_or(layout, block)), NonNull::cast)
}

#[cold]
fn fresh<T>(layout: Layout) -> NonNull<T> {
    assert!(layout.size() > 0, "a cell is never empty: it has a header");
    // SAFETY: the size is not zero.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

/// Memory that was [allocated](allocate) for a `T`; when this is dropped, it is given back. The `T` is not
/// dropped.
pub(crate) struct Memory<T>(NonNull<T>);

impl<T> Memory<T> {
    /// Takes the memory over.
    ///
    /// # Safety
    ///
    /// It came from [`allocate`] for the same type, and is not used any more when this is dropped.
    #[inline]
    pub(crate) unsafe fn new(memory: NonNull<T>) -> Self {
        Self(memory)
    }
}

impl<T> Drop for Memory<T> {
    #[inline]
    fn drop(&mut self) {
        let layout = Layout::new::<T>();
        let Some(class) = class_of(layout) else {
            // SAFETY: it was allocated with the layout of `T`, in `allocate`.
            return unsafe { dealloc(self.0.cast().as_ptr(), layout) };
        };
        let kept = LISTS.try_with(|lists| lists.0[class].push(self.0.cast()));
        if kept != Ok(true) {
            // SAFETY: blocks of a class are allocated with the layout of the class.
            unsafe { dealloc(self.0.cast().as_ptr(), block(class)) };
        }
    }
}

impl List {
    #[inline]
    fn pop(&self) -> Link {
        let head = self.head.get()?;
        // SAFETY: invariant 1: the first word of a block in the list is its link.
        let next = unsafe { head.as_ref() }.next;
        self.head.set(next);
        self.blocks.set(self.blocks.get() - 1);
        Some(head)
    }

    /// Keeps a block; false if the list is full.
    #[inline]
    fn push(&self, memory: NonNull<Block>) -> bool {
        if self.blocks.get() >= KEEP {
            return false;
        }
        // SAFETY: the block is unused, and a word fits into the smallest class.
        unsafe {
            memory.write(Block {
                next: self.head.get(),
            })
        };
        self.head.set(Some(memory));
        self.blocks.set(self.blocks.get() + 1);
        true
    }
}

impl Drop for Lists {
    fn drop(&mut self) {
        for (class, list) in self.0.iter().enumerate() {
            while let Some(memory) = list.pop() {
                // SAFETY: invariant 1: blocks of a class are allocated with the layout of the class.
                unsafe { dealloc(memory.cast().as_ptr(), block(class)) };
            }
        }
    }
}
