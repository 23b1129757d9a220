//! Futures that are set from outside.

use std::future::{Future, pending};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;
use kumi_loop::asyncio::{PromiseError, Promised};

use crate::support::{new_loop, tick};

/// Counts wakes.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// What the callbacks of a promise say, in their order.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<Vec<u32>>>);

impl Said {
    fn say<T>(&self, what: u32) -> impl FnOnce(Promised<T>) + Send + 'static {
        let said = self.clone();
        move |_| said.0.lock().expect("no panic").push(what)
    }

    fn take(&self) -> Vec<u32> {
        std::mem::take(&mut self.0.lock().expect("no panic"))
    }
}

/// FU1: it is set once; the second value comes back; a cancel then says false.
#[test]
fn fu1_set_once() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future();
    assert!(!promised.done());
    assert_eq!(promise.set_result("one"), Ok(()));
    assert_eq!(promise.set_result("two"), Err("two"));
    assert!(!promised.cancel());
    assert!(promised.done() && !promised.cancelled());
    assert_eq!(lp.block_on(async { promised.await }), Ok("one"));
}

/// FU1: once it is cancelled, no value is taken.
#[test]
fn fu1_cancelled_once() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future();
    assert!(promised.cancel());
    assert!(!promised.cancel());
    assert!(promised.cancelled());
    assert_eq!(promise.set_result(1), Err(1));
}

/// FU1: without anybody who could set it, those who wait are told.
#[test]
fn fu1_the_promise_is_dropped() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future::<u32>();
    let waiter = lp.spawn(async move { promised.await });
    lp.block_on(yield_now());
    drop(promise.clone());
    lp.block_on(yield_now());
    assert!(!waiter.is_finished(), "there is another one");
    drop(promise);
    let result = lp.block_on(waiter).expect("no panic");
    assert_eq!(result, Err(PromiseError::Dropped));
}

/// FU2: the result, asked for at any time.
#[test]
fn fu2_result() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future::<Result<u32, &str>>();
    assert_eq!(promised.result(), None);
    assert_eq!(promise.set_exception("failed"), Ok(()));
    assert_eq!(promise.set_exception("again"), Err("again"));
    assert_eq!(promised.result(), Some(Ok(Err("failed"))));
    let (_promise, promised) = lp.create_future::<u32>();
    promised.cancel();
    assert_eq!(promised.result(), Some(Err(PromiseError::Cancelled(None))));
}

/// FU3: callbacks are queued, in their order, and never run inside of the call; nor if it is done.
#[test]
fn fu3_callbacks_are_queued() {
    let (lp, said) = (new_loop(), Said::default());
    let (promise, promised) = lp.create_future();
    promised.add_done_callback(said.say(1));
    promised.add_done_callback(said.say(2));
    assert_eq!(promise.set_result(42), Ok(()));
    promised.add_done_callback(said.say(3));
    assert!(said.take().is_empty());
    tick(&lp);
    assert_eq!(said.take(), [1, 2, 3]);
}

/// FU3: a cancel queues them as well, and they are given the future.
#[test]
fn fu3_callbacks_after_a_cancel() {
    let lp = new_loop();
    let (_promise, promised) = lp.create_future::<u32>();
    let (send, receive) = mpsc::channel();
    promised.add_done_callback(move |settled| send.send(settled.cancelled()).expect("it waits"));
    promised.cancel();
    tick(&lp);
    assert_eq!(receive.recv(), Ok(true));
}

/// FU4: a callback is removed by its key, before it is queued.
#[test]
fn fu4_remove_a_callback() {
    let (lp, said) = (new_loop(), Said::default());
    let (promise, promised) = lp.create_future();
    let first = promised.add_done_callback(said.say(1));
    let second = promised.add_done_callback(said.say(2));
    assert!(promised.remove_done_callback(first));
    assert!(!promised.remove_done_callback(first));
    assert_eq!(promise.set_result(()), Ok(()));
    assert!(!promised.remove_done_callback(second), "it is queued");
    tick(&lp);
    assert_eq!(said.take(), [2]);
}

/// FU5: callbacks may add and remove others.
#[test]
fn fu5_callbacks_change_the_list() {
    let (lp, said) = (new_loop(), Said::default());
    let (promise, promised) = lp.create_future();
    let again = said.clone();
    promised.add_done_callback(move |settled| {
        settled.add_done_callback(again.say(3));
        again.say(1)(settled);
    });
    promised.add_done_callback(said.say(2));
    assert_eq!(promise.set_result(()), Ok(()));
    tick(&lp);
    tick(&lp);
    assert_eq!(said.take(), [1, 2, 3]);
}

/// FU7: to await what is done does not suspend.
#[test]
fn fu7_done_does_not_suspend() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future();
    assert_eq!(promise.set_result(1), Ok(()));
    for _ in 0..2 {
        let wait = pin!(promised.wait());
        let poll = wait.poll(&mut Context::from_waker(Waker::noop()));
        assert_eq!(poll, Poll::Ready(Ok(1)));
    }
}

/// FU8: many wait, and each gets the value.
#[test]
fn fu8_many_wait() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future();
    let waiters: Vec<_> = (0..10)
        .map(|_| {
            let promised = promised.clone();
            lp.spawn(async move { promised.await })
        })
        .collect();
    lp.block_on(yield_now());
    assert_eq!(promise.set_result(String::from("shared")), Ok(()));
    for waiter in waiters {
        let value = lp.block_on(waiter).expect("no panic");
        assert_eq!(value.as_deref(), Ok("shared"));
    }
}

/// FU8: one that waits no more is forgotten, and the others are not disturbed.
#[test]
fn fu8_a_waiter_goes() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future();
    let (gone, stays) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
    let wakers = [&gone, &stays].map(|woken| Waker::from(Arc::clone(woken)));
    let mut first = Box::pin(promised.wait());
    let mut second = Box::pin(promised.wait());
    assert!(
        first
            .as_mut()
            .poll(&mut Context::from_waker(&wakers[0]))
            .is_pending()
    );
    for _ in 0..2 {
        let poll = second.as_mut().poll(&mut Context::from_waker(&wakers[1]));
        assert!(poll.is_pending());
    }
    drop(first);
    assert!(
        format!("{promised:?}").contains("waiters: 1"),
        "{promised:?}"
    );
    assert_eq!(promise.set_result(()), Ok(()));
    let wakes = [gone, stays].map(|woken| woken.0.load(Ordering::SeqCst));
    assert_eq!(wakes, [0, 1]);
}

/// FU10: a message goes with the cancel.
#[test]
fn fu10_a_message() {
    let lp = new_loop();
    let (_promise, promised) = lp.create_future::<u32>();
    promised.cancel_with("too late");
    let error = lp
        .block_on(async { promised.await })
        .expect_err("cancelled");
    assert_eq!(error, PromiseError::Cancelled(Some("too late".into())));
    assert_eq!(error.to_string(), "the promise was cancelled: too late");
}

/// FU11: set from another thread, it wakes once, and a loop that sleeps; after a cancel it is ignored.
#[test]
fn fu11_from_another_thread() {
    let lp = new_loop();
    let (promise, promised) = lp.create_future();
    let waiter = lp.spawn(async move { promised.await });
    lp.block_on(yield_now());
    let setter = std::thread::spawn(move || promise.set_result(42));
    assert_eq!(lp.block_on(waiter).expect("no panic"), Ok(42));
    assert_eq!(setter.join().expect("no panic"), Ok(()));

    let (promise, promised) = lp.create_future();
    promised.cancel();
    let late = std::thread::spawn(move || promise.set_result(42)).join();
    assert_eq!(late.expect("no panic"), Err(42));
}

/// FU12: a future of another loop may be awaited.
#[test]
fn fu12_on_another_loop() {
    let (lp, other) = (new_loop(), new_loop());
    let (promise, promised) = lp.create_future();
    let waiter = other.spawn(async move { (&promised).await });
    other.block_on(yield_now());
    assert_eq!(promise.set_result(42), Ok(()));
    assert_eq!(other.block_on(waiter).expect("no panic"), Ok(42));
}

/// On a loop that is closed a promise still works; its callbacks are dropped.
#[test]
fn after_the_close() {
    let (lp, said) = (new_loop(), Said::default());
    let (promise, promised) = lp.create_future();
    promised.add_done_callback(said.say(1));
    lp.close().expect("nobody runs it");
    assert_eq!(promise.set_result(42), Ok(()));
    assert_eq!(promised.result(), Some(Ok(42)));
    assert_eq!(Arc::strong_count(&said.0), 1, "the callback is dropped");
    let other = new_loop();
    let never = other.run_until_complete(async {
        let (_promise, promised) = other.create_future::<u32>();
        other.stop();
        let _ = promised.await;
        pending::<()>().await;
    });
    assert!(never.is_err());
}
