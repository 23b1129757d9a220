//! Jobs are pushed beside a drainer that finds the queue empty and goes idle.

use std::sync::Arc;

use kumi_smol::model::Ready;
use loom::sync::Notify;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

/// A queue that orders nothing by itself, and a drainer for whom `told` stands for the executor.
struct Queue {
    ready: Ready,
    due: AtomicUsize,
    told: Notify,
}

impl Queue {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Ready::new(),
            due: AtomicUsize::new(0),
            told: Notify::new(),
        })
    }

    fn push(&self) {
        // Relaxed: that it is seen in time is up to the protocol.
        self.due.fetch_add(1, Ordering::Relaxed);
        if self.ready.claim() {
            self.told.notify();
        }
    }

    /// Runs until `all` jobs were run; waits for ever if a job is left and nobody is told.
    fn drain(&self, all: usize) {
        let mut ran = 0;
        while ran < all {
            self.told.wait();
            self.ready.begin();
            ran = self.due.load(Ordering::Relaxed);
        }
    }
}

fn check(preemptions: Option<usize>, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = builder.preemption_bound.or(preemptions);
    let executions = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counted = Arc::clone(&executions);
    builder.check(move || {
        counted.fetch_add(1, Ordering::Relaxed);
        model();
    });
    // For `cargo x loom`.
    println!("executions: {}", executions.load(Ordering::Relaxed));
}

/// A job that is pushed while a drainer goes idle is run.
#[test]
fn a_push_beside_a_drainer() {
    check(None, || {
        let queue = Queue::new();
        let other = Arc::clone(&queue);
        let thread = thread::spawn(move || {
            other.push();
            other.push();
        });
        queue.drain(2);
        thread.join().unwrap();
    });
}

/// The same from two threads, of which one finds that the other has told already.
#[test]
fn two_pushes_beside_a_drainer() {
    check(Some(3), || {
        let queue = Queue::new();
        let threads = [(); 2].map(|()| {
            let other = Arc::clone(&queue);
            thread::spawn(move || other.push())
        });
        queue.drain(2);
        threads
            .into_iter()
            .for_each(|thread| thread.join().unwrap());
    });
}
