//! Executors that live for ever, lent to one runtime at a time.
//!
//! `async-executor`'s [`StaticExecutor`] keeps no list of its tasks, which Kumi keeps anyway, and so
//! spends a lock and a wrapper less on each. The price is that it has to be `'static`. So executors
//! are never freed: a runtime borrows one, and when its last handle is gone, which is when its last
//! task is gone, the executor, empty, waits for the next. There are as many as there ever were
//! runtimes at the same time.

use std::sync::Mutex;

use async_executor::StaticExecutor;

use crate::local::lock;

/// The executors that nobody uses.
static FREE: Mutex<Vec<&'static StaticExecutor>> = Mutex::new(Vec::new());

/// An executor, for as long as this value lives.
#[derive(Debug)]
pub(crate) struct Lent(&'static StaticExecutor);

impl Lent {
    /// Takes an executor that nobody uses, or a new one.
    pub(crate) fn new() -> Self {
        let free = lock(&FREE).pop();
        Self(free.unwrap_or_else(|| Box::leak(Box::default())))
    }

    pub(crate) fn get(&self) -> &'static StaticExecutor {
        self.0
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        lock(&FREE).push(self.0);
    }
}
