//! `limit` of `gather` and `try_gather`: the same outputs, fewer at a time.

use std::cell::Cell;
use std::future::{Future, poll_fn, ready};
use std::iter;
use std::pin::Pin;
use std::task::Poll;

use futures_core::Stream;
use kumi_core::cleanup::uncancellable;
use kumi_core::combine::{ReturnWhen, as_completed, gather, limited, try_gather, wait, yield_now};
use kumi_core::runtime::Runtime;
use kumi_core::task::SpawnExt;

use crate::probe::{panic_of, poll_once, token};

/// Suspends so many times, and says how many.
pub(super) async fn steps(count: usize) -> usize {
    for _ in 0..count {
        yield_now().await;
    }
    count
}

/// Outputs in the order of the futures, whatever the limit and the order in which they finish.
pub async fn outputs_in_order<R: Runtime>(_: R) {
    let counts = [5, 0, 3, 1, 4, 0, 2];
    for limit in 1..=8 {
        assert_eq!(gather(counts.map(steps)).limit(limit).await, counts);
        let tried = counts.map(|count| async move { Ok::<_, ()>(steps(count).await) });
        assert_eq!(try_gather(tried).limit(limit).await, Ok(counts));
    }
}

/// `limit(1)` runs them one after the other.
pub async fn one_at_a_time<R: Runtime>(_: R) {
    let running = Cell::new(false);
    let children = (0..10).map(|number| {
        let running = &running;
        async move {
            assert!(!running.replace(true), "two at a time");
            steps(number % 3).await;
            running.set(false);
            number
        }
    });
    assert_eq!(
        gather(limited(1, children)).await,
        (0..10).collect::<Vec<_>>()
    );
}

/// The outputs have the shape of the container.
pub async fn shapes<R: Runtime>(_: R) {
    let array: [usize; 3] = gather([1, 2, 3].map(steps)).limit(2).await;
    let vec: Vec<usize> = gather(vec![steps(1), steps(2)]).limit(2).await;
    let boxed: Box<[usize]> = gather(vec![steps(1), steps(2)].into_boxed_slice())
        .limit(1)
        .await;
    let iter: Vec<usize> = gather((1..3).map(steps)).limit(5).await;
    assert_eq!(
        (array, &vec[..], &boxed[..], &iter[..]),
        ([1, 2, 3], &[1, 2][..], &[1, 2][..], &[1, 2][..])
    );
    let stream = as_completed([ready(steps(2)), ready(steps(1))]);
    assert_eq!(gather(limited(1, stream)).await, [2, 1]);
}

/// After an error nothing more is drawn, and what runs is dropped.
pub async fn an_error_draws_no_more<R: Runtime>(_: R) {
    let (first, witness) = token();
    let first = Cell::new(Some(first));
    let drawn = Cell::new(0);
    let children = (0..100).map(|number| {
        drawn.set(drawn.get() + 1);
        let token = first.take().unwrap_or_else(|| witness.token());
        async move {
            let _token = token;
            match number {
                3 => Err(number),
                _ => Ok(steps(10).await),
            }
        }
    });
    assert_eq!(try_gather(limited(4, children)).await, Err(3));
    assert_eq!((drawn.get(), witness.count()), (4, 4));
}

/// An iterator without end can be tried until it fails.
pub async fn an_iterator_without_end<R: Runtime>(_: R) {
    let numbers = (0_usize..).map(|number| async move {
        steps(number % 3).await;
        if number < 1_000 { Ok(()) } else { Err(number) }
    });
    let failed = try_gather(limited(7, numbers)).await;
    assert!(failed.is_err_and(|number| (1_000..1_007).contains(&number)));
}

/// No futures give no outputs, at once.
pub async fn of_nothing<R: Runtime>(_: R) {
    let none = Vec::<std::future::Ready<u8>>::new();
    assert_eq!(gather(none).limit(3).await, []);
    let none = std::iter::empty::<std::future::Ready<Result<u8, u8>>>();
    assert_eq!(try_gather(none).limit(3).await, Ok(vec![]));
}

/// A limit of zero is refused: nothing would ever run.
pub async fn zero_panics<R: Runtime>(_: R) {
    let refused = panic_of(|| gather([steps(1)]).limit(0));
    assert!(refused.contains("use at least 1"), "{refused}");
    let refused = panic_of(|| as_completed([steps(1)]).limit(0));
    assert!(refused.contains("use at least 1"), "{refused}");
}

/// A limit after the first poll is refused.
pub async fn after_the_first_poll_panics<R: Runtime>(_: R) {
    let mut begun = gather([yield_now()]);
    assert!(poll_once(&mut begun).await.is_pending());
    let refused = panic_of(|| begun.limit(1));
    assert!(refused.contains("call it before"), "{refused}");
}

/// Many, with few at a time: each child is polled as often as it needs.
pub async fn many<R: Runtime>(rt: R) {
    let _ = rt;
    let polls = Cell::new(0_usize);
    let children = (0..5_000).map(|number| {
        let polls = &polls;
        let mut steps = Box::pin(steps(2));
        async move {
            std::future::poll_fn(|cx| {
                polls.set(polls.get() + 1);
                steps.as_mut().poll(cx)
            })
            .await;
            number
        }
    });
    let outputs = gather(limited(10, children)).await;
    assert_eq!(outputs, (0..5_000).collect::<Vec<_>>());
    // A place that is used again may be woken late by who was there before.
    assert!(polls.get() <= 5_000 * 3 + 5_000, "{} polls", polls.get());
}

/// Futures that are ready at once take turns with other tasks, under a limit too.
pub async fn many_ready<R: Runtime>(rt: R) {
    const MANY: usize = 20_000;
    let polls = polls_of(&rt, async {
        let limit = 10;
        assert_eq!(
            gather(limited(limit, (0..MANY).map(ready))).await.len(),
            MANY
        );
    });
    let polls = polls.await;
    assert!(polls > MANY / 200, "it gave way {polls} times only");
}

/// How often a task with this body is polled.
pub(super) async fn polls_of<R: Runtime>(
    rt: &R,
    body: impl Future<Output = ()> + Send + 'static,
) -> usize {
    let mut body = Box::pin(body);
    let mut polls = 0;
    let counted = std::future::poll_fn(move |cx| {
        polls += 1;
        body.as_mut().poll(cx).map(|()| polls)
    });
    rt.spawn(counted).await.expect("it ends")
}

/// While those in flight are unwound after an error nothing is drawn, and a later error says nothing.
pub async fn an_error_while_others_end<R: Runtime>(_: R) {
    let drawn = Cell::new(0);
    let ended = Cell::new(0);
    let children = (0..10).map(|number| {
        drawn.set(drawn.get() + 1);
        let ended = &ended;
        uncancellable(async move {
            steps(2 * number).await;
            ended.set(ended.get() + 1);
            Err::<(), _>(number)
        })
    });
    assert_eq!(try_gather(limited(3, children)).await, Err(0));
    assert_eq!((drawn.get(), ended.get()), (1, 1), "nobody else has begun");
    let children = (0..10).map(|number| {
        drawn.set(drawn.get() + 1);
        let ended = &ended;
        uncancellable(async move {
            steps(6 - 2 * number.min(3)).await;
            ended.set(ended.get() + 1);
            Err::<(), _>(number)
        })
    });
    drawn.set(0);
    ended.set(0);
    assert_eq!(try_gather(limited(3, children)).await, Err(2));
    assert_eq!((drawn.get(), ended.get()), (3, 3));
}

/// More members that spin than a poll has steps, and one after them that ends them.
struct Spin {
    told: Cell<bool>,
    gave_up: Cell<usize>,
    /// When those that spin give up, so that no test takes too long.
    rounds: usize,
}

impl Spin {
    const MEMBERS: usize = 300;

    fn new(rounds: usize) -> Self {
        Self {
            told: Cell::new(false),
            gave_up: Cell::new(0),
            rounds,
        }
    }

    async fn member(&self, number: usize) {
        if number + 1 == Self::MEMBERS {
            self.told.set(true);
            return;
        }
        for _ in 0..self.rounds {
            if self.told.get() {
                return;
            }
            yield_now().await;
        }
        self.gave_up.set(self.gave_up.get() + 1);
    }

    fn members(&self) -> impl ExactSizeIterator<Item = impl Future<Output = ()>> {
        (0..Self::MEMBERS).map(|number| self.member(number))
    }

    fn is_over(&self) -> bool {
        self.told.get() || self.gave_up.get() > 0
    }

    fn ended(&self, name: &str) {
        assert_eq!(self.gave_up.take(), 0, "{name}: the last one began late");
        assert!(self.told.take(), "{name}: the last one has not begun");
    }
}

/// Members that never rest do not keep later ones from beginning.
pub async fn members_that_never_rest<R: Runtime>(_: R) {
    let spin = Spin::new(200);
    gather(spin.members()).await;
    spin.ended("gather");
    gather(spin.members()).limit(1_000).await;
    spin.ended("gather with a limit");
    let done = wait(spin.members(), ReturnWhen::AllCompleted).await.done;
    assert_eq!(done.len(), Spin::MEMBERS);
    spin.ended("wait");
    let mut outputs = as_completed(spin.members());
    while outputs.next().await.is_some() {}
    spin.ended("as_completed");
    as_completed(spin.members()).for_each(ready).await;
    spin.ended("for_each");
}

/// Nor if somebody else uses up what the task may do in a poll; and those that spin go on as well.
pub async fn members_that_never_rest_beside_another<R: Runtime>(_: R) {
    let spin = Spin::new(2_000);
    let mut endless = as_completed((0..).map(|_| ready(()))).limit(1);
    let greedy = poll_fn(|cx| {
        while Pin::new(&mut endless).poll_next(cx).is_ready() {}
        match spin.is_over() {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    });
    let polls = Cell::new(0);
    let busy = async {
        while !spin.is_over() {
            polls.set(polls.get() + 1);
            yield_now().await;
        }
    };
    let busy: Pin<Box<dyn Future<Output = ()> + '_>> = Box::pin(busy);
    let members = iter::once(busy).chain(spin.members().map(|member| Box::pin(member) as _));
    gather((greedy, gather(members).limit(1_000))).await;
    spin.ended("beside somebody greedy");
    assert!(polls.get() > 1, "the first one was polled once only");
}
