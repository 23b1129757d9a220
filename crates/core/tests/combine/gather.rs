//! `gather` over children of one type: what is polled, when, and what is dropped.

use std::pin::pin;
use std::task::Poll;

use kumi_core::combine::{gather, yield_now};

use crate::support::{Log, Wakes, drive, poll, probes};

#[test]
fn outputs_are_in_the_order_of_the_children() {
    let child = |number: u32| async move {
        for _ in 0..5 - number {
            yield_now().await;
        }
        number
    };
    assert_eq!(drive(gather((0..5).map(child))).0, [0, 1, 2, 3, 4]);
    let vec: Vec<_> = (0..5).map(child).collect();
    assert_eq!(drive(gather(vec)).0, vec![0, 1, 2, 3, 4]);
    let boxed: Box<[_]> = (0..5).map(child).collect();
    let outputs: Box<[u32]> = drive(gather(boxed)).0;
    assert_eq!(*outputs, [0, 1, 2, 3, 4]);
    let outputs: [u32; 3] = drive(gather([child(0), child(1), child(2)])).0;
    assert_eq!(outputs, [0, 1, 2]);
}

#[test]
fn nothing_gives_nothing_at_once() {
    assert_eq!(
        drive(gather(Vec::<std::future::Ready<u32>>::new())),
        (vec![], 1)
    );
    let none: [std::future::Ready<u32>; 0] = [];
    assert_eq!(drive(gather(none)), ([], 1));
}

#[test]
fn only_the_woken_are_polled_in_the_order_of_their_wakes() {
    let log = Log::default();
    let (children, hands) = probes(4, &log);
    let (wakes, waker) = Wakes::new();
    let mut all = pin!(gather(children));
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(log.take(), "p0 p1 p2 p3");
    assert_eq!(wakes.take(), 0);
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(log.take(), "", "nobody was woken");
    hands[2].wake();
    hands[0].wake();
    hands[2].wake();
    assert_eq!(wakes.take(), 1, "wakes coalesce");
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(log.take(), "p2 p0");
    hands[3].end(33);
    hands[1].end(11);
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(log.take(), "p3 d3 p1 d1", "dropped as soon as ready");
    hands[0].end(0);
    hands[2].end(22);
    assert_eq!(wakes.take(), 2);
    assert_eq!(poll(all.as_mut(), &waker), Poll::Ready(vec![0, 11, 22, 33]));
    assert_eq!(log.take(), "p0 d0 p2 d2");
}
