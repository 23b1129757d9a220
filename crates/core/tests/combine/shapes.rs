//! Every container under one name, for every combinator; and what passes through.

use std::convert::Infallible;
use std::future::{Future, Ready, ready};

use kumi_core::combine::{gather, race, race_ok, try_gather, yield_now};

use crate::support::drive;

async fn later<T>(value: T, polls: usize) -> T {
    for _ in 0..polls {
        yield_now().await;
    }
    value
}

#[test]
fn tuples_of_every_length() {
    let () = drive(gather(())).0;
    assert_eq!(drive(gather((later(1, 2),))).0, (1,));
    assert_eq!(drive(gather((later(1, 2), later("two", 1)))).0, (1, "two"));
    let many = (
        later(1, 3),
        later('b', 0),
        later("c", 1),
        later(4.0, 0),
        later(5u8, 2),
        later((), 0),
        later([7], 0),
        later(Some(8), 1),
        later(9, 0),
        later(10i64, 0),
        later(11, 3),
        later("twelve".to_owned(), 1),
    );
    let expected = (
        1,
        'b',
        "c",
        4.0,
        5u8,
        (),
        [7],
        Some(8),
        9,
        10i64,
        11,
        "twelve".to_owned(),
    );
    let (outputs, polls) = drive(gather(many));
    assert_eq!(outputs, expected);
    assert_eq!(polls, 4, "the longest decides");
}

#[test]
fn try_gather_gives_the_values_or_the_first_error() {
    type R = Result<u32, &'static str>;
    let child = |value: R, polls| later(value, polls);
    assert_eq!(
        drive(try_gather([child(Ok(1), 1), child(Ok(2), 0)])).0,
        Ok([1, 2])
    );
    let late_and_early = [child(Err("late"), 2), child(Err("early"), 1)];
    assert_eq!(drive(try_gather(late_and_early)).0, Err("early"));
    let different = (later(Ok::<_, &str>(1), 1), later(Ok("two"), 0));
    assert_eq!(drive(try_gather(different)).0, Ok((1, "two")));
    let failing = (later(Ok::<u32, _>(1), 1), later(Err::<(), _>("no"), 2));
    assert_eq!(drive(try_gather(failing)).0, Err("no"));
    assert_eq!(drive(try_gather(Vec::<Ready<R>>::new())).0, Ok(vec![]));
    let none: Result<(), Infallible> = drive(try_gather(())).0;
    assert_eq!(none, Ok(()));
}

#[test]
fn race_gives_the_first_output_and_an_error_for_nothing() {
    assert_eq!(
        drive(race([later(1, 2), later(2, 1), later(3, 1)])).0,
        Ok(2)
    );
    assert_eq!(drive(race((later(1, 2), ready(2)))).0, Ok(2));
    assert_eq!(drive(race((0..3).map(ready))).0, Ok(0));
    let error = drive(race(Vec::<Ready<u32>>::new())).0.unwrap_err();
    assert_eq!(error.to_string(), "a race without a runner has no winner");
    assert!(drive(race(())).0.is_err());
    let none: [Ready<u32>; 0] = [];
    assert!(drive(race(none)).0.is_err());
}

#[test]
fn race_ok_gives_the_first_success_or_all_errors() {
    type R = Result<u32, &'static str>;
    let child = |value: R, polls| later(value, polls);
    assert_eq!(
        drive(race_ok([child(Err("a"), 0), child(Ok(2), 1)])).0,
        Ok(2)
    );
    let all = vec![child(Err("a"), 2), child(Err("b"), 1), child(Err("c"), 0)];
    assert_eq!(drive(race_ok(all)).0, Err(vec!["a", "b", "c"]));
    let boxed: Box<[_]> = Box::new([child(Err("a"), 2), child(Err("b"), 1)]);
    let errors: Result<u32, Box<[&str]>> = drive(race_ok(boxed)).0;
    assert_eq!(errors, Err(Box::from(["a", "b"])));
    let tuple = (later(Err::<u32, _>("a"), 1), later(Err(2), 0));
    assert_eq!(drive(race_ok(tuple)).0, Err(("a", 2)));
    assert_eq!(drive(race_ok(Vec::<Ready<R>>::new())).0, Err(vec![]));
}

#[test]
fn children_may_borrow_and_auto_traits_pass_through() {
    fn is_send<T: Send>(value: T) -> T {
        value
    }
    fn is_sync<T: Sync>(value: T) -> T {
        value
    }
    /// In generic code, where the compiler knows the future by its bounds only.
    fn generic<F: Future<Output = T> + Send, T: Send>(futures: Vec<F>) -> impl Future + Send {
        async move { gather(futures).await }
    }
    let text = String::from("borrowed");
    let children = [later(text.as_str(), 1), later(&text, 0)];
    assert_eq!(drive(is_sync(is_send(gather(children)))).0, ["borrowed"; 2]);
    drop(is_sync(is_send(gather((later(&text, 1), later(1, 0))))));
    drop(is_send(race(vec![later(&text, 1)])));
    drop(is_send(try_gather([later(Ok::<_, ()>(&text), 1)])));
    drop(is_send(generic(vec![later(&text, 1)])));
    // In a task the compiler has forgotten which lifetimes are the same.
    drop(is_send(async {
        let value = try_gather((later(Ok("a"), 1), later(Err::<(), _>("b"), 0))).await;
        let first = race((later("a", 1), later("b", 0))).await;
        let ok = race_ok((later(Ok::<_, ()>("a"), 1), later(Err("b"), 0))).await;
        let unlike = gather((later("a", 1), later(("b", 0), 0))).await;
        (value.is_ok(), first, ok, unlike)
    }));
    let local = std::rc::Rc::new(1);
    let shared = async || *local;
    assert_eq!(drive(gather([shared(), shared()])).0, [1, 1]);
}
