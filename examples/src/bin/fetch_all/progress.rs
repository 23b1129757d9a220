//! How far one level is, on standard error.

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the URLs that were attempted: in place on a terminal, otherwise one line at the end.
#[derive(Debug)]
pub(crate) struct Progress {
    concurrency: usize,
    total: usize,
    done: AtomicUsize,
    terminal: bool,
}

impl Progress {
    pub(crate) fn new(concurrency: usize, total: usize) -> Self {
        let progress = Self {
            concurrency,
            total,
            done: AtomicUsize::new(0),
            terminal: io::stderr().is_terminal(),
        };
        progress.show(0);
        progress
    }

    /// One URL more was attempted.
    pub(crate) fn one_more(&self) {
        // Relaxed: a counter that orders nothing else.
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        // A hundred steps are enough for the eye, however long the list is.
        let percent = |done: usize| done * 100 / self.total;
        if percent(done) != percent(done - 1) {
            self.show(done);
        }
    }

    fn show(&self, done: usize) {
        if self.terminal {
            // One write, so that two threads do not mix their lines; if it fails, what of it.
            let line = format!(
                "\rconcurrency {}: {done} of {}",
                self.concurrency, self.total
            );
            let _ = io::stderr().write_all(line.as_bytes());
        }
    }

    /// All were attempted.
    pub(crate) fn end(&self) {
        if self.terminal {
            // Makes room for the row of the table.
            let _ = io::stderr().write_all(b"\r\x1b[K");
        } else {
            eprintln!(
                "concurrency {}: {} of {} attempted",
                self.concurrency,
                self.done.load(Ordering::Relaxed),
                self.total
            );
        }
    }
}
