//! A part of a task that can be cancelled: [`CancelScope`].

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use pin_project_lite::pin_project;

use super::clock::{AmbientSleep, ambient_now};
use super::poll::{Alarms, Ended, ScopeState};
use crate::context::{self, CancelReason, Node, Wall};
use crate::loom::fault;
use crate::util::deadline_after;

/// A part of a task that can be cancelled by itself, at a deadline, or both.
///
/// (Trio's `CancelScope`.) Made first, so that handles can be taken; [`run`](Self::run) then runs a
/// future in it. A scope that was cancelled before it runs still begins: the body's first checkpoint
/// ends it.
///
/// # Examples
///
/// ```
/// use kumi_core::cancel::CancelScope;
/// use kumi_core::runtime::{Clock, Runtime};
/// use kumi_core::task::SpawnExt;
/// use std::time::Duration;
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// sim.block_on(async {
///     let scope = CancelScope::new();
///     let stop = scope.handle();
///     let clock = rt.clone();
///     rt.spawn(async move {
///         clock.sleep(Duration::from_secs(1)).await;
///         stop.cancel_with("enough");
///     })
///     .detach();
///     let ended = scope.run(std::future::pending::<()>()).await.unwrap_err();
///     assert_eq!(ended.to_string(), "cancelled: enough");
/// });
/// ```
#[derive(Debug, Default)]
#[must_use = "a scope does nothing until it runs a future"]
pub struct CancelScope {
    node: OnceLock<Arc<Node>>,
    when: When,
    grace: Option<Duration>,
}

/// When a scope is due.
#[derive(Debug, Clone, Copy, Default)]
enum When {
    #[default]
    Never,
    At(Instant),
    /// From its first poll.
    After(Duration),
}

impl CancelScope {
    /// A scope that ends when somebody cancels it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time at which the scope is cancelled; see [`CancelHandle::set_deadline`].
    pub fn deadline(mut self, at: Instant) -> Self {
        self.when = When::At(at);
        self
    }

    /// Sets how long the scope may take, from its first poll on.
    pub fn timeout(mut self, limit: Duration) -> Self {
        self.when = When::After(limit);
        self
    }

    /// Sets how long the clean-ups inside may take once the scope is cancelled.
    ///
    /// What has not ended by then is dropped and [reported](crate::report). Without it they may take
    /// as long as they like.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = Some(grace);
        self
    }

    /// Sets whether cancels from outside are hidden from what runs inside.
    ///
    /// The scopes around it wait until it has ended. Its own cancel and deadline work. (Trio's
    /// `shield=True`; asyncio's `shield` is [`shield`](crate::task::shield).)
    pub fn shield(self, shield: bool) -> Self {
        if shield || self.node.get().is_some() {
            // At once, so that a handle that is made from now on has the last word.
            self.node().set_shield(shield);
        }
        self
    }

    fn node(&self) -> &Arc<Node> {
        self.node.get_or_init(|| Arc::new(Node::new(Wall::None)))
    }

    /// Returns a handle that can cancel the scope, from any thread.
    #[must_use]
    pub fn handle(&self) -> CancelHandle {
        CancelHandle {
            node: Arc::clone(self.node()),
        }
    }

    /// Runs `body` in the scope.
    ///
    /// # Cancel safety
    ///
    /// Dropping it drops `body`; the handles find that the scope has ended.
    ///
    /// # Errors
    ///
    /// [`Cancelled`] if the scope was cancelled, or its deadline was reached, before `body` was ready;
    /// after the clean-ups inside have ended and `body` was dropped. If a scope around it is
    /// cancelled as well, that one reports, and this never resolves.
    ///
    /// # Panics
    ///
    /// With the panic of `body` or of a clean-up in it; when polled after it was ready; and, if it has
    /// a deadline or a grace period, outside of any runtime.
    pub fn run<F: Future>(self, body: F) -> Scoped<F> {
        Scoped {
            body: Some(body),
            state: ScopeState::new(self.node.into_inner()),
            timers: Timers {
                when: self.when,
                deadline: None,
                sleep: None,
                due: false,
                grace: self.grace,
                over: None,
            },
        }
    }
}

pin_project! {
    /// The future of [`CancelScope::run`].
    #[must_use = "futures do nothing unless polled"]
    pub struct Scoped<F> {
        #[pin]
        body: Option<F>,
        state: ScopeState,
        timers: Timers,
    }

    impl<F> PinnedDrop for Scoped<F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            context::drop_then(|| this.body.set(None), || this.state.dropped());
        }
    }
}

/// What needs a clock, for the message.
const WHAT: &str = "a `CancelScope` with a deadline or a grace period";

/// The times of a scope.
#[derive(Debug)]
struct Timers {
    when: When,
    deadline: Option<Instant>,
    sleep: Option<AmbientSleep>,
    due: bool,
    grace: Option<Duration>,
    over: Option<AmbientSleep>,
}

impl Timers {
    /// Learns the deadline, at the first poll.
    #[inline]
    fn begin(&mut self) {
        self.deadline = match self.when {
            When::Never => return,
            When::At(at) => Some(at),
            When::After(limit) => Some(deadline_after(ambient_now(WHAT), limit)),
        };
        self.when = When::Never;
    }

    /// Moves the deadline.
    fn set(&mut self, deadline: Option<Instant>) {
        self.when = When::Never;
        self.deadline = deadline;
        self.due = false;
        match (&mut self.sleep, deadline) {
            (Some(sleep), Some(at)) => sleep.reset(at),
            _ => self.sleep = None,
        }
    }
}

impl Alarms for Timers {
    fn poll_due(&mut self, wall: Wall, cx: &mut Context<'_>) -> bool {
        let Some(deadline) = self.deadline else {
            return false;
        };
        if !self.due {
            let sleep = self
                .sleep
                .get_or_insert_with(|| AmbientSleep::until(deadline, WHAT));
            self.due = sleep.poll(cx).is_ready();
        }
        self.due && (wall != Wall::None || !context::is_outer_due(ambient_now(WHAT)))
    }

    fn poll_grace(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(grace) = self.grace else {
            return false;
        };
        let start = || AmbientSleep::after(grace, WHAT);
        let over = self.over.get_or_insert_with(start);
        over.poll(cx).is_ready()
    }
}

impl<F: Future> Future for Scoped<F> {
    type Output = Result<F::Output, Cancelled>;

    #[inline]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(node) = &this.state.node {
            // First the waker, then the look, so that whoever moves the deadline later wakes us.
            if !fault("deadline_looked_at_before_the_waker") {
                node.register(cx.waker());
            }
            if let Some(deadline) = node.take_deadline() {
                this.timers.set(deadline);
            }
        }
        this.timers.begin();
        let deadline = this.timers.deadline;
        // The node goes when the scope ends; the reason is needed after that.
        let node = this.state.node.clone();
        let ended = this.state.poll(this.body, deadline, this.timers, cx);
        match ready!(ended) {
            Ended::Value(value) => Poll::Ready(Ok(value)),
            Ended::Cancelled => {
                let asked = node.and_then(|node| node.reason());
                // Without a handle nobody but the deadline can have ended it.
                let reason = asked.unwrap_or(CancelReason::Deadline);
                Poll::Ready(Err(Cancelled { reason }))
            }
        }
    }
}

impl<F> fmt::Debug for Scoped<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scoped")
            .field("ended", &self.body.is_none())
            .field("timers", &self.timers)
            .finish_non_exhaustive()
    }
}

/// The right to cancel a [`CancelScope`], from any thread.
///
/// Holding one keeps nothing running; cancelling after the end has no effect.
#[derive(Clone)]
pub struct CancelHandle {
    node: Arc<Node>,
}

impl CancelHandle {
    /// Asks the scope to end; returns whether this was the first request and the scope is alive.
    ///
    /// It returns at once and never blocks. The effect reaches everything inside immediately, also
    /// the tasks of groups.
    pub fn cancel(&self) -> bool {
        self.node.request(CancelReason::Requested)
    }

    /// [`cancel`](Self::cancel), with a reason, which [`Cancelled`] then tells.
    pub fn cancel_with(&self, reason: impl Into<CancelReason>) -> bool {
        self.node.request(reason.into())
    }

    /// Whether the scope was asked to end, or was due; stays true after its end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.node.is_requested()
    }

    /// Returns why it was cancelled, if it was: the first reason.
    #[must_use]
    pub fn reason(&self) -> Option<CancelReason> {
        self.node.reason()
    }

    /// Whether the scope has ended, so that requests come too late.
    #[must_use]
    pub fn has_ended(&self) -> bool {
        self.node.is_ended()
    }

    /// Moves the deadline, earlier, later, into the past, or to never.
    ///
    /// # Errors
    ///
    /// [`ScopeEnded`] if the scope has ended or was asked to end: that is not taken back.
    pub fn set_deadline(&self, at: Option<Instant>) -> Result<(), ScopeEnded> {
        match self.node.move_deadline(at) {
            true => Ok(()),
            false => Err(ScopeEnded(())),
        }
    }

    /// Hides cancels from outside, or lets them through again, at once.
    pub fn set_shield(&self, shield: bool) {
        self.node.set_shield(shield);
    }
}

impl fmt::Debug for CancelHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CancelHandle")
            .field("cancelled", &self.is_cancelled())
            .field("ended", &self.has_ended())
            .finish()
    }
}

/// A scope was cancelled, or its deadline was reached, before its body was ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cancelled {
    reason: CancelReason,
}

impl Cancelled {
    /// Returns why: the first reason.
    #[must_use]
    pub fn reason(&self) -> &CancelReason {
        &self.reason
    }

    /// Whether it was the scope's deadline.
    #[must_use]
    pub fn is_elapsed(&self) -> bool {
        self.reason == CancelReason::Deadline
    }
}

impl fmt::Display for Cancelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cancelled: {}", self.reason)
    }
}

impl std::error::Error for Cancelled {}

/// `TimedOut` if it was the deadline, otherwise `Interrupted`, with this error inside.
impl From<Cancelled> for std::io::Error {
    fn from(error: Cancelled) -> Self {
        let kind = match error.is_elapsed() {
            true => std::io::ErrorKind::TimedOut,
            false => std::io::ErrorKind::Interrupted,
        };
        Self::new(kind, error)
    }
}

/// The scope of a [`CancelHandle`] has ended, or was asked to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeEnded(());

impl fmt::Display for ScopeEnded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the scope has ended or is being cancelled")
    }
}

impl std::error::Error for ScopeEnded {}
