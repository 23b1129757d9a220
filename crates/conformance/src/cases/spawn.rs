//! Spawning: where a task begins, that each gets its turn, and who it is.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::Poll;

use kumi_core::combine::yield_now;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, SpawnExt, TaskBuilder, current_task};

use crate::probe::{Gate, Slot, during, in_call, poll_once, until};

/// A task runs, and its handle gives its value.
pub async fn returns_its_value<R: Runtime>(rt: R) {
    assert_eq!(rt.spawn(async { 42 }).await.unwrap(), 42);
    let text = rt.spawn(async {
        yield_now().await;
        String::from("kumi")
    });
    assert_eq!(text.await.unwrap(), "kumi");
}

/// `spawn_job` does not run the job before it returns.
pub async fn is_not_run_inside_spawn<R: Runtime>(rt: R) {
    for _ in 0..100 {
        let inside = during(|| rt.spawn(async { in_call() }));
        assert!(
            !inside.await.unwrap(),
            "the task ran on its spawner's stack"
        );
    }
}

/// `spawn_job` does not run the job before it returns, also when a task calls it.
pub async fn is_not_run_inside_the_spawn_of_a_task<R: Runtime>(rt: R) {
    let spawner = rt.clone();
    let outer = rt.spawn(async move {
        let inside = during(|| spawner.spawn(async { in_call() }));
        inside.await.unwrap()
    });
    assert!(!outer.await.unwrap(), "the task ran on its spawner's stack");
}

/// `spawn_job` may be called from inside a waker.
pub async fn may_be_called_inside_a_waker<R: Runtime>(rt: R) {
    struct Spawns<R>(R, Slot<JoinHandle<u32>>);
    impl<R: Runtime> std::task::Wake for Spawns<R> {
        fn wake(self: Arc<Self>) {
            self.1.put(self.0.spawn(async { 7 }));
        }
    }
    let slot = Slot::new();
    let waker = Arc::new(Spawns(rt.clone(), slot.clone())).into();
    let mut task = rt.spawn(async { yield_now().await });
    // Its completion, wherever that happens, spawns another task.
    match crate::probe::poll_with(&mut task, &waker) {
        Poll::Pending => assert_eq!(slot.take().await.await.unwrap(), 7),
        Poll::Ready(joined) => joined.unwrap(),
    }
}

/// Tasks spawn tasks, to any depth, and join them.
pub async fn tasks_spawn_tasks<R: Runtime>(rt: R) {
    fn tree<R: Runtime>(rt: R, depth: u32) -> JoinHandle<u32> {
        let spawner = rt.clone();
        rt.spawn(async move {
            if depth == 0 {
                return 1;
            }
            let left = tree(spawner.clone(), depth - 1);
            let right = tree(spawner, depth - 1);
            left.await.unwrap() + right.await.unwrap()
        })
    }
    assert_eq!(tree(rt, 7).await.unwrap(), 128);
}

/// Every job that was accepted is run: ten thousand at once, each of which waits in between.
pub async fn ten_thousand_tasks<R: Runtime>(rt: R) {
    let gate = Gate::new();
    let ran = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..10_000)
        .map(|number| {
            let (gate, ran) = (gate.wait(), Arc::clone(&ran));
            rt.spawn(async move {
                if number % 2 == 0 {
                    yield_now().await;
                } else {
                    gate.await;
                }
                ran.fetch_add(1, Ordering::Relaxed);
                number
            })
        })
        .collect();
    gate.open();
    for (number, task) in tasks.into_iter().enumerate() {
        assert_eq!(task.await.unwrap(), number);
    }
    assert_eq!(ran.load(Ordering::Relaxed), 10_000);
}

/// A job that is always ready again does not keep others from their turn.
pub async fn a_greedy_task_starves_no_task<R: Runtime>(rt: R) {
    let stop = Arc::new(AtomicBool::new(false));
    let greedy: Vec<_> = (0..3)
        .map(|_| {
            let stop = Arc::clone(&stop);
            rt.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    yield_now().await;
                }
            })
        })
        .collect();
    let modest = rt.spawn(async move {
        for _ in 0..100 {
            yield_now().await;
        }
        stop.store(true, Ordering::Relaxed);
    });
    modest.await.unwrap();
    for task in greedy {
        task.await.unwrap();
    }
}

/// A job that is always ready again does not keep the future of `block_on` from its turn.
pub async fn a_greedy_task_does_not_starve_main<R: Runtime>(rt: R) {
    let stop = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&stop);
    let greedy = rt.spawn(async move {
        while !seen.load(Ordering::Relaxed) {
            yield_now().await;
        }
    });
    for _ in 0..100 {
        yield_now().await;
    }
    stop.store(true, Ordering::Relaxed);
    greedy.await.unwrap();
}

/// The future of `block_on`, if it is always ready again, does not keep tasks from their turn.
pub async fn a_greedy_main_starves_no_task<R: Runtime>(rt: R) {
    let turns = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&turns);
    let task = rt.spawn(async move {
        for _ in 0..100 {
            count.fetch_add(1, Ordering::Relaxed);
            yield_now().await;
        }
    });
    until(|| turns.load(Ordering::Relaxed) == 100).await;
    task.await.unwrap();
}

/// Of two tasks that are always ready, each gets its turn after finitely many of the other.
pub async fn two_greedy_tasks_take_turns<R: Runtime>(rt: R) {
    let counts = Arc::new([AtomicUsize::new(0), AtomicUsize::new(0)]);
    // Each stays until it has seen ten turns of the other.
    let player = |me: usize| {
        let counts = Arc::clone(&counts);
        rt.spawn(async move {
            while counts[1 - me].load(Ordering::Relaxed) < 10 {
                counts[me].fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
            counts[me].fetch_add(10, Ordering::Relaxed);
        })
    };
    let (a, b) = (player(0), player(1));
    a.await.unwrap();
    b.await.unwrap();
}

/// A task's future may be of any size and alignment, and stays in its place.
pub async fn futures_of_any_layout<R: Runtime>(rt: R) {
    #[repr(align(256))]
    struct Aligned([u8; 256]);

    assert_eq!(rt.spawn(async {}).await.unwrap(), ());
    let big = rt.spawn(async {
        let block = [7u8; 64 * 1024];
        let place = (&raw const block).addr();
        yield_now().await;
        assert_eq!((&raw const block).addr(), place, "it was moved");
        block.iter().map(|&byte| u64::from(byte)).sum::<u64>()
    });
    assert_eq!(big.await.unwrap(), 7 * 64 * 1024);
    let aligned = rt.spawn(async {
        let value = Aligned([1; 256]);
        yield_now().await;
        assert_eq!((&raw const value).addr() % 256, 0);
        value
    });
    assert_eq!(aligned.await.unwrap().0[255], 1);
}

/// A task has its name, a number of its own that grows with each spawn, and the place of its spawn.
pub async fn names_numbers_and_places<R: Runtime>(rt: R) {
    let (line, anonymous) = (line!(), rt.spawn(async { current_task().unwrap() }));
    assert_eq!(anonymous.name(), None);
    assert_eq!(anonymous.info().location().file(), file!());
    assert_eq!(anonymous.info().location().line(), line);
    let named = TaskBuilder::new().name("émile").spawn_on(&rt, async {
        let task = current_task().unwrap();
        (task.id(), task.name().map(str::to_owned))
    });
    assert_eq!(named.name(), Some("émile"));
    assert_eq!(named.task().name(), Some("émile"));
    assert!(named.id() > anonymous.id());
    assert_eq!(named.info().location().file(), file!());
    let shown = named.info().to_string();
    assert!(shown.contains("`émile`"), "{shown}");
    assert!(shown.contains(file!()), "{shown}");
    let id = named.id();
    assert_eq!(named.await.unwrap(), (id, Some("émile".to_owned())));
    let id = anonymous.id();
    assert_eq!(anonymous.await.unwrap().id(), id);
}

/// A parked task is not polled over and over: a backend may poll spuriously, but not always.
pub async fn a_parked_task_is_left_alone<R: Runtime>(rt: R) {
    let polls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&polls);
    let parked = rt.spawn(poll_fn(move |_| {
        count.fetch_add(1, Ordering::Relaxed);
        Poll::<()>::Pending
    }));
    until(|| polls.load(Ordering::Relaxed) > 0).await;
    crate::probe::turns(&rt, 1000).await;
    let polls = polls.load(Ordering::Relaxed);
    assert!(polls < 500, "{polls} polls of a task that nobody woke");
    drop(parked);
}

/// A handle is `Send` and `Sync` if the output is `Send`, whatever the runtime.
pub async fn handles_are_send_and_sync<R: Runtime>(rt: R) {
    fn check<T: Send + Sync>(_: &T) {}
    let mut task = rt.spawn(pending::<std::cell::Cell<u8>>());
    check(&task);
    check(&task.task());
    check(&rt);
    check(&rt.sleep(std::time::Duration::ZERO));
    assert!(poll_once(&mut task).await.is_pending());
}
