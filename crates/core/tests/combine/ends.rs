//! Drops at every point, panics, and polls after the end.

use std::cell::RefCell;
use std::future::{Future, poll_fn, ready};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Wake, Waker};

use kumi_core::combine::{gather, race, race_ok, try_gather, yield_now};

use crate::support::{Log, Wakes, drive, poll, probes};

/// The text of what `f` panics with.
fn panic_of<T>(f: impl FnOnce() -> T) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(f)) else {
        panic!("it does not panic");
    };
    match panic.downcast::<&'static str>() {
        Ok(text) => (*text).to_owned(),
        Err(panic) => *panic.downcast::<String>().expect("a text"),
    }
}

/// Counts itself while it is there.
struct Token(Rc<RefCell<Vec<u32>>>, u32);

impl Token {
    fn new(all: &Rc<RefCell<Vec<u32>>>, id: u32) -> Self {
        all.borrow_mut().push(id);
        Self(Rc::clone(all), id)
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let mut all = self.0.borrow_mut();
        let place = all.iter().position(|id| *id == self.1);
        all.remove(place.expect("dropped once"));
    }
}

/// Children that yield `index` times, hold a token, and return another; with one allocation each.
async fn tokens(all: Rc<RefCell<Vec<u32>>>, index: u32) -> Token {
    let _held = Token::new(&all, 100 + index);
    for _ in 0..index {
        yield_now().await;
    }
    Token::new(&all, index)
}

/// An error at once: what was kept until then is dropped, and nothing is polled that comes behind.
#[test]
fn a_decision_in_the_first_poll_drops_what_was_kept() {
    let all = Rc::default();
    let children = [0, 1, 2].map(|index| {
        let token = Token::new(&all, index);
        ready(match index {
            2 => Err(index),
            _ => Ok(token),
        })
    });
    let Poll::Ready(Err(2)) = poll(pin!(try_gather(children)), Waker::noop()) else {
        panic!("it fails at once");
    };
    assert!(all.borrow().is_empty(), "left: {:?}", all.borrow());
}

#[test]
fn dropped_after_any_poll_everything_is_dropped_once() {
    for polls in 0..7 {
        let all = Rc::new(RefCell::new(Vec::new()));
        let children = || (0..5).map(|index| tokens(Rc::clone(&all), index));
        fn some_polls<F: Future>(future: F, polls: usize) {
            let mut future = Box::pin(future);
            for _ in 0..polls {
                if poll(future.as_mut(), Waker::noop()).is_ready() {
                    return;
                }
            }
        }
        some_polls(gather(children()), polls);
        assert_eq!(*all.borrow(), [], "gather of an iterator, {polls} polls");
        some_polls(gather(children().collect::<Box<[_]>>()), polls);
        assert_eq!(*all.borrow(), [], "gather of a box, {polls} polls");
        let array: [_; 5] = std::array::from_fn(|index| tokens(Rc::clone(&all), index as u32));
        some_polls(gather(array), polls);
        assert_eq!(*all.borrow(), [], "gather of an array, {polls} polls");
        let child = |index| tokens(Rc::clone(&all), index);
        some_polls(gather((child(0), child(2), child(1), child(4))), polls);
        assert_eq!(*all.borrow(), [], "gather of a tuple, {polls} polls");
        some_polls(race(children().skip(1)), polls);
        assert_eq!(*all.borrow(), [], "race, {polls} polls");
        let fail_at = |at| {
            children()
                .enumerate()
                .map(move |(index, child)| async move {
                    let token = child.await;
                    if index == at { Err(token) } else { Ok(token) }
                })
        };
        for at in 0..5 {
            some_polls(try_gather(fail_at(at)), polls);
            assert_eq!(*all.borrow(), [], "try_gather, {at} fails, {polls} polls");
            some_polls(race_ok(fail_at(at)), polls);
            assert_eq!(*all.borrow(), [], "race_ok, {at} fails, {polls} polls");
        }
    }
}

#[test]
fn the_others_are_dropped_when_the_set_is() {
    let log = Log::default();
    let (children, hands) = probes(4, &log);
    let mut all = Box::pin(gather(children));
    assert!(poll(all.as_mut(), Waker::noop()).is_pending());
    hands[2].end(2);
    assert!(poll(all.as_mut(), Waker::noop()).is_pending());
    log.take();
    drop(all);
    assert_eq!(log.take(), "d0 d1 d3");
}

#[test]
fn a_poll_after_the_end_says_which() {
    fn twice<F: Future>(future: F) -> String {
        let mut future = pin!(future);
        while poll(future.as_mut(), Waker::noop()).is_pending() {}
        panic_of(|| poll(future.as_mut(), Waker::noop()).is_ready())
    }
    let text = |name| format!("`{name}` was polled after it was ready");
    assert_eq!(twice(gather([ready(1)])), text("gather"));
    assert_eq!(twice(gather((ready(1), ready(2)))), text("gather"));
    assert_eq!(
        twice(try_gather([ready(Ok::<_, ()>(1))])),
        text("try_gather")
    );
    assert_eq!(
        twice(try_gather([ready(Err::<(), _>(1))])),
        text("try_gather")
    );
    assert_eq!(twice(race([ready(1)])), text("race"));
    assert_eq!(twice(race_ok((ready(Err::<(), _>(1)),))), text("race_ok"));
}

#[test]
fn a_panic_of_a_child_goes_on_and_the_rest_can_be_dropped() {
    fn child(log: Log, index: usize, panics: bool) -> impl Future<Output = usize> {
        struct Gone(Log, usize);
        impl Drop for Gone {
            fn drop(&mut self) {
                self.0.add('d', self.1);
            }
        }
        let gone = Gone(log, index);
        let mut polls = 0;
        poll_fn(move |cx| {
            let _ = &gone;
            polls += 1;
            cx.waker().wake_by_ref();
            assert!(!(panics && polls == 2), "child {index}");
            if polls < 2 {
                Poll::Pending
            } else {
                Poll::Ready(index)
            }
        })
    }
    fn check<F: Future>(log: &Log, future: F, name: &str) {
        let mut future = Box::pin(future);
        assert!(poll(future.as_mut(), Waker::noop()).is_pending());
        let panic = panic_of(|| poll(future.as_mut(), Waker::noop()).is_ready());
        assert_eq!(panic, "child 1");
        let again = panic_of(|| poll(future.as_mut(), Waker::noop()).is_ready());
        let expected = format!("`{name}` was polled after one of its futures had panicked");
        assert_eq!(again, expected);
        drop(future);
        let mut gone: Vec<_> = log.take().split(' ').map(str::to_owned).collect();
        gone.sort();
        assert_eq!(gone, ["d0", "d1", "d2"]);
    }
    let log = Log::default();
    let one = |index| child(log.clone(), index, index == 1);
    check(&log, gather((0..3).map(one)), "gather");
    check(&log, gather([one(0), one(1), one(2)]), "gather");
    check(&log, gather((one(0), one(1), one(2))), "gather");
    let ok = |index| {
        let child = one(index);
        async move { Ok::<_, ()>(child.await) }
    };
    check(&log, try_gather((0..3).map(ok)), "try_gather");
}

#[test]
fn a_panic_in_the_first_poll_of_all() {
    for clones in [false, true] {
        let log = Log::default();
        let (mut children, _hands) = probes(2, &log);
        let boxed: [Pin<Box<dyn Future<Output = u32>>>; 3] = [
            Box::pin(poll_fn(move |cx| {
                let _kept = clones.then(|| cx.waker().clone());
                panic!("at once")
            })),
            Box::pin(children.pop().unwrap()),
            Box::pin(children.pop().unwrap()),
        ];
        let mut all = Box::pin(gather(boxed));
        assert_eq!(panic_of(|| poll(all.as_mut(), Waker::noop())), "at once");
        drop(all);
        assert_eq!(log.take(), "d1 d0");
    }
}

#[test]
fn a_panic_of_a_childs_drop_loses_nobody_else() {
    struct Bad(Log, usize, bool);
    impl Future for Bad {
        type Output = String;
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<String> {
            if self.2 {
                Poll::Ready("output".to_owned())
            } else {
                Poll::Pending
            }
        }
    }
    impl Drop for Bad {
        fn drop(&mut self) {
            self.0.add('d', self.1);
            assert!(self.1 != 1, "drop of 1");
        }
    }
    let log = Log::default();
    let bad = |index| Bad(log.clone(), index, false);
    // When the set is dropped.
    let mut all = Box::pin(gather([bad(0), bad(1), bad(2)]));
    assert!(poll(all.as_mut(), Waker::noop()).is_pending());
    assert_eq!(panic_of(|| drop(all)), "drop of 1");
    assert_eq!(log.take(), "d0 d1 d2");
    // When it has finished.
    let mut all = Box::pin(gather([bad(0), Bad(log.clone(), 1, true), bad(2)]));
    assert_eq!(panic_of(|| poll(all.as_mut(), Waker::noop())), "drop of 1");
    assert_eq!(log.take(), "d1");
    drop(all);
    assert_eq!(log.take(), "d0 d2");
    // When it has decided.
    let mut first = Box::pin(race([bad(0), Bad(log.clone(), 1, true), bad(2)]));
    assert_eq!(
        panic_of(|| poll(first.as_mut(), Waker::noop())),
        "drop of 1"
    );
    drop(first);
    assert_eq!(log.take(), "d1 d0 d2");
}

/// A waker that panics when it is woken, and counts that.
struct Explosive(std::sync::atomic::AtomicUsize);

impl Wake for Explosive {
    fn wake(self: std::sync::Arc<Self>) {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        panic!("the parent's waker");
    }
}

#[test]
fn a_panic_of_the_parents_waker_loses_no_child() {
    let log = Log::default();
    let (children, hands) = probes(2, &log);
    let explosive = std::sync::Arc::new(Explosive(std::sync::atomic::AtomicUsize::new(0)));
    let waker = Waker::from(std::sync::Arc::clone(&explosive));
    let mut all = pin!(gather(children));
    assert!(poll(all.as_mut(), &waker).is_pending());
    assert_eq!(panic_of(|| hands[1].end(1)), "the parent's waker");
    // The wake arrived all the same, and the block is not left busy: a new parent is heard of.
    let (wakes, good) = Wakes::new();
    assert!(poll(all.as_mut(), &good).is_pending());
    assert_eq!(wakes.take(), 0);
    hands[0].end(0);
    assert_eq!(wakes.take(), 1);
    assert_eq!(poll(all.as_mut(), &good), Poll::Ready(vec![0, 1]));
    assert_eq!(explosive.0.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[test]
fn zero_sized_and_large_children() {
    struct Nothing;
    impl Future for Nothing {
        type Output = ();
        fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
            Poll::Ready(())
        }
    }
    assert_eq!(drive(gather((0..100).map(|_| Nothing))).0.len(), 100);
    let large = |number: u8| async move {
        let memory = [number; 4_096];
        yield_now().await;
        memory
    };
    let outputs = drive(gather([large(1), large(2)])).0;
    assert_eq!(
        outputs.map(|memory| (memory[0], memory[4_095])),
        [(1, 1), (2, 2)]
    );
}

#[test]
fn wakers_outlive_the_set_wherever_their_memory_is() {
    // Of an iterator, the wakers are in the memory of the children; of a full `Vec`, elsewhere.
    for at_end in [false, true] {
        let log = Log::default();
        let (children, hands) = probes(3, &log);
        let mut all: Pin<Box<dyn Future<Output = Vec<u32>>>> = match at_end {
            false => Box::pin(gather(children)),
            true => Box::pin(gather(children.into_iter())),
        };
        assert!(poll(all.as_mut(), Waker::noop()).is_pending());
        let kept: Vec<_> = hands.iter().map(|hand| hand.waker()).collect();
        if at_end {
            hands.iter().for_each(|hand| hand.end(1));
            assert!(poll(all.as_mut(), Waker::noop()).is_ready());
            kept[0].wake_by_ref();
        }
        drop(all);
        for waker in kept {
            let own = waker.clone();
            drop(waker);
            own.wake();
        }
    }
}

#[test]
fn a_panic_in_the_first_poll_leaves_its_waker_usable() {
    let kept = Rc::new(RefCell::new(None));
    let keep = Rc::clone(&kept);
    let children = (0..3).map(|index| {
        let keep = Rc::clone(&keep);
        poll_fn(move |cx| -> Poll<()> {
            *keep.borrow_mut() = Some(cx.waker().clone());
            panic!("child {index}")
        })
    });
    let mut all = Box::pin(gather(children));
    assert_eq!(panic_of(|| poll(all.as_mut(), Waker::noop())), "child 0");
    let waker: Waker = kept.take().expect("it was kept");
    waker.wake_by_ref();
    drop(all);
    waker.wake();
}
