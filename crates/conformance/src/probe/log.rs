//! What happened, in order.

use std::future::{Future, poll_fn};
use std::pin::Pin;
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

    /// Returns what was noted so far, and forgets it.
    pub(crate) fn drain(&self) -> Vec<&'static str> {
        std::mem::take(&mut lock(&self.0))
    }

    /// Notes `event` at each poll of `future`.
    pub(crate) fn polls<F: Future + Unpin>(
        &self,
        event: &'static str,
        mut future: F,
    ) -> impl Future<Output = F::Output> + Unpin + use<F> {
        let log = self.clone();
        poll_fn(move |cx| {
            log.note(event);
            Pin::new(&mut future).poll(cx)
        })
    }

    /// Whether the event was noted.
    pub(crate) fn has(&self, event: &str) -> bool {
        lock(&self.0).contains(&event)
    }
}
