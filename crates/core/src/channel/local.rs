//! Bounded channels whose ends stay on one thread.
//!
//! The same as [`bounded`](super::bounded), without anything that threads need: a message costs less than
//! half. The ends are not `Send`, so this is for tasks that are not either
//! ([`spawn_local`](crate::task::SpawnLocalExt::spawn_local)), for children in place
//! ([`gather`](crate::combine::gather), [`scope`](crate::group::scope)), and for what one task has to say to
//! itself. Nobody can block the thread to wait, since nobody else could end that.
//!
//! # Examples
//!
//! ```
//! use kumi_core::channel::local;
//! use kumi_core::combine::gather;
//! use kumi_core::runtime::Runtime;
//!
//! kumi_sim::Sim::new().block_on(async {
//!     let (sender, receiver) = local::bounded(1);
//!     let sends = async move {
//!         for number in 0..5 {
//!             sender.send(number).await.unwrap();
//!         }
//!     };
//!     let receives = async {
//!         let mut sum = 0;
//!         while let Ok(number) = receiver.recv().await {
//!             sum += number;
//!         }
//!         sum
//!     };
//!     assert_eq!(gather((sends, receives)).await.1, 10);
//! });
//! ```
//!
//! It does not leave its thread:
//!
//! ```compile_fail,E0277
//! let (sender, receiver) = kumi_core::channel::local::bounded(1);
//! std::thread::spawn(move || sender.try_send(1));
//! # drop(receiver);
//! ```

use super::sharing::OneThread;

/// The end that sends: see [`channel::Sender`](super::Sender).
pub type Sender<T> = super::Sender<T, OneThread>;

/// The end that receives: see [`channel::Receiver`](super::Receiver).
pub type Receiver<T> = super::Receiver<T, OneThread>;

/// A channel between the tasks of one thread, that holds at most `capacity` values.
///
/// # Panics
///
/// As [`bounded`](super::bounded).
#[must_use]
pub fn bounded<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    super::make(capacity)
}
