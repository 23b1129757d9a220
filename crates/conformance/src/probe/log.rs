//! What happened, in order.

use std::sync::{Arc, Mutex};

use super::lock;

/// A list of events; clones write into the same one.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<&'static str>>>);

impl Log {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an event.
    pub(crate) fn note(&self, event: &'static str) {
        lock(&self.0).push(event);
    }

    /// Returns what was noted so far.
    pub(crate) fn read(&self) -> Vec<&'static str> {
        lock(&self.0).clone()
    }

    /// Whether the event was noted.
    pub(crate) fn has(&self, event: &str) -> bool {
        lock(&self.0).contains(&event)
    }
}
