//! A flag to wait for.
//!
//! # Shape
//!
//! The flag is an atomic; those who wait are listeners. One who waits looks at the flag, becomes a listener,
//! and looks again, so it misses no `set`; once it was notified it goes on whatever the flag says then.

use std::sync::atomic::{AtomicBool, Ordering};

use super::{enter, waiting_for};

/// A flag that tasks wait for until it is set.
///
/// Setting it releases everybody who waits, also if it is cleared at once. (asyncio's `Event`. Trio's has no
/// `clear`, because what was true when one was woken may be false when one looks; if you clear,
/// look again.)
///
/// # Examples
///
/// ```
/// use kumi::sync::Event;
///
/// # #[cfg(feature = "sim")]
/// # kumi::run_on(kumi::BackendKind::Sim, async {
/// let ready = Event::new();
/// let waits = async {
///     ready.wait().await;
///     assert!(ready.is_set());
/// };
/// kumi::gather((waits, async { ready.set() })).await;
/// # });
/// ```
#[derive(Debug, Default)]
pub struct Event {
    set: AtomicBool,
    waiting: event_listener::Event,
}

impl Event {
    /// An event that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets it, and wakes everybody who waits.
    pub fn set(&self) {
        // SeqCst here and below: who becomes a listener and then finds it not set is notified.
        if !self.set.swap(true, Ordering::SeqCst) {
            self.waiting.notify(usize::MAX);
        }
    }

    /// Makes those who come wait again; those who were released go on.
    pub fn clear(&self) {
        self.set.store(false, Ordering::SeqCst);
    }

    /// Whether it is set.
    pub fn is_set(&self) -> bool {
        self.set.load(Ordering::SeqCst)
    }

    /// Waits until it is set. If it is, this does not suspend.
    ///
    /// # Cancel safety
    ///
    /// Dropping the future loses nothing.
    pub async fn wait(&self) {
        enter().await;
        if self.is_set() {
            return;
        }
        let listener = self.waiting.listen();
        if !self.is_set() {
            waiting_for("an event", listener).await;
        }
    }
}
