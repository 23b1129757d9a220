//! What a scenario opens and closes, written down: [`Ledger`].

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use kumi_core::combine::{YieldNow, yield_now};
use kumi_core::report::Report;
use pin_project_lite::pin_project;

use crate::probe::lock;

/// The books of one run of a scenario; clones are the same book.
///
/// What is opened has to be closed: values that are [held](Self::hold) have to be dropped, once;
/// clean-ups that are [due](Self::due) have to [run](Self::clean_up), once and to their end.
#[derive(Clone, Default)]
pub struct Ledger(Arc<Mutex<Book>>);

#[derive(Default)]
struct Book {
    held: Vec<(&'static str, State)>,
    dues: Vec<Due>,
    /// How many clean-ups were reported as lost.
    lost: usize,
    /// What was reported besides.
    reports: Vec<Report>,
    problems: Vec<String>,
    trace: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Open,
    Begun,
    Closed,
}

/// By when something has to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// By the time the scope around the body resolves.
    CleanUp,
    /// By the time everything has ended.
    Later,
    /// As [`CleanUp`](Kind::CleanUp), unless it is dropped from outside, of which nobody is told.
    Uncut,
}

struct Due {
    name: &'static str,
    kind: Kind,
    state: State,
}

impl Ledger {
    fn book<T>(&self, f: impl FnOnce(&mut Book) -> T) -> T {
        f(&mut lock(&self.0))
    }

    /// A value that has to be dropped by the time everything has ended: an item, a permit, a guard.
    #[must_use = "it is dropped at once otherwise"]
    pub fn hold(&self, name: &'static str) -> Held {
        let place = self.book(|book| {
            book.held.push((name, State::Open));
            book.trace.push(format!("hold {name}"));
            book.held.len() - 1
        });
        Held {
            ledger: self.clone(),
            place,
        }
    }

    /// From now on the clean-up `name` is due: it has to end before the scope around the body resolves.
    ///
    /// To be said where the region begins or the resource is acquired, with no await between.
    pub fn due(&self, name: &'static str) {
        self.open(name, Kind::CleanUp);
    }

    /// [`due`](Self::due), but only by the time everything has ended: it belongs to a task that the
    /// body does not wait for.
    pub fn due_later(&self, name: &'static str) {
        self.open(name, Kind::Later);
    }

    fn open(&self, name: &'static str, kind: Kind) {
        self.book(|book| {
            book.trace.push(format!("due {name}"));
            book.dues.push(Due {
                name,
                kind,
                state: State::Open,
            });
        });
    }

    /// The clean-up `name` is due no longer, without having run.
    pub fn waive(&self, name: &'static str) {
        self.book(|book| {
            book.trace.push(format!("waive {name}"));
            match book.find(name, State::Open) {
                Some(due) => due.state = State::Closed,
                None => book.problem(format!("`{name}` was waived, and was not due")),
            }
        });
    }

    /// The clean-up `name`: begins with the first poll of the result, ends with `future`.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`; the clean-up then counts as begun, and not as ended.
    pub fn clean_up<F: Future>(&self, name: &'static str, future: F) -> CleanUp<F> {
        CleanUp {
            future,
            ledger: self.clone(),
            name,
            begun: false,
            uncut: false,
        }
    }

    /// A part that is no clean-up, but that no cancel may cut once it has begun.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `future`; that makes the run fail unless its [`Way`](super::Way) drops
    /// futures.
    pub fn uncut<F: Future>(&self, name: &'static str, future: F) -> CleanUp<F> {
        CleanUp {
            uncut: true,
            ..self.clean_up(name, future)
        }
    }

    /// Suspends once: a place for a cancel. Like code of others, it knows nothing of cancels.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost when it is dropped.
    pub fn step(&self) -> YieldNow {
        yield_now()
    }

    /// Writes a line into the trace that a failure shows.
    pub fn note(&self, text: impl Into<String>) {
        let text = text.into();
        self.book(|book| book.trace.push(text));
    }

    /// Makes the run fail with `text` if `condition` does not hold; goes on in any case.
    pub fn check(&self, condition: bool, text: &str) {
        if !condition {
            self.book(|book| book.problem(text.to_owned()));
        }
    }

    /// Makes the run fail with `text`.
    pub(super) fn problem(&self, text: String) {
        self.book(|book| book.problem(text));
    }

    /// Something was reported within the run.
    pub(super) fn reported(&self, report: &Report) {
        self.book(|book| {
            book.trace.push(format!("reported: {report}"));
            match report {
                Report::CleanUpLost { .. } => book.lost += 1,
                _ => book.reports.push(report.clone()),
            }
        });
    }

    /// The scope around the body has resolved: what is due must have ended, if `all` is.
    pub(super) fn at_the_end_of_the_scope(&self, all: bool) {
        self.book(|book| {
            book.trace.push("the scope has resolved".to_owned());
            let late = |due: &&Due| all && due.kind != Kind::Later && due.state != State::Closed;
            let late: Vec<_> = book.dues.iter().filter(late).map(Due::text).collect();
            // A loss is looked at afterwards.
            if late.len() > book.lost {
                let list = late.join(", ");
                book.problem(format!("the scope resolved before its clean-ups: {list}"));
            }
        });
    }

    /// What must be so when everything has ended; returns all that is wrong.
    pub(super) fn balance(&self, may_lose: bool, allow: fn(&Report) -> bool) -> Vec<String> {
        self.book(|book| {
            for index in 0..book.held.len() {
                let (name, state) = book.held[index];
                if state != State::Closed {
                    book.problem(format!("`{name}` was never dropped"));
                }
            }
            let list = |uncut: bool| {
                let open = book.dues.iter().filter(|due| due.state != State::Closed);
                let open = open.filter(|due| (due.kind == Kind::Uncut) == uncut);
                open.map(Due::text).collect::<Vec<_>>()
            };
            let (open, cut) = (list(false), list(true));
            if !cut.is_empty() && !may_lose {
                book.problem(format!("cut short: {}", cut.join(", ")));
            }
            if open.len() != book.lost {
                let (list, lost) = (open.join(", "), book.lost);
                let list = if list.is_empty() { "none" } else { &list };
                book.problem(format!(
                    "{lost} clean-ups were reported as lost; not ended: {list}"
                ));
            }
            if book.lost > 0 && !may_lose {
                book.problem(format!("{} clean-ups were lost", book.lost));
            }
            for report in std::mem::take(&mut book.reports) {
                if !allow(&report) {
                    book.problem(format!("reported: {report}"));
                }
            }
            std::mem::take(&mut book.problems)
        })
    }

    /// What happened, line by line.
    pub(super) fn trace(&self) -> Vec<String> {
        self.book(|book| book.trace.clone())
    }
}

impl Book {
    fn problem(&mut self, text: String) {
        self.trace.push(format!("PROBLEM: {text}"));
        self.problems.push(text);
    }

    /// The last clean-up of this name in this state.
    fn find(&mut self, name: &str, state: State) -> Option<&mut Due> {
        let mut dues = self.dues.iter_mut().rev();
        dues.find(|due| due.name == name && due.state == state)
    }
}

impl Due {
    fn text(&self) -> String {
        let Self { name, state, .. } = self;
        match state {
            State::Begun => format!("`{name}`, begun"),
            _ => format!("`{name}`"),
        }
    }
}

impl fmt::Debug for Ledger {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.book(|book| {
            f.debug_struct("Ledger")
                .field("trace", &book.trace)
                .finish_non_exhaustive()
        })
    }
}

/// A value of [`Ledger::hold`].
#[derive(Debug)]
pub struct Held {
    ledger: Ledger,
    place: usize,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.ledger.book(|book| {
            let (name, state) = &mut book.held[self.place];
            let (name, state) = (*name, std::mem::replace(state, State::Closed));
            book.trace.push(format!("drop {name}"));
            if state == State::Closed {
                book.problem(format!("`{name}` was dropped twice"));
            }
        });
    }
}

pin_project! {
    /// The future of [`Ledger::clean_up`] and [`Ledger::uncut`].
    #[derive(Debug)]
    #[must_use = "futures do nothing unless polled"]
    pub struct CleanUp<F> {
        #[pin]
        future: F,
        ledger: Ledger,
        name: &'static str,
        begun: bool,
        uncut: bool,
    }
}

impl<F: Future> Future for CleanUp<F> {
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        let this = self.project();
        let name = *this.name;
        let turn = |from: State, to: State, what: &str| {
            this.ledger.book(|book| {
                book.trace.push(format!("clean-up {name} {what}"));
                match book.find(name, from) {
                    Some(due) => due.state = to,
                    None => book.problem(format!("the clean-up `{name}` {what}, and is not due")),
                }
            });
        };
        if !std::mem::replace(this.begun, true) {
            if *this.uncut {
                this.ledger.open(name, Kind::Uncut);
            }
            turn(State::Open, State::Begun, "begins");
        }
        match catch_unwind(AssertUnwindSafe(|| this.future.poll(cx))) {
            Ok(Poll::Pending) => Poll::Pending,
            Ok(ready) => {
                turn(State::Begun, State::Closed, "ends");
                ready
            }
            Err(panic) => {
                turn(State::Begun, State::Closed, "panics");
                resume_unwind(panic);
            }
        }
    }
}
