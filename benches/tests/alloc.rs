//! How many times does a task allocate? How often are those polled who are cancelled?
//!
//! The own loop: once. tokio and smol: at most once more than the native API.
//! Run in release by `cargo x alloc`: with debug assertions, task memory is not recycled, and then the
//! own loop's one allocation per task shows; without, even that one mostly goes.

use std::future::{Future, pending, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use allocation_counter::measure;
use kumi_core::cancel::CancelScope;
use kumi_core::channel::bounded;
use kumi_core::cleanup::finally;
use kumi_core::combine::{as_completed, gather, race, timeout, try_gather, yield_now};
use kumi_core::group::{TaskGroup, task_group};
use kumi_core::runtime::{Clock, Owned, Runtime, Sleep};
use kumi_core::spawned::Combine;
use kumi_core::task::SpawnExt;

const TASKS: u64 = 1_000;

/// Allocations for `TASKS` tasks that yield once and are joined, after everything is warm.
fn per_thousand<R: Runtime>(runtime: &Owned<R>) -> u64 {
    let round = || {
        runtime.block_on(async {
            for _ in 0..TASKS {
                let task = runtime.spawn(async { yield_now().await });
                task.await.expect("the task returns");
            }
        });
    };
    round();
    measure(round).count_total
}

/// A few allocations belong to the run and not to its tasks: the waker of main, and the like.
const RUN: u64 = 16;

#[test]
fn a_task_on_the_own_loop_allocates_at_most_once() {
    let loops = kumi_loop::Loop::new().expect("the loop starts");
    let count = per_thousand(&loops);
    assert!(
        count <= TASKS + RUN,
        "{count} allocations for {TASKS} tasks"
    );
}

#[test]
fn recycled_tasks_on_the_own_loop_do_not_allocate() {
    if cfg!(debug_assertions) {
        return;
    }
    let loops = kumi_loop::Loop::new().expect("the loop starts");
    let count = per_thousand(&loops);
    assert!(count <= RUN, "{count} allocations for {TASKS} tasks");
}

/// What a parked task takes beside its future: its cell, and its place in the list of live tasks.
#[test]
fn a_parked_task_on_the_own_loop_takes_few_bytes_beside_its_future() {
    /// Too large to be recycled, so that all memory is fresh.
    struct Parked([u8; 1024]);
    impl Future for Parked {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            assert_eq!(self.0[0], 7);
            Poll::Pending
        }
    }
    const PARKED: usize = 1_024;
    let loops = kumi_loop::Loop::new().expect("the loop starts");
    let mut tasks = Vec::with_capacity(PARKED);
    let info = measure(|| {
        loops.block_on(async {
            tasks.extend((0..PARKED).map(|_| loops.spawn(Parked([7; 1024]))));
            yield_now().await;
        });
    });
    let bytes = info.bytes_current / PARKED as i64 - size_of::<Parked>() as i64;
    assert!(bytes <= 88, "{bytes} bytes per task");
}

/// The places of the timers themselves stay with the loop: once there were as many, there is room.
#[test]
fn a_timer_on_the_own_loop_does_not_allocate() {
    let loops = kumi_loop::Loop::new().expect("the loop starts");
    let mut sleeps: Vec<_> = (0..TASKS).map(|_| Box::pin(None)).collect();
    let mut round = || {
        loops.block_on(poll_fn(|cx| {
            for (number, sleep) in (0..).zip(&mut sleeps) {
                let far = loops.now() + Duration::from_secs(60 + number);
                sleep.set(Some(loops.sleep_until(far)));
                let mut sleep = sleep.as_mut().as_pin_mut().expect("it was put there");
                assert!(sleep.as_mut().poll(cx).is_pending());
                sleep.reset(far - Duration::from_secs(30));
            }
            sleeps.iter_mut().for_each(|sleep| sleep.set(None));
            Poll::Ready(())
        }));
    };
    round();
    let count = measure(round).count_total;
    assert!(count <= RUN, "{count} allocations for {TASKS} timers");
}

#[test]
fn a_task_on_tokio_allocates_at_most_once_more_than_a_native_one() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("tokio starts");
    let round = || {
        runtime.block_on(async {
            for _ in 0..TASKS {
                tokio::spawn(tokio::task::yield_now())
                    .await
                    .expect("the task returns");
            }
        });
    };
    round();
    let native = measure(round).count_total;
    let ours = per_thousand(&kumi_tokio::Tokio::current_thread().expect("tokio starts"));
    assert!(native >= TASKS, "a native task allocates: {native}");
    assert!(ours <= native + TASKS + RUN, "native {native}, ours {ours}");
}

#[test]
fn a_task_on_smol_allocates_at_most_once_more_than_a_native_one() {
    let executor = async_executor::Executor::new();
    let round = || {
        async_io::block_on(executor.run(async {
            for _ in 0..TASKS {
                executor.spawn(futures_lite::future::yield_now()).await;
            }
        }));
    };
    round();
    let native = measure(round).count_total;
    let ours = per_thousand(&kumi_smol::Smol::current_thread());
    assert!(native >= TASKS, "a native task allocates: {native}");
    assert!(ours <= native + TASKS + RUN, "native {native}, ours {ours}");
}

#[test]
fn a_scope_without_regions_does_not_allocate() {
    let runtime = kumi_loop::Loop::new().expect("the loop starts");
    let rt = runtime.handle();
    let round = || {
        runtime.block_on(async {
            for _ in 0..TASKS {
                let inner = CancelScope::new().run(yield_now());
                let limited = timeout(&rt, Duration::from_secs(60), inner);
                limited
                    .await
                    .expect("there is time")
                    .expect("nobody cancels");
            }
        });
    };
    round();
    let count = measure(round).count_total;
    assert!(count <= RUN, "{count} allocations for {TASKS} timeouts");
}

#[test]
fn a_child_of_a_group_allocates_no_more_than_a_task() {
    let runtime = kumi_loop::Loop::new().expect("the loop starts");
    let rt = runtime.handle();
    let round = || {
        let group = task_group(&rt, async |group: TaskGroup<(), _>| {
            for _ in 0..TASKS {
                drop(group.spawn(async {
                    yield_now().await;
                    Ok(())
                }));
            }
            Ok(())
        });
        runtime.block_on(group).expect("nothing fails");
    };
    round();
    let count = measure(round).count_total;
    assert!(
        count <= TASKS + 2 * RUN,
        "{count} allocations for {TASKS} children"
    );
}

#[test]
fn a_million_short_children_leave_nothing_behind() {
    let runtime = kumi_loop::Loop::new().expect("the loop starts");
    let rt = runtime.handle();
    let of = |children: u64| {
        let group = task_group(&rt, async |group: TaskGroup<(), _>| {
            for _ in 0..children {
                let _ = group.spawn(async { Ok(()) }).await;
            }
            Ok(())
        });
        runtime.block_on(group).expect("nothing fails");
    };
    of(1_000);
    let few = measure(|| of(1_000)).bytes_max;
    let many = measure(|| of(1_000_000)).bytes_max;
    assert!(
        many <= few + 1_024,
        "{few} bytes at most for few, {many} for many"
    );
}

/// Polls of all children of a group, polls of the group itself after they were parked and cancelled,
/// and allocations.
fn cancel_a_crowd<R: Runtime>(runtime: &Owned<R>, children: usize) -> [usize; 3] {
    let polls = Arc::new([const { AtomicUsize::new(0) }; 2]);
    let counted = |place: usize, mut future: Pin<Box<dyn Future<Output = ()> + Send>>| {
        let polls = Arc::clone(&polls);
        poll_fn(move |cx| {
            polls[place].fetch_add(1, Ordering::Relaxed);
            future.as_mut().poll(cx)
        })
    };
    let rt = runtime.handle();
    let group = task_group(&rt, async |group: TaskGroup<(), _>| {
        for number in 0..children {
            let parked = counted(0, Box::pin(pending()));
            // Every second one has something to clean up.
            let cleans_up = number % 2 == 0;
            drop(group.spawn(async move {
                match cleans_up {
                    true => finally(parked, yield_now()).await,
                    false => parked.await,
                }
                Ok(())
            }));
        }
        while polls[0].load(Ordering::Relaxed) < children {
            yield_now().await;
        }
        polls[1].store(0, Ordering::Relaxed);
        group.cancel();
        Ok(())
    });
    let group = async { group.await.expect("nothing fails") };
    let mut group = pin!(group);
    let whole = poll_fn(|cx| {
        polls[1].fetch_add(1, Ordering::Relaxed);
        group.as_mut().poll(cx)
    });
    let allocated = measure(|| runtime.block_on(whole)).count_total;
    let [of_children, of_group] = [0, 1].map(|place| polls[place].load(Ordering::Relaxed));
    [of_children, of_group, allocated as usize]
}

#[test]
fn cancelling_a_crowd_is_linear() {
    fn check<R: Runtime>(runtime: Owned<R>) {
        for children in [1_000, 10_000, 100_000] {
            let [of_children, of_group, allocated] = cancel_a_crowd(&runtime, children);
            // Once when it begins, and once more when it is cancelled, as its value would win.
            assert!(
                of_children <= 2 * children,
                "{of_children} polls of {children} children"
            );
            assert!(
                of_group <= children / 4 + 8,
                "{of_group} polls of a group of {children}"
            );
            assert!(
                allocated <= 8 * children,
                "{allocated} allocations for {children} children"
            );
        }
    }
    check(kumi_loop::Loop::new().expect("the loop starts"));
    check(kumi_tokio::Tokio::current_thread().expect("tokio starts"));
    check(kumi_smol::Smol::current_thread());
}

/// Allocations of one run, after everything is warm.
fn once(mut run: impl FnMut()) -> u64 {
    run();
    measure(run).count_total
}

/// Polls until it is ready.
fn drive<F: Future>(future: F) -> F::Output {
    let mut future = std::pin::pin!(future);
    let mut cx = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut cx) {
            return output;
        }
    }
}

/// Children that yield so many times.
fn children(count: u64, yields: u64) -> impl Iterator<Item = impl Future<Output = u64>> {
    (0..count).map(move |number| async move {
        for _ in 0..yields {
            yield_now().await;
        }
        number
    })
}

#[test]
fn a_gather_in_place_allocates_at_most_twice() {
    for count in [1, 10, 1_000] {
        for (yields, expected) in [(0, 1), (1, 2), (10, 2)] {
            let run = || {
                let futures: Vec<_> = children(count, yields).collect();
                let made = measure(|| _ = drive(gather(futures))).count_total;
                assert_eq!(made, expected, "{count} children that yield {yields} times");
            };
            run();
            run();
        }
    }
}

#[test]
fn a_gather_of_an_iterator_allocates_at_most_twice() {
    for yields in [0, 1, 10] {
        let made = once(|| _ = drive(gather(children(1_000, yields))));
        assert!(made <= 2, "{made} allocations, {yields} yields");
    }
}

#[test]
fn an_array_in_place_allocates_once_if_it_waits() {
    for (yields, expected) in [(0, 0), (1, 1)] {
        let array = || {
            let mut some = children(3, yields);
            std::array::from_fn::<_, 3, _>(|_| some.next().expect("there are three"))
        };
        assert_eq!(once(|| _ = drive(gather(array()))), expected);
        assert_eq!(once(|| _ = drive(race(array()))), expected);
    }
}

#[test]
fn tuples_do_not_allocate() {
    let yields = async || yield_now().await;
    let fallible = async || {
        yield_now().await;
        Err::<(), ()>(())
    };
    assert_eq!(
        once(|| _ = drive(gather((yields(), yields(), yields())))),
        0
    );
    assert_eq!(once(|| _ = drive(race((yields(), yields())))), 0);
    assert_eq!(once(|| _ = drive(try_gather((fallible(), fallible())))), 0);
}

#[test]
fn wakers_that_are_kept_free_their_block_in_the_end() {
    let info = measure(|| {
        let mut kept = Vec::new();
        for housed in [false, true] {
            let keep = std::cell::RefCell::new(&mut kept);
            let child = |number: u64| {
                let keep = &keep;
                std::future::poll_fn(move |cx| {
                    keep.borrow_mut().push(cx.waker().clone());
                    match number {
                        0 => Poll::Ready(()),
                        _ => Poll::Pending,
                    }
                })
            };
            let mut all: std::pin::Pin<Box<dyn Future<Output = _>>> = match housed {
                true => Box::pin(gather((0..3).map(child))),
                false => Box::pin(gather((0..3).map(child).collect::<Vec<_>>())),
            };
            let mut cx = Context::from_waker(Waker::noop());
            assert!(all.as_mut().poll(&mut cx).is_pending());
        }
        for waker in kept {
            waker.wake();
        }
    });
    assert!(info.count_total >= 4, "{} allocations", info.count_total);
    assert_eq!(info.count_current, 0, "not all were freed");
}

/// One for what the ends share, one for its places; the third holds all who wait, and is made when
/// somebody does.
#[test]
fn a_channel_allocates_three_times_at_most_and_its_messages_never() {
    for capacity in [0, 1, 10, 1_000] {
        let loops = kumi_loop::Loop::new().expect("the loop starts");
        let round = |messages: u64| {
            loops.block_on(async {
                let (sender, receiver) = bounded(capacity);
                let send = async {
                    for number in 0..messages {
                        sender.send(number).await.expect("there is a receiver");
                    }
                };
                let receive = async {
                    for number in 0..messages {
                        assert_eq!(receiver.recv().await, Ok(number));
                    }
                };
                futures::join!(send, receive);
            });
        };
        round(1);
        let of_none = measure(|| round(0)).count_total;
        let made = measure(|| drop(bounded::<u64>(capacity))).count_total;
        assert!(made <= 2, "{made} for capacity {capacity}");
        let of_many = measure(|| round(100_000)).count_total;
        let more = of_many - of_none;
        assert!(more <= 1, "{more} for the messages, capacity {capacity}");
    }
}

/// The places, what is woken in them, and the futures of an iterator that is drawn at once.
#[test]
fn outputs_as_they_come_allocate_at_most_three_times() {
    let count = once(|| {
        let mut outputs = as_completed(children(1_000, 1));
        let mut sum = 0;
        drive(async {
            while let Some(output) = outputs.next().await {
                sum += output;
            }
        });
        assert_eq!(sum, 499_500);
    });
    assert!(count <= 3, "{count} allocations for 1 000 futures");
}

/// A child costs what a task costs, and all together a few more.
#[test]
fn a_spawned_gather_allocates_no_more_than_its_tasks() {
    let loops = kumi_loop::Loop::new().expect("the loop starts");
    let round = || {
        let all = loops.block_on(loops.gather(children(TASKS, 1).collect::<Vec<_>>()));
        assert_eq!(all.len() as u64, TASKS);
    };
    let count = once(round);
    assert!(
        count <= TASKS + RUN,
        "{count} allocations for {TASKS} children"
    );
}
