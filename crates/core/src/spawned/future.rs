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
use crate::combine::{All, First, FirstOk, Named, NoErr, RaceError};
use crate::context::{self, Node, Wall};
use crate::runtime::Spawn;

/// The future of the methods of [`Combine`](super::Combine); `P` says of which.
///
/// It spawns its children when it is first polled; in a scope that is being cancelled it does not begin.
///
/// `C` are the futures, `H` and `S` their [handles](Crew::Handles) and their [decision](Crew::Stop). Those are
/// parameters of their own, because the compiler cannot see inside of an async block that a type is `Send`
/// if it has to look up something that is `'static` for it.
#[must_use = "futures do nothing unless polled"]
pub struct Spawned<P, C, H, S, R> {
    stage: Stage<C, H, S, R>,
    rule: PhantomData<fn() -> P>,
}

/// [`Spawned`] for the futures `C`.
pub type SpawnedOf<P, C, R> = Spawned<P, C, <C as Crew<P>>::Handles, <C as Crew<P>>::Stop, R>;

enum Stage<C, H, S, R> {
    New {
        crew: C,
        runtime: R,
        location: &'static Location<'static>,
    },
    Running(Arc<Shared<S, H, R>>),
    /// It was ready, or a scope around it was cancelled and it never will be.
    Over,
}

/// What the children of a crew share.
type Family<P, C, R> = Arc<Shared<<C as Crew<P>>::Stop, <C as Crew<P>>::Handles, R>>;

// The futures are moved into their tasks before they are polled.
impl<P, C, H, S, R> Unpin for Spawned<P, C, H, S, R> {}

impl<P: Named, C: Crew<P>, R: Spawn> SpawnedOf<P, C, R> {
    pub(super) fn new(runtime: &R, crew: C, location: &'static Location<'static>) -> Self {
        let runtime = runtime.clone();
        Self {
            stage: Stage::New {
                crew,
                runtime,
                location,
            },
            rule: PhantomData,
        }
    }

    /// The children, who are spawned if they have not been; none if there will never be any.
    fn family(&mut self) -> Option<&Family<P, C, R>> {
        if let Stage::New { .. } | Stage::Over = self.stage {
            if context::is_cancelled() {
                // The scope around it drops it.
                return None;
            }
            let Stage::New {
                crew,
                runtime,
                location,
            } = std::mem::replace(&mut self.stage, Stage::Over)
            else {
                panic!("`{}` was polled after it was ready", P::NAME)
            };
            let family = Shared::new(runtime, Arc::new(Node::region(Wall::None)));
            let family = Arc::new(family);
            family.set_members();
            let mut recruiter = Recruiter::new(&family, location);
            let handles = crew.recruit(&mut recruiter);
            recruiter.start(handles);
            self.stage = Stage::Running(family);
        }
        match &self.stage {
            Stage::Running(family) => Some(family),
            _ => None,
        }
    }

    /// Polls until every child has ended; with the decision of one of them as the error.
    fn poll_all(&mut self, cx: &mut Context<'_>) -> Poll<Result<C::Kept, C::Stop>> {
        let Some(family) = self.family() else {
            return Poll::Pending;
        };
        // The wakers first, then the looks.
        let node = &family.node;
        node.register(cx.waker());
        family.register(cx.waker());
        context::tie_here(node);
        let outer = context::is_cancelled();
        if outer {
            // They were told, unless the cancel came while they were spawned.
            node.unwind();
        }
        if !family.is_over() {
            return Poll::Pending;
        }
        node.end();
        let rest = family.take_rest();
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
                cut = outer && C::Handles::were_cut(handles);
                Err(stop)
            }
            None => Ok(C::keep(handles, &mut cut)),
        };
        if outer && cut {
            // The scope that was cancelled drops this.
            return Poll::Pending;
        }
        Poll::Ready(result)
    }
}

impl<P, C, H, S, R> Drop for Spawned<P, C, H, S, R> {
    fn drop(&mut self) {
        if let Stage::Running(family) = &self.stage {
            family.node.end();
            // Dropping a handle cancels its task.
            drop(family.take_handles());
        }
    }
}

impl<C, R> Future for SpawnedOf<All, C, R>
where
    C: Crew<All, Stop = Infallible>,
    R: Spawn,
{
    type Output = C::Kept;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let kept = ready!(self.poll_all(cx));
        Poll::Ready(kept.unwrap_or_else(|stop| match stop {}))
    }
}

impl<C: Crew<NoErr>, R: Spawn> Future for SpawnedOf<NoErr, C, R> {
    type Output = Result<C::Kept, C::Stop>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.poll_all(cx)
    }
}

impl<C: Crew<First>, R: Spawn> Future for SpawnedOf<First, C, R> {
    type Output = Result<C::Stop, RaceError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(self.poll_all(cx));
        Poll::Ready(match ended {
            Err(first) => Ok(first),
            Ok(_) => Err(RaceError::new()),
        })
    }
}

impl<C: Crew<FirstOk>, R: Spawn> Future for SpawnedOf<FirstOk, C, R> {
    type Output = Result<C::Stop, C::Kept>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let ended = ready!(self.poll_all(cx));
        Poll::Ready(match ended {
            Err(first) => Ok(first),
            Ok(errors) => Err(errors),
        })
    }
}

impl<P: Named, C, H, S, R> fmt::Debug for Spawned<P, C, H, S, R> {
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
