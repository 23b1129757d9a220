//! The switch and the limits.

use std::ffi::OsStr;
use std::sync::Once;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::time::Duration;

use super::registry;

/// Not asked for yet: the environment decides.
const UNKNOWN: u8 = 0;
const OFF: u8 = 1;
const ON: u8 = 2;

// The three say nothing about other memory, so no access needs an ordering.
static MODE: AtomicU8 = AtomicU8::new(UNKNOWN);
static SLOW: AtomicU64 = AtomicU64::new(nanos(Duration::from_millis(100)));
static BLOCKED: AtomicU64 = AtomicU64::new(nanos(Duration::from_secs(5)));

/// Whether debug mode is on.
///
/// The first question reads the environment; see the [module's docs](super).
#[must_use]
#[inline]
pub fn is_debug() -> bool {
    MODE.load(Ordering::Relaxed) != OFF && is_really_on()
}

#[cold]
fn is_really_on() -> bool {
    read_environment();
    // Models have no threads of the system, and so no watchdog.
    MODE.load(Ordering::Relaxed) == ON && !cfg!(loom)
}

/// Turns debug mode on or off, for the process; stronger than the environment.
///
/// (asyncio's `loop.set_debug`, which is for one loop.) Tasks that exist already keep what they were
/// spawned with, but nothing is reported of them while it is off.
///
/// # Examples
///
/// ```
/// use kumi_core::debug;
///
/// debug::set_debug(true);
/// assert!(debug::is_debug());
/// # debug::set_debug(false);
/// ```
pub fn set_debug(on: bool) {
    read_environment();
    MODE.store(if on { ON } else { OFF }, Ordering::Relaxed);
}

/// Returns how long a poll may take before it is reported.
#[must_use]
pub fn slow_callback_duration() -> Duration {
    read_environment();
    Duration::from_nanos(SLOW.load(Ordering::Relaxed))
}

/// Sets how long a poll may take before it is reported. 100 ms by default.
///
/// (asyncio's `loop.slow_callback_duration`.) Measured in real time, in the simulator too.
/// [`Duration::MAX`] is never.
pub fn set_slow_callback_duration(limit: Duration) {
    read_environment();
    SLOW.store(nanos(limit), Ordering::Relaxed);
}

/// Returns how long a poll may go on before the watchdog reports that it blocks its thread.
#[must_use]
pub fn blocked_after() -> Duration {
    read_environment();
    Duration::from_nanos(BLOCKED.load(Ordering::Relaxed))
}

/// Sets how long a poll may go on before the watchdog reports that it blocks its thread. 5 s by default.
///
/// Also how long a loop may have nothing to wait for before it says so. [`Duration::MAX`] is never.
pub fn set_blocked_after(limit: Duration) {
    read_environment();
    BLOCKED.store(nanos(limit), Ordering::Relaxed);
    // The watchdog may be asleep until the old limit, or on its way there: it has read the limit and
    // holds the lock until it sleeps.
    registry::ring(&registry::lock());
}

/// The longest time that fits stands for "never".
const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}

/// Reads the environment, once.
fn read_environment() {
    static READ: Once = Once::new();
    READ.call_once(|| {
        let read = |name| std::env::var_os(name).unwrap_or_default();
        let on = says_on(&read("KUMI_DEBUG"));
        MODE.store(if on { ON } else { OFF }, Ordering::Relaxed);
        for (name, limit) in [
            ("KUMI_DEBUG_SLOW_MS", &SLOW),
            ("KUMI_DEBUG_BLOCKED_MS", &BLOCKED),
        ] {
            if let Some(set) = milliseconds(&read(name)) {
                limit.store(nanos(set), Ordering::Relaxed);
            }
        }
    });
}

fn says_on(value: &OsStr) -> bool {
    !value.is_empty() && value != "0"
}

/// A limit from the environment; what is no number is as good as none.
fn milliseconds(value: &OsStr) -> Option<Duration> {
    value.to_str()?.parse().ok().map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_switch_is_on_unless_empty_or_zero() {
        for (value, on) in [("", false), ("0", false), ("1", true), ("yes", true)] {
            assert_eq!(says_on(OsStr::new(value)), on, "{value:?}");
        }
    }

    #[test]
    fn a_limit_is_a_number_of_milliseconds() {
        let read = |value| milliseconds(OsStr::new(value));
        assert_eq!(read("250"), Some(Duration::from_millis(250)));
        assert_eq!(read("0"), Some(Duration::ZERO));
        for none in ["", "fast", "-1", "1.5"] {
            assert_eq!(read(none), None, "{none:?}");
        }
    }

    #[test]
    fn never_is_a_limit() {
        assert_eq!(nanos(Duration::MAX), u64::MAX);
        assert_eq!(nanos(Duration::from_micros(7)), 7_000);
    }
}
