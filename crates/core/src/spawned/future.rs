//! The futures of the combinators.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::marker::PhantomData;
use std::panic::{Location, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use super::crew::{Crew, Handles as _};
use super::shared::{Recruiter, Shared};
use crate::combine::{All, BEGUN, First, FirstOk, Named, NoErr, RaceError};
use crate::context::{self, Node, Wall};
use crate::debug;
use crate::loom::fault;
use crate::runtime::Spawn;

/// The future of the methods of [`Combine`](super::Combine); `P` says of which.
///
/// It spawns its children when it is first polled; in a scope that is being cancelled it does not begin.
///
/// `C` are the futures, `H`, `K` and `S` what their [`Crew`] makes of them. All that is asked of those types is
/// shown where this is made, and kept as functions. So this asks nothing of them, and a
/// future that holds one is `Send` as soon as they are: inside of an async block the compiler cannot
/// see that a type is `'static`, nor that two types with lifetimes are equal.
#[must_use = "futures do nothing unless polled"]
pub struct Spawned<P, C, H, K, S, R> {
    stage: Stage<C, H, S, R>,
    keep: fn(H, &mut bool) -> K,
    were_cut: fn(H) -> bool,
    rule: PhantomData<fn() -> P>,
}

/// [`Spawned`] for the futures `C`.
pub type SpawnedOf<P, C, R> =
    Spawned<P, C, <C as Crew<P>>::Handles, <C as Crew<P>>::Kept, <C as Crew<P>>::Stop, R>;

enum Stage<C, H, S, R> {
    New {
        crew: C,
        runtime: R,
        /// For who is reported if it is never polled.
        name: Option<&'static str>,
        location: &'static Location<'static>,
        start: Start<C, H, S, R>,
    },
    Running(Arc<Shared<S, H, R>>),
    /// It was ready, or a scope around it was cancelled and it never will be.
    Over,
}

type Start<C, H, S, R> = fn(C, R, &'static Location<'static>) -> Arc<Shared<S, H, R>>;

/// Spawns the children.
fn start<P, C: Crew<P>, R: Spawn>(
    crew: C,
    runtime: R,
    location: &'static Location<'static>,
    alone: bool,
) -> Arc<Shared<C::Stop, C::Handles, R>> {
    let node = Arc::new(Node::region(Wall::None));
    let shared = Arc::new(Shared::new(runtime, node, alone));
    if !fault("members_are_not_told") {
        shared.set_members();
    }
    let mut recruiter = Recruiter::new(&shared, location);
    let handles = crew.recruit(&mut recruiter);
    recruiter.start(handles);
    shared
}

impl<P: Named, C: Crew<P>, R: Spawn> SpawnedOf<P, C, R> {
    pub(super) fn new(runtime: &R, crew: C, location: &'static Location<'static>) -> Self {
        let start: Start<_, _, _, R> =
            |crew, rt, location| start::<P, C, R>(crew, rt, location, false);
        Self::with(runtime, crew, Some(P::NAME), location, start)
    }

    /// One that may be left alone between its polls: it is a region only until its last child has ended,
    /// so the scopes around it do not wait until it is polled again. What the children
    /// return beside a cancel from outside may be lost.
    pub(super) fn left_alone(runtime: &R, crew: C, location: &'static Location<'static>) -> Self {
        let start: Start<_, _, _, R> =
            |crew, rt, location| start::<P, C, R>(crew, rt, location, true);
        Self::with(runtime, crew, None, location, start)
    }

    fn with(
        runtime: &R,
        crew: C,
        name: Option<&'static str>,
        location: &'static Location<'static>,
        start: Start<C, C::Handles, C::Stop, R>,
    ) -> Self {
        let runtime = runtime.clone();
        Self {
            stage: Stage::New {
                crew,
                runtime,
                name,
                location,
                start,
            },
            keep: C::keep,
            were_cut: C::Handles::were_cut,
            rule: PhantomData,
        }
    }
}

// The futures are moved into their tasks before they are polled.
impl<P, C, H, K, S, R> Unpin for Spawned<P, C, H, K, S, R> {}

impl<P: Named, C, H, K, S, R> Spawned<P, C, H, K, S, R> {
    /// What it was made of.
    ///
    /// # Panics
    ///
    /// If it has begun.
    #[track_caller]
    pub(super) fn into_parts(mut self) -> (C, R, &'static Location<'static>) {
        // If it has begun, this is dropped as it is, and ends its children.
        assert!(matches!(self.stage, Stage::New { .. }), "{BEGUN}");
        match std::mem::replace(&mut self.stage, Stage::Over) {
            Stage::New {
                crew,
                runtime,
                location,
                ..
            } => (crew, runtime, location),
            _ => unreachable!("it was new"),
        }
    }

    /// What the children share, who are spawned if they have not been; none if there will never be any.
    fn shared(&mut self) -> Option<&Arc<Shared<S, H, R>>> {
        if let Stage::New { .. } | Stage::Over = self.stage {
            if context::is_cancelled() {
                // The scope around it drops it.
                return None;
            }
            let Stage::New {
                crew,
                runtime,
                location,
                start,
                ..
            } = std::mem::replace(&mut self.stage, Stage::Over)
            else {
                panic!("`{}` was polled after it was ready", P::NAME)
            };
            self.stage = Stage::Running(start(crew, runtime, location));
        }
        match &self.stage {
            Stage::Running(shared) => Some(shared),
            _ => None,
        }
    }

    /// Polls until every child has ended; with the decision of one of them as the error.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<K, S>> {
        let begins = matches!(self.stage, Stage::New { .. });
        let Some(shared) = self.shared() else {
            return Poll::Pending;
        };
        // The wakers first, then the looks.
        let node = &shared.node;
        node.register(cx.waker());
        let early = fault("crew_is_looked_at_first") && !shared.is_over();
        shared.register(cx.waker());
        context::tie_here(node);
        let outer = context::is_cancelled();
        if outer {
            // They were told, unless the cancel came while they were spawned.
            node.unwind();
        }
        if early || !shared.is_over() {
            return Poll::Pending;
        }
        if begins && shared.alone {
            // It has ended already, on another thread. But those beside it are to begin as well, before
            // anybody is handed an outcome, and perhaps waits for what they do.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        node.end();
        let rest = shared.take_rest();
        self.stage = Stage::Over;
        let Some(handles) = rest.handles else {
            unreachable!("they are taken once")
        };
        if let Some(panic) = rest.panic {
            drop(handles);
            resume_unwind(panic);
        }
        let mut cut = false;
        let result = match rest.decision {
            Some(stop) => {
                cut = outer && (self.were_cut)(handles);
                Err(stop)
            }
            None => Ok((self.keep)(handles, &mut cut)),
        };
        if outer && cut {
            // The scope that was cancelled drops this.
            return Poll::Pending;
        }
        Poll::Ready(result)
    }
}

impl<P, C, H, K, S, R> Drop for Spawned<P, C, H, K, S, R> {
    fn drop(&mut self) {
        match &self.stage {
            Stage::New { name, location, .. } => {
                if let Some(name) = name {
                    debug::never_polled(name, location);
                }
            }
            Stage::Running(shared) => {
                shared.node.end();
                // Dropping a handle cancels its task.
                if !fault("dropped_crew_stays") {
                    drop(shared.take_handles());
                }
            }
            Stage::Over => {}
        }
    }
}

impl<C, H, K, R> Future for Spawned<All, C, H, K, Infallible, R> {
    type Output = K;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let kept = ready!(self.poll_all(cx));
        Poll::Ready(kept.unwrap_or_else(|stop| match stop {}))
    }
}

impl<C, H, K, S, R> Future for Spawned<NoErr, C, H, K, S, R> {
    type Output = Result<K, S>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_all(cx)
    }
}

impl<C, H, K, S, R> Future for Spawned<First, C, H, K, S, R> {
    type Output = Result<S, RaceError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(self.poll_all(cx));
        Poll::Ready(match ended {
            Err(first) => Ok(first),
            Ok(_) => Err(RaceError::new()),
        })
    }
}

impl<C, H, K, S, R> Future for Spawned<FirstOk, C, H, K, S, R> {
    type Output = Result<S, K>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(self.poll_all(cx));
        Poll::Ready(match ended {
            Err(first) => Ok(first),
            Ok(errors) => Err(errors),
        })
    }
}

impl<P: Named, C, H, K, S, R> fmt::Debug for Spawned<P, C, H, K, S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Spawned")
            .field("combinator", &P::NAME)
            .field(
                "stage",
                &match &self.stage {
                    Stage::New { .. } => "new",
                    Stage::Running(_) => "running",
                    Stage::Over => "over",
                },
            )
            .finish()
    }
}
