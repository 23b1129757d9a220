//! One run of a scenario: polls its body, ends it at the given point, and lets everything settle.

use std::any::Any;
use std::future::{Future, poll_fn};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use kumi_core::cancel::{CancelHandle, CancelScope};
use kumi_core::report::Report;
use kumi_core::runtime::Runtime;
use kumi_core::task::{JoinHandle, current_task};
use pin_project_lite::pin_project;

use super::wakers::{Supplied, Wakers};
use super::{Ledger, Point, Way};
use crate::probe::text;

kumi_core::task_local! {
    /// The run to which the code belongs, also in tasks, clean-ups and destructors.
    static RUN: Ledger;
}

/// Gives a report to the run in which it was made, if it was made in one.
pub(crate) fn reported(report: &Report) -> bool {
    RUN.try_with(|ledger| ledger.reported(report)).is_some()
}

/// What all runs of a scenario have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    /// After this time a run hangs.
    pub(super) limit: Duration,
    /// After so many polls of the body a run hangs.
    pub(super) max_polls: usize,
    pub(super) allow: fn(&Report) -> bool,
    pub(super) may_lose: bool,
    /// The text of a panic with which the body may end.
    pub(super) may_panic: Option<&'static str>,
}

impl Settings {
    /// The body has ended with this panic.
    fn panicked(&self, ledger: &Ledger, panic: Box<dyn Any + Send>) {
        let text = text(panic);
        match self.may_panic {
            Some(expected) if expected == text => ledger.note("the body panics, as it may"),
            _ => ledger.problem(format!("the body panicked: {text}")),
        }
    }
}

/// How a run went.
#[derive(Debug)]
pub(super) struct Ran {
    /// How many polls of the body were pending.
    pub(super) polls: usize,
    /// The second thing of a way that has two was done.
    pub(super) second: bool,
    pub(super) problems: Vec<String>,
    pub(super) trace: Vec<String>,
}

/// What ends the body from within its poll.
enum Trigger {
    Scope(CancelHandle),
    Task,
}

impl Trigger {
    fn pull(&self, ledger: &Ledger) {
        ledger.note("cancel, during a poll");
        match self {
            Self::Scope(handle) => handle.cancel(),
            Self::Task => current_task().expect("it runs in a task").cancel(),
        };
    }
}

pin_project! {
    /// The body of a scenario.
    pub(super) struct Body<F> {
        #[pin]
        future: F,
        ledger: Ledger,
        pending: Arc<AtomicUsize>,
        // Pulled after so many polls.
        trigger: Option<(Trigger, usize)>,
    }
}

impl<F> Body<F> {
    fn pull(trigger: &Option<(Trigger, usize)>, polls: usize, ledger: &Ledger) {
        if let Some((trigger, after)) = trigger {
            if *after == polls {
                trigger.pull(ledger);
            }
        }
    }
}

impl<F: Future<Output = ()>> Future for Body<F> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.project();
        if this.pending.load(Ordering::SeqCst) == 0 {
            Self::pull(this.trigger, 0, this.ledger);
        }
        if this.future.poll(cx).is_ready() {
            this.ledger.note("the body returns");
            return Poll::Ready(());
        }
        let polls = this.pending.fetch_add(1, Ordering::SeqCst) + 1;
        Self::pull(this.trigger, polls, this.ledger);
        Poll::Pending
    }
}

/// Spawns the body as a task.
pub(super) type SpawnBody<R, F> = fn(&R, Supplied<Body<F>>) -> JoinHandle<()>;

/// What the driver can do to the body from outside.
enum Hands {
    Free,
    Scope(CancelHandle),
    Two {
        inner: CancelHandle,
        outer: CancelHandle,
    },
    Task,
}

/// The body and all that is around it.
type Whole = Pin<Box<dyn Future<Output = ()>>>;

/// Runs the body `future` up to `point`, and beyond, inside `block_on` of `rt`.
pub(super) async fn run<R, F>(
    rt: R,
    scenario: impl FnOnce(R, Ledger) -> F,
    spawn: Option<SpawnBody<R, F>>,
    point: Point,
    fresh_wakers: bool,
    settings: Settings,
) -> Ran
where
    R: Runtime,
    F: Future<Output = ()> + 'static,
{
    let ledger = Ledger::default();
    let wakers = Wakers::new(fresh_wakers);
    let pending = Arc::new(AtomicUsize::new(0));
    let mut second = false;
    {
        let future = RUN.sync_scope(ledger.clone(), || scenario(rt.clone(), ledger.clone()));
        let body = Body {
            future,
            ledger: ledger.clone(),
            pending: Arc::clone(&pending),
            trigger: None,
        };
        let driver = Driver {
            rt: &rt,
            ledger: &ledger,
            wakers: &wakers,
            pending: &pending,
            point,
            settings,
        };
        let (whole, hands) = driver.wrap(body, spawn);
        driver.drive(whole, &hands, &mut second).await;
    }
    settle(&rt, &ledger, &wakers, settings).await;
    let may_lose = settings.may_lose || point.way.may_lose();
    let problems = ledger.balance(may_lose, settings.allow);
    if wakers.stale() > 0 {
        let stale = wakers.stale();
        ledger.note(format!("{stale} wakes went to the waker of an older poll"));
    }
    Ran {
        polls: pending.load(Ordering::SeqCst),
        second,
        problems,
        trace: ledger.trace(),
    }
}

struct Driver<'a, R> {
    rt: &'a R,
    ledger: &'a Ledger,
    wakers: &'a Arc<Wakers>,
    pending: &'a AtomicUsize,
    point: Point,
    settings: Settings,
}

impl<R: Runtime> Driver<'_, R> {
    /// Puts around the body what its way needs.
    fn wrap<F: Future<Output = ()> + 'static>(
        &self,
        mut body: Body<F>,
        spawn: Option<SpawnBody<R, F>>,
    ) -> (Whole, Hands) {
        let scope = CancelScope::new();
        let handle = scope.handle();
        let wakers = Arc::clone(self.wakers);
        let after = self.point.after;
        match self.point.way {
            Way::Finish | Way::Drop => (Box::pin(Supplied::new(body, wakers, true)), Hands::Free),
            Way::Cancel | Way::Deadline | Way::CancelThenDrop => {
                let scope = scope.run(body);
                let whole = async move { drop(Supplied::new(scope, wakers, true).await) };
                (Box::pin(whole), Hands::Scope(handle))
            }
            Way::Grace => {
                let scope = scope.grace(Duration::ZERO).run(body);
                let whole = async move { drop(Supplied::new(scope, wakers, true).await) };
                (Box::pin(whole), Hands::Scope(handle))
            }
            Way::CancelInside => {
                body.trigger = Some((Trigger::Scope(handle), after));
                let scope = scope.run(body);
                let whole = async move { drop(Supplied::new(scope, wakers, true).await) };
                (Box::pin(whole), Hands::Free)
            }
            Way::CancelTwice => {
                let around = CancelScope::new();
                let hands = Hands::Two {
                    inner: handle,
                    outer: around.handle(),
                };
                let scope = around.run(scope.run(body));
                let whole = async move { drop(Supplied::new(scope, wakers, true).await) };
                (Box::pin(whole), hands)
            }
            Way::CancelTask => {
                let spawn = spawn.expect("only for bodies that can be tasks");
                if after > 0 {
                    body.trigger = Some((Trigger::Task, after));
                }
                // Not strict: a task that is cancelled is polled once more without being woken.
                let body = Supplied::new(body, wakers, false);
                let task = RUN.sync_scope(self.ledger.clone(), || spawn(self.rt, body));
                if after == 0 {
                    task.cancel();
                }
                let (ledger, settings) = (self.ledger.clone(), self.settings);
                let whole = async move {
                    match task.await {
                        Err(error) if error.is_panic() => {
                            settings.panicked(&ledger, error.into_panic());
                        }
                        _ => {}
                    }
                };
                (Box::pin(whole), Hands::Task)
            }
        }
    }

    /// Polls the whole to its end, and does to it what the point says.
    async fn drive(&self, whole: Whole, hands: &Hands, second: &mut bool) {
        let mut whole = Some(whole);
        let mut limit = pin!(self.rt.sleep(self.settings.limit));
        // At which poll the first thing was done.
        let mut since = None;
        poll_fn(|cx| {
            if limit.as_mut().poll(cx).is_ready() {
                self.hang(&format!("no end after {:?}", self.settings.limit));
                return Poll::Ready(());
            }
            self.act(&mut whole, hands, &mut since, second);
            let Some(future) = &mut whole else {
                return Poll::Ready(());
            };
            let poll = || RUN.sync_scope(self.ledger.clone(), || future.as_mut().poll(cx));
            let ended = match catch_unwind(AssertUnwindSafe(poll)) {
                Ok(poll) => poll.is_ready(),
                Err(panic) => {
                    self.settings.panicked(self.ledger, panic);
                    true
                }
            };
            if ended {
                // One that was cut short goes on without those who may.
                let cut = self.point.way == Way::Grace;
                self.ledger.at_the_end_of_the_scope(!cut);
                return Poll::Ready(());
            }
            let polls = self.wakers.polls();
            if polls > self.settings.max_polls {
                self.hang(&format!("no end after {polls} polls"));
                return Poll::Ready(());
            }
            self.act(&mut whole, hands, &mut since, second);
            match whole {
                Some(_) => Poll::Pending,
                None => Poll::Ready(()),
            }
        })
        .await;
        // What a hang or a panic has left.
        RUN.sync_scope(self.ledger.clone(), || drop(whole));
    }

    fn hang(&self, why: &str) {
        let mut tasks = Vec::new();
        self.rt
            .for_each_task(&mut |task| tasks.push(task.info().to_string()));
        let tasks = if tasks.is_empty() {
            "none".to_owned()
        } else {
            tasks.join("; ")
        };
        self.ledger
            .problem(format!("it hangs: {why}; live tasks: {tasks}"));
    }

    /// Does what is to be done now.
    fn act(
        &self,
        whole: &mut Option<Whole>,
        hands: &Hands,
        since: &mut Option<usize>,
        second: &mut bool,
    ) {
        let drop_it = |whole: &mut Option<Whole>| {
            self.ledger.note("drop the future");
            RUN.sync_scope(self.ledger.clone(), || *whole = None);
        };
        let due = since.is_none() && self.pending.load(Ordering::SeqCst) >= self.point.after;
        if due {
            *since = Some(self.wakers.polls());
            match (self.point.way, hands) {
                (Way::Drop, _) => drop_it(whole),
                (Way::Deadline, Hands::Scope(handle)) => {
                    self.ledger.note("the deadline is reached");
                    let moved = handle.set_deadline(Some(self.rt.now()));
                    self.ledger
                        .check(moved.is_ok(), "the deadline cannot be moved");
                }
                (_, Hands::Scope(handle) | Hands::Two { inner: handle, .. }) => {
                    self.ledger.note("cancel");
                    let first = handle.cancel();
                    self.ledger
                        .check(first, "the first cancel was not the first");
                    self.ledger
                        .check(!handle.cancel(), "the second cancel was not the second");
                }
                (_, Hands::Free | Hands::Task) => {}
            }
        }
        let then = since.is_some_and(|since| self.wakers.polls() >= since + self.point.then);
        if then && !*second {
            match (self.point.way, hands) {
                (Way::CancelTwice, Hands::Two { outer, .. }) => {
                    self.ledger.note("cancel the scope around");
                    outer.cancel();
                }
                (Way::CancelThenDrop, _) => drop_it(whole),
                _ => return,
            }
            *second = true;
        }
    }
}

/// Waits until no task is left, and no waker.
async fn settle<R: Runtime>(rt: &R, ledger: &Ledger, wakers: &Wakers, settings: Settings) {
    let mut limit = pin!(rt.sleep(settings.limit));
    let idle = poll_fn(|cx| match rt.poll_idle(cx) {
        Poll::Ready(()) => Poll::Ready(true),
        Poll::Pending => limit.as_mut().poll(cx).map(|()| false),
    });
    if !idle.await {
        let mut tasks = Vec::new();
        rt.for_each_task(&mut |task| tasks.push(task.info().to_string()));
        let tasks = tasks.join("; ");
        ledger.problem(format!("it hangs: tasks are left: {tasks}"));
        return;
    }
    // Timers are given up a little later, and another thread may be waking right now.
    for _ in 0..100 {
        if wakers.live() == 0 {
            return;
        }
        rt.sleep(Duration::from_millis(1)).await;
    }
    let live = wakers.live();
    ledger.check(live == 0, "a waker of the body was never dropped");
}
