//! The engine of regions, and the two that borrow: [`finally`] and [`on_cancel`].

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, Location, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use pin_project_lite::pin_project;

use super::output::CleanUpOutput;
use crate::context::{self, Node, Wall, current_task, report_panic};
use crate::debug;
use crate::loom::Mutex;
use crate::report::{Report, report};

/// How the body of a region ended.
#[derive(Debug)]
pub(super) enum Exit<T> {
    Value(T),
    // In a lock only so that regions are `Sync`.
    Panicked(Mutex<Box<dyn Any + Send>>),
    Cancelled,
}

/// After what a clean-up begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The body returned.
    Value,
    /// It panicked.
    Panic,
    /// It was cancelled, whether or not its destructor panicked then.
    Cancel,
}

/// What a region does at its end.
pub(super) trait CleanUp: Sized {
    type Future: Future<Output: CleanUpOutput>;

    /// Begins the clean-up, if there is something to do. Called once.
    fn begin(&mut self, after: After) -> Option<Self::Future>;

    /// The region was dropped before the clean-up began.
    fn lost(&mut self, region: &Place);

    /// The region was dropped while the clean-up ran.
    fn cut(&mut self, running: Pin<&mut Option<Self::Future>>, region: &Place);
}

/// Which region it is, and where it was made.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) name: &'static str,
    pub(super) location: &'static Location<'static>,
}

impl Place {
    /// Reports that the clean-up of the region did not run, or not to its end.
    pub(super) fn report_lost(&self, begun: bool) {
        report(&Report::CleanUpLost {
            region: self.name,
            location: self.location,
            begun,
            over: context::is_cut(),
        });
    }
}

/// Reports the error of a clean-up that no caller can be given.
pub(super) fn report_error(message: String) {
    let task = current_task().map(|task| task.info().clone());
    report(&Report::CleanUpFailed { task, message });
}

pin_project! {
    /// A body and its clean-up.
    #[project = RegionProjection]
    pub(super) struct Region<F: Future, C: CleanUp> {
        #[pin]
        body: Option<F>,
        #[pin]
        running: Option<C::Future>,
        clean_up: C,
        exit: Option<Exit<F::Output>>,
        // There from the first poll to the end.
        node: Option<Arc<Node>>,
        unwound: bool,
        place: Place,
    }

    impl<F: Future, C: CleanUp> PinnedDrop for Region<F, C> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let Some(node) = this.node.take() else {
                // It never began, or has ended.
                if this.body.is_some() {
                    debug::never_polled(this.place.name, this.place.location);
                }
                return;
            };
            let began = this.exit.is_some();
            let clean_up = || {
                if !began {
                    this.clean_up.lost(this.place);
                } else if this.running.is_some() {
                    this.clean_up.cut(this.running.as_mut(), this.place);
                    this.running.set(None);
                }
            };
            // A destructor that panics takes no clean-up with it.
            let drop_all = || context::drop_then(|| this.body.set(None), clean_up);
            let end = || {
                if let Some(Exit::Panicked(panic)) = this.exit.take() {
                    report_panic(panic.into_inner());
                }
                node.end();
            };
            context::drop_then(drop_all, end);
        }
    }
}

impl<F: Future, C: CleanUp> Region<F, C> {
    pub(super) fn new(body: F, clean_up: C, place: Place) -> Self {
        Self {
            body: Some(body),
            running: None,
            clean_up,
            exit: None,
            node: None,
            unwound: false,
            place,
        }
    }

    /// Polls the body; ready once it is gone, with its exit and what the clean-up comes after.
    fn poll_body(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<(Exit<F::Output>, After)> {
        let mut this = self.project();
        let exit = loop {
            if let Some(node) = &this.node {
                node.register(cx.waker());
            }
            let Some(body) = this.body.as_mut().as_pin_mut() else {
                unreachable!("the caller has looked")
            };
            let poll = catch_unwind(AssertUnwindSafe(|| {
                context::enter_scope(this.node, Wall::None, false, None, || body.poll(cx))
            }));
            match poll {
                Ok((Poll::Ready(value), _)) => break Exit::Value(value),
                Err(panic) => break Exit::Panicked(Mutex::new(panic)),
                Ok((Poll::Pending, seen)) if !seen.outer => return Poll::Pending,
                Ok((Poll::Pending, _)) => match this.node {
                    // They have been told: now they can be polled with that knowledge.
                    Some(node) if node.unwind() => {}
                    Some(node) if node.has_live() => return Poll::Pending,
                    _ => break Exit::Cancelled,
                },
            }
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| this.body.as_mut().set(None)));
        let after = match (&exit, &dropped) {
            (Exit::Cancelled, _) => After::Cancel,
            (Exit::Value(_), Ok(())) => After::Value,
            _ => After::Panic,
        };
        let exit = match (dropped, exit) {
            (Ok(()), exit) => exit,
            (Err(panic), Exit::Panicked(first)) => {
                report_panic(panic);
                Exit::Panicked(first)
            }
            (Err(panic), _) => Exit::Panicked(Mutex::new(panic)),
        };
        Poll::Ready((exit, after))
    }

    /// Polls the clean-up; gives the panic of it, if there was one.
    fn poll_clean_up(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Box<dyn Any + Send>>> {
        let mut this = self.project();
        let Some(running) = this.running.as_mut().as_pin_mut() else {
            return Poll::Ready(None);
        };
        let poll = catch_unwind(AssertUnwindSafe(|| {
            context::enter_scope(this.node, Wall::Hide, false, None, || running.poll(cx)).0
        }));
        let panic = match poll {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(output)) => {
                if let Some(message) = output.into_error() {
                    report_error(message);
                }
                None
            }
            Err(panic) => Some(panic),
        };
        let dropped = catch_unwind(AssertUnwindSafe(|| this.running.as_mut().set(None)));
        Poll::Ready(join_panics(panic, dropped.err()))
    }
}

/// The first of two panics; the second is reported.
fn join_panics(
    first: Option<Box<dyn Any + Send>>,
    second: Option<Box<dyn Any + Send>>,
) -> Option<Box<dyn Any + Send>> {
    match (first, second) {
        (Some(first), Some(second)) => {
            report_panic(second);
            Some(first)
        }
        (first, second) => first.or(second),
    }
}

impl<F: Future, C: CleanUp> Future for Region<F, C> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        if self.body.is_some() {
            if self.node.is_none() {
                let node = Arc::new(Node::region(Wall::None));
                context::tie_here(&node);
                *self.as_mut().project().node = Some(node);
            }
            let Poll::Ready((exit, after)) = self.as_mut().poll_body(cx) else {
                return Poll::Pending;
            };
            let mut this = self.as_mut().project();
            if let Some(node) = this.node {
                node.set_wall(Wall::Hide);
            }
            *this.exit = Some(exit);
            let begin = || this.clean_up.begin(after);
            match catch_unwind(AssertUnwindSafe(begin)) {
                Ok(running) => this.running.set(running),
                Err(panic) => this.keep(panic),
            }
        }
        if self.node.is_some() {
            let Poll::Ready(panic) = self.as_mut().poll_clean_up(cx) else {
                return Poll::Pending;
            };
            return self.project().end(panic);
        }
        assert!(
            self.unwound && context::is_cancelled(),
            "`{}` was polled after {}",
            self.place.name,
            match self.unwound {
                true => "it was cancelled: a future that was cut does not go on in another scope",
                false => "it was ready",
            }
        );
        Poll::Pending
    }
}

impl<F: Future, C: CleanUp> RegionProjection<'_, F, C> {
    /// Keeps a panic in the node until the region ends.
    fn keep(&mut self, panic: Box<dyn Any + Send>) {
        match self.node {
            Some(node) => node.keep_panic(panic),
            None => report_panic(panic),
        }
    }

    /// Leaves the tree, and gives the outcome.
    fn end(self, panic: Option<Box<dyn Any + Send>>) -> Poll<F::Output> {
        let (Some(node), Some(exit)) = (self.node.take(), self.exit.take()) else {
            unreachable!("a region ends once")
        };
        if let Exit::Cancelled = exit {
            if let Some(panic) = panic {
                node.keep_panic(panic);
            }
            *self.unwound = true;
            // What it has kept goes to the scope around, and so to the one that was cancelled.
            node.end();
            return Poll::Pending;
        }
        let panic = join_panics(node.take_panic(), panic);
        node.end();
        match (exit, panic) {
            (Exit::Panicked(first), later) => {
                if let Some(later) = later {
                    report_panic(later);
                }
                resume_unwind(first.into_inner())
            }
            (_, Some(panic)) => resume_unwind(panic),
            (Exit::Value(value), None) => Poll::Ready(value),
            (Exit::Cancelled, None) => unreachable!("dealt with above"),
        }
    }
}

/// A clean-up that borrows: it can only be run by the region itself.
struct Borrowing<C> {
    clean_up: Option<C>,
    only_cancel: bool,
}

impl<C: Future<Output: CleanUpOutput>> CleanUp for Borrowing<C> {
    type Future = C;

    fn begin(&mut self, after: After) -> Option<C> {
        let clean_up = self.clean_up.take();
        clean_up.filter(|_| after == After::Cancel || !self.only_cancel)
    }

    fn lost(&mut self, region: &Place) {
        region.report_lost(false);
    }

    fn cut(&mut self, _: Pin<&mut Option<C>>, region: &Place) {
        region.report_lost(true);
    }
}

/// Runs `body`, then `clean_up`, however `body` ends: with a value, a panic or a cancel.
///
/// (`try: ... finally: await clean_up()`.) The clean-up is shielded from the cancel that ended the
/// body, and the scope that was cancelled waits for it. It may borrow; if it fails, the error is
/// [reported](crate::report).
///
/// # Cancel safety
///
/// When this future is dropped from outside (by a foreign `select!`, say), nobody is left to await the
/// clean-up: it does not run, and the loss is [reported](crate::report). [`bracket`](super::bracket)
/// survives that.
///
/// # Panics
///
/// With the panic of `body`, after the clean-up, or with that of the clean-up; when polled after it
/// was ready.
///
/// # Examples
///
/// ```
/// use kumi_core::cleanup::finally;
/// use kumi_core::combine::timeout;
/// use kumi_core::runtime::{Clock, Runtime};
/// use std::{cell::Cell, future::pending, time::Duration};
///
/// let sim = kumi_sim::Sim::new();
/// let rt = sim.handle();
/// sim.block_on(async {
///     let closed = Cell::new(false);
///     let work = finally(pending::<()>(), async {
///         rt.sleep(Duration::from_secs(1)).await;
///         closed.set(true);
///     });
///     assert!(timeout(&rt, Duration::from_secs(5), work).await.is_err());
///     assert!(closed.get());
/// });
/// ```
#[track_caller]
pub fn finally<F, C>(body: F, clean_up: C) -> Finally<F, C>
where
    F: Future,
    C: Future<Output: CleanUpOutput>,
{
    let place = Place {
        name: "finally",
        location: Location::caller(),
    };
    let clean_up = Borrowing {
        clean_up: Some(clean_up),
        only_cancel: false,
    };
    Finally {
        region: Region::new(body, clean_up, place),
    }
}

/// Runs `body`, and `clean_up` only if `body` is cancelled.
///
/// (`except CancelledError: await clean_up(); raise`.) See [`finally`].
///
/// # Cancel safety
///
/// When this future is dropped from outside, the clean-up does not run, and the loss is
/// [reported](crate::report).
///
/// # Panics
///
/// As [`finally`].
#[track_caller]
pub fn on_cancel<F, C>(body: F, clean_up: C) -> OnCancel<F, C>
where
    F: Future,
    C: Future<Output: CleanUpOutput>,
{
    let place = Place {
        name: "on_cancel",
        location: Location::caller(),
    };
    let clean_up = Borrowing {
        clean_up: Some(clean_up),
        only_cancel: true,
    };
    OnCancel {
        region: Region::new(body, clean_up, place),
    }
}

/// Defines the future of a borrowing region.
macro_rules! region {
    ($(#[$attr:meta])* $name:ident) => {
        pin_project! {
            $(#[$attr])*
            #[must_use = "futures do nothing unless polled"]
            pub struct $name<F: Future, C: Future>
            where
                C::Output: CleanUpOutput,
            {
                #[pin]
                region: Region<F, Borrowing<C>>,
            }
        }

        impl<F: Future, C: Future<Output: CleanUpOutput>> Future for $name<F, C> {
            type Output = F::Output;

            fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
                self.project().region.poll(cx)
            }
        }

        impl<F: Future, C: Future<Output: CleanUpOutput>> fmt::Debug for $name<F, C> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($name))
                    .field("place", &self.region.place)
                    .finish_non_exhaustive()
            }
        }
    };
}

region! {
    /// The future of [`finally`].
    Finally
}

region! {
    /// The future of [`on_cancel`].
    OnCancel
}
