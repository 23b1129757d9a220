//! What was measured, and what is not as it should be.

use std::fmt::Debug;
use std::time::Duration;

/// The checks of a run: lines of what was measured, and the number of those that failed.
#[derive(Debug, Default)]
pub struct Checks {
    passed: usize,
    failed: usize,
}

impl Checks {
    /// Says what was measured.
    pub fn line(&self, text: &str) {
        println!("   {text}");
    }

    /// Says how long `count` things took, and each of them.
    pub fn time(&self, what: &str, count: usize, took: Duration) {
        let each = took.as_nanos() / count.max(1) as u128;
        println!("   {what}: {:.3} s, {each} ns each", took.as_secs_f64());
    }

    /// Checks that something is so; `text` says how it is instead.
    pub fn that(&mut self, holds: bool, text: impl FnOnce() -> String) {
        match holds {
            true => self.passed += 1,
            false => {
                self.failed += 1;
                println!("FAILED {}", text());
            }
        }
    }

    /// Checks that two values are the same.
    pub fn equal<T: PartialEq + Debug>(&mut self, what: &str, found: T, expected: T) {
        let holds = found == expected;
        self.that(holds, || {
            format!("{what}: {found:?} instead of {expected:?}")
        });
    }

    /// How many checks have passed.
    #[must_use]
    pub fn passed(&self) -> usize {
        self.passed
    }

    /// How many checks have failed.
    #[must_use]
    pub fn failed(&self) -> usize {
        self.failed
    }
}
