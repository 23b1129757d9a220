//! Random programs of scopes, regions, limits, tasks and groups, each cancelled at every await.
//!
//! A program is made from a seed, so a failure can be repeated: `KUMI_PROGRAMS=4711..4712`, and, for one
//! point of it, `KUMI_EVERYWHERE` as the failure says. Without it a few hundred are run; more with
//! `KUMI_PROGRAMS=0..100000`.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::future::{Future, pending, poll_fn};
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use kumi_conformance::everywhere::{Everywhere, Ledger};
use kumi_core::cancel::{CancelHandle, CancelScope, cancel_requested, checkpoint};
use kumi_core::cleanup::{ExitStack, bracket, finally, on_cancel, uncancellable};
use kumi_core::combine::timeout;
use kumi_core::group::{scope_send, task_group};
use kumi_core::runtime::Clock;
use kumi_core::task::{SpawnExt, shield};
use kumi_sim::Sim;

/// A program; `Region` and the like have a number, which is also the name of their clean-up.
enum Program {
    Step,
    Check,
    Sleep(u64),
    /// Waits for ever; only where something else ends it.
    Forever,
    /// Cancels the scope of this number, if it runs.
    Cancel(usize),
    Seq(Vec<Arc<Program>>),
    /// Polls both, like a foreign `join!`.
    Both(Arc<Program>, Arc<Program>),
    /// A scope with a number.
    Scope(usize, Arc<Program>),
    Shielded(Arc<Program>),
    Limit(u64, Arc<Program>),
    Region(usize, Arc<Program>, Arc<Program>),
    OnCancel(usize, Arc<Program>, Arc<Program>),
    Bracket(usize, Arc<Program>, Arc<Program>),
    Stack(Vec<usize>, Arc<Program>),
    Uncut(usize, Arc<Program>),
    Task(Arc<Program>),
    /// A task whose handle is dropped after a step.
    Dropped(Arc<Program>),
    Work(usize, Arc<Program>),
    Group(Vec<Arc<Program>>),
    InPlace(Vec<Arc<Program>>),
}

/// What may stand at a place of a program.
#[derive(Clone, Copy)]
struct Place {
    depth: usize,
    /// Something around it ends it for sure.
    may_wait: bool,
}

/// Random numbers from a seed (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % bound as u64).expect("it is small")
    }
}

/// Makes programs.
struct Maker {
    random: Random,
    /// How many regions and scopes there are.
    numbers: usize,
}

impl Maker {
    fn number(&mut self) -> usize {
        self.numbers += 1;
        self.numbers
    }

    fn part(&mut self, place: Place) -> Arc<Program> {
        Arc::new(self.program(place))
    }

    fn several(&mut self, place: Place) -> Vec<Arc<Program>> {
        let count = 1 + self.random.below(3);
        (0..count).map(|_| self.part(place)).collect()
    }

    fn program(&mut self, place: Place) -> Program {
        let inside = Place {
            depth: place.depth.saturating_sub(1),
            ..place
        };
        // What nothing from outside ends.
        let alone = Place {
            may_wait: false,
            ..inside
        };
        let limited = Place {
            may_wait: true,
            ..inside
        };
        let leaf = place.depth == 0;
        match self.random.below(if leaf { 7 } else { 30 }) {
            0..=2 => Program::Step,
            3 => Program::Check,
            4 => Program::Sleep(self.random.next() % 4),
            5 => Program::Cancel(1 + self.random.below(self.numbers.max(1))),
            6 if place.may_wait => Program::Forever,
            6 => Program::Step,
            7..=10 => Program::Seq(self.several(inside)),
            11 | 12 => Program::Both(self.part(inside), self.part(inside)),
            13..=15 => Program::Scope(self.number(), self.part(inside)),
            16 => Program::Shielded(self.part(alone)),
            17 | 18 => Program::Limit(self.random.next() % 4, self.part(limited)),
            19..=21 => Program::Region(self.number(), self.part(inside), self.part(alone)),
            22 => Program::OnCancel(self.number(), self.part(inside), self.part(alone)),
            23 => Program::Bracket(self.number(), self.part(inside), self.part(alone)),
            24 => {
                let count = 1 + self.random.below(3);
                let exits = (0..count).map(|_| self.number()).collect();
                Program::Stack(exits, self.part(inside))
            }
            25 => Program::Uncut(self.number(), self.part(alone)),
            26 => Program::Task(self.part(inside)),
            27 => match self.random.below(2) {
                0 => Program::Dropped(self.part(inside)),
                _ => Program::Work(self.number(), self.part(alone)),
            },
            28 => Program::Group(self.several(inside)),
            _ => Program::InPlace(self.several(inside)),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Step => f.write_str("step"),
            Self::Check => f.write_str("check"),
            Self::Sleep(time) => write!(f, "sleep {time}"),
            Self::Forever => f.write_str("forever"),
            Self::Cancel(number) => write!(f, "cancel {number}"),
            Self::Seq(parts) => f.debug_list().entries(parts).finish(),
            Self::Both(one, two) => write!(f, "both({one:?}, {two:?})"),
            Self::Scope(number, body) => write!(f, "scope {number}({body:?})"),
            Self::Shielded(body) => write!(f, "shielded({body:?})"),
            Self::Limit(time, body) => write!(f, "limit {time}({body:?})"),
            Self::Region(number, body, clean) => write!(f, "region {number}({body:?}; {clean:?})"),
            Self::OnCancel(number, body, clean) => {
                write!(f, "on cancel {number}({body:?}; {clean:?})")
            }
            Self::Bracket(number, body, clean) => {
                write!(f, "bracket {number}({body:?}; {clean:?})")
            }
            Self::Stack(exits, body) => write!(f, "stack {exits:?}({body:?})"),
            Self::Uncut(number, body) => write!(f, "uncut {number}({body:?})"),
            Self::Task(body) => write!(f, "task({body:?})"),
            Self::Dropped(body) => write!(f, "dropped({body:?})"),
            Self::Work(number, body) => write!(f, "work {number}({body:?})"),
            Self::Group(children) => write!(f, "group{children:?}"),
            Self::InPlace(children) => write!(f, "in place{children:?}"),
        }
    }
}

/// What a part of a program finds around it.
#[derive(Clone)]
struct World {
    rt: Sim,
    ledger: Ledger,
    scopes: Arc<Mutex<HashMap<usize, CancelHandle>>>,
    /// Somebody waits for it before the scope around everything resolves.
    awaited: bool,
    /// A cancel outside is deferred here, so that it can be asked for and not in force.
    deferred: bool,
}

type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A name for a number; there are few, and they are kept.
fn name(number: usize) -> &'static str {
    static NAMES: Mutex<Vec<&'static str>> = Mutex::new(Vec::new());
    let mut names = lock(&NAMES);
    while names.len() <= number {
        let name = format!("clean-up {}", names.len());
        names.push(Box::leak(name.into_boxed_str()));
    }
    names[number]
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    fn due(&self, number: usize) {
        match self.awaited {
            true => self.ledger.due(name(number)),
            false => self.ledger.due_later(name(number)),
        }
    }

    fn unwaited(&self) -> Self {
        Self {
            awaited: false,
            deferred: false,
            ..self.clone()
        }
    }

    fn shielded(&self) -> Self {
        Self {
            deferred: false,
            ..self.clone()
        }
    }

    fn clean_up(
        &self,
        number: usize,
        clean: &Arc<Program>,
    ) -> impl Future<Output = ()> + Send + use<> {
        let run = run(&self.shielded(), clean);
        self.ledger.clean_up(name(number), run)
    }
}

/// Runs a program; boxed, because it is made of itself.
fn run(world: &World, program: &Arc<Program>) -> Run {
    let (world, program) = (world.clone(), Arc::clone(program));
    Box::pin(async move { world.run(&program).await })
}

/// Polls both until both have ended.
async fn both(mut one: Run, mut two: Run) {
    let mut done = [false; 2];
    poll_fn(|cx| {
        for (run, done) in [&mut one, &mut two].into_iter().zip(&mut done) {
            *done = *done || run.as_mut().poll(cx).is_ready();
        }
        match done == [true; 2] {
            true => Poll::Ready(()),
            false => Poll::Pending,
        }
    })
    .await;
}

impl World {
    async fn run(&self, program: &Program) {
        match program {
            Program::Step => self.ledger.step().await,
            Program::Check => {
                checkpoint().await;
                let asked = cancel_requested() && !self.deferred;
                self.ledger.check(!asked, "a checkpoint let a cancel pass");
            }
            Program::Sleep(time) => self.rt.sleep(Duration::from_millis(*time)).await,
            Program::Forever => pending().await,
            Program::Cancel(number) => {
                let scope = lock(&self.scopes).get(number).cloned();
                scope.map(|scope| scope.cancel());
            }
            Program::Seq(parts) => {
                for part in parts {
                    run(self, part).await;
                }
            }
            Program::Both(one, two) => both(run(self, one), run(self, two)).await,
            Program::Scope(number, body) => self.scope(*number, CancelScope::new(), body).await,
            Program::Shielded(body) => {
                let scope = CancelScope::new().shield(true);
                let ended = scope.run(run(&self.shielded(), body)).await;
                self.ledger
                    .check(ended.is_ok(), "a shield let a cancel pass");
            }
            Program::Limit(time, body) => {
                let limit = Duration::from_millis(*time);
                let ended = timeout(&self.rt, limit, run(self, body)).await;
                self.goes_on(ended.is_err());
            }
            Program::Region(number, body, clean) => {
                let clean_up = self.clean_up(*number, clean);
                let body = async {
                    self.due(*number);
                    run(self, body).await;
                };
                finally(body, clean_up).await;
            }
            Program::OnCancel(number, body, clean) => {
                let clean_up = self.clean_up(*number, clean);
                let body = async {
                    self.due(*number);
                    run(self, body).await;
                    self.ledger.waive(name(*number));
                };
                on_cancel(body, clean_up).await;
            }
            Program::Bracket(number, body, clean) => self.bracket(*number, body, clean).await,
            Program::Stack(exits, body) => self.stack(exits, body).await,
            Program::Uncut(number, body) => {
                let inside = Self {
                    deferred: true,
                    ..self.clone()
                };
                let body = run(&inside, body);
                if self.awaited {
                    uncancellable(self.ledger.uncut(name(*number), body)).await;
                } else {
                    // Nobody drops a task.
                    uncancellable(async {
                        self.due(*number);
                        self.ledger.clean_up(name(*number), body).await;
                    })
                    .await;
                }
            }
            Program::Task(body) => {
                let _ = self.rt.spawn(run(&self.unwaited(), body)).await;
            }
            Program::Dropped(body) => {
                let task = self.rt.spawn(run(&self.unwaited(), body));
                self.ledger.step().await;
                drop(task);
            }
            Program::Work(number, body) => {
                self.ledger.due_later(name(*number));
                let work = run(&self.unwaited(), body);
                let _ = shield(&self.rt, self.ledger.clean_up(name(*number), work)).await;
            }
            Program::Group(children) => self.group(children).await,
            Program::InPlace(children) => self.in_place(children).await,
        }
    }

    /// A scope that others can cancel by its number.
    async fn scope(&self, number: usize, scope: CancelScope, body: &Arc<Program>) {
        let handle = scope.handle();
        lock(&self.scopes).insert(number, handle.clone());
        let ended = scope.run(run(self, body)).await;
        // Only its own cancel may end it, and it must have been a cancel.
        let own = ended.is_ok() || handle.is_cancelled();
        self.ledger
            .check(own, "a scope took the cancel of another one");
        self.ledger
            .check(handle.has_ended(), "a scope resolved, and has not ended");
        lock(&self.scopes).remove(&number);
        self.goes_on(ended.is_err());
    }

    /// Code goes on after a scope that was `cut` only if no scope around it is to end.
    fn goes_on(&self, cut: bool) {
        let asked = cancel_requested() && !self.deferred;
        self.ledger.check(
            !(cut && asked),
            "a scope resolved, and one around it is cancelled",
        );
    }

    async fn bracket(&self, number: usize, body: &Arc<Program>, clean: &Arc<Program>) {
        let (world, clean) = (self.clone(), Arc::clone(clean));
        let open = async {
            self.ledger.step().await;
            self.due(number);
            self.ledger.hold(name(number))
        };
        let close = move |held| async move {
            world.clean_up(number, &clean).await;
            drop(held);
        };
        bracket(open, |_: &mut _| run(self, body), close).await;
    }

    async fn stack(&self, exits: &[usize], body: &Arc<Program>) {
        let left = ExitStack::run(|stack| {
            let body = run(self, body);
            async move {
                for &number in exits {
                    self.due(number);
                    let exit = self.clean_up(number, &Arc::new(Program::Step));
                    stack.push(async move {
                        exit.await;
                        Ok(())
                    });
                    self.ledger.step().await;
                }
                body.await;
            }
        });
        self.ledger.check(left.await.is_ok(), "an exit failed");
    }

    async fn group(&self, children: &[Arc<Program>]) {
        let group = task_group(&self.rt, |group| {
            for child in children {
                let child = run(self, child);
                group.spawn(async move {
                    child.await;
                    Ok::<_, Infallible>(())
                });
            }
            async { Ok(()) }
        });
        self.ledger.check(group.await.is_ok(), "a group failed");
    }

    async fn in_place(&self, children: &[Arc<Program>]) {
        let scope = scope_send(|s| {
            for child in children {
                let child = run(self, child);
                s.spawn(async move {
                    child.await;
                    Ok::<_, Infallible>(())
                });
            }
            async { Ok(()) }
        });
        self.ledger.check(scope.await.is_ok(), "a scope failed");
    }
}

/// The seeds that are run.
fn seeds() -> Range<u64> {
    let Ok(text) = std::env::var("KUMI_PROGRAMS") else {
        return 0..300;
    };
    let parsed = text.split_once("..").and_then(|(from, to)| {
        let number = |text: &str| text.parse::<u64>().ok();
        Some(number(from)?..number(to)?)
    });
    parsed.unwrap_or_else(|| panic!("KUMI_PROGRAMS={text} is no range of seeds such as 0..300"))
}

#[test]
fn random_programs_leave_nothing_behind() {
    let (mut points, mut runs) = (0, 0);
    for seed in seeds() {
        let mut maker = Maker {
            random: Random(seed),
            numbers: 0,
        };
        let depth = 2 + maker.random.below(3);
        let place = Place {
            depth,
            may_wait: false,
        };
        let program = Arc::new(Program::Seq(maker.several(place)));
        let text = format!("{program:?}");
        let everywhere =
            Everywhere::new(format!("program {seed}")).limit(Duration::from_secs(3600));
        let check = || {
            everywhere.check(
                move || Sim::with_seed(seed),
                move |rt, ledger| {
                    let world = World {
                        rt,
                        ledger,
                        scopes: Arc::default(),
                        awaited: true,
                        deferred: false,
                    };
                    run(&world, &program)
                },
            )
        };
        match catch_unwind(AssertUnwindSafe(check)) {
            Ok(summary) => {
                points += summary.points;
                runs += summary.runs;
            }
            Err(panic) => {
                eprintln!(
                    "again: KUMI_PROGRAMS={seed}..{}, the program is {text}",
                    seed + 1
                );
                resume_unwind(panic);
            }
        }
    }
    eprintln!("{points} points, {runs} runs");
}
