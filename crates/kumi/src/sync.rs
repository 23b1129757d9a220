//! Synchronisation between tasks, from a library that keeps it well: `async-lock`.
//!
//! Its types know no executor, so they mean the same on every backend.

pub use async_lock::{Barrier, Mutex, RwLock, Semaphore};
