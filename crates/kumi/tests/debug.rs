//! Debug mode through the facade: the places are those of the program that calls it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{Sink, Stream};
use kumi::debug::{self, TaskNode};
use kumi::report::{self, Report};
use kumi::{channel, sync};

/// In one test, because the hook is the process's; on every backend that is compiled in.
#[kumi::test]
async fn reports_name_places_of_this_file() {
    static SEEN: Mutex<Vec<String>> = Mutex::new(Vec::new());
    let seen = || std::mem::take(&mut *SEEN.lock().unwrap_or_else(PoisonError::into_inner));
    let _alone = Alone::new();
    report::set_hook(|report: &Report| {
        let mut seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        seen.push(report.to_string());
    });
    kumi::debug::set_slow_callback_duration(Duration::MAX);

    drop(kumi::task_group(async |_| Ok::<_, u32>(())));
    drop(kumi::spawned::gather([async {}]));
    let mut made = vec!["task_group", "gather"];
    if cfg!(debug_assertions) {
        drop(kumi::timeout(Duration::MAX, async {}));
        drop(kumi::race([async {}]));
        made.extend(["timeout", "race"]);
    }
    let texts = seen();
    assert_eq!(texts.len(), made.len(), "{texts:?}");
    for (text, what) in texts.iter().zip(made) {
        let begin = format!("the future of `{what}`, made at {}:", file!());
        assert!(text.starts_with(&begin), "{text}");
    }

    let task = kumi::spawn_detached(async { Err::<(), _>("nobody listens") });
    while !task.is_finished() {
        kumi::yield_now().await;
    }
    // It is dropped after the end, perhaps on another thread.
    let texts = loop {
        let texts = seen();
        if !texts.is_empty() {
            break texts;
        }
        kumi::yield_now().await;
    };
    assert_eq!(texts.len(), 1, "{texts:?}");
    let begin = format!("nobody took the error of {}: ", task.info());
    assert_eq!(texts[0], format!("{begin}nobody listens"));
    assert_eq!(task.info().location().file(), file!());
}

/// A task that waits for `what`, and is ended then.
async fn waits(what: &str, future: impl Future<Output: Send> + Send + 'static) {
    let task = kumi::spawn(future);
    let waits = |node: &TaskNode| node.waits_for().iter().any(|wait| wait.to_string() == what);
    for _ in 0..100_000 {
        if debug::all_tasks().get(task.id()).is_some_and(waits) {
            break;
        }
        assert!(!task.is_finished(), "it waits for {what}");
        kumi::yield_now().await;
    }
    let tree = debug::all_tasks().to_string();
    assert!(tree.contains(&format!(": waiting for {what}")), "{tree}");
    // Some make something of a cancel.
    drop(task.cancel_and_join().await);
}

#[kumi::test]
async fn what_channels_are_waited_for() {
    let _alone = Alone::new();
    let (sender, receiver) = channel::bounded(1);
    let mut items = receiver.clone();
    waits("an item of a channel", async move { items.recv().await }).await;
    items = receiver.clone();
    let stream = async move { poll_fn(|cx| Pin::new(&mut items).poll_next(cx)).await };
    waits("an item of a channel", stream).await;
    sender.send(1).await.expect("a receiver");
    let (one, two, three) = (sender.clone(), sender.clone(), sender.clone());
    waits("a place in a channel", async move { one.send(2).await }).await;
    waits("a place in a channel", async move {
        two.reserve().await.is_ok()
    })
    .await;
    let mut sink = three.into_sink();
    let ready = async move { poll_fn(|cx| Pin::new(&mut sink).poll_ready(cx)).await };
    waits("a place in a channel", ready).await;

    let queue = Arc::new(channel::Queue::bounded(1));
    let of = || Arc::clone(&queue);
    let get = of();
    waits("an item of a queue", async move { get.get().await }).await;
    queue.put(1).await.expect("it is open");
    let (put, join) = (of(), of());
    waits("a place in a queue", async move { put.put(2).await }).await;
    let all = async move { join.join().await };
    waits("the items of a queue to be done", all).await;

    let (mut sends, receives) = channel::oneshot::channel::<u32>();
    let closed = async move { sends.closed().await };
    waits("the receiver of a oneshot channel to go", closed).await;
    drop(receives);
    let (sends, receives) = channel::oneshot::channel::<u32>();
    waits("the value of a oneshot channel", receives).await;
    drop(sends);

    let (sends, mut receives) = channel::watch::channel(1);
    let sends = Arc::new(sends);
    let closes = Arc::clone(&sends);
    let held = receives.clone();
    waits("a change of a watched value", async move {
        receives.changed().await
    })
    .await;
    let gone = async move { closes.closed().await };
    waits("the receivers of a watched value to go", gone).await;
    drop((held, sends));

    let (sends, mut receives) = channel::broadcast::channel::<u32>(1);
    let mut stream = sends.subscribe();
    waits("an item of a broadcast channel", async move {
        receives.recv().await
    })
    .await;
    let next = async move { poll_fn(|cx| Pin::new(&mut stream).poll_next(cx)).await };
    waits("an item of a broadcast channel", next).await;
    drop(sends);
}

#[kumi::test]
async fn what_locks_are_waited_for() {
    let _alone = Alone::new();
    let mutex = Arc::new(sync::Mutex::new(()));
    let of = || Arc::clone(&mutex);
    let held = mutex.lock().await;
    let (one, two) = (of(), of());
    waits("a mutex", async move { drop(one.lock().await) }).await;
    waits("a mutex", async move { two.lock_owned().await }).await;
    drop(held);
    let (one, two) = (of(), of());
    waits("a condition", async move {
        let guard = one.lock().await;
        drop(sync::Condition::new().wait(guard).await);
    })
    .await;
    waits("a condition", async move {
        let guard = two.lock_owned().await;
        sync::Condition::new().wait_owned(guard).await
    })
    .await;

    let lock = Arc::new(sync::RwLock::new(()));
    let of = || Arc::clone(&lock);
    let held = lock.write().await;
    let (one, two, three, four) = (of(), of(), of(), of());
    waits("a lock to read", async move { drop(one.read().await) }).await;
    waits("a lock to read", async move { two.read_owned().await }).await;
    waits("a lock to write", async move { drop(three.write().await) }).await;
    waits("a lock to write", async move { four.write_owned().await }).await;
    drop(held);

    let permits = Arc::new(sync::Semaphore::new(0));
    let (one, two) = (Arc::clone(&permits), permits);
    waits("permits of a semaphore", async move {
        drop(one.acquire().await);
    })
    .await;
    waits("permits of a semaphore", async move {
        two.acquire_owned().await
    })
    .await;
    let limiter = sync::Limiter::new(1);
    let token = limiter.acquire().await;
    waits(
        "a token of a limiter",
        async move { limiter.acquire().await },
    )
    .await;
    drop(token);

    let event = async { sync::Event::new().wait().await };
    waits("an event", event).await;
    let barrier = async { sync::Barrier::new(2).wait().await };
    waits("a barrier", barrier).await;
}

#[kumi::test]
async fn what_else_is_waited_for() {
    let _alone = Alone::new();
    waits("a sleep", kumi::sleep(Duration::from_secs(3600))).await;
    let cut = async { kumi::timeout(Duration::MAX, kumi::sleep(Duration::from_secs(3600))).await };
    waits("a sleep", cut).await;
    waits("a cancel", kumi::cancelled()).await;
    let group = async {
        let group = kumi::task_group(async |group| {
            group.spawn(std::future::pending::<Result<(), u32>>());
            Ok(())
        });
        group.await
    };
    waits("the children of its group", group).await;
    waits("what the program says", async {
        debug::waiting_for("what the program says", std::future::pending::<()>()).await
    })
    .await;
}

#[cfg(all(feature = "loop", feature = "tokio", feature = "smol"))]
#[kumi::test(loop, tokio, smol)]
async fn what_sockets_are_waited_for() {
    let _alone = Alone::new();
    use futures::{AsyncRead, AsyncWrite};
    let listener = Arc::new(kumi::net::listen("127.0.0.1:0").await.expect("a port"));
    let address = listener.local_addr().expect("it has one");
    let held = kumi::net::connect(address).await.expect("it listens");
    let _accepted = listener.accept().await.expect("it is there");
    let accepts = Arc::clone(&listener);
    let accept = async move { accepts.accept().await };
    waits("a socket to be readable", accept).await;
    let mut buf = [0; 1];
    let mut stream = held;
    let read = async move { poll_fn(|cx| Pin::new(&mut stream).poll_read(cx, &mut buf)).await };
    waits("a socket to be readable", read).await;

    // Nobody reads on the other side.
    let mut writes = kumi::net::connect(address).await.expect("it listens");
    let write = async move {
        loop {
            let bytes = vec![0; 1 << 16];
            let wrote = poll_fn(|cx| Pin::new(&mut writes).poll_write(cx, &bytes)).await;
            wrote.expect("it is open");
        }
    };
    waits("a socket to be writable", write).await;
}

/// Debug mode, for one test at a time.
struct Alone(#[allow(dead_code, reason = "it is held")] std::sync::MutexGuard<'static, ()>);

impl Alone {
    fn new() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        debug::set_debug(true);
        Self(alone)
    }
}

impl Drop for Alone {
    fn drop(&mut self) {
        kumi::debug::set_debug(false);
        report::reset_hook();
    }
}
