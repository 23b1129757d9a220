//! Runs one case: on every round of a harness, and not for ever.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use kumi_core::runtime::{Owned, Runtime};

use crate::{Capability, Harness, reports};

/// How long a round of a case may take: a lost wake-up takes for ever, and many rounds as long as they take.
const LIMIT: Duration = Duration::from_secs(30);

/// Makes a runtime for a case that starts and ends runtimes itself.
pub type Fresh<'a, R> = &'a dyn Fn() -> Owned<R>;

/// Runs `case` once for each round of the harness that `make` returns.
///
/// It runs on a thread of its own, named `name`. A case that needs something which the harness
/// [lacks](Harness::lacks) is skipped, with a line on standard error.
/// The macros call this; call it yourself to put the cases behind another test runner.
///
/// # Panics
///
/// With the panic of the case; or, with its name, if one of its rounds has not ended after thirty
/// seconds.
/// Its thread is then left behind.
pub fn check<H, C>(name: &'static str, make: fn() -> H, needs: &'static [Capability], case: C)
where
    H: Harness + 'static,
    C: Fn(Fresh<'_, H::Runtime>) + Send + 'static,
{
    reports::install();
    let body = move |round_ended: &dyn Fn()| {
        let harness = make();
        let lacking = needs.iter().find(|need| harness.lacks().contains(need));
        if let Some(need) = lacking {
            eprintln!("skipped `{name}`: the harness lacks {need:?}");
            return;
        }
        for round in 0..harness.rounds() {
            let fresh = || harness.fresh(round);
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| case(&fresh))) {
                eprintln!("`{name}` failed in round {round} of {}", harness.rounds());
                resume_unwind(panic);
            }
            round_ended();
        }
    };
    limited(name, LIMIT, body);
}

/// Runs `case` inside the `block_on` of a fresh runtime, then drops the runtime.
pub fn run<R: Runtime>(fresh: Fresh<'_, R>, case: impl AsyncFnOnce(R)) {
    let owner = fresh();
    owner.block_on(case(owner.handle()));
}

/// Runs `body` on a thread of its own, but waits no longer than `limit` for it to end, or to call what it is
/// given, after which it has as long again.
fn limited(name: &str, limit: Duration, body: impl FnOnce(&dyn Fn()) + Send + 'static) {
    let (told, tells) = mpsc::channel();
    let run = move || {
        // The receiver is gone if the case was too slow; nobody is left to be told.
        let tell = |end| drop(told.send(end));
        let ended = catch_unwind(AssertUnwindSafe(|| body(&|| tell(None))));
        tell(Some(ended));
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    let thread = spawned.expect("the system gives a thread");
    let ended = loop {
        match tells.recv_timeout(limit) {
            Ok(None) => {}
            Ok(Some(ended)) => break Ok(ended),
            Err(error) => break Err(error),
        }
    };
    match ended {
        Ok(result) => {
            // Thread-locals are torn down, and with them what the runtime keeps there.
            thread.join().expect("the panic of a case is caught");
            if let Err(panic) = result {
                resume_unwind(panic);
            }
        }
        Err(RecvTimeoutError::Timeout) => panic!("`{name}` has not ended after {limit:?}"),
        Err(RecvTimeoutError::Disconnected) => unreachable!("the thread always sends"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(f: impl FnOnce()) -> String {
        let panic = catch_unwind(AssertUnwindSafe(f)).expect_err("it has to panic");
        match panic.downcast::<String>() {
            Ok(text) => *text,
            Err(panic) => (*panic.downcast::<&str>().expect("a text")).to_owned(),
        }
    }

    #[test]
    fn a_panic_reaches_the_test() {
        let failed = || limited("a::b", LIMIT, |_| panic!("clause broken"));
        assert_eq!(message(failed), "clause broken");
    }

    #[test]
    fn a_hang_fails_by_name() {
        let (release, wait) = mpsc::channel::<()>();
        let limit = Duration::from_millis(10);
        let hang = || {
            limited("a::b", limit, move |round_ended| {
                round_ended();
                let _ = wait.recv();
            })
        };
        assert!(message(hang).contains("`a::b` has not ended"));
        drop(release);
    }
}
