//! A runtime around another whose system calls fail when they are told to.
//!
//! The operations on its descriptors can be made to return any error in place of being carried out;
//! its time moves only by [`Faults::advance`]; and its blocking closures can be held back. So what the
//! sockets of core do about faults is checked on every backend without bringing the faults about.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use kumi_core::runtime::{
    BlockingJob, Clock, Direction, Done, Io, Job, Registered, Runtime, Sleep, Source, Spawn,
    SpawnBlocking, Task, Tasks,
};

use super::lock;

/// The runtime: `R`, with faults.
#[derive(Clone)]
pub(crate) struct Faulty<R> {
    inner: R,
    faults: Faults,
}

/// What fails, and when; clones are the same.
#[derive(Clone, Default)]
pub(crate) struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    next: VecDeque<(Direction, i32)>,
    always: Option<(Direction, i32)>,
    never_ready: Option<Direction>,
    /// How many operations were tried.
    calls: usize,
    start: Option<Instant>,
    passed: Duration,
    sleepers: Vec<(Instant, Waker)>,
    holds: bool,
    held: Vec<BlockingJob>,
}

impl<R> Faulty<R> {
    /// `inner`, and the hand that makes it fail.
    pub(crate) fn new(inner: R) -> (Self, Faults) {
        let faults = Faults::default();
        let faulty = Self {
            inner,
            faults: faults.clone(),
        };
        (faulty, faults)
    }
}

impl Faults {
    /// The next operation in `direction` fails with the error `code`; calls queue up.
    pub(crate) fn fail(&self, direction: Direction, code: i32) {
        lock(&self.0).next.push_back((direction, code));
    }

    /// From now on every operation in `direction` fails so, or none if it is `None`.
    pub(crate) fn fail_always(&self, fault: Option<(Direction, i32)>) {
        lock(&self.0).always = fault;
    }

    /// The next descriptor that is registered is never ready in `direction`.
    pub(crate) fn never_ready(&self, direction: Direction) {
        lock(&self.0).never_ready = Some(direction);
    }

    /// How many operations were tried so far, failed ones included.
    pub(crate) fn calls(&self) -> usize {
        lock(&self.0).calls
    }

    /// Moves time, and wakes who slept until then.
    pub(crate) fn advance(&self, by: Duration) {
        let mut state = lock(&self.0);
        state.passed += by;
        let now = state.now();
        let all = std::mem::take(&mut state.sleepers);
        let (due, later): (Vec<_>, Vec<_>) = all.into_iter().partition(|(at, _)| *at <= now);
        state.sleepers = later;
        drop(state);
        due.into_iter().for_each(|(_, waker)| waker.wake());
    }

    /// From now on blocking closures wait for [`release`](Self::release).
    pub(crate) fn hold(&self) {
        lock(&self.0).holds = true;
    }

    /// How many blocking closures are held back.
    pub(crate) fn held(&self) -> usize {
        lock(&self.0).held.len()
    }

    fn take(&self, direction: Direction) -> Option<io::Error> {
        let mut state = lock(&self.0);
        state.calls += 1;
        let found = state.next.iter().position(|(other, _)| *other == direction);
        let next = found.and_then(|index| state.next.remove(index));
        let always = state.always.filter(|(other, _)| *other == direction);
        let (_, code) = next.or(always)?;
        Some(io::Error::from_raw_os_error(code))
    }
}

impl<R: SpawnBlocking> Faulty<R> {
    /// Lets the blocking closures run that were held back.
    pub(crate) fn release(&self) {
        let mut state = lock(&self.faults.0);
        state.holds = false;
        let held = std::mem::take(&mut state.held);
        drop(state);
        for job in held {
            self.inner.spawn_blocking_job(job);
        }
    }
}

impl State {
    fn now(&mut self) -> Instant {
        let start = *self.start.get_or_insert_with(Instant::now);
        start + self.passed
    }
}

impl<R: Spawn> Spawn for Faulty<R> {
    fn spawn_job(&self, job: Job) {
        self.inner.spawn_job(job);
    }

    fn tasks(&self) -> Option<&Tasks> {
        self.inner.tasks()
    }

    fn is_host(&self) -> bool {
        self.inner.is_host()
    }
}

impl<R: SpawnBlocking> SpawnBlocking for Faulty<R> {
    fn spawn_blocking_job(&self, job: BlockingJob) {
        let mut state = lock(&self.faults.0);
        if state.holds {
            state.held.push(job);
            return;
        }
        drop(state);
        self.inner.spawn_blocking_job(job);
    }

    fn blocking_tasks(&self) -> Option<&Tasks> {
        self.inner.blocking_tasks()
    }
}

impl<R: Runtime> Clock for Faulty<R> {
    type Sleep = FaultySleep;

    fn now(&self) -> Instant {
        lock(&self.faults.0).now()
    }

    fn sleep_until(&self, at: Instant) -> FaultySleep {
        FaultySleep {
            at,
            faults: self.faults.clone(),
        }
    }
}

impl<R: Runtime> Runtime for Faulty<R> {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.inner.block_on(future)
    }

    fn for_each_task(&self, visit: &mut dyn FnMut(&Task)) {
        self.inner.for_each_task(visit);
    }

    fn poll_idle(&self, cx: &mut Context<'_>) -> Poll<()> {
        self.inner.poll_idle(cx)
    }

    fn shutdown(&self) {
        self.inner.shutdown();
    }
}

/// Ready when the time was moved that far.
pub(crate) struct FaultySleep {
    at: Instant,
    faults: Faults,
}

impl Future for FaultySleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let waker = cx.waker().clone();
        let mut state = lock(&self.faults.0);
        if self.at <= state.now() {
            return Poll::Ready(());
        }
        state.sleepers.push((self.at, waker));
        Poll::Pending
    }
}

impl Sleep for FaultySleep {
    fn deadline(&self) -> Instant {
        self.at
    }

    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.at = at;
    }
}

impl<R: Io> Io for Faulty<R> {
    type Registered<F: Source> = FaultyIo<R, F>;

    fn register<F: Source>(&self, source: F) -> io::Result<FaultyIo<R, F>> {
        Ok(FaultyIo {
            inner: self.inner.register(source)?,
            faults: self.faults.clone(),
            never_ready: lock(&self.faults.0).never_ready.take(),
        })
    }
}

/// A descriptor of a [`Faulty`] runtime.
pub(crate) struct FaultyIo<R: Io, F: Source> {
    inner: R::Registered<F>,
    faults: Faults,
    never_ready: Option<Direction>,
}

impl<R: Io, F: Source> FaultyIo<R, F> {
    /// The error in place of an operation, if there is to be one.
    fn fault(&self, direction: Direction) -> io::Result<()> {
        if self.never_ready == Some(direction) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.faults.take(direction).map_or(Ok(()), Err)
    }
}

impl<R: Io, F: Source> Registered<F> for FaultyIo<R, F> {
    fn get_ref(&self) -> &F {
        self.inner.get_ref()
    }

    fn into_inner(self) -> io::Result<F> {
        self.inner.into_inner()
    }

    fn poll_io<T>(
        &self,
        cx: &mut Context<'_>,
        direction: Direction,
        mut op: impl FnMut(&F) -> io::Result<Done<T>>,
    ) -> Poll<io::Result<T>> {
        self.inner.poll_io(cx, direction, |source| {
            self.fault(direction)?;
            op(source)
        })
    }

    async fn ready(&self, direction: Direction) -> io::Result<()> {
        self.inner.ready(direction).await
    }

    fn try_io<T>(
        &self,
        direction: Direction,
        op: impl FnOnce(&F) -> io::Result<Done<T>>,
    ) -> io::Result<T> {
        self.inner.try_io(direction, |source| {
            self.fault(direction)?;
            op(source)
        })
    }
}
