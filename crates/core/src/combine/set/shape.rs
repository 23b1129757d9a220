//! How the children of a container, and what they return, lie in memory.
#![allow(unsafe_code, reason = "places that are filled one by one")]

use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// Memory behind the places of a container, in the same allocation.
#[derive(Debug, Clone, Copy)]
pub struct Room {
    /// The memory.
    pub(super) start: NonNull<u8>,
    pub(super) size: usize,
    /// The allocation that it is a part of.
    pub(super) base: NonNull<u8>,
    pub(super) layout: Layout,
}

/// The room of a `Vec` behind its values.
#[inline]
fn room<T>(places: &mut Vec<MaybeUninit<T>>) -> Option<Room> {
    let (len, capacity) = (places.len(), places.capacity());
    if size_of::<T>() == 0 || len == capacity {
        return None;
    }
    let base = NonNull::new(places.as_mut_ptr())?;
    Some(Room {
        // SAFETY: the allocation is not shorter than its values.
        start: unsafe { base.add(len) }.cast(),
        size: (capacity - len) * size_of::<T>(),
        base: base.cast(),
        layout: Layout::array::<T>(capacity).ok()?,
    })
}

/// A kind of container with children of one type; [`Heap`], [`Boxed`], [`Inline`] are all there are.
///
/// # Safety
///
/// `places` returns as many places as asked for, and the memory of `Places` does not move when it
/// is a `Vec`, or moves with the value, which its owner then pins.
pub unsafe trait Shape {
    /// Places for values.
    type Places<T>: AsMut<[MaybeUninit<T>]>;
    /// The container of values.
    type Container<T>;

    /// No places: what is left when they have been taken.
    fn none<T>() -> Self::Places<T>;

    /// So many empty places.
    fn places<T>(len: usize) -> Self::Places<T>;

    /// The container of `values`.
    ///
    /// # Panics
    ///
    /// If an array has another length.
    fn of_vec<T>(values: Vec<T>) -> Self::Container<T>;

    /// The memory that `places` have left over, if there is some.
    fn room<T>(places: &mut Self::Places<T>) -> Option<Room> {
        let _ = places;
        None
    }

    /// The container of the values in `places`.
    ///
    /// # Safety
    ///
    /// All places must be filled; they must be taken for empty afterwards.
    unsafe fn fill<T>(places: &mut Self::Places<T>) -> Self::Container<T>;
}

/// `Vec`.
#[derive(Debug)]
pub enum Heap {}

/// `Box<[T]>`.
#[derive(Debug)]
pub enum Boxed {}

/// An array.
#[derive(Debug)]
pub enum Inline<const N: usize> {}

/// A `Vec` of values, as one of places.
pub(super) fn into_places<T>(values: Vec<T>) -> Vec<MaybeUninit<T>> {
    let mut values = std::mem::ManuallyDrop::new(values);
    let (start, len, capacity) = (values.as_mut_ptr(), values.len(), values.capacity());
    // SAFETY: `MaybeUninit` has the layout of its value; the memory belongs to nobody else.
    unsafe { Vec::from_raw_parts(start.cast(), len, capacity) }
}

/// The values in the places.
///
/// # Safety
///
/// All places must be filled.
unsafe fn into_values<T>(places: Vec<MaybeUninit<T>>) -> Vec<T> {
    let mut places = std::mem::ManuallyDrop::new(places);
    let (start, len, capacity) = (places.as_mut_ptr(), places.len(), places.capacity());
    // SAFETY: as in `into_places`, and the values are there.
    unsafe { Vec::from_raw_parts(start.cast(), len, capacity) }
}

// SAFETY: `places` does as asked; the memory of a `Vec` stays where it is.
unsafe impl Shape for Heap {
    type Places<T> = Vec<MaybeUninit<T>>;
    type Container<T> = Vec<T>;

    fn none<T>() -> Self::Places<T> {
        Vec::new()
    }

    #[inline]
    fn room<T>(places: &mut Self::Places<T>) -> Option<Room> {
        room(places)
    }

    #[inline]
    fn of_vec<T>(values: Vec<T>) -> Self::Container<T> {
        values
    }

    #[inline]
    fn places<T>(len: usize) -> Self::Places<T> {
        let mut places = Vec::with_capacity(len);
        // SAFETY: places need no value.
        unsafe { places.set_len(len) };
        places
    }

    #[inline]
    unsafe fn fill<T>(places: &mut Self::Places<T>) -> Vec<T> {
        // SAFETY: by the caller.
        unsafe { into_values(std::mem::take(places)) }
    }
}

// SAFETY: as for `Heap`.
unsafe impl Shape for Boxed {
    type Places<T> = Vec<MaybeUninit<T>>;
    type Container<T> = Box<[T]>;

    fn none<T>() -> Self::Places<T> {
        Vec::new()
    }

    #[inline]
    fn room<T>(places: &mut Self::Places<T>) -> Option<Room> {
        room(places)
    }

    #[inline]
    fn of_vec<T>(values: Vec<T>) -> Self::Container<T> {
        values.into_boxed_slice()
    }

    #[inline]
    fn places<T>(len: usize) -> Self::Places<T> {
        Heap::places(len)
    }

    #[inline]
    unsafe fn fill<T>(places: &mut Self::Places<T>) -> Box<[T]> {
        // SAFETY: by the caller.
        unsafe { into_values(std::mem::take(places)) }.into_boxed_slice()
    }
}

// SAFETY: an array has `N` places, and is asked for so many; it moves with its owner.
unsafe impl<const N: usize> Shape for Inline<N> {
    type Places<T> = [MaybeUninit<T>; N];
    type Container<T> = [T; N];

    fn none<T>() -> Self::Places<T> {
        [const { MaybeUninit::uninit() }; N]
    }

    #[inline]
    fn of_vec<T>(values: Vec<T>) -> Self::Container<T> {
        values
            .try_into()
            .unwrap_or_else(|_| panic!("an array of another length"))
    }

    #[inline]
    fn places<T>(len: usize) -> Self::Places<T> {
        debug_assert_eq!(len, N);
        Self::none()
    }

    #[inline]
    unsafe fn fill<T>(places: &mut Self::Places<T>) -> [T; N] {
        // SAFETY: an array of places has the layout of one of values, and they are there.
        unsafe { std::ptr::from_mut(places).cast::<[T; N]>().read() }
    }
}
