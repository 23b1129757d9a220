//! Several loops beside each other.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use kumi_core::cleanup::finally;
use kumi_core::combine::yield_now;
use kumi_core::net::{ListenOptions, TcpListener, TcpStream};
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, SpawnExt};
use kumi_loop::{Loop, LoopPool};

const HOUR: Duration = Duration::from_secs(3600);

fn pool(loops: usize) -> LoopPool {
    LoopPool::with(loops, HOUR, Loop::builder()).expect("threads")
}

fn join<T>(handle: JoinHandle<T>) -> T {
    let lp = Loop::new().expect("the loop starts");
    lp.block_on(handle).expect("the task returns")
}

#[test]
fn tasks_run_at_the_same_time_and_stay_on_their_thread() {
    let pool = pool(2);
    let both = Arc::new(Barrier::new(2));
    let tasks: Vec<_> = (0..2)
        .map(|_| {
            let both = Arc::clone(&both);
            pool.spawn(async move {
                let first = thread::current().id();
                // Each blocks its thread until the other is there.
                both.wait();
                for _ in 0..100 {
                    yield_now().await;
                    assert_eq!(thread::current().id(), first);
                }
                first
            })
        })
        .collect();
    let threads: HashSet<_> = tasks.into_iter().map(join).collect();
    assert_eq!(threads.len(), 2);
}

#[test]
fn a_task_goes_where_the_fewest_are() {
    let pool = pool(3);
    let parked: Vec<_> = (0..9)
        .map(|_| pool.spawn(std::future::pending::<()>()))
        .collect();
    assert_eq!(pool.tasks(), [3, 3, 3]);
    // Those on one loop end.
    let mut parked = parked;
    for index in [6, 3, 0] {
        drop(parked.remove(index));
    }
    while pool.tasks().iter().sum::<usize>() > 6 {
        thread::yield_now();
    }
    assert_eq!(pool.tasks(), [0, 3, 3]);
    for _ in 0..3 {
        parked.push(pool.spawn(std::future::pending()));
    }
    assert_eq!(pool.tasks(), [3, 3, 3]);
}

#[test]
fn the_end_of_the_pool_lets_clean_ups_end() {
    let pool = pool(2);
    let cleaned = Arc::new(AtomicUsize::new(0));
    let (started, begun) = mpsc::channel();
    for _ in 0..10 {
        let (cleaned, started) = (Arc::clone(&cleaned), started.clone());
        pool.spawn(async move {
            let clean_up = async {
                yield_now().await;
                cleaned.fetch_add(1, Ordering::SeqCst);
            };
            started.send(()).expect("the test waits");
            finally(std::future::pending::<()>(), clean_up).await;
        })
        .detach();
    }
    begun.iter().take(10).for_each(drop);
    let handle = pool.loops().next().expect("there are two").clone();
    drop(pool);
    assert_eq!(cleaned.load(Ordering::SeqCst), 10);
    assert!(
        handle.spawn(async {}).is_finished(),
        "what comes later is dropped"
    );
}

#[test]
fn a_task_may_drop_its_pool() {
    let pool = pool(2);
    let place = Arc::new(Mutex::new(None));
    let taken = Arc::clone(&place);
    let (go, gone) = mpsc::channel::<()>();
    let task = pool.spawn(async move {
        // It blocks its thread until the pool is there.
        gone.recv().expect("the test says go");
        drop(taken.lock().expect("no panic").take());
    });
    *place.lock().expect("no panic") = Some(pool);
    go.send(()).expect("the task waits");
    let lp = Loop::new().expect("the loop starts");
    // The value wins over the end of its loop.
    lp.block_on(task).expect("the task returns");
}

#[test]
fn a_server_on_each_loop_with_one_address() {
    let pool = pool(2);
    let accepted = Arc::new(Mutex::new(HashSet::new()));
    let client = Loop::new().expect("the loop starts");
    let options = ListenOptions::new().reuse_port(true);
    let first = client
        .block_on(options.clone().listen(&*client, "127.0.0.1:0"))
        .expect("it listens");
    let address = first.local_addr().expect("an address");
    let (ready, listening) = mpsc::channel();
    let servers = pool.spawn_each(|number, lp| {
        let (lp, options, accepted) = (lp.clone(), options.clone(), Arc::clone(&accepted));
        let ready = ready.clone();
        async move {
            let listener: TcpListener<Loop> =
                options.listen(&lp, address).await.expect("it listens");
            ready.send(()).expect("the test waits");
            loop {
                let (stream, _) = listener.accept().await.expect("it accepts");
                accepted.lock().expect("no panic").insert(number);
                drop(stream);
            }
        }
    });
    listening.iter().take(2).for_each(drop);
    // From now on every connection is one of the two.
    drop(first);
    client.block_on(async {
        while accepted.lock().expect("no panic").len() < 2 {
            let stream = TcpStream::connect(&*client, address)
                .await
                .expect("it connects");
            drop(stream);
        }
    });
    drop(servers);
}

#[test]
#[should_panic(expected = "a pool of no loops")]
fn a_pool_of_no_loops_is_refused() {
    let _ = LoopPool::new(0);
}
