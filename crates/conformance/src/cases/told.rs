//! Channels for one value, for the newest and for all, between the tasks of a runtime.
//!
//! (What each single step does is tested poll by poll; here are the runtimes.)

use std::future::pending;
use std::time::Duration;

use kumi_core::cancel::CancelScope;
use kumi_core::channel::{RecvError, SendError, broadcast, oneshot, watch};
use kumi_core::cleanup::finally;
use kumi_core::combine::{gather, race, timeout, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{Gate, assert_cancelled, assert_panicked, thread, turns};

/// A value goes from task to task, and from a thread.
pub async fn a_oneshot<R: Runtime>(rt: R) {
    let (sender, receiver) = oneshot::channel();
    let task = rt.spawn(receiver);
    turns(&rt, 2).await;
    sender.send(1).expect("the task waits");
    assert_eq!(task.await.expect("it ends"), Ok(1));

    let (sender, receiver) = oneshot::channel();
    let sends = thread(move || sender.send(2).expect("it is waited for"));
    assert_eq!(receiver.await, Ok(2));
    sends.await;
}

/// A task that was to send is cancelled, or panics: who waits is told.
pub async fn a_oneshot_that_never_comes<R: Runtime>(rt: R) {
    let (sender, receiver) = oneshot::channel::<u8>();
    let task = rt.spawn(async move {
        pending::<()>().await;
        drop(sender);
    });
    turns(&rt, 1).await;
    task.cancel();
    assert_eq!(receiver.await, Err(RecvError));
    assert_cancelled(task.await);

    let (sender, receiver) = oneshot::channel::<u8>();
    let task = rt.spawn(async move {
        let _sender = sender;
        panic!("before it sends");
    });
    assert_eq!(receiver.await, Err(RecvError));
    let joined: Result<(), _> = task.await;
    assert_panicked(joined);
}

/// Work that nobody waits for any more ends.
pub async fn work_for_a_oneshot_ends<R: Runtime>(rt: R) {
    let (mut sender, receiver) = oneshot::channel::<u8>();
    let task = rt.spawn(async move { race((pending::<()>(), sender.closed())).await });
    assert!(
        timeout(&rt, Duration::from_millis(1), receiver)
            .await
            .is_err()
    );
    assert!(task.await.expect("it ends").is_ok());
}

/// A clean-up may wait for what is sent in another.
pub async fn a_oneshot_in_clean_ups<R: Runtime>(rt: R) {
    let (sender, receiver) = oneshot::channel();
    let scope = CancelScope::new();
    let handle = scope.handle();
    let ended = gather((
        scope.run(finally(pending::<()>(), async {
            assert_eq!(receiver.await, Ok(3));
        })),
        async {
            turns(&rt, 2).await;
            handle.cancel();
            turns(&rt, 2).await;
            sender.send(3).expect("the clean-up waits");
        },
    ))
    .await;
    assert!(ended.0.is_err());
}

/// Each one who watches sees values in their order, and the last.
pub async fn a_watch<R: Runtime>(rt: R) {
    let (sender, receiver) = watch::channel(0);
    let tasks: Vec<_> = (0..4)
        .map(|_| {
            let mut receiver = receiver.clone();
            rt.spawn(async move {
                let mut last = 0;
                while receiver.changed().await.is_ok() {
                    let value = *receiver.borrow_and_update();
                    assert!(value > last, "{value} after {last}");
                    last = value;
                }
                last
            })
        })
        .collect();
    drop(receiver);
    for value in 1..=200 {
        sender.send(value).expect("they watch");
        if value % 7 == 0 {
            yield_now().await;
        }
    }
    drop(sender);
    for task in tasks {
        assert_eq!(task.await.expect("it ends"), 200);
    }
}

/// A condition is waited for, under a limit as well; the sender is told when nobody watches.
pub async fn a_watch_for_a_condition<R: Runtime>(rt: R) {
    let (sender, mut receiver) = watch::channel(0);
    let never = receiver.wait_for(|value| *value > 100);
    assert!(timeout(&rt, Duration::from_millis(1), never).await.is_err());
    let task = rt.spawn(async move {
        *receiver
            .wait_for(|value| *value == 5)
            .await
            .expect("it comes")
    });
    for _ in 0..5 {
        sender.send_modify(|value| *value += 1);
        turns(&rt, 1).await;
    }
    assert_eq!(task.await.expect("it ends"), 5);
    sender.closed().await;
    assert_eq!(sender.send(9), Err(SendError(9)));
}

/// What everybody gets and what they miss is everything, in its order.
pub async fn a_broadcast<R: Runtime>(rt: R) {
    let (sender, receiver) = broadcast::channel(8);
    let tasks: Vec<_> = (1..=4)
        .map(|pace| {
            let mut receiver = receiver.resubscribe();
            rt.spawn(async move {
                let mut next = 0;
                loop {
                    match receiver.recv().await {
                        Ok(value) => {
                            assert_eq!(value, next);
                            next += 1;
                        }
                        Err(broadcast::RecvError::Lagged(missed)) => next += missed,
                        Err(broadcast::RecvError::Closed) => return next,
                    }
                    for _ in 1..pace {
                        yield_now().await;
                    }
                }
            })
        })
        .collect();
    drop(receiver);
    for value in 0..300 {
        sender.send(value).expect("they listen");
        if value % 3 == 0 {
            yield_now().await;
        }
    }
    drop(sender);
    for task in tasks {
        assert_eq!(task.await.expect("it ends"), 300);
    }
}

/// Receivers that give up, by a limit or a cancel, lose nothing.
pub async fn those_who_give_up<R: Runtime>(rt: R) {
    let (sender, mut receiver) = broadcast::channel(4);
    assert!(
        timeout(&rt, Duration::from_millis(1), receiver.recv())
            .await
            .is_err()
    );
    let begun = Gate::new();
    let task = rt.spawn({
        let mut receiver = sender.subscribe();
        let begun = begun.clone();
        async move {
            begun.open();
            receiver.recv().await
        }
    });
    begun.wait().await;
    turns(&rt, 1).await;
    task.cancel();
    assert_cancelled(task.await);
    assert_eq!((sender.receiver_count(), sender.send(1)), (1, Ok(1)));
    assert_eq!(receiver.recv().await, Ok(1));
    assert!(sender.is_empty());
}

/// A loop over values that are always there is cancelled, and starves nobody.
pub async fn a_busy_broadcast_starves_nobody<R: Runtime>(rt: R) {
    let (sender, mut receiver) = broadcast::channel(1);
    let busy = rt.spawn(async move {
        loop {
            sender.send(()).expect("there is a receiver");
            receiver.recv().await.expect("it was sent");
        }
    });
    turns(&rt, 3).await;
    busy.cancel();
    let joined: Result<(), _> = busy.await;
    assert_cancelled(joined);
}
