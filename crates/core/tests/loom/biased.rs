//! References that one thread counts by itself: the value is dropped once, after every use of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kumi_core::util::{Bias, BiasedArc, Spare};
use loom::thread;

use crate::support::check;

/// loom sees that nobody reads it when it is dropped.
struct Value {
    read: loom::sync::atomic::AtomicUsize,
    dropped: Arc<AtomicUsize>,
}

loom::thread_local! {
    static SPARE: Spare<Value> = Spare::new();
}

impl Bias for Value {
    fn with_spare<R>(f: impl FnOnce(&Spare<Self>) -> R) -> Option<R> {
        SPARE.try_with(f).ok()
    }
}

impl Drop for Value {
    fn drop(&mut self) {
        self.read.with_mut(|read| *read = 0);
        self.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

fn value() -> (BiasedArc<Value>, Arc<AtomicUsize>) {
    let dropped = Arc::default();
    let value = BiasedArc::new(Value {
        read: loom::sync::atomic::AtomicUsize::new(1),
        dropped: Arc::clone(&dropped),
    });
    (value, dropped)
}

fn read(value: &BiasedArc<Value>) {
    assert_eq!(value.read.load(Ordering::Relaxed), 1);
}

/// The spare of one thread is cleared beside the last reference of another.
#[test]
fn the_end_of_a_spare_beside_the_last_reference() {
    check(|| {
        let (value, dropped) = value();
        SPARE.with(|spare| spare.hold(&value));
        let there = value.clone();
        let thread = thread::spawn(move || {
            read(&there);
            drop(there);
        });
        read(&value);
        drop(value);
        SPARE.with(Spare::clear);
        thread.join().unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}

/// A thread takes many references at once, beside another that clones and drops one.
#[test]
fn a_spare_that_is_filled_beside_a_clone() {
    check(|| {
        let (value, dropped) = value();
        let there = value.clone();
        let thread = thread::spawn(move || {
            let clone = there.clone();
            read(&clone);
            drop((there, clone));
        });
        SPARE.with(|spare| spare.hold(&value));
        let clone = value.clone();
        read(&clone);
        drop((clone, value));
        SPARE.with(Spare::clear);
        thread.join().unwrap();
        assert_eq!(dropped.load(Ordering::Relaxed), 1);
    });
}
