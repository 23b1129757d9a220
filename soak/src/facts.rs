//! What a program has to tell while its system calls fail.
//!
//! The lines go into a file by `pwrite64`, which no fault is injected into: what is printed would meet the
//! faults of `write`.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Lines of facts, and errors that are counted.
#[derive(Debug)]
pub struct Facts {
    file: File,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    at: u64,
    errors: BTreeMap<(String, String), u64>,
}

impl Facts {
    /// Begins a file.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            file: File::create(path)?,
            state: Mutex::default(),
        })
    }

    /// Writes one line: a name, and what is to be known of it.
    ///
    /// # Panics
    ///
    /// If it cannot be written.
    pub fn say(&self, name: &str, what: impl Display) {
        let line = format!("{name} {what}\n");
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let written = self.file.write_all_at(line.as_bytes(), state.at);
        written.expect("the file takes it");
        state.at += line.len() as u64;
    }

    /// Counts an error of an operation.
    pub fn error(&self, operation: &str, error: &io::Error) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (operation.to_owned(), code(error));
        *state.errors.entry(key).or_default() += 1;
    }

    /// Writes the errors down: operation, number or name, how often.
    pub fn say_errors(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let errors = std::mem::take(&mut state.errors);
        drop(state);
        for ((operation, code), count) in errors {
            self.say("error", format_args!("{operation} {code} {count}"));
        }
    }
}

/// The number that the system gave, or the kind in one word.
#[must_use]
pub fn code(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(number) => number.to_string(),
        None => format!("{:?}", error.kind()),
    }
}
