//! The cell, and everything that holds it.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use kumi_core::report::{self, Report};
use kumi_core::runtime::{Job, Ran, SharedJobQueue, Spawn, Task, Tasks};
use kumi_core::task::{JoinHandle, SpawnExt};

use crate::probe::{Counts, Kind, Output, Probe, is_bang};
use crate::spec::{End, Mode, Op, Reports, Said, Spec};

static LOST: AtomicUsize = AtomicUsize::new(0);
static NOT_JOINED: AtomicUsize = AtomicUsize::new(0);
static IN_DROP: AtomicUsize = AtomicUsize::new(0);

fn hear(report: &Report) {
    let counter = match report {
        Report::TaskLost { .. } => &LOST,
        Report::PanicNotJoined { .. } => &NOT_JOINED,
        Report::PanicInDrop { .. } => &IN_DROP,
        // Would fail the comparison.
        _ => return,
    };
    counter.fetch_add(1, Ordering::Relaxed);
}

fn reports() -> Reports {
    Reports {
        lost: LOST.load(Ordering::Relaxed),
        not_joined: NOT_JOINED.load(Ordering::Relaxed),
        in_drop: IN_DROP.load(Ordering::Relaxed),
    }
}

/// A backend whose jobs wait until the test takes them.
#[derive(Clone)]
struct Hand {
    queue: Arc<(SharedJobQueue, Option<Tasks>)>,
    /// The test polls jobs, and runs none.
    is_host: bool,
}

impl Spawn for Hand {
    fn spawn_job(&self, job: Job) {
        assert!(self.queue.0.push(job).is_ok());
    }

    fn tasks(&self) -> Option<&Tasks> {
        self.queue.1.as_ref()
    }

    fn is_host(&self) -> bool {
        self.is_host
    }
}

/// Counts its wakes.
struct Signal(AtomicUsize);

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Two wakers, of which one is in use.
struct Wakers {
    signals: [Arc<Signal>; 2],
    at: usize,
}

impl Wakers {
    fn new() -> Self {
        let signals = [(); 2].map(|()| Arc::new(Signal(AtomicUsize::new(0))));
        Self { signals, at: 0 }
    }

    fn waker(&mut self, other: bool) -> Waker {
        if other {
            self.at = 1 - self.at;
        }
        Waker::from(Arc::clone(&self.signals[self.at]))
    }

    fn woken(&self) -> [usize; 2] {
        [0, 1].map(|at| self.signals[at].0.load(Ordering::Relaxed))
    }

    fn assert_unused(&self) {
        for signal in &self.signals {
            assert_eq!(Arc::strong_count(signal), 1, "a waker is left");
        }
    }
}

pub(crate) struct World {
    mode: Mode,
    hand: Hand,
    counts: Arc<Counts>,
    handle: Option<JoinHandle<Output>>,
    task: Option<Task>,
    /// The job, if a host has it.
    hosted: Option<Job>,
    joiner: Wakers,
    host: Wakers,
}

impl World {
    pub(crate) fn new(kind: Kind, mode: Mode) -> Self {
        for counter in [&LOST, &NOT_JOINED, &IN_DROP] {
            counter.store(0, Ordering::Relaxed);
        }
        report::set_hook(hear);
        let tasks = (mode == Mode::Listed).then(Tasks::new);
        let hand = Hand {
            queue: Arc::new((SharedJobQueue::new(), tasks)),
            is_host: mode == Mode::Hosted,
        };
        let counts = Arc::new(Counts::default());
        let handle = hand.spawn(Probe::new(kind, Arc::clone(&counts)));
        let task = handle.task();
        let hosted = (mode == Mode::Hosted).then(|| hand.queue.0.take_all().pop().unwrap());
        Self {
            mode,
            hand,
            counts,
            handle: Some(handle),
            task: Some(task),
            hosted,
            joiner: Wakers::new(),
            host: Wakers::new(),
        }
    }

    /// Takes the one job there is.
    fn job(&mut self) -> Job {
        self.hosted.take().unwrap_or_else(|| {
            let jobs = self.hand.queue.0.take_all();
            assert_eq!(jobs.len(), 1);
            jobs.pop().unwrap()
        })
    }

    fn waker(&self) -> Option<Waker> {
        self.counts.waker.lock().unwrap().take()
    }

    pub(crate) fn step(&mut self, op: Op) -> Said {
        match op {
            Op::Run | Op::RunOther => return self.run(op == Op::RunOther),
            Op::DropJob => drop(self.job()),
            Op::Wake => {
                let waker = self.waker().unwrap();
                waker.wake_by_ref();
                *self.counts.waker.lock().unwrap() = Some(waker);
            }
            Op::WakeByValue => self.waker().unwrap().wake(),
            Op::DropWaker => drop(self.waker().unwrap()),
            Op::WakeTask => self.task.as_ref().unwrap().wake(),
            Op::Cancel => return Said::First(self.task.as_ref().unwrap().cancel()),
            Op::Abort => return Said::First(self.task.as_ref().unwrap().abort()),
            Op::AbortAll => self.hand.queue.1.as_ref().unwrap().abort_all(),
            Op::DropTask => drop(self.task.take().unwrap()),
            Op::Join | Op::JoinOther => return self.join(op == Op::JoinOther),
            Op::DropHandle => drop(self.handle.take().unwrap()),
            Op::Detach => self.handle.take().unwrap().detach(),
        }
        Said::Nothing
    }

    fn run(&mut self, other: bool) -> Said {
        let mut job = self.job();
        if self.mode == Mode::Hosted {
            let waker = self.host.waker(other);
            let ended = Pin::new(&mut job)
                .poll(&mut Context::from_waker(&waker))
                .is_ready();
            self.hosted = Some(job);
            return Said::Ran { ended };
        }
        let id = job.task().id();
        match job.run() {
            Ran::Ended => Said::Ran { ended: true },
            Ran::Again(_) => panic!("nobody wakes task {id} while it runs"),
            // Given up at the end of the run, because nothing refers to it?
            Ran::Pending => Said::Ran {
                ended: self.counts.futures_dropped.load(Ordering::Relaxed) > 0,
            },
        }
    }

    fn join(&mut self, other: bool) -> Said {
        let waker = self.joiner.waker(other);
        let handle = self.handle.as_mut().unwrap();
        match Pin::new(handle).poll(&mut Context::from_waker(&waker)) {
            Poll::Pending => Said::Pending,
            Poll::Ready(Ok(output)) => {
                let _ = catch_unwind(AssertUnwindSafe(|| drop(output))).map_err(defuse);
                Said::Joined(End::Value)
            }
            Poll::Ready(Err(error)) if error.is_cancelled() => Said::Joined(End::Cancelled),
            Poll::Ready(Err(error)) => {
                let payload = error.into_panic();
                assert!(is_bang(&*payload));
                defuse(payload);
                Said::Joined(End::Panicked)
            }
        }
    }

    /// Compares everything that can be seen.
    pub(crate) fn compare(&self, spec: &Spec) {
        let counts = &self.counts;
        let get = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        assert_eq!(get(&counts.polls), spec.polls, "polls");
        assert_eq!(
            get(&counts.futures_dropped),
            usize::from(!spec.is_alive()),
            "drops of the future"
        );
        assert_eq!(reports(), spec.reports);
        let job = self.hosted.is_some() || !self.hand.queue.0.is_empty();
        assert_eq!(job, spec.job, "whether there is a job");
        assert_eq!(
            self.joiner.woken(),
            spec.joiner_woken,
            "wakes of the joiner"
        );
        assert_eq!(self.host.woken(), spec.host_woken, "wakes of the host");
        if let Some(task) = &self.task {
            assert_eq!(task.is_finished(), !spec.is_alive());
        }
        if let Some(tasks) = &self.hand.queue.1 {
            let mut listed = 0;
            tasks.for_each(&mut |_| listed += 1);
            assert_eq!(listed, usize::from(spec.is_alive()), "listed tasks");
        }
    }

    /// Checks that nothing is left.
    pub(crate) fn finish(self, spec: &Spec) {
        let get = |counter: &AtomicUsize| counter.load(Ordering::Relaxed);
        assert!(!spec.is_alive());
        assert_eq!(Arc::strong_count(&self.hand.queue), 1, "the cell is left");
        let made = get(&self.counts.outputs_made);
        assert_eq!(
            get(&self.counts.outputs_dropped),
            made,
            "drops of the output"
        );
        assert_eq!(
            Arc::strong_count(&self.counts),
            1,
            "the future or its output is left"
        );
        self.joiner.assert_unused();
        self.host.assert_unused();
        report::reset_hook();
    }
}

/// Drops a payload whose destructor may panic.
fn defuse(payload: Box<dyn std::any::Any + Send>) {
    if let Err(again) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        drop(again);
    }
}
