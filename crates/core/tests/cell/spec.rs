//! What is to happen: the task as its documentation has it, in plain values.

use crate::probe::{Kind, Poll};

/// What runs the job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    /// A backend that runs it, once per wake.
    Run,
    /// The same, and core keeps the table of live tasks.
    Listed,
    /// A host that polls it as a future.
    Hosted,
}

/// One thing that can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Op {
    /// The job is run, or polled by the host with the same waker as before.
    Run,
    /// The host polls with another waker.
    RunOther,
    DropJob,
    /// The waker that the future kept is used.
    Wake,
    WakeByValue,
    DropWaker,
    /// Through the reference.
    WakeTask,
    Cancel,
    Abort,
    /// Through the table of live tasks; only when nothing else is left.
    AbortAll,
    DropTask,
    /// The handle is polled, with the same waker as before or with another.
    Join,
    JoinOther,
    DropHandle,
    Detach,
}

/// What an operation says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    Nothing,
    /// To a request: whether it was the first.
    First(bool),
    /// To a poll of the handle.
    Pending,
    Joined(End),
    /// To a run or a poll of the job: whether the task has ended.
    Ran {
        ended: bool,
    },
}

/// How a task ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Value,
    Cancelled,
    Panicked,
}

/// How often something was reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Reports {
    pub(crate) lost: usize,
    pub(crate) not_joined: usize,
    pub(crate) in_drop: usize,
}

/// The state of the task and of what holds it.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    kind: Kind,
    mode: Mode,
    /// The job exists, queued or at the host.
    pub(crate) job: bool,
    /// The future holds no more than this.
    pub(crate) waker: bool,
    pub(crate) task: bool,
    pub(crate) handle: bool,
    taken: bool,
    /// Which waker the handle was last polled with, 0 or 1.
    joiner: Option<usize>,
    /// Which waker the host last polled with, and which the future has kept.
    host: Option<usize>,
    kept: usize,
    pub(crate) polls: usize,
    cancel: bool,
    abort: bool,
    pub(crate) end: Option<End>,
    pub(crate) reports: Reports,
    /// How often each waker of the joiner and of the host was woken.
    pub(crate) joiner_woken: [usize; 2],
    pub(crate) host_woken: [usize; 2],
}

impl Spec {
    pub(crate) fn new(kind: Kind, mode: Mode) -> Self {
        Self {
            kind,
            mode,
            job: true,
            waker: false,
            task: true,
            handle: true,
            taken: false,
            joiner: None,
            host: None,
            kept: 0,
            polls: 0,
            cancel: false,
            abort: false,
            end: None,
            reports: Reports::default(),
            joiner_woken: [0; 2],
            host_woken: [0; 2],
        }
    }

    fn hosted(&self) -> bool {
        self.mode == Mode::Hosted
    }

    /// Whether the future is still there.
    pub(crate) fn is_alive(&self) -> bool {
        self.end.is_none()
    }

    /// What can happen next.
    pub(crate) fn possible(&self) -> Vec<Op> {
        let mut ops = Vec::new();
        let mut add = |possible: bool, new: &[Op]| {
            if possible {
                ops.extend_from_slice(new);
            }
        };
        add(self.job, &[Op::Run, Op::DropJob]);
        add(self.job && self.hosted(), &[Op::RunOther]);
        add(self.waker, &[Op::Wake, Op::WakeByValue, Op::DropWaker]);
        add(
            self.task,
            &[Op::WakeTask, Op::Cancel, Op::Abort, Op::DropTask],
        );
        add(self.handle, &[Op::DropHandle, Op::Detach]);
        add(self.handle && !self.taken, &[Op::Join, Op::JoinOther]);
        ops
    }

    /// What drops all that is left, in an order that runs what becomes due.
    pub(crate) fn rest(&self) -> Vec<Op> {
        let mut spec = self.clone();
        let mut ops = Vec::new();
        for (op, left) in [
            (Op::DropWaker, (|spec| spec.waker) as fn(&Spec) -> bool),
            (Op::DropHandle, |spec| spec.handle),
            (Op::DropTask, |spec| spec.task),
            (Op::AbortAll, |spec| spec.is_alive() && !spec.job),
            (Op::DropJob, |spec| spec.job),
        ] {
            if left(&spec) {
                spec.step(op);
                ops.push(op);
            }
        }
        ops
    }

    /// What `op` does and says.
    pub(crate) fn step(&mut self, op: Op) -> Said {
        let alive = self.is_alive();
        match op {
            Op::Run | Op::RunOther => return self.run(op == Op::RunOther),
            Op::DropJob => {
                self.job = false;
                if alive {
                    self.give_up();
                }
            }
            Op::Wake | Op::WakeByValue if self.hosted() => {
                // The waker is the host's own.
                self.host_woken[self.kept] += 1;
                self.waker &= op == Op::Wake;
            }
            Op::Wake => self.wake(),
            Op::WakeByValue => {
                self.wake();
                self.waker = false;
                self.let_go();
            }
            Op::DropWaker => {
                self.waker = false;
                self.let_go();
            }
            Op::WakeTask => self.wake(),
            Op::Cancel => {
                let first = alive && !std::mem::replace(&mut self.cancel, true);
                if first {
                    self.wake();
                }
                return Said::First(first);
            }
            Op::Abort | Op::AbortAll => {
                let first = alive && !std::mem::replace(&mut self.abort, true);
                if first {
                    self.wake();
                }
                if op == Op::Abort {
                    return Said::First(first);
                }
            }
            Op::DropTask => {
                self.task = false;
                self.let_go();
            }
            Op::Join | Op::JoinOther => {
                let Some(end) = self.end else {
                    let before = self.joiner.unwrap_or(0);
                    let at = if op == Op::Join { before } else { 1 - before };
                    self.joiner = Some(at);
                    return Said::Pending;
                };
                self.taken = true;
                return Said::Joined(end);
            }
            Op::DropHandle => {
                if alive && !std::mem::replace(&mut self.cancel, true) {
                    self.wake();
                }
                self.drop_handle();
            }
            Op::Detach => self.drop_handle(),
        }
        Said::Nothing
    }

    fn drop_handle(&mut self) {
        self.handle = false;
        self.joiner = None;
        if !self.taken {
            self.drop_output();
        }
        self.let_go();
    }

    fn wake(&mut self) {
        if !self.is_alive() {
            return;
        }
        match self.host {
            Some(at) => self.host_woken[at] += 1,
            None => self.job = true,
        }
    }

    /// A reference is gone: if it was the last to a task that waits, the task is given up.
    fn let_go(&mut self) {
        if self.is_alive() && !self.is_held() && !self.job {
            self.abort = true;
            self.job = true;
        }
    }

    /// Whether anything but the job refers to the cell.
    fn is_held(&self) -> bool {
        let waker = self.waker && !self.hosted();
        self.handle || self.task || waker || self.mode == Mode::Listed
    }

    fn run(&mut self, other: bool) -> Said {
        let before = self.host.unwrap_or(0);
        self.job = self.hosted();
        if !self.is_alive() {
            return Said::Ran { ended: true };
        }
        if self.hosted() {
            self.host = Some(if other { 1 - before } else { before });
        }
        if self.abort || self.cancel && self.polls == 0 {
            self.give_up();
            return Said::Ran { ended: true };
        }
        self.polls += 1;
        match (self.kind.polls, self.polls) {
            (Poll::Ready, _) | (Poll::ReadySecond, 2) => {
                self.drop_future();
                self.end(End::Value);
            }
            (Poll::Panic, _) | (Poll::PanicSecond, 2) => {
                self.drop_future();
                self.end(End::Panicked);
            }
            _ => {
                self.waker |= self.kind.keeps_waker;
                self.kept = self.host.unwrap_or(0);
                if self.cancel || self.abort || !self.hosted() && !self.is_held() {
                    self.give_up();
                } else {
                    return Said::Ran { ended: false };
                }
            }
        }
        Said::Ran { ended: true }
    }

    /// The future is dropped before it was ready.
    fn give_up(&mut self) {
        self.reports.lost += usize::from(!self.cancel);
        // A panic of its destructor is the outcome.
        self.end(match self.kind.drop_panics {
            true => End::Panicked,
            false => End::Cancelled,
        });
    }

    /// The future is dropped after it was ready or panicked.
    fn drop_future(&mut self) {
        self.reports.in_drop += usize::from(self.kind.drop_panics);
    }

    fn end(&mut self, end: End) {
        self.end = Some(end);
        if let Some(at) = self.joiner.take() {
            self.joiner_woken[at] += 1;
        }
        if !self.handle {
            self.drop_output();
        }
    }

    /// Nobody takes the outcome.
    fn drop_output(&mut self) {
        match self.end {
            // What it panicked with is dropped, and may panic.
            Some(End::Panicked) => {
                self.reports.not_joined += 1;
                self.reports.in_drop += usize::from(self.kind.bombs);
            }
            Some(End::Value) => self.reports.in_drop += usize::from(self.kind.output_panics),
            Some(End::Cancelled) | None => {}
        }
    }
}
