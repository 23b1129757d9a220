//! The threads of an executor: each drives it until it is told to stop.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::thread;

use async_executor::StaticExecutor;

use crate::local::lock;

/// Tells the threads to stop.
#[derive(Debug, Default)]
pub(crate) struct Stop(Mutex<(bool, Vec<Waker>)>);

impl Stop {
    /// Tells all threads to stop, now and from now on.
    pub(crate) fn stop(&self) {
        let mut state = lock(&self.0);
        state.0 = true;
        let wakers = std::mem::take(&mut state.1);
        drop(state);
        wakers.into_iter().for_each(Waker::wake);
    }
}

/// Is ready once the threads are to stop.
struct Stopped {
    stop: Arc<Stop>,
    waits: bool,
}

impl Future for Stopped {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let fresh = cx.waker().clone();
        let mut state = lock(&self.stop.0);
        if state.0 {
            return Poll::Ready(());
        }
        // The thread polls this with one waker all its life, so once is enough.
        if !self.waits {
            state.1.push(fresh);
            drop(state);
            self.waits = true;
        }
        Poll::Pending
    }
}

/// Starts `count` threads that drive `executor`.
pub(crate) fn start(
    count: usize,
    executor: &'static StaticExecutor,
    stop: &Arc<Stop>,
) -> io::Result<()> {
    for number in 0..count {
        let stopped = Stopped {
            stop: Arc::clone(stop),
            waits: false,
        };
        let started = thread::Builder::new()
            .name(format!("kumi-smol-{number}"))
            .spawn(move || async_io::block_on(executor.run(stopped)));
        if let Err(error) = started {
            stop.stop();
            return Err(error);
        }
    }
    Ok(())
}
