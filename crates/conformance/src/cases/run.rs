//! `kumi_core::run`: a program from its start to its end leaves nothing behind.

use std::future::pending;
use std::rc::Rc;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use kumi_core::combine::yield_now;
use kumi_core::report::Report;
use kumi_core::run::Runner;
use kumi_core::runtime::{Runtime, TaskId};
use kumi_core::task::{JoinHandle, SpawnBlockingExt, SpawnExt, Task, TaskBuilder};

use crate::Fresh;
use crate::probe::{
    Gate, Manual, Slot, Token, assert_panicked, hold, lock, panic_of, park_on, thread, token,
    turns, until,
};
use crate::reports;

/// A runner that leaves Ctrl-C to the tests' own process.
fn runner() -> Runner {
    Runner::new().ctrl_c(false)
}

/// Spawns a task that holds `captured` and waits for ever, and lets it go.
fn leave<R: Runtime>(rt: &R, captured: Token) -> Task {
    let task = rt.spawn(async move {
        let _captured = captured;
        pending::<()>().await;
    });
    let reference = task.task();
    task.detach();
    reference
}

/// The grace periods after which the task was reported.
fn not_ended(id: TaskId) -> Vec<Duration> {
    let grace = |report| match report {
        Report::NotEnded { grace, .. } => Some(grace),
        _ => None,
    };
    reports::of(id).into_iter().filter_map(grace).collect()
}

/// It returns main's value; main may borrow and need not be `Send`.
pub fn returns_mains_value<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let text = Rc::new(String::from("main"));
    let main = async {
        rt.spawn(async {}).await.unwrap();
        text.as_str()
    };
    assert_eq!(runner().run(&*rt, main), Ok("main"));
    assert_eq!(runner().run(&*rt, async { 2 }), Ok(2), "and once more");
}

/// Tasks that main leaves behind are cancelled, and have ended when it returns; none is "lost".
pub fn leftovers_are_ended<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let main = async {
        let tasks: Vec<_> = (0..20).map(|_| leave(&*rt, witness.token())).collect();
        turns(&*rt, 10).await;
        tasks
    };
    let tasks = runner().run(&*rt, main).unwrap();
    assert_eq!(witness.count(), 20);
    for task in tasks {
        assert!(task.is_finished() && task.is_cancel_requested());
        assert!(reports::of(task.id()).is_empty());
    }
    drop(captured);
}

/// A task that main spawns with its last breath is ended like any other.
pub fn leftovers_that_never_ran<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let task = runner().run(&*rt, async { leave(&*rt, captured) }).unwrap();
    assert!(task.is_finished());
    assert_eq!(witness.count(), 1);
    assert!(reports::of(task.id()).is_empty());
}

/// Tasks that clean-ups spawn are ended too, and those that *their* clean-ups spawn.
///
/// (asyncio's single sweep misses them.)
pub fn late_comers_are_ended<R: Runtime>(fresh: Fresh<'_, R>) {
    struct Spawns<R: Runtime>(R, u32, Token, Arc<Mutex<Vec<TaskId>>>);
    impl<R: Runtime> Drop for Spawns<R> {
        fn drop(&mut self) {
            if self.1 > 0 {
                let token = Token::like(&self.2);
                let next = Spawns(self.0.clone(), self.1 - 1, token, Arc::clone(&self.3));
                let task = self.0.spawn(async move {
                    let _next = next;
                    pending::<()>().await;
                });
                lock(&self.3).push(task.id());
                task.detach();
            }
        }
    }
    let rt = fresh();
    let (captured, witness) = token();
    let ids = Arc::new(Mutex::new(Vec::new()));
    let first = Spawns(rt.handle(), 8, captured, Arc::clone(&ids));
    let main = async {
        let task = rt.spawn(async move {
            let _first = first;
            pending::<()>().await;
        });
        task.detach();
        turns(&*rt, 5).await;
    };
    runner().run(&*rt, main).unwrap();
    assert_eq!(witness.count(), 9);
    for id in lock(&ids).iter() {
        assert!(reports::of(*id).is_empty(), "{:?}", reports::of(*id));
    }
}

/// A task that is cancelled and returns a value, after it spawned another, leaves nothing either.
pub fn a_leftover_that_returns_a_value<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let hand = Manual::<()>::new();
    let (wait, spawner) = (hand.future(), rt.handle());
    let main = async {
        let task = rt.spawn(async move {
            wait.await;
            leave(&spawner, captured);
        });
        task.detach();
        until(|| hand.polls() > 0).await;
        // Ready, but nobody has told the task: it learns it when it is cancelled.
        hand.set(());
    };
    runner().run(&*rt, main).unwrap();
    assert_eq!(witness.count(), 1);
}

/// Tasks that are always ready are ended.
pub fn greedy_leftovers_are_ended<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let main = async {
        let greedy: JoinHandle<()> = rt.spawn(async move {
            let _captured = captured;
            loop {
                yield_now().await;
            }
        });
        greedy.detach();
        turns(&*rt, 5).await;
    };
    runner().run(&*rt, main).unwrap();
    assert_eq!(witness.count(), 1);
}

/// Main itself is dropped before what it left behind is cancelled: its handles come first.
pub fn main_is_dropped_first<R: Runtime>(fresh: Fresh<'_, R>) {
    struct Looks(Arc<Mutex<Option<Task>>>, Slot<bool>);
    impl Drop for Looks {
        fn drop(&mut self) {
            let task = lock(&self.0).take().unwrap();
            self.1.put(task.is_cancel_requested());
        }
    }
    let rt = fresh();
    let (place, early) = (Arc::default(), Slot::new());
    let looks = Looks(Arc::clone(&place), early.clone());
    let (captured, witness) = token();
    let main = async {
        *lock(&place) = Some(leave(&*rt, captured));
        yield_now().await;
    };
    runner().run(&*rt, hold(looks, main)).unwrap();
    assert!(!park_on(early.take()), "the drain came before");
    assert_eq!(witness.count(), 1);
}

/// Main's panic goes on after what is left has ended.
pub fn mains_panic_goes_on_after_the_drain<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (captured, witness) = token();
    let main = async {
        leave(&*rt, captured);
        yield_now().await;
        panic!("main fell");
    };
    let message = panic_of(|| {
        runner().run::<_, std::pin::Pin<Box<dyn Future<Output = ()>>>>(&*rt, Box::pin(main))
    });
    assert_eq!(message, "main fell");
    assert_eq!(witness.count(), 1);
    assert_eq!(runner().run(&*rt, async { "again" }), Ok("again"));
}

/// A leftover whose destructor panics does not keep the others from their end.
pub fn a_leftover_that_panics<R: Runtime>(fresh: Fresh<'_, R>) {
    struct Panics;
    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("cleaning up");
        }
    }
    let rt = fresh();
    let (captured, witness) = token();
    let main = async {
        leave(&*rt, captured);
        let bad = Panics;
        let task = rt.spawn(async move {
            let _bad = bad;
            pending::<()>().await;
        });
        let id = task.id();
        task.detach();
        leave(&*rt, witness.token());
        turns(&*rt, 5).await;
        id
    };
    let id = runner().run(&*rt, main).unwrap();
    assert_eq!(witness.count(), 2);
    let told = |report: &Report| matches!(report, Report::PanicNotJoined { message, .. } if message == "cleaning up");
    assert!(reports::of(id).iter().any(told));
}

/// With nothing left it waits for nothing, also with an endless grace period.
pub fn an_endless_grace_period<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let endless = runner().grace(Duration::MAX);
    assert_eq!(endless.clone().run(&*rt, async { 1 }), Ok(1));
    let (captured, witness) = token();
    endless
        .run(&*rt, async { drop(leave(&*rt, captured)) })
        .unwrap();
    assert_eq!(witness.count(), 1);
}

/// It waits for a closure that ends within the grace period.
pub fn waits_for_a_closure<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let (end, ended) = token();
    let started = Gate::new();
    let (release, wait) = mpsc::channel::<()>();
    let opener = started.clone();
    let main = async {
        let closure = rt.spawn_blocking(move || {
            opener.open();
            let _ = wait.recv();
            drop(end);
        });
        let id = closure.id();
        closure.detach();
        started.wait().await;
        // Once main is over, and the drain waits, another thread lets the closure go on.
        let side = thread(move || {
            std::thread::sleep(Duration::from_millis(20));
            drop(release);
        });
        drop(side);
        id
    };
    let id = runner().run(&*rt, main).unwrap();
    assert_eq!(ended.count(), 1);
    assert!(reports::of(id).is_empty());
}

/// A closure that outlasts the grace period is reported by name, and not waited for.
pub fn a_closure_that_outlasts_the_grace<R: Runtime>(fresh: Fresh<'_, R>) {
    let rt = fresh();
    let started = Gate::new();
    let (release, wait) = mpsc::channel::<()>();
    let opener = started.clone();
    let (captured, witness) = token();
    let grace = Duration::from_millis(10);
    let main = async {
        leave(&*rt, captured);
        let closure = TaskBuilder::new()
            .name("slow")
            .spawn_blocking_on(&*rt, move || {
                opener.open();
                let _ = wait.recv();
            });
        let task = closure.task();
        closure.detach();
        started.wait().await;
        task
    };
    let start = rt.now();
    let slow = runner().grace(grace).run(&*rt, main).unwrap();
    assert!(rt.now() - start >= grace);
    assert!(!slow.is_finished());
    assert_eq!(not_ended(slow.id()), [grace]);
    let text = reports::of(slow.id())[0].to_string();
    assert!(text.contains("`slow`"), "{text}");
    assert_eq!(witness.count(), 1, "others have ended");
    drop(release);
    rt.block_on(until(|| slow.is_finished()));
}

/// Inside a task it panics like `block_on`.
pub async fn inside_a_task_panics<R: Runtime>(rt: R) {
    let inner = rt.clone();
    let task = rt.spawn(async move { runner().run(&inner, async {}) });
    let message = assert_panicked(task.await);
    assert!(message.contains("`block_on`"), "{message}");
}
