//! What only some tasks have, in front of their header: the others do not pay for it.
//!
//! # Invariant
//!
//! The word `extra` of a cell's `VTable` is zero, or the distance in bytes from an [`Extra`] to the header,
//! in the same allocation ([`Extended`]). So whoever may look at the header may look at it.
#![allow(
    unsafe_code,
    reason = "a field in front of the header; see the invariant"
)]

use std::mem::offset_of;
use std::ptr::NonNull;
use std::task::Waker;

use super::header::Header;
use crate::context::Vars;
use crate::loom::UnsafeCell;

/// See the module.
pub(crate) struct Extra {
    /// The waker of the host, if a host polls the job; see invariant 4 of the state word.
    pub(super) host_waker: UnsafeCell<Option<Waker>>,
    /// The values that were in force where the task was spawned.
    pub(super) vars: Option<Vars>,
}

impl Extra {
    #[inline]
    pub(crate) fn new(vars: Option<Vars>) -> Self {
        Self {
            host_waker: UnsafeCell::new(None),
            vars,
        }
    }

    /// Lends what is in front of the header, if anything is.
    #[inline]
    pub(super) fn of(header: &NonNull<Header>) -> Option<&Self> {
        // SAFETY: its holder is borrowed, and has a reference.
        let distance = unsafe { header.as_ref() }.vtable.extra;
        if distance == 0 {
            return None;
        }
        // SAFETY: by the invariant it is there; the pointer was made from the whole allocation.
        let extra = unsafe { header.byte_sub(distance) }.cast::<Self>();
        // SAFETY: it lives as long as the header.
        Some(unsafe { extra.as_ref() })
    }
}

/// A cell with an [`Extra`].
#[repr(C)]
pub(crate) struct Extended<C> {
    pub(crate) extra: Extra,
    pub(crate) cell: C,
}

impl<C> Extended<C> {
    /// How far the cell lies behind the extra.
    pub(crate) const DISTANCE: usize = offset_of!(Self, cell);
}
