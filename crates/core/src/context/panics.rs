//! Panics of destructors and clean-ups: where they go on, and what is reported of the others.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::current_task;
use crate::report::{Report, report};
use crate::util::{discard, panic_message};

/// Runs `first`, which drops something of a user's, and then `second`, although the first panics; its
/// panic goes on at the end, and that of the second is reported.
#[inline]
pub(crate) fn drop_then(first: impl FnOnce(), second: impl FnOnce()) {
    let first = catch_unwind(AssertUnwindSafe(first)).err();
    let second = catch_unwind(AssertUnwindSafe(second)).err();
    match (first, second) {
        (Some(first), second) => {
            if let Some(second) = second {
                report_panic(second);
            }
            go_on(first);
        }
        (None, Some(second)) => go_on(second),
        (None, None) => {}
    }
}

/// Goes on with a panic inside of a destructor: reports it if that would end the process, because
/// another one is on its way.
pub(crate) fn go_on(panic: Box<dyn Any + Send>) {
    match std::thread::panicking() {
        true => report_panic(panic),
        false => resume_unwind(panic),
    }
}

/// Reports a panic of a clean-up that nobody is left to go on with.
pub(crate) fn report_panic(panic: Box<dyn Any + Send>) {
    let task = current_task().map(|task| task.info().clone());
    let message = panic_message(&*panic).to_owned();
    report(&Report::PanicInCleanUp { task, message });
    discard(panic);
}
