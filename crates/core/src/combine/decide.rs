//! Futures in one scope, one of which may decide for all.
//!
//! # Shape
//!
//! A [`Decide`] is a [`Body`] and the scope around it. The scope costs nothing until a region inside needs
//! its node. When an output decides, it is put beside the body, and the scope is cancelled by it,
//! as a timeout's is by its deadline: regions that are alive in the others clean up, then the
//! others are dropped, and then the output is returned.
//!
//! A cancel from outside wins over a decision, unless nothing had to be waited for: then the
//! decision is the value of this poll, as if the body had returned it. So it does not matter whether
//! the others are dropped or happen to end by themselves.

use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use pin_project_lite::pin_project;

use super::policy::{Body, over};
use crate::cancel::{Alarms, Ended, ScopeState};
use crate::context::{self, Wall};

/// The output that decides, as what ends the scope.
struct Decision<T> {
    value: Option<T>,
    /// Nobody is left to be unwound.
    alone: bool,
}

impl<T> Alarms for Decision<T> {
    #[inline]
    fn poll_due(&mut self, _: Wall, _: &mut Context<'_>) -> bool {
        self.value.is_some()
    }

    #[inline]
    fn has_decided(&self) -> bool {
        self.value.is_some()
    }
}

pin_project! {
    /// Futures, and the scope around them.
    ///
    /// `S` is the body's `Stop`. It is a parameter, and no projection, so that the compiler sees that
    /// this is `Send` also inside of a task in which the outputs have lifetimes.
    // In this order no padding lies between the fields of a tuple and the next: a move copies words.
    #[repr(C)]
    pub(super) struct Decide<B, S> {
        #[pin]
        body: Option<B>,
        decision: Decision<S>,
        state: ScopeState,
        over: bool,
    }

    impl<B, S> PinnedDrop for Decide<B, S> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            // Where it is over, both are gone.
            if !*this.over {
                context::drop_then(|| this.body.set(None), || this.state.dropped());
            }
        }
    }
}

impl<B: Body> Decide<B, B::Stop> {
    #[inline]
    pub(super) fn new(body: B) -> Self {
        Self {
            body: Some(body),
            decision: Decision {
                value: None,
                alone: false,
            },
            state: ScopeState::default(),
            over: false,
        }
    }

    /// The futures.
    pub(super) fn into_body(mut self) -> B {
        self.body.take().unwrap_or_else(|| over("limit"))
    }

    /// Polls the futures until all are kept, or one has decided and the others are unwound.
    ///
    /// # Panics
    ///
    /// If it was ready before; `name` is that of the combinator.
    #[inline]
    pub(super) fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        name: &str,
    ) -> Poll<Result<B::Kept, B::Stop>> {
        let this = self.project();
        if *this.over {
            over(name);
        }
        let body = this.body;
        let ended = this
            .state
            .poll_with(body, None, this.decision, cx, |body, decision, cx| {
                if decision.alone {
                    return Poll::Pending;
                }
                match body.poll_body(cx, &mut decision.value) {
                    Poll::Ready(Some(kept)) => Poll::Ready(kept),
                    // Not the body's value, but the decision ends the scope, whoever was left.
                    Poll::Ready(None) => {
                        decision.alone = true;
                        Poll::Pending
                    }
                    Poll::Pending => Poll::Pending,
                }
            });
        let ended = ready!(ended);
        *this.over = true;
        match (ended, this.decision.value.take()) {
            (_, Some(stop)) => Poll::Ready(Err(stop)),
            (Ended::Value(kept), None) => Poll::Ready(Ok(kept)),
            _ => unreachable!("without a decision all are kept"),
        }
    }
}

impl<B: fmt::Debug, S> fmt::Debug for Decide<B, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decide")
            .field("body", &self.body)
            .field("decided", &self.decision.value.is_some())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
