//! Starting a child and waiting until it is ready: [`TaskGroup::start`].

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::panic::Location;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::child::Link;
use super::error::{CLOSED, Failure};
use super::shared::TaskGroup;
use crate::context::{self, Node, Wall};
use crate::loom::{Mutex, fault};
use crate::runtime::{Spawn, TaskInfo};
use crate::task::JoinHandle;
use crate::util::WakerSlot;

/// What the starter and the child share.
struct Handshake<V, E> {
    state: Mutex<State<V, E>>,
    waker: WakerSlot,
}

/// How far the child is.
enum State<V, E> {
    /// It belongs to the starter.
    Starting,
    /// It has said that it is ready, and belongs to the group alone.
    Ready(V),
    /// It failed before it was ready.
    Failed(E),
    /// The starter has taken what was here, or has gone.
    Left,
}

impl<V, E> Handshake<V, E> {
    /// Leaves `state` if the child is still starting; given back otherwise.
    fn leave(&self, state: State<V, E>) -> Result<(), State<V, E>> {
        {
            let mut now = self.state.lock();
            if !matches!(*now, State::Starting) && !fault("child_speaks_to_nobody") {
                return Err(state);
            }
            *now = state;
        }
        self.waker.wake();
        Ok(())
    }
}

/// The child's side of [`TaskGroup::start`]: says that it is ready.
///
/// Dropped without saying so, it leaves the starter waiting until the child has ended.
#[must_use = "the starter waits until `ready` is called"]
pub struct Started<V> {
    tell: Box<dyn FnOnce(V) + Send>,
}

impl<V> Started<V> {
    /// Says that the child is ready, and gives `value` to whoever started it.
    ///
    /// From now on the child belongs to the group alone. If the starter has gone, nothing happens.
    pub fn ready(self, value: V) {
        (self.tell)(value);
    }
}

impl<V> fmt::Debug for Started<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Started").finish_non_exhaustive()
    }
}

/// Why [`TaskGroup::start`] gave no value.
#[derive(Debug, PartialEq, Eq)]
pub enum StartError<E> {
    /// The child failed before it was ready.
    Failed(E),
    /// The child ended, was cancelled or panicked before it was ready; the group has the panic.
    Ended,
    /// The group had ended.
    Closed,
}

impl<E: fmt::Display> fmt::Display for StartError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Failed(error) => error.fmt(f),
            Self::Ended => f.write_str("the child ended without calling `Started::ready`"),
            Self::Closed => f.write_str(CLOSED),
        }
    }
}

impl<E: Error + 'static> Error for StartError<E> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            Self::Failed(error) => Some(error),
            Self::Ended | Self::Closed => None,
        }
    }
}

pin_project! {
    /// The future of a child that is started.
    struct Starting<F, V, E, R> {
        #[pin]
        future: F,
        link: Link<E, R>,
        handshake: Arc<Handshake<V, E>>,
    }
}

impl<F, V, E, R> Future for Starting<F, V, E, R>
where
    F: Future<Output = Result<(), E>>,
{
    type Output = Option<()>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<()>> {
        let this = self.project();
        let result = ready!(this.future.poll(cx));
        this.link.done();
        let Err(error) = result else {
            return Poll::Ready(Some(()));
        };
        // To the starter, as long as there is one that waits; then to the group.
        if let Err(State::Failed(error)) = this.handshake.leave(State::Failed(error)) {
            this.link.group.fail(Failure::Error(error), true);
        }
        Poll::Ready(None)
    }
}

/// The future of [`TaskGroup::start`].
#[must_use = "futures do nothing unless polled; dropping it cancels the child"]
pub struct Start<V, E> {
    handshake: Arc<Handshake<V, E>>,
    /// Gone when the starter knows what became of the child, or if the group had ended.
    child: Option<JoinHandle<Option<()>>>,
    closed: bool,
    /// There while a cancel of the starter has to wait for the child.
    node: Option<Arc<Node>>,
}

impl<V: Send + 'static, E: Send + 'static> Start<V, E> {
    #[track_caller]
    pub(super) fn new<R, S, F>(group: &TaskGroup<E, R>, child: S) -> Self
    where
        R: Spawn,
        S: FnOnce(Started<V>) -> F,
        F: Future<Output = Result<(), E>> + Send + 'static,
    {
        let handshake = Arc::new(Handshake {
            state: Mutex::new(State::Starting),
            waker: WakerSlot::new(),
        });
        let told = Arc::clone(&handshake);
        let started = Started {
            tell: Box::new(move |value| drop(told.leave(State::Ready(value)))),
        };
        let future = Starting {
            future: child(started),
            link: Link::new(&group.shared, false),
            handshake: Arc::clone(&handshake),
        };
        let info = TaskInfo::new(None, Location::caller());
        let header = group.shared.spawn(info, false, future);
        Self {
            handshake,
            closed: header.is_err(),
            child: header.ok().map(JoinHandle::new),
            node: None,
        }
    }
}

impl<V, E> Start<V, E> {
    /// Polls the child: ready with what it has left, or with nothing if it has ended without.
    fn poll_child(&mut self, cx: &mut Context<'_>) -> Poll<State<V, E>> {
        // The waker first, then the look; and the end of the child before the look as well.
        if !fault("starter_is_not_woken") {
            self.handshake.waker.register(cx.waker());
        }
        let Some(child) = &mut self.child else {
            panic!("`TaskGroup::start` was polled after it was ready");
        };
        // The cancel of the starter concerns the child, not the waiting for its end.
        let poll = || Pin::new(child).poll(cx);
        let (ended, _) = context::enter_scope(&mut self.node, Wall::Hide, false, None, poll);
        let mut state = self.handshake.state.lock();
        match (&*state, ended.is_ready()) {
            (State::Starting, false) => Poll::Pending,
            _ => Poll::Ready(std::mem::replace(&mut *state, State::Left)),
        }
    }

    /// The starter knows, or goes; the child is the group's, or gone.
    fn leave(&mut self) {
        if let Some(node) = self.node.take() {
            node.end();
        }
        if let Some(child) = self.child.take() {
            let before = std::mem::replace(&mut *self.handshake.state.lock(), State::Left);
            if let State::Starting = before {
                child.cancel();
            }
            drop(before);
            child.detach();
        }
    }
}

impl<V, E> Unpin for Start<V, E> {}

impl<V, E> Future for Start<V, E> {
    type Output = Result<V, StartError<E>>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        if std::mem::take(&mut self.closed) {
            return Poll::Ready(Err(StartError::Closed));
        }
        let cancelled = context::is_cancelled();
        if self.child.is_none() && cancelled {
            // It was cancelled before, and the child has ended.
            return Poll::Pending;
        }
        let node = self
            .node
            .get_or_insert_with(|| Arc::new(Node::region(Wall::None)));
        node.register(cx.waker());
        context::tie_here(node);
        if let (true, Some(child)) = (cancelled, &self.child) {
            child.cancel();
        }
        let state = ready!(self.poll_child(cx));
        // What it left is taken; there is nothing to cancel.
        self.leave();
        match state {
            State::Ready(value) => Poll::Ready(Ok(value)),
            State::Failed(error) => Poll::Ready(Err(StartError::Failed(error))),
            // The cancel has ended the child: the code after this does not run.
            State::Starting | State::Left if cancelled => Poll::Pending,
            State::Starting | State::Left => Poll::Ready(Err(StartError::Ended)),
        }
    }
}

impl<V, E> Drop for Start<V, E> {
    fn drop(&mut self) {
        self.leave();
    }
}

impl<V, E> fmt::Debug for Start<V, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Start").field(&self.child).finish()
    }
}
