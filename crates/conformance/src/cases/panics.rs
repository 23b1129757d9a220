//! A panic in every callback of a user's, in every primitive.
//!
//! Each time: the first panic goes on to whoever waits, every other is reported, once; the clean-ups
//! around run; siblings finish; nothing is kept; and the runtime still works. (What a single panic of a
//! task does is in [`panic`](super::panic).)

mod bodies;
mod closures;
mod dropped;
mod faulty;
mod wakers;

pub use self::bodies::{in_bodies, in_clean_ups};
pub use self::closures::{
    in_a_blocking_closure, in_the_body_of_a_group, in_the_body_of_a_scope, in_the_body_of_a_stack,
    in_the_child_of_a_start, in_the_handler_of_a_group, in_the_use_and_the_release,
};
pub use self::dropped::{after_errors_of_releases, in_a_drop};
pub(super) use self::faulty::unique;
pub use self::wakers::{in_the_drop_of_a_waker, in_the_wake_of_a_waker};
