//! Runs random programs, and writes into the ledger what they do.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::{Future, pending, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Poll;
use std::time::Duration;

use kumi_conformance::everywhere::Ledger;
use kumi_core::cancel::{CancelHandle, CancelScope, cancel_requested, checkpoint};
use kumi_core::cleanup::{ExitStack, bracket, finally, on_cancel, uncancellable};
use kumi_core::combine::timeout;
use kumi_core::group::{scope_send, task_group};
use kumi_core::runtime::Clock;
use kumi_core::task::{SpawnExt, shield};
use kumi_sim::Sim;

use super::make::Program;

/// What a part of a program finds around it.
#[derive(Clone)]
pub(crate) struct World {
    pub(crate) rt: Sim,
    pub(crate) ledger: Ledger,
    scopes: Arc<Mutex<HashMap<usize, CancelHandle>>>,
    /// Somebody waits for it before the scope around everything resolves.
    awaited: bool,
    /// A cancel outside is deferred here, so that it can be asked for and not in force.
    deferred: bool,
    open: Arc<Open>,
}

/// How many clean-ups are due in a part of a program.
#[derive(Default)]
struct Open {
    count: AtomicUsize,
    around: Option<Arc<Open>>,
}

impl Open {
    fn all<T>(&self, change: impl Fn(&AtomicUsize) -> T) {
        let mut open = Some(self);
        while let Some(Self { count, around }) = open {
            change(count);
            open = around.as_deref();
        }
    }

    fn begin(&self) {
        self.all(|count| count.fetch_add(1, Ordering::Relaxed));
    }

    fn end(&self) {
        self.all(|count| count.fetch_sub(1, Ordering::Relaxed));
    }
}

pub(crate) type Run = Pin<Box<dyn Future<Output = ()> + Send>>;

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

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    pub(crate) fn new(rt: Sim, ledger: Ledger) -> Self {
        Self {
            rt,
            ledger,
            scopes: Arc::default(),
            awaited: true,
            deferred: false,
            open: Arc::default(),
        }
    }

    /// For a part that has to close all that it opens.
    pub(crate) fn inside(&self) -> Self {
        let open = Open {
            count: AtomicUsize::new(0),
            around: Some(Arc::clone(&self.open)),
        };
        Self {
            open: Arc::new(open),
            ..self.clone()
        }
    }

    /// The part has ended.
    pub(crate) fn is_closed(&self) {
        let open = self.open.count.load(Ordering::Relaxed);
        self.ledger
            .check(open == 0, "a part has ended before what it began");
    }

    fn due(&self, number: usize) {
        self.open.begin();
        match self.awaited {
            true => self.ledger.due(name(number)),
            false => self.ledger.due_later(name(number)),
        }
    }

    fn unwaited(&self) -> Self {
        Self {
            awaited: false,
            deferred: false,
            open: Arc::default(),
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
        self.ends(self.ledger.clean_up(name(number), run))
    }

    /// With `clean_up` ends what was due.
    fn ends<F>(&self, clean_up: F) -> impl Future<Output = ()> + Send + use<F>
    where
        F: Future<Output = ()> + Send,
    {
        let open = Arc::clone(&self.open);
        async move {
            clean_up.await;
            open.end();
        }
    }
}

/// Runs a program; boxed, because it is made of itself.
pub(crate) fn run(world: &World, program: &Arc<Program>) -> Run {
    let (world, program) = (world.clone(), Arc::clone(program));
    Box::pin(async move { world.run(&program).await })
}

/// A child that does not fail.
async fn succeeds(run: Run) -> Result<(), Infallible> {
    run.await;
    Ok(())
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
                let inside = self.inside();
                let ended = timeout(&self.rt, limit, run(&inside, body)).await;
                inside.is_closed();
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
                    self.open.end();
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
                    let body = self.ends(self.ledger.uncut(name(*number), body));
                    uncancellable(async {
                        self.open.begin();
                        body.await;
                    })
                    .await;
                } else {
                    // Nobody drops a task.
                    uncancellable(async {
                        self.due(*number);
                        self.ends(self.ledger.clean_up(name(*number), body)).await;
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
            Program::Combine(combine) => self.combine(combine).await,
        }
    }

    /// A scope that others can cancel by its number.
    async fn scope(&self, number: usize, scope: CancelScope, body: &Arc<Program>) {
        let handle = scope.handle();
        lock(&self.scopes).insert(number, handle.clone());
        let inside = self.inside();
        let ended = scope.run(run(&inside, body)).await;
        inside.is_closed();
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
    pub(crate) fn goes_on(&self, cut: bool) {
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
        let inside = self.inside();
        let group = task_group(&self.rt, |group| {
            for child in children {
                group.spawn(succeeds(run(&inside, child)));
            }
            async { Ok(()) }
        });
        self.ledger.check(group.await.is_ok(), "a group failed");
        inside.is_closed();
    }

    async fn in_place(&self, children: &[Arc<Program>]) {
        let inside = self.inside();
        let scope = scope_send(|s| {
            for child in children {
                s.spawn(succeeds(run(&inside, child)));
            }
            async { Ok(()) }
        });
        self.ledger.check(scope.await.is_ok(), "a scope failed");
        inside.is_closed();
    }
}
