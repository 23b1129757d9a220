//! A future that stays on its thread, in a cell that may travel.
//!
//! [`Home`] makes a `!Send` future `Send` by refusing, at run time, to touch it anywhere but on the
//! thread where it was made: polled elsewhere it panics, dropped elsewhere it leaks and reports.
//! So wakers, handles and queues of local tasks may cross threads like any others.
#![allow(
    unsafe_code,
    reason = "one `Send` impl and one pin projection, both guarded by the thread check"
)]

use std::future::Future;
use std::mem::ManuallyDrop;
use std::pin::Pin;
use std::task::{Context, Poll};

use crate::report::{Report, report};
use crate::runtime::TaskInfo;
use crate::util::thread_number;

/// A future bound to the thread where it was wrapped.
pub(crate) struct Home<F> {
    thread: u64,
    info: TaskInfo,
    future: ManuallyDrop<F>,
}

// SAFETY: the future is reached only in `poll` and `drop`, and both look first whether this is the
// thread it was made on; thread numbers are never used again.
unsafe impl<F> Send for Home<F> {}

impl<F> Home<F> {
    pub(crate) fn new(info: TaskInfo, future: F) -> Self {
        Self {
            thread: thread_number(),
            info,
            future: ManuallyDrop::new(future),
        }
    }
}

impl<F: Future> Future for Home<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        // SAFETY: nothing is moved out of the pinned reference.
        let this = unsafe { self.get_unchecked_mut() };
        assert!(
            this.thread == thread_number(),
            "{} is bound to its thread and was run on another one: its backend must run local jobs \
             where they were spawned",
            this.info
        );
        // SAFETY: the future is pinned with the whole, and is dropped in place or never.
        let future = unsafe { Pin::new_unchecked(&mut *this.future) };
        future.poll(cx)
    }
}

impl<F> Drop for Home<F> {
    fn drop(&mut self) {
        if self.thread == thread_number() {
            // SAFETY: this is the only place that drops it, and it runs once.
            unsafe { ManuallyDrop::drop(&mut self.future) };
        } else {
            report(&Report::LocalLeaked {
                task: self.info.clone(),
            });
        }
    }
}
