//! `race_ok`: the first success, when the losers are unwound, or all errors. What it shares with
//! `race` is checked there.

use std::cell::Cell;
use std::future::{Future, pending, ready};
use std::pin::Pin;

use kumi_core::cleanup::finally;
use kumi_core::combine::race_ok;
use kumi_core::runtime::Runtime;

use crate::probe::{Token, token, turns};

/// It gives the first success, whatever failed before; or all errors, in the order of the futures and
/// the shape of the container.
pub async fn the_first_success_or_all_errors<R: Runtime>(rt: R) {
    let after = async |wait: usize, output: Result<u32, u32>| {
        turns(&rt, wait).await;
        match output {
            Ok(3) => pending().await,
            _ => output,
        }
    };
    let some = || [after(1, Err(1)), after(4, Ok(2)), after(2, Ok(3))];
    assert_eq!(race_ok(some()).await, Ok(2));
    assert_eq!(race_ok(some().into_iter()).await, Ok(2));
    assert_eq!(race_ok(Vec::from(some())).await, Ok(2));
    let [a, b, c] = some();
    assert_eq!(race_ok((a, b, c)).await, Ok(2));
    let none = || [after(4, Err(1)), after(1, Err(2)), after(2, Err(3))];
    assert_eq!(race_ok(none()).await, Err([1, 2, 3]));
    assert_eq!(race_ok(none().into_iter()).await, Err(vec![1, 2, 3]));
    let boxed: Box<[u32]> = race_ok(none().into_iter().collect::<Box<[_]>>())
        .await
        .unwrap_err();
    assert_eq!(*boxed, [1, 2, 3]);
    let mixed = race_ok((after(2, Err(1)), ready(Err("no")), async { Err(()) }));
    assert_eq!(mixed.await, Err((1, "no", ())));
}

/// It unwinds the losers, as `race` does; the errors so far are dropped at once.
pub async fn the_losers_are_unwound<R: Runtime>(rt: R) {
    type Racer<'a> = Pin<Box<dyn Future<Output = Result<u32, Token>> + 'a>>;
    let (error, witness) = token();
    let cleaned = Cell::new(false);
    let loser = async {
        let clean_up = async {
            assert_eq!(witness.count(), 1, "the error goes first");
            turns(&rt, 3).await;
            cleaned.set(true);
        };
        finally(pending(), clean_up).await
    };
    let wins = async {
        turns(&rt, 2).await;
        assert!(!witness.is_dropped(), "it is kept as long as all may fail");
        Ok(1)
    };
    let fails: Racer<'_> = Box::pin(ready(Err(error)));
    let children: [Racer<'_>; 3] = [fails, Box::pin(loser), Box::pin(wins)];
    assert_eq!(race_ok(children).await.ok(), Some(1));
    assert!(cleaned.get());
    assert_eq!(witness.count(), 1);
}
