//! A thread that the system did not give is asked for again, by a task that sleeps in between.

use std::sync::Arc;
use std::time::Duration;

use super::worker::Inner;
use crate::runtime::Runtime;
use crate::task::TaskBuilder;

/// The first pause; each is twice as long as the one before.
const FIRST: Duration = Duration::from_millis(1);

/// No pause is longer.
const LONGEST: Duration = Duration::from_secs(1);

/// While it lives, the pool counts on it.
struct Retry {
    pool: Arc<Inner>,
    done: bool,
}

impl Drop for Retry {
    fn drop(&mut self) {
        if !self.done {
            let orphans = self.pool.give_up_retry();
            drop(orphans);
        }
    }
}

/// Starts the task, after the pool was told that it begins.
pub(super) fn start<R: Runtime>(runtime: &R, pool: &Arc<Inner>) {
    let mut retry = Retry {
        pool: Arc::clone(pool),
        done: false,
    };
    let clock = runtime.clone();
    let task = async move {
        let mut pause = FIRST;
        while !retry.done {
            clock.sleep(pause).await;
            retry.done = retry.pool.retry();
            pause = (pause * 2).min(LONGEST);
        }
    };
    TaskBuilder::new()
        .name("start a thread for blocking work")
        .spawn_on(runtime, task)
        .detach();
}
