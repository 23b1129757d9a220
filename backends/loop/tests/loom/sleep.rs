//! The loop falls asleep beside threads that leave something for it.

use std::sync::Arc;

use kumi_loop::model::{Sleep, Waits};
use loom::sync::Notify;
use loom::sync::atomic::{AtomicUsize, Ordering};
use loom::thread;

use crate::support::{check, check_three};

/// A loop without a kernel: `interrupts` stands for its wait.
struct Loop {
    sleep: Sleep,
    left: AtomicUsize,
    interrupt: Notify,
    interrupts: AtomicUsize,
}

impl Loop {
    fn new() -> Arc<Self> {
        Arc::new(Self {
            sleep: Sleep::new(),
            left: AtomicUsize::new(0),
            interrupt: Notify::new(),
            interrupts: AtomicUsize::new(0),
        })
    }

    /// What another thread does.
    fn leave(&self) {
        // Relaxed: that it is seen in time is up to the protocol.
        self.left.fetch_add(1, Ordering::Relaxed);
        if self.sleep.take() == Some(Waits::InKernel) {
            self.interrupts.fetch_add(1, Ordering::Relaxed);
            self.interrupt.notify();
        }
    }

    /// Turns until `all` things were left.
    fn run_until(&self, all: usize) {
        while self.left.load(Ordering::Relaxed) < all {
            self.sleep.announce(Waits::InKernel);
            // One that sleeps although all is there already sleeps for ever.
            if self.left.load(Ordering::Relaxed) < all {
                self.interrupt.wait();
            }
            self.sleep.end();
        }
    }
}

/// Whatever is left, the loop does not sleep through it.
#[test]
fn a_thread_beside_a_loop_that_falls_asleep() {
    check(|| {
        let lp = Loop::new();
        let other = Arc::clone(&lp);
        let thread = thread::spawn(move || other.leave());
        lp.run_until(1);
        thread.join().unwrap();
    });
}

/// The same with two; each sleep is interrupted once at most.
#[test]
fn two_threads_beside_a_loop_that_falls_asleep() {
    check_three(|| {
        let lp = Loop::new();
        let threads = [(); 2].map(|()| {
            let other = Arc::clone(&lp);
            thread::spawn(move || other.leave())
        });
        lp.run_until(2);
        for thread in threads {
            thread.join().unwrap();
        }
    });
}

/// A burst costs the loop one interruption.
#[test]
fn a_burst_into_one_sleep() {
    check_three(|| {
        let lp = Loop::new();
        lp.sleep.announce(Waits::InKernel);
        let threads = [(); 2].map(|()| {
            let other = Arc::clone(&lp);
            thread::spawn(move || other.leave())
        });
        lp.interrupt.wait();
        for thread in threads {
            thread.join().unwrap();
        }
        assert_eq!(lp.interrupts.load(Ordering::Relaxed), 1);
    });
}
