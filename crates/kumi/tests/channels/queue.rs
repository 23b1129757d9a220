//! Queues: asyncio's facts (QU1-QU14), poll by poll. Where asyncio lets newcomers overtake (QU5, QU9), these
//! do not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use kumi::channel::{GetError, LifoQueue, PriorityQueue, PutError, Queue, ShutDown};

use super::{Hand, now};

/// QU1, QU3.
#[test]
fn a_queue_without_a_bound_is_never_full() {
    let queue = Queue::unbounded();
    for number in 0..1_000 {
        assert_eq!(now(queue.put(number)), Ok(()));
    }
    assert!(!queue.is_full() && queue.maxsize().is_none() && queue.len() == 1_000);
}

/// QU2.
#[test]
fn each_has_its_order() {
    let (queue, last, small) = (
        Queue::bounded(9),
        LifoQueue::bounded(9),
        PriorityQueue::bounded(9),
    );
    for number in [1, 3, 2] {
        queue.put_nowait(number).unwrap();
        last.put_nowait(number).unwrap();
        small.put_nowait(number).unwrap();
    }
    let three = |get: &dyn Fn() -> i32| [get(), get(), get()];
    assert_eq!(three(&|| queue.get_nowait().unwrap()), [1, 3, 2]);
    assert_eq!(three(&|| last.get_nowait().unwrap()), [2, 3, 1]);
    assert_eq!(three(&|| small.get_nowait().unwrap()), [1, 2, 3]);
}

/// QU3, QU4.
#[test]
fn only_a_full_or_an_empty_one_makes_wait() {
    let queue = Queue::bounded(1);
    assert_eq!(queue.get_nowait(), Err(GetError::Empty));
    assert_eq!(now(queue.put(1)), Ok(()));
    assert!(queue.is_full());
    assert_eq!(queue.put_nowait(2), Err(PutError::Full(2)));
    let put = Hand::waiting(queue.put(2));
    assert_eq!(now(queue.get()), Ok(1));
    assert_eq!(put.given(), Ok(()));
    assert_eq!(now(queue.get()), Ok(2));
    let get = Hand::waiting(queue.get());
    queue.put_nowait(3).unwrap();
    assert_eq!(get.given(), Ok(3));
}

/// QU5, as it should be: who waits is served first, and in turn.
#[test]
fn nobody_overtakes() {
    let queue = Queue::bounded(1);
    queue.put_nowait(1).unwrap();
    let (second, third) = (Hand::waiting(queue.put(2)), Hand::waiting(queue.put(3)));
    assert_eq!(now(queue.get()), Ok(1));
    // The free place is the second's, although it has not looked.
    assert_eq!(queue.put_nowait(9), Err(PutError::Full(9)));
    assert_eq!(now(queue.get()), Ok(2));
    assert_eq!((second.given(), third.given()), (Ok(()), Ok(())));

    assert_eq!(now(queue.get()), Ok(3));
    let (one, two) = (Hand::waiting(queue.get()), Hand::waiting(queue.get()));
    queue.put_nowait(4).unwrap();
    assert_eq!(queue.get_nowait(), Err(GetError::Empty));
    queue.put_nowait(5).unwrap();
    assert_eq!((two.given(), one.given()), (Ok(5), Ok(4)));
}

/// QU6: who goes leaves nothing, and its value is dropped.
#[test]
fn those_who_go_are_forgotten() {
    let queue = Queue::bounded(1);
    let value = Arc::new(());
    queue.put_nowait(Arc::clone(&value)).unwrap();
    for _ in 0..100 {
        let put = Hand::waiting(queue.put(Arc::clone(&value)));
        let wakes = put.wakes();
        drop(put);
        assert_eq!(
            (Arc::strong_count(&wakes), Arc::strong_count(&value)),
            (1, 2)
        );
    }
    drop(queue.get_nowait().unwrap());
    for _ in 0..100 {
        let get = Hand::waiting(queue.get());
        let wakes = get.wakes();
        drop(get);
        assert_eq!(Arc::strong_count(&wakes), 1);
    }
    queue.put_nowait(value).unwrap();
    assert_eq!(queue.len(), 1);
}

/// QU7: chosen, and gone without looking.
#[test]
fn a_turn_is_passed_on() {
    let queue = Queue::bounded(1);
    let (one, two) = (Hand::waiting(queue.get()), Hand::waiting(queue.get()));
    queue.put_nowait(1).unwrap();
    assert!(one.is_woken() && !two.is_woken());
    drop(one);
    assert_eq!(two.given(), Ok(1));

    // With nobody behind it, the value goes back to the front.
    let one = Hand::waiting(queue.get());
    queue.put_nowait(2).unwrap();
    queue.put_nowait(3).unwrap();
    drop(one);
    assert_eq!((now(queue.get()), now(queue.get())), (Ok(2), Ok(3)));

    // One that puts, and was served: its value is in the queue.
    queue.put_nowait(4).unwrap();
    let (one, two) = (Hand::waiting(queue.put(5)), Hand::waiting(queue.put(6)));
    assert_eq!(now(queue.get()), Ok(4));
    drop(one);
    assert_eq!((now(queue.get()), two.given()), (Ok(5), Ok(())));
    assert_eq!(now(queue.get()), Ok(6));
}

/// QU8, QU10.
#[test]
fn work_is_counted() {
    let queue = Queue::unbounded();
    now(queue.join());
    assert!(catch_unwind(AssertUnwindSafe(|| queue.task_done())).is_err());
    queue.put_nowait(1).unwrap();
    queue.put_nowait(2).unwrap();
    let mut join = Hand::waiting(queue.join());
    queue.get_nowait().unwrap();
    queue.get_nowait().unwrap();
    assert!(join.poll().is_none());
    queue.task_done();
    assert!(!join.is_woken());
    queue.task_done();
    join.given();
    assert!(catch_unwind(AssertUnwindSafe(|| queue.task_done())).is_err());
}

/// QU9, as it should be: the first zero releases `join`, also if more comes before it looks.
#[test]
fn join_is_released_by_the_first_zero() {
    let queue = Queue::unbounded();
    queue.put_nowait(1).unwrap();
    let join = Hand::waiting(queue.join());
    queue.get_nowait().unwrap();
    queue.task_done();
    queue.put_nowait(2).unwrap();
    join.given();
    Hand::waiting(queue.join());
}

/// QU11, QU13.
#[test]
fn shut_down_it_is_drained() {
    let queue = Queue::bounded(2);
    queue.put_nowait(1).unwrap();
    queue.put_nowait(2).unwrap();
    let put = Hand::waiting(queue.put(3));
    queue.shutdown(false);
    assert_eq!(put.given(), Err(ShutDown(3)));
    assert_eq!(queue.put_nowait(4), Err(PutError::ShutDown(4)));
    assert_eq!(now(queue.put(5)), Err(ShutDown(5)));
    let mut join = Hand::waiting(queue.join());
    assert_eq!((now(queue.get()), queue.get_nowait()), (Ok(1), Ok(2)));
    assert_eq!(now(queue.get()), Err(ShutDown(())));
    assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
    queue.task_done();
    assert!(join.poll().is_none());
    queue.task_done();
    join.given();

    let queue = Queue::<u8>::unbounded();
    let get = Hand::waiting(queue.get());
    queue.shutdown(false);
    assert_eq!(get.given(), Err(ShutDown(())));
}

/// QU12: what is in it is dropped and done; what was taken is not.
#[test]
fn shut_down_at_once() {
    let queue = Queue::unbounded();
    let value = Arc::new(());
    for _ in 0..3 {
        queue.put_nowait(Arc::clone(&value)).unwrap();
    }
    let taken = queue.get_nowait().unwrap();
    let join = Hand::waiting(queue.join());
    queue.shutdown(true);
    assert_eq!((Arc::strong_count(&value), queue.unfinished()), (2, 1));
    assert_eq!(queue.get_nowait(), Err(GetError::ShutDown));
    drop(taken);
    queue.task_done();
    join.given();
}

/// QU14: a value that was given is received after a plain shutdown, and dropped by an immediate one; a
/// plain one can be followed by an immediate one.
#[test]
fn shut_down_beside_a_wake() {
    let queue = Queue::unbounded();
    let get = Hand::waiting(queue.get());
    queue.put_nowait(1).unwrap();
    queue.shutdown(false);
    assert_eq!(get.given(), Ok(1));

    let queue = Queue::unbounded();
    let get = Hand::waiting(queue.get());
    queue.put_nowait(1).unwrap();
    queue.shutdown(false);
    queue.shutdown(false);
    queue.shutdown(true);
    assert_eq!(get.given(), Err(ShutDown(())));
    assert_eq!(queue.unfinished(), 0);
    now(queue.join());

    // One that puts and was served before: asyncio loses the race, here it was put.
    let queue = Queue::bounded(1);
    queue.put_nowait(1).unwrap();
    let put = Hand::waiting(queue.put(2));
    queue.get_nowait().unwrap();
    queue.shutdown(false);
    assert_eq!((put.given(), now(queue.get())), (Ok(()), Ok(2)));
}

/// A guard says that its work is done, also if that panics or is dropped.
#[test]
fn a_guard_says_it_is_done() {
    let queue = Queue::unbounded();
    for number in 0..3 {
        queue.put_nowait(number).unwrap();
    }
    assert_eq!(now(queue.take()).unwrap().done(), 0);
    assert_eq!(queue.unfinished(), 2);
    let work = now(queue.take()).unwrap();
    let panics = AssertUnwindSafe(move || match *work {
        1 => panic!("in the work"),
        _ => drop(work),
    });
    assert!(catch_unwind(panics).is_err());
    assert_eq!(queue.unfinished(), 1);
    drop(now(queue.take()));
    now(queue.join());
}
