//! Whether a type is `Send` and `Sync`, as a row of a table that says so.

use std::marker::PhantomData;

/// Tells whether a type has a trait: the method of the type itself is taken where its bound holds, and else
/// that of the trait.
pub(crate) struct Is<T: ?Sized>(pub(crate) PhantomData<T>);

macro_rules! tells {
    ($method:ident, $fallback:ident, $($bound:tt)+) => {
        impl<T: ?Sized + $($bound)+> Is<T> {
            #[allow(dead_code, reason = "nobody has it")]
            pub(crate) const fn $method(&self) -> bool {
                true
            }
        }

        pub(crate) trait $fallback {
            fn $method(&self) -> bool {
                false
            }
        }

        impl<T: ?Sized> $fallback for &Is<T> {}
    };
}

tells!(is_send, MayBeSend, Send);
tells!(is_sync, MayBeSync, Sync);

pub(crate) const fn is_unpin<T: Unpin>() {}

/// A row: for values that are `Send + Sync`, `Send` only, and neither.
macro_rules! row {
    ($($type:ident)::+ $(<$lifetime:lifetime>)?: $both:literal, $send:literal, $neither:literal) => {
        row!(@ $($type)::+<$($lifetime,)? u8>, $both);
        row!(@ $($type)::+<$($lifetime,)? Cell<u8>>, $send);
        row!(@ $($type)::+<$($lifetime,)? Rc<u8>>, $neither);
    };
    (no value, $type:ty: $expected:literal) => {
        row!(@ $type, $expected);
    };
    (@ $type:ty, $expected:literal) => {
        let is = &Is::<$type>(PhantomData);
        let mut has = String::new();
        if is.is_send() {
            has += "Send ";
        }
        if is.is_sync() {
            has += "Sync ";
        }
        is_unpin::<$type>();
        assert_eq!(has.trim_end(), $expected, "{}", stringify!($type));
    };
}
