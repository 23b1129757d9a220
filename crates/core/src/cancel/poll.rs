//! One poll of a scope: the engine of every scope that is not a task.
//!
//! The order is that of the design: look at the request, poll the body with that knowledge, value
//! first, then look at the deadline. A scope that is to end, and whose body is pending, waits for the
//! regions alive in it; when there are none, the body is dropped and the scope resolves, unless a
//! scope around it is to end as well: then it leaves the rest to that one.

use std::future::Future;
use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use crate::context::{self, Node, Wall};

/// What ends a scope from within itself.
pub(crate) trait Alarms {
    /// Whether the scope is due by itself; asked when its body is pending and no cancel is in force.
    ///
    /// If a scope around it is due as well, that one reports, unless `wall` keeps its cancel out.
    fn poll_due(&mut self, wall: Wall, cx: &mut Context<'_>) -> bool;

    /// Whether a value is there that ends the scope; the poll of the body that puts it there stops at
    /// it, and may leave parts of the body for the next. If it came in this very poll and nothing has to be
    /// waited for, it beats a cancel from outside, as the value of a body does.
    fn has_decided(&self) -> bool {
        false
    }

    /// Whether the regions inside have had time enough; asked while the scope waits for them.
    fn poll_grace(&mut self, _: &mut Context<'_>) -> bool {
        false
    }
}

/// How a scope ended.
#[derive(Debug)]
pub(crate) enum Ended<T> {
    /// The body returned.
    Value(T),
    /// The scope was cancelled, or was due, and the body is dropped.
    Cancelled,
}

/// What a scope keeps between polls, besides its body.
#[derive(Debug, Default)]
pub(crate) struct ScopeState {
    /// The node, if one was needed.
    pub(crate) node: Option<Arc<Node>>,
    /// The scope is to end by its own request or deadline.
    pub(crate) own: bool,
    /// The body was dropped because its grace period was over, and a scope around is to end: that one
    /// drops this one.
    unwound: bool,
}

impl ScopeState {
    /// That of a scope with `node`.
    pub(crate) fn new(node: Option<Arc<Node>>) -> Self {
        Self {
            node,
            ..Self::default()
        }
    }
}

impl ScopeState {
    /// Polls the scope. `body` is empty afterwards if the result is ready.
    ///
    /// # Panics
    ///
    /// If the body panics, or its destructor, or a clean-up did that ran because of the cancel; if
    /// the scope was ready before.
    #[inline]
    pub(crate) fn poll<F: Future>(
        &mut self,
        body: Pin<&mut Option<F>>,
        deadline: Option<std::time::Instant>,
        alarms: &mut impl Alarms,
        cx: &mut Context<'_>,
    ) -> Poll<Ended<F::Output>> {
        self.poll_with(body, deadline, alarms, cx, |future, _, cx| future.poll(cx))
    }

    /// [`poll`](Self::poll) of a body that `poll_body` polls.
    ///
    /// # Panics
    ///
    /// As `poll` does.
    #[inline]
    pub(crate) fn poll_with<B, T, A: Alarms>(
        &mut self,
        mut body: Pin<&mut Option<B>>,
        deadline: Option<std::time::Instant>,
        alarms: &mut A,
        cx: &mut Context<'_>,
        mut poll_body: impl FnMut(Pin<&mut B>, &mut A, &mut Context<'_>) -> Poll<T>,
    ) -> Poll<Ended<T>> {
        let decided_before = alarms.has_decided();
        loop {
            let wall = self.look(cx);
            let undecided = !alarms.has_decided();
            let Some(inner) = body.as_mut().as_pin_mut() else {
                return self.poll_again();
            };
            let (poll, seen) =
                context::enter_scope(&mut self.node, wall, self.own, deadline, || {
                    poll_body(inner, alarms, cx)
                });
            if let Poll::Ready(value) = poll {
                self.finish(body);
                return Poll::Ready(Ended::Value(value));
            }
            self.own |= self.node.as_ref().is_some_and(|node| node.is_requested());
            if !self.own && !seen.outer {
                if !alarms.poll_due(wall, cx) {
                    return Poll::Pending;
                }
                self.own = true;
                if let Some(node) = &self.node {
                    node.expire();
                }
            }
            if let Some(node) = &self.node {
                if node.unwind() {
                    // They have been told: now they can be polled with that knowledge.
                    continue;
                }
                if node.has_live() {
                    if undecided && alarms.has_decided() {
                        // The body stopped at the decision. Who was woken for this poll and comes
                        // behind it is still to be polled.
                        continue;
                    }
                    if !alarms.poll_grace(cx) {
                        return Poll::Pending;
                    }
                    context::enter_cut(|| body.set(None));
                }
            }
            if seen.outer && (decided_before || !alarms.has_decided()) {
                self.unwound = body.is_none();
                return Poll::Pending;
            }
            self.finish(body);
            return Poll::Ready(Ended::Cancelled);
        }
    }

    /// What a poll without a body gives.
    #[cold]
    fn poll_again<T>(&self) -> Poll<Ended<T>> {
        assert!(
            self.unwound && context::is_cancelled(),
            "a scope was polled after it was ready"
        );
        Poll::Pending
    }

    /// Looks at the request, and sees to it that whoever makes one wakes this scope.
    #[inline]
    fn look(&mut self, cx: &Context<'_>) -> Wall {
        let Some(node) = &self.node else {
            return Wall::None;
        };
        node.register(cx.waker());
        self.own |= node.is_requested();
        if self.own {
            node.unwind();
        }
        node.wall()
    }

    /// Drops the body and ends the scope; a panic of a clean-up that a cancel has kept goes on here.
    #[inline]
    fn finish<F>(&mut self, mut body: Pin<&mut Option<F>>) {
        body.set(None);
        if let Some(node) = self.node.take() {
            let panic = node.take_panic();
            node.end();
            if let Some(panic) = panic {
                resume_unwind(panic);
            }
        }
    }

    /// Ends the scope whose future is dropped; its body must be gone.
    #[inline]
    pub(crate) fn dropped(&mut self) {
        if let Some(node) = self.node.take() {
            node.end();
        }
    }
}
