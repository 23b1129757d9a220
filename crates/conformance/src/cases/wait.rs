//! `wait`: some of many, and none is ended.
//!
//! (asyncio's `wait`, with `FIRST_COMPLETED`, `FIRST_EXCEPTION`, `ALL_COMPLETED`.)

use std::future::{pending, ready};
use std::time::Duration;

use kumi_core::combine::{ReturnWhen, wait, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{
    Manual, assert_cancelled, assert_panicked, counting_waker, hold, poll_with, token,
};

use super::in_flight::{polls_of, steps};

/// All, in the order in which they finish, with their places.
pub async fn all_completed<R: Runtime>(_: R) {
    let waited = wait([2, 0, 1].map(steps), ReturnWhen::AllCompleted).await;
    assert_eq!(waited.done, [(1, 0), (2, 1), (0, 2)]);
    assert!(waited.pending.is_empty());
}

/// Members of different types that return the same, also borrowed; who has not finished is waited for again.
pub async fn a_tuple<R: Runtime>(_: R) {
    let (hand, mut slow) = (Manual::new(), Box::pin(steps(3)));
    let first = wait(
        (&mut slow, hand.future(), std::future::ready(1)),
        ReturnWhen::FirstCompleted,
    );
    let first = first.await;
    assert_eq!(first.done, [(2, 1)]);
    assert_eq!(first.pending.len(), 2);
    let second = wait(first.pending, ReturnWhen::FirstCompleted).await;
    assert_eq!(second.done, [(0, 3)]);
    hand.finish(2);
    let rest = wait(second.pending, ReturnWhen::AllCompleted).await;
    assert_eq!(rest.done, [(1, 2)]);
}

/// The first one is enough; the others are given back.
pub async fn first_completed<R: Runtime>(_: R) {
    let hands: Vec<_> = (0..3).map(|_| Manual::new()).collect();
    let mut waiting = wait(hands.iter().map(Manual::future), ReturnWhen::FirstCompleted);
    let (wakes, waker) = counting_waker();
    assert!(poll_with(&mut waiting, &waker).is_pending());
    hands[1].finish("one");
    assert_eq!(wakes.count(), 1);
    let waited = waiting.await;
    assert_eq!(waited.done, [(1, "one")]);
    assert_eq!(waited.pending.len(), 2);
}

/// An error is enough; values are kept.
pub async fn first_error<R: Runtime>(_: R) {
    let child = |count: usize| async move {
        steps(count).await;
        if count == 2 { Err(count) } else { Ok(count) }
    };
    let waited = wait((0..5).map(child), ReturnWhen::FirstError).await;
    assert_eq!(waited.done, [(0, Ok(0)), (1, Ok(1)), (2, Err(2))]);
    assert_eq!(waited.pending.len(), 2);
    // Without an error it is as `AllCompleted`.
    let waited = wait([0, 1].map(child), ReturnWhen::FirstError).await;
    assert_eq!(waited.done.len(), 2);
}

/// Of those that finish at the same time all are given.
pub async fn those_that_finish_together<R: Runtime>(_: R) {
    let hands: Vec<_> = (0..4).map(|_| Manual::new()).collect();
    let mut waiting = wait(hands.iter().map(Manual::future), ReturnWhen::FirstCompleted);
    let (_, waker) = counting_waker();
    assert!(poll_with(&mut waiting, &waker).is_pending());
    hands[3].finish(3);
    hands[0].finish(0);
    assert_eq!(waiting.await.done, [(3, 3), (0, 0)]);
}

/// Those that are pending can be waited on again, until none is left; their places stay.
pub async fn pending_is_waited_on_again<R: Runtime>(_: R) {
    let (first, witness) = token();
    let mut tokens = vec![first];
    tokens.extend((1..5).map(|_| witness.token()));
    let members = tokens.into_iter().enumerate();
    let members: Vec<_> = members
        .map(|(count, token)| hold(token, steps(5 - count)))
        .collect();
    let mut waited = wait(members, ReturnWhen::FirstCompleted).await;
    let mut order = Vec::new();
    loop {
        order.extend(waited.done.iter().map(|&(place, _)| place));
        assert_eq!(witness.count(), order.len());
        assert_eq!(waited.pending.len(), 5 - order.len());
        if waited.pending.is_empty() {
            break;
        }
        waited = wait(waited.pending, ReturnWhen::FirstCompleted).await;
    }
    assert_eq!(order, [4, 3, 2, 1, 0]);
}

/// No members: it returns at once.
pub async fn of_nothing<R: Runtime>(_: R) {
    let none = Vec::<std::future::Ready<()>>::new();
    let waited = wait(none, ReturnWhen::FirstCompleted).await;
    assert!(waited.done.is_empty() && waited.pending.is_empty());
    let waited = wait(waited.pending, ReturnWhen::AllCompleted).await;
    assert!(waited.done.is_empty());
}

/// A time limit returns what there is, and ends no member.
pub async fn a_timeout_ends_no_member<R: Runtime>(_: R) {
    let hand = Manual::new();
    let members = [Manual::<u8>::new(), hand.clone()];
    let futures = members.iter().map(Manual::future);
    hand.finish(7);
    let limit = Duration::from_millis(1);
    let waited = wait(futures, ReturnWhen::AllCompleted).timeout(limit).await;
    assert_eq!(waited.done, [(1, 7)]);
    members[0].finish(8);
    let waited = wait(waited.pending, ReturnWhen::AllCompleted)
        .timeout(limit)
        .await;
    assert_eq!(waited.done, [(0, 8)]);
}

/// A limit of zero polls every member once.
pub async fn a_timeout_of_zero_looks_once<R: Runtime>(_: R) {
    let hands: Vec<_> = (0..3).map(|_| Manual::new()).collect();
    hands[2].set(2);
    let futures = hands.iter().map(Manual::future);
    let waited = wait(futures, ReturnWhen::AllCompleted)
        .timeout(Duration::ZERO)
        .await;
    assert_eq!(waited.done, [(2, 2)]);
    assert!(hands.iter().all(|hand| hand.polls() == 1));
}

/// Members that are borrowed stay with the caller.
pub async fn borrowed_members<R: Runtime>(rt: R) {
    let (mut quick, mut slow) = (rt.spawn(async { 1 }), rt.spawn(pending::<i32>()));
    let waited = wait([&mut slow, &mut quick], ReturnWhen::FirstCompleted).await;
    assert_eq!(waited.done.len(), 1);
    drop(waited);
    assert!(!slow.is_finished());
    slow.cancel();
    assert_cancelled(slow.await);
}

/// Ten thousand waits that end early leave nothing on a long task but the last waker.
pub async fn ten_thousand_waits_leave_nothing<R: Runtime>(rt: R) {
    let mut long = rt.spawn(pending::<()>());
    let (wakes, waker) = counting_waker();
    for _ in 0..10_000 {
        let mut waiting = wait([&mut long], ReturnWhen::FirstCompleted);
        assert!(poll_with(&mut waiting, &waker).is_pending());
    }
    // Nobody who waits is left, so nobody is told.
    let kept = std::sync::Arc::strong_count(&wakes);
    assert_eq!(kept, 2, "{} wakers are left", kept - 2);
    long.cancel();
    assert_cancelled(long.await);
    assert_eq!(wakes.count(), 0);
}

/// The cancel and the panic of a task are outcomes, and not one's own.
pub async fn outcomes_of_tasks<R: Runtime>(rt: R) {
    let tasks = vec![
        rt.spawn(async { 1 }),
        rt.spawn(async { panic!("a member") }),
        rt.spawn(pending()),
    ];
    tasks[2].cancel();
    let mut done = wait(tasks, ReturnWhen::AllCompleted).await.done;
    done.sort_by_key(|&(place, _)| place);
    let mut outcomes = done.into_iter().map(|(_, outcome)| outcome);
    let mut next = || outcomes.next().expect("there are three");
    assert_eq!(next().unwrap(), 1);
    assert_eq!(assert_panicked(next()), "a member");
    assert_cancelled(next());
    yield_now().await;
}

/// Dropped after any number of polls, it drops the members and the outputs so far, once.
pub async fn dropped<R: Runtime>(_: R) {
    for polls in 0..6 {
        let (first, witness) = token();
        let mut tokens = vec![first];
        tokens.extend((1..4).map(|_| witness.token()));
        let members = tokens.into_iter().enumerate();
        let members = members.map(|(count, token)| async move {
            steps(count).await;
            token
        });
        let (_, waker) = counting_waker();
        let mut waiting = wait(members, ReturnWhen::AllCompleted);
        let mut ready = false;
        for _ in 0..polls {
            ready = ready || poll_with(&mut waiting, &waker).is_ready();
        }
        drop(waiting);
        assert_eq!(witness.count(), 4, "{polls} polls");
    }
}

/// Members that are ready at once take turns with other tasks.
pub async fn many_ready_members<R: Runtime>(rt: R) {
    const MANY: usize = 20_000;
    let polls = polls_of(&rt, async {
        let waited = wait((0..MANY).map(ready), ReturnWhen::AllCompleted).await;
        assert_eq!(waited.done.len(), MANY);
    });
    let polls = polls.await;
    assert!(polls > MANY / 200, "it gave way {polls} times only");
}

/// A limit that is over waits for nobody; but members that wait for their first poll get it.
pub async fn a_timeout_of_zero_looks_at_all<R: Runtime>(rt: R) {
    let members = (0..2_000).map(|number| async move {
        if number % 2 == 0 {
            pending().await
        }
    });
    let limited = wait(members, ReturnWhen::AllCompleted).timeout(Duration::ZERO);
    let waited = rt.spawn(async { limited.await.done.len() }).await.unwrap();
    assert_eq!(waited, 1_000);
    // Also if they never rest.
    let members = (0..2_000).map(|_| steps(usize::MAX));
    let limited = wait(members, ReturnWhen::AllCompleted).timeout(Duration::ZERO);
    let waited = rt.spawn(async { limited.await.pending.len() });
    assert_eq!(waited.await.unwrap(), 2_000);
}
