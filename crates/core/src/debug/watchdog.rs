//! The thread that looks for polls that do not end.
//!
//! It sleeps until the oldest poll that it knows would be too old, and looks then. Polls that begin later
//! are due later, so none has to tell it, but the first after a time without any: so a program pays for
//! one wake-up of this thread per limit.
//!
//! It begins with the first poll that there is to watch, and ends at once when no runtime is owned, no
//! task that was spawned in debug mode is left, and no poll goes on.

use std::sync::MutexGuard;
use std::thread;
use std::time::{Duration, Instant};

use super::blocked_after;
use super::registry::{self, Registry, ring};
use crate::report::{Report, report};

/// What the thread is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// There is none.
    Gone,
    /// It looks from time to time.
    Awake,
    /// It waits until somebody tells it that there is something to look at.
    Asleep,
}

/// Makes the watchdog see the poll that has just been entered.
#[inline]
pub(super) fn attend(registry: &mut Registry) {
    match registry.watchdog {
        State::Awake => {}
        State::Asleep => {
            registry.watchdog = State::Awake;
            ring(registry);
        }
        State::Gone => {
            let started = thread::Builder::new()
                .name("kumi-watchdog".to_owned())
                .spawn(watch);
            // If the system has no thread for it, the next poll tries again.
            if started.is_ok() {
                registry.watchdog = State::Awake;
            }
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "what blocks a thread is real time, in the simulator too"
)]
fn watch() {
    let mut registry = registry::lock();
    while !registry.is_over() {
        let limit = blocked_after();
        let (found, next) = look(&mut registry, Instant::now(), limit);
        if !found.is_empty() {
            drop(registry);
            found.iter().for_each(report);
            registry = registry::lock();
            continue;
        }
        if next.is_none() {
            registry.watchdog = State::Asleep;
        }
        registry = registry::wait(registry, next);
    }
    registry.watchdog = State::Gone;
}

/// Finds the polls that are too old at `now` and were not reported before, and how long it is until
/// the next one will be.
fn look(
    registry: &mut MutexGuard<'_, Registry>,
    now: Instant,
    limit: Duration,
) -> (Vec<Report>, Option<Duration>) {
    let (mut found, mut next) = (Vec::new(), None::<Duration>);
    for (_, poll) in &mut registry.polls {
        let Some(began) = poll.began.filter(|_| !poll.told) else {
            continue;
        };
        let since = now.saturating_duration_since(began);
        match limit.checked_sub(since) {
            Some(left) if !left.is_zero() => {
                next = Some(next.map_or(left, |next| next.min(left)));
            }
            _ => {
                poll.told = true;
                let thread = poll.thread.name().unwrap_or("without a name");
                found.push(Report::PollBlocked {
                    task: poll.task.clone(),
                    since,
                    thread: thread.to_owned(),
                });
            }
        }
    }
    (found, next)
}
