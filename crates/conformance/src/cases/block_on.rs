//! `block_on`: the way in.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::Fresh;
use crate::probe::{Gate, Slot, assert_panicked, hold, panic_of, thread, until};

/// The future may borrow, and need not be `Send`.
pub fn may_borrow_and_need_not_be_send<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (mut count, text) = (0, String::from("borrowed"));
    let shared = Rc::new(Cell::new(0));
    let length = rt.block_on(async {
        let own = Rc::clone(&shared);
        for _ in 0..10 {
            yield_now().await;
            count += 1;
            own.set(own.get() + 1);
        }
        &text[..4]
    });
    assert_eq!((length, count, shared.get()), ("borr", 10, 10));
}

/// A task that has begun goes on in the next `block_on`.
pub fn tasks_stay_between_calls<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let gate = Gate::new();
    let polls = Arc::new(AtomicUsize::new(0));
    let (count, wait) = (Arc::clone(&polls), gate.wait());
    let task = rt.spawn(async move {
        count.fetch_add(1, Ordering::Relaxed);
        wait.await;
        "on it went"
    });
    rt.block_on(until(|| polls.load(Ordering::Relaxed) == 1));
    rt.block_on(async {});
    // Woken while nobody drives.
    gate.open();
    assert_eq!(rt.block_on(task).unwrap(), "on it went");
    assert_eq!(polls.load(Ordering::Relaxed), 1);
}

/// It returns as soon as its future is ready, whatever else is still running.
pub fn waits_for_its_future_only<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let greedy = rt.spawn(async {
        loop {
            yield_now().await;
        }
    });
    for round in 0..10 {
        assert_eq!(rt.block_on(async { round }), round);
    }
    assert!(!greedy.is_finished());
    let _: () = drop::<kumi_core::task::JoinHandle<()>>(greedy);
}

/// What its future holds is dropped before it returns.
pub fn its_future_is_dropped<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (inside, witness) = crate::probe::token();
    rt.block_on(hold(inside, yield_now()));
    assert_eq!(witness.count(), 1);
}

/// Inside a task it panics, and the message names the function and the way out.
pub async fn inside_a_task_panics<R: Runtime>(rt: R) {
    let inner = rt.clone();
    let task = rt.spawn(async move { inner.block_on(async {}) });
    let message = assert_panicked(task.await);
    assert!(message.contains("`block_on`"), "{message}");
    assert!(message.contains(".await"), "it names the fix: {message}");
    rt.spawn(async {}).await.unwrap();
}

/// Inside the future of another `block_on` it panics as well.
pub fn inside_itself_panics<R: Runtime>(fresh: Fresh<'_, R>) {
    let (a, b) = (fresh(), fresh());
    for other in [&a, &b] {
        let message = panic_of(|| a.block_on(async { other.block_on(async {}) }));
        assert!(message.contains("`block_on`"), "{message}");
    }
    assert_eq!(a.block_on(async { 1 }) + b.block_on(async { 2 }), 3);
}

/// Its future is woken by what another thread does.
pub async fn is_woken_by_another_thread<R: Runtime>(_rt: R) {
    for round in 0..200 {
        assert_eq!(thread(move || round).await, round);
    }
}

/// Two threads may be inside it at once, and wait for each other's tasks.
pub fn on_two_threads_at_once<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (ping, pong) = (Slot::new(), Slot::new());
    let (other, there, back) = (rt.handle(), ping.clone(), pong.clone());
    let side = thread(move || {
        other.block_on(async {
            let number: u32 = there.take().await;
            let task = other.spawn(async move { number + 1 });
            back.put(task.await.unwrap());
        });
    });
    rt.block_on(async {
        ping.put(1);
        let task = rt.spawn(async move { pong.take().await });
        assert_eq!(task.await.unwrap(), 2);
        side.await;
    });
}
