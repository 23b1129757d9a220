//! Where a task was spawned, and its name if it has one, in one word: nearly every task is anonymous, and
//! each parked one pays for this.
//!
//! # Invariant
//!
//! The pointer is that of a `&'static Location`; or, one byte further, it came from `Arc::into_raw` of a
//! [`Named`] and is worth one reference. Both are aligned to more than a byte, which tells them apart.
#![allow(unsafe_code, reason = "a tagged pointer; see the invariant")]

use std::mem::ManuallyDrop;
use std::panic::Location;
use std::ptr::NonNull;
use std::sync::Arc;

/// The difference that the tag makes.
const TAG: usize = 1;

const _: () = assert!(align_of::<Location<'static>>() > TAG && align_of::<Named>() > TAG);

/// See the module.
pub(super) struct Origin(NonNull<u8>);

struct Named {
    name: String,
    location: &'static Location<'static>,
}

// SAFETY: it stands for a `&'static Location` or an `Arc<Named>`, which are both `Send` and `Sync`.
unsafe impl Send for Origin {}
// SAFETY: as above.
unsafe impl Sync for Origin {}

impl Origin {
    #[inline(always)]
    pub(super) fn new(name: Option<String>, location: &'static Location<'static>) -> Self {
        match name {
            None => Self(NonNull::from(location).cast()),
            Some(name) => Self::named(Named { name, location }),
        }
    }

    #[cold]
    fn named(named: Named) -> Self {
        let pointer = Arc::into_raw(Arc::new(named)).cast::<u8>().cast_mut();
        let pointer = NonNull::new(pointer).expect("an `Arc` is somewhere");
        // SAFETY: it points to a value of more than a byte, so this stays in it.
        Self(unsafe { pointer.byte_add(TAG) })
    }

    #[inline]
    fn as_named(&self) -> Option<ManuallyDrop<Arc<Named>>> {
        if self.0.addr().get() % 2 != TAG {
            return None;
        }
        // SAFETY: by the invariant, it was one byte less.
        let pointer = unsafe { self.0.as_ptr().byte_sub(TAG) };
        // SAFETY: by the invariant. The result is not dropped, so the reference stays this one's.
        Some(ManuallyDrop::new(unsafe {
            Arc::from_raw(pointer.cast::<Named>())
        }))
    }

    pub(super) fn name(&self) -> Option<&str> {
        let named = self.as_named()?;
        // SAFETY: it lives as long as the reference, which is this one's.
        Some(unsafe { &*Arc::as_ptr(&named) }.name.as_str())
    }

    pub(super) fn location(&self) -> &'static Location<'static> {
        match self.as_named() {
            Some(named) => named.location,
            // SAFETY: by the invariant.
            None => unsafe { self.0.cast().as_ref() },
        }
    }
}

impl Clone for Origin {
    #[inline]
    fn clone(&self) -> Self {
        // One more reference, which is the clone's.
        let _named = self.as_named().map(|named| ManuallyDrop::clone(&named));
        Self(self.0)
    }
}

impl Drop for Origin {
    #[inline]
    fn drop(&mut self) {
        // The reference was this one's.
        drop(self.as_named().map(ManuallyDrop::into_inner));
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    #[test]
    fn it_is_one_word_and_knows_both() {
        assert_eq!(size_of::<Option<Origin>>(), size_of::<usize>());
        let here = Location::caller();
        let plain = Origin::new(None, here);
        assert_eq!((plain.name(), plain.location()), (None, here));
        let named = Origin::new(Some("io".to_owned()), here);
        let clone = named.clone();
        let count = |origin: &Origin| Arc::strong_count(&origin.as_named().unwrap());
        assert_eq!(count(&named), 2);
        drop(named);
        assert_eq!(count(&clone), 1);
        assert_eq!((clone.name(), clone.location()), (Some("io"), here));
        assert!(plain.clone().as_named().is_none());
    }
}
