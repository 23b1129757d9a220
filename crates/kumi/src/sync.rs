//! Synchronisation between tasks, from a library that keeps it well: `async-lock`.
//!
//! Its types know no executor, so they mean the same on every backend. They know nothing of scopes
//! either: what is free is taken also in a scope that was asked to end, and the code goes on to its next
//! await.

pub use async_lock::{Barrier, Mutex, RwLock, Semaphore};
