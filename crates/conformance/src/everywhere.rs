//! Cancels code at every await, in every way, and looks whether anything is left behind.
//!
//! A *scenario* is a function that makes a body, an async block, given the runtime and a [`Ledger`].
//! [`Everywhere::check`] runs it once to its end and counts how often it suspends. Then it runs it
//! from the start again and again, each time on a fresh runtime, and ends it after each suspension in
//! each of the [`Way`]s: by dropping it, by cancelling the scope or the task it runs in, by a
//! deadline, and then a second time while it unwinds. After each run it checks that
//!
//! - the run ended at all, without more polls than a bound, although it is polled only when it was
//!   woken, and in half of the runs only the waker of the last poll counts;
//! - every clean-up that was [due](Ledger::due) began once and ended, before the scope resolved, and
//!   that those which a drop or the end of a grace period cut off were [reported](kumi_core::report),
//!   each once;
//! - every part that [no cancel may cut](Ledger::uncut) went to its end, unless it was dropped;
//! - every value that was [held](Ledger::hold) was dropped, once;
//! - no task is left, and no clone of a waker;
//! - nothing else was reported, and nothing panicked.
//!
//! # Examples
//!
//! ```
//! use kumi_conformance::everywhere::{Everywhere, Ledger};
//! use kumi_core::cleanup::finally;
//! use kumi_core::runtime::Runtime;
//! use kumi_core::task::SpawnExt;
//!
//! /// Talks to a server, and says goodbye however it ends.
//! async fn session<R: Runtime>(rt: R, ledger: Ledger) {
//!     let connection = ledger.hold("connection");
//!     let talk = async {
//!         // From here on a clean-up is due.
//!         ledger.due("goodbye");
//!         let answer = rt.spawn(async move { 42 });
//!         ledger.step().await;
//!         let _ = answer.await;
//!     };
//!     let goodbye = ledger.clean_up("goodbye", ledger.step());
//!     finally(talk, goodbye).await;
//!     drop(connection);
//! }
//!
//! let summary = Everywhere::new("session")
//!     // It suspends at least twice; if this shrinks, the scenario checks less than it did.
//!     .points(3)
//!     .check(kumi_sim::Sim::new, session);
//! assert!(summary.runs > 50);
//! ```
//!
//! The scenarios of this crate, which meet all parts of core, on a backend, as tests with names:
//! [`everywhere_suite!`](crate::everywhere_suite).
//!
//! # When one fails
//!
//! The panic names the scenario, the [`Point`], what was wrong, and what happened up to there; and how
//! to repeat just that one: `KUMI_EVERYWHERE=cancel@3` in the environment.
//! A run that blocks its thread is named, too; the thread is left behind.
//!
//! # What it does to its process
//!
//! It takes the hook of [`kumi_core::report`] over.

#[doc(hidden)]
pub mod certify;
mod drive;
mod expand;
mod ledger;
#[doc(hidden)]
pub mod scenarios;
mod wakers;
mod way;

use std::any::Any;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use kumi_core::report::Report;
use kumi_core::runtime::{Owned, Runtime};
use kumi_core::task::SpawnExt;

use crate::probe::{lock, text};
use crate::reports;
pub(crate) use drive::reported;
use drive::{Ran, Settings, SpawnBody};
pub use ledger::{CleanUp, Held, Ledger};
pub use way::{Point, Way};

/// The variable that names the one point to run.
const ONLY: &str = "KUMI_EVERYWHERE";

/// How many polls after the first thing the second one may come at most.
const MAX_THEN: usize = 64;

/// How often, and with what, a scenario is run.
#[derive(Debug, Clone)]
#[must_use = "nothing is run before `check`"]
pub struct Everywhere {
    name: String,
    points: usize,
    round: u64,
    ways: Vec<Way>,
    only: Option<Point>,
    settings: Settings,
}

/// What was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// At how many places the body was ended: before it began, and after each suspension.
    pub points: usize,
    /// How many runs that were, in all ways.
    pub runs: usize,
}

impl Everywhere {
    /// A scenario of this name, to be run in all ways.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            points: 1,
            round: 0,
            ways: Way::ALL.to_vec(),
            only: None,
            settings: Settings {
                limit: Duration::from_secs(10),
                max_polls: 10_000,
                allow: |_| false,
                may_lose: false,
                may_panic: None,
            },
        }
    }

    /// Sets how many points it has at least: one more than the body suspends.
    ///
    /// A number that may not fall: if an await is lost, less is checked.
    pub fn points(mut self, at_least: usize) -> Self {
        self.points = at_least;
        self
    }

    /// Sets the ways; all, if this is not called.
    pub fn ways(mut self, ways: &[Way]) -> Self {
        self.ways = ways.to_vec();
        self
    }

    /// Runs only this point.
    pub fn only(mut self, point: Point) -> Self {
        self.only = Some(point);
        self
    }

    /// Lets clean-ups be lost in every way, if that is reported: the scenario drops futures itself, or
    /// has grace periods.
    pub fn may_lose(mut self) -> Self {
        self.settings.may_lose = true;
        self
    }

    /// Lets the body end with the panic of this text.
    pub fn may_panic(mut self, text: &'static str) -> Self {
        self.settings.may_panic = Some(text);
        self
    }

    /// Sets which reports are expected, such as the error of a clean-up.
    pub fn allow(mut self, allow: fn(&Report) -> bool) -> Self {
        self.settings.allow = allow;
        self
    }

    /// Sets after what time, of the runtime's clock, a run counts as hanging; ten seconds otherwise.
    pub fn limit(mut self, limit: Duration) -> Self {
        self.settings.limit = limit;
        self
    }

    fn round(mut self, round: u64) -> Self {
        self.round = round;
        self
    }

    /// Runs `scenario` on runtimes of `fresh`, at all points and in all ways.
    ///
    /// # Panics
    ///
    /// If something was wrong at a point, or if there are fewer points than
    /// [there were](Self::points).
    #[track_caller]
    pub fn check<R, S, F>(
        self,
        fresh: impl Fn() -> Owned<R> + Send + 'static,
        scenario: S,
    ) -> Summary
    where
        R: Runtime,
        S: Fn(R, Ledger) -> F + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        self.start(fresh, scenario, Some(|rt: &R, body| rt.spawn(body)))
    }

    /// [`check`](Self::check) for a body that is not `Send`; it is not run as a task.
    ///
    /// # Panics
    ///
    /// As [`check`](Self::check).
    #[track_caller]
    pub fn check_local<R, S, F>(
        self,
        fresh: impl Fn() -> Owned<R> + Send + 'static,
        scenario: S,
    ) -> Summary
    where
        R: Runtime,
        S: Fn(R, Ledger) -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        self.start(fresh, scenario, None)
    }

    #[track_caller]
    fn start<R, S, F>(
        mut self,
        fresh: impl Fn() -> Owned<R> + Send + 'static,
        scenario: S,
        spawn: Option<SpawnBody<R, F>>,
    ) -> Summary
    where
        R: Runtime,
        S: Fn(R, Ledger) -> F + Send + 'static,
        F: Future<Output = ()> + 'static,
    {
        reports::install();
        if let Ok(point) = std::env::var(ONLY) {
            match point.parse() {
                Ok(point) => self.only = Some(point),
                Err(error) => panic!("{ONLY}: {error}"),
            }
        }
        if spawn.is_none() {
            self.ways.retain(|&way| way != Way::CancelTask);
        }
        let limit = self.settings.limit * 2;
        let name = self.name.clone();
        let present = Arc::new(Mutex::new((0, Point::finish())));
        let runs = Runs {
            everywhere: self,
            fresh,
            scenario,
            spawn,
            present: Arc::clone(&present),
            points: 0,
        };
        let (done, wait) = mpsc::channel();
        let run = move || {
            // The receiver is gone if it was too slow.
            let _ = done.send(catch_unwind(AssertUnwindSafe(|| runs.all())));
        };
        let spawned = thread::Builder::new().name(name.clone()).spawn(run);
        let thread = spawned.expect("the system gives a thread");
        let mut before = 0;
        loop {
            match wait.recv_timeout(limit) {
                Ok(result) => {
                    // Thread-locals are torn down, and with them what a runtime keeps there.
                    thread.join().expect("the panic of a scenario is caught");
                    match result {
                        Ok(Ok(summary)) => return summary,
                        Ok(Err(failure)) => panic!("{failure}"),
                        Err(panic) => resume_unwind(panic),
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let (runs, point) = *lock(&present);
                    assert!(
                        std::mem::replace(&mut before, runs) != runs,
                        "`{name}` blocks its thread at {point}: repeat it with {ONLY}={point}"
                    );
                }
                Err(RecvTimeoutError::Disconnected) => unreachable!("the thread always sends"),
            }
        }
    }
}

/// All runs of one scenario.
struct Runs<G, S, R, F> {
    everywhere: Everywhere,
    fresh: G,
    scenario: S,
    spawn: Option<SpawnBody<R, F>>,
    /// How many runs were begun, and the present one.
    present: Arc<Mutex<(usize, Point)>>,
    points: usize,
}

impl<G, S, R, F> Runs<G, S, R, F>
where
    R: Runtime,
    G: Fn() -> Owned<R>,
    S: Fn(R, Ledger) -> F,
    F: Future<Output = ()> + 'static,
{
    fn all(mut self) -> Result<Summary, String> {
        let polls = self.point(Point::finish())?.polls;
        self.points = polls + 1;
        if let Some(point) = self.everywhere.only {
            self.point(point)?;
            return Ok(self.summary());
        }
        let wanted = self.everywhere.points;
        if self.points < wanted {
            let (name, points) = (&self.everywhere.name, self.points);
            return Err(format!(
                "`{name}` has {points} points, and had {wanted}: it suspends less often"
            ));
        }
        let ways = self.everywhere.ways.clone();
        for way in ways.into_iter().filter(|&way| way != Way::Finish) {
            for after in 0..self.points {
                for then in 0..MAX_THEN {
                    let ran = self.point(Point { way, after, then })?;
                    if !ran.second {
                        break;
                    }
                }
            }
        }
        Ok(self.summary())
    }

    fn summary(&self) -> Summary {
        Summary {
            points: self.points,
            runs: lock(&self.present).0,
        }
    }

    /// Runs one point: with one waker for all polls, and with a waker for each.
    fn point(&mut self, point: Point) -> Result<Ran, String> {
        let first = self.run(point, false)?;
        let again = self.run(point, true)?;
        Ok(Ran {
            polls: first.polls.min(again.polls),
            second: first.second || again.second,
            ..first
        })
    }

    fn run(&mut self, point: Point, fresh_wakers: bool) -> Result<Ran, String> {
        {
            let mut present = lock(&self.present);
            *present = (present.0 + 1, point);
        }
        let settings = self.everywhere.settings;
        let caught = catch_unwind(AssertUnwindSafe(|| {
            let owner = (self.fresh)();
            let rt = owner.handle();
            let run = drive::run(
                rt,
                &self.scenario,
                self.spawn,
                point,
                fresh_wakers,
                settings,
            );
            owner.block_on(run)
        }));
        let (problems, trace) = match caught {
            Ok(ran) if ran.problems.is_empty() => return Ok(ran),
            Ok(ran) => (ran.problems, ran.trace),
            Err(panic) => (vec![panicked(panic)], Vec::new()),
        };
        let Everywhere { name, round, .. } = &self.everywhere;
        let wakers = if fresh_wakers {
            "a new waker for each poll"
        } else {
            "one waker"
        };
        let last = self.points.saturating_sub(1);
        let mut text = format!("`{name}` failed at {point} of {last} (round {round}, {wakers})\n");
        for problem in problems {
            text += &format!("  wrong: {problem}\n");
        }
        for line in trace {
            text += &format!("  trace: {line}\n");
        }
        Err(text + &format!("  again: {ONLY}={point}"))
    }
}

fn panicked(panic: Box<dyn Any + Send>) -> String {
    format!("it panicked: {}", text(panic))
}
